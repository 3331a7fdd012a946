// SPDX-License-Identifier: GPL-2.0-only
/* Queues that start and stop one by one, and whose the store is meanwhile. */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "node.h"
#include "proc.h"

#define LEN	4096u
#define DEPTH	16u

static int enable(struct env *e, unsigned int q, unsigned int num)
{
	struct vhost_vring_state s = { .index = q, .num = num };

	return vhost_ioctl(&e->b.v, VHOST_VDPA_SET_VRING_ENABLE, &s);
}

static int set_backend(struct env *e, int fd)
{
	struct vhost_vring_file f = { .index = 0, .fd = fd };

	return vhost_ioctl(&e->b.v, VHOST_BLK_SET_BACKEND, &f);
}

/* A store, and queues that know all but that they are to run. */
static int attached(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(env_open(e));
	CHECK_EQ(set_backend(e, e->b.store_fd), 0);
	CHECK_OK(blk_prepare(&e->b));
	return 0;
}

static int enable_values(void *ctx)
{
	struct env *e = ctx;

	CHECK_EQ(enable(e, 64, 1), -ENOBUFS);
	CHECK_EQ(enable(e, ~0u, 0), -ENOBUFS);
	CHECK_EQ(enable(e, 0, 2), -EINVAL);
	CHECK_EQ(enable(e, 0, ~0u), -EINVAL);
	/* Nobody said where it is. */
	CHECK_EQ(enable(e, e->b.nqueues, 1), -EINVAL);
	CHECK_EQ(enable(e, e->b.nqueues, 0), 0);
	CHECK_OK(vhost_set_vring_num(&e->b.v, 0, 32768));
	CHECK_EQ(enable(e, 0, 1), -EINVAL);
	CHECK_OK(vhost_set_vring_num(&e->b.v, 0, e->b.rings[0].num));
	CHECK_EQ(set_backend(e, -1), 0);
	CHECK_EQ(enable(e, 0, 1), -ENXIO);
	CHECK_EQ(enable(e, 0, 0), 0);
	CHECK_EQ(set_backend(e, e->b.store_fd), 0);
	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_EQ(enable(e, 0, 1), 0);
	return env_verify(e);
}

static int child_enables(struct env *e, void *arg)
{
	(void)arg;
	return enable(e, 0, 1) != -EPERM || enable(e, 0, 0) != -EPERM;
}

static int enable_of_others(void *ctx)
{
	struct env *e = ctx;

	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_EQ(proc_wait(proc_run(child_enables, e, NULL)), 0);
	return env_verify_queue(e, 0, 0);
}

static int submit_reads(struct env *e, unsigned int q, struct blk_req *r, uint8_t *buf)
{
	unsigned int i;

	for (i = 0; i < DEPTH; i++) {
		blk_req_init(&e->b, &r[i]);
		blk_req_usual(&r[i], VIRTIO_BLK_T_IN, i * 8, buf + i * LEN, LEN);
		CHECK_OK(blk_submit(&e->b, q, &r[i]));
	}
	return 0;
}

/* One that isn't enabled takes nothing, however it is kicked; what was made available waits. */
static int enable_one(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, DEPTH * LEN, LEN);
	struct blk_req r[DEPTH];
	unsigned int q, base;

	CHECK_EQ(enable(e, 1, 1), 0);
	CHECK_PASS(submit_reads(e, 0, r, buf));
	for (q = 0; q < 4; q++)
		CHECK_PASS(env_verify_queue(e, 1, 1024 + q * 64));
	CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
	CHECK_EQ(base, 0);
	CHECK_EQ(ring_pending(&e->b.rings[0]), 0);
	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_OK(blk_drain(&e->b, 0));
	CHECK_PASS(env_verify_queue(e, 0, 0));
	return env_verify_queue(e, 1, 64);
}

