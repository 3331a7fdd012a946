// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads that run queues. One that serves a VMM is a thread of that
 * process, so that its cgroups pay and that it ends with it. Such a thread can
 * be stopped or frozen by whoever may do that to the process: nobody waits for
 * its end who holds a lock of the host's, for the end of a turn alone.
 */
#include <linux/export.h>
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/vhost_task.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include "worker.h"

#define PVWORK_QUEUED	0

/* Where threads are waited for. */
static struct workqueue_struct *pvworker_ends;

/**
 * pvwork_init() - make work that is not queued
 * @work: the work; no worker knows it
 * @fn: see &struct pvwork
 * @gone: see &struct pvwork
 */
void pvwork_init(struct pvwork *work, bool (*fn)(struct pvwork *work),
		 void (*gone)(struct pvwork *work))
{
	work->fn = fn;
	work->gone = gone;
	work->worker = NULL;
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
	/* Pairs with those who look: what they see is whole. */
	smp_store_release(&w->pid, get_task_pid(current, PIDTYPE_PID));
	if (current == main)
		return;

	sched_set_normal(current, task_nice(main));
	set_cpus_allowed_ptr(current, &main->cpus_mask);
}

static void pvworker_run_list(struct pvworker *w, struct llist_node *node)
{
	struct pvwork *work, *next;

	llist_for_each_entry_safe(work, next, node, node) {
		w->more = work->node.next;
		clear_bit(PVWORK_QUEUED, &work->flags);
		/* Queued from here on means another run, that sees it all. */
		smp_mb__after_atomic();
		if (work->fn(work) &&
		    !test_and_set_bit(PVWORK_QUEUED, &work->flags))
			llist_add(&work->node, &w->list);
		cond_resched();
	}
}

/*
 * What a task is to do on its way back to user space, where these never go: a
 * kernel may throttle a group's tasks there (cpu.max). Those who look for
 * signals do it as well, and the thread's own loop looks for them between runs.
 */
static bool pvworker_has_task_work(void)
{
	if ((current->flags & PF_KTHREAD) || !task_work_pending(current))
		return false;

	__set_current_state(TASK_RUNNING);
	set_thread_flag(TIF_NOTIFY_SIGNAL);
	return true;
}

/* The thread's state is TASK_INTERRUPTIBLE: what is queued now wakes it. */
static bool pvworker_run(void *data)
{
	struct pvworker *w = data;
	struct llist_node *node;

	if (pvworker_has_task_work())
		return true;
	if (llist_empty(&w->list))
		return false;

	__set_current_state(TASK_RUNNING);
	pvworker_settle(w);

	mutex_lock(&w->run_lock);
	node = llist_del_all(&w->list);
	if (node)
		pvworker_run_list(w, llist_reverse_order(node));
	mutex_unlock(&w->run_lock);
	return true;
}

static void pvworker_killed(void *data)
{
	struct pvworker *w = data;
	struct pvwork *work;

	mutex_lock(&w->run_lock);
	WRITE_ONCE(w->killed, true);
	list_for_each_entry(work, &w->works, attached)
		work->gone(work);
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
	put_pid(w->pid);
	kfree(w);
}

/**
 * pvworker_start() - make a worker
 * @kind: PVWORKER_OWNER makes it a thread of the calling process
 * @name: what the thread is called, up to 15 characters
 *
 * Context: may sleep; PVWORKER_OWNER: a system call of the owner.
 * Return: the worker, for pvworker_put(), or the error of making a thread.
 */
struct pvworker *pvworker_start(enum pvworker_kind kind, const char *name)
{
	struct pvworker *w;
	int err;

	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return ERR_PTR(-ENOMEM);

	refcount_set(&w->ref, 1);
	init_llist_head(&w->list);
	mutex_init(&w->run_lock);
	INIT_LIST_HEAD(&w->works);
	INIT_WORK(&w->end, pvworker_end);

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
 * pvworker_put() - drop a reference to a worker
 * @w: the worker
 *
 * After the last one the thread ends at its own time.
 *
 * Context: any.
 */
void pvworker_put(struct pvworker *w)
{
	if (refcount_dec_and_test(&w->ref))
		queue_work(pvworker_ends, &w->end);
}
EXPORT_SYMBOL_GPL(pvworker_put);

/**
 * pvworker_attach() - give work to a worker
 * @w: the worker; the work has a reference from now on
 * @work: the work; no other worker has it
 *
 * Context: may sleep for as long as a turn takes.
 * Return: 0, or -EOWNERDEAD where the worker went with its process.
 */
int pvworker_attach(struct pvworker *w, struct pvwork *work)
{
	int err = 0;

	mutex_lock(&w->run_lock);
	if (w->killed) {
		err = -EOWNERDEAD;
	} else {
		list_add_tail(&work->attached, &w->works);
		work->worker = w;
		refcount_inc(&w->ref);
	}
	mutex_unlock(&w->run_lock);
	return err;
}
EXPORT_SYMBOL_GPL(pvworker_attach);

static void pvworker_wake(struct pvworker *w)
{
	if (w->vtsk)
		vhost_task_wake(w->vtsk);
	else
		wake_up_process(w->kthread);
}

/* Nobody queues @work any more, and the thread has nothing in its hands. */
static void pvworker_unqueue(struct pvworker *w, struct pvwork *work)
{
	struct pvwork *other, *next;
	struct llist_node *node;

	if (!test_and_clear_bit(PVWORK_QUEUED, &work->flags))
		return;

	node = llist_reverse_order(llist_del_all(&w->list));
	llist_for_each_entry_safe(other, next, node, node)
		if (other != work)
			llist_add(&other->node, &w->list);

	/* It may have seen the list empty just now. */
	pvworker_wake(w);
}

/**
 * pvworker_detach() - undo pvworker_attach()
 * @w: the worker
 * @work: the work, which nobody can queue any more
 *
 * When it returns the work is not being done, and will not be; what was queued
 * is forgotten.
 *
 * Context: may sleep for as long as a turn takes; not from the worker itself.
 */
void pvworker_detach(struct pvworker *w, struct pvwork *work)
{
	mutex_lock(&w->run_lock);
	list_del(&work->attached);
	pvworker_unqueue(w, work);
	mutex_unlock(&w->run_lock);
	pvworker_put(w);
}
EXPORT_SYMBOL_GPL(pvworker_detach);

/**
 * pvworker_move() - give work of one worker to another
 * @from: who has it
 * @to: who gets it
 * @work: the work, which nobody can queue for now
 *
 * When it returns neither is doing the work; what was queued is forgotten. Two
 * workers have one mover at a time.
 *
 * Context: may sleep for as long as a turn of each takes; not from a worker.
 * Return: 0; -EOWNERDEAD where @to went with its process, and @from still has
 * the work, queued or not.
 */
int pvworker_move(struct pvworker *from, struct pvworker *to,
		  struct pvwork *work)
{
	int err = 0;

	mutex_lock(&from->run_lock);
	mutex_lock_nested(&to->run_lock, SINGLE_DEPTH_NESTING);
	if (to->killed) {
		err = -EOWNERDEAD;
	} else {
		pvworker_unqueue(from, work);
		list_move_tail(&work->attached, &to->works);
		work->worker = to;
		refcount_inc(&to->ref);
	}
	mutex_unlock(&to->run_lock);
	mutex_unlock(&from->run_lock);

	if (!err)
		pvworker_put(from);
	return err;
}
EXPORT_SYMBOL_GPL(pvworker_move);

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
	pvworker_wake(w);
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
