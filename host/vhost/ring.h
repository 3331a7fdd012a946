/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_H
#define _PVIO_VHOST_RING_H

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "mem.h"

struct pvinflight;

/* The largest queue (virtio 1.4, 2.7 and 2.8). */
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
 * @max_splits: pieces more than descriptors that a chain may have; at least
 *	PVRING_SPLITS_MAX
 * @hdr_len: bytes of each chain's readable part to hand over in
 *	&pvring_chain.hdr, up to PVRING_HDR_MAX
 */
struct pvring_limits {
	u16 max_desc;
	u32 max_bytes;
	u16 max_splits;
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
 * @rest: its last eight bytes: the length, and then by format; split: flags
 *	and next index, packed: buffer ID and flags
 */
struct pvring_raw {
	__le64 addr;
	__le64 rest;
};

/**
 * struct pvring_near - a region of guest memory that was used lately
 * @start: first I/O virtual address
 * @size: bytes; 0: there is none
 * @addr: what @start translates to
 * @perm: PVMEM_READ and PVMEM_WRITE
 */
struct pvring_near {
	u64 start;
	u64 size;
	u64 addr;
	u32 perm;
};

/**
 * struct pvring_batch - the room that a pop fills; belongs to one queue
 * @max: chains it can take
 * @whole: a pop that meets a chain that is wrong, or not there, takes none
 * @n: chains of the last pop
 * @max_seg: room in @seg
 * @max_raw: room in @raw
 * @max_table: room in @table
 * @chain: the chains
 * @seg: their pieces, flat
 * @raw: descriptors of direct chains, as read
 * @table: one indirect table, as read
 * @sorted: that table, in the order of its chain
 * @heads: split: heads of the chains, as read
 * @count: how many of @raw each chain has
 * @near_id: the memory table that @near is of
 * @near: the two regions that were used last
 */
struct pvring_batch {
	unsigned int max;
	bool whole;
	unsigned int n;
	unsigned int max_seg;
	unsigned int max_raw;
	unsigned int max_table;
	struct pvring_chain *chain;
	struct pvmem_seg *seg;
	struct pvring_raw *raw;
	struct pvring_raw *table;
	struct pvring_raw *sorted;
	u16 *heads;
	u16 *count;
	u64 near_id;
	struct pvring_near near[2];
};

/*
 * What the driver is told of a chain, in one word: the bytes that were written,
 * the ID by which it knows the chain, and the descriptors that it gets back
 * (split: 1, whatever there are). The upper half, the slot, is known from the pop
 * on.
 */
#define PVRING_SLOT(id, ndesc)	((u32)(id) | (u32)(ndesc) << 16)
#define PVRING_SLOT_NDESC(slot)	((u16)((slot) >> 16))
#define PVRING_WORD(slot, len)	((u64)(slot) << 32 | (len))
#define PVRING_WORD_LEN(w)	((u32)(w))
#define PVRING_WORD_ID(w)	((u16)((w) >> 32))
#define PVRING_WORD_NDESC(w)	((u16)((w) >> 48))

/**
 * struct pvring_miss - guest memory that has no translation, and may get one
 * @iova: the first byte that has none
 * @perm: what was to be done there: PVMEM_READ, PVMEM_WRITE, or both for the
 *	descriptors of a packed ring
 */
struct pvring_miss {
	u64 iova;
	u32 perm;
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

/* Parts of its areas that an operation on a ring writes. */
#define PVRING_SPANS		3

enum pvring_area {
	PVRING_AREA_DESC,
	PVRING_AREA_DRIVER,
	PVRING_AREA_DEVICE,
};

/**
 * struct pvring_span - a part of an area
 * @area: &enum pvring_area
 * @offset: its first byte
 * @len: bytes, not 0
 */
struct pvring_span {
	unsigned int area;
	u32 offset;
	u32 len;
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
 * @notify_on_empty: split: VIRTIO_F_NOTIFY_ON_EMPTY is negotiated
 * @kicks_off: the driver was told not to kick, or may have been
 * @signalled_valid: what was used since the last notification is known
 * @extra: pops and completions need more: the chains come back in order, or there
 *	is an in-flight region
 * @recover: there is an in-flight region that was not looked at:
 *	pvring_recover() comes before all else
 * @last_avail: next entry of the available ring to pop, free running; packed:
 *	next descriptor
 * @next_used: next entry of the used ring to write, free running; packed: next
 *	descriptor
 * @avail_flags: packed: what a descriptor at @last_avail says if it is available
 * @used_flags: packed: what a descriptor at @next_used is told to say
 * @since: entries, packed: descriptors, that were used since the last
 *	notification
 * @npending: chains in @pending
 * @inflight: chains popped and not completed
 * @taken: entries, packed: descriptors, that the driver has not got back
 * @nagain: chains that a former device popped, to be popped again before others
 * @limits: what the backend takes
 * @desc: the descriptor area, where @kind says
 * @driver: the driver area
 * @device: the device area
 * @slot: by head, for a chain that is popped: see PVRING_SLOT(); 0: there is none
 * @free_slot: packed: where to look for a head next
 * @pending: completed, not yet published, as words; room for @num
 * @early: in order: by head, the word of a chain completed before its turn; 0:
 *	there is none. NULL: chains may come back in any order
 * @order: in order: heads as they were popped, in a circle of @num
 * @order_first: the first of these
 * @order_n: how many
 * @kept: what is kept of chains in flight; NULL: nothing
 * @fault: what to fault in after -EAGAIN
 * @miss: what to have mapped after -ENXIO
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
	bool notify_on_empty;
	bool kicks_off;
	bool signalled_valid;
	bool extra;
	bool recover;
	u16 last_avail;
	u16 next_used;
	u16 avail_flags;
	u16 used_flags;
	u16 npending;
	u16 inflight;
	u16 taken;
	u16 nagain;
	u32 since;
	struct pvring_limits limits;
	unsigned long desc;
	unsigned long driver;
	unsigned long device;
	u32 *slot;
	u64 *pending;
	u16 free_slot;
	u16 order_first;
	u16 order_n;
	u16 *order;
	u64 *early;
	struct pvinflight *kept;
	struct pvring_fault fault;
	struct pvring_miss miss;
	const char *error;
};

/**
 * struct pvring_config - what makes a ring
 * @format: split or packed
 * @kind: how its memory is reached
 * @num: queue size
 * @event_idx: VIRTIO_F_EVENT_IDX is negotiated
 * @indirect: VIRTIO_F_INDIRECT_DESC is negotiated
 * @in_order: VIRTIO_F_IN_ORDER is negotiated
 * @notify_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY is, for a split ring
 * @limits: what the backend takes
 */
struct pvring_config {
	enum pvring_format format;
	enum pvmem_kind kind;
	unsigned int num;
	bool event_idx;
	bool indirect;
	bool in_order;
	bool notify_on_empty;
	struct pvring_limits limits;
};

/* Where a ring begins; a split one has no wrap counters. */
#define PVRING_FIRST_STATE						\
	((struct pvring_state) { .avail_wrap = true, .used_wrap = true })

int pvring_init(struct pvring *r, const struct pvring_config *cfg);
void pvring_destroy(struct pvring *r);
int pvring_set_state(struct pvring *r, const struct pvring_state *state);
void pvring_get_state(const struct pvring *r, struct pvring_state *state);

size_t pvring_desc_size(enum pvring_format format, unsigned int num);
size_t pvring_driver_size(enum pvring_format format, unsigned int num);
size_t pvring_device_size(enum pvring_format format, unsigned int num);

size_t pvinflight_size(enum pvring_format format, unsigned int num);
int pvring_keep_inflight(struct pvring *r, void *region, size_t size);
int pvring_recover(struct pvring *r);
unsigned int pvring_recover_spans(const struct pvring *r,
				  struct pvring_span *span);
bool pvring_region_used(const struct pvring *r);
int pvring_peek(struct pvring *r, u16 at, u16 *val);
int pvring_poke(struct pvring *r, u16 at, u16 val);

struct pvring_batch *pvring_batch_alloc(unsigned int chains,
					const struct pvring_limits *limits);
void pvring_batch_free(struct pvring_batch *b);

int pvring_pop(struct pvring *r, const struct pvmem_table *t,
	       struct pvring_batch *b, unsigned int max);
void pvring_unpop(struct pvring *r, const struct pvring_batch *b,
		  unsigned int from);
int pvring_publish(struct pvring *r);
int pvring_notify_needed(struct pvring *r);
int pvring_more(struct pvring *r);
int pvring_kicks_disable(struct pvring *r);
int pvring_kicks_enable(struct pvring *r);
unsigned int pvring_published(const struct pvring *r, struct pvring_span *span);
unsigned int pvring_kicks_written(const struct pvring *r, bool enable,
				  struct pvring_span *span);

void pvring_complete_extra(struct pvring *r, u16 head, u64 word);

/**
 * pvring_complete() - give a chain back
 * @r: the ring
 * @head: the chain's head, from pvring_pop()
 * @len: bytes written into the chain, from its first writable byte on
 *
 * The driver sees it after the next pvring_publish(); with VIRTIO_F_IN_ORDER
 * after one that comes when all popped before it are completed. Each popped
 * chain is completed exactly once.
 */
static inline void pvring_complete(struct pvring *r, u16 head, u32 len)
{
	u64 word;

	if (WARN_ON_ONCE(head >= r->num || !r->slot[head]))
		return;

	word = PVRING_WORD(r->slot[head], len);
	if (unlikely(r->extra)) {
		pvring_complete_extra(r, head, word);
		return;
	}
	r->slot[head] = 0;
	r->pending[r->npending++] = word;
	r->inflight--;
}

/**
 * pvring_owes() - has the driver yet to see chains that are completed
 * @r: the ring
 *
 * They wait for the next pvring_publish(), or in order for those before them.
 *
 * Return: true if so.
 */
static inline bool pvring_owes(const struct pvring *r)
{
	return r->npending || (r->early && r->order_n != r->inflight);
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
	if (WARN_ON_ONCE(head >= r->num || !r->slot[head]))
		return;

	r->taken -= PVRING_SLOT_NDESC(r->slot[head]);
	r->slot[head] = 0;
	r->inflight--;
}

#endif