/* What it has is completed and shown, others go on, and it goes on from there. */
static int enable_and_disable(void *ctx)
{
	struct env *e = ctx;
	struct ring *ring = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, DEPTH * LEN, LEN);
	struct blk_req r[DEPTH];
	unsigned int i, base, left;

	CHECK_EQ(enable(e, 1, 1), 0);
	for (i = 0; i < e->rounds * 4; i++) {
		CHECK_EQ(enable(e, 0, 1), 0);
		CHECK_PASS(submit_reads(e, 0, r, buf));
		CHECK_EQ(enable(e, 0, 0), 0);
		CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
		left = ring_in_flight(ring) - ring_pending(ring);
		CHECK_EQ((uint16_t)(ring->avail_idx - base), left);
		CHECK_PASS(env_verify_queue(e, 1, 1024));
		CHECK_EQ(ring_in_flight(ring) - ring_pending(ring), left);
		CHECK_EQ(enable(e, 0, 1), 0);
		CHECK_OK(blk_drain(&e->b, 0));
	}
	return env_verify_queue(e, 0, 0);
}

/* Stopped, a queue can be told all that a new one is told. */
static int enable_anew(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	unsigned int i;

	CHECK_EQ(enable(e, 1, 1), 0);
	for (i = 0; i < e->rounds; i++) {
		CHECK_EQ(enable(e, 0, 1), 0);
		CHECK_EQ(vhost_set_vring_num(&e->b.v, 0, r->num), -EBUSY);
		CHECK_PASS(env_verify_queue(e, 0, 0));
		CHECK_EQ(enable(e, 0, 0), 0);
		ring_restart(r, (uint16_t)(i * 0x3333));
		CHECK_OK(vhost_set_vring_num(&e->b.v, 0, r->num));
		CHECK_OK(vhost_set_vring_base(&e->b.v, 0, r->avail_idx));
		CHECK_OK(e->b.transport->place(&e->b, 0, r->desc_iova, r->avail_iova,
					       r->used_iova));
	}
	CHECK_EQ(enable(e, 0, 1), 0);
	return env_verify(e);
}

/* A broken queue is healed by its own stop. */
static int enable_heals(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];

	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_EQ(enable(e, 1, 1), 0);
	ring_raw_avail_idx(r, r->num + 1);
	ring_kick(r);
	CHECK(blk_wait_needs_reset(&e->b), "the error event stays silent");
	CHECK_PASS(env_verify_queue(e, 1, 64));
	CHECK_EQ(enable(e, 0, 0), 0);
	ring_restart(r, 0);
	CHECK_OK(vhost_set_vring_base(&e->b.v, 0, 0));
	CHECK_EQ(enable(e, 0, 1), 0);
	e->b.expect_broken = true;
	CHECK_PASS(env_verify_queue(e, 0, 0));
	return env_verify_queue(e, 1, 64);
}

static int threads_become(unsigned int n)
{
	unsigned int ms;

	for (ms = 0; proc_threads() != n; ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "%u threads, not %u", proc_threads(), n);
		usleep(1000);
	}
	return 0;
}

/* Each has a thread while it runs; what they share comes with the first and goes with the last. */
static int enable_threads(void *ctx)
{
	struct env *e = ctx;
	unsigned int before = proc_threads(), one;

	CHECK_EQ(enable(e, 0, 1), 0);
	one = proc_threads();
	if (one == before)
		SKIP("its threads are the kernel's");
	CHECK_EQ(enable(e, 1, 1), 0);
	CHECK_EQ(proc_threads(), one + 1);
	CHECK_EQ(enable(e, 0, 0), 0);
	CHECK_PASS(threads_become(one));
	CHECK_PASS(env_verify_queue(e, 1, 0));
	CHECK_EQ(enable(e, 1, 0), 0);
	return threads_become(before);
}

