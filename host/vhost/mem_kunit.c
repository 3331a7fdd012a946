// SPDX-License-Identifier: GPL-2.0-only
/* The table of guest memory. The addresses here are never followed. */
#include <kunit/test.h>
#include <linux/limits.h>

#include "mem.h"

#define RW	(PVMEM_READ | PVMEM_WRITE)

static struct pvmem_table *pvtest_table(struct kunit *test, unsigned int max)
{
	struct pvmem_table *t = pvmem_table_alloc(PVMEM_KERN, max);

	KUNIT_ASSERT_NOT_NULL(test, t);
	test->priv = t;
	return t;
}

static void pvtest_table_exit(struct kunit *test)
{
	pvmem_table_put(test->priv);
	test->priv = NULL;
}

static void pvtest_table_empty(struct kunit *test)
{
	struct pvmem_table *t = pvtest_table(test, 0);
	struct pvmem_seg seg;

	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0, 0, 0, RW), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), 0);
	KUNIT_EXPECT_NULL(test, pvmem_table_find(t, 0));
	KUNIT_EXPECT_NULL(test, pvmem_table_find(t, U64_MAX));
	KUNIT_EXPECT_EQ(test, pvmem_translate(t, 0, 1, PVMEM_READ, &seg, 1),
			-EFAULT);
}

struct pvtest_add {
	const char *name;
	u64 start;
	u64 last;
	u64 addr;
	u32 perm;
	int ret;
};

static const struct pvtest_add pvtest_adds[] = {
	{ "a page", 0x1000, 0x1fff, 0x5000, RW, 0 },
	{ "one byte", 0x1000, 0x1000, 0x5000, PVMEM_READ, 0 },
	{ "the last byte of all", U64_MAX, U64_MAX, U64_MAX, PVMEM_WRITE, 0 },
	{ "up to the last address", 1, U64_MAX, 1, RW, 0 },
	{ "to the last target", 0, 0xfff, U64_MAX - 0xfff, RW, 0 },
	{ "the identity", 0, PVMEM_IDENTITY_LAST, 0, RW, 0 },
	{ "empty", 0x1000, 0xfff, 0x5000, RW, -EINVAL },
	{ "empty at 0", 1, 0, 0, RW, -EINVAL },
	{ "wrapping", U64_MAX - 1, 1, 0, RW, -EINVAL },
	{ "all addresses, whose size is no number", 0, U64_MAX, 0, RW, -EINVAL },
	{ "target wrapping by one", 0, 0x1000, U64_MAX - 0xfff, RW, -EINVAL },
	{ "target wrapping by much", 0, U64_MAX - 1, U64_MAX, RW, -EINVAL },
	{ "no permission", 0x1000, 0x1fff, 0x5000, 0, -EINVAL },
	{ "unknown permission", 0x1000, 0x1fff, 0x5000, RW | 0x4, -EINVAL },
	{ "only unknown permission", 0x1000, 0x1fff, 0x5000, 0x80000000, -EINVAL },
};

static void pvtest_add_describe(const struct pvtest_add *a, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", a->name);
}

KUNIT_ARRAY_PARAM(pvtest_add, pvtest_adds, pvtest_add_describe);

static void pvtest_table_add(struct kunit *test)
{
	const struct pvtest_add *a = test->param_value;
	struct pvmem_table *t = pvtest_table(test, 2);
	const struct pvmem_region *r;

	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, a->start, a->last, a->addr,
					      a->perm), a->ret);
	KUNIT_EXPECT_EQ(test, t->nregions, a->ret ? 0U : 1U);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), 0);
	if (a->ret) {
		KUNIT_EXPECT_NULL(test, pvmem_table_find(t, a->start));
		return;
	}

	r = pvmem_table_find(t, a->last);
	KUNIT_ASSERT_NOT_NULL(test, r);
	KUNIT_EXPECT_PTR_EQ(test, pvmem_table_find(t, a->start), r);
	KUNIT_EXPECT_EQ(test, r->start, a->start);
	KUNIT_EXPECT_EQ(test, r->last, a->last);
	KUNIT_EXPECT_EQ(test, r->addr, a->addr);
	KUNIT_EXPECT_EQ(test, r->perm, a->perm);
	KUNIT_EXPECT_NULL(test, r->pages);
}

