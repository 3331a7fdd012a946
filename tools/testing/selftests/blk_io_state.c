// SPDX-License-Identifier: GPL-2.0-only
/* Stopping, going on elsewhere, and resets, with requests under way. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_io.h"

#define DEPTH	32u

struct burst {
	struct blk_req reqs[DEPTH];
	uint8_t *bufs[DEPTH];
	unsigned int count;
};

static void burst_init(struct burst *t, struct env *e)
{
	unsigned int i;

	memset(t, 0, sizeof(*t));
	t->count = e->b.num / 4u < DEPTH ? e->b.num / 4u : DEPTH;
	for (i = 0; i < t->count; i++) {
		blk_req_init(&e->b, &t->reqs[i]);
		t->bufs[i] = gmem_alloc(&e->b.mem, 4096, 4096);
	}
}

/* Puts @n requests from the @first on into queue @q, without telling the device. */
static int burst_queue(struct burst *t, struct env *e, unsigned int q, uint32_t type,
		       uint64_t generation, unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = first; i < first + n; i++) {
		if (type == VIRTIO_BLK_T_OUT)
			pattern_fill(t->bufs[i], 4096, i * 8, generation);
		else
			memset(t->bufs[i], CANARY_BYTE, 4096);
		blk_req_usual(&t->reqs[i], type, i * 8, t->bufs[i], 4096);
		CHECK_OK(blk_queue(&e->b, q, &t->reqs[i], RING_DIRECT));
	}
	return 0;
}

static unsigned int burst_done(const struct burst *t)
{
	unsigned int i, n = 0;

	for (i = 0; i < t->count; i++)
		n += t->reqs[i].done;
	return n;
}

/* After a suspend nothing moves, and the device's position is that of the last request it used. */
static int check_stopped(struct env *e, unsigned int q, unsigned int *base)
{
	struct ring *r = &e->b.rings[q];
	uint16_t before;

	CHECK_OK(vhost_get_vring_base(&e->b.v, q, base));
	before = ring_pending(r);
	CHECK_EQ(*base, ring_device_base(r));
	ring_kick(r);
	usleep(20000);
	CHECK_EQ(ring_pending(r), before);
	return 0;
}

static int stop_and_go(struct env *e, struct burst *t, unsigned int round)
{
	unsigned int *bases = calloc(e->b.nqueues, sizeof(*bases)), q, half = t->count / 2;
	uint32_t type = round % 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT;
	int res = 0, err;

	CHECK(bases, "out of memory");
	for (q = 0; q < t->count; q++)
		t->reqs[q].done = false;
	CHECK_PASS(burst_queue(t, e, 0, type, round / 2 + 1, 0, half));
	ring_flush(&e->b.rings[0]);
	usleep(round * 50);
	CHECK_OK(vdpa_suspend(&e->b.v));
	for (q = 0; q < e->b.nqueues && !res; q++)
		res = check_stopped(e, q, &bases[q]);
	if (res)
		goto out;
	/* What a guest adds while it is stopped has to wait. */
	res = burst_queue(t, e, 0, type, round / 2 + 1, half, t->count - half);
	if (res)
		goto out;
	ring_flush(&e->b.rings[0]);
	usleep(20000);
	res = check_stopped(e, 0, &bases[0]);
	if (res)
		goto out;
	err = blk_reset(&e->b);
	if (!err)
		err = blk_resume_at(&e->b, bases);
	if (!err)
		err = blk_drain(&e->b, 0);
	CHECK_OK(err);
	CHECK_EQ(burst_done(t), t->count);
out:
	free(bases);
	return res;
}

/*
 * Suspend, note where each queue is, reset, set up the same rings, go on: nothing lost, nothing
 * done twice.
 */
static int state_suspend(void *ctx)
{
	struct env *e = ctx;
	struct burst *t = malloc(sizeof(*t));
	unsigned int round, i;
	int res = 0;

	if (!(e->b.v.backend_features & BIT(VHOST_BACKEND_F_SUSPEND)))
		CHECK(false, "the device can't be suspended");
	burst_init(t, e);
	for (round = 0; round < e->rounds && !res; round++) {
		res = stop_and_go(e, t, round);
		for (i = 0; i < t->count && !res; i++) {
			if (*t->reqs[i].status ||
			    pattern_check(t->bufs[i], 4096, i * 8, round / 2 + 1) >= 0)
				res = KTAP_FAIL;
		}
	}
	free(t);
	CHECK(!res, "round %u, request %u", round, i);
	return env_verify(e);
}

static int state_resume(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	if (!(e->b.v.backend_features & BIT(VHOST_BACKEND_F_RESUME)))
		SKIP("the device does not offer to resume");
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(vdpa_suspend(&e->b.v));
		CHECK_OK(vdpa_resume(&e->b.v));
		CHECK_PASS(env_verify_queue(e, i % e->b.nqueues, 0));
	}
	return env_verify(e);
}

