// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to a peer. Of what a packet says only that is fixed which doesn't change: how much room
 * there is for the peer's data is put into the header when the packet leaves.
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

/* Larger payloads are in pages beside the packet. */
#define PVVS_LINEAR_MAX		SKB_MAX_ORDER(0, 0)

/* More than so much of what senders have lent is copied: what counts it has 32 bits. */
#define PVVS_LENT_MAX		SZ_256M

/* What is kept for a peer may be as much as its sender's own buffer takes, or this. */
#define PVVS_UNSENT_MIN		SZ_64K

/* Runs wherever the packet is freed. */
static void pvvs_skb_destruct(struct sk_buff *skb)
{
	struct pvvs_sock *s = pvvs_cb(skb)->s;

	/* A wish that nobody heard may be had again. */
	if (pvvs_cb(skb)->op == VIRTIO_VSOCK_OP_CREDIT_UPDATE && !pvvs_cb(skb)->told)
		WRITE_ONCE(s->updating, false);
	pvvs_sock_put(s);
	if (skb->sk)
		sock_wfree(skb);
}

static struct sk_buff *pvvs_alloc_linear(u32 len, u32 room)
{
	struct sk_buff *skb = alloc_skb(room + len, GFP_KERNEL_ACCOUNT);

	if (likely(skb)) {
		skb_reserve(skb, room);
		__skb_put(skb, len);
	}
	return skb;
}

/* Beside the packet, in pages of the pool or others. */
static struct sk_buff *pvvs_alloc_pages(struct pvvs_pool *pool, u32 len)
{
	struct sk_buff *skb;
	int err;

	if (len >= PVVS_POOL_MIN) {
		skb = alloc_skb(0, GFP_KERNEL_ACCOUNT);
		if (unlikely(!skb) || likely(pvvs_pool_fill(pool, skb, len)))
			return skb;
		kfree_skb(skb);
	}
	skb = alloc_skb_with_frags(0, len, PAGE_ALLOC_COSTLY_ORDER, &err, GFP_KERNEL_ACCOUNT);
	if (likely(skb)) {
		skb->len = len;
		skb->data_len = len;
	}
	return skb;
}

/**
 * pvvs_alloc() - make a packet
 * @pool: for large payloads
 * @len: bytes of payload, up to PVVS_PAYLOAD_MAX
 * @room: bytes before these, where they are few
 *
 * Context: may sleep.
 * Return: the packet with a payload that is to be filled, or NULL.
 */
struct sk_buff *pvvs_alloc(struct pvvs_pool *pool, u32 len, u32 room)
{
	struct sk_buff *skb;

	if (room + len <= PVVS_LINEAR_MAX)
		skb = pvvs_alloc_linear(len, room);
	else
		skb = pvvs_alloc_pages(pool, len);
	if (likely(skb))
		*pvvs_cb(skb) = (struct pvvs_cb) { };
	return skb;
}

/* Makes it a packet of a socket. */
static void pvvs_own(struct pvvs_sock *s, struct sk_buff *skb, u16 op, u32 flags)
{
	const struct vsock_sock *vsk = s->vsk;

	refcount_inc(&s->ref);
	skb->destructor = pvvs_skb_destruct;
	*pvvs_cb(skb) = (struct pvvs_cb) {
		.s = s,
		.local_cid = s->link->t->ops.get_local_cid(),
		.local_port = vsk->local_addr.svm_port,
		.remote_cid = vsk->remote_addr.svm_cid,
		.remote_port = vsk->remote_addr.svm_port,
		.type = pvvs_type(sk_vsock(s->vsk)),
		.op = op,
		.flags = flags,
	};
}

/* There are few of these at a time, and who is out of memory of its own has to be able to end. */
static struct sk_buff *pvvs_alloc_control(void)
{
	struct sk_buff *skb = alloc_skb(0, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);

	return skb ?: alloc_skb(0, GFP_KERNEL);
}

static int pvvs_send_control(struct pvvs_sock *s, u16 op, u32 flags, bool reply)
{
	struct sk_buff *skb;

	/* Its addresses may be those of another connection by now. */
	if (!s->hashed)
		return -ENOTCONN;
	skb = pvvs_alloc_control();
	if (!skb)
		return -ENOMEM;
	pvvs_own(s, skb, op, flags);
	pvvs_cb(skb)->reply = reply;
	return pvvs_queue(s->link, skb);
}

