// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that changes everything it can reach while the device looks at it:
 * a thread that overwrites the rings and the tables, at random but plausibly.
 * The sanitizers watch the engine; what it hands out has to be guest memory.
 */
#include <pthread.h>
#include <sched.h>

#include <kunit/test.h>

#include "ring_driver_kunit.h"

#define SCRIBBLE_POPS		200000
#define SCRIBBLE_ERRORS		32

/* Where indirect tables are supposed to be. */
#define SCRIBBLE_TABLE		(PVTEST_C - 64)

struct scribbler {
	struct pvtest_ring *d;
	u64 rng;
	bool running;
	bool stop;
	unsigned long turns;
	pthread_t thread;
};

/* The other thread's; here so that a case that is aborted can stop it. */
static struct scribbler scribble_other;

/**
 * struct scribble_tally - what came of it
 * @chains: popped
 * @pieces: in them
 * @broken: pops that failed
 * @errors: the reasons they gave, each once
 */
struct scribble_tally {
	unsigned long chains;
	unsigned long pieces;
	unsigned long broken;
	const char *errors[SCRIBBLE_ERRORS];
};

static u32 scribble_random(struct scribbler *s, u32 n)
{
	s->rng ^= s->rng << 13;
	s->rng ^= s->rng >> 7;
	s->rng ^= s->rng << 17;
	return (u32)(s->rng >> 32) % n;
}

static u64 scribble_addr(struct scribbler *s)
{
	static const u64 pages[] = {
		PVTEST_A, PVTEST_A, PVTEST_B, PVTEST_C, PVTEST_RO, PVTEST_WO,
		PVTEST_LOW, PVTEST_TOP, PVTEST_TINY, PVTEST_HOLE,
	};

	if (!scribble_random(s, 4))
		return SCRIBBLE_TABLE + 16 * scribble_random(s, 8);
	return pages[scribble_random(s, ARRAY_SIZE(pages))] +
	       (scribble_random(s, 4) ? scribble_random(s, 64) :
		scribble_random(s, 0x1040));
}

static u32 scribble_len(struct scribbler *s)
{
	switch (scribble_random(s, 32)) {
	case 0:
		return 0;
	case 1:
		return ~0U - scribble_random(s, 32);
	case 2:
		return scribble_random(s, 0x5000);
	default:
		return 16 * (1 + scribble_random(s, 4));
	}
}

static u16 scribble_flags(struct scribbler *s)
{
	static const u16 flags[] = {
		0, 0, PVTEST_WRITE, PVTEST_NEXT, PVTEST_NEXT, PVTEST_INDIRECT,
		PVTEST_NEXT | PVTEST_WRITE,
	};

	if (!scribble_random(s, 32))
		return scribble_random(s, 0x10000);
	return flags[scribble_random(s, ARRAY_SIZE(flags))];
}

/* A descriptor is overwritten field by field, or as a whole. */
static void scribble_desc(struct scribbler *s, struct pvtest_desc *desc, u16 num)
{
	u32 fields = scribble_random(s, 4) ? 1 << scribble_random(s, 4) : 0xf;

	if (fields & 0x1)
		WRITE_ONCE(desc->addr, cpu_to_le64(scribble_addr(s)));
	if (fields & 0x2)
		WRITE_ONCE(desc->len, cpu_to_le32(scribble_len(s)));
	if (fields & 0x4)
		WRITE_ONCE(desc->flags, cpu_to_le16(scribble_flags(s)));
	if (fields & 0x8)
		WRITE_ONCE(desc->next, cpu_to_le16(scribble_random(s, 32) ?
						   scribble_random(s, num) :
						   scribble_random(s, 0x10000)));
}

