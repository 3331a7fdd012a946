// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads that run queues. One that serves a VMM is a thread of that
 * process, so that its cgroups pay and that it ends with it.
 */
#include <linux/export.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/sched/vhost_task.h>

#include "worker.h"

#define PVWORK_QUEUED	0

/**
 * pvwork_init() - make work that is not queued
 * @work: the work
 * @fn: see &struct pvwork
 */
void pvwork_init(struct pvwork *work, bool (*fn)(struct pvwork *work))
{
	work->fn = fn;
	work->flags = 0;
}
EXPORT_SYMBOL_GPL(pvwork_init);

/**
 * pvworker_init() - make a worker without a thread
 * @w: the worker
 * @gone: see &struct pvworker
 */
void pvworker_init(struct pvworker *w, void (*gone)(struct pvworker *w))
{
	*w = (struct pvworker) { .gone = gone };
	init_llist_head(&w->list);
}
EXPORT_SYMBOL_GPL(pvworker_init);

/* The thread's state is TASK_INTERRUPTIBLE: what is queued now wakes it. */
static bool pvworker_run(void *data)
{
	struct pvworker *w = data;
	struct pvwork *work, *next;
	struct llist_node *node;

	node = llist_del_all(&w->list);
	if (!node)
		return false;

	__set_current_state(TASK_RUNNING);
	node = llist_reverse_order(node);
	llist_for_each_entry_safe(work, next, node, node) {
		clear_bit(PVWORK_QUEUED, &work->flags);
		/* Queued from here on means another run, that sees it all. */
		smp_mb__after_atomic();
		if (work->fn(work) &&
		    !test_and_set_bit(PVWORK_QUEUED, &work->flags))
			llist_add(&work->node, &w->list);
		cond_resched();
	}
	return true;
}

static void pvworker_killed(void *data)
{
	struct pvworker *w = data;

	WRITE_ONCE(w->killed, true);
	w->gone(w);
}

static int pvworker_kthread(void *data)
{
	/* Its queues may back the very file system that reclaim writes to. */
	memalloc_noio_save();

	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!pvworker_run(data))
			schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static void pvworker_wake(struct pvworker *w)
{
	if (w->vtsk)
		vhost_task_wake(w->vtsk);
	else
		wake_up_process(w->kthread);
}

/**
 * pvworker_start() - give a worker its thread
 * @w: a worker without one
 * @kind: PVWORKER_OWNER makes it a thread of the calling process
 * @name: what the thread is called, up to 15 characters
 *
 * Context: may sleep; PVWORKER_OWNER: a system call of the owner.
 * Return: 0 or the error of making a thread.
 */
int pvworker_start(struct pvworker *w, enum pvworker_kind kind,
		   const char *name)
{
	w->killed = false;
	w->vtsk = NULL;
	w->kthread = NULL;

	if (kind == PVWORKER_KERNEL) {
		struct task_struct *task;

		task = kthread_create(pvworker_kthread, w, "%s", name);
		if (IS_ERR(task))
			return PTR_ERR(task);
		w->kthread = get_task_struct(task);
		wake_up_process(task);
	} else {
		struct vhost_task *vtsk;

		vtsk = vhost_task_create(pvworker_run, pvworker_killed, w,
					 name);
		if (IS_ERR_OR_NULL(vtsk))
			return vtsk ? PTR_ERR(vtsk) : -ENOMEM;
		w->vtsk = vtsk;
		vhost_task_start(vtsk);
	}

	/*
	 * Live before the look at the list; pairs with the full barrier of
	 * llist_add() in pvworker_queue(), which looks the other way round.
	 */
	smp_store_mb(w->live, true);
	if (!llist_empty(&w->list))
		pvworker_wake(w);
	return 0;
}
EXPORT_SYMBOL_GPL(pvworker_start);

/**
 * pvworker_stop() - end a worker's thread
 * @w: the worker; one without a thread is allowed
 *
 * When it returns no work runs and nobody can wake what is no more. Work that
 * is queued stays so until the worker is started again.
 *
 * Context: may sleep; not from the worker itself.
 */
void pvworker_stop(struct pvworker *w)
{
	if (!w->live)
		return;

	WRITE_ONCE(w->live, false);
	/* Whoever saw it live has finished waking it. */
	synchronize_rcu();

	if (w->vtsk) {
		vhost_task_stop(w->vtsk);
	} else {
		kthread_stop(w->kthread);
		put_task_struct(w->kthread);
	}
	w->vtsk = NULL;
	w->kthread = NULL;
}
EXPORT_SYMBOL_GPL(pvworker_stop);

/**
 * pvworker_queue() - have a worker run some work
 * @w: the worker; without a thread the work waits for one
 * @work: the work; if it is queued already, that run will do
 *
 * Context: any, also hard interrupts.
 * Return: true if it was not queued before.
 */
bool pvworker_queue(struct pvworker *w, struct pvwork *work)
{
	if (test_and_set_bit(PVWORK_QUEUED, &work->flags))
		return false;

	rcu_read_lock();
	llist_add(&work->node, &w->list);
	/* Pairs with smp_store_mb() in pvworker_start(). */
	if (smp_load_acquire(&w->live))
		pvworker_wake(w);
	rcu_read_unlock();
	return true;
}
EXPORT_SYMBOL_GPL(pvworker_queue);
