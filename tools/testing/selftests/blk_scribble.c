// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rubbish: rings, tables and headers filled at random, or changed by a second thread while the
 * device reads them. The device may break its queues as often as it likes. It may not crash, not
 * touch memory that is not its own, and a reset always heals.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"

#define LEN		4096u
#define LONG_LEN	(16 * LEN)
#define DEPTH		16u
#define GUARD_IOVA	0x300000000ull
#define GUARD_SIZE	(1 * MIB)

enum target {
	TARGET_DESC	= 0x01,
	TARGET_TABLE	= 0x02,
	TARGET_AVAIL	= 0x04,
	TARGET_HEADER	= 0x08,
	TARGET_USED	= 0x10,
	TARGET_ALL	= 0x1f,
};

struct scribbler {
	struct env *e;
	struct prng prng;
	unsigned int targets;
	struct gmem readonly;	/* mapped for reading alone */
	struct gmem secret;	/* not mapped */
	struct blk_req *reqs;	/* DEPTH for each queue */
	uint8_t *buf;		/* DEPTH of @len */
	uint32_t len;
	atomic_bool stop;
	atomic_ulong strokes;
	unsigned int resets;
	pthread_t thread;
};

static int guard_make(struct env *e, struct gmem *m, uint64_t iova)
{
	CHECK_OK(gmem_create(m, e->opts.kind, iova, GUARD_SIZE));
	memset(m->va, CANARY_BYTE, m->size);
	return 0;
}

static int scribbler_make(struct scribbler *s, struct env *e, unsigned int targets, uint32_t len)
{
	unsigned int i, n = e->b.nqueues * DEPTH;

	memset(s, 0, sizeof(*s));
	s->e = e;
	s->targets = targets;
	s->prng.state = e->seed;
	s->reqs = calloc(n, sizeof(*s->reqs));
	CHECK(s->reqs, "out of memory");
	for (i = 0; i < n; i++)
		blk_req_init(&e->b, &s->reqs[i]);
	s->len = len;
	s->buf = gmem_alloc(&e->b.mem, DEPTH * len, LEN);
	CHECK_PASS(guard_make(e, &s->readonly, GUARD_IOVA));
	CHECK_PASS(guard_make(e, &s->secret, GUARD_IOVA + GUARD_SIZE));
	/* Without an IOTLB there is no memory to be read alone. */
	if (e->opts.name)
		CHECK_OK(vhost_iotlb_map(&e->b.v, s->readonly.iova, GUARD_SIZE, s->readonly.va,
					 VHOST_ACCESS_RO));
	return 0;
}

/* An address that is likely to be near something. */
static uint64_t random_address(struct scribbler *s, struct prng *p)
{
	const struct gmem *m = &s->e->b.mem;

	switch (prng_range(p, 0, 7)) {
	case 0:
		return prng_next(p);
	case 1:
		return m->iova + m->size - prng_range(p, 0, 2 * LEN);
	case 2:
		return s->readonly.iova + prng_range(p, 0, GUARD_SIZE);
	case 3:
		return s->secret.iova + prng_range(p, 0, GUARD_SIZE);
	case 4:
		return (uint64_t)(uintptr_t)s->secret.va + prng_range(p, 0, GUARD_SIZE);
	case 5:
		return prng_range(p, 0, 1) ? 0 : UINT64_MAX - prng_range(p, 0, LEN);
	default:
		return m->iova + prng_range(p, 0, m->size - 1);
	}
}

static uint32_t random_length(struct prng *p)
{
	static const uint32_t lens[] = { 0, 1, 15, 16, 17, 48, 511, 512, 513, 4096, 65535, 65536,
		65537, 0x7fffffff, 0x80000000, 0xffffffff };

	return prng_chance(p, 80) ? lens[prng_range(p, 0, 15)] : prng_next(p);
}

static void scribble_desc(struct scribbler *s, struct prng *p, struct vring_desc *d)
{
	unsigned int what = prng_range(p, 0, 15);

	if (what & 1)
		d->addr = htole64(random_address(s, p));
	if (what & 2)
		d->len = htole32(random_length(p));
	if (what & 4)
		d->flags = htole16(prng_chance(p, 90) ? prng_range(p, 0, 7) : prng_next(p));
	if (what & 8)
		d->next = htole16(prng_chance(p, 90) ? prng_range(p, 0, s->e->b.num) :
						       prng_next(p));
}

static void scribble_avail(struct scribbler *s, struct prng *p, struct ring *r)
{
	uint16_t value = prng_chance(p, 90) ? prng_range(p, 0, r->num) : prng_next(p);

	switch (prng_range(p, 0, 5)) {
	case 0:
		r->avail->flags = htole16(prng_range(p, 0, 3));
		break;
	case 1:
		/* The event index, behind the entries. */
		r->avail->ring[r->num] = htole16(prng_next(p));
		break;
	case 2:
		if (prng_chance(p, 10))
			ring_raw_avail_idx(r, r->avail_idx + prng_range(p, 0, s->e->b.num + 1));
		break;
	default:
		r->avail->ring[prng_range(p, 0, r->num - 1)] = htole16(value);
	}
}

static void scribble_bytes(struct prng *p, void *buf, size_t len)
{
	((uint8_t *)buf)[prng_range(p, 0, len - 1)] = prng_next(p);
}

static void scribble_header(struct scribbler *s, struct prng *p)
{
	static const uint32_t types[] = { 0, 1, 2, 4, 8, 11, 13, 0x80000000, 0xffffffff };
	unsigned int i = prng_range(p, 0, s->e->b.nqueues * DEPTH - 1);
	struct virtio_blk_outhdr *h = s->reqs[i].hdr;

	if (prng_chance(p, 50))
		h->type = htole32(types[prng_range(p, 0, 8)]);
	else
		h->sector = htole64(prng_chance(p, 50) ? prng_next(p) :
				    blk_capacity(&s->e->b) - prng_range(p, 0, 16));
}

