// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a queue: start, turns, stop. Whoever stops a queue for good waits
 * for what is in flight in his own context, so that it ends as well when its
 * worker is gone.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "dev.h"
#include "netlink.h"
#include "trace.h"

/* Chains per pop. */
#define PVDEV_BATCH	64

static bool pvdev_vq_turn(struct pvwork *work)
{
	struct pvdev_vq *vq = container_of(work, struct pvdev_vq, work);
	bool again = false;

	mutex_lock(&vq->lock);
	WRITE_ONCE(vq->turning, current);
	if ((vq->running || vq->draining) && !vq->broken) {
		if (likely(!vq->ring.recover) || pvdev_vq_recover(vq))
			again = vq->dev->ops->turn(vq);
	} else if (vq->batch) {
		vq->dev->ops->reap(vq, !vq->broken);
		pvdev_vq_publish(vq);
	}
	WRITE_ONCE(vq->turning, NULL);

	/*
	 * A completion that saw us turning did not queue us; pairs with the
	 * full barrier of llist_add() in pvdev_vq_done().
	 */
	smp_mb();
	again |= !llist_empty(&vq->done) && !pvdev_vq_asks(vq);
	mutex_unlock(&vq->lock);

	/*
	 * The full barrier above also orders what is in flight before this
	 * look at who waits; pairs with wait_event().
	 */
	if (waitqueue_active(&vq->wait))
		wake_up(&vq->wait);
	return again;
}

static void pvdev_vq_tell_broken(struct pvdev_vq *vq, const char *why)
{
	trace_pvio_broken(vq, why);
	WRITE_ONCE(vq->why, why);
	WRITE_ONCE(vq->broken, true);
	pvdev_vq_ask_no_more(vq);
	pvstats_add(&vq->stats, PVSTATS_BROKEN, 1);
	vq->dev->ops->broken(vq);

	spin_lock_bh(&vq->call_lock);
	if (vq->error)
		eventfd_signal(vq->error);
	spin_unlock_bh(&vq->call_lock);
	pvdev_vq_tell(vq);
}

/* Somebody else may still have the device: let him see that it is dead. */
static void pvdev_vq_worker_gone(struct pvwork *work)
{
	struct pvdev_vq *vq = container_of(work, struct pvdev_vq, work);

	mutex_lock(&vq->lock);
	if (vq->running && !vq->broken)
		pvdev_vq_tell_broken(vq, "its worker is gone");
	mutex_unlock(&vq->lock);
	wake_up(&vq->wait);
}

/**
 * pvdev_vq_init() - make a queue that is stopped
 * @vq: the queue, zeroed
 * @dev: its device
 * @index: its place there
 */
void pvdev_vq_init(struct pvdev_vq *vq, struct pvdev *dev, u16 index)
{
	vq->dev = dev;
	vq->index = index;
	vq->state = PVRING_FIRST_STATE;
	mutex_init(&vq->lock);
	mutex_init(&vq->mem_lock);
	spin_lock_init(&vq->call_lock);
	init_llist_head(&vq->done);
	init_waitqueue_head(&vq->wait);
	pvstats_init(&vq->stats);
}
EXPORT_SYMBOL_GPL(pvdev_vq_init);

static void pvdev_vq_unmap(struct pvdev_vq *vq)
{
	unsigned int i;

	mutex_lock(&vq->mem_lock);
	for (i = 0; i < PVDEV_AREAS; i++)
		pvmem_unmap_area(&vq->map[i]);
	vq->mapped = false;
	mutex_unlock(&vq->mem_lock);
}

/* Who changes an IOTLB passes over queues that are not. */
static void pvdev_vq_set_live(struct pvdev_vq *vq, bool live)
{
	mutex_lock(&vq->dev->map_lock);
	vq->live = live;
	mutex_unlock(&vq->dev->map_lock);
}

