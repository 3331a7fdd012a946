// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from a peer. What one means depends on the state of its connection: tables tell, and what
 * is not in them ends the connection. Payloads are copied before the socket is locked, and given to
 * it together where several follow each other.
 */
#include <linux/module.h>
#include <linux/nospec.h>

#include "internal.h"

/* The highest operation that there is, and one that there isn't. */
#define PVVS_OPS_MAX	(VIRTIO_VSOCK_OP_CREDIT_REQUEST + 1)

typedef void (*pvvs_op)(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr);

/* The peer doesn't keep to the protocol, or there is no way to go on. */
static void pvvs_fail(struct pvvs_sock *s, int err)
{
	pvvs_reply(s, VIRTIO_VSOCK_OP_RST);
	pvvs_reset(s, err);
}

static void pvvs_connecting_wrong(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	pvvs_fail(s, EPROTO);
}

static void pvvs_connecting_rst(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	pvvs_reset(s, ECONNRESET);
}

static void pvvs_connecting_response(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	struct sock *sk = sk_vsock(s->vsk);

	sk->sk_state = TCP_ESTABLISHED;
	sk->sk_socket->state = SS_CONNECTED;
	vsock_insert_connected(s->vsk);
	sk->sk_state_change(sk);
	/* It may have been changed since the peer was asked. */
	if (READ_ONCE(s->told_alloc) != s->buf_alloc)
		pvvs_send_credit(s);
}

static const pvvs_op pvvs_connecting[PVVS_OPS_MAX] = {
	[VIRTIO_VSOCK_OP_RESPONSE] = pvvs_connecting_response,
	[VIRTIO_VSOCK_OP_RST] = pvvs_connecting_rst,
};

static void pvvs_connected_wrong(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	pvvs_fail(s, ECONNRESET);
}

static void pvvs_connected_rst(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	vsock_remove_sock(s->vsk);
	pvvs_done(s);
}

