// SPDX-License-Identifier: GPL-2.0-only
/* Several at once, while devices come and go. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "netlink.h"
#include "proc.h"

#define NOBODY	65534
#define THREADS	8u
#define SLOW	3u

/* What is dumped has to be in order, and hold a device that stays once. */
struct order {
	uint32_t stays;
	unsigned int queues;	/* that it has */
	bool alone;		/* nothing else may be seen */
	int64_t last_id, last_index;
	unsigned int found;
	bool odd;
};

static int order_dev(const struct nl_answer *a, void *arg)
{
	struct order *o = arg;
	uint32_t id = nl_u32(a, PVIO_A_DEV_ID);

	o->odd |= id <= o->last_id || (o->alone && id != o->stays);
	o->last_id = id;
	o->found += id == o->stays;
	return 0;
}

static int order_queue(const struct nl_answer *a, void *arg)
{
	uint32_t id = nl_u32(a, PVIO_A_QUEUE_DEV_ID), index = nl_u32(a, PVIO_A_QUEUE_INDEX);
	struct order *o = arg;

	o->odd |= id < o->last_id || (id == o->last_id && index != o->last_index + 1) ||
		  (id > o->last_id && index) || (o->alone && id != o->stays);
	o->last_id = id;
	o->last_index = index;
	o->found += id == o->stays;
	return 0;
}

static int check_dumps(struct nl *n, struct order *o)
{
	o->last_id = 0;
	o->last_index = -1;
	o->found = 0;
	CHECK_OK(nl_dump(n, PVIO_CMD_DEV_GET, order_dev, o));
	CHECK_EQ(o->found, 1);
	o->last_id = 0;
	o->found = 0;
	CHECK_OK(nl_dump(n, PVIO_CMD_QUEUE_GET, order_queue, o));
	CHECK_EQ(o->found, o->queues);
	CHECK(!o->odd, "devices are out of order, twice, or not ours to see");
	return 0;
}

struct task {
	const struct order *order;
	unsigned int rounds;
	uint64_t seed;
	atomic_bool *stop;
	int res;
	pthread_t thread;
};

static void task_init(struct task *t, const struct env *e, const struct order *o, unsigned int nr)
{
	t->order = o;
	t->rounds = e->rounds * 5;
	t->seed = e->seed + nr;
}

static int dump_rounds(struct task *t)
{
	struct order o = *t->order;
	struct nl_answer a;
	struct nl n;
	unsigned int i;

	CHECK_OK(nl_open(&n));
	for (i = 0; i < t->rounds; i++) {
		CHECK_PASS(check_dumps(&n, &o));
		CHECK_OK(nl_get(&n, o.stays, &a));
	}
	nl_close(&n);
	return 0;
}

static void *run_dump(void *arg)
{
	struct task *t = arg;

	t->res = dump_rounds(t);
	return NULL;
}

