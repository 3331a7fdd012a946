// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a socket on a link: connecting, being connected, and leaving, which takes both sides:
 * who closes says that it will neither send nor receive, and waits for the peer's reset.
 */
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "internal.h"

/* A peer that doesn't answer a closed connection is reset after that. */
#define PVVS_CLOSE_TIMEOUT	(8 * HZ)

/* How often who waits looks for what has left. */
#define PVVS_LINGER_STEP	DIV_ROUND_UP(HZ, 50)

/**
 * pvvs_sock_put() - drop a reference
 * @s: a socket's part, or NULL
 *
 * Context: any.
 */
void pvvs_sock_put(struct pvvs_sock *s)
{
	if (s && refcount_dec_and_test(&s->ref))
		kfree(s);
}

/**
 * pvvs_init() - make a socket one of this protocol
 * @vsk: the socket, locked or known to nobody
 * @parent: where it was connected; NULL: it is going to connect
 *
 * Return: 0 or -ENOMEM.
 */
int pvvs_init(struct vsock_sock *vsk, struct vsock_sock *parent)
{
	struct pvvs_sock *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);

	if (!s)
		return -ENOMEM;
	refcount_set(&s->ref, 1);
	s->vsk = vsk;
	INIT_LIST_HEAD(&s->orphan);
	__skb_queue_head_init(&s->rx_queue);
	vsk->buffer_size = min_t(u64, vsk->buffer_size, PVVS_BUFFER_MAX);
	s->buf_alloc = vsk->buffer_size;
	vsk->trans = s;
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_init);

/* It has no longer anything to wait for. */
static void pvvs_close_cancel(struct vsock_sock *vsk)
{
	if (!vsk->close_work_scheduled || !cancel_delayed_work(&vsk->close_work))
		return;
	vsk->close_work_scheduled = false;
	pvvs_forget(pvvs_sock(vsk));
	sock_put(sk_vsock(vsk));
}

/**
 * pvvs_destruct() - free a socket's part
 * @vsk: the socket; nobody knows it any more
 */
void pvvs_destruct(struct vsock_sock *vsk)
{
	struct pvvs_sock *s = pvvs_sock(vsk);

	pvvs_close_cancel(vsk);
	pvvs_detach(s);
	vsk->trans = NULL;
	pvvs_sock_put(s);
}
EXPORT_SYMBOL_GPL(pvvs_destruct);

/**
 * pvvs_forget() - a socket is closed on both sides
 * @s: the socket, locked, and held by the caller
 */
void pvvs_forget(struct pvvs_sock *s)
{
	vsock_remove_sock(s->vsk);
	pvvs_detach(s);
}

/* A connection is no more: what the peer hasn't got it will not get. */
static void pvvs_end(struct pvvs_sock *s)
{
	pvvs_unhash(s);
	if (s->tx_packets != READ_ONCE(s->sent_packets) && !s->kept)
		pvvs_drop_unsent(s);
}

/**
 * pvvs_done() - the peer has left
 * @s: the socket, locked, and held by the caller
 *
 * What has arrived can still be read.
 */
void pvvs_done(struct pvvs_sock *s)
{
	struct sock *sk = sk_vsock(s->vsk);

	sock_set_flag(sk, SOCK_DONE);
	WRITE_ONCE(s->vsk->peer_shutdown, SHUTDOWN_MASK);
	if (!s->rx_bytes)
		sk->sk_state = TCP_CLOSING;
	pvvs_end(s);
	sk->sk_state_change(sk);
	pvvs_close_cancel(s->vsk);
}

/**
 * pvvs_reset() - end a connection that can't go on
 * @s: the socket, locked, and held by the caller
 * @err: what its user is told
 */
void pvvs_reset(struct pvvs_sock *s, int err)
{
	struct sock *sk = sk_vsock(s->vsk);

	pvvs_end(s);
	sk->sk_err = err;
	if (sk->sk_state == TCP_SYN_SENT) {
		sk->sk_state = TCP_CLOSE;
	} else {
		/* It is one that was connected: who reads gets what has arrived, and the error. */
		sock_set_flag(sk, SOCK_DONE);
		WRITE_ONCE(s->vsk->peer_shutdown, SHUTDOWN_MASK);
		vsock_remove_connected(s->vsk);
		pvvs_close_cancel(s->vsk);
	}
	sk_error_report(sk);
}

/**
 * pvvs_connect() - ask a peer for a connection
 * @vsk: the socket, locked, with both addresses
 *
 * Return: 0; -ENODEV where there is no such peer, -EHOSTUNREACH where its driver isn't there,
 * -ESOCKTNOSUPPORT where that doesn't know sockets of this type, -ENOBUFS where it takes nothing of
 * what others tell it, or another negative error.
 */
