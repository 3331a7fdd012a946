// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames that a tap sends out of the owner's memory without a copy. Their pages are pinned by the
 * skb, whatever becomes of the memory's mapping, and a chain is in flight until the last part of
 * the network has let go of them. A tap that copies nevertheless says so, and is then left alone.
 *
 * It is for taps alone, and for frames that a tap will surely take this way: where a macvtap's
 * interface has gone, or a tap's XDP program takes a copy, the frame is freed and nobody told.
 *
 * The end of a queue waits for its frames, because memory in which the guest writes something else
 * would be sent. Of a guest that is gone with its VMM nobody does: its frames are left behind, and
 * what is known of them here stays until the last one is freed.
 */
#include <linux/if_tun.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "net_compat.h"
#include "net.h"

/* Frames of a queue on their way; a quarter of a small ring, so that others go past them. */
#define PVNET_ZCOPY_MAX		128

/* Of so many frames, how many may be copied after all before it isn't worth the effort. */
#define PVNET_ZCOPY_LOOK	1024
#define PVNET_ZCOPY_COPIED	(PVNET_ZCOPY_LOOK / 64)

/**
 * enum pvnet_sent_end - who has to do with the end of a frame
 * @PVNET_SENT_KEPT: the queue will
 * @PVNET_SENT_ENDED: it has ended: the queue has
 * @PVNET_SENT_LEFT: the queue has forgotten it
 */
enum pvnet_sent_end {
	PVNET_SENT_KEPT,
	PVNET_SENT_ENDED,
	PVNET_SENT_LEFT,
};

/**
 * struct pvnet_sent - a frame on its way
 * @ubuf: the network's; one of its references is the sender's, until he knows what became of it
 * @z: what it is of
 * @done: in &pvdev_vq.done, behind its last reference
 * @next: the next one that is free
 * @head: its chain
 * @len: bytes of that
 * @popped_at: &pvdev_vq.now after its pop; 0: this one is free
 * @told: the network gave its reference back
 * @copied: not from the owner's memory
 * @end: &enum pvnet_sent_end
 */
struct pvnet_sent {
	struct ubuf_info ubuf;
	struct pvnet_zcopy *z;
	struct llist_node done;
	struct pvnet_sent *next;
	u16 head;
	u32 len;
	u64 popped_at;
	bool told;
	bool copied;
	unsigned int end;
};

/**
 * struct pvnet_zcopy - what a queue has on its way
 * @rcu: for its end
 * @ref: one of the queue's, one of each frame that it left behind
 * @q: the queue; frames that it left behind don't look at it
 * @free: those that can be used
 * @kept: those that can't
 * @sent: frames since the last look
 * @copied: of these
 * @off: so many of them that none is sent this way until the next start
 * @slot: all there are
 */
struct pvnet_zcopy {
	struct rcu_head rcu;
	refcount_t ref;
	struct pvnet_queue *q;
	struct pvnet_sent *free;
	unsigned int kept;
	unsigned int sent;
	unsigned int copied;
	bool off;
	struct pvnet_sent slot[PVNET_ZCOPY_MAX];
};

static bool zcopytx;
module_param(zcopytx, bool, 0644);
MODULE_PARM_DESC(zcopytx, "taps send frames larger than a page without a copy, from a queue's start on");

/* Queues did this since the module was loaded. */
static bool pvnet_zcopy_used;

/**
 * pvnet_zcopy_put() - drop a reference to what a queue has on its way
 * @z: that
 *
 * Context: any.
 */
void pvnet_zcopy_put(struct pvnet_zcopy *z)
{
	if (refcount_dec_and_test(&z->ref))
		kvfree_rcu(z, rcu);
}

static void pvnet_sent_free(struct pvnet_sent *s)
{
	struct pvnet_zcopy *z = s->z;

	s->popped_at = 0;
	s->next = z->free;
	z->free = s;
	z->kept--;
}

