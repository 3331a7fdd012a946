// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device: its queues and the memory they share. A new memory table reaches
 * each queue under the queue's mem_lock, so that when it has replaced the old
 * one nobody copies to or from memory that is no longer the guest's.
 */
#include <linux/export.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "dev.h"

/**
 * pvdev_view_alloc() - make a view of a table
 * @table: the table
 *
 * Context: may sleep.
 * Return: the view with one reference, or NULL without memory.
 */
struct pvdev_view *pvdev_view_alloc(struct pvmem_table *table)
{
	struct pvdev_view *view;

	view = kmalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);
	if (!view)
		return NULL;

	refcount_set(&view->ref, 1);
	view->table = pvmem_table_get(table);
	return view;
}

/**
 * pvdev_view_put() - drop a reference to a view
 * @view: from pvdev_vq_pop(), once for each chain; NULL is allowed
 *
 * Context: may sleep.
 */
void pvdev_view_put(struct pvdev_view *view)
{
	if (view)
		pvdev_view_put_many(view, 1);
}
EXPORT_SYMBOL_GPL(pvdev_view_put);

/**
 * pvdev_view_put_many() - drop references to a view
 * @view: from pvdev_vq_pop()
 * @n: how many
 *
 * Context: may sleep.
 */
void pvdev_view_put_many(struct pvdev_view *view, unsigned int n)
{
	if (!refcount_sub_and_test(n, &view->ref))
		return;

	pvmem_table_put(view->table);
	kfree(view);
}
EXPORT_SYMBOL_GPL(pvdev_view_put_many);

/**
 * pvdev_vq_swap_view() - have a queue see its memory by another view
 * @vq: the queue, its mem_lock held
 * @view: the new view; the reference is the queue's. NULL: there is no memory
 *
 * Context: may sleep.
 * Return: the old view, for pvdev_view_put() without the lock.
 */
struct pvdev_view *pvdev_vq_swap_view(struct pvdev_vq *vq,
				      struct pvdev_view *view)
{
	struct pvdev_view *old = vq->view;
	unsigned int i;

	lockdep_assert_held(&vq->mem_lock);

	for (i = 0; i < PVDEV_AREAS; i++)
		pvmem_unmap_area(&vq->map[i]);
	vq->mapped = false;
	WRITE_ONCE(vq->view, view);
	return old;
}

static void pvdev_vq_set_view(struct pvdev_vq *vq, struct pvdev_view *view)
{
	mutex_lock(&vq->mem_lock);
	view = pvdev_vq_swap_view(vq, view);
	mutex_unlock(&vq->mem_lock);

	pvdev_view_put(view);
}

static int pvdev_alloc_views(struct pvdev *dev, struct pvmem_table *table,
			     struct pvdev_view **views)
{
	unsigned int i;

	for (i = 0; i < dev->nvqs; i++) {
		views[i] = pvdev_view_alloc(table);
		if (!views[i])
			goto err_view;
	}
	return 0;

err_view:
	while (i--)
		pvdev_view_put(views[i]);
	return -ENOMEM;
}

static int pvdev_swap_table(struct pvdev *dev, struct pvmem_table *table)
{
	struct pvdev_view **views;
	unsigned int i;
	int err;

	views = kcalloc(dev->nvqs, sizeof(*views), GFP_KERNEL_ACCOUNT);
	if (!views)
		return -ENOMEM;
	err = pvdev_alloc_views(dev, table, views);
	if (err)
		goto out;

	for (i = 0; i < dev->nvqs; i++)
		pvdev_vq_set_view(dev->vqs[i], views[i]);
	swap(dev->table, table);
	WRITE_ONCE(dev->iotlb, dev->table->misses);
	pvmem_table_put(table);
out:
	kfree(views);
	return err;
}

/**
 * pvdev_set_table() - replace a device's memory table
 * @dev: the device
 * @table: a sealed table of the device's kind; on success the caller's
 *	reference is the device's
 *
 * When it returns no queue reads or writes through the old table any more, but for
 * turns of a device that copies: see pvdev_wait_turns(). Pages that chains in flight
 * use stay until these are completed.
 *
 * Context: may sleep; the caller may hold the mmap lock of any mm.
 * Return: 0, or -ENOMEM and nothing has changed.
 */
int pvdev_set_table(struct pvdev *dev, struct pvmem_table *table)
{
	int err;

	mutex_lock(&dev->map_lock);
	err = table->kind == PVMEM_PHYS ?
		pvmem_table_hold_pages(table, dev->table) : 0;
	if (!err)
		err = pvdev_swap_table(dev, table);
	mutex_unlock(&dev->map_lock);

	/* Nobody asks for translations where there is no IOTLB any more. */
	if (!err && !READ_ONCE(dev->iotlb))
		wake_up_interruptible(&dev->miss_wait);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_set_table);

