// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rubbish: rings, tables and headers filled at random, or changed by a second thread while the
 * device reads them. The device may break its queues as often as it likes. It may not crash, not
 * touch memory that is not its own, and a reset always heals.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scribble.h"

#define LONG_LEN	(16 * SCRIBBLE_LEN)

static int round_of(struct scribbler *s, unsigned int strokes)
{
	struct blk *b = &s->e->b;
	unsigned int q, i;

	scribble_submit(s);
	for (i = 0; i < strokes; i++)
		scribble_stroke(s, &s->prng);
	for (q = 0; q < b->nqueues; q++) {
		ring_publish(&b->rings[q]);
		ring_kick(&b->rings[q]);
	}
	ring_wait(&b->rings[prng_range(&s->prng, 0, b->nqueues - 1)], 2);
	for (q = 0; q < b->nqueues; q++)
		blk_collect(b, q);
	if (blk_needs_reset(b) || prng_chance(&s->prng, 20)) {
		s->resets++;
		CHECK_OK(blk_restart(b, prng_next(&s->prng)));
	}
	return 0;
}

static int scribbler_finish(struct scribbler *s)
{
	struct env *e = s->e;

	CHECK_PASS(env_verify_reset(e));
	CHECK_PASS(scribbler_check(s));
	if (e->opts.name)
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &s->readonly));
	scribbler_free(s);
	return 0;
}

/* Everything is written before the device looks: what one seed does can be done again. */
static int run_still(struct env *e, unsigned int targets)
{
	struct scribbler s;
	unsigned int i;

	CHECK_PASS(scribbler_make(&s, e, targets, SCRIBBLE_LEN));
	for (i = 0; i < e->rounds * 10; i++)
		CHECK_PASS(round_of(&s, prng_range(&s.prng, 1, 16)));
	ktap_diag("%u rounds, %u resets", i, s.resets);
	return scribbler_finish(&s);
}

static int run_racing(struct env *e, unsigned int targets)
{
	struct scribbler s;
	unsigned int i;
	int res = 0;

	CHECK_PASS(scribbler_make(&s, e, targets, SCRIBBLE_LEN));
	CHECK_PASS(scribble_start(&s));
	for (i = 0; i < e->rounds * 10 && !res; i++)
		res = round_of(&s, 0);
	scribble_stop(&s);
	ktap_diag("%u rounds, %u resets, %lu strokes", i, s.resets, s.strokes);
	return res ? res : scribbler_finish(&s);
}

static void *scribble_data_thread(void *arg)
{
	struct scribbler *s = arg;
	struct prng p = { s->e->seed };

	while (!s->stop) {
		uint8_t *at = s->buf + prng_range(&p, 0, SCRIBBLE_DEPTH - 1) * s->len;

		/* All over a block: whoever reads it twice sees two different ones. */
		memset(at, prng_next(&p), s->len);
		s->strokes++;
	}
	return NULL;
}

/* A request of each slot, of each queue, to places that follow each other from @sector on. */
static int all_blocks(struct scribbler *s, uint32_t type, uint8_t *buf, uint64_t sector)
{
	struct blk *b = &s->e->b;
	unsigned int q, i;

	for (q = 0; q < b->nqueues; q++) {
		for (i = 0; i < SCRIBBLE_DEPTH; i++) {
			blk_req_usual(&s->reqs[q * SCRIBBLE_DEPTH + i], type, sector,
				      buf + i * s->len, s->len);
			sector += s->len / SECTOR_SIZE;
			CHECK_OK(blk_queue(b, q, &s->reqs[q * SCRIBBLE_DEPTH + i], RING_INDIRECT));
		}
		ring_flush(&b->rings[q]);
	}
	for (q = 0; q < b->nqueues; q++)
		CHECK_OK(blk_drain(b, q));
	for (i = 0; i < b->nqueues * SCRIBBLE_DEPTH; i++)
		CHECK_EQ(*s->reqs[i].status, VIRTIO_BLK_S_OK);
	return 0;
}

/*
 * Data that changes while it is written. What is stored is the guest's own affair; but a store
 * that keeps checksums has to be given the same bytes twice, or it can't be read afterwards.
 */
static int racing_data(void *ctx)
{
	struct env *e = ctx;
	struct scribbler s;
	uint8_t *in;
	unsigned int i;
	int res = 0;

	CHECK_PASS(scribbler_make(&s, e, 0, SCRIBBLE_LEN));
	in = gmem_alloc(&e->b.mem, SCRIBBLE_DEPTH * SCRIBBLE_LEN, SCRIBBLE_LEN);
	CHECK_EQ(pthread_create(&s.thread, NULL, scribble_data_thread, &s), 0);
	for (i = 0; i < e->rounds * 10 && !res; i++) {
		res = all_blocks(&s, VIRTIO_BLK_T_OUT, s.buf, 0);
		if (!res)
			res = all_blocks(&s, VIRTIO_BLK_T_IN, in, 0);
	}
	scribble_stop(&s);
	ktap_diag("%u rounds, %lu strokes", i, s.strokes);
	return res ? res : scribbler_finish(&s);
}

/* Written once each and left so: whoever looks for what went wrong finds all of it. */
static int racing_data_long(void *ctx)
{
	struct env *e = ctx;
	uint64_t sectors = e->b.nqueues * SCRIBBLE_DEPTH * LONG_LEN / SECTOR_SIZE, at;
	struct scribbler s;
	int res = 0;

	CHECK_PASS(scribbler_make(&s, e, 0, LONG_LEN));
	CHECK_EQ(pthread_create(&s.thread, NULL, scribble_data_thread, &s), 0);
	for (at = 0; at + sectors <= blk_capacity(&e->b) && !res; at += sectors)
		res = all_blocks(&s, VIRTIO_BLK_T_OUT, s.buf, at);
	scribble_stop(&s);
	ktap_diag("%llu sectors, %lu strokes", (unsigned long long)at, s.strokes);
	return res ? res : scribbler_finish(&s);
}

static int still_rings(void *ctx)
{
	return run_still(ctx, TARGET_DESC | TARGET_AVAIL);
}

static int still_tables(void *ctx)
{
	return run_still(ctx, TARGET_TABLE);
}

static int still_headers(void *ctx)
{
	return run_still(ctx, TARGET_HEADER);
}

static int still_all(void *ctx)
{
	return run_still(ctx, TARGET_ALL);
}

static int racing_rings(void *ctx)
{
	return run_racing(ctx, TARGET_DESC | TARGET_AVAIL);
}

static int racing_tables(void *ctx)
{
	return run_racing(ctx, TARGET_TABLE);
}

static int racing_headers(void *ctx)
{
	return run_racing(ctx, TARGET_HEADER);
}

static int racing_all(void *ctx)
{
	return run_racing(ctx, TARGET_ALL);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(still_rings),
	KTAP_TEST(still_tables),
	KTAP_TEST(still_headers),
	KTAP_TEST(still_all),
	KTAP_TEST(racing_rings),
	KTAP_TEST(racing_tables),
	KTAP_TEST(racing_headers),
	KTAP_TEST(racing_all),
	KTAP_TEST(racing_data),
	KTAP_TEST(racing_data_long),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "rubbish",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 600,
		.setup = env_start,
		.teardown = env_close,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