int pvvs_connect(struct vsock_sock *vsk)
{
	const struct pvvs_transport *t =
		container_of(vsk->transport, struct pvvs_transport, ops);
	struct pvvs_sock *s = pvvs_sock(vsk);
	struct pvvs_link *link;
	int err;

	/* There may have been an attempt before, even one that got so far as to be reset. */
	pvvs_detach(s);
	sock_reset_flag(sk_vsock(vsk), SOCK_DONE);
	WRITE_ONCE(vsk->peer_shutdown, 0);
	WRITE_ONCE(s->updating, false);
	WRITE_ONCE(s->waits, false);
	s->rx_cnt = 0;
	s->fwd_cnt = 0;
	s->told_fwd = 0;
	s->told_alloc = 0;
	s->edge = 0;
	s->tx_cnt = 0;
	s->peer_fwd_cnt = 0;
	s->peer_buf_alloc = 0;
	s->sent_cnt = 0;
	s->tx_packets = 0;
	s->sent_packets = 0;
	s->sent_shutdown = 0;

	link = t->find(sock_net(sk_vsock(vsk)), vsk->remote_addr.svm_cid);
	if (!link)
		return -ENODEV;
	err = READ_ONCE(link->ready) ? 0 : -EHOSTUNREACH;
	if (!err && !(READ_ONCE(link->types) & BIT(pvvs_type(sk_vsock(vsk)))))
		err = -ESOCKTNOSUPPORT;
	if (!err && atomic_read(&link->controls) >= PVVS_CONTROLS_MAX)
		err = -ENOBUFS;
	if (!err) {
		pvvs_attach(s, link);
		err = pvvs_hash(s);
	}
	if (!err)
		err = pvvs_send(s, VIRTIO_VSOCK_OP_REQUEST, 0);
	if (err)
		pvvs_detach(s);
	pvvs_link_put(link);
	return err;
}
EXPORT_SYMBOL_GPL(pvvs_connect);

/**
 * pvvs_cancel() - a connection that hasn't begun, or has ended, isn't waited for any more
 * @vsk: the socket, locked
 *
 * Return: 0.
 */
int pvvs_cancel(struct vsock_sock *vsk)
{
	struct pvvs_sock *s = pvvs_sock(vsk);

	if (!s->link)
		return 0;
	pvvs_unhash(s);
	pvvs_drop_unsent(s);
	/* An answer that comes all the same is reset. */
	pvvs_detach(s);
	return 0;
}
EXPORT_SYMBOL_GPL(pvvs_cancel);

/**
 * pvvs_shutdown() - tell a peer what this side will not do any more
 * @vsk: the socket, locked
 * @mode: RCV_SHUTDOWN and SEND_SHUTDOWN
 *
 * Return: 0 or a negative error.
 */
int pvvs_shutdown(struct vsock_sock *vsk, int mode)
{
	struct pvvs_sock *s = pvvs_sock(vsk);
	int all = s->sent_shutdown | mode, err;

	/* To say it again tells nothing, and costs memory until the peer has read it. */
	if (all == s->sent_shutdown)
		return 0;
	err = pvvs_send(s, VIRTIO_VSOCK_OP_SHUTDOWN,
			(all & RCV_SHUTDOWN ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0) |
			(all & SEND_SHUTDOWN ? VIRTIO_VSOCK_SHUTDOWN_SEND : 0));
	if (!err)
		s->sent_shutdown = all;
	return err;
}
EXPORT_SYMBOL_GPL(pvvs_shutdown);

static void pvvs_close_timeout(struct work_struct *work)
{
	struct vsock_sock *vsk = container_of(work, struct vsock_sock, close_work.work);
	struct sock *sk = sk_vsock(vsk);
	struct pvvs_sock *s;

	lock_sock(sk);
	s = pvvs_sock(vsk);
	vsk->close_work_scheduled = false;
	if (s && s->hashed) {
		/* It said all that there was: a VM that was stopped may still want to hear it. */
		WRITE_ONCE(s->kept, skb_queue_len_lockless(&s->link->queue) < PVVS_KEPT_MAX);
		pvvs_send(s, VIRTIO_VSOCK_OP_RST, 0);
		pvvs_done(s);
	}
	if (s)
		pvvs_forget(s);
	release_sock(sk);
	/* That of pvvs_close_wait(). */
	sock_put(sk);
}

/*
 * SO_LINGER: who closes waits until the peer has all. Nobody is told when a packet leaves, since
 * each would pay for that; who waits looks now and then.
 */
static void pvvs_linger(struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);
	long left = sk->sk_lingertime;

	if (!sock_flag(sk, SOCK_LINGER) || current->flags & PF_EXITING)
		return;
	while (left > 0 && pvvs_sock(vsk)->hashed && pvvs_unsent_bytes(vsk) &&
	       !signal_pending(current)) {
		long nap = min_t(long, left, PVVS_LINGER_STEP);

		release_sock(sk);
		left -= nap - schedule_timeout_interruptible(nap);
		lock_sock(sk);
	}
}

/* Returns true where the socket waits for the peer, and false where all is done. */
static bool pvvs_close_wait(struct vsock_sock *vsk)
{
	struct pvvs_sock *s = pvvs_sock(vsk);
	struct sock *sk = sk_vsock(vsk);

	if (sk->sk_state != TCP_ESTABLISHED && sk->sk_state != TCP_CLOSING) {
		pvvs_cancel(vsk);
		return false;
	}
	/* SOCK_DONE doesn't tell: shutdown() takes it away. */
	if (!s->hashed)
		return false;
	pvvs_shutdown(vsk, SHUTDOWN_MASK);
	pvvs_linger(vsk);
	if (!s->hashed)
		return false;

	sock_hold(sk);
	INIT_DELAYED_WORK(&vsk->close_work, pvvs_close_timeout);
	vsk->close_work_scheduled = true;
	schedule_delayed_work(&vsk->close_work, PVVS_CLOSE_TIMEOUT);
	return true;
}

/**
 * pvvs_release() - close a socket
 * @vsk: the socket, locked
 *
 * Context: may sleep.
 */
void pvvs_release(struct vsock_sock *vsk)
{
	struct sock *sk = sk_vsock(vsk);

	if (pvvs_close_wait(vsk)) {
		/* Nobody reads any more. */
		pvvs_purge(pvvs_sock(vsk));
		return;
	}
	sock_set_flag(sk, SOCK_DONE);
	pvvs_forget(pvvs_sock(vsk));
}
EXPORT_SYMBOL_GPL(pvvs_release);
