// SPDX-License-Identifier: GPL-2.0-only
/* What a hostile driver puts into a split ring. */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "ring_driver_kunit.h"

#define N	PVTEST_NEXT
#define W	PVTEST_WRITE
#define I	PVTEST_INDIRECT

#define A	PVTEST_A
#define C	PVTEST_C
#define TOP	(PVTEST_TOP + 0xff0)	/* the last 16 bytes of all */
#define T	PVTEST_B		/* the indirect table */

struct pvtest_raw {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/**
 * struct pvtest_bad - a chain that breaks the ring
 * @name: what is wrong with it
 * @error: has to be in the ring's error
 * @desc: descriptors from the first one on; a chain begins there
 * @table: entries of an indirect table at T
 * @head: the head, where it is another one
 * @direct: without VIRTIO_F_INDIRECT_DESC
 */
struct pvtest_bad {
	const char *name;
	const char *error;
	struct pvtest_raw desc[4];
	struct pvtest_raw table[4];
	u16 head;
	bool direct;
};

static const struct pvtest_bad pvtest_bads[] = {
	{ "head just out of range", "head is out of range", { { A, 1 } }, .head = 16 },
	{ "largest head", "head is out of range", { { A, 1 } }, .head = 65535 },

	{ "next just out of range", "loops or is too long", { { A, 1, N, 16 } } },
	{ "largest next", "loops or is too long", { { A, 1, N, 65535 } } },
	{ "next out of range, near a good one", "loops or is too long",
	  { { A, 1 }, { A, 1, N, 16 } }, .head = 1 },
	{ "second next out of range", "loops or is too long",
	  { { A, 1, N, 1 }, { A, 1, N, 16 } } },
	{ "loop of one", "loops or is too long", { { A, 1, N, 0 } } },
	{ "loop of two", "loops or is too long", { { A, 1, N, 1 }, { A, 1, N, 0 } } },
	{ "loop behind a start", "loops or is too long",
	  { { A, 1, N, 1 }, { A, 1, N, 2 }, { A, 1, N, 1 } } },

	{ "length 0", "length 0", { { A, 0 } } },
	{ "length 0 to write", "length 0", { { A, 0, W } } },
	{ "length 0 at the end", "length 0", { { A, 1, N, 1 }, { A, 0, W } } },
	{ "length 0 in a hole", "length 0", { { PVTEST_HOLE, 0 } } },

	{ "readable behind writable", "readable descriptor behind",
	  { { A, 1, N | W, 1 }, { A, 1 } } },
	{ "readable between writable", "readable descriptor behind",
	  { { A, 1, N | W, 1 }, { A, 1, N, 2 }, { A, 1, W } } },
	{ "readable behind writable, from direct to indirect", "readable descriptor behind",
	  { { A, 1, N | W, 1 }, { T, 16, I } }, { { A, 1 } } },
	{ "readable behind writable, in a table", "readable descriptor behind",
	  { { T, 32, I } }, { { A, 1, N | W, 1 }, { A, 1 } } },

	{ "outside of memory", "outside", { { PVTEST_HOLE, 1 } } },
	{ "far outside of memory", "outside", { { 1ULL << 63, 1 } } },
	{ "into a hole", "outside", { { PVTEST_RO + 0xfff, 2 } } },
	{ "from a hole", "outside", { { PVTEST_A - 1, 2 } } },
	{ "over a hole", "outside", { { PVTEST_LOW + 0xff0, 0x3fff, W } } },
	{ "second one outside of memory", "outside",
	  { { A, 1, N, 1 }, { PVTEST_HOLE, 1 } } },
	{ "not readable", "outside", { { PVTEST_WO, 1 } } },
	{ "not writable", "outside", { { PVTEST_RO, 1, W } } },
	{ "not writable at its end", "outside", { { PVTEST_RO - 1, 2, W } } },
	{ "wrapping by one", "outside", { { U64_MAX, 2 } } },
	{ "wrapping", "outside", { { TOP, 0x20, W } } },
	{ "wrapping to a mapped page", "outside", { { TOP, 0x1010 } } },

	{ "a byte too many", "bytes", { { A, 0x4001 } } },
	{ "a byte too many to write", "bytes", { { A, 0x4001, W } } },
	{ "a byte too many in two", "bytes", { { A, 0x2000, N, 1 }, { A, 0x2001 } } },
	{ "a byte too many in both directions", "bytes",
	  { { A, 0x2000, N, 1 }, { A, 0x2001, W } } },
	{ "a byte too many in a table", "bytes",
	  { { A, 1, N, 1 }, { T, 32, I } }, { { A, 0x2000, N, 1 }, { A, 0x2000 } } },
	{ "the largest length", "bytes", { { A, U32_MAX } } },
	{ "a sum that wraps", "bytes", { { A, 0x1000, N, 1 }, { A, U32_MAX - 0xfff } } },

	{ "indirect with next", "with a next", { { T, 16, N | I, 1 }, { A, 1 } },
	  { { A, 1 } } },
	{ "indirect in the middle", "with a next",
	  { { A, 1, N, 1 }, { T, 16, N | I, 2 }, { A, 1 } }, { { A, 1 } } },
	{ "indirect with a next that is none", "loops or is too long",
	  { { T, 16, N | I, 16 } }, { { A, 1 } } },
	{ "indirect without the feature", "without the feature", { { T, 16, I } },
	  { { A, 1 } }, .direct = true },
	{ "late indirect without the feature", "without the feature",
	  { { A, 1, N, 1 }, { T, 16, I } }, { { A, 1 } }, .direct = true },
	{ "nested indirect", "in an indirect table", { { T, 16, I } }, { { T, 16, I } } },
	{ "late nested indirect", "in an indirect table", { { T, 32, I } },
	  { { A, 1, N, 1 }, { T, 16, I } } },

	{ "table of length 0", "bad length", { { T, 0, I } }, { { A, 1 } } },
	{ "table a byte short", "bad length", { { T, 15, I } }, { { A, 1 } } },
	{ "table a byte long", "bad length", { { T, 17, I } }, { { A, 1 } } },
	{ "table of the largest length", "bad length", { { T, U32_MAX, I } }, { { A, 1 } } },
	{ "table outside of memory", "outside", { { PVTEST_HOLE, 16, I } } },
	{ "table into a hole", "outside", { { PVTEST_HOLE - 16, 32, I } } },
	{ "table not readable", "outside", { { PVTEST_WO, 16, I } } },
	{ "table that wraps", "outside", { { U64_MAX - 15, 32, I } } },
	{ "table in too many pieces", "table in too many", { { PVTEST_TINY, 48, I } } },

	{ "next just out of the table", "loops or is too long", { { T, 32, I } },
	  { { A, 1, N, 2 }, { A, 1 }, { A, 1 } } },
	{ "largest next in a table", "loops or is too long", { { T, 32, I } },
	  { { A, 1, N, 65535 } } },
	{ "table that loops in one", "loops or is too long", { { T, 16, I } },
	  { { A, 1, N, 0 } } },
	{ "table that loops in two", "loops or is too long", { { T, 32, I } },
	  { { A, 1, N, 1 }, { A, 1, N, 0 } } },
	{ "length 0 in a table", "length 0", { { T, 16, I } }, { { A, 0 } } },
	{ "late length 0 in a table", "length 0", { { T, 32, I } },
	  { { A, 1, N, 1 }, { A, 0, W } } },
	{ "outside of memory in a table", "outside", { { T, 16, I } },
	  { { PVTEST_HOLE, 1 } } },
	{ "not writable in a table", "outside", { { T, 16, I } },
	  { { PVTEST_RO, 1, W } } },

	{ "more pieces than there is room for", "too many pieces",
	  { { PVTEST_TINY, 16 * 33 } } },
	{ "more pieces in three than there is room for", "too many pieces",
	  { { PVTEST_TINY, 16 * 16, N, 1 }, { PVTEST_TINY, 16 * 16, N, 2 },
	    { A, 1 } } },
};

static void pvtest_bad_describe(const struct pvtest_bad *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_bad, pvtest_bads, pvtest_bad_describe);

static void pvtest_expect_broken(struct pvtest_ring *d, const char *error)
{
	d->ring.error = NULL;
	KUNIT_EXPECT_EQ(d->test, pvtest_pop(d), -EINVAL);
	KUNIT_ASSERT_NOT_NULL(d->test, d->ring.error);
	if (!strstr(d->ring.error, error))
		KUNIT_FAIL(d->test, "error is \"%s\", not \"%s\"", d->ring.error,
			   error);
}

static struct pvtest_ring *pvtest_bad_make(struct kunit *test,
					   const struct pvtest_bad *p)
{
	struct pvring_config cfg = pvtest_config;
	const struct pvtest_raw *raw;
	struct pvtest_ring *d;
	unsigned int i;

	cfg.indirect = !p->direct;
	d = pvtest_make(test, &cfg);
	for (i = 0; i < ARRAY_SIZE(p->desc); i++) {
		raw = &p->desc[i];
		pvtest_desc(d, i, raw->addr, raw->len, raw->flags, raw->next);
		raw = &p->table[i];
		pvtest_entry(d, T, i, raw->addr, raw->len, raw->flags, raw->next);
	}
	pvtest_desc(d, 8, A, 16, W, 0);
	return d;
}

/* Nothing is taken, as often as one tries, whatever comes behind. */
static void pvtest_bad_first(struct kunit *test)
{
	const struct pvtest_bad *p = test->param_value;
	struct pvtest_ring *d = pvtest_bad_make(test, p);

	pvtest_queue(d, p->head);
	pvtest_offer(d, 8);
	pvtest_expect_broken(d, p->error);
	pvtest_expect_untouched(d, 0);
	pvtest_expect_broken(d, p->error);
	pvtest_expect_untouched(d, 0);
}

/* What comes before is taken, and can be completed all the same. */
static void pvtest_bad_later(struct kunit *test)
{
	const struct pvtest_bad *p = test->param_value;
	struct pvtest_ring *d = pvtest_bad_make(test, p);
	u32 id, len;

	pvtest_queue(d, 8);
	pvtest_offer(d, p->head);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 8);
	pvtest_expect_seg(d, d->batch->chain[0].seg, A, 16);

