// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading what has arrived for a socket. A peer is told of the room that this makes when it
 * could miss it, and not before: each such packet costs both sides as much as one with data.
 */
#include <linux/module.h>

#include "internal.h"

/* Nobody can read until more arrives. */
static bool pvvs_starves(const struct pvvs_sock *s)
{
	const struct sock *sk = sk_vsock(s->vsk);

	if (sk->sk_type == SOCK_SEQPACKET)
		return !s->messages;
	return s->rx_bytes < sock_rcvlowat(sk, 0, INT_MAX);
}

/**
 * pvvs_wants_credit() - should the peer be told of room
 * @s: the socket, locked
 *
 * That is so where it could soon think that there is none, and sooner where a reader waits for more
 * than it may think there is room for. Some peers have no more on its way than would fit into
 * their own buffer, however much they are told.
 *
 * Return: true if so.
 */
bool pvvs_wants_credit(const struct pvvs_sock *s)
{
	/* Pairs with the order in which pvvs_link_header() and pvvs_link_sent() do it. */
	u32 told = READ_ONCE(s->told_fwd), alloc = READ_ONCE(s->told_alloc);
	u32 untold = s->fwd_cnt - told, taken = s->rx_cnt - told;
	u32 window = min3(s->buf_alloc, alloc, s->peer_buf_alloc);

	if (likely(!untold) && alloc >= s->buf_alloc)
		return false;
	if ((u64)untold + min_t(u32, SZ_64K, window / 4) > window)
		return true;
	return (u64)taken * 2 > window && pvvs_starves(s);
}

static int pvvs_copy(struct sk_buff *skb, struct msghdr *msg, u32 len)
{
	return skb_copy_datagram_iter(skb, pvvs_cb(skb)->off, &msg->msg_iter, len);
}

/**
 * struct pvvs_part - of a message, what is in one packet
 * @off: where it begins
 * @len: bytes
 * @flags: of &enum virtio_vsock_seq
 */
struct pvvs_part {
	u32 off;
	u32 len;
	u32 flags;
};

static struct pvvs_part pvvs_part(const struct sk_buff *skb)
{
	const struct pvvs_cb *cb = pvvs_cb(skb);
	struct pvvs_part part = { .off = cb->off, .len = skb->len, .flags = cb->flags };

	if (cb->packed) {
		part.off += PVVS_RECORD;
		part.flags = pvvs_record(skb, &part.len);
	}
	return part;
}

static ssize_t pvvs_stream_peek(struct pvvs_sock *s, struct msghdr *msg, size_t len)
{
	struct sk_buff *skb;
	size_t copied = 0;
	int err;

	skb_queue_walk(&s->rx_queue, skb) {
		u32 n = min_t(size_t, pvvs_left(skb), len - copied);

		err = pvvs_copy(skb, msg, n);
		if (err)
			return copied ?: err;
		copied += n;
		if (copied == len)
			break;
	}
	return copied;
}

/**
 * pvvs_stream_dequeue() - read what has arrived
 * @vsk: the socket, locked
 * @msg: where to
 * @len: at most so many bytes
 * @flags: MSG_PEEK leaves it there
 *
 * Return: bytes or a negative error.
 */
ssize_t pvvs_stream_dequeue(struct vsock_sock *vsk, struct msghdr *msg, size_t len, int flags)
{
	struct pvvs_sock *s = pvvs_sock(vsk);
	struct sk_buff *skb;
	size_t copied = 0;
	int err = 0;

	if (flags & MSG_PEEK)
		return pvvs_stream_peek(s, msg, len);
	while (copied < len && (skb = skb_peek(&s->rx_queue))) {
		u32 n = min_t(size_t, pvvs_left(skb), len - copied);

		err = pvvs_copy(skb, msg, n);
		if (err)
			break;
		copied += n;
		pvvs_cb(skb)->off += n;
		pvvs_taken(s, n);
		if (!pvvs_left(skb)) {
			pvvs_unqueue(s, skb);
			consume_skb(skb);
		}
	}
	pvvs_update_credit(s);
	return copied ?: err;
}
EXPORT_SYMBOL_GPL(pvvs_stream_dequeue);

