// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames from the backend to the driver. Those of a tap are taken out of its ring many at once, and
 * plain ones are written without the tap's help: header and data straight into the driver's
 * buffers. What is special (tags, packet sockets) is left to the backend.
 */
#include <linux/if_tun.h>
#include <linux/if_vlan.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/virtio_byteorder.h>
#include <net/sock.h>

#include "net_compat.h"
#include "net.h"

/* Plain frames until the backend is asked again what it would have put before one. */
#define PVNET_RX_ASK	256

/* A tunnel's header has more than we know. */
#define PVNET_RX_TUNNELS	(SKB_GSO_UDP_TUNNEL | SKB_GSO_UDP_TUNNEL_CSUM)

/* A tap's byte order could be another one than ours. */
static bool pvnet_rx_knows_order(void)
{
	return virtio_legacy_is_little_endian() && !IS_ENABLED(CONFIG_TUN_VNET_CROSS_LE);
}

static bool pvnet_rx_is_plain(struct pvnet_frame *f, const struct sk_buff *skb)
{
	return !skb_vlan_tag_present(skb) &&
	       !(skb_shinfo(skb)->gso_type & PVNET_RX_TUNNELS) &&
	       !virtio_net_hdr_from_skb(skb, &f->hdr, true, true, 0);
}

/* An XDP frame has nothing to say in a header, nor which interface it is to be counted for. */
static bool pvnet_rx_is_plain_xdp(const struct pvnet_rx *rx, struct pvnet_frame *f,
				  struct xdp_frame *x)
{
	f->hdr = (struct virtio_net_hdr) { };
	return !xdp_frame_has_frags(x) && pvnet_count_knows(rx);
}

static void pvnet_rx_look(struct pvnet_rx *rx, struct pvnet_frame *f, void *ptr)
{
	struct xdp_frame *x = tun_ptr_to_xdp(ptr);
	bool xdp = tun_is_xdp_frame(ptr);
	struct sk_buff *skb = ptr;

	f->ptr = ptr;
	f->plain = false;
	f->len = unlikely(xdp) ? x->len :
		 skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
	if (unlikely(!rx->known))
		return;
	/* One frame asks for all of its batch. */
	if (unlikely(!rx->ask_in)) {
		rx->ask_in = PVNET_RX_ASK;
		return;
	}
	rx->ask_in--;
	f->plain = unlikely(xdp) ? pvnet_rx_is_plain_xdp(rx, f, x) : pvnet_rx_is_plain(f, skb);
}

static void pvnet_rx_fill(struct pvnet_queue *q)
{
	struct pvnet_rx *rx = q->rx;
	unsigned int i;

	rx->first = 0;
	rcu_read_lock();
	rx->n = ptr_ring_consume_batched(q->backend.ring, rx->ptr, PVNET_BATCH);
	rx->alone = rx->n == 1;
	for (i = 0; i < rx->n; i++)
		pvnet_rx_look(rx, &rx->frame[i], rx->ptr[i]);
	if (q->backend.kind == PVNET_TAP)
		pvnet_count_look(rx);
	rcu_read_unlock();
}

/* The first frame of a socket without a ring stays there until it is received. */
static void pvnet_rx_peek(struct pvnet_queue *q)
{
	struct sk_buff_head *queue = &q->backend.sock->sk->sk_receive_queue;
	struct pvnet_rx *rx = q->rx;
	struct sk_buff *skb;
	unsigned long flags;

	rx->first = 0;
	rx->frame[0] = (struct pvnet_frame) { };
	spin_lock_irqsave(&queue->lock, flags);
	skb = skb_peek(queue);
	if (skb)
		rx->frame[0].len = skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
	rx->n = !!skb;
	spin_unlock_irqrestore(&queue->lock, flags);
}

/* The frame that comes next, or NULL. */
static struct pvnet_frame *pvnet_rx_next(struct pvnet_queue *q)
{
	struct pvnet_rx *rx = q->rx;

	if (rx->first == rx->n) {
		/* Mostly no other has come meanwhile, and if so there is another turn. */
		if (rx->alone)
			return NULL;
		if (q->backend.ring)
			pvnet_rx_fill(q);
		else
			pvnet_rx_peek(q);
	}
	return rx->first < rx->n ? &rx->frame[rx->first] : NULL;
}

/**
 * pvnet_rx_return() - give a backend back what was taken from it
 * @q: the receive queue, its lock held
 */
void pvnet_rx_return(struct pvnet_queue *q)
{
	struct pvnet_rx *rx = q->rx;
	unsigned int i;

	lockdep_assert_held(&q->vq.lock);
	for (i = rx->first; i < rx->n; i++)
		rx->ptr[i - rx->first] = rx->frame[i].ptr;
	if (q->backend.ring && rx->first < rx->n)
		ptr_ring_unconsume(q->backend.ring, rx->ptr, rx->n - rx->first,
				   tun_ptr_free);
	rx->first = 0;
	rx->n = 0;
	rx->known = false;
	rx->dev = NULL;
	WRITE_ONCE(rx->starved, false);
}

