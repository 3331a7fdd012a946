/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's side of a virtqueue, split or packed, independent of the transport that carries it.
 * Beside what a well-behaved driver does it can write anything at all into a split ring: see the
 * ring_raw_ calls.
 *
 * A ring is used by one thread at a time.
 */
#ifndef PVIO_SELFTEST_RING_H
#define PVIO_SELFTEST_RING_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_ring.h>

#include "gmem.h"

/* A piece of a chain, in the device's addresses. */
struct ring_seg {
	uint64_t addr;
	uint32_t len;
	bool write;	/* by the device */
};

struct ring_slot {
	void *token;	/* of the chain that starts here; NULL: not in flight */
	uint16_t count;	/* descriptors of that chain */
	uint16_t next;	/* in the chain, or in the free list */
};

/* What a driver has accepted. */
struct ring_features {
	bool event_idx;
	bool packed;
	bool in_order;
};

/* A packed descriptor, at the place of a split one. */
struct ring_packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

/* Where an event is wanted, and whether: the driver's or the device's area of a packed ring. */
struct ring_packed_event {
	uint16_t off_wrap;
	uint16_t flags;
};

struct ring {
	uint16_t num;
	uint16_t max_indirect;	/* entries of a head's table, 0: none */
	bool event_idx;
	bool packed;
	bool in_order;
	union {
		struct vring_desc *desc;
		struct ring_packed_desc *pdesc;
	};
	union {
		struct vring_avail *avail;
		struct ring_packed_event *driver_event;
	};
	union {
		struct vring_used *used;
		struct ring_packed_event *device_event;
	};
	uint64_t desc_iova;
	uint64_t avail_iova;
	uint64_t used_iova;
	struct vring_desc *tables;	/* @num tables of @max_indirect entries */
	uint64_t tables_iova;
	uint16_t free_head;
	uint16_t free_count;
	uint16_t avail_idx;	/* of the next entry to fill; packed: descriptor */
	uint16_t told_idx;	/* up to where the device was told */
	uint16_t used_idx;	/* of the next entry to collect; packed: descriptor */
	bool avail_wrap;	/* packed: the driver's wrap counter */
	bool used_wrap;		/* packed: the device's, as the driver follows it */
	uint16_t added;		/* packed: descriptors that the device was not told of */
	uint16_t hidden;	/* packed: the first of these, whose flags are shown last */
	uint16_t hidden_flags;
	uint64_t kicks;	/* that the device got */
	uint64_t calls;	/* that it made, as far as they were looked at */
	bool lied;	/* the device named a head that is not in flight, or not in order */
	struct ring_slot *slots;
	uint16_t *order;	/* in order: heads as they were added, a circle */
	uint32_t order_first;
	uint32_t order_end;
	int kick_fd;
	int call_fd;
};

/* How a chain is laid out. */
enum ring_layout {
	RING_DIRECT,
	RING_INDIRECT,
	RING_MIXED,	/* the first piece in the ring, the others in a table: odd, but valid */
};

/*
 * Places a ring in @m and makes its eventfds; @base is the index that both sides start from, as if
 * so many entries, packed: descriptors, had been used. Returns 0 or a negative errno.
 */
int ring_init(struct ring *r, struct gmem *m, uint16_t num, uint16_t max_indirect,
	      const struct ring_features *features, uint16_t base);
void ring_destroy(struct ring *r);

/*
 * Forgets what is in flight and starts again from @base, in the same memory: what a driver does
 * after a reset.
 */
void ring_restart(struct ring *r, uint16_t base);

/* Where both sides are, with nothing in flight, as VHOST_SET_VRING_BASE wants it. */
unsigned int ring_base(const struct ring *r);
/* The same of a device that has nothing in flight, and used what it has used. */
unsigned int ring_device_base(const struct ring *r);

/*
 * Adds a chain and puts its head into the available ring, unseen by the device until
 * ring_publish(). @token comes back from ring_collect(). Returns the head or a negative errno:
 * -ENOSPC when there are too few free descriptors, -E2BIG when it fits no table.
 */
int ring_add(struct ring *r, const struct ring_seg *segs, unsigned int count,
	     enum ring_layout layout, void *token);
/* Shows the device all that was added. Returns whether the device wants to be told. */
bool ring_publish(struct ring *r);
void ring_kick(struct ring *r);
/* Publishes and kicks if the device wants it. */
void ring_flush(struct ring *r);

/* The token of the next chain that the device has used, or NULL. */
void *ring_collect(struct ring *r, uint32_t *len);
/* What the device has used and ring_collect() not yet taken. */
uint16_t ring_pending(const struct ring *r);
/* Is there anything? Cheaper than to count. */
bool ring_any(const struct ring *r);
unsigned int ring_in_flight(const struct ring *r);

/*
 * Waits until the device has used something, by the call eventfd, or @timeout_ms have passed.
 * Returns whether there is something to collect.
 */
bool ring_wait(struct ring *r, int timeout_ms);
/* The same, where it is to be told only of the last of @ahead more chains. */
bool ring_wait_ahead(struct ring *r, uint16_t ahead, int timeout_ms);

/* How many calls came since the last time; 0 where none did. */
uint64_t ring_take_calls(struct ring *r);
void ring_suppress_calls(struct ring *r);
/* Asks for a call once the device has used @ahead more chains than were collected. */
void ring_arm_call(struct ring *r, uint16_t ahead);
/* Would the device be told of the next chain? */
bool ring_wants_kick(const struct ring *r);
/* The index at which the device asked to be told. */
uint16_t ring_avail_event(const struct ring *r);

/* Writes a descriptor of the ring, or any other descriptor in guest memory. */
void ring_raw_desc(struct vring_desc *d, uint64_t addr, uint32_t len, uint16_t flags,
		   uint16_t next);
/* Puts a head into the next entry of the available ring; publish as usual. */
void ring_raw_avail(struct ring *r, uint16_t head);
/* Overwrites the available index. */
void ring_raw_avail_idx(struct ring *r, uint16_t idx);
/* The table that belongs to @head. */
struct vring_desc *ring_table(const struct ring *r, uint16_t head);
uint64_t ring_table_iova(const struct ring *r, uint16_t head);

#endif
