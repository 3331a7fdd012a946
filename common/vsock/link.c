// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: a queue of packets to the peers, and the sockets that are connected to these, found by
 * their addresses. A link that is closed resets all of them; sockets may outlive it.
 */
#include <linux/jhash.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "internal.h"

/**
 * pvvs_link_alloc() - make a link that is closed
 * @t: whose it is
 * @net: where its peers are; has to be there for as long as the link is open
 * @wake: told of packets, with &pvvs_link.lock held
 * @owner: for that
 *
 * Context: may sleep.
 * Return: the link, to be put by pvvs_link_put(), or NULL.
 */
struct pvvs_link *pvvs_link_alloc(struct pvvs_transport *t, struct net *net,
				  void (*wake)(struct pvvs_link *link), void *owner)
{
	struct pvvs_link *link = kzalloc(sizeof(*link), GFP_KERNEL_ACCOUNT);

	if (!link)
		return NULL;
	refcount_set(&link->ref, 1);
	link->t = t;
	link->net = net;
	link->wake = wake;
	link->owner = owner;
	link->seed = get_random_u32();
	spin_lock_init(&link->lock);
	__skb_queue_head_init(&link->queue);
	pvvs_pool_init(&link->out);
	pvvs_pool_init(&link->in);
	return link;
}
EXPORT_SYMBOL_GPL(pvvs_link_alloc);

/**
 * pvvs_link_put() - drop a reference
 * @link: the link, closed if it is the last one
 *
 * Context: any.
 */
void pvvs_link_put(struct pvvs_link *link)
{
	if (refcount_dec_and_test(&link->ref))
		kfree(link);
}
EXPORT_SYMBOL_GPL(pvvs_link_put);

/**
 * pvvs_link_open() - let sockets use a link
 * @link: the link
 */
void pvvs_link_open(struct pvvs_link *link)
{
	spin_lock(&link->lock);
	WRITE_ONCE(link->open, true);
	spin_unlock(&link->lock);
}
EXPORT_SYMBOL_GPL(pvvs_link_open);

/**
 * pvvs_link_set_ready() - say whether the driver is there
 * @link: the link
 * @ready: it is, for all that is known
 * @types: of sockets: a bit for each &enum virtio_vsock_type; of no matter where it isn't
 */
void pvvs_link_set_ready(struct pvvs_link *link, bool ready, u16 types)
{
	spin_lock(&link->lock);
	WRITE_ONCE(link->ready, ready && link->open);
	WRITE_ONCE(link->types, types);
	spin_unlock(&link->lock);
}
EXPORT_SYMBOL_GPL(pvvs_link_set_ready);

/* Has no packet find the sockets of a bucket any more that were there before the link's epoch. */
static void pvvs_link_orphan(struct pvvs_link *link, struct hlist_head *bucket)
{
	struct hlist_node *next;
	struct pvvs_sock *s;

	hlist_for_each_entry_safe(s, next, bucket, node)
		if (s->epoch != link->epoch) {
			hlist_del(&s->node);
			pvvs_orphan_add(s);
		}
}

/**
 * pvvs_link_reset() - end all connections of a link: their peers are no more
 * @link: the link
 *
 * What there was for these is dropped; new ones may be made. Who had one is told soon, and not
 * waited for.
 *
 * Context: process.
 */
void pvvs_link_reset(struct pvvs_link *link)
{
	struct sk_buff *skb, *next;
	struct sk_buff_head old;
	unsigned int i;

	__skb_queue_head_init(&old);
	spin_lock(&link->lock);
	link->epoch++;
	spin_unlock(&link->lock);
	for (i = 0; i < ARRAY_SIZE(link->hash); i++) {
		spin_lock(&link->lock);
		pvvs_link_orphan(link, &link->hash[i]);
		spin_unlock(&link->lock);
	}
	spin_lock(&link->lock);
	skb_queue_walk_safe(&link->queue, skb, next)
		if (!pvvs_cb(skb)->s || !pvvs_cb(skb)->s->hashed) {
			__skb_unlink(skb, &link->queue);
			__skb_queue_tail(&old, skb);
		}
	spin_unlock(&link->lock);
	pvvs_link_drop(link, &old);
	pvvs_orphans_tell();
}
EXPORT_SYMBOL_GPL(pvvs_link_reset);

/**
 * pvvs_link_close() - let nobody use a link any more, and reset who does
 * @link: the link
 *
 * Afterwards &pvvs_link.wake isn't called.
 *
 * Context: may sleep.
 */
