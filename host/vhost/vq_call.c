// SPDX-License-Identifier: GPL-2.0-only
/* How a driver is told of what is used, and its owner of a queue that broke. */
#include <linux/eventfd.h>
#include <linux/export.h>

#include "dev.h"

static void pvdev_vq_replace_call(struct pvdev_vq *vq,
				  irqreturn_t (*call)(void *arg), void *arg,
				  struct eventfd_ctx *event)
{
	spin_lock_bh(&vq->call_lock);
	vq->call = call;
	vq->call_arg = arg;
	swap(vq->event, event);
	spin_unlock_bh(&vq->call_lock);

	if (event)
		eventfd_ctx_put(event);
}

/**
 * pvdev_vq_set_call() - notify the driver by a call
 * @vq: the queue
 * @call: called with bottom halves disabled; NULL: there is no notification
 * @arg: for @call
 *
 * When it returns the former notification doesn't happen any more.
 */
void pvdev_vq_set_call(struct pvdev_vq *vq, irqreturn_t (*call)(void *arg),
		       void *arg)
{
	pvdev_vq_replace_call(vq, call, arg, NULL);
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_call);

/**
 * pvdev_vq_set_event() - notify the driver by an event
 * @vq: the queue
 * @event: the event; the caller's reference is the queue's
 *
 * When it returns the former notification doesn't happen any more.
 */
void pvdev_vq_set_event(struct pvdev_vq *vq, struct eventfd_ctx *event)
{
	pvdev_vq_replace_call(vq, NULL, NULL, event);
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_event);

/**
 * pvdev_vq_set_error() - tell the owner of a broken queue by an event
 * @vq: the queue
 * @error: the event; the caller's reference is the queue's. NULL: there is none
 */
void pvdev_vq_set_error(struct pvdev_vq *vq, struct eventfd_ctx *error)
{
	spin_lock_bh(&vq->call_lock);
	swap(vq->error, error);
	spin_unlock_bh(&vq->call_lock);

	if (error)
		eventfd_ctx_put(error);
}
EXPORT_SYMBOL_GPL(pvdev_vq_set_error);