static void stroke(struct scribbler *s, struct prng *p)
{
	struct ring *r = &s->e->b.rings[prng_range(p, 0, s->e->b.nqueues - 1)];
	unsigned int target = 1u << prng_range(p, 0, 4);

	if (!(s->targets & target))
		return;
	if (target == TARGET_DESC)
		scribble_desc(s, p, &r->desc[prng_range(p, 0, 3 * DEPTH) % r->num]);
	else if (target == TARGET_TABLE)
		scribble_desc(s, p, ring_table(r, prng_range(p, 0, 3 * DEPTH) % r->num) +
				    prng_range(p, 0, 3));
	else if (target == TARGET_AVAIL)
		scribble_avail(s, p, r);
	else if (target == TARGET_HEADER)
		scribble_header(s, p);
	else
		scribble_bytes(p, r->used, 4 + 8 * r->num + 2);
}

static void *scribble_thread(void *arg)
{
	struct scribbler *s = arg;
	struct prng p = { s->e->seed ^ 0x5c21bb1e };

	while (!s->stop) {
		stroke(s, &p);
		s->strokes++;
		if (prng_chance(&p, 1))
			sched_yield();
	}
	return NULL;
}

/* Good requests on every queue, as far as there is room. */
static void submit_all(struct scribbler *s)
{
	struct blk *b = &s->e->b;
	unsigned int q, i;

	for (q = 0; q < b->nqueues; q++) {
		for (i = 0; i < DEPTH; i++) {
			struct blk_req *r = &s->reqs[q * DEPTH + i];

			blk_req_usual(r, prng_chance(&s->prng, 50), i * 8, s->buf + i * LEN, LEN);
			if (blk_queue(b, q, r, prng_range(&s->prng, RING_DIRECT, RING_MIXED)))
				break;
		}
	}
}

static int round_of(struct scribbler *s, unsigned int strokes)
{
	struct blk *b = &s->e->b;
	unsigned int q, i;

	submit_all(s);
	for (i = 0; i < strokes; i++)
		stroke(s, &s->prng);
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
	CHECK_EQ(bytes_check(s->readonly.va, GUARD_SIZE, CANARY_BYTE), -1);
	CHECK_EQ(bytes_check(s->secret.va, GUARD_SIZE, CANARY_BYTE), -1);
	if (e->opts.name)
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &s->readonly));
	gmem_destroy(&s->readonly);
	gmem_destroy(&s->secret);
	free(s->reqs);
	return 0;
}

/* Everything is written before the device looks: what one seed does can be done again. */
static int run_still(struct env *e, unsigned int targets)
{
	struct scribbler s;
	unsigned int i;

	CHECK_PASS(scribbler_make(&s, e, targets, LEN));
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

	CHECK_PASS(scribbler_make(&s, e, targets, LEN));
	CHECK_EQ(pthread_create(&s.thread, NULL, scribble_thread, &s), 0);
	for (i = 0; i < e->rounds * 10 && !res; i++)
		res = round_of(&s, 0);
	s.stop = true;
	pthread_join(s.thread, NULL);
	ktap_diag("%u rounds, %u resets, %lu strokes", i, s.resets, s.strokes);
	return res ? res : scribbler_finish(&s);
}

static void *scribble_data_thread(void *arg)
{
	struct scribbler *s = arg;
	struct prng p = { s->e->seed };

	while (!s->stop) {
		uint8_t *at = s->buf + prng_range(&p, 0, DEPTH - 1) * s->len;

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
		for (i = 0; i < DEPTH; i++) {
			blk_req_usual(&s->reqs[q * DEPTH + i], type, sector,
				      buf + i * s->len, s->len);
			sector += s->len / SECTOR_SIZE;
			CHECK_OK(blk_queue(b, q, &s->reqs[q * DEPTH + i], RING_INDIRECT));
		}
		ring_flush(&b->rings[q]);
	}
	for (q = 0; q < b->nqueues; q++)
		CHECK_OK(blk_drain(b, q));
	for (i = 0; i < b->nqueues * DEPTH; i++)
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

	CHECK_PASS(scribbler_make(&s, e, 0, LEN));
	in = gmem_alloc(&e->b.mem, DEPTH * LEN, LEN);
	CHECK_EQ(pthread_create(&s.thread, NULL, scribble_data_thread, &s), 0);
	for (i = 0; i < e->rounds * 10 && !res; i++) {
		res = all_blocks(&s, VIRTIO_BLK_T_OUT, s.buf, 0);
		if (!res)
			res = all_blocks(&s, VIRTIO_BLK_T_IN, in, 0);
	}
	s.stop = true;
	pthread_join(s.thread, NULL);
	ktap_diag("%u rounds, %lu strokes", i, s.strokes);
	return res ? res : scribbler_finish(&s);
}

/* Written once each and left so: whoever looks for what went wrong finds all of it. */
static int racing_data_long(void *ctx)
{
	struct env *e = ctx;
	uint64_t sectors = e->b.nqueues * DEPTH * LONG_LEN / SECTOR_SIZE, at;
	struct scribbler s;
	int res = 0;

	CHECK_PASS(scribbler_make(&s, e, 0, LONG_LEN));
	CHECK_EQ(pthread_create(&s.thread, NULL, scribble_data_thread, &s), 0);
	for (at = 0; at + sectors <= blk_capacity(&e->b) && !res; at += sectors)
		res = all_blocks(&s, VIRTIO_BLK_T_OUT, s.buf, at);
	s.stop = true;
	pthread_join(s.thread, NULL);
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
