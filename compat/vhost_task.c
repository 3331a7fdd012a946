// SPDX-License-Identifier: GPL-2.0-only
/* See vhost_task.h. */
#include <linux/cgroup.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

/**
 * struct vhost_task - a kernel thread in the clothes of a process
 * @fn: what it does
 * @arg: for @fn
 * @task: the thread
 * @mm: the process's memory
 * @owner: the process, whose cgroups pay
 */
struct vhost_task {
	bool (*fn)(void *data);
	void *arg;
	struct task_struct *task;
	struct mm_struct *mm;
	struct task_struct *owner;
};

static int pvcompat_vhost_task_fn(void *data)
{
	struct vhost_task *vtsk = data;

	if (cgroup_attach_task_all(vtsk->owner, current))
		pr_warn_ratelimited("pvio_vhost: a worker is outside of its owner's cgroups\n");
	kthread_use_mm(vtsk->mm);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		if (!vtsk->fn(vtsk->arg))
			schedule();
	}
	__set_current_state(TASK_RUNNING);
	kthread_unuse_mm(vtsk->mm);
	return 0;
}

/*
 * Such a thread isn't killed with the process, so nobody calls @killed; it
 * keeps the mm until the process's files are closed.
 */
struct vhost_task *pvcompat_vhost_task_create(bool (*fn)(void *data),
					      void (*killed)(void *data),
					      void *arg, const char *name)
{
	struct vhost_task *vtsk;
	int err;

	vtsk = kzalloc(sizeof(*vtsk), GFP_KERNEL);
	if (!vtsk)
		return ERR_PTR(-ENOMEM);

	vtsk->fn = fn;
	vtsk->arg = arg;
	vtsk->mm = get_task_mm(current);
	err = -ESRCH;
	if (!vtsk->mm)
		goto err_mm;

	vtsk->task = kthread_create(pvcompat_vhost_task_fn, vtsk, "%s", name);
	if (IS_ERR(vtsk->task)) {
		err = PTR_ERR(vtsk->task);
		goto err_task;
	}
	get_task_struct(vtsk->task);
	vtsk->owner = get_task_struct(current);
	return vtsk;

err_task:
	mmput(vtsk->mm);
err_mm:
	kfree(vtsk);
	return ERR_PTR(err);
}

void pvcompat_vhost_task_start(struct vhost_task *vtsk)
{
	wake_up_process(vtsk->task);
}

void pvcompat_vhost_task_wake(struct vhost_task *vtsk)
{
	wake_up_process(vtsk->task);
}

void pvcompat_vhost_task_stop(struct vhost_task *vtsk)
{
	kthread_stop(vtsk->task);
	put_task_struct(vtsk->task);
	put_task_struct(vtsk->owner);
	mmput(vtsk->mm);
	kfree(vtsk);
}
