// SPDX-License-Identifier: GPL-2.0-only
/* Notifications in both directions: none too few, and none where the other side asked for none. */
#include <unistd.h>

#include "blk_io.h"

#define BURST	8u

/* The device in the mode without the event index. */
static int without_event_idx(struct env *e)
{
	struct blk_opts opts = e->opts;

	blk_close(&e->b);
	opts.without = BIT(VIRTIO_RING_F_EVENT_IDX);
	CHECK_OK(blk_open(&e->b, &opts));
	CHECK_OK(blk_start(&e->b));
	return 0;
}

static int queue_burst(struct env *e, struct blk_req *reqs, uint8_t *buf, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		blk_req_usual(&reqs[i], VIRTIO_BLK_T_IN, i * 8, buf, 4096);
		CHECK_OK(blk_queue(&e->b, 0, &reqs[i], RING_INDIRECT));
	}
	return 0;
}

/* By looking at the ring alone. */
static int await_used(struct env *e, unsigned int n)
{
	unsigned int ms;

	for (ms = 0; ring_pending(&e->b.rings[0]) < n; ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "%u of %u used", ring_pending(&e->b.rings[0]), n);
		usleep(1000);
	}
	return 0;
}

/* A last request with a call: once it has come, no earlier one can still be on its way. */
static int calls_after_one_more(struct env *e, uint64_t *calls)
{
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, 4096, 4096);
	unsigned int ms;

	ring_arm_call(r, 1);
	blk_req_usual(&e->b.reqs[0], VIRTIO_BLK_T_IN, 0, buf, 4096);
	CHECK_OK(blk_queue(&e->b, 0, &e->b.reqs[0], RING_INDIRECT));
	ring_flush(r);
	CHECK_PASS(await_used(e, 1));
	*calls = ring_take_calls(r);
	for (ms = 0; !*calls && ms < BLK_HANG_LIMIT_MS; ms++) {
		usleep(1000);
		*calls = ring_take_calls(r);
	}
	CHECK(*calls, "no call came");
	CHECK_EQ(blk_collect(&e->b, 0), 1);
	return 0;
}

static int suppressed_calls(struct env *e)
{
	struct blk_req reqs[BURST];
	uint8_t *buf = gmem_alloc(&e->b.mem, 4096, 4096);
	uint64_t calls;
	unsigned int i;

	for (i = 0; i < BURST; i++)
		blk_req_init(&e->b, &reqs[i]);
	/* A device may make its very first call unasked. */
	CHECK_PASS(calls_after_one_more(e, &calls));
	ring_suppress_calls(&e->b.rings[0]);
	CHECK_PASS(queue_burst(e, reqs, buf, BURST));
	ring_flush(&e->b.rings[0]);
	CHECK_PASS(await_used(e, BURST));
	CHECK_EQ(blk_collect(&e->b, 0), BURST);
	CHECK_PASS(calls_after_one_more(e, &calls));
	CHECK_EQ(calls, 1);
	return 0;
}

static int event_suppressed(void *ctx)
{
	return suppressed_calls(ctx);
}

static int flags_suppressed(void *ctx)
{
	CHECK_PASS(without_event_idx(ctx));
	return suppressed_calls(ctx);
}

/* One call for a burst, when the index passes the one that the driver named. */
static int event_threshold(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	struct blk_req reqs[BURST];
	uint8_t *buf = gmem_alloc(&e->b.mem, 4096, 4096);
	uint64_t calls = 0, total = 0;
	unsigned int i, ms;

	for (i = 0; i < BURST; i++)
		blk_req_init(&e->b, &reqs[i]);
	CHECK_PASS(calls_after_one_more(e, &calls));
	calls = 0;
	ring_arm_call(r, BURST);
	CHECK_PASS(queue_burst(e, reqs, buf, BURST));
	ring_flush(r);
	for (ms = 0; !calls; ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "no call came");
		usleep(1000);
		calls = ring_take_calls(r);
	}
	CHECK_EQ(ring_pending(r), BURST);
	CHECK_EQ(blk_collect(&e->b, 0), BURST);
	total = calls;
	CHECK_PASS(calls_after_one_more(e, &calls));
	CHECK_EQ(total + calls, 2);
	return 0;
}

/* Tells the device only when it asks for that; a request that is not seen would never end. */
static int polite_kicks(struct env *e, const char *mode)
{
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, 4096, 4096);
	unsigned int n = e->rounds * 50, kicks = 0, i;

	for (i = 0; i < n; i++) {
		blk_req_usual(&e->b.reqs[0], VIRTIO_BLK_T_IN, i % 128 * 8, buf, 4096);
		CHECK_OK(blk_queue(&e->b, 0, &e->b.reqs[0], RING_INDIRECT));
		if (ring_publish(r)) {
			ring_kick(r);
			kicks++;
		}
		CHECK_OK(blk_wait(&e->b, 0, &e->b.reqs[0]));
	}
	ktap_diag("%s: %u requests one by one, %u kicks", mode, n, kicks);
	return 0;
}

static int event_kicks(void *ctx)
{
	return polite_kicks(ctx, "event index");
}

static int flags_kicks(void *ctx)
{
	CHECK_PASS(without_event_idx(ctx));
	return polite_kicks(ctx, "flags");
}

/* Kicks that announce nothing cost time and do no harm. */
static int event_idle_kicks(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, q;

	for (i = 0; i < 2000; i++)
		for (q = 0; q < e->b.nqueues; q++)
			ring_kick(&e->b.rings[q]);
	CHECK_EQ(blk_needs_reset(&e->b), 0);
	return env_verify(e);
}

/* A driver that polls sets no call eventfd at all. */
static int event_polling(void *ctx)
{
	struct env *e = ctx;
	struct blk_req reqs[BURST];
	uint8_t *buf = gmem_alloc(&e->b.mem, 4096, 4096);
	unsigned int i;

	CHECK_OK(vhost_set_vring_call(&e->b.v, 0, -1));
	for (i = 0; i < BURST; i++)
		blk_req_init(&e->b, &reqs[i]);
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(queue_burst(e, reqs, buf, BURST));
		ring_flush(&e->b.rings[0]);
		CHECK_PASS(await_used(e, BURST));
		CHECK_EQ(blk_collect(&e->b, 0), BURST);
	}
	CHECK_OK(vhost_set_vring_call(&e->b.v, 0, e->b.rings[0].call_fd));
	return env_verify(e);
}

/* The kick eventfd can be replaced while the device runs. */
static int event_new_kick(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(vhost_set_vring_kick(&e->b.v, 0, -1));
		CHECK_OK(vhost_set_vring_kick(&e->b.v, 0, e->b.rings[0].kick_fd));
		CHECK_PASS(env_verify_queue(e, 0, 0));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(event_suppressed),
	KTAP_TEST(flags_suppressed),
	KTAP_TEST(event_threshold),
	KTAP_TEST(event_kicks),
	KTAP_TEST(flags_kicks),
	KTAP_TEST(event_idle_kicks),
	KTAP_TEST(event_polling),
	KTAP_TEST(event_new_kick),
};

const struct ktap_suite blk_io_event_suite = {
	.name = "notifications",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
