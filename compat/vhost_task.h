/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_VHOST_TASK_H
#define _PVIO_COMPAT_VHOST_TASK_H

/*
 * Threads of a process for a kernel that can't make them: kernel threads that
 * borrow its mm and join its cgroups.
 */
#include <linux/types.h>

#include <linux/sched/vhost_task.h>

struct vhost_task;

struct vhost_task *pvcompat_vhost_task_create(bool (*fn)(void *data),
					      void (*killed)(void *data),
					      void *arg, const char *name);
void pvcompat_vhost_task_start(struct vhost_task *vtsk);
void pvcompat_vhost_task_stop(struct vhost_task *vtsk);
void pvcompat_vhost_task_wake(struct vhost_task *vtsk);

#define vhost_task_create	pvcompat_vhost_task_create
#define vhost_task_start	pvcompat_vhost_task_start
#define vhost_task_stop		pvcompat_vhost_task_stop
#define vhost_task_wake		pvcompat_vhost_task_wake

#endif
