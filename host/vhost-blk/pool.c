// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads for what would block: a few for each device, of the same process as
 * the workers of its queues. Idle ones sleep; work waits for whoever is first.
 */
#include <linux/slab.h>

#include "file.h"
#include "zone.h"

#define PVBLK_PULLERS	8

/**
 * struct pvblk_puller - one thread of a pool
 * @work: what it runs: a piece of the pool's work each time
 * @pool: the pool
 * @w: the thread
 * @idle: it was not woken; under &pvblk_pool.lock
 */
struct pvblk_puller {
	struct pvwork work;
	struct pvblk_pool *pool;
	struct pvworker *w;
	bool idle;
};

/**
 * struct pvblk_pool - threads for what would block
 * @lock: protects the rest; taken in interrupts
 * @todo: parts of requests
 * @dead: the threads went with their process
 * @puller: the threads
 */
struct pvblk_pool {
	spinlock_t lock;
	struct list_head todo;
	bool dead;
	struct pvblk_puller puller[PVBLK_PULLERS];
};

static bool pvblk_pool_turn(struct pvwork *work)
{
	struct pvblk_puller *p = container_of(work, struct pvblk_puller, work);
	struct pvblk_pool *pool = p->pool;
	struct pvblk_part *part;

	spin_lock_irq(&pool->lock);
	part = list_first_entry_or_null(&pool->todo, struct pvblk_part, todo);
	if (part)
		list_del(&part->todo);
	else
		p->idle = true;
	spin_unlock_irq(&pool->lock);

	if (part && part->bio.bi_bdev)
		pvblk_zone_do(part);
	else if (part)
		pvblk_file_do(part);
	return part;
}

/* Nobody is left to do it. */
static void pvblk_pool_gone(struct pvwork *work)
{
	struct pvblk_puller *p = container_of(work, struct pvblk_puller, work);
	struct pvblk_pool *pool = p->pool;
	struct pvblk_part *part, *next;
	LIST_HEAD(todo);

	spin_lock_irq(&pool->lock);
	pool->dead = true;
	list_splice_init(&pool->todo, &todo);
	spin_unlock_irq(&pool->lock);

	list_for_each_entry_safe(part, next, &todo, todo)
		pvblk_part_end(part, BLK_STS_IOERR);
}

/**
 * pvblk_pool_add() - have a part of a request done where it may block
 * @pool: the pool
 * @part: the part; it ends by pvblk_part_end()
 *
 * Context: any, also hard interrupts.
 */
void pvblk_pool_add(struct pvblk_pool *pool, struct pvblk_part *part)
{
	struct pvblk_puller *wake = NULL;
	unsigned long flags;
	unsigned int i;
	bool dead;

	spin_lock_irqsave(&pool->lock, flags);
	dead = pool->dead;
	if (!dead)
		list_add_tail(&part->todo, &pool->todo);
	for (i = 0; i < PVBLK_PULLERS && !dead && !wake; i++)
		if (pool->puller[i].idle)
			wake = &pool->puller[i];
	if (wake) {
		wake->idle = false;
		pvworker_queue(wake->w, &wake->work);
	}
	spin_unlock_irqrestore(&pool->lock, flags);

	if (dead)
		pvblk_part_end(part, BLK_STS_IOERR);
}

/**
 * pvblk_pool_stop() - undo pvblk_pool_start()
 * @pool: the pool, with nothing to do; NULL is allowed
 *
 * Context: may sleep.
 */
void pvblk_pool_stop(struct pvblk_pool *pool)
{
	unsigned int i;

	if (!pool)
		return;

	for (i = 0; i < PVBLK_PULLERS && pool->puller[i].w; i++) {
		pvworker_detach(pool->puller[i].w, &pool->puller[i].work);
		pvworker_put(pool->puller[i].w);
	}
	kfree(pool);
}

static int pvblk_pool_start_one(struct pvblk_pool *pool, unsigned int i,
				const struct pvdev *pvdev,
				enum pvworker_kind kind)
{
	struct pvblk_puller *p = &pool->puller[i];
	struct pvworker *w;
	int err;

	w = pvdev_worker_start(pvdev, "pvb", i, kind);
	if (IS_ERR(w))
		return PTR_ERR(w);

	p->pool = pool;
	p->idle = true;
	pvwork_init(&p->work, pvblk_pool_turn, pvblk_pool_gone);
	err = pvworker_attach(w, &p->work);
	if (err) {
		pvworker_put(w);
		return err;
	}
	p->w = w;
	return 0;
}

/**
 * pvblk_pool_start() - make a pool
 * @pvdev: the device that it is for
 * @kind: whose threads
 *
 * Context: as for pvworker_start().
 * Return: the pool, or the error of making a thread.
 */
struct pvblk_pool *pvblk_pool_start(const struct pvdev *pvdev,
				    enum pvworker_kind kind)
{
	struct pvblk_pool *pool;
	unsigned int i;
	int err;

	pool = kzalloc(sizeof(*pool), GFP_KERNEL_ACCOUNT);
	if (!pool)
		return ERR_PTR(-ENOMEM);

	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->todo);
	for (i = 0; i < PVBLK_PULLERS; i++) {
		err = pvblk_pool_start_one(pool, i, pvdev, kind);
		if (err)
			goto err_thread;
	}
	return pool;

err_thread:
	pvblk_pool_stop(pool);
	return ERR_PTR(err);
}
