// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device whose memory table is an IOTLB. A queue that meets an address which
 * has no translation asks its owner for one, and stands still until there is; it
 * asks for one at a time, so that there are never more questions than queues.
 *
 * The table is changed in place, with the mem_lock of every queue held that is
 * started: what is under way with the old translations is over then.
 */
#include <linux/export.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "dev.h"

/*
 * The next queue from @i on that looks at memory, nvqs where there is none: those
 * that were not started don't.
 */
static unsigned int pvdev_next_live(const struct pvdev *dev, unsigned int i)
{
	while (i < dev->nvqs && !dev->vqs[i]->live)
		i++;
	return i;
}

#define pvdev_for_each_live(dev, i)					\
	for ((i) = pvdev_next_live(dev, 0); (i) < (dev)->nvqs;		\
	     (i) = pvdev_next_live(dev, (i) + 1))

static void pvdev_lock_memory(struct pvdev *dev)
{
	unsigned int i;

	pvdev_for_each_live(dev, i)
		mutex_lock_nest_lock(&dev->vqs[i]->mem_lock, &dev->map_lock);
}

static void pvdev_unlock_memory(struct pvdev *dev)
{
	unsigned int i;

	pvdev_for_each_live(dev, i)
		mutex_unlock(&dev->vqs[i]->mem_lock);
}

/* Is the answer to what a queue asks that a range has some permissions? */
static bool pvdev_vq_asks_in(const struct pvdev_vq *vq, u64 start, u64 last,
			     u32 perm)
{
	return vq->miss.iova >= start && vq->miss.iova <= last &&
	       !(vq->miss.perm & ~perm);
}

/* Lets the queues go on that a new entry is what they ask for. */
static void pvdev_iotlb_answer(struct pvdev *dev, const struct pvmem_region *r)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++) {
		struct pvdev_vq *vq = dev->vqs[i];
		bool wake;

		spin_lock(&dev->miss_lock);
		wake = vq->asks != PVDEV_ASKS_NOT &&
		       pvdev_vq_asks_in(vq, r->start, r->last, r->perm);
		if (wake)
			WRITE_ONCE(vq->asks, PVDEV_ASKS_NOT);
		spin_unlock(&dev->miss_lock);
		if (wake)
			pvdev_vq_wake(vq);
	}
}

/* Chains that were popped before are told by their view. */
static void pvdev_iotlb_renew(struct pvdev *dev, struct pvdev_view **views)
{
	unsigned int i;

	pvdev_for_each_live(dev, i)
		views[i] = pvdev_vq_swap_view(dev->vqs[i], views[i]);
}

static void pvdev_iotlb_put_views(struct pvdev *dev, struct pvdev_view **views)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++)
		pvdev_view_put(views[i]);
	kfree(views);
}

static struct pvdev_view **pvdev_iotlb_views(struct pvdev *dev)
{
	struct pvdev_view **views;
	unsigned int i;

	views = kcalloc(dev->nvqs, sizeof(*views), GFP_KERNEL_ACCOUNT);
	if (!views)
		return NULL;
	pvdev_for_each_live(dev, i) {
		views[i] = pvdev_view_alloc(dev->table);
		if (!views[i])
			goto err_view;
	}
	return views;

err_view:
	pvdev_iotlb_put_views(dev, views);
	return NULL;
}

/*
 * Takes a range out and puts an entry in; either may be missing. @rest is for
 * what is left behind the range; it is NULL when it was needed.
 */
static int pvdev_iotlb_change(struct pvdev *dev, u64 start, u64 last,
			      struct pvmem_entry *new, struct pvmem_entry **rest)
{
	struct pvmem_table *t = dev->table;
	bool cut = pvmem_iotlb_has_any(t, start, last);
	struct pvdev_view **views = NULL;
	struct pvmem_entry *none = NULL;

	/* Where there is no room for the rest it goes as well, and is asked for. */
	if (t->nregions + !!new >= PVMEM_IOTLB_MAX)
		rest = &none;
	if (cut) {
		views = pvdev_iotlb_views(dev);
		if (!views)
			return -ENOMEM;
	}

	pvdev_lock_memory(dev);
	if (cut) {
		pvmem_iotlb_cut(t, start, last, rest);
		pvdev_iotlb_renew(dev, views);
	}
	if (new)
		pvmem_iotlb_add(t, new);
	pvdev_unlock_memory(dev);

	if (cut)
		pvdev_iotlb_put_views(dev, views);
	return 0;
}

