// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "ring_driver_kunit.h"

/* What most cases want. */
const struct pvring_config pvtest_config = {
	.format = PVRING_SPLIT,
	.kind = PVMEM_KERN,
	.num = 16,
	.indirect = true,
	.limits = {
		.max_desc = 8,
		.max_bytes = 0x4000,
	},
};

static void pvtest_free(struct pvtest_ring *d)
{
	unsigned int i;

	pvring_batch_free(d->batch);
	pvring_destroy(&d->ring);
	pvmem_table_put(d->table);
	for (i = 0; i < d->nmem; i++)
		kvfree(d->mem[i]);
	kvfree(d->used);
	kvfree(d->avail);
	kvfree(d->desc);
	kvfree(d);
}

/* Of a suite: undoes pvtest_alloc(). */
void pvtest_exit(struct kunit *test)
{
	if (test->priv)
		pvtest_free(test->priv);
	test->priv = NULL;
}

/* A ring without guest memory; one at a time in a case. */
struct pvtest_ring *pvtest_alloc(struct kunit *test,
				 const struct pvring_config *cfg,
				 unsigned int chains)
{
	struct pvtest_ring *d;

	pvtest_exit(test);
	d = kvzalloc(sizeof(*d), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, d);
	test->priv = d;
	d->test = test;

	d->desc = kvcalloc(cfg->num, 16, GFP_KERNEL);
	if (cfg->format == PVRING_PACKED) {
		d->driver_event = kvzalloc(4, GFP_KERNEL);
		d->device_event = kvzalloc(4, GFP_KERNEL);
		d->avail = (void *)d->driver_event;
		d->used = (void *)d->device_event;
	} else {
		d->avail = kvcalloc(cfg->num + 3, 2, GFP_KERNEL);
		d->used = kvzalloc(cfg->num * 8 + 6, GFP_KERNEL);
	}
	d->avail_wrap = true;
	d->used_wrap = true;
	d->table = pvmem_table_alloc(PVMEM_KERN, PVTEST_RAM_MAX);
	d->batch = pvring_batch_alloc(chains, &cfg->limits);
	KUNIT_ASSERT_TRUE(test, d->desc && d->avail && d->used);
	KUNIT_ASSERT_TRUE(test, d->table && d->batch);

	KUNIT_ASSERT_EQ(test, pvring_init(&d->ring, cfg), 0);
	d->ring.desc = (unsigned long)d->desc;
	d->ring.driver = (unsigned long)d->avail;
	d->ring.device = (unsigned long)d->used;
	return d;
}

/* Puts both sides at the same place of split rings, with nothing under way. */
void pvtest_restart(struct pvtest_ring *d, u16 idx)
{
	const struct pvring_state state = { .avail_idx = idx, .used_idx = idx };

	d->avail_idx = idx;
	d->used_idx = idx;
	WRITE_ONCE(d->used->idx, cpu_to_le16(idx));
	pvtest_show(d);
	KUNIT_ASSERT_EQ(d->test, pvring_set_state(&d->ring, &state), 0);
}

