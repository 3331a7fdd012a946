// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of the log of dirty pages. */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "chr.h"
#include "log.h"

/* Is there something to note, whoever says so? */
static bool pvchr_logs(const struct pvchr *c, u64 features)
{
	unsigned int i;

	if (features & BIT_ULL(VHOST_F_LOG_ALL))
		return true;
	for (i = 0; i < c->dev->nvqs; i++)
		if (c->dev->vqs[i]->log_ring)
			return true;
	return false;
}

static int pvchr_log_use(struct pvchr *c, struct pvlog *log, bool all)
{
	unsigned int i;
	int err = 0;

	c->logging = log;
	for (i = 0; i < c->dev->nvqs; i++)
		err = pvdev_vq_set_log(c->dev->vqs[i], log, all) ?: err;
	return err;
}

/**
 * pvchr_log_update() - have the queues note what they write as was said last
 * @c: the device
 * @features: what the driver accepted
 *
 * Context: &pvdev.control held; a system call of the owner.
 * Return: 0, -ENOMEM and nothing has changed, -EFAULT where the log isn't there.
 */
int pvchr_log_update(struct pvchr *c, u64 features)
{
	bool all = features & BIT_ULL(VHOST_F_LOG_ALL);
	struct pvlog *log = NULL;
	int err;

	if (pvchr_logs(c, features)) {
		log = pvlog_alloc(c->log_base, c->mem, c->log_event);
		if (!log)
			return -ENOMEM;
	} else if (!c->logging) {
		/* Queues have no log, and their turns need not be waited for. */
		return 0;
	}
	err = pvchr_log_use(c, log, all);
	pvlog_put(log);
	return err;
}

/* A bit for the last page of guest memory has to be an address. */
static int pvchr_log_check(const struct pvchr *c, u64 base)
{
	u64 last = 0;

	if (c->mem && c->mem->nregions)
		last = c->mem->region[c->mem->nregions - 1].last;
	return access_ok(u64_to_user_ptr(base), last / VHOST_PAGE_SIZE / 8 + 1) ?
	       0 : -EFAULT;
}

long pvchr_set_log_base(struct pvchr *c, void __user *argp)
{
	u64 base, old = c->log_base;
	struct pvlog *was = NULL;
	int err;

	if (copy_from_user(&base, argp, sizeof(base)))
		return -EFAULT;
	err = pvchr_log_check(c, base);
	if (err)
		return err;

	/* The way back needs no memory: the owner takes it that a refused one is not in use. */
	if (pvchr_logs(c, c->acked)) {
		was = pvlog_alloc(old, c->mem, c->log_event);
		if (!was)
			return -ENOMEM;
	}
	c->log_base = base;
	err = pvchr_log_update(c, c->acked);
	if (err) {
		c->log_base = old;
		if (was)
			pvchr_log_use(c, was, c->acked & BIT_ULL(VHOST_F_LOG_ALL));
	}
	pvlog_put(was);
	return err;
}

long pvchr_set_log_fd(struct pvchr *c, void __user *argp)
{
	struct file *event = NULL, *old = c->log_event;
	int fd, err;

	if (get_user(fd, (int __user *)argp))
		return -EFAULT;
	if (fd != -1) {
		event = eventfd_fget(fd);
		if (IS_ERR(event))
			return PTR_ERR(event);
	}
	c->log_event = event;
	err = pvchr_log_update(c, c->acked);
	if (err == -ENOMEM)
		swap(c->log_event, old);
	if (old)
		fput(old);
	return err;
}

/**
 * pvchr_log_reset() - forget what was said of a log
 * @c: the device, its queues stopped
 *
 * Context: may sleep; &pvdev.control held.
 */
void pvchr_log_reset(struct pvchr *c)
{
	unsigned int i;

	for (i = 0; i < c->dev->nvqs; i++) {
		pvdev_vq_set_log_ring(c->dev->vqs[i], false, 0);
		pvdev_vq_set_log(c->dev->vqs[i], NULL, false);
	}
	c->logging = false;
	if (c->log_event)
		fput(c->log_event);
	c->log_event = NULL;
	c->log_base = 0;
}