/**
 * pvdev_wait_turns() - wait for turns that may be using memory as it was
 * @dev: the device, the memory of which was changed
 *
 * When it returns nobody reads or writes memory that was taken away, also where
 * turns copy without a lock that the change would wait for.
 *
 * Context: sleeps for as long as a turn takes; neither &pvdev.map_lock nor the
 * mmap lock of the owner is held.
 */
void pvdev_wait_turns(struct pvdev *dev)
{
	unsigned int i;

	if (!dev->copies)
		return;
	for (i = 0; i < dev->nvqs; i++) {
		mutex_lock(&dev->vqs[i]->lock);
		mutex_unlock(&dev->vqs[i]->lock);
	}
}

/**
 * pvdev_set_identity() - let a device see all of the host's memory
 * @dev: a device of kind PVMEM_PHYS whose driver is this very kernel
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int pvdev_set_identity(struct pvdev *dev)
{
	struct pvmem_table *table;
	int err;

	table = pvmem_table_alloc(PVMEM_PHYS, 1);
	if (!table)
		return -ENOMEM;

	err = pvmem_table_add(table, 0, PVMEM_IDENTITY_LAST, 0,
			      PVMEM_READ | PVMEM_WRITE) ?:
	      pvmem_table_seal(table);
	mutex_lock(&dev->map_lock);
	if (!err)
		err = pvdev_swap_table(dev, table);
	mutex_unlock(&dev->map_lock);
	if (err)
		pvmem_table_put(table);
	return err;
}
EXPORT_SYMBOL_GPL(pvdev_set_identity);

/**
 * pvdev_clear_table() - take all memory from a device
 * @dev: the device
 *
 * Context: may sleep; the caller may hold the mmap lock of any mm.
 */
void pvdev_clear_table(struct pvdev *dev)
{
	unsigned int i;

	mutex_lock(&dev->map_lock);
	for (i = 0; i < dev->nvqs; i++)
		pvdev_vq_set_view(dev->vqs[i], NULL);
	pvmem_table_put(dev->table);
	dev->table = NULL;
	WRITE_ONCE(dev->iotlb, false);
	mutex_unlock(&dev->map_lock);
	/* Nobody asks them any more. */
	wake_up_interruptible(&dev->miss_wait);
}
EXPORT_SYMBOL_GPL(pvdev_clear_table);

/**
 * pvdev_worker_start() - make a worker for a device
 * @dev: the device
 * @what: what its name begins with, up to 3 characters
 * @nr: its number among such workers of the device
 * @kind: see pvworker_start()
 *
 * Context: as for pvworker_start().
 * Return: as for pvworker_start().
 */
struct pvworker *pvdev_worker_start(const struct pvdev *dev, const char *what,
				    unsigned int nr, enum pvworker_kind kind)
{
	char name[TASK_COMM_LEN];

	/* The number survives, whatever the device's name. */
	snprintf(name, sizeof(name), "%s%u-%s", what, nr, dev->name);
	return pvworker_start(kind, name);
}
EXPORT_SYMBOL_GPL(pvdev_worker_start);

/**
 * pvdev_may_tell() - is there room for a message about a device
 * @dev: the device
 *
 * Context: any.
 * Return: true if so; that counts as one.
 */
bool pvdev_may_tell(const struct pvdev *dev)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;
	bool may;

	/* The kernel's limit takes two at the same time for one too many. */
	spin_lock_irqsave(&lock, flags);
	may = ___ratelimit(dev->limit, dev->module);
	spin_unlock_irqrestore(&lock, flags);
	return may;
}
EXPORT_SYMBOL_GPL(pvdev_may_tell);

/**
 * pvdev_init() - make a device, without memory
 * @dev: the device, with its name, module, ops, kind, unmapped, nvqs and vqs
 *	filled in and each queue made by pvdev_vq_init()
 */
void pvdev_init(struct pvdev *dev)
{
	mutex_init(&dev->control);
	mutex_init(&dev->map_lock);
	spin_lock_init(&dev->miss_lock);
	init_waitqueue_head(&dev->miss_wait);
	ratelimit_state_init(&dev->own_limit, DEFAULT_RATELIMIT_INTERVAL,
			     DEFAULT_RATELIMIT_BURST);
	/* Nobody is told how many messages were swallowed when it ends. */
	ratelimit_set_flags(&dev->own_limit, RATELIMIT_MSG_ON_RELEASE);
	if (!dev->limit)
		dev->limit = &dev->own_limit;
}
EXPORT_SYMBOL_GPL(pvdev_init);

/**
 * pvdev_destroy() - undo pvdev_init()
 * @dev: the device; each of its queues is reset
 *
 * Context: may sleep.
 */
void pvdev_destroy(struct pvdev *dev)
{
	pvdev_clear_table(dev);

	/* A completion may still be on its way out of pvdev_vq_done(). */
	synchronize_rcu();
}
EXPORT_SYMBOL_GPL(pvdev_destroy);
