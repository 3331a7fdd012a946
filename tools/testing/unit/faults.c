// SPDX-License-Identifier: GPL-2.0-only
/* What calls fail on the engine's way, and what a wrong backend does to it. */
#include <kunit/test.h>

#include "ring_driver_kunit.h"
#include "unit.h"

#define N	PVTEST_NEXT
#define W	PVTEST_WRITE
#define I	PVTEST_INDIRECT

static void fault_table_alloc(struct kunit *test)
{
	unit_alloc_countdown = 0;
	KUNIT_EXPECT_NULL(test, pvmem_table_alloc(PVMEM_KERN, 16));
	KUNIT_EXPECT_NULL(test, pvmem_table_alloc(PVMEM_KERN, ~0U));
}

static void fault_batch_alloc(struct kunit *test)
{
	const unsigned long allocs = unit_allocs;
	struct pvring_batch *b = NULL;
	unsigned int n;

	for (n = 0; !b; n++) {
		KUNIT_ASSERT_LT(test, n, 100U);
		unit_alloc_countdown = n;
		b = pvring_batch_alloc(8, &pvtest_config.limits);
		KUNIT_EXPECT_EQ(test, unit_allocs - allocs, b ? n : 0);
	}
	KUNIT_EXPECT_GT(test, n, 2U);
	pvring_batch_free(b);
	pvring_batch_free(NULL);
	KUNIT_EXPECT_EQ(test, unit_allocs, allocs);
}

static void fault_ring_init(struct kunit *test)
{
	const unsigned long allocs = unit_allocs;
	struct pvring r = {};
	int err = -ENOMEM;
	unsigned int n;

	for (n = 0; err; n++) {
		KUNIT_ASSERT_LT(test, n, 100U);
		unit_alloc_countdown = n;
		err = pvring_init(&r, &pvtest_config);
		KUNIT_ASSERT_TRUE(test, !err || err == -ENOMEM);
		KUNIT_EXPECT_EQ(test, unit_allocs - allocs, err ? 0 : n);
		if (err)
			pvring_destroy(&r);
	}
	KUNIT_EXPECT_GT(test, n, 2U);
	pvring_destroy(&r);
}

/* Three chains, of which two have tables and all have headers in two places. */
static struct pvtest_ring *fault_make(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;

	cfg.limits.hdr_len = 16;
	d = pvtest_make(test, &cfg);
	pvtest_desc(d, 0, PVTEST_C - 16, 32, I, 0);
	pvtest_entry(d, PVTEST_C - 16, 0, PVTEST_A, 8, N, 1);
	pvtest_entry(d, PVTEST_C - 16, 1, PVTEST_A + 8, 9, 0, 0);
	pvtest_desc(d, 1, PVTEST_A, 8, N, 2);
	pvtest_desc(d, 2, PVTEST_A + 8, 9, 0, 0);
	pvtest_desc(d, 3, PVTEST_C + 16, 32, I, 0);
	pvtest_entry(d, PVTEST_C + 16, 0, PVTEST_A, 8, N, 1);
	pvtest_entry(d, PVTEST_C + 16, 1, PVTEST_A + 8, 9, 0, 0);
	pvtest_queue(d, 0);
	pvtest_queue(d, 1);
	pvtest_offer(d, 3);
	return d;
}

/* Pops all of fault_make()'s; nothing is lost, doubled or half done. */
static unsigned int fault_pop_all(struct pvtest_ring *d)
{
	static const u16 heads[] = { 0, 1, 3 };
	const struct pvring_chain *c = d->batch->chain;
	unsigned int next = 0, faults = 0, i;
	int n;

	while (next < 3) {
		d->ring.fault = (struct pvring_fault) {};
		n = pvtest_pop(d);
		if (n == -EAGAIN) {
			KUNIT_EXPECT_NE(d->test, d->ring.fault.addr, 0UL);
			KUNIT_EXPECT_NE(d->test, d->ring.fault.len, 0UL);
			KUNIT_EXPECT_FALSE(d->test, d->ring.fault.write);
			KUNIT_EXPECT_EQ(d->test, d->batch->n, 0U);
			faults++;
		} else {
			KUNIT_ASSERT_GT(d->test, n, 0);
		}
		for (i = 0; (int)i < n; i++, next++) {
			KUNIT_EXPECT_EQ(d->test, c[i].head, heads[next]);
			KUNIT_EXPECT_EQ(d->test, c[i].hdr_len, 16);
			KUNIT_EXPECT_EQ(d->test, c[i].nout, 1);
			pvtest_expect_seg(d, c[i].seg, PVTEST_A + 16, 1);
		}
		KUNIT_EXPECT_EQ(d->test, d->ring.last_avail, next);
		KUNIT_EXPECT_EQ(d->test, d->ring.inflight, next);
	}
	return faults;
}

/* Memory that is not present at any one of the copies, and then is. */
static void fault_copy(struct kunit *test)
{
	unsigned int n, faults = 0;

	for (n = 0; n < 100; n++) {
		struct pvtest_ring *d = fault_make(test);

		unit_fault_countdown = n;
		faults += fault_pop_all(d);
		if (unit_fault_countdown >= 0)
			break;
	}
	/* Two pieces of a table, a table, and two parts of each header. */
	KUNIT_EXPECT_EQ(test, n, 9U);

	/* Only the first chain's are seen: others end the batch before them. */
	KUNIT_EXPECT_EQ(test, faults, 4U);
}

/* What faulted is named, so that it can be made present. */
static void fault_place(struct kunit *test)
{
	struct pvtest_ring *d = fault_make(test);

	unit_fault_countdown = 1;
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), -EAGAIN);
	KUNIT_EXPECT_EQ(test, d->ring.fault.addr,
			(unsigned long)pvtest_at(d, PVTEST_C));
	KUNIT_EXPECT_EQ(test, d->ring.fault.len, 16UL);
	unit_fault_countdown = 3;
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), -EAGAIN);
	KUNIT_EXPECT_EQ(test, d->ring.fault.addr,
			(unsigned long)pvtest_at(d, PVTEST_A + 8));
	KUNIT_EXPECT_EQ(test, d->ring.fault.len, 8UL);
}

/* A backend that completes what it has not got is told so, and stopped. */
static void fault_complete(struct kunit *test)
{
	static const u16 heads[] = { 1, 2, 16, 65535 };
	struct pvtest_ring *d = fault_make(test);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	pvring_complete(&d->ring, 1, 0);
	KUNIT_EXPECT_EQ(test, unit_warnings, 0U);
	unit_warnings_expected = true;
	for (i = 0; i < ARRAY_SIZE(heads); i++)
		pvring_complete(&d->ring, heads[i], 0);
	for (i = 0; i < ARRAY_SIZE(heads); i++)
		pvring_forget(&d->ring, heads[i]);
	KUNIT_EXPECT_EQ(test, unit_warnings, 8U);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 2);
	KUNIT_EXPECT_EQ(test, d->ring.npending, 1);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(fault_table_alloc),
	KUNIT_CASE(fault_batch_alloc),
	KUNIT_CASE(fault_ring_init),
	KUNIT_CASE(fault_copy),
	KUNIT_CASE(fault_place),
	KUNIT_CASE(fault_complete),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "pvio_vhost_unit_faults",
	.exit = pvtest_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