void pvvs_link_close(struct pvvs_link *link)
{
	spin_lock(&link->lock);
	WRITE_ONCE(link->open, false);
	link->ready = false;
	spin_unlock(&link->lock);
	pvvs_link_reset(link);
	pvvs_pool_close(&link->out);
	pvvs_pool_close(&link->in);
}
EXPORT_SYMBOL_GPL(pvvs_link_close);

/**
 * pvvs_link_take() - take all packets to the peers
 * @link: the link
 * @list: gets them behind its own
 *
 * Return: true if there are some in @list.
 */
bool pvvs_link_take(struct pvvs_link *link, struct sk_buff_head *list)
{
	/* Who queues one wakes: what is missed here is found in the turn that follows. */
	if (!skb_queue_empty_lockless(&link->queue)) {
		spin_lock(&link->lock);
		skb_queue_splice_tail_init(&link->queue, list);
		spin_unlock(&link->lock);
	}
	return !skb_queue_empty(list);
}
EXPORT_SYMBOL_GPL(pvvs_link_take);

/* Of a connection that has ended only the end is of interest, unless its user may differ. */
static bool pvvs_is_stale(const struct sk_buff *skb)
{
	const struct pvvs_cb *cb = pvvs_cb(skb);

	return cb->s && !READ_ONCE(cb->s->hashed) && !READ_ONCE(cb->s->kept) &&
	       cb->op != VIRTIO_VSOCK_OP_RST;
}

/* Drops what is stale. */
static void pvvs_link_sift(struct pvvs_link *link, struct sk_buff_head *list)
{
	struct sk_buff *skb, *next;

	WRITE_ONCE(link->stale, false);
	skb_queue_walk_safe(list, skb, next)
		if (pvvs_is_stale(skb)) {
			__skb_unlink(skb, list);
			pvvs_link_done(link, skb);
		}
}

/**
 * pvvs_link_return() - give back packets that the peer has no room for
 * @link: the link
 * @list: they, in order; empty afterwards
 */
void pvvs_link_return(struct pvvs_link *link, struct sk_buff_head *list)
{
	bool open;

	if (unlikely(READ_ONCE(link->stale)))
		pvvs_link_sift(link, list);
	if (skb_queue_empty(list))
		return;
	spin_lock(&link->lock);
	open = link->open;
	if (open)
		skb_queue_splice_init(list, &link->queue);
	spin_unlock(&link->lock);
	if (!open)
		pvvs_link_drop(link, list);
}
EXPORT_SYMBOL_GPL(pvvs_link_return);

/* Counts a packet that a peer can't make more of than there may be. */
static void pvvs_count(struct pvvs_link *link, const struct sk_buff *skb, int n)
{
	if (pvvs_cb(skb)->reply)
		atomic_add(n, &link->replies);
	else if (!skb->len)
		atomic_add(n, &link->controls);
}

/**
 * pvvs_link_drop() - free packets that no peer gets
 * @link: the link
 * @list: they; empty afterwards
 */
void pvvs_link_drop(struct pvvs_link *link, struct sk_buff_head *list)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list)))
		pvvs_link_done(link, skb);
}
EXPORT_SYMBOL_GPL(pvvs_link_drop);

/**
 * pvvs_link_done() - free a packet that was on its way
 * @link: the link
 * @skb: the packet; the peer has it, or never gets it
 */
void pvvs_link_done(struct pvvs_link *link, struct sk_buff *skb)
{
	pvvs_count(link, skb, -1);
	consume_skb(skb);
}
EXPORT_SYMBOL_GPL(pvvs_link_done);

/**
 * pvvs_queue() - queue a packet for a peer
 * @link: the link
 * @skb: the packet; it is gone in any case
 *
 * Return: 0, or -ENODEV where the link is closed, or the connection has ended.
 */
int pvvs_queue(struct pvvs_link *link, struct sk_buff *skb)
{
	pvvs_count(link, skb, 1);
	spin_lock(&link->lock);
	/* What a socket sends that was just taken from the link is nobody's. */
	if (unlikely(!link->open || (pvvs_cb(skb)->s && !pvvs_cb(skb)->s->hashed))) {
		spin_unlock(&link->lock);
		pvvs_link_done(link, skb);
		return -ENODEV;
	}
	__skb_queue_tail(&link->queue, skb);
	/* Behind another one it is seen, or waits for the peer together with that. */
	if (skb_queue_is_first(&link->queue, skb))
		link->wake(link);
	spin_unlock(&link->lock);
	return 0;
}

