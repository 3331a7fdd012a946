// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that were taken from a link because their peers are gone. They are reset one after the
 * other, and soon: whoever ends a link waits for none of them, nor does any of them for another.
 */
#include <linux/workqueue.h>

#include "internal.h"

/* How long after another attempt is made to reset who was busy. */
#define PVVS_RETRY	DIV_ROUND_UP(HZ, 50)

static void pvvs_orphans_run(struct work_struct *work);

static struct workqueue_struct *pvvs_wq;
static DECLARE_DELAYED_WORK(pvvs_orphans_work, pvvs_orphans_run);

/* A socket may have had peers on several links: there is one list, and one lock, for all. */
static DEFINE_SPINLOCK(pvvs_orphan_lock);
static LIST_HEAD(pvvs_orphans);

/**
 * pvvs_orphan_add() - a socket's peer is gone
 * @s: the socket, just taken from its link's hash, whose reference is the list's now
 *
 * Context: the link's lock is held.
 */
void pvvs_orphan_add(struct pvvs_sock *s)
{
	spin_lock(&pvvs_orphan_lock);
	/* Who sees this and goes on to pvvs_orphan_forget() is behind us there. */
	WRITE_ONCE(s->hashed, false);
	s->gone = true;
	if (list_empty(&s->orphan)) {
		refcount_inc(&s->ref);
		list_add_tail(&s->orphan, &pvvs_orphans);
	} else {
		__sock_put(sk_vsock(s->vsk));
	}
	spin_unlock(&pvvs_orphan_lock);
}

/* Returns whether there was something to tell. */
static bool pvvs_orphan_take(struct pvvs_sock *s)
{
	bool gone;

	spin_lock(&pvvs_orphan_lock);
	gone = s->gone;
	s->gone = false;
	spin_unlock(&pvvs_orphan_lock);
	return gone;
}

/**
 * pvvs_orphan_forget() - a socket has left its link, and needs not be told that its peer has
 * @s: the socket, locked, and not in its link's hash any more
 */
void pvvs_orphan_forget(struct pvvs_sock *s)
{
	pvvs_orphan_take(s);
}

/* The first one, with its references, or NULL. */
static struct pvvs_sock *pvvs_orphan_first(void)
{
	struct pvvs_sock *s;

	spin_lock(&pvvs_orphan_lock);
	s = list_first_entry_or_null(&pvvs_orphans, struct pvvs_sock, orphan);
	if (s)
		list_del_init(&s->orphan);
	spin_unlock(&pvvs_orphan_lock);
	return s;
}

static void pvvs_orphan_put(struct pvvs_sock *s)
{
	struct sock *sk = sk_vsock(s->vsk);

	pvvs_sock_put(s);
	sock_put(sk);
}

/* lock_sock(), if nobody has it: he may have it for as long as he likes. */
static bool pvvs_trylock_sock(struct sock *sk)
{
	bool free;

	spin_lock_bh(&sk->sk_lock.slock);
	free = !sock_owned_by_user_nocheck(sk);
	if (free)
		sk->sk_lock.owned = 1;
	spin_unlock_bh(&sk->sk_lock.slock);
	if (free)
		mutex_acquire(&sk->sk_lock.dep_map, 0, 1, _RET_IP_);
	return free;
}

/* Returns false where the socket is busy. */
static bool pvvs_orphan_tell(struct pvvs_sock *s)
{
	struct sock *sk = sk_vsock(s->vsk);

	if (!pvvs_trylock_sock(sk))
		return false;
	if (pvvs_orphan_take(s))
		pvvs_reset(s, ECONNRESET);
	release_sock(sk);
	return true;
}

/* Returns false where it is among them again, for another connection that has ended. */
static bool pvvs_orphan_later(struct pvvs_sock *s, struct list_head *busy)
{
	bool later;

	spin_lock(&pvvs_orphan_lock);
	later = list_empty(&s->orphan);
	if (later)
		list_add_tail(&s->orphan, busy);
	spin_unlock(&pvvs_orphan_lock);
	return later;
}

static void pvvs_orphans_run(struct work_struct *work)
{
	struct pvvs_sock *s;
	LIST_HEAD(busy);

	while ((s = pvvs_orphan_first())) {
		if (pvvs_orphan_tell(s) || !pvvs_orphan_later(s, &busy))
			pvvs_orphan_put(s);
		cond_resched();
	}
	if (list_empty(&busy))
		return;
	spin_lock(&pvvs_orphan_lock);
	list_splice(&busy, &pvvs_orphans);
	spin_unlock(&pvvs_orphan_lock);
	queue_delayed_work(pvvs_wq, &pvvs_orphans_work, PVVS_RETRY);
}

/**
 * pvvs_orphans_tell() - reset those that there are, soon
 *
 * Context: any.
 */
void pvvs_orphans_tell(void)
{
	mod_delayed_work(pvvs_wq, &pvvs_orphans_work, 0);
}

/**
 * pvvs_orphans_init() - make what is needed for them
 *
 * Return: 0 or -ENOMEM.
 */
int pvvs_orphans_init(void)
{
	pvvs_wq = alloc_workqueue("pvio_vsock", WQ_UNBOUND, 0);
	return pvvs_wq ? 0 : -ENOMEM;
}

/**
 * pvvs_orphans_exit() - undo pvvs_orphans_init()
 *
 * Those that are left have gone on to other transports.
 */
void pvvs_orphans_exit(void)
{
	struct pvvs_sock *s;

	cancel_delayed_work_sync(&pvvs_orphans_work);
	while ((s = pvvs_orphan_first()))
		pvvs_orphan_put(s);
	destroy_workqueue(pvvs_wq);
}
