// SPDX-License-Identifier: GPL-2.0-only
/* Rings that fill up, wrap around, start anywhere, and run side by side. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "blk_io.h"

#define DEPTH_MAX	64u
#define REQ_MAX_LEN	16384u
#define REGION		2048u	/* sectors that a thread has to itself */

/* Every descriptor of the ring in use at once, twice over. */
static int fill_ring(struct env *e, enum ring_layout layout, unsigned int descs)
{
	struct blk *b = &e->b;
	unsigned int n = b->num / descs, i, turn;
	struct blk_req *reqs = calloc(n, sizeof(*reqs));
	uint8_t *buf = gmem_alloc(&b->mem, n * 4096, 4096);
	int err = 0;

	CHECK(reqs, "out of memory");
	for (i = 0; i < n; i++)
		blk_req_init(b, &reqs[i]);
	for (turn = 0; turn < 4 && !err; turn++) {
		pattern_fill(buf, n * 4096, 0, turn / 2 + 1);
		if (turn % 2)
			memset(buf, CANARY_BYTE, n * 4096);
		for (i = 0; i < n && !err; i++) {
			blk_req_usual(&reqs[i], turn % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT,
				      i * 8, buf + i * 4096, 4096);
			err = blk_queue(b, 0, &reqs[i], layout);
		}
		ring_flush(&b->rings[0]);
		if (!err)
			err = blk_drain(b, 0);
		for (i = 0; i < n && !err; i++)
			err = *reqs[i].status ? -1 : 0;
	}
	free(reqs);
	CHECK_OK(err);
	CHECK_EQ(pattern_check(buf, n * 4096, 0, 2), -1);
	return 0;
}

static int queue_full_direct(void *ctx)
{
	return fill_ring(ctx, RING_DIRECT, 3);
}

static int queue_full_indirect(void *ctx)
{
	return fill_ring(ctx, RING_INDIRECT, 1);
}

static int queue_full_mixed(void *ctx)
{
	return fill_ring(ctx, RING_MIXED, 2);
}

struct slot {
	struct blk_req req;
	uint8_t *buf;
	uint32_t sector;
	uint32_t count;
	uint64_t generation;
	bool busy;
};

/* A thread that keeps its queue at a depth and knows what every sector of its region holds. */
struct worker {
	struct env *e;
	unsigned int q;
	unsigned int depth;
	unsigned int requests;
	uint64_t first_sector;
	struct prng prng;
	struct slot slots[DEPTH_MAX];
	uint32_t generation[REGION];
	bool busy[REGION];
	pthread_t thread;
	int res;
};

static void worker_init(struct worker *w, struct env *e, unsigned int q, unsigned int depth,
			unsigned int requests)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	w->e = e;
	w->q = q;
	w->depth = depth < DEPTH_MAX ? depth : DEPTH_MAX;
	w->requests = requests;
	w->first_sector = (uint64_t)q * REGION;
	w->prng.state = e->seed * 1000 + q;
	for (i = 0; i < w->depth; i++) {
		blk_req_init(&e->b, &w->slots[i].req);
		w->slots[i].buf = gmem_alloc(&e->b.mem, REQ_MAX_LEN, 512);
	}
}

static void set_busy(struct worker *w, const struct slot *s, bool busy)
{
	uint32_t i;

	for (i = 0; i < s->count; i++)
		w->busy[s->sector + i] = busy;
}

static bool is_busy(const struct worker *w, const struct slot *s)
{
	uint32_t i;

	for (i = 0; i < s->count; i++)
		if (w->busy[s->sector + i])
			return true;
	return false;
}

static bool is_known(const struct worker *w, const struct slot *s)
{
	uint32_t i;

	for (i = 0; i < s->count; i++)
		if (!w->generation[s->sector + i])
			return false;
	return true;
}

/* Requests in flight together don't touch the same sectors: their order is not defined. */
static int worker_submit(struct worker *w, struct slot *s, uint64_t generation)
{
	uint32_t block = blk_block_size(&w->e->b) / SECTOR_SIZE, i;
	uint32_t max = REQ_MAX_LEN / SECTOR_SIZE / block;

	s->count = prng_range(&w->prng, 1, max) * block;
	s->sector = prng_range(&w->prng, 0, (REGION - s->count) / block) * block;
	if (is_busy(w, s))
		return 0;
	set_busy(w, s, true);
	s->busy = true;
	if (is_known(w, s) && prng_chance(&w->prng, 50)) {
		s->generation = 0;
		blk_req_usual(&s->req, VIRTIO_BLK_T_IN, w->first_sector + s->sector, s->buf,
			      s->count * SECTOR_SIZE);
	} else {
		s->generation = generation;
		for (i = 0; i < s->count; i++)
			w->generation[s->sector + i] = generation;
		pattern_fill(s->buf, s->count * SECTOR_SIZE, w->first_sector + s->sector,
			     generation);
		blk_req_usual(&s->req, VIRTIO_BLK_T_OUT, w->first_sector + s->sector, s->buf,
			      s->count * SECTOR_SIZE);
	}
	CHECK_OK(blk_queue(&w->e->b, w->q, &s->req,
			   prng_chance(&w->prng, 50) ? RING_INDIRECT : RING_DIRECT));
	return 0;
}