/* Copies what there is room for, and returns 0 or a negative error. */
static int pvvs_part_copy(struct sk_buff *skb, const struct pvvs_part *part, struct msghdr *msg)
{
	if (part->flags & VIRTIO_VSOCK_SEQ_EOR)
		msg->msg_flags |= MSG_EOR;
	return skb_copy_datagram_iter(skb, part->off, &msg->msg_iter,
				      min_t(size_t, part->len, msg_data_left(msg)));
}

static ssize_t pvvs_message_peek(struct pvvs_sock *s, struct msghdr *msg)
{
	struct pvvs_part part;
	struct sk_buff *skb;
	size_t len = 0;
	int err;

	skb_queue_walk(&s->rx_queue, skb) {
		part = pvvs_part(skb);
		err = pvvs_part_copy(skb, &part, msg);
		if (err)
			return err;
		len += part.len;
		if (part.flags & VIRTIO_VSOCK_SEQ_EOM)
			break;
	}
	return len;
}

/* A part is read. */
static void pvvs_part_taken(struct pvvs_sock *s, struct sk_buff *skb, const struct pvvs_part *part)
{
	struct pvvs_cb *cb = pvvs_cb(skb);

	pvvs_taken(s, part->len);
	if (cb->packed) {
		s->messages--;
		cb->off = part->off + part->len;
		if (cb->off < skb->len)
			return;
	}
	pvvs_unqueue(s, skb);
	consume_skb(skb);
}

/**
 * pvvs_seqpacket_dequeue() - read a message
 * @vsk: the socket, locked
 * @msg: where to; what has no room there is lost
 * @flags: MSG_PEEK leaves it there
 *
 * Return: how long the message is, or a negative error.
 */
ssize_t pvvs_seqpacket_dequeue(struct vsock_sock *vsk, struct msghdr *msg, int flags)
{
	struct pvvs_sock *s = pvvs_sock(vsk);
	struct pvvs_part part;
	struct sk_buff *skb;
	size_t len = 0;
	int err = 0;

	if (!s->messages)
		return 0;
	if (flags & MSG_PEEK)
		return pvvs_message_peek(s, msg);
	do {
		skb = skb_peek(&s->rx_queue);
		part = pvvs_part(skb);
		/* All of it goes, even where it can't be copied. */
		if (!err)
			err = pvvs_part_copy(skb, &part, msg);
		len += part.len;
		pvvs_part_taken(s, skb, &part);
	} while (!(part.flags & VIRTIO_VSOCK_SEQ_EOM));
	pvvs_update_credit(s);
	return err ?: len;
}
EXPORT_SYMBOL_GPL(pvvs_seqpacket_dequeue);

/* A message of a packet with several, as one of its own. */
static struct sk_buff *pvvs_unpack(struct pvvs_sock *s, struct sk_buff *skb)
{
	struct pvvs_part part = pvvs_part(skb);
	struct sk_buff *own = pvvs_alloc(NULL, part.len, 0);

	if (!own)
		return NULL;
	memcpy(own->data, skb->data + part.off, part.len);
	pvvs_part_taken(s, skb, &part);
	return own;
}

/* The first packet, or what is left of it. */
static struct sk_buff *pvvs_whole(struct pvvs_sock *s, struct sk_buff *skb)
{
	u32 off = pvvs_cb(skb)->off;

	pvvs_taken(s, pvvs_left(skb));
	pvvs_unqueue(s, skb);
	if (!off || pskb_pull(skb, off))
		return skb;
	kfree_skb(skb);
	return NULL;
}

/**
 * pvvs_read_skb() - hand over what has arrived
 * @vsk: the socket, locked
 * @actor: takes a packet, and returns bytes or a negative error
 *
 * Return: bytes, or where there are none what @actor says, -EAGAIN for nothing there, or -ENOMEM.
 */
