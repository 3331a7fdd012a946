// SPDX-License-Identifier: GPL-2.0-only
/*
 * The messages of an IOTLB, by reading and writing the descriptor: the VMM reads
 * what has no translation, and writes translations and their end. Both versions
 * of a message have the same layout but for the name of a field.
 *
 * None of it takes &pvdev.control, which is held while queues are stopped.
 */
#include <linux/export.h>
#include <linux/fs.h>
#include <linux/uio.h>
#include <linux/vhost.h>

#include "chr.h"

/* A message without what is reserved behind it. */
#define PVCHR_MSG_MIN	(offsetof(struct vhost_msg_v2, iotlb) + \
			 sizeof(struct vhost_iotlb_msg))

static_assert(sizeof(struct vhost_msg) == sizeof(struct vhost_msg_v2));
static_assert(offsetof(struct vhost_msg, iotlb) ==
	      offsetof(struct vhost_msg_v2, iotlb));
static_assert(VHOST_ACCESS_RO == PVMEM_READ && VHOST_ACCESS_WO == PVMEM_WRITE);

/* The last address of a range; of an empty or wrapping one it is before the first. */
static u64 pvchr_msg_last(const struct vhost_iotlb_msg *m)
{
	u64 last = m->iova + m->size - 1;

	if (m->size)
		return last;
	/* All there is has no size that is a number. */
	return m->iova ? m->iova - 1 : U64_MAX;
}

static int pvchr_iotlb_update(struct pvchr *c, const struct vhost_iotlb_msg *m)
{
	const struct pvmem_region r = {
		.start = m->iova,
		.last = m->iova + m->size - 1,
		.addr = m->uaddr,
		.perm = m->perm,
	};

	return m->size ? pvdev_iotlb_update(c->dev, &r) : -EINVAL;
}

static int pvchr_iotlb_invalidate(struct pvchr *c,
				  const struct vhost_iotlb_msg *m)
{
	return pvdev_iotlb_invalidate(c->dev, m->iova, pvchr_msg_last(m));
}

static int pvchr_iotlb_refuse(struct pvchr *c, const struct vhost_iotlb_msg *m)
{
	/* The answer to a miss may repeat that, and it has no size. */
	u64 last = m->size ? m->iova + m->size - 1 : m->iova;

	return pvdev_iotlb_refuse(c->dev, m->iova, last, m->perm);
}

static int pvchr_iotlb_do(struct pvchr *c, const struct vhost_iotlb_msg *m)
{
	switch (m->type) {
	case VHOST_IOTLB_UPDATE:
		return pvchr_iotlb_update(c, m);
	case VHOST_IOTLB_INVALIDATE:
		return pvchr_iotlb_invalidate(c, m);
	case VHOST_IOTLB_ACCESS_FAIL:
		return pvchr_iotlb_refuse(c, m);
	default:
		return -EINVAL;
	}
}

/**
 * pvchr_file_write_iter() - &file_operations.write_iter: take a message
 * @iocb: the descriptor, of which &file.private_data is the &struct pvchr
 * @from: one message; what lies behind it is left alone
 *
 * Context: a system call; sleeps, but waits for no store, and for turns only where
 * they copy.
 * Return: bytes taken; -EINVAL for what is no message, -EPERM where the caller
 * is not the owner, -EFAULT for bad pointers, and what pvdev_iotlb_update(),
 * pvdev_iotlb_invalidate() and pvdev_iotlb_refuse() return.
 */
ssize_t pvchr_file_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct pvchr *c = iocb->ki_filp->private_data;
	size_t len = min_t(size_t, iov_iter_count(from),
			   sizeof(struct vhost_msg_v2));
	struct vhost_msg_v2 m;
	int err = -EPERM;

	if (len < PVCHR_MSG_MIN)
		return -EINVAL;
	if (copy_from_iter(&m, PVCHR_MSG_MIN, from) != PVCHR_MSG_MIN)
		return -EFAULT;
	/* Without address spaces the second field is padding, of any value. */
	if (m.type != VHOST_IOTLB_MSG && m.type != VHOST_IOTLB_MSG_V2)
		return -EINVAL;

	mutex_lock(&c->dev->map_lock);
	if (c->mm == current->mm)
		err = pvchr_iotlb_do(c, &m.iotlb);
	mutex_unlock(&c->dev->map_lock);
	if (err)
		return err;

	/* What was there before an update may have been another translation. */
	if (m.iotlb.type != VHOST_IOTLB_ACCESS_FAIL)
		pvdev_wait_turns(c->dev);
	iov_iter_advance(from, len - PVCHR_MSG_MIN);
	return len;
}
EXPORT_SYMBOL_GPL(pvchr_file_write_iter);

