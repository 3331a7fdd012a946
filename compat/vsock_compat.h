/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_VSOCK_H
#define _PVIO_COMPAT_VSOCK_H

#include <linux/skbuff.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <net/af_vsock.h>
#include <net/net_namespace.h>

#ifndef PVIO_HAVE_ITER_DEST
#define ITER_SOURCE	WRITE
#define ITER_DEST	READ
#endif

/* What a transport is asked for a socket: the first parameter, and the socket's namespace. */
#ifdef PVIO_HAVE_VSOCK_ALLOW_VSK
#define PVVSOCK_FOR(vsk)	struct vsock_sock *vsk,
#define PVVSOCK_FOR_NET(vsk)	sock_net(sk_vsock(vsk))
#else
#define PVVSOCK_FOR(vsk)
#define PVVSOCK_FOR_NET(vsk)	(&init_net)
#endif

/* Operations that not every kernel's transports have: initialisers. */
#ifdef PVIO_HAVE_VSOCK_HAS_REMOTE_CID
#define PVVSOCK_HAS_REMOTE_CID(fn)	.has_remote_cid = fn,
#else
#define PVVSOCK_HAS_REMOTE_CID(fn)
#endif

#ifdef PVIO_HAVE_VSOCK_UNSENT_BYTES
#define PVVSOCK_UNSENT_BYTES(fn)	.unsent_bytes = fn,
#else
#define PVVSOCK_UNSENT_BYTES(fn)
#endif

#ifdef PVIO_HAVE_VSOCK_MSGZEROCOPY
#define PVVSOCK_MSGZEROCOPY_ALLOW(fn)	.msgzerocopy_allow = fn,
#else
#define PVVSOCK_MSGZEROCOPY_ALLOW(fn)
#endif

#ifdef PVIO_HAVE_VSOCK_READ_SKB
#define PVVSOCK_READ_SKB(fn)		.read_skb = fn,
#else
#define PVVSOCK_READ_SKB(fn)
#endif

/* Where a kernel asks otherwise, AF_VSOCK sets SO_RCVLOWAT by itself. */
#ifdef PVIO_HAVE_VSOCK_NOTIFY_SET_RCVLOWAT
#define PVVSOCK_SET_RCVLOWAT(fn)	.notify_set_rcvlowat = fn,
#else
#define PVVSOCK_SET_RCVLOWAT(fn)
#endif

#ifdef PVIO_HAVE_VSOCK_NET
static inline struct sock *pvvsock_find_bound(struct sockaddr_vm *addr, struct net *net)
{
	return vsock_find_bound_socket_net(addr, net);
}

static inline bool pvvsock_net_allows(struct net *a, struct net *b)
{
	return vsock_net_check_mode(a, b);
}
#else
static inline struct sock *pvvsock_find_bound(struct sockaddr_vm *addr, struct net *net)
{
	return vsock_find_bound_socket(addr);
}

static inline bool pvvsock_net_allows(struct net *a, struct net *b)
{
	return true;
}
#endif

/*
 * Has a listening socket, locked, hand out @child; whether that counts it in depends on the kernel,
 * and nothing but the count tells.
 */
static inline void pvvsock_enqueue_accept(struct sock *sk, struct sock *child)
{
	u32 had = READ_ONCE(sk->sk_ack_backlog);

	vsock_enqueue_accept(sk, child);
	if (READ_ONCE(sk->sk_ack_backlog) == had)
		sk_acceptq_added(sk);
}

/* For MSG_ZEROCOPY: what tells the sender that pages are his again, and the pages themselves. */
static inline struct ubuf_info *pvvsock_ubuf(struct sock *sk, size_t len)
{
#ifdef PVIO_HAVE_ZEROCOPY_DEVMEM
	return msg_zerocopy_realloc(sk, len, NULL, false);
#else
	return msg_zerocopy_realloc(sk, len, NULL);
#endif
}

static inline int pvvsock_lend(struct msghdr *msg, struct sk_buff *skb, size_t len)
{
#ifdef PVIO_HAVE_ZEROCOPY_DEVMEM
	return __zerocopy_sg_from_iter(msg, NULL, skb, &msg->msg_iter, len, NULL);
#else
	return __zerocopy_sg_from_iter(msg, NULL, skb, &msg->msg_iter, len);
#endif
}

#endif
