// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls that configure one queue. A value that could be good for a ring of
 * another format or size is kept; the start of the queue judges it.
 */
#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <uapi/linux/pvio_vhost.h>

#include "chr.h"

/* Of each half of a packed ring's base: the driver's below, the device's above. */
#define PVCHR_BASE_IDX	0x7fff
#define PVCHR_BASE_WRAP	0x8000

static bool pvchr_packed(const struct pvchr *c)
{
	return c->acked & BIT_ULL(VIRTIO_F_RING_PACKED);
}

static long pvchr_set_vring_num(struct pvchr *c, struct pvchr_vq *cvq,
				void __user *argp)
{
	struct vhost_vring_state s;

	if (pvdev_vq_started(cvq->vq))
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (!s.num || s.num > PVRING_NUM_MAX)
		return -EINVAL;
	if (!pvchr_packed(c) && !is_power_of_2(s.num))
		return -EINVAL;

	cvq->vq->config.num = s.num;
	return 0;
}

static long pvchr_set_vring_base(struct pvchr *c, struct pvchr_vq *cvq,
				 void __user *argp)
{
	struct pvring_state state = { };
	struct vhost_vring_state s;

	if (pvdev_vq_started(cvq->vq))
		return -EBUSY;
	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;

	if (pvchr_packed(c)) {
		state.avail_idx = s.num & PVCHR_BASE_IDX;
		state.avail_wrap = s.num & PVCHR_BASE_WRAP;
		state.used_idx = (s.num >> 16) & PVCHR_BASE_IDX;
		state.used_wrap = (s.num >> 16) & PVCHR_BASE_WRAP;
		return pvdev_vq_set_state(cvq->vq, &state);
	}
	if (s.num > U16_MAX)
		return -EINVAL;

	/* Every stop has drained the ring: both indices are the same. */
	state.avail_idx = s.num;
	state.used_idx = s.num;
	return pvdev_vq_set_state(cvq->vq, &state);
}

static long pvchr_get_vring_base(struct pvchr *c, struct pvchr_vq *cvq,
				 void __user *argp)
{
	struct vhost_vring_state s = { .index = cvq->vq->index };
	struct pvring_state state;

	pvdev_vq_get_state(cvq->vq, &state);
	s.num = state.avail_idx;
	if (pvchr_packed(c)) {
		s.num |= state.avail_wrap ? PVCHR_BASE_WRAP : 0;
		s.num |= state.used_idx << 16;
		s.num |= state.used_wrap ? (u32)PVCHR_BASE_WRAP << 16 : 0;
	}
	return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
}

