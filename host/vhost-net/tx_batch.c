// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames that go to a tap many at once, as buffers that its XDP program sees before there is an
 * skb. They are copied out of guest memory before anybody looks at them.
 */
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/skbuff.h>
#include <linux/virtio_byteorder.h>
#include <net/sock.h>

#include "net_compat.h"
#include "net.h"

/**
 * pvnet_tx_batches() - does a backend take many frames at once
 * @q: the transmit queue
 *
 * Who limits what a tap may hold has it counted frame by frame.
 *
 * Return: true if it does.
 */
bool pvnet_tx_batches(const struct pvnet_queue *q)
{
	return q->backend.kind != PVNET_PACKET &&
	       READ_ONCE(q->backend.sock->sk->sk_sndbuf) == INT_MAX;
}

/* Copies @len bytes that begin @skip bytes behind the first piece's start. */
static int pvnet_tx_copy(const struct pvmem_seg *seg, u32 skip, void *to, u32 len)
{
	while (unlikely(skip >= seg->len))
		skip -= seg++->len;
	while (len) {
		u32 part = min(len, seg->len - skip);

		if (unlikely(pvmem_copy_from(PVMEM_USER, to, seg->addr + skip, part)))
			return -EFAULT;
		to += part;
		len -= part;
		skip = 0;
		seg++;
	}
	return 0;
}

/*
 * Who computes a checksum reads a header up to there, whatever its length is said to be.
 * Returns -EINVAL where the frame ends before.
 */
static int pvnet_tx_fix_header(struct virtio_net_hdr *h, u32 len)
{
	u32 end = __virtio16_to_cpu(true, h->csum_start) +
		  __virtio16_to_cpu(true, h->csum_offset) + 2;

	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
	    end <= __virtio16_to_cpu(true, h->hdr_len))
		return 0;
	h->hdr_len = __cpu_to_virtio16(true, end);
	return end > len ? -EINVAL : 0;
}

/* Fills @buf, of which the frame begins behind @pad bytes. */
static int pvnet_tx_fill(struct pvnet_queue *q, const struct pvring_chain *c,
			 void *buf, u32 pad, u32 room, u32 len)
{
	struct virtio_net_hdr *h;
	int err = 0;

	/* A tap may have been told of a longer header than the driver's. */
	memset(buf, 0, PVTUN_HDR_ROOM + PVNET_HDR_MAX);
	h = pvtun_xdp_header(buf, room);
	if (!q->ours)
		err = pvnet_tx_copy(c->seg, 0, h, q->hdr);
	if (likely(!err) && h->flags)
		err = pvnet_tx_fix_header(h, len);
	return err ?: pvnet_tx_copy(c->seg, q->hdr, buf + pad, len);
}

/**
 * pvnet_tx_add() - add a frame to those that go at once
 * @q: the transmit queue, its lock held
 * @c: the frame, longer than its header
 *
 * Context: worker.
 * Return: 0, also where the frame is lost; -EMSGSIZE where it can't go this way.
 */
int pvnet_tx_add(struct pvnet_queue *q, const struct pvring_chain *c)
{
	bool xdp = sock_flag(q->backend.sock->sk, SOCK_XDP);
	u32 len = c->out_len - q->hdr, pad, room;
	struct pvnet_tx *tx = q->tx;
	struct xdp_buff *x = &tx->xdp[tx->n];
	void *buf;

	lockdep_assert_held(&q->vq.lock);
	pad = SKB_DATA_ALIGN(NET_IP_ALIGN + NET_SKB_PAD + PVTUN_HDR_ROOM + q->hdr +
			     (xdp ? XDP_PACKET_HEADROOM : 0));
	/* Backends differ in what they make of a frame without an Ethernet header. */
	if (unlikely(len < ETH_HLEN) || len > PAGE_SIZE)
		return -EMSGSIZE;
	room = SKB_DATA_ALIGN(len + pad) + SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	if (room > PAGE_SIZE)
		return -EMSGSIZE;

	buf = pvfrag_reserve(&tx->frag, room);
	if (unlikely(!buf) || unlikely(pvnet_tx_fill(q, c, buf, pad, room, len))) {
		pvstats_add(&q->vq.stats, PVSTATS_IOERR, 1);
		return 0;
	}
	xdp_init_buff(x, room, NULL);
	xdp_prepare_buff(x, buf, pad, len, true);
	pvfrag_commit(&tx->frag, room);
	tx->n++;
	return 0;
}

/**
 * pvnet_tx_flush() - send the frames that go at once
 * @q: the transmit queue, its lock held
 *
 * Context: worker.
 */
void pvnet_tx_flush(struct pvnet_queue *q)
{
	struct socket *sock = q->backend.sock;
	struct pvnet_tx *tx = q->tx;
	struct tun_msg_ctl ctl = {
		.type = TUN_MSG_PTR,
		.num = tx->n,
		.ptr = tx->xdp,
	};
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT,
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
	};
	unsigned int i;

	lockdep_assert_held(&q->vq.lock);
	if (!tx->n)
		return;
	/* It fails as a whole where the interface is gone, and has then taken none. */
	if (unlikely(sock->ops->sendmsg(sock, &msg, 0) < 0)) {
		for (i = 0; i < tx->n; i++)
			put_page(virt_to_head_page(tx->xdp[i].data));
		pvstats_add(&q->vq.stats, PVSTATS_IOERR, tx->n);
	}
	tx->n = 0;
}