/* Room for anything, for as long as the ring. */
void *pvtest_room(struct pvtest_ring *d, size_t len)
{
	void *mem;

	KUNIT_ASSERT_LT(d->test, d->nmem, PVTEST_PIECES);
	mem = kvzalloc(len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(d->test, mem);
	d->mem[d->nmem++] = mem;
	return mem;
}

/*
 * Room for guest memory, that ends where its allocation ends. It begins later,
 * so that it never happens to follow other guest memory.
 */
u8 *pvtest_ram_alloc(struct pvtest_ring *d, u32 len)
{
	u8 *mem = pvtest_room(d, 64 + len);

	return mem + 64;
}

void pvtest_ram_add(struct pvtest_ring *d, u64 iova, u32 len, u32 perm,
		    u8 *mem)
{
	KUNIT_ASSERT_LT(d->test, d->nram, PVTEST_RAM_MAX);
	d->ram[d->nram++] = (struct pvtest_ram) {
		.iova = iova,
		.len = len,
		.perm = perm,
		.mem = mem,
	};
	KUNIT_ASSERT_EQ(d->test,
			pvmem_table_add(d->table, iova, iova + (len - 1),
					(uintptr_t)mem, perm), 0);
}

void pvtest_ram_seal(struct pvtest_ring *d)
{
	KUNIT_ASSERT_EQ(d->test, pvmem_table_seal(d->table), 0);
}

static void pvtest_map_page(struct pvtest_ring *d, u64 iova, u32 perm)
{
	pvtest_ram_add(d, iova, PVTEST_PAGE, perm,
		       pvtest_ram_alloc(d, PVTEST_PAGE));
}

static void pvtest_map(struct pvtest_ring *d)
{
	const u32 rw = PVMEM_READ | PVMEM_WRITE;
	unsigned int i;
	u8 *mem;

	pvtest_map_page(d, PVTEST_TOP, rw);
	pvtest_map_page(d, PVTEST_C, rw);
	pvtest_map_page(d, PVTEST_RO, PVMEM_READ);
	pvtest_map_page(d, PVTEST_WO, PVMEM_WRITE);
	pvtest_map_page(d, PVTEST_LOW, rw);

	mem = pvtest_ram_alloc(d, 2 * PVTEST_PAGE);
	pvtest_ram_add(d, PVTEST_A, PVTEST_PAGE, rw, mem);
	pvtest_ram_add(d, PVTEST_B, PVTEST_PAGE, rw, mem + PVTEST_PAGE);

	mem = pvtest_ram_alloc(d, PVTEST_TINY_NUM * PVTEST_TINY_LEN);
	for (i = 0; i < PVTEST_TINY_NUM; i++)
		pvtest_ram_add(d, PVTEST_TINY + i * PVTEST_TINY_LEN,
			       PVTEST_TINY_LEN, rw,
			       mem + (PVTEST_TINY_NUM - 1 - i) * PVTEST_TINY_LEN);
	pvtest_ram_seal(d);
}

/* A ring with the usual guest memory, and batches of four. */
struct pvtest_ring *pvtest_make(struct kunit *test,
				const struct pvring_config *cfg)
{
	struct pvtest_ring *d = pvtest_alloc(test, cfg, 4);

	pvtest_map(d);
	return d;
}

const struct pvtest_ram *pvtest_ram_find(const struct pvtest_ring *d, u64 iova)
{
	unsigned int i;

	for (i = 0; i < d->nram; i++)
		if (iova - d->ram[i].iova < d->ram[i].len)
			return &d->ram[i];
	return NULL;
}

/* The byte at an address, or NULL. */
u8 *pvtest_at(const struct pvtest_ring *d, u64 iova)
{
	const struct pvtest_ram *ram = pvtest_ram_find(d, iova);

	return ram ? ram->mem + (iova - ram->iova) : NULL;
}

void pvtest_desc_fill(struct pvtest_desc *desc, u64 addr, u32 len, u16 flags,
		      u16 next)
{
	*desc = (struct pvtest_desc) {
		.addr = cpu_to_le64(addr),
		.len = cpu_to_le32(len),
		.flags = cpu_to_le16(flags),
		.next = cpu_to_le16(next),
	};
}

void pvtest_desc(struct pvtest_ring *d, unsigned int i, u64 addr, u32 len,
		 u16 flags, u16 next)
{
	pvtest_desc_fill(&d->desc[i], addr, len, flags, next);
}

/* Writes an entry of the indirect table that begins at address @table. */
void pvtest_entry(struct pvtest_ring *d, u64 table, unsigned int i, u64 addr,
		  u32 len, u16 flags, u16 next)
{
	struct pvtest_desc desc;
	unsigned int k;
	u8 *byte;

	pvtest_desc_fill(&desc, addr, len, flags, next);
	for (k = 0; k < sizeof(desc); k++) {
		byte = pvtest_at(d, table + i * sizeof(desc) + k);
		KUNIT_ASSERT_NOT_NULL(d->test, byte);
		*byte = ((u8 *)&desc)[k];
	}
}

/* Makes a chain available; the device sees it after the next pvtest_show(). */
void pvtest_queue(struct pvtest_ring *d, u16 head)
{
	u16 slot = d->avail_idx++ % d->ring.num;

	WRITE_ONCE(d->avail->ring[slot], cpu_to_le16(head));
}

void pvtest_show(struct pvtest_ring *d)
{
	/* The entries before the index; pairs with the device's barrier. */
	smp_wmb();
	WRITE_ONCE(d->avail->idx, cpu_to_le16(d->avail_idx));
}

void pvtest_offer(struct pvtest_ring *d, u16 head)
{
	pvtest_queue(d, head);
	pvtest_show(d);
}

/* Takes the next used chain; false when there is none. */
bool pvtest_reap(struct pvtest_ring *d, u32 *id, u32 *len)
{
	u16 slot = d->used_idx % d->ring.num;

	if (le16_to_cpu(READ_ONCE(d->used->idx)) == d->used_idx)
		return false;

	/* The index before the entries; pairs with the device's barrier. */
	smp_rmb();

	*id = le32_to_cpu(d->used->ring[slot].id);
	*len = le32_to_cpu(d->used->ring[slot].len);
	d->used_idx++;
	return true;
}

void pvtest_set_used_event(struct pvtest_ring *d, u16 idx)
{
	WRITE_ONCE(d->avail->ring[d->ring.num], cpu_to_le16(idx));
}

u16 pvtest_avail_event(const struct pvtest_ring *d)
{
	const __le16 *event = (const __le16 *)&d->used->ring[d->ring.num];

	return le16_to_cpu(READ_ONCE(*event));
}

int pvtest_pop(struct pvtest_ring *d)
{
	return pvring_pop(&d->ring, d->table, d->batch, d->batch->max);
}

/* Room for pieces that the chains of the last pop took, up to their last one. */
unsigned int pvtest_pieces(const struct pvtest_ring *d)
{
	const struct pvring_chain *c = &d->batch->chain[d->batch->n - 1];

	return c->seg + c->nout + c->nin - d->batch->seg;
}

void pvtest_expect_seg(struct pvtest_ring *d, const struct pvmem_seg *seg,
		       u64 iova, u32 len)
{
	KUNIT_EXPECT_EQ(d->test, seg->iova, iova);
	KUNIT_EXPECT_EQ(d->test, seg->len, len);
	KUNIT_EXPECT_EQ(d->test, seg->addr, (u64)(uintptr_t)pvtest_at(d, iova));
}

/* What a failed pop leaves behind, where nothing was in flight before. */
void pvtest_expect_untouched(struct pvtest_ring *d, u16 last_avail)
{
	KUNIT_EXPECT_EQ(d->test, d->ring.last_avail, last_avail);
	KUNIT_EXPECT_EQ(d->test, d->ring.inflight, 0);
	KUNIT_EXPECT_EQ(d->test, d->batch->n, 0U);
	KUNIT_EXPECT_EQ(d->test, d->ring.taken, 0);
	KUNIT_EXPECT_NULL(d->test, memchr_inv(d->ring.slot, 0,
					      d->ring.num * sizeof(d->ring.slot[0])));
}

/*
 * Does an index that goes from @from to @to pass @event? Counted out, where
 * the engine calculates (virtio 1.4, 2.7.7.1).
 */
bool pvtest_event_passed(u16 event, u16 from, u16 to)
{
	for (; from != to; from++)
		if (from == event)
			return true;
	return false;
}

MODULE_DESCRIPTION("Tests of pvio's ring engine");
MODULE_LICENSE("GPL");