static int pvdev_vq_keep_inflight(struct pvdev_vq *vq)
{
	int err = 0;

	if (vq->region)
		err = pvring_keep_inflight(&vq->ring, vq->region,
					   vq->region_size);
	if (err == -EINVAL)
		pvdev_warn(vq->dev, "queue %u can't start: its in-flight region is of another queue size or version, or too small\n",
			   vq->index);
	return err;
}

static int pvdev_vq_make_ring(struct pvdev_vq *vq)
{
	int err;

	mutex_lock(&vq->lock);
	err = vq->batch ? -EBUSY : pvring_init(&vq->ring, &vq->config);
	if (err)
		goto out;
	err = pvring_set_state(&vq->ring, &vq->state);
	if (err)
		goto err_state;
	err = pvdev_vq_keep_inflight(vq);
	if (err)
		goto err_state;

	vq->batch = pvring_batch_alloc(PVDEV_BATCH, &vq->config.limits);
	if (!vq->batch) {
		err = -ENOMEM;
		goto err_state;
	}
	vq->broken = false;
	vq->poll_until = 0;
	vq->polling = false;
out:
	mutex_unlock(&vq->lock);
	if (!err)
		pvdev_vq_set_live(vq, true);
	return err;

err_state:
	pvring_destroy(&vq->ring);
	goto out;
}

static void pvdev_vq_free_ring(struct pvdev_vq *vq)
{
	mutex_lock(&vq->lock);
	pvdev_vq_unmap(vq);
	pvring_batch_free(vq->batch);
	vq->batch = NULL;
	pvring_destroy(&vq->ring);
	vq->ring = (struct pvring) { };
	vq->broken = false;
	pvdev_vq_ask_no_more(vq);
	mutex_unlock(&vq->lock);
	pvdev_vq_set_live(vq, false);
}

/**
 * pvdev_vq_start() - make all that a queue needs to run
 * @vq: a queue that is reset, with its config, iova and state set
 * @w: the worker that runs it; the queue has a reference until it is stopped
 *
 * It is suspended then: pvdev_vq_resume() lets it run, and can't fail for want
 * of anything. So a device of which one queue can't be had has done nothing.
 *
 * Context: &pvdev.control held.
 * Return: 0, -EBUSY for a queue that is not reset, -EINVAL for a config that is
 * out of range or an index that is, -EOWNERDEAD where the worker's thread is gone, -ENOMEM.
 */
int pvdev_vq_start(struct pvdev_vq *vq, struct pvworker *w)
{
	int err;

	lockdep_assert_held(&vq->dev->control);

	err = pvdev_vq_make_ring(vq);
	if (err)
		return err;
	pvwork_init(&vq->work, pvdev_vq_turn, pvdev_vq_worker_gone);
	err = pvworker_attach(w, &vq->work);
	if (err)
		goto err_attach;
	rcu_assign_pointer(vq->worker, w);
	return 0;

err_attach:
	pvdev_vq_free_ring(vq);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_vq_start);

static void pvdev_vq_stop_turns(struct pvdev_vq *vq)
{
	mutex_lock(&vq->lock);
	vq->running = false;
	/* Its owner may be the one who waits: nobody has to answer. */
	pvdev_vq_ask_no_more(vq);
	mutex_unlock(&vq->lock);
}

static bool pvdev_vq_any_done(const struct pvdev_vq *vq)
{
	return !llist_empty(&vq->done) || !READ_ONCE(vq->ring.inflight);
}

/* Waits for everything in flight and drops it; needs neither worker nor mm. */
static void pvdev_vq_drop(struct pvdev_vq *vq)
{
	const struct pvdev_ops *ops = vq->dev->ops;
	bool killable = ops->abandon, dropped;

	for (;;) {
		mutex_lock(&vq->lock);
		ops->reap(vq, false);
		if (ops->abandon)
			ops->abandon(vq);
		dropped = !vq->ring.inflight;
		mutex_unlock(&vq->lock);
		if (dropped)
			return;
		/* With the caller's end the rest may matter no more: that is asked once. */
		if (!killable)
			wait_event(vq->wait, pvdev_vq_any_done(vq));
		else if (wait_event_killable(vq->wait, pvdev_vq_any_done(vq)))
			killable = false;
	}
}

