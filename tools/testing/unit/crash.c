// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that end behind any one of their stores, with an in-flight region; the
 * next one has to pop exactly what the driver waits for, in the order in which it
 * was made available, and the driver must never be shown what is not complete.
 */
#include <setjmp.h>

#include <kunit/test.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "inflight.h"
#include "ring_driver_kunit.h"
#include "unit.h"

#define CRASH_STEPS	150
#define CRASH_NDESC	3
#define CRASH_NUM_MAX	16

/**
 * struct crash_chain - a chain that the driver made available
 * @seq: its number, which is in its address
 * @id: what the driver calls it
 * @ndesc: descriptors
 * @done: a device has completed it, since it was popped last
 * @head: what the device calls it
 */
struct crash_chain {
	u32 seq;
	u16 id;
	u16 ndesc;
	bool done;
	u16 head;
};

/**
 * struct crash - a ring, its driver, and the device of the day
 * @d: the ring
 * @cfg: its configuration
 * @region: its in-flight region
 * @size: bytes there
 * @rng: state of the random numbers
 * @out: what the driver waits for, as it was made available
 * @nout: how many of these
 * @held: numbers of what the device has popped and not completed
 * @nheld: how many
 * @made: chains ever made
 * @free: descriptors that no chain takes
 * @ids: packed: IDs in use
 * @crashes: devices that ended
 */
struct crash {
	struct pvtest_ring *d;
	struct pvring_config cfg;
	void *region;
	size_t size;
	u64 rng;
	struct crash_chain out[CRASH_NUM_MAX];
	unsigned int nout;
	u32 held[CRASH_NUM_MAX];
	unsigned int nheld;
	u32 made;
	unsigned int nfree;
	u32 ids;
	unsigned int crashes;
};

static jmp_buf crash_end;

/* What the shim of WRITE_ONCE() calls behind every store. */
void unit_store(void)
{
	if (unit_store_countdown > 0 && !--unit_store_countdown)
		longjmp(crash_end, 1);
}

static u32 crash_random(struct crash *c, u32 n)
{
	c->rng ^= c->rng << 13;
	c->rng ^= c->rng >> 7;
	c->rng ^= c->rng << 17;
	return (u32)(c->rng >> 32) % n;
}

static bool crash_packed(const struct crash *c)
{
	return c->cfg.format == PVRING_PACKED;
}

static struct crash_chain *crash_find(struct crash *c, u32 seq)
{
	unsigned int i;

	for (i = 0; i < c->nout; i++)
		if (c->out[i].seq == seq)
			return &c->out[i];
	return NULL;
}

/* Split: the descriptors of a chain are @id and those behind it, of three each. */
static void crash_put_split(struct crash *c, const struct crash_chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->ndesc; i++)
		pvtest_desc(c->d, chain->id + i, PVTEST_A + chain->seq % PVTEST_PAGE,
			    1, i + 1 < chain->ndesc ? PVTEST_NEXT : 0,
			    chain->id + i + 1);
	pvtest_queue(c->d, chain->id);
}

static void crash_put_packed(struct crash *c, const struct crash_chain *chain)
{
	unsigned int i;

	for (i = 0; i < chain->ndesc; i++)
		pvtest_packed_put(c->d, PVTEST_A + chain->seq % PVTEST_PAGE, 1,
				  i + 1 < chain->ndesc ? PVTEST_NEXT : 0,
				  chain->id);
}

/* The driver: makes a chain available, if there is room for it. */
static void crash_make(struct crash *c)
{
	struct crash_chain *chain = &c->out[c->nout];
	unsigned int step = crash_packed(c) ? 1 : CRASH_NDESC;

	*chain = (struct crash_chain) {
		.seq = c->made,
		.ndesc = 1 + crash_random(c, CRASH_NDESC),
	};
	while (c->ids & (1U << (chain->id / step)))
		chain->id += step;
	if (chain->id + step > c->cfg.num || chain->ndesc > c->nfree)
		return;
	c->ids |= (1U << (chain->id / step));
	c->nfree -= chain->ndesc;
	c->made++;
	c->nout++;
	if (crash_packed(c)) {
		crash_put_packed(c, chain);
		pvtest_packed_show(c->d);
	} else {
		crash_put_split(c, chain);
		pvtest_show(c->d);
	}
}