/**
 * pvvs_send() - send a packet without payload
 * @s: the socket, locked; one whose connection has ended sends nothing
 * @op: &enum virtio_vsock_op
 * @flags: for that
 *
 * Context: may sleep.
 * Return: 0 or a negative error.
 */
int pvvs_send(struct pvvs_sock *s, u16 op, u32 flags)
{
	return pvvs_send_control(s, op, flags, false);
}

/**
 * pvvs_reply() - send a packet that the peer asked for, by what it sent
 * @s: the socket, locked
 * @op: &enum virtio_vsock_op
 *
 * Context: may sleep.
 * Return: 0 or a negative error.
 */
int pvvs_reply(struct pvvs_sock *s, u16 op)
{
	return pvvs_send_control(s, op, 0, true);
}

/**
 * pvvs_send_rst() - reset what is no connection here
 * @link: where a packet came from
 * @hdr: the packet's header
 *
 * Context: may sleep.
 */
void pvvs_send_rst(struct pvvs_link *link, const struct virtio_vsock_hdr *hdr)
{
	struct sk_buff *skb;

	/* Or two would do nothing else. */
	if (le16_to_cpu(hdr->op) == VIRTIO_VSOCK_OP_RST)
		return;
	skb = pvvs_alloc_control();
	if (!skb)
		return;
	*pvvs_cb(skb) = (struct pvvs_cb) {
		.local_cid = le64_to_cpu(hdr->dst_cid),
		.local_port = le32_to_cpu(hdr->dst_port),
		.remote_cid = le64_to_cpu(hdr->src_cid),
		.remote_port = le32_to_cpu(hdr->src_port),
		.type = le16_to_cpu(hdr->type),
		.op = VIRTIO_VSOCK_OP_RST,
		.reply = true,
	};
	pvvs_queue(link, skb);
}

/**
 * pvvs_send_credit() - tell the peer how much room there is
 * @s: the socket, locked
 *
 * There is one such packet at a time: it says what holds when it leaves.
 *
 * Context: may sleep.
 */
void pvvs_send_credit(struct pvvs_sock *s)
{
	/* Behind what has changed; pairs with the barrier in pvvs_link_header(). */
	smp_mb();
	if (READ_ONCE(s->updating))
		return;
	WRITE_ONCE(s->updating, true);
	if (pvvs_send(s, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0) == -ENOMEM)
		WRITE_ONCE(s->updating, false);
}

/**
 * pvvs_link_header() - a packet's header, or that of its next part
 * @skb: the packet
 * @len: bytes of its payload that go along
 * @hdr: gets it
 *
 * Of one link, one caller at a time.
 */
void pvvs_link_header(struct sk_buff *skb, u32 len, struct virtio_vsock_hdr *hdr)
{
	struct pvvs_cb *cb = pvvs_cb(skb);
	struct pvvs_sock *s = cb->s;
	u32 flags = cb->flags;

	/* A message ends with its last part. */
	if (cb->op == VIRTIO_VSOCK_OP_RW && unlikely(len < pvvs_left(skb)))
		flags &= ~(VIRTIO_VSOCK_SEQ_EOM | VIRTIO_VSOCK_SEQ_EOR);
	*hdr = (struct virtio_vsock_hdr) {
		.src_cid = cpu_to_le64(cb->local_cid),
		.dst_cid = cpu_to_le64(cb->remote_cid),
		.src_port = cpu_to_le32(cb->local_port),
		.dst_port = cpu_to_le32(cb->remote_port),
		.len = cpu_to_le32(len),
		.type = cpu_to_le16(cb->type),
		.op = cpu_to_le16(cb->op),
		.flags = cpu_to_le32(flags),
	};
	if (!s)
		return;
	/* Who has more room from here on sends another one; pairs with pvvs_send_credit(). */
	if (cb->op == VIRTIO_VSOCK_OP_CREDIT_UPDATE && !cb->told) {
		cb->told = true;
		WRITE_ONCE(s->updating, false);
		/* Before what is said of it is read. */
		smp_mb();
	}
	hdr->buf_alloc = cpu_to_le32(READ_ONCE(s->buf_alloc));
	hdr->fwd_cnt = cpu_to_le32(READ_ONCE(s->fwd_cnt));
}
EXPORT_SYMBOL_GPL(pvvs_link_header);

/* The peer knows of room. */
static void pvvs_told(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	u32 fwd = le32_to_cpu(hdr->fwd_cnt), alloc = le32_to_cpu(hdr->buf_alloc);
	u32 edge = fwd + alloc;

	WRITE_ONCE(s->told_fwd, fwd);
	WRITE_ONCE(s->told_alloc, alloc);
	if ((s32)(edge - s->edge) > 0)
		WRITE_ONCE(s->edge, edge);
}

