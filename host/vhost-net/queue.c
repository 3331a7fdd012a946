// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue of a network device: its start and stop, and its backend, which wakes it when there are
 * frames, or room for them.
 */
#include <linux/file.h>
#include <linux/if_tun.h>
#include <linux/ptr_ring.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/vhost.h>

#include "net.h"

static const struct pvring_limits pvnet_limits = {
	.max_desc = PVNET_DESC_MAX,
	.max_bytes = PVNET_BYTES_MAX,
};

static __poll_t pvnet_events(const struct pvnet_queue *q)
{
	return q->vq.index == PVNET_RX ? EPOLLIN : EPOLLOUT;
}

/* Called with the lock of the backend's wait queue held, in any context. */
static int pvnet_queue_woken(wait_queue_entry_t *wait, unsigned int mode,
			     int sync, void *key)
{
	struct pvnet_queue *q = container_of(wait, struct pvnet_queue, wait);

	/*
	 * More frames are no news where the driver has no buffers: its kick will be. Nor is
	 * room, unless there was none.
	 */
	if (key && !(key_to_poll(key) & pvnet_events(q)))
		return 0;
	/* What there is before whether anybody waits for it: not each waker has a barrier. */
	smp_mb();
	if (q->vq.index == PVNET_RX ? READ_ONCE(q->rx->starved) : !READ_ONCE(q->tx->full))
		return 0;
	pvdev_vq_wake(&q->vq);
	return 0;
}

static void pvnet_queue_found(struct file *file, wait_queue_head_t *head,
			      poll_table *table)
{
	struct pvnet_queue *q = container_of(table, struct pvnet_queue, table);

	/* Who polls twice waits once. */
	if (q->head)
		return;
	q->head = head;
	add_wait_queue(head, &q->wait);
}

static void pvnet_queue_listen(struct pvnet_queue *q)
{
	if (q->backend.file)
		vfs_poll(q->backend.file, &q->table);
	/* For what came before there was anybody to be woken. */
	pvdev_vq_wake(&q->vq);
}

static void pvnet_queue_listen_no_more(struct pvnet_queue *q)
{
	if (q->head)
		remove_wait_queue(q->head, &q->wait);
	q->head = NULL;
}

/**
 * pvnet_queue_init() - make a queue that is stopped
 * @q: the queue, zeroed
 * @dev: its device
 * @index: &enum pvnet_index
 */
void pvnet_queue_init(struct pvnet_queue *q, struct pvdev *dev, u16 index)
{
	pvdev_vq_init(&q->vq, dev, index);
	init_waitqueue_func_entry(&q->wait, pvnet_queue_woken);
	init_poll_funcptr(&q->table, pvnet_queue_found);
}

/* What a header is by what the driver accepted (virtio 1.4, 5.1.6). */
static void pvnet_queue_configure(struct pvnet_queue *q, u64 f, bool tunnels)
{
	struct pvring_config *cfg = &q->vq.config;

	cfg->format = f & BIT_ULL(VIRTIO_F_RING_PACKED) ? PVRING_PACKED : PVRING_SPLIT;
	cfg->kind = q->vq.dev->kind;
	cfg->event_idx = f & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	cfg->indirect = f & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	cfg->in_order = f & BIT_ULL(VIRTIO_F_IN_ORDER);
	cfg->notify_on_empty = f & BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY);
	cfg->limits = pvnet_limits;
	if (q->vq.dev->iotlb)
		cfg->limits.max_splits = PVNET_SPLITS_MAX;

	q->merges = f & BIT_ULL(VIRTIO_NET_F_MRG_RXBUF);
	q->hdr = f & (BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | BIT_ULL(VIRTIO_F_VERSION_1)) ?
		 sizeof(struct virtio_net_hdr_mrg_rxbuf) : sizeof(struct virtio_net_hdr);
	if (tunnels)
		q->hdr = PVNET_HDR_MAX;
	q->ours = f & BIT_ULL(VHOST_NET_F_VIRTIO_NET_HDR);
}

static int pvnet_queue_alloc(struct pvnet_queue *q)
{
	if (q->vq.index == PVNET_RX) {
		q->rx = kvzalloc(sizeof(*q->rx), GFP_KERNEL_ACCOUNT);
		return q->rx ? 0 : -ENOMEM;
	}
	q->tx = kvzalloc(sizeof(*q->tx), GFP_KERNEL_ACCOUNT);
	return q->tx ? pvnet_zcopy_make(q) : -ENOMEM;
}

static void pvnet_queue_free(struct pvnet_queue *q)
{
	if (q->vq.index == PVNET_RX) {
		kvfree(q->rx);
		q->rx = NULL;
	} else if (q->tx) {
		pvfrag_destroy(&q->tx->frag);
		if (q->tx->zcopy)
			pvnet_zcopy_put(q->tx->zcopy);
		kvfree(q->tx);
		q->tx = NULL;
	}
	kvfree(q->iov);
	q->iov = NULL;
}

