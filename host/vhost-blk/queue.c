// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request queue: its turns, which take chains in batches under one plug, and
 * give them back in batches with one notification.
 */
#include <linux/slab.h>

#include "blk.h"

/* What one turn may take before others of the worker's have theirs. */
#define PVBLK_TURN_CHAINS	256
#define PVBLK_TURN_BYTES	SZ_16M

/* What is mapped by pages of 4 KiB is as many pieces, and one more for each descriptor. */
#define PVBLK_SPLITS_MAX	(PVBLK_BYTES_MAX / SZ_4K + PVBLK_SEG_MAX + 2)

static const struct pvring_limits pvblk_limits = {
	.max_desc = PVBLK_SEG_MAX + 2,
	.max_bytes = PVBLK_BYTES_MAX,
	.hdr_len = sizeof(struct virtio_blk_outhdr),
};

static struct pvblk_queue *to_pvblk_queue(struct pvdev_vq *vq)
{
	return container_of(vq, struct pvblk_queue, vq);
}

static void pvblk_reap(struct pvdev_vq *vq, bool publish)
{
	struct pvblk_queue *q = to_pvblk_queue(vq);
	struct llist_node *node = llist_del_all(&vq->done);
	struct pvblk_req *req, *next;

	if (!node)
		return;
	vq->now = pvstats_clock();

	llist_for_each_entry_safe(req, next, llist_reverse_order(node), done) {
		if (pvblk_req_finish(req, publish))
			q->active--;
	}
	q->stalled = false;
}

/* Starts the chains of a batch; returns the bytes they carry, or an error. */
static int pvblk_start_batch(struct pvblk_queue *q, struct pvdev_view *view)
{
	const struct pvring_batch *b = q->vq.batch;
	struct blk_plug plug;
	unsigned int i;
	int bytes = 0, err = 0;

	blk_start_plug(&plug);
	for (i = 0; i < b->n; i++) {
		err = pvblk_req_start(q, &b->chain[i], view);
		if (unlikely(err))
			break;
		bytes += b->chain[i].in_len + b->chain[i].out_len +
			 q->req[b->chain[i].head].ranged;
	}
	blk_finish_plug(&plug);
	if (unlikely(err))
		pvdev_vq_unpop(&q->vq, i, view);
	pvdev_vq_popped(&q->vq);
	if (likely(!err))
		return bytes;

	if (err == -EBADMSG)
		pvdev_vq_break(&q->vq, "a request has no room for its status");
	q->stalled = err == -EAGAIN;
	return err;
}

static bool pvblk_turn(struct pvdev_vq *vq)
{
	struct pvblk_queue *q = to_pvblk_queue(vq);
	int chains = 0, bytes = 0, n = 0;

	pvdev_vq_busy(vq);
	pvblk_reap(vq, true);

	while (chains < PVBLK_TURN_CHAINS && bytes < PVBLK_TURN_BYTES &&
	       !q->stalled) {
		struct pvdev_view *view;
		int started;

		n = pvdev_vq_pop(vq, PVBLK_TURN_CHAINS - chains, &view);
		if (n <= 0)
			break;
		chains += n;

		started = pvblk_start_batch(q, view);
		pvblk_reap(vq, true);
		if (unlikely(vq->broken))
			break;
		bytes += max(started, 0);
	}
	pvdev_vq_publish(vq);

	/*
	 * A stall ends with a completion, and that brings the next turn. So does
	 * the answer to a question.
	 */
	if (q->stalled || pvdev_vq_asks(vq))
		return false;
	return n || pvdev_vq_idle(vq);
}

static void pvblk_broken(struct pvdev_vq *vq)
{
	struct pvblk_dev *dev = to_pvblk_queue(vq)->dev;

	WRITE_ONCE(dev->broken, true);
	dev->changed(dev);
}

static u64 pvblk_oldest(struct pvdev_vq *vq)
{
	const struct pvblk_queue *q = to_pvblk_queue(vq);
	u64 oldest = 0;
	unsigned int i;

	for (i = 0; i < vq->ring.num; i++)
		if (q->req[i].view && (!oldest || q->req[i].popped_at < oldest))
			oldest = q->req[i].popped_at;
	return oldest;
}

const struct pvdev_ops pvblk_ops = {
	.turn = pvblk_turn,
	.reap = pvblk_reap,
	.broken = pvblk_broken,
	.oldest = pvblk_oldest,
};

/**
 * pvblk_queue_alloc() - make a queue that is stopped
 * @dev: its device
 * @index: its place there
 *
 * Return: the queue, or NULL without memory.
 */
struct pvblk_queue *pvblk_queue_alloc(struct pvblk_dev *dev, u16 index)
{
	struct pvblk_queue *q;

	q = kzalloc(sizeof(*q), GFP_KERNEL_ACCOUNT);
	if (!q)
		return NULL;

	q->dev = dev;
	pvdev_vq_init(&q->vq, &dev->pvdev, index);
	return q;
}

/**
 * pvblk_queue_free() - undo pvblk_queue_alloc()
 * @q: the queue, reset; NULL is allowed
 */
void pvblk_queue_free(struct pvblk_queue *q)
{
	kfree(q);
}

/**
 * pvblk_queue_free_requests() - free what a queue has while it is started
 * @q: the queue, stopped
 */
void pvblk_queue_free_requests(struct pvblk_queue *q)
{
	kvfree(q->req);
	q->req = NULL;
}

/**
 * pvblk_queue_start() - make all that a queue needs to run
 * @q: the queue, with all but the limits of its config set
 * @w: the worker that runs it
 *
 * Context: as for pvdev_vq_start().
 * Return: as for pvdev_vq_start().
 */
int pvblk_queue_start(struct pvblk_queue *q, struct pvworker *w)
{
	unsigned int num = q->vq.config.num, i;
	int err;

	if (q->req)
		return -EBUSY;
	q->req = kvcalloc(num, sizeof(*q->req), GFP_KERNEL_ACCOUNT);
	if (!q->req)
		return -ENOMEM;
	for (i = 0; i < num; i++)
		q->req[i].q = q;

	q->active = 0;
	q->stalled = false;
	q->vq.config.limits = pvblk_limits;
	if (q->dev->pvdev.iotlb)
		q->vq.config.limits.max_splits = PVBLK_SPLITS_MAX;
	err = pvdev_vq_start(&q->vq, w);
	if (err)
		goto err_start;
	return 0;

err_start:
	pvblk_queue_free_requests(q);
	return err;
}
