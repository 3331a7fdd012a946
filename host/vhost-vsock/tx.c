// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the guest. All is copied before a turn ends, so that no chain is in flight behind
 * it. Who doesn't take the replies to what it sends has no more taken from it until it does.
 */
#include "vsock_host.h"

/* Reads a packet's payload; NULL where there is none, or it is of no use to anybody. */
static struct sk_buff *pvhvs_tx_payload(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr,
					const struct pvring_chain *c)
{
	u32 len = le32_to_cpu(hdr->len);
	struct sk_buff *skb;

	if (!len || unlikely(len > c->out_len))
		return NULL;
	skb = pvvs_rx_room(rx, hdr, len);
	if (skb && unlikely(pvhvs_copy_in(skb, c))) {
		kfree_skb(skb);
		skb = NULL;
	}
	return skb;
}

/* Returns 0, or -EINVAL for what breaks the queue. */
static int pvhvs_tx_packet(struct pvhvs_dev *d, struct pvvs_rx *rx, const struct pvring_chain *c)
{
	const struct virtio_vsock_hdr *hdr = (const void *)c->hdr;
	struct pvdev_vq *vq = &d->vq[PVHVS_TX];
	u32 cid = READ_ONCE(d->cid);

	if (unlikely(c->nin)) {
		pvdev_vq_break(vq, "a packet has a writable descriptor");
		return -EINVAL;
	}
	if (unlikely(c->hdr_len < sizeof(*hdr))) {
		pvdev_vq_break(vq, "a packet is shorter than its header");
		return -EINVAL;
	}
	/* The guest speaks for itself, once it has a context, and to the host alone. */
	if (unlikely(!cid) || unlikely(le64_to_cpu(hdr->src_cid) != cid) ||
	    unlikely(le64_to_cpu(hdr->dst_cid) != VMADDR_CID_HOST)) {
		pvstats_add(&vq->stats, PVSTATS_IOERR, 1);
		return 0;
	}
	pvvs_rx_packet(rx, hdr, pvhvs_tx_payload(rx, hdr, c));
	return 0;
}

/* Connections have ended since nobody reads what the guest sends. */
static void pvhvs_tx_refused(struct pvhvs_dev *d)
{
	pvstats_add(&d->vq[PVHVS_TX].stats, PVSTATS_IOERR, d->link->refused - d->refused);
	d->refused = d->link->refused;
	pvdev_warn(&d->pvdev, "connections were reset: what its guest has sent and nobody has read takes guest_buffers_mb\n");
}

/* Takes what was popped. Returns bytes, or a negative error where the queue is broken. */
static int pvhvs_tx_batch(struct pvhvs_dev *d, struct pvdev_view *view)
{
	struct pvdev_vq *vq = &d->vq[PVHVS_TX];
	const struct pvring_batch *b = vq->batch;
	u64 popped_at = vq->now;
	unsigned int i, n, data;
	int bytes = 0, err = 0;
	struct pvvs_rx rx;

	pvvs_rx_begin(&rx, d->link);
	for (i = 0; i < b->n && bytes < PVHVS_TURN_BYTES; i++) {
		err = pvhvs_tx_packet(d, &rx, &b->chain[i]);
		if (unlikely(err))
			break;
		bytes += sizeof(struct virtio_vsock_hdr) + b->chain[i].out_len;
	}
	pvvs_rx_end(&rx);
	if (unlikely(d->refused != d->link->refused))
		pvhvs_tx_refused(d);
	n = i;
	data = bytes - n * sizeof(struct virtio_vsock_hdr);
	for (i = 0; i < n; i++)
		pvring_complete(&vq->ring, b->chain[i].head, 0);
	if (unlikely(n < b->n))
		pvdev_vq_unpop(vq, n, view);
	if (likely(n)) {
		pvdev_vq_popped(vq);
		pvdev_view_put_many(view, n);
		vq->now = pvstats_clock();
		pvdev_vq_account(vq, n, popped_at, 0, data);
	}
	return err ?: bytes;
}

/* There are as many replies as the guest may have waiting: it has to take some first. */
static bool pvhvs_tx_stalls(struct pvhvs_dev *d)
{
	if (likely(atomic_read(&d->link->replies) < PVVS_REPLIES_MAX))
		return false;
	WRITE_ONCE(d->stalled, true);
	/* Pairs with that in pvhvs_rx_unstall(). */
	smp_mb();
	if (atomic_read(&d->link->replies) >= PVVS_REPLIES_MAX)
		return true;
	WRITE_ONCE(d->stalled, false);
	return false;
}

/**
 * pvhvs_tx_turn() - take packets from the guest
 * @d: the device, its transmit queue's lock held
 *
 * Context: worker.
 * Return: true to be called again soon.
 */
bool pvhvs_tx_turn(struct pvhvs_dev *d)
{
	struct pvdev_vq *vq = &d->vq[PVHVS_TX];
	unsigned int packets = 0;
	int bytes = 0, n = 0;

	WRITE_ONCE(d->stalled, false);
	pvdev_vq_busy(vq);
	while (packets < PVHVS_TURN_PACKETS && bytes < PVHVS_TURN_BYTES) {
		struct pvdev_view *view;
		int taken;

		if (unlikely(pvhvs_tx_stalls(d)))
			break;
		n = pvdev_vq_pop(vq, PVHVS_BATCH, &view);
		if (n <= 0)
			break;
		packets += n;
		taken = pvhvs_tx_batch(d, view);
		/* A driver waits for its buffers only when all are used: few calls are enough. */
		if (vq->ring.npending >= PVHVS_BATCH)
			pvdev_vq_publish(vq);
		if (unlikely(taken < 0))
			break;
		bytes += taken;
		if (pvdev_vq_took_all(vq, n, PVHVS_BATCH)) {
			n = 0;
			break;
		}
	}
	pvdev_vq_publish(vq);

	if (vq->broken || pvdev_vq_asks(vq) || READ_ONCE(d->stalled))
		return false;
	return n || pvdev_vq_idle(vq);
}