static void pvvs_connected_shutdown(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	u32 flags = le32_to_cpu(hdr->flags), mode = s->vsk->peer_shutdown;
	struct sock *sk = sk_vsock(s->vsk);

	if (flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
		mode |= RCV_SHUTDOWN;
	if (flags & VIRTIO_VSOCK_SHUTDOWN_SEND)
		mode |= SEND_SHUTDOWN;
	WRITE_ONCE(s->vsk->peer_shutdown, mode);
	sk->sk_state_change(sk);
	if (mode != SHUTDOWN_MASK)
		return;
	/* It may have its ports for another connection, even before this one's data is read. */
	vsock_remove_sock(s->vsk);
	pvvs_reply(s, VIRTIO_VSOCK_OP_RST);
	pvvs_done(s);
}

/* The payload was taken before. */
static void pvvs_connected_nothing(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
}

static void pvvs_connected_credit_request(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	pvvs_send_credit(s);
}

static const pvvs_op pvvs_connected[PVVS_OPS_MAX] = {
	[VIRTIO_VSOCK_OP_RST] = pvvs_connected_rst,
	[VIRTIO_VSOCK_OP_SHUTDOWN] = pvvs_connected_shutdown,
	[VIRTIO_VSOCK_OP_RW] = pvvs_connected_nothing,
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = pvvs_connected_nothing,
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = pvvs_connected_credit_request,
};

static pvvs_op pvvs_op_of(const struct sock *sk, const struct virtio_vsock_hdr *hdr)
{
	unsigned int op = min_t(unsigned int, le16_to_cpu(hdr->op), PVVS_OPS_MAX - 1);

	op = array_index_nospec(op, PVVS_OPS_MAX);
	if (le16_to_cpu(hdr->op) != op)
		op = VIRTIO_VSOCK_OP_INVALID;
	if (sk->sk_state == TCP_SYN_SENT)
		return pvvs_connecting[op] ?: pvvs_connecting_wrong;
	return pvvs_connected[op] ?: pvvs_connected_wrong;
}

/* What the peer says of its own buffer. */
static void pvvs_take_credit(struct pvvs_sock *s, const struct virtio_vsock_hdr *hdr)
{
	u32 alloc = le32_to_cpu(hdr->buf_alloc), fwd = le32_to_cpu(hdr->fwd_cnt);
	struct sock *sk = sk_vsock(s->vsk);

	if (alloc == s->peer_buf_alloc && fwd == s->peer_fwd_cnt)
		return;
	s->peer_buf_alloc = alloc;
	/* What it hasn't got it can't have used: until it takes a packet that is kept for it. */
	if (fwd - s->peer_fwd_cnt <= READ_ONCE(s->sent_cnt) - s->peer_fwd_cnt)
		s->peer_fwd_cnt = fwd;
	if (pvvs_space(s))
		sk->sk_write_space(sk);
}

/* Gives a socket what has arrived. Returns false where that ended the connection. */
static bool pvvs_take_list(struct pvvs_rx *rx, struct pvvs_sock *s)
{
	struct sock *sk = sk_vsock(s->vsk);
	struct sk_buff *skb;

	if (skb_queue_empty(&rx->list))
		return true;
	if (sk->sk_state != TCP_ESTABLISHED) {
		pvvs_fail(s, EPROTO);
		return false;
	}
	while ((skb = __skb_dequeue(&rx->list)))
		if (!pvvs_enqueue(s, skb)) {
			pvvs_fail(s, ENOBUFS);
			return false;
		}
	/* Who doesn't want to read any more has the peer go on sending what it won't. */
	if (sk->sk_shutdown & RCV_SHUTDOWN)
		pvvs_purge(s);
	else
		vsock_data_ready(sk);
	pvvs_update_credit(s);
	return true;
}

/* A socket may have left since it was found, and have gone on to another peer. */
static bool pvvs_is_here(const struct pvvs_rx *rx, const struct pvvs_sock *s)
{
	return s->hashed && s->link == rx->link && !memcmp(&s->addr, &rx->addr, sizeof(s->addr));
}

/*
 * Has the socket do what its packets say, and the one with @hdr where that isn't NULL; @lost says
 * that its payload isn't there.
 */
static void pvvs_rx_run(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr, bool lost)
{
	struct pvvs_sock *s = rx->s;
	struct sock *sk = sk_vsock(s->vsk);

	lock_sock(sk);
	if (unlikely(!pvvs_is_here(rx, s))) {
		pvvs_send_rst(rx->link, hdr ?: &rx->last);
	} else {
		pvvs_take_credit(s, hdr ?: &rx->last);
		if (pvvs_take_list(rx, s) && lost)
			pvvs_fail(s, ENOBUFS);
		else if (hdr && pvvs_is_here(rx, s))
			pvvs_op_of(sk, hdr)(s, hdr);
	}
	release_sock(sk);
	__skb_queue_purge(&rx->list);
	rx->bytes = 0;
}

/* Goes on to another socket. */
static void pvvs_rx_leave(struct pvvs_rx *rx)
{
	struct pvvs_sock *s = rx->s;
	struct sock *sk;

	if (!s)
		return;
	if (!skb_queue_empty(&rx->list))
		pvvs_rx_run(rx, NULL, false);
	sk = sk_vsock(s->vsk);
	pvvs_sock_put(s);
	sock_put(sk);
	rx->s = NULL;
}

/* Finds the socket of a packet, which is not a listening one. */
static struct pvvs_sock *pvvs_rx_find(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr)
{
	const struct pvvs_addr addr = {
		.local_port = le32_to_cpu(hdr->dst_port),
		.remote_port = le32_to_cpu(hdr->src_port),
		.remote_cid = le64_to_cpu(hdr->src_cid),
	};

	/* Where the connection has ended another one may begin, by the same addresses. */
	if (rx->s && !memcmp(&addr, &rx->addr, sizeof(addr)) && likely(READ_ONCE(rx->s->hashed)))
		return rx->s;
	pvvs_rx_leave(rx);
	rx->addr = addr;
	rx->s = pvvs_lookup(rx->link, &addr);
	return rx->s;
}

/* Makes a socket for a connection; @sk is locked. Returns 0, or a negative error to refuse it. */
static int pvvs_accept(struct pvvs_rx *rx, struct sock *sk, const struct virtio_vsock_hdr *hdr)
{
	struct vsock_sock *child;
	struct pvvs_sock *s;
	struct sock *csk;
	int err;

	if (sk->sk_state != TCP_LISTEN || sk->sk_shutdown == SHUTDOWN_MASK ||
	    pvvs_type(sk) != le16_to_cpu(hdr->type) ||
	    !(READ_ONCE(rx->link->types) & BIT(pvvs_type(sk))))
		return -ECONNREFUSED;
	if (sk_acceptq_is_full(sk))
		return -ENOBUFS;
	csk = vsock_create_connected(sk);
	if (!csk)
		return -ENOMEM;

	lock_sock_nested(csk, SINGLE_DEPTH_NESTING);
	csk->sk_state = TCP_ESTABLISHED;
	child = vsock_sk(csk);
	vsock_addr_init(&child->local_addr, le64_to_cpu(hdr->dst_cid),
			le32_to_cpu(hdr->dst_port));
	vsock_addr_init(&child->remote_addr, le64_to_cpu(hdr->src_cid),
			le32_to_cpu(hdr->src_port));
	err = vsock_assign_transport(child, vsock_sk(sk));
	if (!err && child->transport != &rx->link->t->ops)
		err = -ENETUNREACH;
	if (err)
		goto err_transport;
	s = pvvs_sock(child);
	pvvs_attach(s, rx->link);
	err = pvvs_hash(s);
	if (err)
		goto err_hash;
	err = pvvs_reply(s, VIRTIO_VSOCK_OP_RESPONSE);
	if (err)
		goto err_hash;

	pvvs_take_credit(s, hdr);
	vsock_insert_connected(child);
	pvvsock_enqueue_accept(sk, csk);
	release_sock(csk);
	sk->sk_data_ready(sk);
	return 0;

err_hash:
	pvvs_detach(s);
err_transport:
	release_sock(csk);
	sock_put(csk);
	return err;
}

/* A peer wants to connect, or knows of a connection that is none. */
static void pvvs_rx_unknown(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr)
{
	struct sockaddr_vm addr;
	struct sock *sk = NULL;
	int err = -ECONNREFUSED;

	if (le16_to_cpu(hdr->op) == VIRTIO_VSOCK_OP_REQUEST) {
		vsock_addr_init(&addr, le64_to_cpu(hdr->dst_cid), le32_to_cpu(hdr->dst_port));
		sk = pvvsock_find_bound(&addr, rx->link->net);
	}
	if (sk) {
		lock_sock(sk);
		err = pvvs_accept(rx, sk, hdr);
		release_sock(sk);
		sock_put(sk);
	}
	if (err)
		pvvs_send_rst(rx->link, hdr);
}

/**
 * pvvs_rx_begin() - begin to take packets from a link
 * @rx: to be ended by pvvs_rx_end()
 * @link: the link; of one, one at a time
 */
void pvvs_rx_begin(struct pvvs_rx *rx, struct pvvs_link *link)
{
	rx->link = link;
	rx->s = NULL;
	rx->bytes = 0;
	__skb_queue_head_init(&rx->list);
}
EXPORT_SYMBOL_GPL(pvvs_rx_begin);

/**
 * pvvs_rx_room() - find room for a packet's payload
 * @rx: begun
 * @hdr: the packet's header, a copy that the peer can't change
 * @len: bytes of payload, not 0
 *
 * Context: may sleep.
 * Return: a packet to be filled and given to pvvs_rx_packet(), or NULL: for that there is no room,
 * or nobody to read it.
 */
struct sk_buff *pvvs_rx_room(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr, u32 len)
{
	struct pvvs_sock *s;
	u32 left;

	if (le16_to_cpu(hdr->op) != VIRTIO_VSOCK_OP_RW || len > PVVS_PAYLOAD_MAX)
		return NULL;
	s = pvvs_rx_find(rx, hdr);
	if (!s)
		return NULL;
	/* Looked at again when it is locked; what a peer may not send costs no memory. */
	left = READ_ONCE(s->edge) - READ_ONCE(s->rx_cnt) - rx->bytes;
	if ((s32)left < 0 || len > left)
		return NULL;
	return pvvs_alloc(&rx->link->in, len,
			  le16_to_cpu(hdr->type) == VIRTIO_VSOCK_TYPE_SEQPACKET ? PVVS_RECORD : 0);
}
EXPORT_SYMBOL_GPL(pvvs_rx_room);

/* What is no message: nothing at all. */
static bool pvvs_is_empty(const struct virtio_vsock_hdr *hdr)
{
	return !hdr->len;
}

static void pvvs_rx_data(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr,
			 struct sk_buff *skb)
{
	struct pvvs_cb *cb = pvvs_cb(skb);

	*cb = (struct pvvs_cb) { };
	if (le16_to_cpu(hdr->type) == VIRTIO_VSOCK_TYPE_SEQPACKET &&
	    le32_to_cpu(hdr->flags) & VIRTIO_VSOCK_SEQ_EOM)
		cb->flags = le32_to_cpu(hdr->flags) & (VIRTIO_VSOCK_SEQ_EOM | VIRTIO_VSOCK_SEQ_EOR);
	rx->bytes += skb->len;
	rx->last = *hdr;
	__skb_queue_tail(&rx->list, skb);
}

/**
 * pvvs_rx_packet() - take a packet from a peer
 * @rx: begun
 * @hdr: its header, a copy that the peer can't change, whose addresses are those of peers of the
 *	link
 * @skb: its payload, &virtio_vsock_hdr.len bytes; it is gone. NULL: there is none, or it was lost
 *
 * Context: may sleep; takes the locks of sockets.
 */
void pvvs_rx_packet(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr, struct sk_buff *skb)
{
	struct pvvs_sock *s;
	bool data;

	pvvs_tap(hdr, skb, 0, skb ? skb->len : 0);
	s = pvvs_rx_find(rx, hdr);
	if (!s) {
		kfree_skb(skb);
		pvvs_rx_unknown(rx, hdr);
		return;
	}
	data = le16_to_cpu(hdr->op) == VIRTIO_VSOCK_OP_RW;
	if (unlikely(le16_to_cpu(hdr->type) != pvvs_type(sk_vsock(s->vsk)))) {
		kfree_skb(skb);
		pvvs_send_rst(rx->link, hdr);
	} else if (data && likely(skb)) {
		pvvs_rx_data(rx, hdr, skb);
	} else {
		kfree_skb(skb);
		pvvs_rx_run(rx, hdr, data && !pvvs_is_empty(hdr));
	}
}
EXPORT_SYMBOL_GPL(pvvs_rx_packet);

/**
 * pvvs_rx_end() - all packets that there were are taken
 * @rx: begun
 *
 * Context: may sleep; takes the locks of sockets.
 */
void pvvs_rx_end(struct pvvs_rx *rx)
{
	pvvs_rx_leave(rx);
}
EXPORT_SYMBOL_GPL(pvvs_rx_end);