	pvtest_expect_broken(d, p->error);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 1);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 1);
	pvring_complete(&d->ring, 8, 16);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_TRUE(test, pvtest_reap(d, &id, &len) && id == 8 && len == 16);
	KUNIT_EXPECT_FALSE(test, pvtest_reap(d, &id, &len));
}

/* The available index may be ahead by the queue size and no more. */
static void pvtest_bad_avail_index(struct kunit *test)
{
	static const u16 starts[] = { 0, 1, 65530, 65535 };
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	unsigned int i;
	u32 jump;

	pvtest_desc(d, 0, A, 1, 0, 0);
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		for (jump = 0; jump <= U16_MAX; jump++) {
			pvtest_restart(d, starts[i]);
			d->avail_idx += jump;
			pvtest_show(d);
			if (jump <= 16) {
				KUNIT_ASSERT_EQ(test, pvtest_pop(d), !!jump);
				if (jump)
					pvring_forget(&d->ring, 0);
				continue;
			}
			KUNIT_ASSERT_EQ(test, pvtest_pop(d), -EINVAL);
			KUNIT_ASSERT_EQ(test, d->ring.last_avail, starts[i]);
		}
		pvtest_expect_broken(d, "available index");
	}
}

static void pvtest_bad_head_twice(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	u32 id, len;

	pvtest_desc(d, 3, A, 1, W, 0);
	pvtest_queue(d, 3);
	pvtest_offer(d, 3);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvtest_expect_broken(d, "in flight");
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 1);

	/* Completed and published it is the driver's again. */
	pvring_complete(&d->ring, 3, 1);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_TRUE(test, pvtest_reap(d, &id, &len));
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);

	pvtest_offer(d, 3);
	pvtest_expect_broken(d, "in flight");
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 1);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 2);
}

