/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_WORKER_H
#define _PVIO_VHOST_WORKER_H

#include <linux/llist.h>
#include <linux/types.h>

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
 * @live: there is a thread; written before and after an RCU grace period
 * @killed: the thread went with its process; work stays undone
 * @gone: called by the thread when that happens
 * @vtsk: the thread, for PVWORKER_OWNER
 * @kthread: the thread, for PVWORKER_KERNEL
 *
 * The structure outlives the threads: it may be started and stopped again.
 */
struct pvworker {
	struct llist_head list;
	bool live;
	bool killed;
	void (*gone)(struct pvworker *w);
	struct vhost_task *vtsk;
	struct task_struct *kthread;
};

void pvwork_init(struct pvwork *work, bool (*fn)(struct pvwork *work));
void pvworker_init(struct pvworker *w, void (*gone)(struct pvworker *w));
int pvworker_start(struct pvworker *w, enum pvworker_kind kind,
		   const char *name);
void pvworker_stop(struct pvworker *w);
bool pvworker_queue(struct pvworker *w, struct pvwork *work);

#endif