/* The most that is kept for a peer that takes nothing, in bytes. */
static u32 pvvs_unsent_max(const struct pvvs_sock *s)
{
	return max_t(u32, READ_ONCE(s->buf_alloc), PVVS_UNSENT_MIN);
}

/*
 * And in packets, of which each takes as much memory as a KiB of data or more; and all of which are
 * looked at when the connection ends.
 */
static u32 pvvs_unsent_packets_max(const struct pvvs_sock *s)
{
	return min_t(u32, pvvs_unsent_max(s) / SZ_256, SZ_16K);
}

/* Wakes who waits for a packet to leave, unless the connection has ended. */
static void pvvs_wake_sender(struct pvvs_link *link, const struct pvvs_cb *cb)
{
	const struct pvvs_addr addr = {
		.local_port = cb->local_port,
		.remote_port = cb->remote_port,
		.remote_cid = cb->remote_cid,
	};
	struct pvvs_sock *s = pvvs_lookup(link, &addr);
	struct sock *sk;

	if (!s)
		return;
	sk = sk_vsock(s->vsk);
	if (s == cb->s)
		sk->sk_write_space(sk);
	pvvs_sock_put(s);
	sock_put(sk);
}

/* So many bytes of a packet are no longer kept here. */
static void pvvs_left_for_peer(struct pvvs_link *link, const struct sk_buff *skb, u32 len)
{
	struct pvvs_sock *s = pvvs_cb(skb)->s;

	WRITE_ONCE(s->sent_cnt, s->sent_cnt + len);
	if (len == pvvs_left(skb))
		WRITE_ONCE(s->sent_packets, s->sent_packets + 1);
	/* Pairs with the barrier in pvvs_unsent_room(). */
	smp_mb();
	if (likely(!READ_ONCE(s->waits)))
		return;
	/* Not for each one. */
	if (READ_ONCE(s->tx_cnt) - s->sent_cnt > pvvs_unsent_max(s) / 2 ||
	    READ_ONCE(s->tx_packets) - s->sent_packets > pvvs_unsent_packets_max(s) / 2)
		return;
	WRITE_ONCE(s->waits, false);
	pvvs_wake_sender(link, pvvs_cb(skb));
}

/**
 * pvvs_link_sent() - a packet is with the peer, or a part of it
 * @link: the link
 * @skb: the packet; it is gone if that was all of it
 * @len: bytes of its payload that went along
 * @hdr: from pvvs_link_header()
 *
 * Of one link, one caller at a time. What the peer does about it has to come after this.
 */
void pvvs_link_sent(struct pvvs_link *link, struct sk_buff *skb, u32 len,
		    const struct virtio_vsock_hdr *hdr)
{
	struct pvvs_sock *s = pvvs_cb(skb)->s;

	pvvs_tap(hdr, skb, pvvs_cb(skb)->off, len);
	if (likely(s)) {
		pvvs_told(s, hdr);
		if (len)
			pvvs_left_for_peer(link, skb, len);
	}
	pvvs_cb(skb)->off += len;
	if (!pvvs_left(skb))
		pvvs_link_done(link, skb);
}
EXPORT_SYMBOL_GPL(pvvs_link_sent);

static u32 pvvs_room(u32 max, u32 used)
{
	return used < max ? max - used : 0;
}

/* How much more may be kept for the peer. */
static u32 pvvs_unsent_left(const struct pvvs_sock *s)
{
	s32 packets = s->tx_packets - READ_ONCE(s->sent_packets);
	s32 bytes = s->tx_cnt - READ_ONCE(s->sent_cnt);

	/* Below zero where one came from a connection before this. */
	if (packets >= (s32)pvvs_unsent_packets_max(s))
		return 0;
	return pvvs_room(pvvs_unsent_max(s), max(bytes, 0));
}

/* The same; where it is nothing, who sends is woken when it is more. */
static u32 pvvs_unsent_room(struct pvvs_sock *s)
{
	u32 room = pvvs_unsent_left(s);

	if (likely(room))
		return room;
	WRITE_ONCE(s->waits, true);
	/* Before it is looked at again; pairs with the barrier in pvvs_left_for_peer(). */
	smp_mb();
	return pvvs_unsent_left(s);
}

