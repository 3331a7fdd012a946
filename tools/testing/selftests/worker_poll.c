// SPDX-License-Identifier: GPL-2.0-only
/* Busy polling: queues that are looked at while they are empty. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include <linux/pvio.h>

#include "nl.h"
#include "worker.h"

#define US_MAX	10000u
#define LEN	4096u

static int poll_values(void *ctx)
{
	static const struct {
		unsigned int us;
		int want;
	} cases[] = {
		{ 1, 0 }, { 50, 0 }, { US_MAX, 0 }, { US_MAX + 1, -EINVAL },
		{ 1u << 31, -EINVAL }, { ~0u, -EINVAL }, { 0, 0 },
	};
	static const unsigned int queues[] = { 64, 65, 0x7fffffff, ~0u };
	struct env *e = ctx;
	unsigned int i, us, before = 0;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CHECK_EQ(vhost_set_busyloop(&e->b.v, 1, cases[i].us), cases[i].want);
		if (!cases[i].want)
			before = cases[i].us;
		CHECK_OK(vhost_get_busyloop(&e->b.v, 1, &us));
		CHECK_EQ(us, before);
		CHECK_OK(vhost_get_busyloop(&e->b.v, 0, &us));
		CHECK_EQ(us, 0);
	}
	for (i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
		CHECK_EQ(vhost_set_busyloop(&e->b.v, queues[i], 1), -ENOBUFS);
		CHECK_EQ(vhost_get_busyloop(&e->b.v, queues[i], &us), -ENOBUFS);
	}
	CHECK_OK(vhost_set_busyloop(&e->b.v, 1, US_MAX));
	CHECK_OK(blk_restart(&e->b, 0));
	CHECK_OK(vhost_get_busyloop(&e->b.v, 1, &us));
	CHECK_EQ(us, 0);
	return 0;
}

/* What the kernel counts for the first queue of this process's only device. */
struct counted {
	uint32_t id;
	uint64_t polled, batches, kicks;
	uint32_t worker;
	bool found;
};

static int take_dev(const struct nl_answer *a, void *arg)
{
	struct counted *c = arg;

	if (nl_u32(a, PVIO_A_DEV_PID) == (uint32_t)getpid())
		c->id = nl_u32(a, PVIO_A_DEV_ID);
	return 0;
}

static int take_queue(const struct nl_answer *a, void *arg)
{
	struct counted *c = arg;
	struct nl_answer stats;

	if (nl_u32(a, PVIO_A_QUEUE_DEV_ID) != c->id || nl_u32(a, PVIO_A_QUEUE_INDEX))
		return 0;
	nl_nested(a, PVIO_A_QUEUE_STATS, &stats);
	c->polled = nl_u64(&stats, PVIO_A_STATS_POLLED);
	c->batches = nl_u64(&stats, PVIO_A_STATS_BATCHES);
	c->kicks = nl_u64(&stats, PVIO_A_STATS_KICKS);
	c->worker = nl_u32(a, PVIO_A_QUEUE_WORKER);
	c->found = true;
	return 0;
}

static int count(struct counted *c)
{
	struct nl n;

	memset(c, 0, sizeof(*c));
	CHECK_OK(nl_open(&n));
	CHECK_OK(nl_dump(&n, PVIO_CMD_DEV_GET, take_dev, c));
	CHECK(c->id, "the device is not there");
	CHECK_OK(nl_dump(&n, PVIO_CMD_QUEUE_GET, take_queue, c));
	nl_close(&n);
	CHECK(c->found, "the queue is not there");
	return 0;
}

static int wait_wants_kick(struct env *e, unsigned int q)
{
	unsigned int ms;

	for (ms = 0; !ring_wants_kick(&e->b.rings[q]); ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "queue %u is polled for ever", q);
		usleep(1000);
	}
	return 0;
}

static int read_some(struct env *e, unsigned int q, unsigned int n)
{
	size_t mark = gmem_mark(&e->b.mem);
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	unsigned int i;

	for (i = 0; i < n; i++)
		CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_IN, i * 8, buf, LEN), VIRTIO_BLK_S_OK);
	gmem_release(&e->b.mem, mark);
	return 0;
}

