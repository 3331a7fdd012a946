// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to the guest. Buffers are popped for as many as there are, and what was not needed goes
 * back; packets for which there is no buffer go back as well, and wait for a kick.
 */
#include "vsock_host.h"

#define PVHVS_HDR	((u32)sizeof(struct virtio_vsock_hdr))

/* How many buffers of the last one's size packets need, up to a batch. */
static unsigned int pvhvs_rx_need(const struct pvhvs_dev *d)
{
	const struct sk_buff *skb;
	unsigned int n = 0;

	skb_queue_walk(&d->list, skb) {
		n += pvvs_left(skb) <= d->room ? 1 : DIV_ROUND_UP(pvvs_left(skb), d->room);
		if (n >= PVHVS_BATCH)
			return PVHVS_BATCH;
	}
	return n;
}

static const char *pvhvs_rx_wrong(const struct pvring_chain *c, const struct sk_buff *skb)
{
	if (unlikely(c->nout))
		return "a buffer for packets has a readable descriptor";
	if (unlikely(c->in_len < PVHVS_HDR))
		return "a buffer for packets has no room for a header";
	if (unlikely(c->in_len == PVHVS_HDR) && pvvs_left(skb))
		return "a buffer for packets has no room for data";
	return NULL;
}

static void pvhvs_rx_log(struct pvdev_vq *vq, const struct pvring_chain *c, u32 len)
{
	struct pvmem_seg part;
	unsigned int i;

	for (i = 0; i < c->nin && len; i++) {
		part = c->seg[i];
		part.len = min(part.len, len);
		len -= part.len;
		pvdev_vq_log(vq, &part, 1);
	}
}

/* Puts the next packet, or a part of it, into a buffer. Returns bytes, or why the queue breaks. */
static u32 pvhvs_rx_put(struct pvhvs_dev *d, const struct pvring_chain *c, const char **wrong)
{
	struct sk_buff *skb = skb_peek(&d->list);
	struct pvdev_vq *vq = &d->vq[PVHVS_RX];
	struct virtio_vsock_hdr hdr;
	u32 len;

	*wrong = pvhvs_rx_wrong(c, skb);
	if (unlikely(*wrong))
		return 0;
	len = min(pvvs_left(skb), c->in_len - PVHVS_HDR);
	d->room = max(c->in_len - PVHVS_HDR, 1U);
	pvvs_link_header(skb, len, &hdr);
	if (unlikely(pvhvs_copy_out(c, &hdr, skb, len))) {
		*wrong = "a buffer for packets is in memory that is not there";
		return 0;
	}
	if (unlikely(vq->log_all))
		pvhvs_rx_log(vq, c, PVHVS_HDR + len);
	if (len == pvvs_left(skb))
		__skb_unlink(skb, &d->list);
	pvvs_link_sent(d->link, skb, len, &hdr);
	pvring_complete(&vq->ring, c->head, PVHVS_HDR + len);
	return PVHVS_HDR + len;
}

/* Puts packets into what was popped. Returns bytes; the queue may break. */
static u32 pvhvs_rx_batch(struct pvhvs_dev *d, struct pvdev_view *view)
{
	struct pvdev_vq *vq = &d->vq[PVHVS_RX];
	const struct pvring_batch *b = vq->batch;
	const char *wrong = NULL;
	u64 popped_at = vq->now;
	unsigned int n;
	u32 bytes = 0;

	for (n = 0; n < b->n && !skb_queue_empty(&d->list); n++) {
		u32 part = pvhvs_rx_put(d, &b->chain[n], &wrong);

		if (unlikely(wrong))
			break;
		bytes += part;
	}
	if (unlikely(n < b->n))
		pvdev_vq_unpop(vq, n, view);
	if (likely(n)) {
		pvdev_vq_popped(vq);
		pvdev_view_put_many(view, n);
		vq->now = pvstats_clock();
		pvdev_vq_account(vq, n, popped_at, bytes - n * PVHVS_HDR, 0);
	}
	if (unlikely(wrong))
		pvdev_vq_break(vq, wrong);
	return bytes;
}

/* What the transmit queue waits for may have left. */
static void pvhvs_rx_unstall(struct pvhvs_dev *d)
{
	/* Behind the count of replies; pairs with the barrier in pvhvs_tx_stalls(). */
	smp_mb();
	if (READ_ONCE(d->stalled) && atomic_read(&d->link->replies) < PVVS_REPLIES_MAX)
		pvdev_vq_wake(&d->vq[PVHVS_TX]);
}

/**
 * pvhvs_rx_turn() - write packets into the guest's buffers
 * @d: the device, its receive queue's lock held
 *
 * Context: worker.
 * Return: true to be called again soon.
 */
bool pvhvs_rx_turn(struct pvhvs_dev *d)
{
	struct pvdev_vq *vq = &d->vq[PVHVS_RX];
	unsigned int packets = 0;
	bool more = false;
	u32 bytes = 0;

	pvdev_vq_busy(vq);
	while (pvvs_link_take(d->link, &d->list)) {
		struct pvdev_view *view;
		int n;

		more = packets >= PVHVS_TURN_PACKETS || bytes >= PVHVS_TURN_BYTES;
		if (more)
			break;
		n = pvdev_vq_pop(vq, pvhvs_rx_need(d), &view);
		if (n < 0)
			break;
		if (!n) {
			/*
			 * What the driver gets now it may give again. Where it can't get it, since
			 * the worker is being killed, there is no room for what it gave.
			 */
			pvdev_vq_publish(vq);
			packets++;
			if (!vq->ring.npending && pvdev_vq_want_kick(vq))
				continue;
			break;
		}
		packets += n;
		bytes += pvhvs_rx_batch(d, view);
	}
	pvvs_link_return(d->link, &d->list);
	pvdev_vq_publish(vq);
	if (READ_ONCE(d->stalled))
		pvhvs_rx_unstall(d);
	if (vq->broken)
		return false;
	if (vq->poll_us && !more && pvdev_vq_polls(vq))
		return true;
	/* Who has no packets needs no kick, but the driver has to be told once of a place. */
	if (!d->placed) {
		d->placed = true;
		return pvdev_vq_want_kick(vq) && more;
	}
	return more;
}