/* All pieces of @n chains, without the first @skip bytes, for @len bytes. */
static void pvnet_rx_iter(struct pvnet_queue *q, unsigned int n, u32 skip, u32 len,
			  struct iov_iter *iter)
{
	const struct pvring_chain *first = &q->vq.batch->chain[q->rx->next];
	const struct pvring_chain *last = first + n - 1;
	unsigned int pieces;

	pvnet_iov_fill(q, first->seg, last->seg + last->nin - first->seg, skip, &pieces);
	iov_iter_init(iter, ITER_DEST, q->iov, pieces, len);
}

/* A plain frame's data; NULL where it is in pieces. */
static const void *pvnet_rx_data(const struct pvnet_frame *f)
{
	const struct sk_buff *skb = f->ptr;

	if (unlikely(tun_is_xdp_frame(f->ptr)))
		return ((struct xdp_frame *)tun_ptr_to_xdp(f->ptr))->data;
	return likely(skb_headlen(skb) >= f->len) ? skb->data : NULL;
}

static int pvnet_rx_write_pieces(struct pvnet_queue *q, const struct pvnet_frame *f,
				 unsigned int n, const void *hdr)
{
	struct iov_iter iter;

	pvnet_rx_iter(q, n, 0, q->hdr + f->len, &iter);
	if (copy_to_iter(hdr, q->hdr, &iter) != q->hdr)
		return -EFAULT;
	if (unlikely(tun_is_xdp_frame(f->ptr)))
		return copy_to_iter(pvnet_rx_data(f), f->len, &iter) == f->len ? 0 : -EFAULT;
	return skb_copy_datagram_iter(f->ptr, 0, &iter, f->len);
}

/* What is before a frame, as long as it can be; what is behind @mrg is 0. */
struct pvnet_hdr {
	struct virtio_net_hdr_mrg_rxbuf mrg;
	u8 more[PVNET_HDR_MAX - sizeof(struct virtio_net_hdr_mrg_rxbuf)];
};

/* Writes a plain frame. Returns 0 or a negative error. */
static int pvnet_rx_write(struct pvnet_queue *q, const struct pvnet_frame *f, unsigned int n)
{
	const struct pvmem_seg *seg = q->vq.batch->chain[q->rx->next].seg;
	const void *data = pvnet_rx_data(f);
	struct pvnet_hdr hdr = { };

	if (!q->ours)
		hdr.mrg.hdr = f->hdr;
	hdr.mrg.num_buffers = __cpu_to_virtio16(true, n);
	if (unlikely(!data) || unlikely(seg->len < q->hdr + f->len))
		return pvnet_rx_write_pieces(q, f, n, &hdr);
	return pvmem_copy_to(PVMEM_USER, seg->addr, &hdr, q->hdr) ?:
	       pvmem_copy_to(PVMEM_USER, seg->addr + q->hdr, data, f->len);
}

/* What the backend didn't write of the header. Returns 0 or a negative error. */
static int pvnet_rx_finish(struct pvnet_queue *q, unsigned int n)
{
	struct pvnet_hdr hdr = {
		.mrg.num_buffers = __cpu_to_virtio16(true, n),
	};
	u32 from = q->ours ? 0 : offsetof(typeof(hdr), mrg.num_buffers);
	u32 to = q->ours ? q->hdr : min(q->hdr, sizeof(hdr.mrg));
	const struct pvmem_seg *seg = q->vq.batch->chain[q->rx->next].seg;
	struct iov_iter iter;

	if (to <= from)
		return 0;
	if (likely(seg->len >= to))
		return pvmem_copy_to(PVMEM_USER, seg->addr + from, (void *)&hdr + from, to - from);
	pvnet_rx_iter(q, n, from, to - from, &iter);
	return copy_to_iter((void *)&hdr + from, to - from, &iter) == to - from ? 0 : -EFAULT;
}

/* Writes a plain frame, which is gone then. Returns 0 or a negative error. */
static int pvnet_rx_give(struct pvnet_queue *q, const struct pvnet_frame *f, unsigned int n)
{
	bool xdp = tun_is_xdp_frame(f->ptr);
	int err = pvnet_rx_write(q, f, n);

	if (likely(!err)) {
		q->rx->given++;
		q->rx->given_bytes += f->len;
	}
	if (unlikely(xdp)) {
		/* A tap counts the header of such a one along. */
		if (!err && !q->ours)
			q->rx->given_bytes += q->hdr;
		tun_ptr_free(f->ptr);
	} else if (likely(!err)) {
		consume_skb(f->ptr);
	} else {
		kfree_skb(f->ptr);
	}
	return err;
}