static int pvdev_iotlb_check(const struct pvdev *dev,
			     const struct pvmem_region *r)
{
	lockdep_assert_held(&dev->map_lock);

	if (!dev->table || !dev->table->misses)
		return -EBADFD;
	if (r->last < r->start || !r->perm ||
	    (r->perm & ~(PVMEM_READ | PVMEM_WRITE)))
		return -EINVAL;
	if (r->addr + (r->last - r->start) < r->addr ||
	    !access_ok(u64_to_user_ptr(r->addr), r->last - r->start + 1))
		return -EFAULT;
	return dev->table->nregions >= PVMEM_IOTLB_MAX ? -ENOSPC : 0;
}

/**
 * pvdev_iotlb_update() - map a range, whatever it was mapped to before
 * @dev: a device of kind PVMEM_USER
 * @r: the range
 *
 * Queues that ask for an address in it go on.
 *
 * Context: may sleep; &pvdev.map_lock held.
 * Return: 0; -EBADFD where the device has no IOTLB, -EINVAL for an empty or
 * wrapping range or a bad permission, -EFAULT for addresses that no process
 * has, -ENOSPC where there are too many entries, -ENOMEM. After an error nothing
 * has changed.
 */
int pvdev_iotlb_update(struct pvdev *dev, const struct pvmem_region *r)
{
	struct pvmem_entry *new, *rest;
	int err = pvdev_iotlb_check(dev, r);

	if (err == -ENOSPC && pvmem_iotlb_has(dev->table, r))
		err = 0;
	if (err)
		return err;
	if (pvmem_iotlb_has(dev->table, r)) {
		pvdev_iotlb_answer(dev, r);
		return 0;
	}

	err = -ENOMEM;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	rest = kzalloc(sizeof(*rest), GFP_KERNEL_ACCOUNT);
	if (!new || !rest)
		goto err_entry;
	new->region = *r;
	err = pvdev_iotlb_change(dev, r->start, r->last, new, &rest);
	if (err)
		goto err_entry;

	kfree(rest);
	pvdev_iotlb_answer(dev, r);
	return 0;

err_entry:
	kfree(new);
	kfree(rest);
	return err;
}

/**
 * pvdev_iotlb_invalidate() - unmap a range
 * @dev: a device of kind PVMEM_USER
 * @start: the range's first I/O virtual address
 * @last: its last, inclusive
 *
 * When it returns no queue reads or writes there through what was mapped.
 * Requests whose pages were pinned before go on.
 *
 * Context: may sleep; &pvdev.map_lock held.
 * Return: 0; -EBADFD where the device has no IOTLB, -EINVAL for an empty or
 * wrapping range, -ENOMEM; after an error nothing has changed.
 */
int pvdev_iotlb_invalidate(struct pvdev *dev, u64 start, u64 last)
{
	struct pvmem_entry *rest;
	int err;

	lockdep_assert_held(&dev->map_lock);

	if (!dev->table || !dev->table->misses)
		return -EBADFD;
	if (last < start)
		return -EINVAL;
	rest = kzalloc(sizeof(*rest), GFP_KERNEL_ACCOUNT);
	if (!rest)
		return -ENOMEM;
	err = pvdev_iotlb_change(dev, start, last, NULL, &rest);
	kfree(rest);
	return err;
}

/**
 * pvdev_iotlb_refuse() - there will be no translation
 * @dev: the device
 * @start: first I/O virtual address of a range
 * @last: its last, inclusive
 * @perm: PVMEM_READ and PVMEM_WRITE: what is not allowed there
 *
 * Queues that ask for it break.
 *
 * Context: may sleep; &pvdev.map_lock held.
 * Return: 0; -EBADFD where the device has no IOTLB, -EINVAL for an empty or
 * wrapping range, -ENOENT where no queue asks for that.
 */
int pvdev_iotlb_refuse(struct pvdev *dev, u64 start, u64 last, u32 perm)
{
	int err = -ENOENT;
	unsigned int i;

	lockdep_assert_held(&dev->map_lock);

	if (!dev->table || !dev->table->misses)
		return -EBADFD;
	if (last < start)
		return -EINVAL;
	for (i = 0; i < dev->nvqs; i++) {
		struct pvdev_vq *vq = dev->vqs[i];
		bool refused;

		spin_lock(&dev->miss_lock);
		refused = vq->asks != PVDEV_ASKS_NOT &&
			  vq->miss.iova >= start && vq->miss.iova <= last &&
			  (vq->miss.perm & perm);
		if (refused)
			WRITE_ONCE(vq->asks, PVDEV_REFUSED);
		spin_unlock(&dev->miss_lock);
		if (refused) {
			pvdev_vq_wake(vq);
			err = 0;
		}
	}
	return err;
}

