/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_H
#define _PVIO_VHOST_RING_H

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/types.h>

#include "mem.h"

/* The largest queue of a split ring (virtio 1.4, 2.7). */
#define PVRING_NUM_MAX		32768

/* Bytes at the start of a chain that a pop can hand over by value. */
#define PVRING_HDR_MAX		64

/* Pieces more than descriptors: buffers that cross regions of guest memory. */
#define PVRING_SPLITS_MAX	16

enum pvring_format {
	PVRING_SPLIT,
	PVRING_PACKED,
};

/**
 * struct pvring_limits - what a backend is ready to take
 * @max_desc: descriptors per chain, those of an indirect table included
 * @max_bytes: bytes per chain, in both directions together
 * @hdr_len: bytes of each chain's readable part to hand over in
 *	&pvring_chain.hdr, up to PVRING_HDR_MAX
 */
struct pvring_limits {
	u16 max_desc;
	u32 max_bytes;
	u16 hdr_len;
};

/**
 * struct pvring_chain - a buffer that the driver made available
 * @head: its identity, for pvring_complete()
 * @hdr_len: valid bytes in @hdr
 * @nout: readable pieces in @seg, without what went to @hdr
 * @nin: writable pieces in @seg, behind the readable ones
 * @out_len: bytes in the readable pieces
 * @in_len: bytes in the writable pieces
 * @seg: the pieces, in the batch
 * @hdr: the first bytes of the readable part
 *
 * Everything in it is the kernel's copy: the driver can't change it any more.
 */
struct pvring_chain {
	u16 head;
	u16 hdr_len;
	u16 nout;
	u16 nin;
	u32 out_len;
	u32 in_len;
	struct pvmem_seg *seg;
	u8 hdr[PVRING_HDR_MAX] __aligned(8);
};

/**
 * struct pvring_raw - a descriptor as it was read, not checked yet
 * @addr: its first eight bytes
 * @rest: length, flags and next index, the last eight bytes
 */
struct pvring_raw {
	u64 addr;
	u64 rest;
};

/**
 * struct pvring_batch - the room that a pop fills; belongs to one queue
 * @max: chains it can take
 * @n: chains of the last pop
 * @max_seg: room in @seg
 * @nseg: segments of the last pop
 * @max_raw: room in @raw
 * @max_table: room in @table
 * @chain: the chains
 * @seg: their pieces, flat
 * @raw: descriptors of direct chains, as read
 * @table: one indirect table, as read
 * @heads: heads of the chains, as read
 * @count: how many of @raw each chain has
 */
struct pvring_batch {
	unsigned int max;
	unsigned int n;
	unsigned int max_seg;
	unsigned int nseg;
	unsigned int max_raw;
	unsigned int max_table;
	struct pvring_chain *chain;
	struct pvmem_seg *seg;
	struct pvring_raw *raw;
	struct pvring_raw *table;
	u16 *heads;
	u16 *count;
};

/**
 * struct pvring_used - a completed chain that is not published yet
 * @head: its identity
 * @len: bytes written into it
 */
struct pvring_used {
	u16 head;
	u32 len;
};

/**
 * struct pvring_fault - user memory that was not present
 * @addr: first byte
 * @len: bytes
 * @write: it was to be written
 */
struct pvring_fault {
	unsigned long addr;
	size_t len;
	bool write;
};

/**
 * struct pvring_state - where a ring stands: all that is needed to go on
 * @avail_idx: next entry of the available ring; packed: next descriptor
 * @used_idx: next entry of the used ring; packed: next descriptor
 * @avail_wrap: packed: the driver's wrap counter
 * @used_wrap: packed: the device's wrap counter
 */
struct pvring_state {
	u16 avail_idx;
	u16 used_idx;
	bool avail_wrap;
	bool used_wrap;
};