/* Any context. With the last reference the frame is the queue's again. */
static void pvnet_sent_told(struct sk_buff *skb, struct ubuf_info *ubuf, bool success)
{
	struct pvnet_sent *s = container_of(ubuf, struct pvnet_sent, ubuf);

	if (!success)
		WRITE_ONCE(s->copied, true);
	WRITE_ONCE(s->told, true);
	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	if (likely(xchg(&s->end, PVNET_SENT_ENDED) == PVNET_SENT_KEPT)) {
		pvdev_vq_done(&s->z->q->vq, &s->done);
	} else {
		pvnet_zcopy_put(s->z);
		/* pvnet_zcopy_exit() waits for the rest of this. */
		module_put(THIS_MODULE);
	}
}

PVUBUF_OPS(pvnet_sent_ops, pvnet_sent_told);

/**
 * pvnet_zcopy_make() - let a queue send without copies, if that is wished for
 * @q: the transmit queue, which is being started
 *
 * Return: 0 or -ENOMEM.
 */
int pvnet_zcopy_make(struct pvnet_queue *q)
{
	struct pvnet_zcopy *z;
	unsigned int i;

	if (!READ_ONCE(zcopytx))
		return 0;
	z = kvzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	WRITE_ONCE(pvnet_zcopy_used, true);
	q->tx->zcopy = z;
	refcount_set(&z->ref, 1);
	z->q = q;
	z->kept = PVNET_ZCOPY_MAX;
	for (i = 0; i < PVNET_ZCOPY_MAX; i++) {
		z->slot[i].z = z;
		pvnet_sent_free(&z->slot[i]);
	}
	return 0;
}

/* Will a tap take pages of these, whatever it copies before them? */
static bool pvnet_zcopy_suits(const struct pvnet_queue *q, const struct iov_iter *from)
{
	struct iov_iter i = *from;

	iov_iter_advance(&i, q->ours ? 0 : q->hdr);
	return iov_iter_npages(&i, MAX_SKB_FRAGS + 1) <= MAX_SKB_FRAGS;
}

/**
 * pvnet_zcopy_get() - prepare to send a frame without a copy
 * @q: the transmit queue, its lock held
 * @c: the frame
 * @from: the same, as the backend is given it
 *
 * Context: worker.
 * Return: what pvnet_zcopy_sent() takes; NULL where the frame is to be copied.
 */
struct pvnet_sent *pvnet_zcopy_get(struct pvnet_queue *q, const struct pvring_chain *c,
				   const struct iov_iter *from)
{
	struct pvnet_zcopy *z = q->tx->zcopy;
	struct pvnet_sent *s;

	lockdep_assert_held(&q->vq.lock);
	if (likely(!z) || z->off || c->out_len <= PAGE_SIZE || q->backend.kind != PVNET_TAP ||
	    z->kept >= min(PVNET_ZCOPY_MAX, q->vq.ring.num / 4) ||
	    !sock_flag(q->backend.sock->sk, SOCK_ZEROCOPY) || !pvnet_zcopy_suits(q, from))
		return NULL;
	s = z->free;
	z->free = s->next;
	z->kept++;
	s->head = c->head;
	s->len = c->out_len;
	s->popped_at = max(q->vq.now, 1ULL);
	s->told = false;
	s->copied = false;
	s->end = PVNET_SENT_KEPT;
	pvubuf_init(&s->ubuf, &pvnet_sent_ops);
	/* One for the network, one for us. */
	refcount_set(&s->ubuf.refcnt, 2);
	return s;
}

/**
 * pvnet_zcopy_ubuf() - what a backend is told about a frame that isn't to be copied
 * @s: from pvnet_zcopy_get()
 *
 * Return: that, for &tun_msg_ctl.ptr.
 */
void *pvnet_zcopy_ubuf(struct pvnet_sent *s)
{
	return &s->ubuf;
}

static void pvnet_zcopy_look(struct pvnet_zcopy *z)
{
	if (z->sent < PVNET_ZCOPY_LOOK)
		return;
	z->off = z->copied > PVNET_ZCOPY_COPIED;
	z->sent = 0;
	z->copied = 0;
}

/**
 * pvnet_zcopy_sent() - a frame was sent, or refused
 * @s: from pvnet_zcopy_get()
 * @err: 0, or what the backend said; it has freed its skb then if there was one, and given its
 *	reference back if it ever took it
 *
 * Context: worker, the queue's lock held.
 * Return: true where the chain is in flight; false where it is the caller's again.
 */
