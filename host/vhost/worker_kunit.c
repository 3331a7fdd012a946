// SPDX-License-Identifier: GPL-2.0-only
/* Workers that several works share: attaching, queueing, detaching beside runs. */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/jiffies.h>

#include "worker.h"

#define ROUNDS	500
#define LIMIT	(60 * HZ)

struct pvtest_work {
	struct pvwork work;
	struct completion ran;
	atomic_t runs;
	atomic_t inside;
	bool twice;
	unsigned int again;
	bool detached;
	bool late;
};

static bool pvtest_work_fn(struct pvwork *work)
{
	struct pvtest_work *t = container_of(work, struct pvtest_work, work);

	if (READ_ONCE(t->detached))
		t->late = true;
	if (atomic_inc_return(&t->inside) != 1)
		t->twice = true;
	atomic_inc(&t->runs);
	complete(&t->ran);
	atomic_dec(&t->inside);
	if (!t->again)
		return false;
	t->again--;
	return true;
}

static void pvtest_work_gone(struct pvwork *work)
{
}

static void pvtest_work_init(struct kunit *test, struct pvworker *w,
			     struct pvtest_work *t)
{
	memset(t, 0, sizeof(*t));
	init_completion(&t->ran);
	pvwork_init(&t->work, pvtest_work_fn, pvtest_work_gone);
	KUNIT_ASSERT_EQ(test, pvworker_attach(w, &t->work), 0);
}

static struct pvworker *pvtest_worker(struct kunit *test)
{
	struct pvworker *w = pvworker_start(PVWORKER_KERNEL, "pvtest");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	return w;
}

static void pvtest_await(struct kunit *test, struct pvtest_work *t,
			 unsigned int times)
{
	while (times--)
		KUNIT_ASSERT_NE(test, wait_for_completion_timeout(&t->ran, LIMIT), 0);
}

/* Work that asks for it runs again, and doesn't keep others from running. */
static void pvtest_worker_again(struct kunit *test)
{
	struct pvworker *w = pvtest_worker(test);
	struct pvtest_work a, b;

	pvtest_work_init(test, w, &a);
	pvtest_work_init(test, w, &b);
	a.again = 100;
	pvworker_queue(w, &a.work);
	pvworker_queue(w, &b.work);
	pvtest_await(test, &a, 101);
	pvtest_await(test, &b, 1);
	pvworker_detach(w, &a.work);
	pvworker_detach(w, &b.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&a.runs), 101);
	KUNIT_EXPECT_EQ(test, atomic_read(&b.runs), 1);
	pvworker_put(w);
}

/* What was queued several times before it ran runs once. */
static void pvtest_worker_queued_once(struct kunit *test)
{
	struct pvworker *w = pvtest_worker(test);
	struct pvtest_work a;

	pvtest_work_init(test, w, &a);
	mutex_lock(&w->run_lock);
	KUNIT_EXPECT_TRUE(test, pvworker_queue(w, &a.work));
	KUNIT_EXPECT_FALSE(test, pvworker_queue(w, &a.work));
	KUNIT_EXPECT_FALSE(test, pvworker_queue(w, &a.work));
	mutex_unlock(&w->run_lock);
	pvtest_await(test, &a, 1);
	pvworker_detach(w, &a.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&a.runs), 1);
	pvworker_put(w);
}

/* Detached while queued, it doesn't run any more; the one beside it does. */
static void pvtest_worker_detach_queued(struct kunit *test)
{
	struct pvworker *w = pvtest_worker(test);
	struct pvtest_work a, b, c;
	unsigned int i, before = 0;

	pvtest_work_init(test, w, &a);
	pvtest_work_init(test, w, &c);
	for (i = 0; i < ROUNDS; i++) {
		pvtest_work_init(test, w, &b);
		pvworker_queue(w, &a.work);
		pvworker_queue(w, &b.work);
		pvworker_queue(w, &c.work);
		if (i & 1)
			udelay(i % 16);
		pvworker_detach(w, &b.work);
		b.detached = true;
		before += !atomic_read(&b.runs);
		pvtest_await(test, &a, 1);
		pvtest_await(test, &c, 1);
		KUNIT_ASSERT_FALSE(test, b.late);
	}
	kunit_info(test, "%u of %u were detached before they ran", before, i);
	pvworker_detach(w, &a.work);
	pvworker_detach(w, &c.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&a.runs), ROUNDS);
	KUNIT_EXPECT_EQ(test, atomic_read(&c.runs), ROUNDS);
	pvworker_put(w);
}