static long pvchr_set_vring_addr(struct pvchr *c, struct pvchr_vq *cvq,
				 void __user *argp)
{
	struct vhost_vring_addr a;
	u64 iova[PVDEV_AREAS];

	if (copy_from_user(&a, argp, sizeof(a)))
		return -EFAULT;
	if (a.flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	/* virtio 1.4, 2.7 and 2.8. */
	if (!IS_ALIGNED(a.desc_user_addr, 16) ||
	    !IS_ALIGNED(a.avail_user_addr, pvchr_packed(c) ? 4 : 2) ||
	    !IS_ALIGNED(a.used_user_addr, 4) ||
	    !IS_ALIGNED(a.log_guest_addr, 4))
		return -EINVAL;
	/* With an IOTLB it translates them. */
	if (!c->dev->iotlb &&
	    (!access_ok(u64_to_user_ptr(a.desc_user_addr), 1) ||
	     !access_ok(u64_to_user_ptr(a.avail_user_addr), 1) ||
	     !access_ok(u64_to_user_ptr(a.used_user_addr), 1)))
		return -EFAULT;

	iova[PVDEV_DESC] = a.desc_user_addr;
	iova[PVDEV_DRIVER] = a.avail_user_addr;
	iova[PVDEV_DEVICE] = a.used_user_addr;
	pvdev_vq_set_areas(cvq->vq, iova, true);
	pvdev_vq_set_log_ring(cvq->vq, a.flags & BIT(VHOST_VRING_F_LOG),
			      a.log_guest_addr);
	cvq->placed = true;
	return pvchr_log_update(c, c->acked);
}

static int pvchr_get_fd(void __user *argp, int *fd)
{
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	*fd = f.fd;
	return 0;
}

static long pvchr_set_vring_kick(struct pvchr *c, struct pvchr_vq *cvq,
				 void __user *argp)
{
	int fd;

	return pvchr_get_fd(argp, &fd) ?: pvchr_kick_set(cvq, fd);
}

static int pvchr_get_event(void __user *argp, struct eventfd_ctx **event)
{
	int fd, err;

	*event = NULL;
	err = pvchr_get_fd(argp, &fd);
	if (err || fd == -1)
		return err;

	*event = eventfd_ctx_fdget(fd);
	return PTR_ERR_OR_ZERO(*event);
}

static long pvchr_set_vring_call(struct pvchr *c, struct pvchr_vq *cvq,
				 void __user *argp)
{
	struct eventfd_ctx *event;
	int err = pvchr_get_event(argp, &event);

	if (!err)
		pvdev_vq_set_event(cvq->vq, event);
	return err;
}

static long pvchr_set_vring_err(struct pvchr *c, struct pvchr_vq *cvq,
				void __user *argp)
{
	struct eventfd_ctx *event;
	int err = pvchr_get_event(argp, &event);

	if (!err)
		pvdev_vq_set_error(cvq->vq, event);
	return err;
}

static long pvchr_set_vring_busyloop(struct pvchr *c, struct pvchr_vq *cvq,
				     void __user *argp)
{
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	return pvdev_vq_set_poll(cvq->vq, s.num);
}

static long pvchr_get_vring_busyloop(struct pvchr *c, struct pvchr_vq *cvq,
				     void __user *argp)
{
	struct vhost_vring_state s = {
		.index = cvq->vq->index,
		.num = cvq->vq->poll_us,
	};

	return copy_to_user(argp, &s, sizeof(s)) ? -EFAULT : 0;
}

static long pvchr_set_vring_enable(struct pvchr *c, struct pvchr_vq *cvq,
				   void __user *argp)
{
	unsigned int idx = cvq->vq->index;
	struct vhost_vring_state s;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	if (s.num > 1)
		return -EINVAL;
	if (s.num)
		return c->ops->start(c, idx);

	c->ops->stop(c, idx);
	return 0;
}

static const struct pvchr_vring_cmd {
	unsigned int cmd;
	long (*fn)(struct pvchr *c, struct pvchr_vq *cvq, void __user *argp);
} pvchr_vring_cmds[] = {
	{ VHOST_SET_VRING_NUM, pvchr_set_vring_num },
	{ VHOST_SET_VRING_BASE, pvchr_set_vring_base },
	{ VHOST_GET_VRING_BASE, pvchr_get_vring_base },
	{ VHOST_SET_VRING_ADDR, pvchr_set_vring_addr },
	{ VHOST_SET_VRING_KICK, pvchr_set_vring_kick },
	{ VHOST_SET_VRING_CALL, pvchr_set_vring_call },
	{ VHOST_SET_VRING_ERR, pvchr_set_vring_err },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT, pvchr_set_vring_busyloop },
	{ VHOST_GET_VRING_BUSYLOOP_TIMEOUT, pvchr_get_vring_busyloop },
	{ VHOST_VDPA_SET_VRING_ENABLE, pvchr_set_vring_enable },
	{ VHOST_ATTACH_VRING_WORKER, pvchr_attach_worker },
	{ VHOST_GET_VRING_WORKER, pvchr_get_worker },
	{ VHOST_SET_VRING_INFLIGHT, pvchr_set_vring_inflight },
	{ VHOST_GET_VRING_INFLIGHT, pvchr_get_vring_inflight },
};

/**
 * pvchr_vring_ioctl() - do what the owner asks for one queue
 * @c: the device
 * @cmd: the ioctl
 * @argp: its argument, which begins with the queue's index
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -ENOIOCTLCMD for one that is of no queue, -ENOBUFS for a queue
 * that the device doesn't have, -EBUSY for what a started queue can't change,
 * -EFAULT, -EINVAL, -EBADF for bad arguments, -EOPNOTSUPP for flags, -ENODEV
 * and -EOWNERDEAD for workers that aren't there; and what &pvchr_ops.start returns.
 */
long pvchr_vring_ioctl(struct pvchr *c, unsigned int cmd, void __user *argp)
{
	const struct pvchr_vring_cmd *v = pvchr_vring_cmds;
	const struct pvchr_vring_cmd *end = v + ARRAY_SIZE(pvchr_vring_cmds);
	u32 idx;

	while (v < end && v->cmd != cmd)
		v++;
	if (v == end)
		return -ENOIOCTLCMD;
	if (get_user(idx, (u32 __user *)argp))
		return -EFAULT;
	if (idx >= c->dev->nvqs)
		return -ENOBUFS;

	return v->fn(c, &c->vq[array_index_nospec(idx, c->dev->nvqs)], argp);
}

/**
 * pvchr_vring_reset() - forget what the owner set for the queues
 * @c: the device, its queues reset
 *
 * Context: may sleep; &pvdev.control held.
 */
void pvchr_vring_reset(struct pvchr *c)
{
	unsigned int i;

	for (i = 0; i < c->dev->nvqs; i++) {
		pvchr_kick_drop(&c->vq[i]);
		c->vq[i].placed = false;
		pvchr_inflight_reset(&c->vq[i]);
	}
}
