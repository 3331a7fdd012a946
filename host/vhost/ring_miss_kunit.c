// SPDX-License-Identifier: GPL-2.0-only
/* Chains in memory that is mapped when it is asked for, and what a ring writes. */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "ring_driver_kunit.h"

#define PVMISS_PAGES	8
#define PVMISS_BASE	0x40000ULL

/* Guest memory of which nothing is mapped yet. */
static struct pvtest_ring *pvmiss_make(struct kunit *test, u8 **mem)
{
	struct pvtest_ring *d = pvtest_alloc(test, &pvtest_config, 8);

	pvmem_table_put(d->table);
	d->table = pvmem_iotlb_alloc(PVMEM_KERN);
	KUNIT_ASSERT_NOT_NULL(test, d->table);
	*mem = pvtest_ram_alloc(d, PVMISS_PAGES * PVTEST_PAGE);
	return d;
}

static void pvmiss_map(struct pvtest_ring *d, u8 *mem, u64 iova, u32 perm)
{
	u64 page = iova & ~(PVTEST_PAGE - 1ULL);
	struct pvmem_entry *e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	struct pvmem_entry *none = NULL;

	KUNIT_ASSERT_NOT_NULL(d->test, e);
	e->region = (struct pvmem_region) {
		.start = page,
		.last = page + PVTEST_PAGE - 1,
		.addr = (uintptr_t)mem + (page - PVMISS_BASE),
		.perm = perm,
	};
	pvmem_iotlb_cut(d->table, page, page + PVTEST_PAGE - 1, &none);
	pvmem_iotlb_add(d->table, e);
}

static void pvmiss_expect(struct pvtest_ring *d, u64 iova, u32 perm)
{
	KUNIT_ASSERT_EQ(d->test, pvtest_pop(d), -ENXIO);
	KUNIT_EXPECT_EQ(d->test, d->ring.miss.iova, iova);
	KUNIT_EXPECT_EQ(d->test, d->ring.miss.perm, perm);
	KUNIT_EXPECT_EQ(d->test, d->ring.inflight, 0);
}

/* Each page of a chain is asked for, in order, for what it is needed for. */
static void pvmiss_test_chain(struct kunit *test)
{
	const struct pvring_chain *c;
	struct pvtest_ring *d;
	u8 *mem;

	d = pvmiss_make(test, &mem);
	pvtest_desc(d, 3, PVMISS_BASE + 0x10, 16, PVTEST_NEXT, 5);
	pvtest_desc(d, 5, PVMISS_BASE + 0x1ff0, 0x1020,
		    PVTEST_NEXT | PVTEST_WRITE, 1);
	pvtest_desc(d, 1, PVMISS_BASE + 0x800, 1, PVTEST_WRITE, 0);
	pvtest_offer(d, 3);

	pvmiss_expect(d, PVMISS_BASE + 0x10, PVMEM_READ);
	pvmiss_expect(d, PVMISS_BASE + 0x10, PVMEM_READ);
	pvmiss_map(d, mem, PVMISS_BASE, PVMEM_READ);
	pvmiss_expect(d, PVMISS_BASE + 0x1ff0, PVMEM_WRITE);
	pvmiss_map(d, mem, PVMISS_BASE + 0x1000, PVMEM_WRITE);
	pvmiss_expect(d, PVMISS_BASE + 0x2000, PVMEM_WRITE);
	/* The right to read is not what it needs. */
	pvmiss_map(d, mem, PVMISS_BASE + 0x2000, PVMEM_READ);
	pvmiss_expect(d, PVMISS_BASE + 0x2000, PVMEM_WRITE);
	pvmiss_map(d, mem, PVMISS_BASE + 0x2000, PVMEM_WRITE);
	pvmiss_expect(d, PVMISS_BASE + 0x3000, PVMEM_WRITE);
	pvmiss_map(d, mem, PVMISS_BASE + 0x3000, PVMEM_WRITE);
	pvmiss_expect(d, PVMISS_BASE + 0x800, PVMEM_WRITE);
	pvmiss_map(d, mem, PVMISS_BASE, PVMEM_READ | PVMEM_WRITE);

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	c = &d->batch->chain[0];
	KUNIT_EXPECT_EQ(test, c->out_len, 16U);
	KUNIT_EXPECT_EQ(test, c->in_len, 0x1021U);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 1);
	pvring_forget(&d->ring, c->head);
}