/* Has the backend write a frame, which is gone then. Returns 0 or a negative error. */
static int pvnet_rx_receive(struct pvnet_queue *q, const struct pvnet_frame *f, unsigned int n)
{
	u32 len = f->len + (q->ours ? 0 : q->hdr);
	struct msghdr msg = { .msg_control = f->ptr };
	struct socket *sock = q->backend.sock;
	struct pvnet_rx *rx = q->rx;
	int ret;

	pvnet_rx_iter(q, n, q->ours ? q->hdr : 0, len, &msg.msg_iter);
	ret = sock->ops->recvmsg(sock, &msg, len, MSG_DONTWAIT | MSG_TRUNC);
	if (f->ptr && pvnet_rx_knows_order()) {
		rx->known = ret == len;
		rx->ask_in = PVNET_RX_ASK;
	}
	return ret == len ? pvnet_rx_finish(q, n) : -EMSGSIZE;
}

/* Nobody gets it. */
static void pvnet_rx_discard(struct pvnet_queue *q, const struct pvnet_frame *f)
{
	struct msghdr msg = { };
	struct kvec kvec;
	u8 byte;

	if (f->ptr) {
		tun_ptr_free(f->ptr);
		return;
	}
	kvec.iov_base = &byte;
	kvec.iov_len = sizeof(byte);
	iov_iter_kvec(&msg.msg_iter, ITER_DEST, &kvec, 1, sizeof(byte));
	q->backend.sock->ops->recvmsg(q->backend.sock, &msg, sizeof(byte),
				      MSG_DONTWAIT | MSG_TRUNC);
}

/* Puts a frame into @n chains; where that is an error it is lost. */
static void pvnet_rx_put(struct pvnet_queue *q, const struct pvnet_frame *f, int n)
{
	int err;

	if (unlikely(n < 0)) {
		pvnet_rx_discard(q, f);
		err = n;
	} else if (likely(f->plain)) {
		err = pvnet_rx_give(q, f, n);
	} else {
		err = pvnet_rx_receive(q, f, n);
	}
	q->rx->first++;
	if (likely(!err))
		pvnet_rx_use(q, n, q->hdr + f->len);
	else
		pvstats_add(&q->vq.stats, PVSTATS_IOERR, 1);
}

/**
 * enum pvnet_rx_end - why no more frames are taken
 * @PVNET_RX_BUDGET: others are to have their turn
 * @PVNET_RX_EMPTY: there are none
 * @PVNET_RX_STARVED: there is no buffer for the next one
 * @PVNET_RX_STOPPED: the queue is broken, or asks for memory to be mapped
 */
enum pvnet_rx_end {
	PVNET_RX_BUDGET,
	PVNET_RX_EMPTY,
	PVNET_RX_STARVED,
	PVNET_RX_STOPPED,
};

static enum pvnet_rx_end pvnet_rx_frames(struct pvnet_queue *q)
{
	unsigned int frames = 0;
	u32 bytes = 0;

	while (frames++ < PVNET_TURN_FRAMES && bytes < PVNET_TURN_BYTES) {
		const struct pvnet_frame *f = pvnet_rx_next(q);
		int n;

		if (!f)
			return PVNET_RX_EMPTY;
		n = pvnet_rx_room(q, q->hdr + f->len);
		if (!n)
			return PVNET_RX_STARVED;
		if (unlikely(n < 0 && n != -EMSGSIZE))
			return PVNET_RX_STOPPED;
		bytes += f->len;
		pvnet_rx_put(q, f, n);
	}
	return PVNET_RX_BUDGET;
}

/* The backend wakes us: kicks are for nothing, but the driver has to be told once of a place. */
static bool pvnet_rx_idle(struct pvnet_queue *q)
{
	if (q->vq.poll_us && pvdev_vq_polls(&q->vq))
		return true;
	if (!q->rx->placed) {
		q->rx->placed = true;
		pvdev_vq_want_kick(&q->vq);
	}
	return false;
}

/**
 * pvnet_rx_turn() - receive frames
 * @q: the receive queue, its lock held
 *
 * Context: worker.
 * Return: true to be called again soon.
 */
bool pvnet_rx_turn(struct pvnet_queue *q)
{
	struct pvdev_vq *vq = &q->vq;
	enum pvnet_rx_end end;

	lockdep_assert_held(&q->vq.lock);
	pvnet_rx_unpop(q);
	if (!q->backend.file)
		return false;
	if (q->rx->starved) {
		/* For frames that woke nobody; pairs with the barrier of who wakes. */
		smp_store_mb(q->rx->starved, false);
	}
	q->rx->alone = false;
	pvdev_vq_busy(vq);
	end = pvnet_rx_frames(q);
	if (end != PVNET_RX_STARVED)
		pvnet_rx_unpop(q);
	pvnet_rx_publish(q);

	if (vq->broken)
		return false;
	if (end == PVNET_RX_STARVED)
		WRITE_ONCE(q->rx->starved, true);
	if (end == PVNET_RX_EMPTY)
		return pvnet_rx_idle(q);
	return end == PVNET_RX_BUDGET;
}