static bool crash_reap_one(struct crash *c, u32 *id)
{
	u16 buffer;
	u32 len;

	if (!crash_packed(c))
		return pvtest_reap(c->d, id, &len);
	if (!pvtest_packed_reap(c->d, &buffer, &len))
		return false;
	*id = buffer;
	return true;
}

/* The driver: takes all that is used. */
static void crash_reap(struct crash *c)
{
	unsigned int step = crash_packed(c) ? 1 : CRASH_NDESC, i;
	struct kunit *test = c->d->test;
	u32 id;

	while (crash_reap_one(c, &id)) {
		for (i = 0; i < c->nout && c->out[i].id != id; i++)
			;
		KUNIT_ASSERT_LT(test, i, c->nout);
		KUNIT_ASSERT_TRUE(test, c->out[i].done);
		if (c->cfg.in_order)
			KUNIT_ASSERT_EQ(test, i, 0U);
		if (crash_packed(c))
			pvtest_packed_skip(c->d, c->out[i].ndesc);
		c->ids &= ~(1U << (id / step));
		c->nfree += c->out[i].ndesc;
		c->nout--;
		memmove(&c->out[i], &c->out[i + 1],
			(c->nout - i) * sizeof(c->out[i]));
	}
}

static void crash_pop(struct crash *c, unsigned int max, bool give_back)
{
	struct pvring_batch *b = c->d->batch;
	int n = pvring_pop(&c->d->ring, c->d->table, b, max), i;
	unsigned int from = n;

	KUNIT_ASSERT_GE(c->d->test, n, 0);
	if (!n)
		return;
	if (give_back) {
		from = crash_random(c, n + 1);
		pvring_unpop(&c->d->ring, b, from);
	}
	for (i = 0; i < from; i++) {
		u32 at = b->chain[i].seg->iova - PVTEST_A, k;
		struct crash_chain *chain;

		for (k = 0; k < c->nout && c->out[k].seq % PVTEST_PAGE != at; k++)
			;
		KUNIT_ASSERT_LT(c->d->test, k, c->nout);
		chain = &c->out[k];
		chain->head = b->chain[i].head;
		chain->done = false;
		c->held[c->nheld++] = chain->seq;
	}
}

static void crash_complete(struct crash *c)
{
	struct crash_chain *chain;
	unsigned int i;

	if (!c->nheld)
		return;
	i = crash_random(c, c->nheld);
	chain = crash_find(c, c->held[i]);
	KUNIT_ASSERT_NOT_NULL(c->d->test, chain);
	c->held[i] = c->held[--c->nheld];
	chain->done = true;
	pvring_complete(&c->d->ring, chain->head, 0);
}

static void crash_step(struct crash *c)
{
	switch (crash_random(c, 10)) {
	case 0 ... 2:
		crash_pop(c, 1 + crash_random(c, 3), false);
		break;
	case 3:
		crash_pop(c, 1 + crash_random(c, 3), true);
		break;
	case 4 ... 7:
		crash_complete(c);
		break;
	case 8:
		/* An attempt that met memory which was not there. */
		if (c->d->ring.npending)
			pvinflight_publish(&c->d->ring);
		break;
	default:
		pvring_publish(&c->d->ring);
	}
}

/* A device that finds the region as it is; it may end while it looks. */
static void crash_begin(struct crash *c)
{
	struct pvring *r = &c->d->ring;
	struct kunit *test = c->d->test;
	long countdown = unit_store_countdown;

	unit_store_countdown = 0;
	pvring_destroy(r);
	KUNIT_ASSERT_EQ(test, pvring_init(r, &c->cfg), 0);
	r->desc = (unsigned long)c->d->desc;
	r->driver = (unsigned long)c->d->avail;
	r->device = (unsigned long)c->d->used;
	c->nheld = 0;

	unit_store_countdown = countdown;
	KUNIT_ASSERT_EQ(test, pvring_keep_inflight(r, c->region, c->size), 0);
	KUNIT_ASSERT_GE(test, pvring_recover(r), 0);
}