static struct hlist_head *pvvs_bucket(struct pvvs_link *link, const struct pvvs_addr *a)
{
	u32 hash = jhash_3words(a->local_port, a->remote_port, a->remote_cid, link->seed);

	return &link->hash[hash >> (32 - PVVS_HASH_BITS)];
}

static struct pvvs_sock *pvvs_find(struct pvvs_link *link, const struct pvvs_addr *a)
{
	struct pvvs_sock *s;

	lockdep_assert_held(&link->lock);
	hlist_for_each_entry(s, pvvs_bucket(link, a), node)
		if (s->addr.remote_port == a->remote_port &&
		    s->addr.local_port == a->local_port &&
		    s->addr.remote_cid == a->remote_cid)
			return s;
	return NULL;
}

/**
 * pvvs_lookup() - find the socket of a connection
 * @link: where packets of it come from
 * @addr: its addresses
 *
 * Return: the socket and its part, both with a reference, or NULL.
 */
struct pvvs_sock *pvvs_lookup(struct pvvs_link *link, const struct pvvs_addr *addr)
{
	struct pvvs_sock *s;

	spin_lock(&link->lock);
	s = pvvs_find(link, addr);
	if (likely(s)) {
		sock_hold(sk_vsock(s->vsk));
		refcount_inc(&s->ref);
	}
	spin_unlock(&link->lock);
	return s;
}

/**
 * pvvs_attach() - give a socket a link
 * @s: the socket, locked; it has none
 * @link: the link
 */
void pvvs_attach(struct pvvs_sock *s, struct pvvs_link *link)
{
	refcount_inc(&link->ref);
	s->link = link;
}

/**
 * pvvs_detach() - take a socket's link from it
 * @s: the socket, locked; it may have none. Nothing that has arrived is left
 */
void pvvs_detach(struct pvvs_sock *s)
{
	if (!s->link)
		return;
	pvvs_unhash(s);
	pvvs_orphan_forget(s);
	pvvs_purge(s);
	pvvs_link_put(s->link);
	s->link = NULL;
}

/**
 * pvvs_hash() - let packets of its link find a socket
 * @s: the socket, locked, with both addresses
 *
 * Return: 0; -EADDRINUSE where another one has them, -ENODEV where the link is closed.
 */
int pvvs_hash(struct pvvs_sock *s)
{
	const struct pvvs_addr addr = {
		.local_port = s->vsk->local_addr.svm_port,
		.remote_port = s->vsk->remote_addr.svm_port,
		.remote_cid = s->vsk->remote_addr.svm_cid,
	};
	struct pvvs_link *link = s->link;
	int err = 0;

	spin_lock(&link->lock);
	if (!link->open) {
		err = -ENODEV;
	} else if (pvvs_find(link, &addr)) {
		err = -EADDRINUSE;
	} else {
		sock_hold(sk_vsock(s->vsk));
		s->addr = addr;
		s->epoch = link->epoch;
		hlist_add_head(&s->node, pvvs_bucket(link, &addr));
		WRITE_ONCE(s->hashed, true);
	}
	spin_unlock(&link->lock);
	return err;
}

/**
 * pvvs_unhash() - let no packet find a socket
 * @s: the socket, locked, and held by the caller; it need not be there
 */
void pvvs_unhash(struct pvvs_sock *s)
{
	struct pvvs_link *link = s->link;
	bool was;

	if (!s->hashed)
		return;
	spin_lock(&link->lock);
	/* pvvs_link_reset() doesn't lock the socket. */
	was = s->hashed;
	if (was) {
		hlist_del(&s->node);
		WRITE_ONCE(s->hashed, false);
	}
	spin_unlock(&link->lock);
	if (was)
		sock_put(sk_vsock(s->vsk));
}

/**
 * pvvs_drop_unsent() - drop what is on its way to the peer, since the connection has ended
 * @s: the socket, locked, and not found by packets any more
 */
void pvvs_drop_unsent(struct pvvs_sock *s)
{
	struct pvvs_link *link = s->link;
	struct sk_buff *skb, *next;
	struct sk_buff_head old;

	__skb_queue_head_init(&old);
	spin_lock(&link->lock);
	skb_queue_walk_safe(&link->queue, skb, next)
		if (pvvs_cb(skb)->s == s && pvvs_is_stale(skb)) {
			__skb_unlink(skb, &link->queue);
			__skb_queue_tail(&old, skb);
		}
	/* The others are with who hands them to the peer, and may come back. */
	WRITE_ONCE(link->stale, true);
	spin_unlock(&link->lock);
	pvvs_link_drop(link, &old);
}