/* After a drain one goes on, and the others at their own word. */
static int enable_drained(void *ctx)
{
	struct env *e = ctx;
	struct vhost_drain drain = { .timeout_ms = BLK_HANG_LIMIT_MS };

	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_EQ(enable(e, 1, 1), 0);
	CHECK_PASS(env_verify(e));
	EXPECT(e, 0, VHOST_DRAIN, &drain);
	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_PASS(env_verify_queue(e, 0, 0));
	CHECK_EQ(enable(e, 1, 0), 0);
	CHECK_EQ(enable(e, 1, 1), 0);
	return env_verify(e);
}

struct toggler {
	struct env *e;
	bool stop;
	int bad;
};

static void *toggle(void *arg)
{
	struct toggler *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		if (enable(t->e, 0, 0) || enable(t->e, 0, 1))
			t->bad++;
		/* Long enough to take something. */
		usleep(2000);
	}
	return NULL;
}

/* Another thread stops and starts it all the time: nothing is lost or done twice. */
static int enable_under_load(void *ctx)
{
	struct env *e = ctx;
	struct toggler t = { .e = e };
	pthread_t thread;
	unsigned int i;
	int res = 0;

	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_EQ(enable(e, 1, 1), 0);
	CHECK_EQ(pthread_create(&thread, NULL, toggle, &t), 0);
	for (i = 0; i < e->rounds * 8 && !res; i++)
		res = env_verify(e);
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK_EQ(t.bad, 0);
	return res;
}

/*
 * Two disks of one file can stand ready; it is the one's whose queues run, or theirs who say that
 * they share it. Block devices are kept by whoever opens them.
 */
static int enable_one_file(void *ctx)
{
	struct env *e = ctx, other = *e;
	int shared = 1, wrong = 2;

	if (!env_store_is_file(e))
		SKIP("for files");
	CHECK_PASS(attached(&other));
	CHECK_EQ(enable(e, 0, 1), 0);
	CHECK_EQ(enable(&other, 0, 1), -EBUSY);
	CHECK_PASS(env_verify_queue(e, 0, 0));
	CHECK_EQ(enable(e, 1, 1), 0);
	CHECK_EQ(enable(e, 0, 0), 0);
	CHECK_EQ(enable(&other, 0, 1), -EBUSY);
	CHECK_EQ(enable(e, 1, 0), 0);
	CHECK_EQ(enable(&other, 0, 1), 0);
	CHECK_EQ(enable(e, 0, 1), -EBUSY);
	CHECK_PASS(env_verify_queue(&other, 0, 0));

	EXPECT(e, -EBUSY, VHOST_BLK_SET_SHARED, &shared);
	CHECK_EQ(set_backend(e, -1), 0);
	EXPECT(e, -EINVAL, VHOST_BLK_SET_SHARED, &wrong);
	EXPECT(e, 0, VHOST_BLK_SET_SHARED, &shared);
	/* The queues know all that they need: this starts them. */
	CHECK_EQ(set_backend(e, e->b.store_fd), -EBUSY);
	CHECK_EQ(set_backend(&other, -1), 0);
	EXPECT(&other, 0, VHOST_BLK_SET_SHARED, &shared);
	CHECK_EQ(set_backend(&other, other.b.store_fd), 0);
	CHECK_EQ(set_backend(e, e->b.store_fd), 0);
	CHECK_PASS(env_verify_queue(e, 0, 0));
	CHECK_PASS(env_verify_queue(&other, 0, 0));
	blk_close(&other.b);
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(enable_values),
	KTAP_TEST(enable_of_others),
	KTAP_TEST(enable_one),
	KTAP_TEST(enable_and_disable),
	KTAP_TEST(enable_anew),
	KTAP_TEST(enable_heals),
	KTAP_TEST(enable_threads),
	KTAP_TEST(enable_drained),
	KTAP_TEST(enable_under_load),
	KTAP_TEST(enable_one_file),
};

static int attached_two(void *ctx)
{
	struct env *e = ctx;

	e->opts.queues = 2;
	return attached(e);
}

const struct ktap_suite node_enable_suite = {
	.name = "queues one by one",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = attached_two,
	.teardown = env_close,
};