static void pvtest_table_full(struct kunit *test)
{
	struct pvmem_table *t = pvtest_table(test, 3);
	unsigned int i;

	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, pvmem_table_add(t, i, i, i, RW), 0);
	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 3, 3, 3, RW), -ENOSPC);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), 0);
	KUNIT_EXPECT_NULL(test, pvmem_table_find(t, 3));
}

static void pvtest_table_sealed(struct kunit *test)
{
	struct pvmem_table *t = pvtest_table(test, 3);

	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0, 0xf, 0, RW), 0);
	KUNIT_EXPECT_FALSE(test, t->sealed);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), 0);
	KUNIT_EXPECT_TRUE(test, t->sealed);
	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0x10, 0x1f, 0, RW), -EBUSY);
	KUNIT_EXPECT_EQ(test, t->nregions, 1U);
}

struct pvtest_pair {
	const char *name;
	u64 start;
	u64 last;
	int ret;
};

/* Against a region from 0x1000 to 0x1fff. */
static const struct pvtest_pair pvtest_pairs[] = {
	{ "the same", 0x1000, 0x1fff, -EEXIST },
	{ "its last byte", 0x1fff, 0x2fff, -EEXIST },
	{ "its first byte", 0x0, 0x1000, -EEXIST },
	{ "inside", 0x1800, 0x18ff, -EEXIST },
	{ "around", 0x0, U64_MAX - 1, -EEXIST },
	{ "the same start", 0x1000, 0x1000, -EEXIST },
	{ "the same end", 0x1fff, 0x1fff, -EEXIST },
	{ "right before", 0x0, 0xfff, 0 },
	{ "right behind", 0x2000, 0x2fff, 0 },
	{ "to the last address", 0x2000, U64_MAX, 0 },
};

static void pvtest_pair_describe(const struct pvtest_pair *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_pair, pvtest_pairs, pvtest_pair_describe);

static void pvtest_table_overlap(struct kunit *test)
{
	const struct pvtest_pair *p = test->param_value;
	struct pvmem_table *t = pvtest_table(test, 2);

	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0x1000, 0x1fff, 0, RW), 0);
	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, p->start, p->last, 0, RW), 0);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), p->ret);
	KUNIT_EXPECT_EQ(test, t->sealed, !p->ret);
	pvtest_table_exit(test);

	t = pvtest_table(test, 2);
	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, p->start, p->last, 0, RW), 0);
	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0x1000, 0x1fff, 0, RW), 0);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), p->ret);
}

/* Regions with a hole of a byte between any two, in no good order. */
static void pvtest_table_sorted(struct kunit *test)
{
	struct pvmem_table *t = pvtest_table(test, 101);
	const struct pvmem_region *r;
	unsigned int i, k;
	u64 start;

	for (i = 0, k = 0; i < 101; i++, k = (k + 37) % 101)
		KUNIT_EXPECT_EQ(test,
				pvmem_table_add(t, 0x100 * k + 1, 0x100 * k + 0xff,
						k, RW), 0);
	KUNIT_ASSERT_EQ(test, pvmem_table_seal(t), 0);

	for (k = 0; k < 101; k++) {
		start = 0x100 * k + 1;
		r = pvmem_table_find(t, start);
		KUNIT_ASSERT_NOT_NULL(test, r);
		KUNIT_EXPECT_EQ(test, r->start, start);
		KUNIT_EXPECT_EQ(test, r->addr, (u64)k);
		KUNIT_EXPECT_PTR_EQ(test, pvmem_table_find(t, start + 0x80), r);
		KUNIT_EXPECT_PTR_EQ(test, pvmem_table_find(t, start + 0xfe), r);
		KUNIT_EXPECT_NULL(test, pvmem_table_find(t, start - 1));
		KUNIT_EXPECT_NULL(test, pvmem_table_find(t, start + 0xff));
	}
}