/* Work that runs for ever is detached between two runs. */
static void pvtest_worker_detach_running(struct kunit *test)
{
	struct pvworker *w = pvtest_worker(test);
	struct pvtest_work a;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		pvtest_work_init(test, w, &a);
		a.again = UINT_MAX;
		pvworker_queue(w, &a.work);
		pvtest_await(test, &a, 1);
		pvworker_detach(w, &a.work);
		a.detached = true;
		KUNIT_ASSERT_TRUE(test, llist_empty(&w->list));
	}
	msleep(20);
	KUNIT_EXPECT_FALSE(test, a.late);
	pvworker_put(w);
}

/* Whoever made a worker may let it go while work is attached to it. */
static void pvtest_worker_kept_by_work(struct kunit *test)
{
	struct pvworker *w = pvtest_worker(test);
	struct pvtest_work a;

	pvtest_work_init(test, w, &a);
	pvworker_put(w);
	pvworker_queue(w, &a.work);
	pvtest_await(test, &a, 1);
	pvworker_detach(w, &a.work);
	KUNIT_EXPECT_EQ(test, atomic_read(&a.runs), 1);
}

/* It goes from one worker to another between two runs, and forgets that it was queued. */
static void pvtest_worker_move(struct kunit *test)
{
	struct pvworker *w[2] = { pvtest_worker(test), pvtest_worker(test) };
	struct pvtest_work a, b;
	unsigned int i;

	pvtest_work_init(test, w[0], &a);
	pvtest_work_init(test, w[0], &b);
	for (i = 0; i < ROUNDS; i++) {
		struct pvworker *from = w[i % 2], *to = w[(i + 1) % 2];

		a.again = UINT_MAX;
		pvworker_queue(from, &a.work);
		pvworker_queue(w[0], &b.work);
		pvtest_await(test, &a, 1);
		KUNIT_ASSERT_EQ(test, pvworker_move(from, to, &a.work), 0);
		KUNIT_ASSERT_PTR_EQ(test, a.work.worker, to);
		KUNIT_ASSERT_TRUE(test, llist_empty(&w[1]->list));
		KUNIT_ASSERT_FALSE(test, a.twice);
		reinit_completion(&a.ran);
		pvtest_await(test, &b, 1);
	}
	pvworker_detach(w[0], &a.work);
	pvworker_detach(w[0], &b.work);
	a.detached = true;
	pvworker_put(w[0]);
	pvworker_put(w[1]);
}

/* Where the thread is gone it stays with the one that has it. */
static void pvtest_worker_move_to_killed(struct kunit *test)
{
	struct pvworker *w = pvtest_worker(test), *gone = pvtest_worker(test);
	struct pvtest_work a;

	pvtest_work_init(test, w, &a);
	gone->killed = true;
	KUNIT_EXPECT_EQ(test, pvworker_move(w, gone, &a.work), -EOWNERDEAD);
	KUNIT_EXPECT_PTR_EQ(test, a.work.worker, w);
	pvworker_queue(w, &a.work);
	pvtest_await(test, &a, 1);
	pvworker_detach(w, &a.work);
	pvworker_put(w);
	pvworker_put(gone);
}

static struct kunit_case pvtest_worker_cases[] = {
	KUNIT_CASE(pvtest_worker_again),
	KUNIT_CASE(pvtest_worker_queued_once),
	KUNIT_CASE(pvtest_worker_detach_queued),
	KUNIT_CASE(pvtest_worker_detach_running),
	KUNIT_CASE(pvtest_worker_kept_by_work),
	KUNIT_CASE(pvtest_worker_move),
	KUNIT_CASE(pvtest_worker_move_to_killed),
	{}
};

static struct kunit_suite pvtest_worker_suite = {
	.name = "pvio_vhost_worker",
	.test_cases = pvtest_worker_cases,
};

kunit_test_suite(pvtest_worker_suite);