/**
 * struct pvring - one virtqueue's ring, from the device's side
 * @format: split or packed
 * @kind: how its memory is reached
 * @num: queue size
 * @event_idx: VIRTIO_F_EVENT_IDX is negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC is negotiated
 * @kicks_off: the driver was told not to kick, or may have been
 * @signalled_valid: @signalled means something
 * @last_avail: next entry of the available ring to pop, free running
 * @next_used: next entry of the used ring to write, free running
 * @signalled: @next_used at the last notification
 * @npending: chains in @pending
 * @inflight: chains popped and not completed
 * @limits: what the backend takes
 * @desc: the descriptor area, where @kind says
 * @driver: the driver area
 * @device: the device area
 * @pending: completed, not yet published; room for @num
 * @popped: a bit for every head in flight
 * @fault: what to fault in after -EAGAIN
 * @error: why the last operation found the ring broken
 *
 * The owner serialises all operations on a ring.
 */
struct pvring {
	enum pvring_format format;
	enum pvmem_kind kind;
	u16 num;
	bool event_idx;
	bool indirect;
	bool kicks_off;
	bool signalled_valid;
	u16 last_avail;
	u16 next_used;
	u16 signalled;
	u16 npending;
	u16 inflight;
	struct pvring_limits limits;
	unsigned long desc;
	unsigned long driver;
	unsigned long device;
	struct pvring_used *pending;
	unsigned long *popped;
	struct pvring_fault fault;
	const char *error;
};

/**
 * struct pvring_config - what makes a ring
 * @format: split or packed
 * @kind: how its memory is reached
 * @num: queue size
 * @event_idx: VIRTIO_F_EVENT_IDX is negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC is negotiated
 * @limits: what the backend takes
 */
struct pvring_config {
	enum pvring_format format;
	enum pvmem_kind kind;
	unsigned int num;
	bool event_idx;
	bool indirect;
	struct pvring_limits limits;
};

int pvring_init(struct pvring *r, const struct pvring_config *cfg);
void pvring_destroy(struct pvring *r);
void pvring_set_state(struct pvring *r, const struct pvring_state *state);
void pvring_get_state(const struct pvring *r, struct pvring_state *state);

size_t pvring_desc_size(enum pvring_format format, unsigned int num);
size_t pvring_driver_size(enum pvring_format format, unsigned int num);
size_t pvring_device_size(enum pvring_format format, unsigned int num);

struct pvring_batch *pvring_batch_alloc(unsigned int chains,
					const struct pvring_limits *limits);
void pvring_batch_free(struct pvring_batch *b);

int pvring_pop(struct pvring *r, const struct pvmem_table *t,
	       struct pvring_batch *b, unsigned int max);
void pvring_unpop(struct pvring *r, const struct pvring_batch *b,
		  unsigned int from);
int pvring_publish(struct pvring *r);
int pvring_notify_needed(struct pvring *r);
int pvring_kicks_disable(struct pvring *r);
int pvring_kicks_enable(struct pvring *r);

/**
 * pvring_complete() - give a chain back
 * @r: the ring
 * @head: the chain's head, from pvring_pop()
 * @len: bytes written into the chain, from its first writable byte on
 *
 * The driver sees it after the next pvring_publish(). Each popped chain is
 * completed exactly once.
 */
static inline void pvring_complete(struct pvring *r, u16 head, u32 len)
{
	if (WARN_ON_ONCE(head >= r->num || !__test_and_clear_bit(head, r->popped)))
		return;

	r->pending[r->npending++] = (struct pvring_used) {
		.head = head,
		.len = len,
	};
	r->inflight--;
}

/**
 * pvring_forget() - drop a chain without giving it back
 * @r: the ring
 * @head: the chain's head, from pvring_pop()
 *
 * For a ring that is being reset: the driver no longer waits for anything.
 */
static inline void pvring_forget(struct pvring *r, u16 head)
{
	if (WARN_ON_ONCE(head >= r->num || !__test_and_clear_bit(head, r->popped)))
		return;

	r->inflight--;
}

#endif