int pvvs_read_skb(struct vsock_sock *vsk, skb_read_actor_t actor)
{
	struct pvvs_sock *s = pvvs_sock(vsk);
	int copied = 0, n = -EAGAIN;
	struct sk_buff *skb;

	/* Several packets are told of at once. */
	while ((skb = skb_peek(&s->rx_queue))) {
		skb = pvvs_cb(skb)->packed ? pvvs_unpack(s, skb) : pvvs_whole(s, skb);
		n = skb ? actor(sk_vsock(vsk), skb) : -ENOMEM;
		if (n < 0)
			break;
		copied += n;
	}
	pvvs_update_credit(s);
	return copied ?: n;
}
EXPORT_SYMBOL_GPL(pvvs_read_skb);

/**
 * pvvs_stream_has_data() - how much there is to read
 * @vsk: the socket, locked
 *
 * Return: bytes.
 */
s64 pvvs_stream_has_data(struct vsock_sock *vsk)
{
	return pvvs_sock(vsk)->rx_bytes;
}
EXPORT_SYMBOL_GPL(pvvs_stream_has_data);

/**
 * pvvs_seqpacket_has_data() - how many messages there are to read
 * @vsk: the socket, locked
 *
 * Return: whole messages.
 */
u32 pvvs_seqpacket_has_data(struct vsock_sock *vsk)
{
	return pvvs_sock(vsk)->messages;
}
EXPORT_SYMBOL_GPL(pvvs_seqpacket_has_data);

/**
 * pvvs_notify_set_rcvlowat() - a reader is going to wait for more
 * @vsk: the socket, locked
 * @low: SO_RCVLOWAT
 *
 * Return: 0.
 */
int pvvs_notify_set_rcvlowat(struct vsock_sock *vsk, int low)
{
	struct pvvs_sock *s = pvvs_sock(vsk);

	if (s->rx_bytes < low && s->fwd_cnt != READ_ONCE(s->told_fwd))
		pvvs_send_credit(s);
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_notify_set_rcvlowat);

/**
 * pvvs_notify_poll_in() - can somebody read
 * @vsk: the socket, locked
 * @target: for less than as many bytes nobody wakes up
 * @ready: gets it
 *
 * Return: 0.
 */
int pvvs_notify_poll_in(struct vsock_sock *vsk, size_t target, bool *ready)
{
	struct pvvs_sock *s = pvvs_sock(vsk);

	*ready = sk_vsock(vsk)->sk_type == SOCK_SEQPACKET ? s->messages : s->rx_bytes >= target;
	pvvs_update_credit(s);
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_notify_poll_in);

/**
 * pvvs_notify_poll_out() - can somebody write
 * @vsk: the socket, locked
 * @target: as many bytes
 * @room: gets it
 *
 * Return: 0.
 */
int pvvs_notify_poll_out(struct vsock_sock *vsk, size_t target, bool *room)
{
	/* Where the peer takes no more, who writes is told so at once. */
	*room = pvvs_space(pvvs_sock(vsk)) || READ_ONCE(vsk->peer_shutdown) & RCV_SHUTDOWN;
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_notify_poll_out);

/**
 * pvvs_notify_buffer_size() - a socket's buffer is to be of another size
 * @vsk: the socket, locked
 * @size: what is wished; gets what can be
 */
void pvvs_notify_buffer_size(struct vsock_sock *vsk, u64 *size)
{
	struct pvvs_sock *s = pvvs_sock(vsk);
	struct sock *sk = sk_vsock(vsk);

	/* What the peer was told before holds until it is used. */
	*size = min_t(u64, *size, PVVS_BUFFER_MAX);
	WRITE_ONCE(s->buf_alloc, *size);
	if (sk->sk_state != TCP_ESTABLISHED)
		return;
	pvvs_send_credit(s);
	if (pvvs_space(s))
		sk->sk_write_space(sk);
}
EXPORT_SYMBOL_GPL(pvvs_notify_buffer_size);