/* While a device is suspended its rings may be set to another index. */
static int state_rewind(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, q;

	if (!(e->b.v.backend_features & BIT(VHOST_BACKEND_F_RESUME)))
		SKIP("the device does not offer to resume");
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(env_verify(e));
		CHECK_OK(vdpa_suspend(&e->b.v));
		for (q = 0; q < e->b.nqueues; q++) {
			ring_restart(&e->b.rings[q], i * 1000 + q);
			CHECK_OK(vhost_set_vring_base(&e->b.v, q, ring_base(&e->b.rings[q])));
		}
		CHECK_OK(vdpa_resume(&e->b.v));
	}
	return env_verify(e);
}

/* Rings may start at any index. */
static int state_base(void *ctx)
{
	static const uint16_t bases[] = { 1, 255, 256, 12345, 0x7fff, 0x8000, 0xffff };
	struct env *e = ctx;
	unsigned int i, base;

	for (i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		CHECK_OK(blk_restart(&e->b, bases[i]));
		CHECK_PASS(env_verify(e));
		CHECK_OK(vdpa_suspend(&e->b.v));
		CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
		CHECK_EQ(base, ring_device_base(&e->b.rings[0]));
	}
	return 0;
}

/*
 * A reset with requests under way: it returns when the device has let go of them, and from then
 * on nothing is written into memory.
 */
static int state_reset_midway(void *ctx)
{
	struct env *e = ctx;
	struct burst *t = malloc(sizeof(*t));
	struct prng prng = { e->seed };
	unsigned int round, i;
	int res = 0;

	burst_init(t, e);
	for (round = 0; round < e->rounds && !res; round++) {
		for (i = 0; i < e->b.nqueues && !res; i++) {
			res = burst_queue(t, e, i, VIRTIO_BLK_T_IN, 0, 0, t->count);
			ring_flush(&e->b.rings[i]);
		}
		usleep(prng_range(&prng, 0, 2000));
		if (res || blk_reset(&e->b)) {
			res = KTAP_FAIL;
			break;
		}
		for (i = 0; i < t->count; i++)
			memset(t->bufs[i], CANARY_BYTE, 4096);
		usleep(5000);
		for (i = 0; i < t->count; i++)
			if (bytes_check(t->bufs[i], 4096, CANARY_BYTE) >= 0)
				res = KTAP_FAIL;
		for (i = 0; i < e->b.nqueues; i++)
			ring_restart(&e->b.rings[i], round);
		if (!res && blk_start(&e->b))
			res = KTAP_FAIL;
		if (!res)
			res = env_verify(e);
	}
	free(t);
	CHECK(!res, "round %u", round);
	return 0;
}

/* A queue that is not enabled is left alone; the others run. */
static int state_enable_later(void *ctx)
{
	struct env *e = ctx;
	struct burst *t;
	unsigned int i;
	int res;

	if (!(e->b.v.backend_features & BIT(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK)))
		SKIP("the device does not offer to enable queues later");
	CHECK_OK(blk_reset(&e->b));
	for (i = 0; i < e->b.nqueues; i++)
		ring_restart(&e->b.rings[i], 0);
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(vdpa_set_vring_enable(&e->b.v, 0, 0));
	CHECK_OK(vdpa_driver_ok(&e->b.v));
	for (i = 1; i < e->b.nqueues; i++)
		CHECK_PASS(env_verify_queue(e, i, 0));
	t = malloc(sizeof(*t));
	burst_init(t, e);
	res = burst_queue(t, e, 0, VIRTIO_BLK_T_OUT, 7, 0, t->count);
	ring_flush(&e->b.rings[0]);
	usleep(20000);
	if (!res && ring_pending(&e->b.rings[0]))
		res = KTAP_FAIL;
	if (!res && vdpa_set_vring_enable(&e->b.v, 0, 1))
		res = KTAP_FAIL;
	ring_kick(&e->b.rings[0]);
	if (!res && blk_drain(&e->b, 0))
		res = KTAP_FAIL;
	free(t);
	CHECK(!res, "the queue did not wait, or did not start");
	return env_verify(e);
}

/* Status goes up step by step, and only zero takes it back. */
static int state_status(void *ctx)
{
	struct env *e = ctx;
	uint8_t ok = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
		     VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;

	CHECK_EQ(blk_status(&e->b), ok);
	CHECK(vdpa_set_status(&e->b.v, VIRTIO_CONFIG_S_ACKNOWLEDGE) < 0, "status went down");
	CHECK_EQ(blk_status(&e->b), ok);
	CHECK_OK(blk_reset(&e->b));
	CHECK_EQ(blk_status(&e->b), 0);
	CHECK_OK(blk_reset(&e->b));
	return env_verify_reset(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(state_suspend),
	KTAP_TEST(state_resume),
	KTAP_TEST(state_rewind),
	KTAP_TEST(state_base),
	KTAP_TEST(state_reset_midway),
	KTAP_TEST(state_enable_later),
	KTAP_TEST(state_status),
};

const struct ktap_suite blk_io_state_suite = {
	.name = "states",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
