// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who runs a queue: another worker can take it over while it runs. For that
 * moment the queue has none; whatever happens to it meanwhile is found by the
 * new one's first turn.
 */
#include <linux/export.h>
#include <linux/rcupdate.h>

#include "dev.h"

/**
 * pvdev_vq_set_worker() - have a queue run by another worker
 * @vq: a queue that was started; running or not
 * @w: who runs it from now on; the queue has a reference until it is stopped
 *
 * What is in flight stays, and no kick and no completion is lost. The former
 * worker has finished its last turn when this returns.
 *
 * Context: &pvdev.control held; sleeps for as long as a turn of either worker
 * takes, and for those who are just waking the queue.
 * Return: 0; -EOWNERDEAD where @w's thread is gone, and nothing has changed.
 */
int pvdev_vq_set_worker(struct pvdev_vq *vq, struct pvworker *w)
{
	struct pvworker *old;
	int err;

	lockdep_assert_held(&vq->dev->control);

	old = pvdev_vq_worker(vq);
	if (old == w)
		return 0;

	RCU_INIT_POINTER(vq->worker, NULL);
	/* Whoever saw the old one has finished queueing to it. */
	synchronize_rcu();
	err = pvworker_move(old, w, &vq->work);
	rcu_assign_pointer(vq->worker, err ? old : w);

	/* For those who found no worker; pairs with pvdev_vq_wake(). */
	pvdev_vq_wake(vq);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_worker);
