// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a queue: start, turns, stop. Whoever stops a queue drains it in
 * his own context, so that it ends as well when its worker is gone.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "dev.h"

/* Chains per pop. */
#define PVDEV_BATCH	64

static bool pvdev_vq_turn(struct pvwork *work)
{
	struct pvdev_vq *vq = container_of(work, struct pvdev_vq, work);
	bool again = false;

	mutex_lock(&vq->lock);
	WRITE_ONCE(vq->turning, current);
	if (vq->running && !vq->broken) {
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
	again |= !llist_empty(&vq->done);
	mutex_unlock(&vq->lock);

	if (waitqueue_active(&vq->wait))
		wake_up(&vq->wait);
	return again;
}

/* Somebody else may still have the device: let him see that it is dead. */
static void pvdev_vq_worker_gone(struct pvworker *w)
{
	struct pvdev_vq *vq = container_of(w, struct pvdev_vq, worker);

	mutex_lock(&vq->lock);
	if (vq->running && !vq->broken) {
		vq->broken = true;
		vq->dev->ops->broken(vq);
	}
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
	mutex_init(&vq->lock);
	mutex_init(&vq->mem_lock);
	spin_lock_init(&vq->call_lock);
	init_llist_head(&vq->done);
	init_waitqueue_head(&vq->wait);
	pvworker_init(&vq->worker, pvdev_vq_worker_gone);
	pvwork_init(&vq->work, pvdev_vq_turn);
}
EXPORT_SYMBOL_GPL(pvdev_vq_init);

/**
 * pvdev_vq_start() - let a queue run
 * @vq: a queue that is reset, with its config, iova and state set
 * @kind: whose thread runs it
 *
 * Context: may sleep; PVWORKER_OWNER: a system call of the owner.
 * Return: 0, -EBUSY for a queue that is not reset, -EINVAL for a config that is
 * out of range, -ENOMEM, or the error of making a thread.
 */
int pvdev_vq_start(struct pvdev_vq *vq, enum pvworker_kind kind)
{
	char name[TASK_COMM_LEN];
	int err;

	mutex_lock(&vq->lock);
	err = vq->batch ? -EBUSY : pvring_init(&vq->ring, &vq->config);
	if (err)
		goto err_ring;
	pvring_set_state(&vq->ring, &vq->state);

	err = -ENOMEM;
	vq->batch = pvring_batch_alloc(PVDEV_BATCH, &vq->config.limits);
	if (!vq->batch)
		goto err_batch;

	/* The queue's number survives, whatever the device's name. */
	snprintf(name, sizeof(name), "pv%u-%s", vq->index, vq->dev->name);
	err = pvworker_start(&vq->worker, kind, name);
	if (err)
		goto err_worker;

	vq->broken = false;
	vq->running = true;
	mutex_unlock(&vq->lock);

	/* Chains may be there already, and the kick for them gone by. */
	pvworker_queue(&vq->worker, &vq->work);
	return 0;

err_worker:
	pvring_batch_free(vq->batch);
	vq->batch = NULL;
err_batch:
	pvring_destroy(&vq->ring);
err_ring:
	mutex_unlock(&vq->lock);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_vq_start);

static void pvdev_vq_stop_turns(struct pvdev_vq *vq)
{
	mutex_lock(&vq->lock);
	vq->running = false;
	mutex_unlock(&vq->lock);
}

/* Waits for everything in flight and drops it; needs neither worker nor mm. */
static void pvdev_vq_drop(struct pvdev_vq *vq)
{
	bool dropped;

	do {
		wait_event(vq->wait, !llist_empty(&vq->done) ||
			   !READ_ONCE(vq->ring.inflight));
		mutex_lock(&vq->lock);
		vq->dev->ops->reap(vq, false);
		dropped = !vq->ring.inflight;
		mutex_unlock(&vq->lock);
	} while (!dropped);
}

static bool pvdev_vq_drained(struct pvdev_vq *vq)
{
	return READ_ONCE(vq->worker.killed) ||
	       (!READ_ONCE(vq->ring.inflight) &&
		(!READ_ONCE(vq->ring.npending) || READ_ONCE(vq->broken)));
}

/**
 * pvdev_vq_suspend() - stop a queue with nothing in flight
 * @vq: the queue; one that isn't running is allowed
 *
 * The worker completes and publishes all that was popped; then the state can
 * be taken. Where the worker went with its process, so did the driver.
 *
 * Context: may sleep, for as long as the backing store takes.
 */
void pvdev_vq_suspend(struct pvdev_vq *vq)
{
	if (!vq->running)
		return;

	pvdev_vq_stop_turns(vq);
	pvworker_queue(&vq->worker, &vq->work);
	wait_event(vq->wait, pvdev_vq_drained(vq));
	if (READ_ONCE(vq->worker.killed))
		pvdev_vq_drop(vq);

	/* The last turn is over, its notification included. */
	mutex_lock(&vq->lock);
	mutex_unlock(&vq->lock);
}
EXPORT_SYMBOL_GPL(pvdev_vq_suspend);

/**
 * pvdev_vq_resume() - let a suspended queue go on
 * @vq: the queue
 *
 * Context: may sleep.
 * Return: 0; -EINVAL for a queue that was not started, -EOWNERDEAD where its
 * thread is gone.
 */
int pvdev_vq_resume(struct pvdev_vq *vq)
{
	int err = 0;

	mutex_lock(&vq->lock);
	if (!vq->batch)
		err = -EINVAL;
	else if (READ_ONCE(vq->worker.killed))
		err = -EOWNERDEAD;
	else
		vq->running = true;
	mutex_unlock(&vq->lock);

	if (!err)
		pvworker_queue(&vq->worker, &vq->work);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_vq_resume);

static void pvdev_vq_unmap(struct pvdev_vq *vq)
{
	unsigned int i;

	mutex_lock(&vq->mem_lock);
	for (i = 0; i < PVDEV_AREAS; i++)
		pvmem_unmap_area(&vq->map[i]);
	vq->mapped = false;
	mutex_unlock(&vq->mem_lock);
}

/**
 * pvdev_vq_reset() - stop a queue and forget its ring
 * @vq: the queue; one that isn't running is allowed
 *
 * What is in flight is waited for and dropped: the driver no longer asks.
 *
 * Context: may sleep, for as long as the backing store takes.
 */
void pvdev_vq_reset(struct pvdev_vq *vq)
{
	pvdev_vq_stop_turns(vq);
	pvworker_stop(&vq->worker);
	if (vq->batch)
		pvdev_vq_drop(vq);

	mutex_lock(&vq->lock);
	pvdev_vq_unmap(vq);
	pvring_batch_free(vq->batch);
	vq->batch = NULL;
	pvring_destroy(&vq->ring);
	vq->ring = (struct pvring) { };
	vq->config = (struct pvring_config) { };
	memset(vq->iova, 0, sizeof(vq->iova));
	vq->state = (struct pvring_state) { };
	vq->broken = false;
	mutex_unlock(&vq->lock);
}
EXPORT_SYMBOL_GPL(pvdev_vq_reset);

/**
 * pvdev_vq_kick() - the driver made chains available
 * @vq: the queue
 *
 * Context: any, also hard interrupts.
 */
void pvdev_vq_kick(struct pvdev_vq *vq)
{
	pvworker_queue(&vq->worker, &vq->work);
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
			pvworker_queue(&vq->worker, &vq->work);
		/* llist_add() is a full barrier, as wait_event() needs it. */
		if (waitqueue_active(&vq->wait))
			wake_up(&vq->wait);
	}
	rcu_read_unlock();
}
EXPORT_SYMBOL_GPL(pvdev_vq_done);

