// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads that run queues. One that serves a VMM is a thread of that
 * process, so that its cgroups pay and that it ends with it. Such a thread can
 * be stopped or frozen by whoever may do that to the process: nobody waits for
 * its end who holds a lock of the host's, for the end of a turn alone.
 */
#include <linux/export.h>
#include <linux/kthread.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>

#include "worker.h"

#define PVWORK_QUEUED	0

/* Where threads are waited for. */
static struct workqueue_struct *pvworker_ends;

/**
 * pvwork_init() - make work that is not queued
 * @work: the work; no worker knows it
 * @fn: see &struct pvwork
 */
void pvwork_init(struct pvwork *work, bool (*fn)(struct pvwork *work))
{
	work->fn = fn;
	work->flags = 0;
}
EXPORT_SYMBOL_GPL(pvwork_init);

/*
 * A thread starts with the CPUs and the priority of the one that made it, which
 * may be a vCPU: pinned, and real-time. It is to be an ordinary one of the VMM.
 */
static void pvworker_settle(struct pvworker *w)
{
	struct task_struct *main = current->group_leader;

	if (w->settled)
		return;
	w->settled = true;
	if (current == main)
		return;

	sched_set_normal(current, task_nice(main));
	set_cpus_allowed_ptr(current, &main->cpus_mask);
}

static void pvworker_run_list(struct pvworker *w, struct llist_node *node)
{
	struct pvwork *work, *next;

	llist_for_each_entry_safe(work, next, node, node) {
		clear_bit(PVWORK_QUEUED, &work->flags);
		/* Queued from here on means another run, that sees it all. */
		smp_mb__after_atomic();
		if (work->fn(work) &&
		    !test_and_set_bit(PVWORK_QUEUED, &work->flags))
			llist_add(&work->node, &w->list);
		cond_resched();
	}
}

/* The thread's state is TASK_INTERRUPTIBLE: what is queued now wakes it. */
static bool pvworker_run(void *data)
{
	struct pvworker *w = data;
	struct llist_node *node;

	if (llist_empty(&w->list))
		return false;

	__set_current_state(TASK_RUNNING);
	pvworker_settle(w);

	mutex_lock(&w->run_lock);
	node = llist_del_all(&w->list);
	if (node && !w->detached)
		pvworker_run_list(w, llist_reverse_order(node));
	mutex_unlock(&w->run_lock);
	return true;
}

static void pvworker_killed(void *data)
{
	struct pvworker *w = data;

	WRITE_ONCE(w->killed, true);
	mutex_lock(&w->run_lock);
	if (!w->detached)
		w->gone(w->arg);
	mutex_unlock(&w->run_lock);
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

static int pvworker_start_kernel(struct pvworker *w, const char *name)
{
	struct task_struct *task;

	task = kthread_create(pvworker_kthread, w, "%s", name);
	if (IS_ERR(task))
		return PTR_ERR(task);

	w->kthread = get_task_struct(task);
	wake_up_process(task);
	return 0;
}

static int pvworker_start_owner(struct pvworker *w, const char *name)
{
	struct vhost_task *vtsk;
	sigset_t block, old;

	/* A fork gives way to signals; nobody could be told to try again. */
	siginitsetinv(&block, sigmask(SIGKILL));
	sigprocmask(SIG_BLOCK, &block, &old);
	vtsk = vhost_task_create(pvworker_run, pvworker_killed, w, name);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (IS_ERR_OR_NULL(vtsk))
		return vtsk ? PTR_ERR(vtsk) : -ENOMEM;

	w->vtsk = vtsk;
	vhost_task_start(vtsk);
	return 0;
}

static void pvworker_end(struct work_struct *end)
{
	struct pvworker *w = container_of(end, struct pvworker, end);

	if (w->vtsk) {
		vhost_task_stop(w->vtsk);
	} else {
		kthread_stop(w->kthread);
		put_task_struct(w->kthread);
	}
	kfree(w);
}

/**
 * pvworker_start() - make a worker
 * @kind: PVWORKER_OWNER makes it a thread of the calling process
 * @name: what the thread is called, up to 15 characters
 * @gone: called by the thread when it ends with its process; may sleep
 * @arg: for @gone
 *
 * Context: may sleep; PVWORKER_OWNER: a system call of the owner.
 * Return: the worker, or the error of making a thread.
 */
struct pvworker *pvworker_start(enum pvworker_kind kind, const char *name,
				void (*gone)(void *arg), void *arg)
{
	struct pvworker *w;
	int err;

	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return ERR_PTR(-ENOMEM);

	init_llist_head(&w->list);
	mutex_init(&w->run_lock);
	INIT_WORK(&w->end, pvworker_end);
	w->gone = gone;
	w->arg = arg;

	err = kind == PVWORKER_KERNEL ? pvworker_start_kernel(w, name) :
					pvworker_start_owner(w, name);
	if (err) {
		kfree(w);
		return ERR_PTR(err);
	}
	return w;
}
EXPORT_SYMBOL_GPL(pvworker_start);

/**
 * pvworker_stop() - let go of a worker
 * @w: the worker, which nobody can queue work to any more
 *
 * When it returns no work runs and none will; what was queued is forgotten. The
 * thread ends at its own time.
 *
 * Context: may sleep for as long as a turn takes; not from the worker itself.
 */
void pvworker_stop(struct pvworker *w)
{
	mutex_lock(&w->run_lock);
	w->detached = true;
	mutex_unlock(&w->run_lock);
	queue_work(pvworker_ends, &w->end);
}
EXPORT_SYMBOL_GPL(pvworker_stop);

/**
 * pvworker_queue() - have a worker run some work
 * @w: the worker
 * @work: the work; if it is queued already, that run will do
 *
 * Context: any, also hard interrupts.
 * Return: true if it was not queued before.
 */
bool pvworker_queue(struct pvworker *w, struct pvwork *work)
{
	if (test_and_set_bit(PVWORK_QUEUED, &work->flags))
		return false;

	llist_add(&work->node, &w->list);
	if (w->vtsk)
		vhost_task_wake(w->vtsk);
	else
		wake_up_process(w->kthread);
	return true;
}
EXPORT_SYMBOL_GPL(pvworker_queue);

/**
 * pvworker_init() - get ready for workers
 *
 * Return: 0 or -ENOMEM.
 */
int pvworker_init(void)
{
	/* Unbound, and many at once: one that is stopped blocks no other. */
	pvworker_ends = alloc_workqueue("pvio_vhost", WQ_UNBOUND,
					WQ_UNBOUND_MAX_ACTIVE);
	return pvworker_ends ? 0 : -ENOMEM;
}

/**
 * pvworker_exit() - wait for the threads of all workers
 */
void pvworker_exit(void)
{
	destroy_workqueue(pvworker_ends);
}