static bool pvdev_vq_drained(struct pvdev_vq *vq)
{
	return READ_ONCE(pvdev_vq_worker(vq)->killed) || pvdev_vq_settled(vq);
}

static void pvdev_vq_await_drained(struct pvdev_vq *vq)
{
	const struct pvdev_ops *ops = vq->dev->ops;

	/* Not each kernel's worker is killed along with the caller. */
	if (ops->abandon && wait_event_killable(vq->wait, pvdev_vq_drained(vq))) {
		mutex_lock(&vq->lock);
		ops->abandon(vq);
		mutex_unlock(&vq->lock);
		pvdev_vq_wake(vq);
	}
	wait_event(vq->wait, pvdev_vq_drained(vq));
}

/* What its worker would have completed goes; the driver goes on waiting for it. */
static void pvdev_vq_drop_orphans(struct pvdev_vq *vq)
{
	pvdev_vq_drop(vq);
	mutex_lock(&vq->lock);
	if (!vq->broken)
		pvdev_vq_tell_broken(vq, "its worker is gone");
	mutex_unlock(&vq->lock);
}

/**
 * pvdev_vq_suspend() - stop a queue with nothing in flight
 * @vq: the queue; one that isn't running is allowed
 *
 * The worker completes and publishes all that was popped, and what a former device
 * had popped; then the state can be taken. Where the worker went with its process,
 * so did the driver.
 *
 * Context: &pvdev.control held; sleeps for as long as the backing store takes.
 */
void pvdev_vq_suspend(struct pvdev_vq *vq)
{
	lockdep_assert_held(&vq->dev->control);

	if (!vq->running)
		return;

	/* Its turns take nothing new, and ask for nothing. */
	pvdev_vq_set_draining(vq, true);
	pvdev_vq_stop_turns(vq);
	pvdev_vq_wake(vq);
	pvdev_vq_await_drained(vq);
	if (READ_ONCE(pvdev_vq_worker(vq)->killed))
		pvdev_vq_drop_orphans(vq);

	/* The last turn is over, its notification included. */
	pvdev_vq_set_draining(vq, false);
}
EXPORT_SYMBOL_GPL(pvdev_vq_suspend);

/**
 * pvdev_vq_resume() - let a queue run that was started, or suspended
 * @vq: the queue
 *
 * Context: &pvdev.control held.
 * Return: 0; -EINVAL for a queue that was not started, -EOWNERDEAD where its
 * thread is gone.
 */
int pvdev_vq_resume(struct pvdev_vq *vq)
{
	int err = 0;

	lockdep_assert_held(&vq->dev->control);

	mutex_lock(&vq->lock);
	if (!vq->batch)
		err = -EINVAL;
	else if (READ_ONCE(pvdev_vq_worker(vq)->killed))
		err = -EOWNERDEAD;
	else
		vq->running = true;
	mutex_unlock(&vq->lock);

	/* Chains may be there already, and the kick for them gone by. */
	if (!err)
		pvdev_vq_wake(vq);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_vq_resume);

/* Returns whether somebody may still be queueing to the queue's worker. */
static bool pvdev_vq_hide_worker(struct pvdev_vq *vq)
{
	pvdev_vq_stop_turns(vq);
	vq->leaving = pvdev_vq_worker(vq);
	RCU_INIT_POINTER(vq->worker, NULL);
	return vq->leaving;
}

static void pvdev_vq_finish(struct pvdev_vq *vq)
{
	if (vq->leaving)
		pvworker_detach(vq->leaving, &vq->work);
	vq->leaving = NULL;
	if (vq->batch)
		pvdev_vq_drop(vq);

	pvdev_vq_free_ring(vq);
}