/*
 * A driver that makes heads available again that it has not got back yet: what
 * is in flight and what is pending never exceed the queue together.
 */
static void pvtest_bad_head_early(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	u16 i;

	cfg.num = 4;
	d = pvtest_make(test, &cfg);
	for (i = 0; i < 8; i++) {
		pvtest_desc(d, i % 4, A, 1, W, 0);
		pvtest_queue(d, i % 4);
		if (i == 3) {
			pvtest_show(d);
			KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4);
		}
	}
	for (i = 0; i < 3; i++)
		pvring_complete(&d->ring, i, 0);
	d->avail_idx = 5;
	pvtest_show(d);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);

	/* What has been published makes room, for so many and no more. */
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	d->avail_idx = 8;
	pvtest_show(d);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 3);
	pvtest_expect_broken(d, "room");
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 4);

	for (i = 0; i < 4; i++)
		pvring_complete(&d->ring, i, 0);
	KUNIT_EXPECT_EQ(test, d->ring.npending, 4);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
}

/* As many descriptors as offered, and one more: direct, in a table, in both. */
static void pvtest_bad_too_long(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	unsigned int direct, total, i;

	for (direct = 0; direct <= 8; direct++) {
		for (total = 8; total <= 9; total++) {
			pvtest_restart(d, 0);
			for (i = 0; i < direct; i++)
				pvtest_desc(d, i, A, 1, i + 1 < total ? N : 0, i + 1);
			for (i = direct; i < total; i++)
				pvtest_entry(d, T, i - direct, A, 1,
					     i + 1 < total ? N : 0, i - direct + 1);
			if (direct < total)
				pvtest_desc(d, direct, T, 16 * 16, I, 0);
			pvtest_offer(d, 0);

			if (total == 9) {
				pvtest_expect_broken(d, "too long");
				continue;
			}
			KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
			KUNIT_EXPECT_EQ(test, d->batch->chain[0].nout, 8);
			pvring_forget(&d->ring, 0);
		}
	}

	for (i = 0; i < 9; i++)
		pvtest_desc(d, i, A, 1, i < 8 ? N : 0, i + 1);
	pvtest_restart(d, 0);
	pvtest_offer(d, 0);
	pvtest_expect_broken(d, "too long");
}