/**
 * pvvs_space() - how much a socket may send
 * @s: the socket, locked
 *
 * Not more than the peer has room for by what it says, and not more than a sender may have this
 * side keep for a peer that takes nothing. Nothing where the link is closed: the socket is about
 * to be reset.
 *
 * Return: bytes.
 */
u32 pvvs_space(struct pvvs_sock *s)
{
	u32 room;

	if (unlikely(!s->hashed || !READ_ONCE(s->link->open)))
		return 0;
	room = pvvs_room(s->peer_buf_alloc, s->tx_cnt - s->peer_fwd_cnt);
	return room ? min(room, pvvs_unsent_room(s)) : 0;
}

/* Has the pages of the sender sent. */
static int pvvs_lend(struct pvvs_sock *s, struct sk_buff *skb, struct msghdr *msg, u32 len)
{
	int err;

	/* The socket is charged for them; who is charged must own nothing yet. */
	skb->destructor = NULL;
	skb_set_owner_w(skb, sk_vsock(s->vsk));
	skb->destructor = pvvs_skb_destruct;
	err = pvvsock_lend(msg, skb, len);
	/* What the kernel's own transports say of pages that can't be had, and its tests want. */
	return err == -EFAULT ? -ENOMEM : err;
}

/* Fills a payload. Returns 0 or -EFAULT. */
static int pvvs_fill(struct sk_buff *skb, struct iov_iter *from)
{
	unsigned int i;

	if (!copy_from_iter_full(skb->data, skb_headlen(skb), from))
		return -EFAULT;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		u32 len = skb_frag_size(frag);

		/* At once where the pages have addresses, and not one by one. */
		if (!PageHighMem(skb_frag_page(frag))) {
			if (!copy_from_iter_full(skb_frag_address(frag), len, from))
				return -EFAULT;
		} else if (copy_page_from_iter(skb_frag_page(frag), skb_frag_off(frag), len,
					       from) != len) {
			return -EFAULT;
		}
	}
	return 0;
}

static struct sk_buff *pvvs_alloc_data(struct pvvs_sock *s, struct msghdr *msg, u32 len,
				       struct ubuf_info *ubuf)
{
	struct sk_buff *skb = pvvs_alloc(&s->link->out, ubuf ? 0 : len, 0);
	size_t left = msg_data_left(msg);
	int err;

	if (!skb)
		return ERR_PTR(-ENOMEM);
	pvvs_own(s, skb, VIRTIO_VSOCK_OP_RW, 0);
	if (ubuf) {
		skb_zcopy_set(skb, ubuf, NULL);
		err = pvvs_lend(s, skb, msg, len);
	} else {
		err = pvvs_fill(skb, &msg->msg_iter);
	}
	if (likely(!err))
		return skb;
	/* What is sent later begins where this did. */
	iov_iter_revert(&msg->msg_iter, left - msg_data_left(msg));
	kfree_skb(skb);
	return ERR_PTR(err);
}

/*
 * Sends a packet's worth. Returns bytes, 0 where the peer has just gone, or a negative error: of a
 * reset the socket is told like any other, not every kernel hands on what is said here.
 */
static int pvvs_send_part(struct pvvs_sock *s, struct msghdr *msg, u32 len,
			  struct ubuf_info *ubuf)
{
	struct sk_buff *skb = pvvs_alloc_data(s, msg, len, ubuf);

	if (ubuf && skb == ERR_PTR(-EMSGSIZE)) {
		/* It is in too many pieces: its sender is told that it was copied. */
		if (ubuf != msg->msg_ubuf)
			uarg_to_msgzc(ubuf)->zerocopy = 0;
		skb = pvvs_alloc_data(s, msg, len, NULL);
	}
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	if (pvvs_cb(skb)->type == VIRTIO_VSOCK_TYPE_SEQPACKET && !msg_data_left(msg))
		pvvs_cb(skb)->flags = VIRTIO_VSOCK_SEQ_EOM |
				      (msg->msg_flags & MSG_EOR ? VIRTIO_VSOCK_SEQ_EOR : 0);
	WRITE_ONCE(s->tx_cnt, s->tx_cnt + len);
	WRITE_ONCE(s->tx_packets, s->tx_packets + 1);
	return pvvs_queue(s->link, skb) ? 0 : (int)len;
}

static ssize_t pvvs_send_parts(struct pvvs_sock *s, struct msghdr *msg, u32 len,
			       struct ubuf_info *ubuf)
{
	ssize_t sent = 0;
	int n = 0;