static void scribble_once(struct scribbler *s)
{
	struct pvtest_ring *d = s->d;
	u16 num = d->ring.num, i = scribble_random(s, num);
	u64 table = SCRIBBLE_TABLE + 16 * scribble_random(s, 8);

	switch (scribble_random(s, 64)) {
	case 0 ... 7:
		WRITE_ONCE(d->avail->ring[i],
			   cpu_to_le16(scribble_random(s, scribble_random(s, 64) ?
						       num : 0x10000)));
		break;
	case 8:
		WRITE_ONCE(d->avail->idx, cpu_to_le16(le16_to_cpu(d->avail->idx) +
						      scribble_random(s, num)));
		break;
	case 9:
		WRITE_ONCE(d->avail->ring[num], cpu_to_le16(scribble_random(s, 0x10000)));
		break;
	case 10 ... 30:
		scribble_desc(s, (struct pvtest_desc *)pvtest_at(d, table), 5);
		break;
	default:
		scribble_desc(s, &d->desc[i], num);
	}
	__atomic_add_fetch(&s->turns, 1, __ATOMIC_RELAXED);
}

static void *scribble_thread(void *arg)
{
	struct scribbler *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		scribble_once(s);
	return NULL;
}

static void scribble_start(struct pvtest_ring *d)
{
	struct scribbler *s = &scribble_other;

	*s = (struct scribbler) { .d = d, .rng = 2 };
	KUNIT_ASSERT_EQ(d->test, pthread_create(&s->thread, NULL, scribble_thread, s), 0);
	s->running = true;
	while (!__atomic_load_n(&s->turns, __ATOMIC_RELAXED))
		sched_yield();
}

static void scribble_stop(void)
{
	struct scribbler *s = &scribble_other;

	if (!s->running)
		return;
	__atomic_store_n(&s->stop, true, __ATOMIC_RELAXED);
	pthread_join(s->thread, NULL);
	s->running = false;
}

static void scribble_exit(struct kunit *test)
{
	scribble_stop();
	pvtest_exit(test);
}

/* A piece has to be guest memory, in one place, that the device may use so. */
static void scribble_check_piece(struct pvtest_ring *d, const struct pvmem_seg *seg,
				 u32 perm)
{
	u8 *mem = (u8 *)(uintptr_t)seg->addr;
	u64 iova = seg->iova, left = seg->len;
	const struct pvtest_ram *ram;
	u32 part;

	KUNIT_ASSERT_NE(d->test, left, 0UL);
	while (left) {
		ram = pvtest_ram_find(d, iova);
		KUNIT_ASSERT_NOT_NULL(d->test, ram);
		KUNIT_ASSERT_EQ(d->test, ram->perm & perm, perm);
		KUNIT_ASSERT_TRUE(d->test, mem == ram->mem + (iova - ram->iova));

		part = min_t(u64, left, ram->len - (iova - ram->iova));
		if (perm == PVMEM_WRITE)
			memset(mem, 0x5a, part);
		else
			KUNIT_ASSERT_GE(d->test, memcmp(mem, mem, part), 0);
		mem += part;
		iova += part;
		left -= part;
	}
}

static void scribble_check_chain(struct pvtest_ring *d, const struct pvring_chain *c)
{
	u64 out = 0, in = 0;
	unsigned int i;

	KUNIT_ASSERT_LT(d->test, c->head, d->ring.num);
	KUNIT_ASSERT_TRUE(d->test, d->ring.slot[c->head]);
	KUNIT_ASSERT_LE(d->test, c->hdr_len, d->ring.limits.hdr_len);
	KUNIT_ASSERT_TRUE(d->test, c->seg >= d->batch->seg &&
			  c->seg + c->nout + c->nin <= d->batch->seg + d->batch->max_seg);
	for (i = 0; i < c->nout + c->nin; i++) {
		scribble_check_piece(d, &c->seg[i],
				     i < c->nout ? PVMEM_READ : PVMEM_WRITE);
		*(i < c->nout ? &out : &in) += c->seg[i].len;
	}
	KUNIT_ASSERT_EQ(d->test, c->out_len, out);
	KUNIT_ASSERT_EQ(d->test, c->in_len, in);
	KUNIT_ASSERT_NE(d->test, c->hdr_len + out + in, 0UL);
	KUNIT_ASSERT_LE(d->test, c->hdr_len + out + in, d->ring.limits.max_bytes);
}

