/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_WORKER_H
#define _PVIO_VHOST_WORKER_H

#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct task_struct;
struct vhost_task;

/**
 * struct pvwork - something that a worker does again and again
 * @fn: does a bounded part of it; returns true to be run again soon
 * @node: in the worker's list
 * @flags: PVWORK_QUEUED
 */
struct pvwork {
	bool (*fn)(struct pvwork *work);
	struct llist_node node;
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
 * @list: work to do
 * @run_lock: held while work runs
 * @detached: no work is run any more; under @run_lock
 * @settled: the thread has found its place with the scheduler
 * @killed: the thread went with its process; work stays undone
 * @gone: called with @arg by the thread when that happens, unless detached
 * @arg: for @gone
 * @vtsk: the thread, for PVWORKER_OWNER
 * @kthread: the thread, for PVWORKER_KERNEL
 * @end: ends the thread, and frees this
 */
struct pvworker {
	struct llist_head list;
	struct mutex run_lock;
	bool detached;
	bool settled;
	bool killed;
	void (*gone)(void *arg);
	void *arg;
	struct vhost_task *vtsk;
	struct task_struct *kthread;
	struct work_struct end;
};

void pvwork_init(struct pvwork *work, bool (*fn)(struct pvwork *work));
struct pvworker *pvworker_start(enum pvworker_kind kind, const char *name,
				void (*gone)(void *arg), void *arg);
void pvworker_stop(struct pvworker *w);
bool pvworker_queue(struct pvworker *w, struct pvwork *work);

int pvworker_init(void);
void pvworker_exit(void);

#endif