/**
 * pvdev_stop() - undo pvdev_vq_start() for all queues of a device
 * @dev: the device; queues that weren't started are allowed
 *
 * What is in flight is waited for and dropped. What a queue was told before
 * its start stays.
 *
 * Context: &pvdev.control held; sleeps for as long as the backing store takes.
 */
void pvdev_stop(struct pvdev *dev)
{
	bool hidden = false;
	unsigned int i;

	lockdep_assert_held(&dev->control);

	for (i = 0; i < dev->nvqs; i++)
		hidden |= pvdev_vq_hide_worker(dev->vqs[i]);
	/* Whoever saw a worker has finished queueing to it. */
	if (hidden)
		synchronize_rcu();
	for (i = 0; i < dev->nvqs; i++)
		pvdev_vq_finish(dev->vqs[i]);
}
EXPORT_SYMBOL_GPL(pvdev_stop);

/* Its next start begins where it stands. */
static void pvdev_vq_keep_state(struct pvdev_vq *vq)
{
	pvdev_vq_suspend(vq);
	mutex_lock(&vq->lock);
	if (vq->batch)
		pvring_get_state(&vq->ring, &vq->state);
	mutex_unlock(&vq->lock);
}

/**
 * pvdev_vq_park() - stop a queue so that it can go on from here
 * @vq: the queue; one that wasn't started is allowed
 *
 * What is in flight is completed and shown to the driver, and the queue's next
 * start begins where it stands.
 *
 * Context: as for pvdev_vq_suspend().
 */
void pvdev_vq_park(struct pvdev_vq *vq)
{
	pvdev_vq_keep_state(vq);
	if (pvdev_vq_hide_worker(vq))
		synchronize_rcu();
	pvdev_vq_finish(vq);
}
EXPORT_SYMBOL_GPL(pvdev_vq_park);

/**
 * pvdev_park() - pvdev_vq_park() for all queues of a device
 * @dev: the device
 *
 * Context: as for pvdev_vq_suspend().
 */
void pvdev_park(struct pvdev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++)
		pvdev_vq_keep_state(dev->vqs[i]);
	pvdev_stop(dev);
}
EXPORT_SYMBOL_GPL(pvdev_park);

/**
 * pvdev_vq_reset() - forget all that a queue was told
 * @vq: the queue, stopped
 *
 * Context: &pvdev.control held.
 */
void pvdev_vq_reset(struct pvdev_vq *vq)
{
	lockdep_assert_held(&vq->dev->control);

	mutex_lock(&vq->lock);
	vq->config = (struct pvring_config) { };
	memset(vq->iova, 0, sizeof(vq->iova));
	vq->direct = false;
	vq->state = PVRING_FIRST_STATE;
	vq->poll_us = 0;
	mutex_unlock(&vq->lock);

	pvdev_vq_set_call(vq, NULL, NULL);
	pvdev_vq_set_error(vq, NULL);
}
EXPORT_SYMBOL_GPL(pvdev_vq_reset);

/**
 * pvdev_vq_wake() - have a queue's worker look at it
 * @vq: the queue
 *
 * Context: any, also hard interrupts.
 */