static void scribble_count_error(struct scribble_tally *tally, const char *error)
{
	unsigned int i;

	tally->broken++;
	for (i = 0; i < SCRIBBLE_ERRORS && tally->errors[i]; i++)
		if (!strcmp(tally->errors[i], error))
			return;
	if (i < SCRIBBLE_ERRORS)
		tally->errors[i] = error;
}

/* What a backend does with a broken queue, after the driver's reset. */
static void scribble_reset(struct pvtest_ring *d)
{
	u16 i;

	for (i = 0; i < d->ring.num; i++)
		if (d->ring.slot[i])
			pvring_forget(&d->ring, i);
	KUNIT_ASSERT_EQ(d->test, d->ring.inflight, 0);
	pvring_publish(&d->ring);
	pvtest_restart(d, d->ring.next_used);
}

static void scribble_turn(struct scribbler *s, struct scribble_tally *tally)
{
	struct pvtest_ring *d = s->d;
	unsigned int i;
	int n;

	for (i = scribble_random(s, 4); i; i--) {
		scribble_once(s);
		pvtest_queue(d, scribble_random(s, d->ring.num));
	}
	pvtest_show(d);

	d->ring.error = NULL;
	n = pvtest_pop(d);
	KUNIT_ASSERT_LE(d->test, n, (int)d->batch->max);
	if (n < 0) {
		KUNIT_ASSERT_EQ(d->test, n, -EINVAL);
		KUNIT_ASSERT_NOT_NULL(d->test, d->ring.error);
		scribble_count_error(tally, d->ring.error);
		scribble_reset(d);
		return;
	}

	for (i = 0; (int)i < n; i++) {
		scribble_check_chain(d, &d->batch->chain[i]);
		tally->pieces += d->batch->chain[i].nout + d->batch->chain[i].nin;
	}
	tally->chains += n;
	for (i = 0; (int)i < n; i++)
		if (scribble_random(s, 8))
			pvring_complete(&d->ring, d->batch->chain[i].head, i);
	KUNIT_ASSERT_LE(d->test, d->ring.inflight + d->ring.npending, d->ring.num);

	if (scribble_random(s, 4)) {
		KUNIT_ASSERT_EQ(d->test, pvring_publish(&d->ring), 0);
		KUNIT_ASSERT_GE(d->test, pvring_notify_needed(&d->ring), 0);
	}
	KUNIT_ASSERT_GE(d->test, pvring_kicks_enable(&d->ring), 0);
}

static void scribble_run(struct kunit *test, bool concurrent)
{
	struct pvring_config cfg = pvtest_config;
	struct scribbler own = { .rng = 1 };
	struct scribble_tally tally = {};
	unsigned int i;

	cfg.event_idx = true;
	cfg.limits.hdr_len = 16;
	own.d = pvtest_make(test, &cfg);
	if (concurrent)
		scribble_start(own.d);
	for (i = 0; i < SCRIBBLE_POPS; i++)
		scribble_turn(&own, &tally);
	scribble_stop();

	printf("# %lu chains with %lu pieces, %lu times broken\n", tally.chains,
	       tally.pieces, tally.broken);
	for (i = 0; i < SCRIBBLE_ERRORS && tally.errors[i]; i++)
		printf("# broken by: %s\n", tally.errors[i]);
	KUNIT_EXPECT_GT(test, tally.pieces, SCRIBBLE_POPS / 100UL);
	KUNIT_EXPECT_GT(test, tally.broken, SCRIBBLE_POPS / 100UL);
	KUNIT_EXPECT_NOT_NULL(test, tally.errors[9]);
}

/* The same every time. */
static void scribble_between(struct kunit *test)
{
	scribble_run(test, false);
}

static void scribble_during(struct kunit *test)
{
	scribble_run(test, true);
}

static struct kunit_case scribble_cases[] = {
	KUNIT_CASE(scribble_between),
	KUNIT_CASE(scribble_during),
	{}
};

static struct kunit_suite scribble_suite = {
	.name = "pvio_vhost_unit_scribble",
	.exit = scribble_exit,
	.test_cases = scribble_cases,
};

kunit_test_suite(scribble_suite);
