// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls about workers, with good arguments and bad ones. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <unistd.h>

#include "worker.h"

#define ATTACHED(e, q, want)						\
	do {								\
		unsigned int id_;					\
									\
		CHECK_OK(vhost_get_worker(&(e)->b.v, q, &id_));		\
		CHECK_EQ(id_, want);					\
	} while (0)

static int no_owner(struct env *e)
{
	unsigned int id;

	CHECK_EQ(vhost_new_worker(&e->b.v, &id), -EPERM);
	CHECK_EQ(vhost_free_worker(&e->b.v, 0), -EPERM);
	CHECK_EQ(vhost_attach_worker(&e->b.v, 0, 0), -EPERM);
	CHECK_EQ(vhost_get_worker(&e->b.v, 0, &id), -EPERM);
	return 0;
}

static int child_is_nobody(struct env *e, void *arg)
{
	(void)arg;
	return no_owner(e);
}

static int worker_nobody(void *ctx)
{
	struct env *e = ctx;
	unsigned int id;

	CHECK_EQ(proc_wait(proc_run(child_is_nobody, e, NULL)), 0);
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_EQ(proc_wait(proc_run(child_is_nobody, e, NULL)), 0);
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESET_OWNER, NULL));
	return no_owner(e);
}

/* Threads of the kernel are none of this process. */
static bool has_threads(unsigned int before, unsigned int made)
{
	return proc_threads() == before + made;
}

static bool threads_end(unsigned int before)
{
	unsigned int ms;

	for (ms = 0; proc_threads() > before; ms++) {
		if (ms == BLK_HANG_LIMIT_MS)
			return false;
		usleep(1000);
	}
	return true;
}

/* One whose number can't be told is not made; else these would be all there can be. */
static int worker_pointers(void *ctx)
{
	static const unsigned long calls[] = {
		VHOST_FREE_WORKER, VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER,
	};
	void *const pointers[] = { NULL, (void *)8, (void *)0xffff888000000000ull, (void *)-1L };
	unsigned int i, p, before = proc_threads();
	struct env *e = ctx;

	for (i = 0; i < WORKERS_MAX + 1; i++)
		CHECK_EQ(vhost_ioctl(&e->b.v, VHOST_NEW_WORKER, pointers[i % 4]), -EFAULT);
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (p = 0; p < sizeof(pointers) / sizeof(*pointers); p++)
			CHECK_EQ(vhost_ioctl(&e->b.v, calls[i], pointers[p]), -EFAULT);
	CHECK(threads_end(before), "threads are left");
	return 0;
}

static int worker_many(void *ctx)
{
	unsigned int ids[WORKERS_MAX], id, i, before = proc_threads();
	bool seen[NUMBERS] = { false }, threads;
	struct env *e = ctx;

	CHECK_OK(vhost_new_worker(&e->b.v, &ids[0]));
	threads = has_threads(before, 1);
	for (i = 0; i < WORKERS_MAX; i++) {
		if (i)
			CHECK_OK(vhost_new_worker(&e->b.v, &ids[i]));
		CHECK(ids[i] < NUMBERS && !seen[ids[i]], "number %u", ids[i]);
		seen[ids[i]] = true;
	}
	ktap_diag("workers are threads of %s", threads ? "this process" : "the kernel");
	CHECK(!threads || has_threads(before, WORKERS_MAX), "%u threads", proc_threads());
	CHECK_EQ(vhost_new_worker(&e->b.v, &id), -ENOSPC);

	/* All that there can be, and queues have theirs nonetheless. */
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	CHECK_OK(vhost_free_worker(&e->b.v, ids[7]));
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_EQ(vhost_new_worker(&e->b.v, &ids[0]), -ENOSPC);
	CHECK_OK(blk_reset(&e->b));
	CHECK(threads_end(before), "threads are left");
	return 0;
}

static int worker_numbers(void *ctx)
{
	static const unsigned int never[] = { 1, 2, NUMBERS - 1, NUMBERS, 0x7fffffff, ~0u };
	static const unsigned int queues[] = { 64, 65, 0x7fffffff, ~0u };
	struct env *e = ctx;
	unsigned int id, got, i;

	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	for (i = 0; i < sizeof(never) / sizeof(*never); i++) {
		CHECK_EQ(vhost_free_worker(&e->b.v, id + never[i]), -ENODEV);
		CHECK_EQ(vhost_attach_worker(&e->b.v, 0, id + never[i]), -ENODEV);
	}
	for (i = 0; i < sizeof(queues) / sizeof(*queues); i++) {
		CHECK_EQ(vhost_attach_worker(&e->b.v, queues[i], id), -ENOBUFS);
		CHECK_EQ(vhost_get_worker(&e->b.v, queues[i], &got), -ENOBUFS);
	}
	CHECK_EQ(vhost_get_worker(&e->b.v, 0, &got), -EINVAL);
	CHECK_OK(vhost_free_worker(&e->b.v, id));
	CHECK_EQ(vhost_free_worker(&e->b.v, id), -ENODEV);
	CHECK_EQ(vhost_attach_worker(&e->b.v, 0, id), -ENODEV);
	CHECK_EQ(vhost_get_worker(&e->b.v, 0, &got), -EINVAL);
	return 0;
}

