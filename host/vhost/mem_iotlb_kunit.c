// SPDX-License-Identifier: GPL-2.0-only
/* The table that is changed by and by, compared with an array of its addresses. */
#include <kunit/test.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/slab.h>

#include "mem.h"

#define RW	(PVMEM_READ | PVMEM_WRITE)

/* Addresses that the model knows; the table has them from @base on. */
#define PVIOTLB_SPAN	512
#define PVIOTLB_ROUNDS	4000

/**
 * struct pviotlb_model - what the table should say
 * @t: the table
 * @base: first address
 * @rng: state of the random numbers
 * @addr: by address, what it leads to
 * @perm: by address, what may be done there; 0: nothing is mapped
 */
struct pviotlb_model {
	struct pvmem_table *t;
	u64 base;
	u64 rng;
	u64 addr[PVIOTLB_SPAN];
	u32 perm[PVIOTLB_SPAN];
};

static u32 pviotlb_random(struct pviotlb_model *m, u32 n)
{
	m->rng = m->rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(m->rng >> 33) % n;
}

static struct pvmem_entry *pviotlb_entry(struct kunit *test)
{
	struct pvmem_entry *e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);

	KUNIT_ASSERT_NOT_NULL(test, e);
	return e;
}

/* As the device level does it; returns whether something was taken away. */
static bool pviotlb_set(struct kunit *test, struct pvmem_table *t, u64 start,
			u64 last, u64 addr, u32 perm)
{
	struct pvmem_entry *rest = pviotlb_entry(test), *e = pviotlb_entry(test);
	bool cut = pvmem_iotlb_has_any(t, start, last);

	if (cut)
		pvmem_iotlb_cut(t, start, last, &rest);
	e->region = (struct pvmem_region) {
		.start = start,
		.last = last,
		.addr = addr,
		.perm = perm,
	};
	pvmem_iotlb_add(t, e);
	kfree(rest);
	return cut;
}

static void pviotlb_check(struct kunit *test, const struct pviotlb_model *m)
{
	unsigned int i;

	for (i = 0; i < PVIOTLB_SPAN; i++) {
		const struct pvmem_region *r =
			pvmem_table_find(m->t, m->base + i);

		if (!m->perm[i]) {
			KUNIT_EXPECT_NULL(test, r);
			continue;
		}
		KUNIT_ASSERT_NOT_NULL(test, r);
		KUNIT_ASSERT_EQ(test, r->perm, m->perm[i]);
		KUNIT_ASSERT_EQ(test, r->addr + (m->base + i - r->start),
				m->addr[i]);
	}
}

static void pviotlb_step(struct kunit *test, struct pviotlb_model *m)
{
	unsigned int first = pviotlb_random(m, PVIOTLB_SPAN);
	unsigned int n = 1 + pviotlb_random(m, min_t(u32, PVIOTLB_SPAN - first, 40));
	u64 start = m->base + first, last = start + n - 1, id = m->t->id;
	u64 addr = (u64)pviotlb_random(m, 1000) << 20;
	u32 perm = 1 + pviotlb_random(m, 3);
	bool map = pviotlb_random(m, 3), any = false;
	struct pvmem_entry *rest;
	unsigned int i;

	for (i = first; i < first + n; i++)
		any |= m->perm[i];
	KUNIT_ASSERT_EQ(test, pvmem_iotlb_has_any(m->t, start, last), any);
	if (map) {
		KUNIT_ASSERT_EQ(test, pviotlb_set(test, m->t, start, last, addr,
						  perm), any);
	} else {
		rest = pviotlb_entry(test);
		pvmem_iotlb_cut(m->t, start, last, &rest);
		kfree(rest);
	}
	if (any)
		KUNIT_EXPECT_NE(test, m->t->id, id);
	for (i = first; i < first + n; i++) {
		m->addr[i] = addr + (i - first);
		m->perm[i] = map ? perm : 0;
	}
}

static void pviotlb_test_model(struct kunit *test)
{
	static const u64 bases[] = { 0, 0x7f0000000000ULL, U64_MAX - PVIOTLB_SPAN + 1 };
	struct pviotlb_model *m;
	unsigned int b, i;

	for (b = 0; b < ARRAY_SIZE(bases); b++) {
		m = kzalloc(sizeof(*m), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, m);
		m->base = bases[b];
		m->rng = b + 1;
		m->t = pvmem_iotlb_alloc(PVMEM_KERN);
		KUNIT_ASSERT_NOT_NULL(test, m->t);
		for (i = 0; i < PVIOTLB_ROUNDS; i++) {
			pviotlb_step(test, m);
			if (i % 16 == 0)
				pviotlb_check(test, m);
		}
		pviotlb_check(test, m);
		pvmem_table_put(m->t);
		kfree(m);
	}
}