/* One request after the other: each comes while the queue is empty. */
static int poll_finds(struct env *e)
{
	struct counted before, after;
	unsigned int n = e->rounds * 20;

	CHECK_PASS(count(&before));
	CHECK_PASS(read_some(e, 0, n));
	CHECK_PASS(wait_wants_kick(e, 0));
	CHECK_PASS(count(&after));
	CHECK_EQ(after.polled - before.polled, 0);
	ktap_diag("unpolled: %llu kicks for %u requests",
		  (unsigned long long)(after.kicks - before.kicks), n);

	CHECK_OK(vhost_set_busyloop(&e->b.v, 0, US_MAX));
	CHECK_PASS(count(&before));
	CHECK_PASS(read_some(e, 0, n));
	CHECK_PASS(wait_wants_kick(e, 0));
	CHECK_PASS(count(&after));
	ktap_diag("polled: %llu kicks for %u requests, %llu of %llu batches found",
		  (unsigned long long)(after.kicks - before.kicks), n,
		  (unsigned long long)(after.polled - before.polled),
		  (unsigned long long)(after.batches - before.batches));
	CHECK(after.polled > before.polled, "polling finds nothing");
	CHECK(after.kicks - before.kicks < n, "each request takes a kick");

	CHECK_OK(vhost_set_busyloop(&e->b.v, 0, 0));
	CHECK_PASS(count(&before));
	CHECK_PASS(read_some(e, 0, n));
	CHECK_PASS(count(&after));
	CHECK_EQ(after.polled - before.polled, 0);
	return env_verify(e);
}

static int poll_by_event(void *ctx)
{
	struct env *e = ctx;

	CHECK(e->b.features & BIT(VIRTIO_RING_F_EVENT_IDX), "no event index");
	return poll_finds(e);
}

static int poll_by_flag(void *ctx)
{
	struct env *e = ctx, own = *e;
	int res;

	own.opts.without = BIT(VIRTIO_RING_F_EVENT_IDX);
	CHECK_PASS(env_close(e));
	CHECK_PASS(env_start(&own));
	res = poll_finds(&own);
	CHECK_PASS(env_close(&own));
	CHECK_PASS(env_start(e));
	return res;
}

static int run_time(uint32_t tid, unsigned long long *ns)
{
	char path[64];
	FILE *f;
	int n;

	snprintf(path, sizeof(path), "/proc/%u/schedstat", tid);
	f = fopen(path, "r");
	CHECK(f, "no %s", path);
	n = fscanf(f, "%llu", ns);
	fclose(f);
	CHECK_EQ(n, 1);
	return 0;
}

/* When polling ends, the thread sleeps. */
static int poll_ends(void *ctx)
{
	unsigned long long before, after;
	struct env *e = ctx;
	struct counted c;
	unsigned int i;

	CHECK_OK(vhost_set_busyloop(&e->b.v, 0, US_MAX));
	/* A thread is known from its first turn on. */
	CHECK_PASS(read_some(e, 0, 1));
	CHECK_PASS(count(&c));
	CHECK(c.worker, "no worker");
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(read_some(e, 0, 1));
		CHECK_PASS(wait_wants_kick(e, 0));
	}
	/* It has asked for a kick, and may not have got to sleep yet. */
	CHECK_PASS(run_time(c.worker, &after));
	do {
		before = after;
		usleep(20000);
		CHECK_PASS(run_time(c.worker, &after));
	} while (before != after && i++ < 1000);
	CHECK_EQ(before, after);
	return env_verify(e);
}

/* Stops, starts, changes of workers and of the time itself, each in the midst of it. */
static int poll_interrupted(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, id;

	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(vhost_set_busyloop(&e->b.v, 0, US_MAX));
		CHECK_PASS(read_some(e, 0, 2));
		CHECK_OK(vhost_attach_worker(&e->b.v, 0, id));
		CHECK_PASS(read_some(e, 0, 2));
		CHECK_OK(vhost_set_busyloop(&e->b.v, 0, i % 2 ? 0 : 1));
		CHECK_PASS(read_some(e, 0, 2));
		CHECK_OK(vhost_set_busyloop(&e->b.v, 0, US_MAX));
		CHECK_PASS(read_some(e, 0, 2));
		CHECK_OK(vhost_ioctl(&e->b.v, VHOST_BLK_SET_BACKEND,
				     &(struct vhost_vring_file){ .fd = -1 }));
		CHECK_OK(e->b.transport->go(&e->b));
		CHECK_PASS(read_some(e, 0, 2));
		CHECK_OK(blk_restart(&e->b, i));
		CHECK_OK(vhost_new_worker(&e->b.v, &id));
	}
	return env_verify(e);
}

/* Queues that share a worker, all of them polled: each is served. */
static int poll_shared(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, id, q;

	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	for (q = 0; q < e->b.nqueues; q++) {
		CHECK_OK(vhost_attach_worker(&e->b.v, q, id));
		CHECK_OK(vhost_set_busyloop(&e->b.v, q, US_MAX));
	}
	for (i = 0; i < e->rounds; i++)
		for (q = 0; q < e->b.nqueues; q++)
			CHECK_PASS(read_some(e, q, 1 + i % 3));
	for (q = 0; q < e->b.nqueues; q++)
		CHECK_PASS(wait_wants_kick(e, q));
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(poll_values),
	KTAP_TEST(poll_by_event),
	KTAP_TEST(poll_by_flag),
	KTAP_TEST(poll_ends),
	KTAP_TEST(poll_interrupted),
	KTAP_TEST(poll_shared),
};

const struct ktap_suite worker_poll_suite = {
	.name = "busy polling",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_start,
	.teardown = env_close,
};
