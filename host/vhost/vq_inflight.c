// SPDX-License-Identifier: GPL-2.0-only
/*
 * What queues have in flight: where it is noted, how much it is, and waiting for
 * its end.
 */
#include <linux/jiffies.h>

#include <uapi/linux/pvio_vhost.h>

#include "dev.h"

/**
 * pvdev_vq_set_region() - say where a queue notes what it has in flight
 * @vq: the queue, not started
 * @region: there, until the next call; NULL: nowhere
 * @size: bytes
 *
 * Context: &pvdev.control held.
 */
void pvdev_vq_set_region(struct pvdev_vq *vq, void *region, size_t size)
{
	lockdep_assert_held(&vq->dev->control);
	vq->region = region;
	vq->region_size = size;
}

/**
 * pvdev_vq_inflight() - what a queue has in flight
 * @vq: the queue
 * @info: all but its index is filled in
 *
 * Context: &pvdev.control held; may sleep, for as long as a turn.
 */
void pvdev_vq_inflight(struct pvdev_vq *vq,
		       struct vhost_vring_inflight_info *info)
{
	const struct pvring *r = &vq->ring;
	u64 oldest;

	mutex_lock(&vq->lock);
	info->active = r->inflight;
	info->completed = r->npending;
	if (r->early && !vq->broken)
		info->completed += r->order_n - r->inflight;
	/* One stands for what a former device may have left and nobody has counted. */
	info->again = r->nagain ?: r->recover && pvring_region_used(r);
	oldest = r->inflight ? vq->dev->ops->oldest(vq) : 0;
	info->oldest_ns = oldest ? pvstats_clock() - oldest : 0;
	mutex_unlock(&vq->lock);
}

/* Counts what all queues have; returns whether somebody will do some of it. */
static bool pvdev_count_inflight(struct pvdev *dev, u32 *all)
{
	struct vhost_vring_inflight_info info;
	bool live = false;
	unsigned int i;
	u32 n;

	*all = 0;
	for (i = 0; i < dev->nvqs; i++) {
		pvdev_vq_inflight(dev->vqs[i], &info);
		n = info.active + info.completed + info.again;
		*all += n;
		live |= n && !READ_ONCE(dev->vqs[i]->broken);
	}
	return live;
}

/**
 * pvdev_vq_set_draining() - have a queue take no new chains, or take them again
 * @vq: the queue
 * @draining: which of these
 *
 * Context: &pvdev.control held; may sleep, for as long as a turn.
 */
void pvdev_vq_set_draining(struct pvdev_vq *vq, bool draining)
{
	mutex_lock(&vq->lock);
	vq->draining = draining;
	mutex_unlock(&vq->lock);
}

/**
 * pvdev_vq_settled() - has a queue nothing in flight that somebody will complete
 * @vq: the queue, draining
 *
 * Context: any. A look without the lock may be wrong for a moment.
 * Return: true if so.
 */
bool pvdev_vq_settled(const struct pvdev_vq *vq)
{
	const struct pvring *r = &vq->ring;

	return !READ_ONCE(r->inflight) &&
	       (READ_ONCE(vq->broken) ||
		!(READ_ONCE(r->recover) || READ_ONCE(r->nagain) ||
		  READ_ONCE(r->npending)));
}

/* Nobody does anything for a broken queue. */
static bool pvdev_vq_drained_or_broken(const struct pvdev_vq *vq)
{
	return READ_ONCE(vq->broken) || pvdev_vq_settled(vq);
}

/* Waits up to @end, in jiffies. Returns 0, or -ERESTARTSYS where the caller is killed. */
static int pvdev_vq_await(struct pvdev_vq *vq, unsigned long end)
{
	long left = max_t(long, end - jiffies, 0), ret;

	ret = wait_event_killable_timeout(vq->wait, pvdev_vq_drained_or_broken(vq),
					  left);
	return ret < 0 ? ret : 0;
}

/* Waits for all queues; what is @left in flight is counted with their locks. */
static int pvdev_await(struct pvdev *dev, u32 ms, u32 *left)
{
	unsigned long end = jiffies + msecs_to_jiffies(min_t(u32, ms, INT_MAX));
	unsigned int i;
	int err = 0;

	do {
		for (i = 0; i < dev->nvqs && !err; i++)
			err = pvdev_vq_await(dev->vqs[i], end);
		if (!pvdev_count_inflight(dev, left) || err)
			return err;
	} while (time_before(jiffies, end));
	return -ETIMEDOUT;
}

/**
 * pvdev_drain() - suspend all queues of a device, if that takes no longer than
 * @dev: the device
 * @ms: milliseconds; 0: if nothing is in flight now
 * @left: gets how many chains are in flight still; after success those of broken
 *	queues, which nobody will do
 *
 * No new chains are taken meanwhile. Queues that aren't done in time go on as if
 * nothing had been.
 *
 * Context: &pvdev.control held.
 * Return: 0, -ETIMEDOUT, -ERESTARTSYS where the caller is killed.
 */
int pvdev_drain(struct pvdev *dev, u32 ms, u32 *left)
{
	unsigned int i;
	int err;

	lockdep_assert_held(&dev->control);

	for (i = 0; i < dev->nvqs; i++) {
		pvdev_vq_set_draining(dev->vqs[i], dev->vqs[i]->running);
		pvdev_vq_wake(dev->vqs[i]);
	}
	err = pvdev_await(dev, ms, left);
	for (i = 0; i < dev->nvqs; i++) {
		/* A broken one stands still, and its store may never answer. */
		if (!err && !READ_ONCE(dev->vqs[i]->broken))
			pvdev_vq_suspend(dev->vqs[i]);
		pvdev_vq_set_draining(dev->vqs[i], false);
		pvdev_vq_wake(dev->vqs[i]);
	}
	return err;
}

/**
 * pvdev_resume() - let all queues of a device run that are suspended
 * @dev: the device
 *
 * Context: &pvdev.control held.
 * Return: 0, or -EOWNERDEAD where the thread of one is gone; others run then.
 */
int pvdev_resume(struct pvdev *dev)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < dev->nvqs; i++)
		if (pvdev_vq_started(dev->vqs[i]))
			err = pvdev_vq_resume(dev->vqs[i]) ?: err;
	return err;
}