/* Pops all: it has to be what the driver waits for, in order. */
static void crash_check(struct crash *c)
{
	struct kunit *test = c->d->test;
	unsigned int i;
	u32 before;

	do {
		before = c->nheld;
		crash_pop(c, c->d->batch->max, false);
	} while (c->nheld > before);
	KUNIT_ASSERT_EQ(test, c->nheld, c->nout);
	for (i = 0; i < c->nout; i++)
		KUNIT_ASSERT_EQ(test, c->held[i], c->out[i].seq);
}

/* A device has ended: the driver takes what it can see. */
static void crash_over(struct crash *c)
{
	unsigned int i;

	c->crashes++;
	crash_reap(c);
	for (i = 0; i < c->nout; i++)
		c->out[i].done = false;
}

static void crash_make_ring(struct crash *c, struct kunit *test)
{
	c->d = pvtest_make(test, &c->cfg);
	c->size = pvinflight_size(c->cfg.format, c->cfg.num);
	c->region = pvtest_room(c->d, c->size);
	c->nfree = c->cfg.num;
	if (crash_packed(c))
		pvtest_packed_restart(c->d, 0, true);
}

/*
 * One life of a ring. Its device ends behind the @store-th store, and the next one
 * @again stores later. Returns how many ended.
 */
static unsigned int crash_run(struct kunit *test, const struct pvring_config *cfg,
			      u64 seed, unsigned int store, unsigned int again)
{
	/* Not in registers, across a longjmp(). */
	static struct crash c;
	static volatile unsigned int step;

	c = (struct crash) { .cfg = *cfg, .rng = seed };
	crash_make_ring(&c, test);
	step = 0;
	unit_store_countdown = store;
	if (setjmp(crash_end)) {
		unit_store_countdown = 0;
		crash_over(&c);
		unit_store_countdown = c.crashes == 1 ? again : 0;
	}
	crash_begin(&c);
	if (c.crashes && seed % 2)
		crash_check(&c);
	while (step < CRASH_STEPS) {
		long countdown = unit_store_countdown;

		step++;
		unit_store_countdown = 0;
		crash_reap(&c);
		crash_make(&c);
		unit_store_countdown = countdown;
		crash_step(&c);
	}
	unit_store_countdown = 0;
	crash_over(&c);
	crash_begin(&c);
	crash_check(&c);
	return c.crashes - 1;
}

static void crash_all(struct kunit *test, const struct pvring_config *cfg)
{
	unsigned int store, crashes = 1, total = 0;
	u64 seed;

	for (seed = 1; seed <= 8; seed++) {
		crashes = 1;
		for (store = 1; crashes; store++) {
			crashes = crash_run(test, cfg, seed * 0x9e3779b97f4a7c15ULL,
					    store, 1 + store % 37);
			total += crashes;
		}
		KUNIT_EXPECT_GT(test, store, 100U);
	}
	KUNIT_EXPECT_GT(test, total, 1000U);
}

static void crash_split(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;

	crash_all(test, &cfg);
	cfg.in_order = true;
	crash_all(test, &cfg);
}

static void crash_packed_ring(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;

	cfg.format = PVRING_PACKED;
	cfg.num = 11;
	crash_all(test, &cfg);
	cfg.in_order = true;
	crash_all(test, &cfg);
}

static struct kunit_case crash_cases[] = {
	KUNIT_CASE(crash_split),
	KUNIT_CASE(crash_packed_ring),
	{}
};

static struct kunit_suite crash_suite = {
	.name = "pvio_vhost_unit_crash",
	.exit = pvtest_exit,
	.test_cases = crash_cases,
};

kunit_test_suite(crash_suite);
