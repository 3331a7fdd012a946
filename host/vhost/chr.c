// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that a VMM configures by the generic ioctls of linux/vhost.h: its
 * owner, features and memory. A backend's character device passes on to here
 * what it doesn't know itself.
 */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <uapi/linux/pvio_vhost.h>

#include "chr.h"

/* As many as KVM has of memory slots that a VMM can fill. */
#define PVCHR_REGIONS_MAX	512

/* Who writes messages holds the other lock. */
static void pvchr_set_mm(struct pvchr *c, struct mm_struct *mm)
{
	mutex_lock(&c->dev->map_lock);
	WRITE_ONCE(c->mm, mm);
	mutex_unlock(&c->dev->map_lock);
}

static long pvchr_set_owner(struct pvchr *c, void __user *argp)
{
	if (c->mm)
		return -EBUSY;

	mmgrab(current->mm);
	pvchr_set_mm(c, current->mm);
	c->pid = get_pid(task_tgid(current));
	pvdev_set_owner(c->dev, true);
	return 0;
}

static void pvchr_reset(struct pvchr *c)
{
	struct mm_struct *mm = c->mm;

	c->ops->reset(c);
	pvchr_vring_reset(c);
	pvchr_worker_reset(c);
	pvchr_log_reset(c);
	pvchr_set_mm(c, NULL);
	pvdev_clear_table(c->dev);
	pvmem_table_put(c->mem);
	c->mem = NULL;
	c->shares = false;
	put_pid(c->pid);
	c->pid = NULL;
	c->acked = 0;
	c->acked_hi = 0;
	WRITE_ONCE(c->backend_acked, 0);
	WRITE_ONCE(c->dev->features, 0);
	if (mm)
		mmdrop(mm);
	pvdev_set_owner(c->dev, false);
}

static long pvchr_reset_owner(struct pvchr *c, void __user *argp)
{
	pvchr_reset(c);
	return 0;
}

static long pvchr_get_features(struct pvchr *c, void __user *argp)
{
	return copy_to_user(argp, &c->features, sizeof(c->features)) ?
	       -EFAULT : 0;
}

/**
 * pvchr_started() - is a queue of a device between its start and its stop
 * @c: the device
 *
 * Context: &pvdev.control held.
 * Return: true if one is.
 */
bool pvchr_started(const struct pvchr *c)
{
	unsigned int i;

	lockdep_assert_held(&c->dev->control);
	for (i = 0; i < c->dev->nvqs; i++)
		if (pvdev_vq_started(c->dev->vqs[i]))
			return true;
	return false;
}
EXPORT_SYMBOL_GPL(pvchr_started);

/**
 * pvchr_guest_gone() - will nobody tell the guest ever again what became of its memory
 * @c: the device
 *
 * A process that is being killed tells nobody anything, and memory that is its alone goes with it.
 * A guest in memory that others have as well may live on, with another owner of its rings. What
 * the owner of an IOTLB maps is not known to be its own.
 *
 * Context: the caller sees to it that the owner stays the same.
 * Return: true if so.
 */
bool pvchr_guest_gone(const struct pvchr *c)
{
	const struct task_struct *owner;
	bool gone;

	if (c->shares || READ_ONCE(c->dev->iotlb))
		return false;
	/* Who became the owner may have had its memory from one that goes on. */
	if (current->mm == c->mm && !(current->flags & PF_EXITING) &&
	    !fatal_signal_pending(current))
		return false;
	rcu_read_lock();
	owner = pid_task(c->pid, PIDTYPE_TGID);
	gone = !owner || READ_ONCE(owner->signal->flags) & SIGNAL_GROUP_EXIT ||
	       !atomic_read(&owner->signal->live);
	rcu_read_unlock();
	return gone;
}
EXPORT_SYMBOL_GPL(pvchr_guest_gone);

/**
 * pvchr_accept() - take up what the driver accepted
 * @c: the device
 * @features: that
 * @hi: bits 64 to 127 of it
 *
 * Context: &pvdev.control held.
 * Return: 0; -EOPNOTSUPP for what was not offered, -EBUSY for a change while
 * queues run, -EINVAL for a log that is nowhere, -EFAULT where it isn't there,
 * -ENOMEM. What was accepted before still is after an error.
 */