bool pvnet_zcopy_sent(struct pvnet_sent *s, int err)
{
	struct pvnet_zcopy *z = s->z;
	int refs = err && !READ_ONCE(s->told) ? 2 : 1;

	lockdep_assert_held(&z->q->vq.lock);
	if (!refcount_sub_and_test(refs, &s->ubuf.refcnt)) {
		z->sent++;
		return true;
	}
	/* It has gone by now, which a copy can alone. */
	if (!err) {
		z->sent++;
		z->copied++;
		pvnet_zcopy_look(z);
	}
	pvnet_sent_free(s);
	return false;
}

/**
 * pvnet_zcopy_reap() - complete frames that have gone
 * @q: the transmit queue, its lock held
 * @publish: show them to the driver; otherwise it doesn't ask any more
 *
 * Context: as for &pvdev_ops.reap.
 */
void pvnet_zcopy_reap(struct pvnet_queue *q, bool publish)
{
	struct llist_node *node = llist_del_all(&q->vq.done);
	struct pvnet_zcopy *z = q->tx->zcopy;
	struct pvnet_sent *s, *next;

	lockdep_assert_held(&q->vq.lock);
	if (!node)
		return;
	q->vq.now = pvstats_clock();
	llist_for_each_entry_safe(s, next, llist_reverse_order(node), done) {
		z->copied += s->copied;
		if (publish) {
			pvdev_vq_account(&q->vq, 1, s->popped_at, 0, s->len);
			pvring_complete(&q->vq.ring, s->head, 0);
		} else {
			pvring_forget(&q->vq.ring, s->head);
		}
		pvnet_sent_free(s);
	}
	pvnet_zcopy_look(z);
}

/* Returns false where the frame has just ended: the queue is being told. */
static bool pvnet_sent_leave(struct pvnet_sent *s)
{
	struct pvnet_zcopy *z = s->z;

	/* The frame's, if it is left: its end may be behind the next line. */
	refcount_inc(&z->ref);
	__module_get(THIS_MODULE);
	if (likely(xchg(&s->end, PVNET_SENT_LEFT) == PVNET_SENT_KEPT))
		return true;
	module_put(THIS_MODULE);
	refcount_dec(&z->ref);
	return false;
}

/**
 * pvnet_zcopy_abandon() - forget frames that are on their way
 * @q: the transmit queue, its lock held, with zero copy; it is being stopped
 *
 * Those that have ended meanwhile are in flight until pvnet_zcopy_reap().
 *
 * Context: may sleep.
 */
void pvnet_zcopy_abandon(struct pvnet_queue *q)
{
	struct pvnet_zcopy *z = q->tx->zcopy;
	unsigned int i;

	lockdep_assert_held(&q->vq.lock);
	for (i = 0; i < PVNET_ZCOPY_MAX; i++) {
		struct pvnet_sent *s = &z->slot[i];

		if (!s->popped_at || !pvnet_sent_leave(s))
			continue;
		s->popped_at = 0;
		pvring_forget(&q->vq.ring, s->head);
	}
}

/**
 * pvnet_zcopy_exit() - wait until nobody is in this module who was told of the end of a frame
 *
 * Context: the module is being unloaded; sleeps.
 */
void pvnet_zcopy_exit(void)
{
	if (!READ_ONCE(pvnet_zcopy_used))
		return;
	/* Those who can be preempted, and those who can't. */
	synchronize_rcu_tasks();
	synchronize_rcu();
}

/**
 * pvnet_zcopy_oldest() - when was what is on its way longest popped
 * @q: the transmit queue, its lock held
 *
 * Return: &pvdev_vq.now of then; of now, where nothing is on its way.
 */
u64 pvnet_zcopy_oldest(const struct pvnet_queue *q)
{
	const struct pvnet_zcopy *z = q->tx->zcopy;
	u64 oldest = q->vq.now;
	unsigned int i;

	lockdep_assert_held(&q->vq.lock);
	for (i = 0; z && i < PVNET_ZCOPY_MAX; i++)
		if (z->slot[i].popped_at)
			oldest = min(oldest, z->slot[i].popped_at);
	return oldest;
}