/* An indirect table is asked for, and then what it names. */
static void pvmiss_test_table(struct kunit *test)
{
	struct pvtest_desc *table;
	struct pvtest_ring *d;
	u8 *mem;

	d = pvmiss_make(test, &mem);
	table = (struct pvtest_desc *)(mem + 0xff0);
	pvtest_desc_fill(&table[0], PVMISS_BASE + 0x4000, 8, PVTEST_NEXT, 1);
	pvtest_desc_fill(&table[1], PVMISS_BASE + 0x5000, 8, PVTEST_WRITE, 0);
	pvtest_desc(d, 0, PVMISS_BASE + 0xff0, 32, PVTEST_INDIRECT, 0);
	pvtest_offer(d, 0);

	pvmiss_expect(d, PVMISS_BASE + 0xff0, PVMEM_READ);
	pvmiss_map(d, mem, PVMISS_BASE, PVMEM_READ);
	pvmiss_expect(d, PVMISS_BASE + 0x1000, PVMEM_READ);
	pvmiss_map(d, mem, PVMISS_BASE + 0x1000, PVMEM_READ);
	pvmiss_expect(d, PVMISS_BASE + 0x4000, PVMEM_READ);
	pvmiss_map(d, mem, PVMISS_BASE + 0x4000, PVMEM_READ);
	pvmiss_expect(d, PVMISS_BASE + 0x5000, PVMEM_WRITE);
	pvmiss_map(d, mem, PVMISS_BASE + 0x5000, PVMEM_WRITE);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvring_forget(&d->ring, 0);
}

/* Chains before the one that lacks something are taken; it is asked for later. */
static void pvmiss_test_batch(struct kunit *test)
{
	struct pvtest_ring *d;
	u8 *mem;

	d = pvmiss_make(test, &mem);
	pvmiss_map(d, mem, PVMISS_BASE, PVMEM_READ);
	pvtest_desc(d, 0, PVMISS_BASE, 8, 0, 0);
	pvtest_desc(d, 1, PVMISS_BASE + 0x1000, 8, 0, 0);
	pvtest_offer(d, 0);
	pvtest_offer(d, 1);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvring_forget(&d->ring, 0);
	pvmiss_expect(d, PVMISS_BASE + 0x1000, PVMEM_READ);
	pvmiss_map(d, mem, PVMISS_BASE + 0x1000, PVMEM_READ);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvring_forget(&d->ring, 1);

	/* What wraps is a mistake, and not asked for. */
	pvtest_desc(d, 2, ~0ULL, 2, 0, 0);
	pvtest_offer(d, 2);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), -EINVAL);

	/* Nor is what was mapped and is taken away still there. */
	pvtest_restart(d, 0);
	pvtest_offer(d, 0);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvring_forget(&d->ring, 0);
	pvmiss_map(d, mem, PVMISS_BASE, PVMEM_WRITE);
	pvtest_offer(d, 0);
	pvmiss_expect(d, PVMISS_BASE, PVMEM_READ);
}

/* A batch that is wanted as a whole is taken as one, or not at all. */
static void pvmiss_test_whole(struct kunit *test)
{
	struct pvtest_ring *d;
	u16 i;
	u8 *mem;

	d = pvmiss_make(test, &mem);
	pvmiss_map(d, mem, PVMISS_BASE, PVMEM_WRITE);
	for (i = 0; i < 3; i++) {
		pvtest_desc(d, i, PVMISS_BASE + i / 2 * 0x1000, 8, PVTEST_WRITE, 0);
		pvtest_offer(d, i);
	}
	d->batch->whole = true;
	pvmiss_expect(d, PVMISS_BASE + 0x1000, PVMEM_WRITE);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 0);
	pvmiss_map(d, mem, PVMISS_BASE + 0x1000, PVMEM_WRITE);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	for (i = 0; i < 3; i++)
		pvring_forget(&d->ring, i);

	/* Behind two that are right comes one that is wrong, and none of them is in flight. */
	pvtest_restart(d, 0);
	pvtest_offer(d, 0);
	pvtest_offer(d, 1);
	pvtest_offer(d, 1);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), -EINVAL);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 0);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 0);
	d->batch->whole = false;
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	pvring_forget(&d->ring, 0);
	pvring_forget(&d->ring, 1);
}