static int open_and_close(void)
{
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static void *run_churn(void *arg)
{
	struct task *t = arg;

	while (!atomic_load(t->stop) && !t->res)
		t->res = open_and_close();
	return NULL;
}

/* Asks, goes away before the answer is there, and asks what is wrong. */
static void *run_rude(void *arg)
{
	struct task *t = arg;
	struct prng prng = { .state = t->seed };
	struct nl_msg m;
	struct nl n;

	while (!atomic_load(t->stop) && !t->res) {
		t->res = nl_open(&n);
		if (t->res)
			break;
		nl_begin(&n, &m, prng_range(&prng, 0, PVIO_CMD_MAX + 1),
			 prng_range(&prng, 0, 1) ? NLM_F_DUMP : 0);
		if (prng_range(&prng, 0, 1))
			nl_put_u32(&m, prng_range(&prng, 0, 3), prng_range(&prng, 0, 100));
		t->res = nl_send(&n, &m);
		nl_close(&n);
	}
	return NULL;
}

static int run_all(struct task *tasks, unsigned int count, void *(*const *fns)(void *arg),
		   atomic_bool *stop)
{
	unsigned int i;
	int res = 0;

	for (i = 0; i < count; i++) {
		tasks[i].stop = stop;
		CHECK_EQ(pthread_create(&tasks[i].thread, NULL, fns[i], &tasks[i]), 0);
	}
	for (i = 0; i < count; i++) {
		/* Those that dump come first, and end by themselves. */
		if (fns[i] != run_dump)
			atomic_store(stop, true);
		pthread_join(tasks[i].thread, NULL);
		if (tasks[i].res)
			res = tasks[i].res;
	}
	CHECK_EQ(res, 0);
	return 0;
}

static int many_threads(void *ctx)
{
	static void *(*const fns[THREADS])(void *arg) = {
		run_dump, run_dump, run_dump, run_dump, run_churn, run_churn, run_rude, run_rude,
	};
	struct env *e = ctx;
	struct order o = { .queues = e->opts.name ? e->b.nqueues : 64 };
	struct task tasks[THREADS] = { 0 };
	atomic_bool stop = false;
	unsigned int i;
	struct nl n;

	CHECK_OK(nl_open(&n));
	o.stays = netlink_own_id(&n);
	for (i = 0; i < THREADS; i++)
		task_init(&tasks[i], e, &o, i);
	CHECK_PASS(run_all(tasks, THREADS, fns, &stop));
	CHECK_PASS(netlink_works(&n, o.stays));
	nl_close(&n);
	return env_verify(e);
}

static int nobody_main(struct env *e, void *arg)
{
	static void *(*const fns[THREADS])(void *arg) = {
		run_dump, run_dump, run_dump, run_dump, run_dump, run_dump, run_rude, run_rude,
	};
	struct order o = { .queues = 64, .alone = true };
	struct task tasks[THREADS] = { 0 };
	atomic_bool stop = false;
	unsigned int i;
	struct vhost v;
	struct nl n;

	(void)arg;
	CHECK_OK(vhost_open(&v, NODE));
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY), "root stays root");
	CHECK_OK(vhost_set_owner(&v));
	CHECK_OK(nl_open(&n));
	o.stays = netlink_own_id(&n);
	for (i = 0; i < THREADS; i++)
		task_init(&tasks[i], e, &o, i);
	return run_all(tasks, THREADS, fns, &stop);
}

static int many_unprivileged(void *ctx)
{
	pid_t pid = proc_run(nobody_main, ctx, NULL);

	CHECK(pid > 0, "no child");
	while (!proc_ended(pid))
		CHECK_EQ(open_and_close(), 0);
	CHECK_EQ(proc_wait(pid), 0);
	return 0;
}

/* Opens a device, and closes the one before the last. */
static void shuffle(void *arg)
{
	int *fds = arg;
	unsigned int i;

	if (fds[0] >= 0)
		close(fds[0]);
	for (i = 1; i < SLOW; i++)
		fds[i - 1] = fds[i];
	fds[SLOW - 1] = open(NODE, O_RDWR | O_CLOEXEC);
}

/* A dump that is read in parts, with devices that come and go in between. */
static int many_slow(void *ctx)
{
	struct env *e = ctx;
	struct order o = { .queues = e->opts.name ? e->b.nqueues : 64 };
	int fds[SLOW] = { -1, -1, -1 };
	unsigned int i;
	struct nl n;
	int res = 0;

	CHECK_OK(nl_open(&n));
	o.stays = netlink_own_id(&n);
	for (i = 0; i < SLOW; i++)
		shuffle(fds);
	n.pause = shuffle;
	n.pause_arg = fds;
	for (i = 0; i < e->rounds && !res; i++)
		res = check_dumps(&n, &o);
	for (i = 0; i < SLOW; i++)
		close(fds[i]);
	nl_close(&n);
	return res;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(many_threads),
	KTAP_TEST(many_unprivileged),
	KTAP_TEST(many_slow),
};

const struct ktap_suite netlink_many_suite = {
	.name = "many",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