/* It can't go while a queue has it, whether that runs or not. */
static int worker_busy(void *ctx)
{
	struct env *e = ctx;
	unsigned int a, b, started;

	for (started = 0; started < 2; started++) {
		CHECK_OK(vhost_new_worker(&e->b.v, &a));
		CHECK_OK(vhost_new_worker(&e->b.v, &b));
		CHECK(a != b, "both are %u", a);
		if (started)
			CHECK_OK(blk_start(&e->b));
		CHECK_OK(vhost_attach_worker(&e->b.v, 0, a));
		CHECK_OK(vhost_attach_worker(&e->b.v, 0, a));
		CHECK_OK(vhost_attach_worker(&e->b.v, 1, a));
		CHECK_EQ(vhost_free_worker(&e->b.v, a), -EBUSY);
		CHECK_OK(vhost_attach_worker(&e->b.v, 0, b));
		CHECK_EQ(vhost_free_worker(&e->b.v, a), -EBUSY);
		CHECK_EQ(vhost_free_worker(&e->b.v, b), -EBUSY);
		ATTACHED(e, 0, b);
		ATTACHED(e, 1, a);
		CHECK_OK(vhost_attach_worker(&e->b.v, 1, b));
		CHECK_OK(vhost_free_worker(&e->b.v, a));
		ATTACHED(e, 1, b);
	}
	return env_verify(e);
}

/* Each queue has one of its own, until the stop; it is like any other. */
static int worker_default(void *ctx)
{
	unsigned int ids[8], id, q, n;
	struct env *e = ctx;

	n = e->b.nqueues < 8 ? e->b.nqueues : 8;
	CHECK_OK(blk_start(&e->b));
	for (q = 0; q < n; q++) {
		CHECK_OK(vhost_get_worker(&e->b.v, q, &ids[q]));
		CHECK(!q || ids[q] != ids[q - 1], "queues share worker %u", ids[q]);
		CHECK_EQ(vhost_free_worker(&e->b.v, ids[q]), -EBUSY);
	}
	CHECK_OK(vhost_attach_worker(&e->b.v, 0, ids[1]));
	CHECK_OK(vhost_free_worker(&e->b.v, ids[0]));
	CHECK_EQ(vhost_free_worker(&e->b.v, ids[0]), -ENODEV);
	CHECK_EQ(vhost_free_worker(&e->b.v, ids[1]), -EBUSY);
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_OK(vhost_attach_worker(&e->b.v, 2, id));
	CHECK_PASS(env_verify(e));

	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_BLK_SET_BACKEND,
			     &(struct vhost_vring_file){ .fd = -1 }));
	CHECK_EQ(vhost_get_worker(&e->b.v, 0, &q), -EINVAL);
	CHECK_EQ(vhost_free_worker(&e->b.v, ids[1]), -ENODEV);
	ATTACHED(e, 2, id);
	CHECK_EQ(vhost_free_worker(&e->b.v, id), -EBUSY);
	CHECK_OK(e->b.transport->go(&e->b));
	ATTACHED(e, 2, id);
	CHECK_OK(vhost_get_worker(&e->b.v, 0, &ids[0]));
	CHECK_OK(vhost_get_worker(&e->b.v, 1, &ids[1]));
	CHECK(ids[0] != ids[1], "a default of the last start is left");
	return env_verify(e);
}

/* A number of threads for all queues is for those that were given none. */
static int worker_shared(void *ctx)
{
	unsigned int id, q, ids[4];
	struct env *e = ctx;
	int n = 2;

	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_SET_NWORKERS, &n));
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_OK(vhost_attach_worker(&e->b.v, 1, id));
	CHECK_OK(blk_start(&e->b));
	for (q = 0; q < 4; q++)
		CHECK_OK(vhost_get_worker(&e->b.v, q, &ids[q]));
	CHECK_EQ(ids[1], id);
	CHECK(ids[0] != ids[2], "both have %u", ids[0]);
	CHECK_EQ(ids[3], ids[0]);
	return env_verify(e);
}

static int worker_reset(void *ctx)
{
	struct env *e = ctx;
	unsigned int id, q;

	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	for (q = 0; q < e->b.nqueues; q++)
		CHECK_OK(vhost_attach_worker(&e->b.v, q, id));
	CHECK_OK(blk_start(&e->b));
	for (q = 0; q < e->b.nqueues; q++)
		ATTACHED(e, q, id);
	CHECK_PASS(env_verify(e));
	CHECK_OK(blk_reset(&e->b));
	CHECK_EQ(vhost_get_worker(&e->b.v, 0, &q), -EINVAL);
	CHECK_EQ(vhost_attach_worker(&e->b.v, 0, id), -ENODEV);
	CHECK_EQ(vhost_free_worker(&e->b.v, id), -ENODEV);
	return env_verify_reset(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(worker_nobody),
	KTAP_TEST(worker_pointers),
	KTAP_TEST(worker_many),
	KTAP_TEST(worker_numbers),
	KTAP_TEST(worker_busy),
	KTAP_TEST(worker_default),
	KTAP_TEST(worker_shared),
	KTAP_TEST(worker_reset),
};

const struct ktap_suite worker_ioctl_suite = {
	.name = "ioctls about workers",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_open,
	.teardown = env_close,
};
