/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_WORKER_H
#define _PVIO_VHOST_WORKER_H

#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct task_struct;
struct vhost_task;

/**
 * struct pvwork - something that a worker does again and again
 * @fn: does a bounded part of it; returns true to be run again soon
 * @gone: called by the worker's thread when it ends with its process: work that
 *	is attached to it is not run any more; may sleep
 * @node: in the worker's list
 * @attached: among the worker's works
 * @worker: whose work it is; stable during @fn
 * @flags: PVWORK_QUEUED
 */
struct pvwork {
	bool (*fn)(struct pvwork *work);
	void (*gone)(struct pvwork *work);
	struct llist_node node;
	struct list_head attached;
	struct pvworker *worker;
	unsigned long flags;
};

/**
 * enum pvworker_kind - whose thread a worker is
 * @PVWORKER_OWNER: of the process that starts it: its mm, its cgroups, its end
 * @PVWORKER_KERNEL: of the kernel; it has no mm
 */
enum pvworker_kind {
	PVWORKER_OWNER,
	PVWORKER_KERNEL,
};

/**
 * struct pvworker - a thread that runs work
 * @ref: whoever made it, and all work attached to it
 * @list: work to do
 * @run_lock: held while work runs; protects @works, @killed
 * @works: what is attached to it
 * @more: work that was taken from @list waits behind what is being done; the
 *	thread's own
 * @settled: the thread has found its place with the scheduler
 * @pid: the thread's, for those who look at it; NULL before its first run
 * @killed: the thread went with its process; work stays undone
 * @vtsk: the thread, for PVWORKER_OWNER
 * @kthread: the thread, for PVWORKER_KERNEL
 * @end: ends the thread, and frees this
 */
struct pvworker {
	refcount_t ref;
	struct llist_head list;
	struct mutex run_lock;
	struct list_head works;
	bool more;
	bool settled;
	struct pid *pid;
	bool killed;
	struct vhost_task *vtsk;
	struct task_struct *kthread;
	struct work_struct end;
};

void pvwork_init(struct pvwork *work, bool (*fn)(struct pvwork *work),
		 void (*gone)(struct pvwork *work));
struct pvworker *pvworker_start(enum pvworker_kind kind, const char *name);
void pvworker_put(struct pvworker *w);
int pvworker_attach(struct pvworker *w, struct pvwork *work);
void pvworker_detach(struct pvworker *w, struct pvwork *work);
int pvworker_move(struct pvworker *from, struct pvworker *to,
		  struct pvwork *work);
bool pvworker_queue(struct pvworker *w, struct pvwork *work);

/**
 * pvwork_is_alone() - does a worker have nothing else to do
 * @work: the work that it does just now
 *
 * Context: @work's own function.
 * Return: true if no other work waits.
 */
static inline bool pvwork_is_alone(const struct pvwork *work)
{
	return !work->worker->more && llist_empty(&work->worker->list);
}

int pvworker_init(void);
void pvworker_exit(void);

#endif