static void pvtest_table_references(struct kunit *test)
{
	struct pvmem_table *t = pvtest_table(test, 1);
	struct pvmem_table *other;

	KUNIT_EXPECT_PTR_EQ(test, pvmem_table_get(t), t);
	pvmem_table_put(t);
	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0, 0, 0, RW), 0);

	other = pvmem_table_alloc(PVMEM_USER, 1);
	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_EQ(test, other->kind, PVMEM_USER);
	KUNIT_EXPECT_EQ(test, t->kind, PVMEM_KERN);
	pvmem_table_put(other);
	pvmem_table_put(NULL);
}

struct pvtest_translate {
	const char *name;
	u64 iova;
	u32 len;
	u32 perm;
	unsigned int max;
	int ret;
	struct pvmem_seg seg[3];
};

/*
 * iova            leads to
 * 0x1000-0x1fff   0x10000  rw
 * 0x2000-0x2fff   0x11000  rw
 * 0x3000-0x3fff   0x50000  rw
 * 0x4000-0x4fff   0x51000  r
 * 0x8000-0x8fff   U64_MAX - 0xfff to U64_MAX  rw
 * 0x9000-0x9fff   0x0  rw
 * U64_MAX - 0xfff to U64_MAX   0x70000  rw
 */
static const struct pvtest_translate pvtest_translates[] = {
	{ "one byte", 0x1000, 1, RW, 3, 1,
	  { { 0x10000, 0x1000, 1 } } },
	{ "the last byte", 0x1fff, 1, RW, 3, 1,
	  { { 0x10fff, 0x1fff, 1 } } },
	{ "a whole region", 0x1000, 0x1000, RW, 3, 1,
	  { { 0x10000, 0x1000, 0x1000 } } },
	{ "neighbours in both spaces", 0x1ff0, 0x20, RW, 1, 1,
	  { { 0x11000 - 0x10, 0x1ff0, 0x20 } } },
	{ "neighbours in one space", 0x2ff0, 0x20, RW, 3, 2,
	  { { 0x11ff0, 0x2ff0, 0x10 }, { 0x50000, 0x3000, 0x10 } } },
	{ "three regions", 0x1800, 0x1801, RW, 3, 2,
	  { { 0x10800, 0x1800, 0x1800 }, { 0x50000, 0x3000, 1 } } },
	{ "neighbours, readable as a whole", 0x3fff, 2, PVMEM_READ, 3, 1,
	  { { 0x50fff, 0x3fff, 2 } } },
	{ "neighbours, writable in part", 0x3fff, 2, PVMEM_WRITE, 3, -EFAULT },
	{ "not writable", 0x4000, 1, PVMEM_WRITE, 3, -EFAULT },
	{ "not both", 0x4000, 1, RW, 3, -EFAULT },
	{ "too little room", 0x2ff0, 0x20, RW, 1, -ENOSPC },
	{ "no room", 0x1000, 1, RW, 0, -ENOSPC },
	{ "before the first", 0xfff, 1, RW, 3, -EFAULT },
	{ "from before the first", 0xfff, 2, RW, 3, -EFAULT },
	{ "into a hole", 0x4fff, 2, PVMEM_READ, 3, -EFAULT },
	{ "a hole", 0x5000, 1, PVMEM_READ, 3, -EFAULT },
	{ "over a hole", 0x4000, 0x5000, PVMEM_READ, 3, -EFAULT },
	{ "the longest", 0x1000, U32_MAX, PVMEM_READ, 3, -EFAULT },
	{ "the last address", U64_MAX, 1, RW, 3, 1,
	  { { 0x70fff, U64_MAX, 1 } } },
	{ "to the last address", U64_MAX - 0xfff, 0x1000, RW, 3, 1,
	  { { 0x70000, U64_MAX - 0xfff, 0x1000 } } },
	{ "wrapping by one", U64_MAX, 2, RW, 3, -EFAULT },
	{ "wrapping by much", U64_MAX, U32_MAX, RW, 3, -EFAULT },
	{ "no piece wraps in the target", 0x8ff0, 0x20, RW, 3, 2,
	  { { U64_MAX - 0xf, 0x8ff0, 0x10 }, { 0, 0x9000, 0x10 } } },
};