	while (sent < len) {
		n = pvvs_send_part(s, msg, min_t(u32, len - sent, PVVS_PAYLOAD_MAX), ubuf);
		if (n <= 0)
			break;
		sent += n;
	}
	return sent ?: n;
}

/*
 * For MSG_ZEROCOPY: what tells the sender when his pages are his again. What can't be sent as a
 * whole, and the rest of that, is copied, as by the kernel's own transports: *@lent is NULL then.
 * Returns false without memory.
 */
static bool pvvs_borrow(struct vsock_sock *vsk, struct msghdr *msg, size_t len,
			struct ubuf_info **ubuf, struct ubuf_info **lent)
{
	*ubuf = msg->msg_ubuf ?: pvvsock_ubuf(sk_vsock(vsk), len);
	*lent = *ubuf;
	if (!*ubuf)
		return false;
	if (msg_data_left(msg) > len || msg->msg_iter.iov_offset ||
	    sk_wmem_alloc_get(sk_vsock(vsk)) > PVVS_LENT_MAX) {
		*lent = NULL;
		if (!msg->msg_ubuf)
			uarg_to_msgzc(*ubuf)->zerocopy = 0;
	}
	return true;
}

/**
 * pvvs_stream_enqueue() - send what may be sent
 * @vsk: the socket, locked
 * @msg: the data
 * @len: how much of it
 *
 * Return: bytes, 0 where the peer has no room, or a negative error.
 */
ssize_t pvvs_stream_enqueue(struct vsock_sock *vsk, struct msghdr *msg, size_t len)
{
	struct ubuf_info *ubuf = NULL, *lent = NULL;
	struct pvvs_sock *s = pvvs_sock(vsk);
	ssize_t sent;

	if (!s->hashed)
		return -ENOTCONN;
	len = min_t(size_t, len, pvvs_space(s));
	if (!len)
		return 0;
	if (!sock_flag(sk_vsock(vsk), SOCK_ZEROCOPY))
		msg->msg_flags &= ~MSG_ZEROCOPY;
	if (unlikely(msg->msg_flags & MSG_ZEROCOPY) && !pvvs_borrow(vsk, msg, len, &ubuf, &lent))
		return -ENOMEM;
	sent = pvvs_send_parts(s, msg, len, lent);
	if (likely(!ubuf) || msg->msg_ubuf)
		return sent;
	/* Each packet has its own reference. */
	if (sent > 0)
		net_zcopy_put(ubuf);
	else
		net_zcopy_put_abort(ubuf, true);
	return sent;
}
EXPORT_SYMBOL_GPL(pvvs_stream_enqueue);

/**
 * pvvs_seqpacket_enqueue() - send what may be sent of a message
 * @vsk: the socket, locked
 * @msg: the message, or the rest of it
 * @len: how long it is
 *
 * Return: bytes, 0 where the peer has no room, or a negative error.
 */
int pvvs_seqpacket_enqueue(struct vsock_sock *vsk, struct msghdr *msg, size_t len)
{
	/* The peer would never have all of it. */
	if (len > pvvs_sock(vsk)->peer_buf_alloc)
		return -EMSGSIZE;
	return pvvs_stream_enqueue(vsk, msg, len);
}
EXPORT_SYMBOL_GPL(pvvs_seqpacket_enqueue);

/**
 * pvvs_stream_has_space() - how much a socket may send
 * @vsk: the socket, locked
 *
 * Return: bytes.
 */
s64 pvvs_stream_has_space(struct vsock_sock *vsk)
{
	return pvvs_space(pvvs_sock(vsk));
}
EXPORT_SYMBOL_GPL(pvvs_stream_has_space);

/**
 * pvvs_unsent_bytes() - how much the peer hasn't got yet
 * @vsk: the socket, locked
 *
 * Return: bytes.
 */
ssize_t pvvs_unsent_bytes(struct vsock_sock *vsk)
{
	const struct pvvs_sock *s = pvvs_sock(vsk);

	/* The peer has ended the connection: it gets nothing any more. */
	if (!s->hashed && !s->kept)
		return 0;
	/* Below zero where one came from a connection before this. */
	return max_t(s32, s->tx_cnt - READ_ONCE(s->sent_cnt), 0);
}
EXPORT_SYMBOL_GPL(pvvs_unsent_bytes);

/**
 * pvvs_msgzerocopy_allow() - MSG_ZEROCOPY is known
 *
 * Return: true.
 */
bool pvvs_msgzerocopy_allow(void)
{
	return true;
}
EXPORT_SYMBOL_GPL(pvvs_msgzerocopy_allow);