int pvchr_accept(struct pvchr *c, u64 features, u64 hi)
{
	bool started = pvchr_started(c);
	int err = 0;

	lockdep_assert_held(&c->dev->control);
	if (features & ~c->features || hi & ~c->features_hi)
		return -EOPNOTSUPP;
	/* To log what is written, or no longer, is the VMM's business alone. */
	if (started && ((features ^ c->acked) & ~BIT_ULL(VHOST_F_LOG_ALL) || hi != c->acked_hi))
		return -EBUSY;
	if (started && features & BIT_ULL(VHOST_F_LOG_ALL) && !c->log_base)
		return -EINVAL;
	if (!started)
		err = pvchr_set_memory(c, features);
	if (!err)
		err = pvchr_log_update(c, features);
	if (err)
		goto err_features;

	c->acked = features;
	c->acked_hi = hi;
	WRITE_ONCE(c->dev->features, features);
	return 0;

err_features:
	if (started)
		pvchr_log_update(c, c->acked);
	else
		pvchr_set_memory(c, c->acked);
	return err;
}

static long pvchr_set_features(struct pvchr *c, void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	return pvchr_accept(c, features, 0);
}

static const u64 pvchr_backend_features =
	BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2);

static long pvchr_get_backend_features(struct pvchr *c, void __user *argp)
{
	return copy_to_user(argp, &pvchr_backend_features,
			    sizeof(pvchr_backend_features)) ? -EFAULT : 0;
}

static long pvchr_set_backend_features(struct pvchr *c, void __user *argp)
{
	u64 features;

	if (copy_from_user(&features, argp, sizeof(features)))
		return -EFAULT;
	if (features & ~pvchr_backend_features)
		return -EOPNOTSUPP;

	WRITE_ONCE(c->backend_acked, features);
	return 0;
}

static bool pvchr_is_shared(const struct vhost_memory_region *r)
{
	const unsigned long end = r->userspace_addr + r->memory_size;
	const struct vm_area_struct *vma;
	bool shared = false;

	mmap_read_lock(current->mm);
	vma = find_vma(current->mm, r->userspace_addr);
	for (; vma && vma->vm_start < end && !shared; vma = find_vma(current->mm, vma->vm_end))
		shared = vma->vm_flags & VM_MAYSHARE;
	mmap_read_unlock(current->mm);
	return shared;
}

static int pvchr_table_fill(struct pvmem_table *t,
			    const struct vhost_memory_region *r, u32 n)
{
	int err = 0;

	for (; n && !err; n--, r++) {
		/* A VMM may pass on a slot that is empty. */
		if (!r->memory_size)
			continue;
		if (!access_ok(u64_to_user_ptr(r->userspace_addr),
			       r->memory_size))
			return -EFAULT;
		err = pvmem_table_add(t, r->guest_phys_addr,
				      r->guest_phys_addr + r->memory_size - 1,
				      r->userspace_addr,
				      PVMEM_READ | PVMEM_WRITE);
	}
	return err ?: pvmem_table_seal(t);
}

/* On success the reference is the device's. */
static int pvchr_use_mem(struct pvchr *c, struct pvmem_table *t)
{
	struct pvmem_table *old = c->mem;
	int err;

	/* First the log: what is written by way of it can be noted then. */
	c->mem = t;
	err = pvchr_log_update(c, c->acked);
	/* With an IOTLB it is not what the device sees. */
	if (!err && !c->dev->iotlb) {
		err = pvdev_set_table(c->dev, pvmem_table_get(t));
		if (err)
			pvmem_table_put(t);
	}
	if (!err) {
		pvdev_wait_turns(c->dev);
		pvmem_table_put(old);
		return 0;
	}

	c->mem = old;
	pvchr_log_update(c, c->acked);
	return err;
}

static long pvchr_set_mem_table(struct pvchr *c, void __user *argp)
{
	struct vhost_memory_region *r;
	struct vhost_memory mem;
	struct pvmem_table *t;
	unsigned int i;
	int err;

	if (copy_from_user(&mem, argp, sizeof(mem)))
		return -EFAULT;
	if (mem.padding)
		return -EOPNOTSUPP;
	if (mem.nregions > PVCHR_REGIONS_MAX)
		return -E2BIG;

	r = vmemdup_user(argp + sizeof(mem), mem.nregions * sizeof(*r));
	if (IS_ERR(r))
		return PTR_ERR(r);
	err = -ENOMEM;
	t = pvmem_table_alloc(PVMEM_USER, mem.nregions);
	if (!t)
		goto err_table;

	err = pvchr_table_fill(t, r, mem.nregions);
	for (i = 0; i < mem.nregions && !err; i++)
		c->shares |= pvchr_is_shared(&r[i]);
	if (!err)
		err = pvchr_use_mem(c, t);
	if (err)
		pvmem_table_put(t);
err_table:
	kvfree(r);
	return err;
}