/* Bytes of the used ring that are other than they were. */
static void pvspan_check(struct pvtest_ring *d, const u8 *was,
			 const struct pvring_span *span, unsigned int n)
{
	const u8 *is = (const u8 *)d->used;
	unsigned int i, k, len = 6 + 8 * pvtest_config.num;

	for (i = 0; i < len; i++) {
		bool told = false;

		for (k = 0; k < n; k++) {
			KUNIT_ASSERT_EQ(d->test, span[k].area,
					(unsigned int)PVRING_AREA_DEVICE);
			KUNIT_ASSERT_LE(d->test, span[k].offset + span[k].len,
					len);
			told |= i >= span[k].offset &&
				i - span[k].offset < span[k].len;
		}
		if (!told)
			KUNIT_ASSERT_EQ(d->test, is[i], was[i]);
	}
}

/* What publishing is said to write is all that it writes, around the ring's end too. */
static void pvspan_test_published(struct kunit *test)
{
	const unsigned int used_len = 6 + 8 * pvtest_config.num;
	struct pvring_span span[PVRING_SPANS];
	unsigned int start, count, i, n, entries;
	struct pvtest_ring *d;
	u8 was[6 + 8 * 16], *mem;

	for (start = 0; start < 32; start++) {
		for (count = 1; count <= 8; count++) {
			d = pvmiss_make(test, &mem);
			pvmiss_map(d, mem, PVMISS_BASE, PVMEM_READ);
			pvtest_restart(d, 65520 + start);
			for (i = 0; i < count; i++) {
				pvtest_desc(d, i, PVMISS_BASE, 8, 0, 0);
				pvtest_offer(d, i);
			}
			KUNIT_ASSERT_EQ(test, pvtest_pop(d), count);
			for (i = 0; i < count; i++)
				pvring_complete(&d->ring, i, 0x1234567 + i);
			memset(d->used->ring, 0xff, 8 * pvtest_config.num);
			memcpy(was, d->used, used_len);
			n = pvring_published(&d->ring, span);
			KUNIT_ASSERT_LE(test, n, PVRING_SPANS);
			for (i = 0, entries = 0; i < n; i++)
				entries += span[i].len;
			KUNIT_EXPECT_EQ(test, entries, 8 * count + 2);
			KUNIT_ASSERT_EQ(test, pvring_publish(&d->ring), 0);
			pvspan_check(d, was, span, n);
		}
	}
}

static void pvspan_test_kicks(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	unsigned int i, n;
	u8 was[6 + 8 * 16];

	for (i = 0; i < 16; i++) {
		struct pvring_span span[PVRING_SPANS];
		struct pvtest_ring *d;
		bool enable = i & 1;

		cfg.event_idx = i & 2;
		d = pvtest_alloc(test, &cfg, 8);
		pvtest_restart(d, 7);
		d->ring.kicks_off = i & 4;
		d->used->flags = cpu_to_le16(i & 4 ? PVTEST_NO_NOTIFY : 0);
		memcpy(was, d->used, sizeof(was));
		n = pvring_kicks_written(&d->ring, enable, span);
		KUNIT_ASSERT_LE(test, n, 1U);
		if (enable)
			pvring_kicks_enable(&d->ring);
		else
			pvring_kicks_disable(&d->ring);
		pvspan_check(d, was, span, n);
		/* It is not said of what isn't written. */
		if (n)
			KUNIT_EXPECT_NE(test, memcmp(was, d->used, sizeof(was)), 0);
	}
}

static struct kunit_case pvmiss_cases[] = {
	KUNIT_CASE(pvmiss_test_chain),
	KUNIT_CASE(pvmiss_test_table),
	KUNIT_CASE(pvmiss_test_batch),
	KUNIT_CASE(pvmiss_test_whole),
	KUNIT_CASE(pvspan_test_published),
	KUNIT_CASE(pvspan_test_kicks),
	{}
};

static struct kunit_suite pvmiss_suite = {
	.name = "pvio_vhost_ring_miss",
	.exit = pvtest_exit,
	.test_cases = pvmiss_cases,
};

kunit_test_suite(pvmiss_suite);