/**
 * pvnet_queue_start() - start a queue, and let it run
 * @q: the queue, with a backend, and a size and a place of its ring set
 * @features: what the driver accepted
 * @tunnels: that, and segmentation in UDP tunnels, with the long header
 * @w: the worker that runs it
 *
 * Context: &pvdev.control held; may sleep.
 * Return: as for pvdev_vq_start().
 */
int pvnet_queue_start(struct pvnet_queue *q, u64 features, bool tunnels, struct pvworker *w)
{
	int err;

	lockdep_assert_held(&q->vq.dev->control);
	pvnet_queue_configure(q, features, tunnels);
	err = pvnet_queue_alloc(q);
	if (err)
		goto err_alloc;
	err = pvdev_vq_start(&q->vq, w);
	if (err)
		goto err_alloc;
	/* A frame that is received may be in all the pieces of a batch. */
	err = -ENOMEM;
	q->iov = kvcalloc(q->vq.batch->max_seg, sizeof(*q->iov), GFP_KERNEL_ACCOUNT);
	if (!q->iov)
		goto err_iov;
	err = pvdev_vq_resume(&q->vq);
	if (err)
		goto err_iov;
	pvnet_queue_listen(q);
	return 0;

err_iov:
	pvdev_vq_park(&q->vq);
err_alloc:
	pvnet_queue_free(q);
	return err;
}

/* What was taken from a backend and no driver has seen is the backend's. */
static void pvnet_queue_return(struct pvnet_queue *q)
{
	mutex_lock(&q->vq.lock);
	if (q->vq.index == PVNET_RX)
		pvnet_rx_return(q);
	mutex_unlock(&q->vq.lock);
}

/**
 * pvnet_queue_stop() - stop a queue so that it can go on from here
 * @q: the queue; one that wasn't started is allowed
 *
 * It keeps its backend.
 *
 * Context: &pvdev.control held; waits for a turn.
 */
void pvnet_queue_stop(struct pvnet_queue *q)
{
	lockdep_assert_held(&q->vq.dev->control);
	if (!q->iov)
		return;
	pvnet_queue_listen_no_more(q);
	pvdev_vq_park(&q->vq);
	pvnet_queue_return(q);
	pvnet_queue_free(q);
}

/**
 * pvnet_queue_release() - free what a queue has, behind pvdev_stop()
 * @q: the queue
 *
 * Context: &pvdev.control held.
 */
void pvnet_queue_release(struct pvnet_queue *q)
{
	lockdep_assert_held(&q->vq.dev->control);
	pvnet_queue_listen_no_more(q);
	if (q->iov) {
		pvnet_queue_return(q);
		pvnet_queue_free(q);
	}
	pvnet_backend_put(&q->backend);
}

/**
 * pvnet_queue_set_backend() - give a queue a backend, or another one
 * @q: the queue; it may run
 * @be: the backend; its reference is the queue's then
 *
 * Context: &pvdev.control held; waits for a turn.
 */
void pvnet_queue_set_backend(struct pvnet_queue *q, const struct pvnet_backend *be)
{
	struct pvnet_backend old;

	lockdep_assert_held(&q->vq.dev->control);
	pvnet_queue_listen_no_more(q);
	mutex_lock(&q->vq.lock);
	if (q->iov && q->vq.index == PVNET_RX)
		pvnet_rx_return(q);
	else if (q->iov)
		q->tx->full = false;
	old = q->backend;
	q->backend = *be;
	mutex_unlock(&q->vq.lock);
	pvnet_backend_put(&old);

	if (q->iov)
		pvnet_queue_listen(q);
}

static bool pvnet_turn(struct pvdev_vq *vq)
{
	struct pvnet_queue *q = to_pvnet_queue(vq);

	return vq->index == PVNET_RX ? pvnet_rx_turn(q) : pvnet_tx_turn(q);
}

static void pvnet_reap(struct pvdev_vq *vq, bool publish)
{
	struct pvnet_queue *q = to_pvnet_queue(vq);

	/* Behind a turn there are buffers that wait for more of them, and frames without a copy. */
	if (vq->index == PVNET_RX)
		pvnet_rx_unpop(q);
	else
		pvnet_zcopy_reap(q, publish);
}

static void pvnet_abandon(struct pvdev_vq *vq)
{
	struct pvnet_queue *q = to_pvnet_queue(vq);

	if (vq->index == PVNET_TX && q->tx->zcopy && pvnet_guest_gone(q))
		pvnet_zcopy_abandon(q);
}

static void pvnet_broken(struct pvdev_vq *vq)
{
}

static u64 pvnet_oldest(struct pvdev_vq *vq)
{
	const struct pvnet_queue *q = to_pvnet_queue(vq);

	return vq->index == PVNET_RX ? q->rx->popped_at : pvnet_zcopy_oldest(q);
}

const struct pvdev_ops pvnet_ops = {
	.turn = pvnet_turn,
	.reap = pvnet_reap,
	.abandon = pvnet_abandon,
	.broken = pvnet_broken,
	.oldest = pvnet_oldest,
};