static int worker_finish(struct worker *w, struct slot *s)
{
	uint32_t i;

	s->busy = false;
	set_busy(w, s, false);
	CHECK_EQ(*s->req.status, VIRTIO_BLK_S_OK);
	for (i = 0; i < s->count && !s->generation; i++)
		CHECK(pattern_check(s->buf + i * SECTOR_SIZE, SECTOR_SIZE,
				    w->first_sector + s->sector + i,
				    w->generation[s->sector + i]) < 0,
		      "queue %u, sector %u", w->q, s->sector + i);
	return 0;
}

static int worker_loop(struct worker *w)
{
	struct blk *b = &w->e->b;
	unsigned int n = 0, i;

	while (n < w->requests) {
		unsigned int batch = prng_range(&w->prng, 1, w->depth);

		for (i = 0; i < w->depth && batch && n < w->requests; i++) {
			if (w->slots[i].busy)
				continue;
			CHECK_PASS(worker_submit(w, &w->slots[i], ++n));
			batch--;
		}
		ring_flush(&b->rings[w->q]);
		for (i = 0; i < w->depth && !w->slots[i].busy; i++)
			;
		if (i == w->depth)
			continue;
		CHECK_OK(blk_wait(b, w->q, &w->slots[i].req));
		for (i = 0; i < w->depth; i++)
			if (w->slots[i].busy && w->slots[i].req.done)
				CHECK_PASS(worker_finish(w, &w->slots[i]));
	}
	CHECK_OK(blk_drain(b, w->q));
	for (i = 0; i < w->depth; i++)
		if (w->slots[i].busy)
			CHECK_PASS(worker_finish(w, &w->slots[i]));
	return 0;
}

static void *worker_thread(void *arg)
{
	struct worker *w = arg;

	w->res = worker_loop(w);
	return NULL;
}

static int run_workers(struct env *e, unsigned int n, unsigned int depth, unsigned int requests)
{
	struct worker *workers = calloc(n, sizeof(*workers));
	unsigned int i;
	int res = 0;

	CHECK(workers, "out of memory");
	/* Three descriptors a request in the ring. */
	if (depth > e->b.num / 3)
		depth = e->b.num / 3;
	for (i = 0; i < n; i++)
		worker_init(&workers[i], e, i, depth, requests);
	for (i = 0; i < n; i++)
		pthread_create(&workers[i].thread, NULL, worker_thread, &workers[i]);
	for (i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		res = res ? res : workers[i].res;
	}
	free(workers);
	return res;
}

static int queue_one_deep(void *ctx)
{
	struct env *e = ctx;

	return run_workers(e, 1, 32, e->rounds * 50);
}

static int queue_all_at_once(void *ctx)
{
	struct env *e = ctx;
	unsigned int n = e->b.nqueues < 16 ? e->b.nqueues : 16;

	if (n < 2)
		SKIP("the device has one queue");
	return run_workers(e, n, 16, e->rounds * 20);
}

/* The index, of 16 bits, wraps around; so does the position in the ring, often. */
static int queue_wrap(void *ctx)
{
	struct env *e = ctx;

	e->b.opts.base = 0xff80;
	CHECK_OK(blk_restart(&e->b, 0xff80));
	CHECK_PASS(run_workers(e, 1, 16, 1000));
	CHECK(e->b.rings[0].avail_idx < 0xff80, "index %u", e->b.rings[0].avail_idx);
	return 0;
}

/* Smaller rings than the device takes at most, and the smallest. */
static int queue_sizes(void *ctx)
{
	struct env *e = ctx;
	struct blk_opts opts = e->opts;
	uint16_t num;

	for (num = e->b.num; num; num /= 4) {
		blk_close(&e->b);
		opts.num = num;
		CHECK_OK(blk_open(&e->b, &opts));
		CHECK_OK(blk_start(&e->b));
		CHECK_PASS(env_verify(e));
		if (num >= 3)
			CHECK_PASS(run_workers(e, 1, 16, 200));
	}
	return 0;
}

/* Each of the features that a driver may leave alone, left alone. */
static int queue_features(void *ctx)
{
	static const unsigned int optional[] = { VIRTIO_RING_F_INDIRECT_DESC,
		VIRTIO_RING_F_EVENT_IDX, VIRTIO_BLK_F_SIZE_MAX, VIRTIO_BLK_F_SEG_MAX,
		VIRTIO_BLK_F_BLK_SIZE, VIRTIO_BLK_F_TOPOLOGY, VIRTIO_BLK_F_CONFIG_WCE,
		VIRTIO_BLK_F_MQ };
	struct env *e = ctx;
	struct blk_opts opts = e->opts;
	unsigned int i;

	for (i = 0; i < sizeof(optional) / sizeof(*optional); i++) {
		blk_close(&e->b);
		opts.without = BIT(optional[i]);
		opts.queues = optional[i] == VIRTIO_BLK_F_MQ ? 1 : 0;
		CHECK_OK(blk_open(&e->b, &opts));
		CHECK_OK(blk_start(&e->b));
		CHECK_PASS(env_verify(e));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(queue_full_direct),
	KTAP_TEST(queue_full_indirect),
	KTAP_TEST(queue_full_mixed),
	KTAP_TEST(queue_one_deep),
	KTAP_TEST(queue_all_at_once),
	KTAP_TEST(queue_wrap),
	KTAP_TEST(queue_sizes),
	KTAP_TEST(queue_features),
};

const struct ktap_suite blk_io_queue_suite = {
	.name = "queues",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
