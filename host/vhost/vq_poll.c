// SPDX-License-Identifier: GPL-2.0-only
/*
 * Busy polling: a queue that was found empty has turn after turn for a while,
 * and the driver isn't asked for a kick. Nothing is held between two turns: who
 * wants to stop the queue, or the thread, needn't wait for the end of that time.
 */
#include <linux/export.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "dev.h"

/**
 * pvdev_vq_set_poll() - say how long a worker looks at a queue that is empty
 * @vq: the queue
 * @us: in microseconds; 0: not at all
 *
 * Context: may sleep for as long as a turn takes.
 * Return: 0, or -EINVAL for longer than PVDEV_POLL_US_MAX.
 */
int pvdev_vq_set_poll(struct pvdev_vq *vq, u32 us)
{
	if (us > PVDEV_POLL_US_MAX)
		return -EINVAL;

	mutex_lock(&vq->lock);
	vq->poll_us = us;
	vq->poll_until = 0;
	vq->polling = false;
	mutex_unlock(&vq->lock);
	return 0;
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_poll);

/* Whatever else the CPU or the thread could do is worth more. */
static bool pvdev_vq_may_poll(const struct pvdev_vq *vq)
{
	return !need_resched() && !signal_pending(current) &&
	       pvwork_is_alone(&vq->work);
}

/**
 * pvdev_vq_polls() - is an empty queue to be looked at again at once
 * @vq: the queue, its lock held; its owner wants it to be polled
 *
 * The time begins anew with every chain that comes, and with every one that is
 * given back.
 *
 * Context: worker, at the end of a turn.
 * Return: true if so; false when it is time to ask for a kick.
 */
bool pvdev_vq_polls(struct pvdev_vq *vq)
{
	u64 now = ktime_get_ns();

	lockdep_assert_held(&vq->lock);
	if (!vq->poll_until)
		vq->poll_until = now + vq->poll_us * NSEC_PER_USEC;
	vq->polling = now < vq->poll_until && pvdev_vq_may_poll(vq);
	if (vq->polling)
		cpu_relax();
	else
		vq->poll_until = 0;
	return vq->polling;
}
EXPORT_SYMBOL_GPL(pvdev_vq_polls);