/**
 * pvdev_vq_set_areas() - say where a queue's ring is
 * @vq: the queue; not running
 * @iova: the areas, by &enum pvdev_area
 *
 * Context: may sleep.
 */
void pvdev_vq_set_areas(struct pvdev_vq *vq, const u64 iova[PVDEV_AREAS])
{
	mutex_lock(&vq->lock);
	memcpy(vq->iova, iova, sizeof(vq->iova));
	pvdev_vq_unmap(vq);
	mutex_unlock(&vq->lock);
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_areas);

/**
 * pvdev_vq_set_state() - say where a queue's ring is to go on
 * @vq: the queue; not running
 * @state: from pvdev_vq_get_state(), or from the VMM: any value is safe
 *
 * Context: may sleep.
 * Return: 0, or -EBUSY for a queue with chains in flight.
 */
int pvdev_vq_set_state(struct pvdev_vq *vq, const struct pvring_state *state)
{
	int err = 0;

	mutex_lock(&vq->lock);
	if (vq->running || vq->ring.inflight || vq->ring.npending)
		err = -EBUSY;
	else if (vq->batch)
		pvring_set_state(&vq->ring, state);
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
 * pvdev_vq_set_call() - say how to notify the driver
 * @vq: the queue
 * @call: called with bottom halves disabled; NULL: not at all
 * @arg: for @call
 *
 * When it returns the former callback doesn't run and won't.
 */
void pvdev_vq_set_call(struct pvdev_vq *vq, irqreturn_t (*call)(void *arg),
		       void *arg)
{
	spin_lock_bh(&vq->call_lock);
	vq->call = call;
	vq->call_arg = arg;
	spin_unlock_bh(&vq->call_lock);
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_call);

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

	vq->broken = true;
	pvdev_warn(vq->dev, "queue %u is broken until a reset: %s\n", vq->index,
		   why);
	vq->dev->ops->broken(vq);
}
EXPORT_SYMBOL_GPL(pvdev_vq_break);