static const struct pvchr_cmd {
	unsigned int cmd;
	bool anyone;
	long (*fn)(struct pvchr *c, void __user *argp);
} pvchr_cmds[] = {
	{ VHOST_SET_OWNER, true, pvchr_set_owner },
	{ VHOST_RESET_OWNER, false, pvchr_reset_owner },
	{ VHOST_GET_FEATURES, true, pvchr_get_features },
	{ VHOST_SET_FEATURES, false, pvchr_set_features },
	{ VHOST_GET_FEATURES_ARRAY, true, pvchr_get_features_array },
	{ VHOST_SET_FEATURES_ARRAY, false, pvchr_set_features_array },
	{ VHOST_GET_BACKEND_FEATURES, true, pvchr_get_backend_features },
	{ VHOST_SET_BACKEND_FEATURES, true, pvchr_set_backend_features },
	{ VHOST_SET_MEM_TABLE, false, pvchr_set_mem_table },
	{ VHOST_NEW_WORKER, false, pvchr_new_worker },
	{ VHOST_FREE_WORKER, false, pvchr_free_worker },
	{ VHOST_SET_LOG_BASE, false, pvchr_set_log_base },
	{ VHOST_SET_LOG_FD, false, pvchr_set_log_fd },
	{ VHOST_DRAIN, false, pvchr_drain },
	{ VHOST_RESUME, false, pvchr_resume },
};

static long pvchr_do(struct pvchr *c, unsigned int cmd, void __user *argp)
{
	bool owner = c->mm && c->mm == current->mm;
	unsigned int i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(pvchr_cmds); i++) {
		if (pvchr_cmds[i].cmd != cmd)
			continue;
		return owner || pvchr_cmds[i].anyone ?
		       pvchr_cmds[i].fn(c, argp) : -EPERM;
	}
	if (!owner)
		return cmd && cmd == c->ops->anyone ? c->ops->ioctl(c, cmd, argp) : -EPERM;
	ret = pvchr_vring_ioctl(c, cmd, argp);
	return ret == -ENOIOCTLCMD ? c->ops->ioctl(c, cmd, argp) : ret;
}

/**
 * pvchr_file_ioctl() - &file_operations.unlocked_ioctl: do what a VMM asks
 * @file: the descriptor, of which &file.private_data is the &struct pvchr
 * @cmd: the ioctl
 * @arg: its argument
 *
 * Context: a system call; takes &pvdev.control.
 * Return: 0 or what the ioctl returns; -EPERM where the caller is not the
 * owner, -ENOIOCTLCMD where nobody knows it, -EINTR where it is killed.
 */
long pvchr_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct pvchr *c = file->private_data;
	long ret;

	/* Who holds it may be waiting for a store. */
	if (mutex_lock_killable(&c->dev->control))
		return -EINTR;
	ret = pvchr_do(c, cmd, (void __user *)arg);
	mutex_unlock(&c->dev->control);
	return ret;
}
EXPORT_SYMBOL_GPL(pvchr_file_ioctl);

/**
 * pvchr_init() - make a device without an owner
 * @c: the device, zeroed, with @dev, @ops and @features filled in; @dev made by
 *	pvdev_init()
 *
 * Return: 0 or -ENOMEM.
 */
int pvchr_init(struct pvchr *c)
{
	unsigned int i;

	c->vq = kcalloc(c->dev->nvqs, sizeof(*c->vq), GFP_KERNEL_ACCOUNT);
	if (!c->vq)
		return -ENOMEM;
	c->worker = kcalloc(c->dev->nvqs + PVCHR_WORKERS_MAX,
			    sizeof(*c->worker), GFP_KERNEL_ACCOUNT);
	if (!c->worker)
		goto err_worker;
	for (i = 0; i < c->dev->nvqs; i++)
		pvchr_kick_init(&c->vq[i], c->dev->vqs[i]);
	return 0;

err_worker:
	kfree(c->vq);
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(pvchr_init);

/**
 * pvchr_release() - undo pvchr_init(): the last descriptor is closed
 * @c: the device
 *
 * Context: may sleep, for as long as the backing store takes.
 */
void pvchr_release(struct pvchr *c)
{
	mutex_lock(&c->dev->control);
	pvchr_reset(c);
	mutex_unlock(&c->dev->control);
	kfree(c->worker);
	kfree(c->vq);
}
EXPORT_SYMBOL_GPL(pvchr_release);