void pvdev_vq_wake(struct pvdev_vq *vq)
{
	struct pvworker *w;

	rcu_read_lock();
	w = rcu_dereference(vq->worker);
	if (unlikely(!w)) {
		/*
		 * What the queue is woken for before the look at the worker;
		 * pairs with the one that pvdev_vq_set_worker() queues.
		 */
		smp_mb();
		w = rcu_dereference(vq->worker);
	}
	if (w)
		pvworker_queue(w, &vq->work);
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(pvdev_vq_wake);

/**
 * pvdev_vq_kick() - the driver made chains available
 * @vq: the queue
 *
 * Context: any, also hard interrupts.
 */
void pvdev_vq_kick(struct pvdev_vq *vq)
{
	if (PVSTATS_ON)
		atomic64_inc(&vq->stats.kicks);
	pvdev_vq_wake(vq);
}
EXPORT_SYMBOL_GPL(pvdev_vq_kick);

/**
 * pvdev_vq_done() - a request is finished, but for its completion
 * @vq: the queue it came from
 * @node: where the backend's reap finds it, in &pvdev_vq.done
 *
 * Context: any, also hard interrupts.
 */
void pvdev_vq_done(struct pvdev_vq *vq, struct llist_node *node)
{
	/* With @node listed the queue may be drained: it lives by RCU alone. */
	rcu_read_lock();
	if (llist_add(node, &vq->done)) {
		if (READ_ONCE(vq->turning) != current)
			pvdev_vq_wake(vq);
		/* llist_add() is a full barrier, as wait_event() needs it. */
		if (waitqueue_active(&vq->wait))
			wake_up(&vq->wait);
	}
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(pvdev_vq_done);

/**
 * pvdev_vq_set_areas() - say where a queue's ring is
 * @vq: the queue; a running one goes on there
 * @iova: the areas, by &enum pvdev_area
 * @direct: @iova are addresses of the owner's mm; for PVMEM_USER
 *
 * Context: &pvdev.control held.
 */
void pvdev_vq_set_areas(struct pvdev_vq *vq, const u64 iova[PVDEV_AREAS],
			bool direct)
{
	lockdep_assert_held(&vq->dev->control);

	mutex_lock(&vq->lock);
	memcpy(vq->iova, iova, sizeof(vq->iova));
	vq->direct = direct;
	pvdev_vq_unmap(vq);
	/* What it asked for may have been the ring as it was. */
	pvdev_vq_ask_no_more(vq);
	mutex_unlock(&vq->lock);
	pvdev_vq_wake(vq);
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_areas);

/**
 * pvdev_vq_set_state() - say where a queue's ring is to go on
 * @vq: the queue; not running
 * @state: from pvdev_vq_get_state(), or from the VMM: any value is safe
 *
 * Context: &pvdev.control held.
 * Return: 0; -EBUSY for a queue with chains in flight, -EINVAL for an index that
 * a started one doesn't have. One that isn't started judges at its start.
 */
int pvdev_vq_set_state(struct pvdev_vq *vq, const struct pvring_state *state)
{
	int err = 0;

	lockdep_assert_held(&vq->dev->control);

	mutex_lock(&vq->lock);
	if (vq->running || vq->ring.inflight || vq->ring.npending)
		err = -EBUSY;
	else if (vq->batch)
		err = pvring_set_state(&vq->ring, state);
	else
		vq->state = *state;
	mutex_unlock(&vq->lock);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_state);

/**
 * pvdev_vq_get_state() - where a queue's ring stands
 * @vq: the queue; suspended, or else the answer is old at once
 * @state: the answer
 *
 * Context: may sleep.
 */
void pvdev_vq_get_state(struct pvdev_vq *vq, struct pvring_state *state)
{
	mutex_lock(&vq->lock);
	if (vq->batch)
		pvring_get_state(&vq->ring, state);
	else
		*state = vq->state;
	mutex_unlock(&vq->lock);
}
EXPORT_SYMBOL_GPL(pvdev_vq_get_state);

/**
 * pvdev_vq_break() - stop a queue that its driver broke
 * @vq: the queue, its lock held
 * @why: the end of a sentence about the queue
 *
 * Context: may sleep.
 */
void pvdev_vq_break(struct pvdev_vq *vq, const char *why)
{
	lockdep_assert_held(&vq->lock);

	if (vq->broken)
		return;

	pvdev_warn(vq->dev, "queue %u is broken until a reset: %s\n", vq->index,
		   why);
	pvdev_vq_tell_broken(vq, why);
}
EXPORT_SYMBOL_GPL(pvdev_vq_break);
