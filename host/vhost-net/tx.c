// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames from the driver to the backend. Small ones for a tap are copied and go many at once;
 * others one by one, from the memory of the owner. All is copied before a turn ends, so that no
 * chain is in flight behind it, unless copies are not wished for.
 */
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <net/sock.h>

#include "net_compat.h"
#include "net.h"

/* The chain of a frame is in flight. */
#define PVNET_TX_KEPT	1

/* Has the network frames of a socket's that it will tell of? Where it frees one, a byte is left. */
static bool pvnet_tx_under_way(const struct pvnet_queue *q)
{
	return sk_wmem_alloc_get(q->backend.sock->sk) >= SKB_TRUESIZE(1);
}

/*
 * What is behind a packet socket refuses frames: a queueing discipline that is full, or one that
 * wants none like this. It never says when it takes one again; the end of another of the socket's
 * is the best moment to try. Without any it would be waited for in vain.
 */
static bool pvnet_tx_may_wait(const struct pvnet_queue *q, int err)
{
	return q->backend.kind == PVNET_PACKET && (err == -ENOBUFS || err == -ENOMEM) &&
	       pvnet_tx_under_way(q);
}

/*
 * Returns 0, PVNET_TX_KEPT where the frame's chain is in flight, -EAGAIN where the backend is full,
 * or -ENOBUFS where what is behind it is; a frame that it refuses is lost.
 */
static int pvnet_tx_send(struct pvnet_queue *q, const struct pvring_chain *c)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct tun_msg_ctl ctl = { .type = TUN_MSG_UBUF };
	struct socket *sock = q->backend.sock;
	struct pvnet_sent *s;
	unsigned int n;
	int err;
	u32 len;

	len = pvnet_iov_fill(q, c->seg, c->nout, q->ours ? q->hdr : 0, &n);
	iov_iter_init(&msg.msg_iter, ITER_SOURCE, q->iov, n, len);
	s = pvnet_zcopy_get(q, c, &msg.msg_iter);
	if (unlikely(s)) {
		ctl.ptr = pvnet_zcopy_ubuf(s);
		msg.msg_control = &ctl;
		msg.msg_controllen = sizeof(ctl);
	}
	err = min(sock->ops->sendmsg(sock, &msg, len), 0);
	if (unlikely(s) && pvnet_zcopy_sent(s, err))
		return PVNET_TX_KEPT;
	if (err == -EAGAIN)
		return err;
	if (unlikely(err) && pvnet_tx_may_wait(q, err))
		return -ENOBUFS;
	if (unlikely(err))
		pvstats_add(&q->vq.stats, PVSTATS_IOERR, 1);
	return 0;
}

static int pvnet_tx_frame(struct pvnet_queue *q, const struct pvring_chain *c,
			  bool batches)
{
	int err = -EMSGSIZE;

	if (unlikely(c->nin)) {
		pvdev_vq_break(&q->vq, "a frame to send has a writable descriptor");
		return -EINVAL;
	}
	if (unlikely(c->out_len <= q->hdr)) {
		pvdev_vq_break(&q->vq, "a frame to send is not longer than its header");
		return -EINVAL;
	}
	if (likely(batches))
		err = pvnet_tx_add(q, c);
	if (err == -EMSGSIZE) {
		pvnet_tx_flush(q);
		err = pvnet_tx_send(q, c);
	}
	return err;
}

/* Completes the first @n chains but for those that are in flight. Returns how many these are. */
static unsigned int pvnet_tx_complete(struct pvnet_queue *q, unsigned int n,
				      const unsigned long *kept)
{
	const struct pvring_batch *b = q->vq.batch;
	unsigned int i, in_flight = 0;

	for (i = 0; i < n; i++) {
		if (unlikely(test_bit(i, kept)))
			in_flight++;
		else
			pvring_complete(&q->vq.ring, b->chain[i].head, 0);
	}
	return in_flight;
}

/* Sends what was popped. Returns bytes, or a negative error behind which the rest waits. */
static int pvnet_tx_frames(struct pvnet_queue *q, struct pvdev_view *view)
{
	DECLARE_BITMAP(kept, PVNET_BATCH) = { };
	struct pvdev_vq *vq = &q->vq;
	struct pvring_batch *b = vq->batch;
	bool batches = pvnet_tx_batches(q);
	int bytes = 0, kept_bytes = 0, err = 0;
	u64 popped_at = vq->now;
	unsigned int i, n, in_flight;

	for (i = 0; i < b->n && err >= 0 && bytes < PVNET_TURN_BYTES; i++) {
		err = pvnet_tx_frame(q, &b->chain[i], batches);
		if (likely(err >= 0))
			bytes += b->chain[i].out_len;
		if (unlikely(err == PVNET_TX_KEPT)) {
			kept_bytes += b->chain[i].out_len;
			__set_bit(i, kept);
		}
	}
	n = err < 0 ? i - 1 : i;
	pvnet_tx_flush(q);
	in_flight = pvnet_tx_complete(q, n, kept);
	if (unlikely(n < b->n))
		pvdev_vq_unpop(vq, n, view);
	if (likely(n)) {
		pvdev_vq_popped(vq);
		pvdev_view_put_many(view, n);
	}
	if (likely(n > in_flight)) {
		vq->now = pvstats_clock();
		pvdev_vq_account(vq, n - in_flight, popped_at, 0, bytes - kept_bytes);
	}
	return err < 0 ? err : bytes;
}

/* Is there room again? If not, the backend wakes the queue when there is. */
static bool pvnet_tx_takes_more(struct pvnet_queue *q, int err)
{
	/* Who makes room finds that it is waited for, or did it before; pairs with his barrier. */
	smp_store_mb(q->tx->full, true);
	if (err == -ENOBUFS)
		return !pvnet_tx_under_way(q);
	/* The backend says when it takes frames again, but only to those who asked. */
	return vfs_poll(q->backend.file, NULL) & EPOLLOUT;
}

/**
 * pvnet_tx_turn() - send frames
 * @q: the transmit queue, its lock held
 *
 * Context: worker.
 * Return: true to be called again soon.
 */
bool pvnet_tx_turn(struct pvnet_queue *q)
{
	struct pvdev_vq *vq = &q->vq;
	unsigned int frames = 0;
	int bytes = 0, n = 0, sent = 0;

	lockdep_assert_held(&vq->lock);
	if (unlikely(q->tx->zcopy))
		pvnet_zcopy_reap(q, true);
	if (!q->backend.file)
		return false;
	WRITE_ONCE(q->tx->full, false);
	pvdev_vq_busy(vq);
	while (frames < PVNET_TURN_FRAMES && bytes < PVNET_TURN_BYTES) {
		struct pvdev_view *view;

		n = pvdev_vq_pop(vq, PVNET_BATCH, &view);
		if (n <= 0)
			break;
		frames += n;
		sent = pvnet_tx_frames(q, view);
		pvdev_vq_publish(vq);
		if (unlikely(sent < 0))
			break;
		bytes += sent;
		if (pvdev_vq_took_all(vq, n, PVNET_BATCH)) {
			n = 0;
			break;
		}
	}
	/* A turn that drains publishes what others left. */
	pvdev_vq_publish(vq);

	if (unlikely(sent == -EAGAIN || sent == -ENOBUFS))
		return pvnet_tx_takes_more(q, sent);
	if (vq->broken || pvdev_vq_asks(vq))
		return false;
	return n || pvdev_vq_idle(vq);
}