/* The first byte that lacks, over entries that touch each other. */
static void pviotlb_test_missing(struct kunit *test)
{
	struct pvmem_table *t = pvmem_iotlb_alloc(PVMEM_KERN);
	struct pvmem_seg seg[4];

	KUNIT_ASSERT_NOT_NULL(test, t);
	KUNIT_EXPECT_TRUE(test, t->misses);
	KUNIT_EXPECT_EQ(test, pvmem_translate(t, 5, 1, PVMEM_READ, seg, 4), -EFAULT);
	KUNIT_EXPECT_EQ(test, pvmem_first_missing(t, 5, PVMEM_READ), 5ULL);
	pviotlb_set(test, t, 0x1000, 0x1fff, 0x51000, RW);
	pviotlb_set(test, t, 0x2000, 0x2fff, 0x52000, PVMEM_READ);
	pviotlb_set(test, t, U64_MAX - 1, U64_MAX, 0x70000, PVMEM_READ);
	KUNIT_EXPECT_EQ(test, pvmem_translate(t, 0x1800, 0x1000, PVMEM_READ, seg, 4), 1);
	KUNIT_EXPECT_EQ(test, pvmem_first_missing(t, 0x1800, PVMEM_READ), 0x3000ULL);
	KUNIT_EXPECT_EQ(test, pvmem_first_missing(t, 0x1800, PVMEM_WRITE), 0x2000ULL);
	KUNIT_EXPECT_EQ(test, pvmem_first_missing(t, 0x2800, PVMEM_WRITE), 0x2800ULL);
	KUNIT_EXPECT_EQ(test, pvmem_first_missing(t, U64_MAX - 1, PVMEM_READ), 0ULL);
	pvmem_table_put(t);
}

/* What is there already needs no change; the same with other rights, or elsewhere, does. */
static void pviotlb_test_has(struct kunit *test)
{
	const struct pvmem_region in = { 0x1800, 0x1bff, 0x51800, PVMEM_READ };
	struct pvmem_table *t = pvmem_iotlb_alloc(PVMEM_KERN);
	struct pvmem_region r = in;

	KUNIT_ASSERT_NOT_NULL(test, t);
	pviotlb_set(test, t, 0x1000, 0x1fff, 0x51000, PVMEM_READ);
	KUNIT_EXPECT_TRUE(test, pvmem_iotlb_has(t, &r));
	r.perm = RW;
	KUNIT_EXPECT_FALSE(test, pvmem_iotlb_has(t, &r));
	pviotlb_set(test, t, 0x3000, 0x3fff, 0x53000, RW);
	r = (struct pvmem_region) { 0x3000, 0x3fff, 0x53000, PVMEM_READ };
	KUNIT_EXPECT_FALSE(test, pvmem_iotlb_has(t, &r));
	r = in;
	r.addr++;
	KUNIT_EXPECT_FALSE(test, pvmem_iotlb_has(t, &r));
	r = in;
	r.last = 0x2000;
	KUNIT_EXPECT_FALSE(test, pvmem_iotlb_has(t, &r));
	r.start = 0xfff;
	KUNIT_EXPECT_FALSE(test, pvmem_iotlb_has(t, &r));
	pvmem_table_put(t);
}

/* Without an entry for it, what lies behind a range goes too. */
static void pviotlb_test_no_spare(struct kunit *test)
{
	struct pvmem_table *t = pvmem_iotlb_alloc(PVMEM_KERN);
	struct pvmem_entry *none = NULL;

	KUNIT_ASSERT_NOT_NULL(test, t);
	pviotlb_set(test, t, 0x1000, 0x3fff, 0x51000, RW);
	pvmem_iotlb_cut(t, 0x2000, 0x2fff, &none);
	KUNIT_EXPECT_EQ(test, t->nregions, 1U);
	KUNIT_EXPECT_NOT_NULL(test, pvmem_table_find(t, 0x1fff));
	KUNIT_EXPECT_NULL(test, pvmem_table_find(t, 0x2000));
	KUNIT_EXPECT_NULL(test, pvmem_table_find(t, 0x3000));
	pvmem_table_put(t);
}

static struct kunit_case pviotlb_cases[] = {
	KUNIT_CASE(pviotlb_test_model),
	KUNIT_CASE(pviotlb_test_missing),
	KUNIT_CASE(pviotlb_test_has),
	KUNIT_CASE(pviotlb_test_no_spare),
	{}
};

static struct kunit_suite pviotlb_suite = {
	.name = "pvio_vhost_iotlb",
	.test_cases = pviotlb_cases,
};

kunit_test_suite(pviotlb_suite);