static int pvchr_iotlb_wait(struct pvchr *c, bool nonblock,
			    struct pvring_miss *miss)
{
	struct pvdev *dev = c->dev;
	int err;

	for (;;) {
		if (READ_ONCE(c->mm) != current->mm)
			return -EPERM;
		if (pvdev_iotlb_next(dev, miss))
			return 0;
		if (!READ_ONCE(dev->iotlb))
			return -EBADFD;
		if (nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(dev->miss_wait,
					       pvdev_iotlb_asks(dev) ||
					       !READ_ONCE(dev->iotlb));
		if (err)
			return err;
	}
}

/* Every byte of it is set: what is reserved is zero. */
static void pvchr_msg_fill(const struct pvchr *c, struct vhost_msg_v2 *m,
			   const struct pvring_miss *miss)
{
	bool v2 = READ_ONCE(c->backend_acked) &
		  BIT_ULL(VHOST_BACKEND_F_IOTLB_MSG_V2);

	memset(m, 0, sizeof(*m));
	m->type = v2 ? VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG;
	m->iotlb.type = VHOST_IOTLB_MISS;
	m->iotlb.iova = miss->iova;
	m->iotlb.perm = miss->perm;
}

/**
 * pvchr_file_read_iter() - &file_operations.read_iter: hand over a message, what
 *	has no translation
 * @iocb: the descriptor, of which &file.private_data is the &struct pvchr; it may
 *	be one that doesn't block
 * @to: room for one message
 *
 * Context: a system call; sleeps.
 * Return: bytes of the message; -EINVAL where there is no room for it, -EPERM
 * where the caller is not the owner, -EBADFD where there is no IOTLB, -EAGAIN,
 * -ERESTARTSYS, -EFAULT.
 */
ssize_t pvchr_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	bool nonblock = (iocb->ki_filp->f_flags & O_NONBLOCK) ||
			(iocb->ki_flags & IOCB_NOWAIT);
	struct pvchr *c = iocb->ki_filp->private_data;
	struct pvring_miss miss;
	struct vhost_msg_v2 m;
	int err;

	if (iov_iter_count(to) < sizeof(m))
		return -EINVAL;
	err = pvchr_iotlb_wait(c, nonblock, &miss);
	if (err)
		return err;

	pvchr_msg_fill(c, &m, &miss);
	if (copy_to_iter(&m, sizeof(m), to) == sizeof(m))
		return sizeof(m);
	pvdev_iotlb_again(c->dev, &miss);
	return -EFAULT;
}
EXPORT_SYMBOL_GPL(pvchr_file_read_iter);

/**
 * pvchr_file_poll() - &file_operations.poll: is there a message to read
 * @file: the descriptor, of which &file.private_data is the &struct pvchr
 * @wait: who waits
 *
 * Return: EPOLLIN, or nothing.
 */
__poll_t pvchr_file_poll(struct file *file, poll_table *wait)
{
	struct pvchr *c = file->private_data;

	poll_wait(file, &c->dev->miss_wait, wait);
	return pvdev_iotlb_asks(c->dev) ? EPOLLIN | EPOLLRDNORM : 0;
}
EXPORT_SYMBOL_GPL(pvchr_file_poll);

/**
 * pvchr_set_memory() - let the device see what the acked features say
 * @c: the device, with no queue started
 * @features: what the driver accepted: with VIRTIO_F_ACCESS_PLATFORM an IOTLB
 *	in which there is nothing yet, otherwise the memory table of the VMM
 *
 * Context: &pvdev.control held.
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int pvchr_set_memory(struct pvchr *c, u64 features)
{
	bool iotlb = features & BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	struct pvmem_table *t = c->mem;
	int err;

	lockdep_assert_held(&c->dev->control);
	if (!iotlb && !c->dev->iotlb)
		return 0;
	if (!iotlb && !t) {
		pvdev_clear_table(c->dev);
		return 0;
	}
	t = iotlb ? pvmem_iotlb_alloc(PVMEM_USER) : pvmem_table_get(t);
	if (!t)
		return -ENOMEM;
	err = pvdev_set_table(c->dev, t);
	if (err)
		pvmem_table_put(t);
	return err;
}