/**
 * pvdev_iotlb_next() - take the next question
 * @dev: the device
 * @miss: the question
 *
 * Queues that ask the same are content with one answer.
 *
 * Context: any.
 * Return: false where there is none.
 */
bool pvdev_iotlb_next(struct pvdev *dev, struct pvring_miss *miss)
{
	unsigned int first, i;
	bool found = false;

	spin_lock(&dev->miss_lock);
	first = dev->miss_next;
	for (i = 0; i < dev->nvqs; i++) {
		/* A queue that asks all the time is not the only one. */
		unsigned int n = (first + i) % dev->nvqs;
		struct pvdev_vq *vq = dev->vqs[n];

		if (vq->asks != PVDEV_ASKS ||
		    (found && (vq->miss.iova != miss->iova ||
			       vq->miss.perm != miss->perm)))
			continue;
		if (!found)
			dev->miss_next = n + 1;
		*miss = vq->miss;
		WRITE_ONCE(vq->asks, PVDEV_ASKED);
		found = true;
	}
	spin_unlock(&dev->miss_lock);
	return found;
}

/**
 * pvdev_iotlb_again() - put a question back that could not be handed over
 * @dev: the device
 * @miss: the question
 *
 * Context: any.
 */
void pvdev_iotlb_again(struct pvdev *dev, const struct pvring_miss *miss)
{
	unsigned int i;

	spin_lock(&dev->miss_lock);
	for (i = 0; i < dev->nvqs; i++) {
		struct pvdev_vq *vq = dev->vqs[i];

		if (vq->asks == PVDEV_ASKED && vq->miss.iova == miss->iova &&
		    vq->miss.perm == miss->perm)
			WRITE_ONCE(vq->asks, PVDEV_ASKS);
	}
	spin_unlock(&dev->miss_lock);
	wake_up_interruptible_poll(&dev->miss_wait, EPOLLIN | EPOLLRDNORM);
}

/**
 * pvdev_iotlb_asks() - is there a question that nobody has read
 * @dev: the device
 *
 * Context: any.
 * Return: true if so.
 */
bool pvdev_iotlb_asks(const struct pvdev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++)
		if (READ_ONCE(dev->vqs[i]->asks) == PVDEV_ASKS)
			return true;
	return false;
}

/* Has the owner read the same question of another queue? */
static bool pvdev_iotlb_was_asked(const struct pvdev *dev,
				  const struct pvring_miss *miss)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++) {
		const struct pvdev_vq *vq = dev->vqs[i];

		if (vq->asks == PVDEV_ASKED && vq->miss.iova == miss->iova &&
		    vq->miss.perm == miss->perm)
			return true;
	}
	return false;
}

/**
 * pvdev_vq_ask() - ask for what a queue has found to be missing
 * @vq: the queue, &pvring.miss of its ring set; its mem_lock is held since it
 *	was found, so that an answer can't have come in between
 *
 * Context: worker.
 */
void pvdev_vq_ask(struct pvdev_vq *vq)
{
	struct pvdev *dev = vq->dev;
	bool tell = false;

	lockdep_assert_held(&vq->mem_lock);

	spin_lock(&dev->miss_lock);
	if (vq->asks == PVDEV_ASKS_NOT && vq->ring.miss.perm) {
		bool asked = pvdev_iotlb_was_asked(dev, &vq->ring.miss);

		vq->miss = vq->ring.miss;
		WRITE_ONCE(vq->asks, asked ? PVDEV_ASKED : PVDEV_ASKS);
		tell = !asked;
	}
	spin_unlock(&dev->miss_lock);
	if (tell)
		wake_up_interruptible_poll(&dev->miss_wait,
					   EPOLLIN | EPOLLRDNORM);
}

/**
 * pvdev_vq_ask_no_more() - forget what a queue asks for
 * @vq: the queue: it is broken, or stopped
 *
 * Context: any.
 */
void pvdev_vq_ask_no_more(struct pvdev_vq *vq)
{
	spin_lock(&vq->dev->miss_lock);
	WRITE_ONCE(vq->asks, PVDEV_ASKS_NOT);
	spin_unlock(&vq->dev->miss_lock);
}
