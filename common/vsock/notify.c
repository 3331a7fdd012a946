// SPDX-License-Identifier: GPL-2.0-only
/* What AF_VSOCK asks or tells, and there is nothing to do about. */
#include <linux/module.h>

#include "internal.h"

/**
 * pvvs_stream_rcvhiwat() - the most that a reader may wait for
 * @vsk: the socket, locked
 *
 * Return: bytes.
 */
u64 pvvs_stream_rcvhiwat(struct vsock_sock *vsk)
{
	return vsk->buffer_size;
}
EXPORT_SYMBOL_GPL(pvvs_stream_rcvhiwat);

/**
 * pvvs_stream_is_active() - data may come and go
 * @vsk: the socket, locked
 *
 * Return: true.
 */
bool pvvs_stream_is_active(struct vsock_sock *vsk)
{
	return true;
}
EXPORT_SYMBOL_GPL(pvvs_stream_is_active);

/**
 * pvvs_stream_allow() - a socket may connect
 * @cid: there
 * @port: there
 *
 * Return: true: whether there is anybody tells pvvs_connect().
 */
bool pvvs_stream_allow(PVVSOCK_FOR(vsk) u32 cid, u32 port)
{
	return true;
}
EXPORT_SYMBOL_GPL(pvvs_stream_allow);

/**
 * pvvs_seqpacket_allow() - may a socket for messages have a peer
 * @t: the transport
 * @net: the socket's namespace
 * @cid: the peer
 *
 * Return: false where it is there and doesn't know messages: what else stands in the way tells
 * pvvs_connect().
 */
bool pvvs_seqpacket_allow(struct pvvs_transport *t, struct net *net, u32 cid)
{
	struct pvvs_link *link = t->find(net, cid);
	bool ok = !link || !READ_ONCE(link->ready) ||
		  READ_ONCE(link->types) & BIT(VIRTIO_VSOCK_TYPE_SEQPACKET);

	if (link)
		pvvs_link_put(link);
	return ok;
}
EXPORT_SYMBOL_GPL(pvvs_seqpacket_allow);

/**
 * pvvs_recv_notify() - somebody reads
 * @vsk: the socket, locked
 * @target: so many bytes
 * @data: of no use
 *
 * Return: 0.
 */
int pvvs_recv_notify(struct vsock_sock *vsk, size_t target,
		     struct vsock_transport_recv_notify_data *data)
{
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_recv_notify);

/**
 * pvvs_recv_post_dequeue() - somebody has read
 * @vsk: the socket, locked
 * @target: so many bytes were wanted
 * @copied: so many were read
 * @read: they are gone
 * @data: of no use
 *
 * Return: 0.
 */
int pvvs_recv_post_dequeue(struct vsock_sock *vsk, size_t target, ssize_t copied, bool read,
			   struct vsock_transport_recv_notify_data *data)
{
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_recv_post_dequeue);

/**
 * pvvs_send_notify() - somebody sends
 * @vsk: the socket, locked
 * @data: of no use
 *
 * Return: 0.
 */
int pvvs_send_notify(struct vsock_sock *vsk, struct vsock_transport_send_notify_data *data)
{
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_send_notify);

/**
 * pvvs_send_post_enqueue() - somebody has sent
 * @vsk: the socket, locked
 * @written: so many bytes
 * @data: of no use
 *
 * Return: 0.
 */
int pvvs_send_post_enqueue(struct vsock_sock *vsk, ssize_t written,
			   struct vsock_transport_send_notify_data *data)
{
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_send_post_enqueue);

/**
 * pvvs_dgram_bind() - datagrams are not known
 * @vsk: a socket for these
 * @addr: its address
 *
 * Return: -EOPNOTSUPP.
 */
int pvvs_dgram_bind(struct vsock_sock *vsk, struct sockaddr_vm *addr)
{
	return -EOPNOTSUPP;
}
EXPORT_SYMBOL_GPL(pvvs_dgram_bind);

/**
 * pvvs_dgram_dequeue() - datagrams are not known
 * @vsk: a socket for these
 * @msg: where to
 * @len: how much
 * @flags: of recvmsg()
 *
 * Return: -EOPNOTSUPP.
 */
int pvvs_dgram_dequeue(struct vsock_sock *vsk, struct msghdr *msg, size_t len, int flags)
{
	return -EOPNOTSUPP;
}
EXPORT_SYMBOL_GPL(pvvs_dgram_dequeue);

/**
 * pvvs_dgram_enqueue() - datagrams are not known
 * @vsk: a socket for these
 * @addr: where to
 * @msg: what
 * @len: how much
 *
 * Return: -EOPNOTSUPP.
 */
int pvvs_dgram_enqueue(struct vsock_sock *vsk, struct sockaddr_vm *addr, struct msghdr *msg,
		       size_t len)
{
	return -EOPNOTSUPP;
}
EXPORT_SYMBOL_GPL(pvvs_dgram_enqueue);

/**
 * pvvs_dgram_allow() - datagrams are not known
 * @cid: where to
 * @port: there
 *
 * Return: false.
 */
bool pvvs_dgram_allow(PVVSOCK_FOR(vsk) u32 cid, u32 port)
{
	return false;
}
EXPORT_SYMBOL_GPL(pvvs_dgram_allow);