/* A batch with room for one chain has room for the longest, and for no longer. */
static void pvtest_bad_small_batch(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	unsigned int i;

	pvring_batch_free(d->batch);
	d->batch = pvring_batch_alloc(1, &pvtest_config.limits);
	KUNIT_ASSERT_NOT_NULL(test, d->batch);

	for (i = 0; i < 16; i++)
		pvtest_desc(d, i, PVTEST_TINY, 3 * PVTEST_TINY_LEN, N, i + 1);
	pvtest_desc(d, 15, PVTEST_TINY, 3 * PVTEST_TINY_LEN, 0, 0);
	pvtest_queue(d, 8);
	pvtest_offer(d, 7);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].nout, 8 + PVRING_SPLITS_MAX);
	pvtest_expect_broken(d, "too long");
	pvtest_desc(d, 15, A, 1, N, 7);
	pvtest_expect_broken(d, "too long");
}

/* Lengths near the end of their type, where the limit is no help. */
static void pvtest_bad_huge(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	u32 len;

	cfg.limits.max_bytes = U32_MAX;
	d = pvtest_make(test, &cfg);
	pvtest_desc(d, 0, A, 0x1000, N, 1);
	pvtest_offer(d, 0);
	for (len = U32_MAX; len > U32_MAX - 0x1000; len -= 0x7ff) {
		pvtest_desc(d, 1, A, len, W, 0);
		pvtest_expect_broken(d, "bytes");
	}
	pvtest_desc(d, 1, A, U32_MAX - 0x1000, W, 0);
	pvtest_expect_broken(d, "outside");
	pvtest_desc(d, 1, TOP, U32_MAX - 0x1000, W, 0);
	pvtest_expect_broken(d, "outside");
}

static struct kunit_case pvtest_bad_cases[] = {
	KUNIT_CASE_PARAM(pvtest_bad_first, pvtest_bad_gen_params),
	KUNIT_CASE_PARAM(pvtest_bad_later, pvtest_bad_gen_params),
	KUNIT_CASE(pvtest_bad_avail_index),
	KUNIT_CASE(pvtest_bad_head_twice),
	KUNIT_CASE(pvtest_bad_head_early),
	KUNIT_CASE(pvtest_bad_too_long),
	KUNIT_CASE(pvtest_bad_small_batch),
	KUNIT_CASE(pvtest_bad_huge),
	{}
};

static struct kunit_suite pvtest_bad_suite = {
	.name = "pvio_vhost_ring_bad",
	.exit = pvtest_exit,
	.test_cases = pvtest_bad_cases,
};

kunit_test_suite(pvtest_bad_suite);
