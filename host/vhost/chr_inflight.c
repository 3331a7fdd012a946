// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls about what is in flight. */
#include <linux/uaccess.h>
#include <uapi/linux/pvio_vhost.h>

#include "chr.h"

/**
 * pvchr_set_vring_inflight() - VHOST_SET_VRING_INFLIGHT
 * @c: the device
 * @cvq: the queue
 * @argp: &struct vhost_vring_inflight
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -EBUSY for a queue that is started; otherwise as for
 * pvinflight_map(), and the queue has the region that it had.
 */
long pvchr_set_vring_inflight(struct pvchr *c, struct pvchr_vq *cvq,
			      void __user *argp)
{
	struct pvinflight_map map = { };
	struct vhost_vring_inflight in;
	int err = 0;

	if (pvdev_vq_started(cvq->vq))
		return -EBUSY;
	if (copy_from_user(&in, argp, sizeof(in)))
		return -EFAULT;
	if (in.flags)
		return -EINVAL;
	/* Copied within a turn: nothing is in flight behind one. */
	if (in.addr && c->dev->copies)
		return -EOPNOTSUPP;
	if (in.addr)
		err = pvinflight_map(&map, in.addr, in.size);
	if (err)
		return err;

	pvinflight_unmap(&cvq->region);
	cvq->region = map;
	pvdev_vq_set_region(cvq->vq, map.region, map.size);
	return 0;
}

/**
 * pvchr_inflight_reset() - forget where a queue notes what it has in flight
 * @cvq: the queue, stopped
 *
 * Context: may sleep; &pvdev.control held.
 */
void pvchr_inflight_reset(struct pvchr_vq *cvq)
{
	lockdep_assert_held(&cvq->vq->dev->control);
	pvdev_vq_set_region(cvq->vq, NULL, 0);
	pvinflight_unmap(&cvq->region);
}

/**
 * pvchr_get_vring_inflight() - VHOST_GET_VRING_INFLIGHT
 * @c: the device
 * @cvq: the queue
 * @argp: &struct vhost_vring_inflight_info
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0 or -EFAULT.
 */
long pvchr_get_vring_inflight(struct pvchr *c, struct pvchr_vq *cvq,
			      void __user *argp)
{
	struct vhost_vring_inflight_info info = { .index = cvq->vq->index };

	pvdev_vq_inflight(cvq->vq, &info);
	return copy_to_user(argp, &info, sizeof(info)) ? -EFAULT : 0;
}

/**
 * pvchr_drain() - VHOST_DRAIN
 * @c: the device
 * @argp: &struct vhost_drain
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -ETIMEDOUT where something is in flight still, -EFAULT, -EINVAL for
 * flags; -EINTR where the caller is killed.
 */
long pvchr_drain(struct pvchr *c, void __user *argp)
{
	struct vhost_drain drain;
	int err;

	if (copy_from_user(&drain, argp, sizeof(drain)))
		return -EFAULT;
	if (drain.flags || drain.reserved)
		return -EINVAL;
	err = pvdev_drain(c->dev, drain.timeout_ms, &drain.inflight);
	if (err == -ERESTARTSYS)
		return -EINTR;
	return copy_to_user(argp, &drain, sizeof(drain)) ? -EFAULT : err;
}

/**
 * pvchr_resume() - VHOST_RESUME
 * @c: the device
 * @argp: nothing
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: as for pvdev_resume().
 */
long pvchr_resume(struct pvchr *c, void __user *argp)
{
	return pvdev_resume(c->dev);
}