static void pvtest_translate_describe(const struct pvtest_translate *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_translate, pvtest_translates, pvtest_translate_describe);

static void pvtest_translate_map(struct kunit *test, struct pvmem_table *t)
{
	const u64 top = U64_MAX - 0xfff;
	int err = 0;

	err |= pvmem_table_add(t, 0x4000, 0x4fff, 0x51000, PVMEM_READ);
	err |= pvmem_table_add(t, 0x1000, 0x1fff, 0x10000, RW);
	err |= pvmem_table_add(t, 0x2000, 0x2fff, 0x11000, RW);
	err |= pvmem_table_add(t, top, U64_MAX, 0x70000, RW);
	err |= pvmem_table_add(t, 0x3000, 0x3fff, 0x50000, RW);
	err |= pvmem_table_add(t, 0x9000, 0x9fff, 0, RW);
	err |= pvmem_table_add(t, 0x8000, 0x8fff, top, RW);
	err |= pvmem_table_seal(t);
	KUNIT_ASSERT_EQ(test, err, 0);
}

static void pvtest_table_translate(struct kunit *test)
{
	const struct pvtest_translate *p = test->param_value;
	const struct pvmem_seg canary = { 1, 2, 3 };
	struct pvmem_table *t = pvtest_table(test, 8);
	struct pvmem_seg seg[4] = { canary, canary, canary, canary };
	int i, n;

	pvtest_translate_map(test, t);
	n = pvmem_translate(t, p->iova, p->len, p->perm, seg, p->max);
	KUNIT_ASSERT_EQ(test, n, p->ret);
	for (i = 0; i < n; i++) {
		KUNIT_EXPECT_EQ(test, seg[i].addr, p->seg[i].addr);
		KUNIT_EXPECT_EQ(test, seg[i].iova, p->seg[i].iova);
		KUNIT_EXPECT_EQ(test, seg[i].len, p->seg[i].len);
	}
	KUNIT_EXPECT_EQ(test, seg[p->max].len, canary.len);
}

/* An identity region, as a loop device has it: every address is its own. */
static void pvtest_table_identity(struct kunit *test)
{
	struct pvmem_table *t = pvtest_table(test, 1);
	struct pvmem_seg seg;

	KUNIT_EXPECT_EQ(test, pvmem_table_add(t, 0, PVMEM_IDENTITY_LAST, 0, RW), 0);
	KUNIT_EXPECT_EQ(test, pvmem_table_seal(t), 0);

	KUNIT_EXPECT_EQ(test, pvmem_translate(t, 0x123456789, U32_MAX, RW, &seg, 1), 1);
	KUNIT_EXPECT_EQ(test, seg.addr, 0x123456789ULL);
	KUNIT_EXPECT_EQ(test, seg.iova, seg.addr);
	KUNIT_EXPECT_EQ(test, seg.len, U32_MAX);

	KUNIT_EXPECT_EQ(test, pvmem_translate(t, PVMEM_IDENTITY_LAST, 1, RW, &seg, 1), 1);
	KUNIT_EXPECT_EQ(test, pvmem_translate(t, PVMEM_IDENTITY_LAST, 2, RW, &seg, 1),
			-EFAULT);
}

static struct kunit_case pvtest_mem_cases[] = {
	KUNIT_CASE(pvtest_table_empty),
	KUNIT_CASE_PARAM(pvtest_table_add, pvtest_add_gen_params),
	KUNIT_CASE(pvtest_table_full),
	KUNIT_CASE(pvtest_table_sealed),
	KUNIT_CASE_PARAM(pvtest_table_overlap, pvtest_pair_gen_params),
	KUNIT_CASE(pvtest_table_sorted),
	KUNIT_CASE(pvtest_table_references),
	KUNIT_CASE_PARAM(pvtest_table_translate, pvtest_translate_gen_params),
	KUNIT_CASE(pvtest_table_identity),
	{}
};

static struct kunit_suite pvtest_mem_suite = {
	.name = "pvio_vhost_mem",
	.exit = pvtest_table_exit,
	.test_cases = pvtest_mem_cases,
};

kunit_test_suite(pvtest_mem_suite);
