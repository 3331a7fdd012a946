/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_INFLIGHT_H
#define _PVIO_VHOST_INFLIGHT_H

/*
 * The in-flight region of a ring: memory of the owner that outlives whoever
 * serves the ring, in which the device notes each chain from its pop until the
 * driver was shown that it is used. The next device of that ring finds there what
 * the driver still waits for.
 *
 * The region is read at the start, into copies that are checked, until the last of
 * what was in flight is taken up; then it is written alone. What its owner does to it
 * meanwhile is nobody's harm but his own. Each single store
 * leaves it so that it can be taken up: tools/testing/unit/crash.c ends a device
 * behind every one of them.
 */

#include <linux/types.h>
#include <uapi/linux/pvio_vhost.h>

#include "ring.h"

/**
 * struct pvinflight_again - a chain that a former device left behind
 * @counter: the larger, the later it was popped
 * @entry: its first entry of the region
 */
struct pvinflight_again {
	u64 counter;
	u16 entry;
};

/**
 * struct pvinflight - a ring's in-flight region, and what is known of it
 * @split: the region of a split ring
 * @packed: the same, of a packed one
 * @used: a former device has used it
 * @counter: of the next chain that is popped
 * @entry: by head, the first entry of a chain that is popped
 * @done: the first entries of the chains in &pvring.pending
 * @again: what is to be popped once more, by its counter; NULL: there was none
 * @first: the first of these that is not popped
 * @popped_again: so were the chains of the last pop
 * @nfree: packed: free entries
 * @free_head: packed: the first free entry; &pvring.num: there is none
 * @next: packed: by entry, the next free one, or the next of the chain
 * @last: packed: by a chain's first entry, its last one
 * @ndesc: packed: by a chain's first entry, its entries
 */
struct pvinflight {
	union {
		struct vhost_inflight_split *split;
		struct vhost_inflight_packed *packed;
	};
	bool used;
	u64 counter;
	u16 *entry;
	u16 *done;
	struct pvinflight_again *again;
	u16 first;
	bool popped_again;
	u16 nfree;
	u16 free_head;
	u16 *next;
	u16 *last;
	u16 *ndesc;
};

void pvinflight_destroy(struct pvring *r);
int pvinflight_again(struct pvring *r, struct pvring_batch *b, unsigned int max);
void pvinflight_popped(struct pvring *r, const struct pvring_batch *b);
bool pvinflight_unpopped(struct pvring *r, const struct pvring_batch *b,
			 unsigned int from);
void pvinflight_publish(struct pvring *r);
void pvinflight_published(struct pvring *r, unsigned int n);

size_t pvinflight_split_size(unsigned int num);
void pvinflight_split_make(struct pvring *r);
int pvinflight_split_recover(struct pvring *r);
unsigned int pvinflight_split_again(struct pvring *r, struct pvring_batch *b,
				    unsigned int max);
void pvinflight_split_popped(struct pvring *r, const struct pvring_batch *b);
void pvinflight_split_unpopped(struct pvring *r, const struct pvring_batch *b,
			       unsigned int from);
void pvinflight_split_publish(struct pvring *r);
void pvinflight_split_published(struct pvring *r, unsigned int n);

size_t pvinflight_packed_size(unsigned int num);
void pvinflight_packed_make(struct pvring *r);
int pvinflight_packed_recover(struct pvring *r);
unsigned int pvinflight_packed_again(struct pvring *r, struct pvring_batch *b,
				     unsigned int max);
void pvinflight_packed_popped(struct pvring *r, const struct pvring_batch *b);
void pvinflight_packed_unpopped(struct pvring *r, const struct pvring_batch *b,
				unsigned int from);
void pvinflight_packed_publish(struct pvring *r);
void pvinflight_packed_published(struct pvring *r, unsigned int n);

#endif
