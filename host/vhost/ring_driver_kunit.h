/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_DRIVER_KUNIT_H
#define _PVIO_VHOST_RING_DRIVER_KUNIT_H

/*
 * The driver's side of a ring, and guest memory, for tests. It is made
 * from the specification and shares no code with the engine. Every area is an
 * allocation of its exact size, so that a sanitizer sees a step beyond it.
 */

#include <kunit/test.h>
#include <linux/types.h>

#include "ring.h"

#define PVTEST_NEXT		0x1
#define PVTEST_WRITE		0x2
#define PVTEST_INDIRECT		0x4
#define PVTEST_AVAIL		0x0080
#define PVTEST_USED		0x8000
#define PVTEST_EVENT_ENABLE	0
#define PVTEST_EVENT_DISABLE	1
#define PVTEST_EVENT_DESC	2
#define PVTEST_NO_INTERRUPT	0x1
#define PVTEST_NO_NOTIFY	0x1

/* What pvtest_map() maps: pages, where nothing else is said. */
#define PVTEST_PAGE	0x1000
#define PVTEST_LOW	0x0ULL		/* the first page of all */
#define PVTEST_A	0x10000ULL
#define PVTEST_B	0x11000ULL	/* behind A in both address spaces */
#define PVTEST_C	0x12000ULL	/* behind B, but not where it leads to */
#define PVTEST_RO	0x13000ULL	/* behind C; the device can't write */
#define PVTEST_HOLE	0x14000ULL
#define PVTEST_WO	0x20000ULL	/* the device can't read */
#define PVTEST_TINY	0x30000ULL	/* regions of 16 bytes, backwards */
#define PVTEST_TOP	(~0ULL - 0xfff)	/* up to the last address */

#define PVTEST_TINY_LEN	16
#define PVTEST_TINY_NUM	64

#define PVTEST_RAM_MAX	512
#define PVTEST_PIECES	16

struct pvtest_desc {
	__le64 addr;
	__le32 len;
	__le16 flags;
	__le16 next;
};

struct pvtest_avail {
	__le16 flags;
	__le16 idx;
	__le16 ring[];
};

struct pvtest_used {
	__le16 flags;
	__le16 idx;
	struct {
		__le32 id;
		__le32 len;
	} ring[];
};

/**
 * struct pvtest_ram - a region of guest memory as the driver knows it
 * @iova: its first address
 * @len: bytes
 * @perm: what the device may do
 * @mem: where it is
 */
struct pvtest_ram {
	u64 iova;
	u32 len;
	u32 perm;
	u8 *mem;
};

/**
 * struct pvtest_ring - a ring with a driver
 * @test: the case it belongs to
 * @ring: the device's side
 * @batch: for @ring
 * @table: what the device knows of guest memory
 * @desc: descriptors
 * @avail: the driver area; the event index is behind its last entry
 * @used: the device area; likewise
 * @driver_event: packed: the driver area, instead of @avail
 * @device_event: packed: the device area, instead of @used
 * @avail_idx: next entry of the available ring, packed: descriptor; what the
 *	device sees may lag
 * @used_idx: next entry of the used ring, packed: descriptor, to look at
 * @avail_wrap: packed: the driver's wrap counter
 * @used_wrap: packed: the device's wrap counter, as the driver follows it
 * @hidden: packed: the descriptor that is shown last; NULL: there is none
 * @hidden_flags: its flags
 * @mem: allocations that go with it, guest memory first of all
 * @nmem: how many
 * @ram: guest memory
 * @nram: regions in it
 */
struct pvtest_ring {
	struct kunit *test;
	struct pvring ring;
	struct pvring_batch *batch;
	struct pvmem_table *table;
	struct pvtest_desc *desc;
	struct pvtest_avail *avail;
	struct pvtest_used *used;
	__le16 *driver_event;
	__le16 *device_event;
	u16 avail_idx;
	u16 used_idx;
	bool avail_wrap;
	bool used_wrap;
	struct pvtest_desc *hidden;
	u16 hidden_flags;
	void *mem[PVTEST_PIECES];
	unsigned int nmem;
	struct pvtest_ram ram[PVTEST_RAM_MAX];
	unsigned int nram;
};

extern const struct pvring_config pvtest_config;

struct pvtest_ring *pvtest_alloc(struct kunit *test,
				 const struct pvring_config *cfg,
				 unsigned int chains);
struct pvtest_ring *pvtest_make(struct kunit *test,
				const struct pvring_config *cfg);
void pvtest_exit(struct kunit *test);
void pvtest_restart(struct pvtest_ring *d, u16 idx);

void *pvtest_room(struct pvtest_ring *d, size_t len);
u8 *pvtest_ram_alloc(struct pvtest_ring *d, u32 len);
void pvtest_ram_add(struct pvtest_ring *d, u64 iova, u32 len, u32 perm,
		    u8 *mem);
void pvtest_ram_seal(struct pvtest_ring *d);
const struct pvtest_ram *pvtest_ram_find(const struct pvtest_ring *d, u64 iova);
u8 *pvtest_at(const struct pvtest_ring *d, u64 iova);

void pvtest_desc_fill(struct pvtest_desc *desc, u64 addr, u32 len, u16 flags,
		      u16 next);
void pvtest_desc(struct pvtest_ring *d, unsigned int i, u64 addr, u32 len,
		 u16 flags, u16 next);
void pvtest_entry(struct pvtest_ring *d, u64 table, unsigned int i, u64 addr,
		  u32 len, u16 flags, u16 next);
void pvtest_queue(struct pvtest_ring *d, u16 head);
void pvtest_show(struct pvtest_ring *d);
void pvtest_offer(struct pvtest_ring *d, u16 head);
bool pvtest_reap(struct pvtest_ring *d, u32 *id, u32 *len);
void pvtest_set_used_event(struct pvtest_ring *d, u16 idx);
u16 pvtest_avail_event(const struct pvtest_ring *d);

void pvtest_packed_restart(struct pvtest_ring *d, u16 idx, bool wrap);
void pvtest_packed_put(struct pvtest_ring *d, u64 addr, u32 len, u16 flags,
		       u16 id);
void pvtest_packed_show(struct pvtest_ring *d);
bool pvtest_packed_reap(struct pvtest_ring *d, u16 *id, u32 *len);
void pvtest_packed_skip(struct pvtest_ring *d, unsigned int ndesc);

int pvtest_pop(struct pvtest_ring *d);
unsigned int pvtest_pieces(const struct pvtest_ring *d);
void pvtest_expect_seg(struct pvtest_ring *d, const struct pvmem_seg *seg,
		       u64 iova, u32 len);
void pvtest_expect_untouched(struct pvtest_ring *d, u16 last_avail);
bool pvtest_event_passed(u16 event, u16 from, u16 to);

#endif
