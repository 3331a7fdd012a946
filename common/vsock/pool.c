// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for large payloads, which a link uses again and again: a kernel that clears what it
 * allocates would do as much for each of them as the copy does. A page in the pool is free where
 * the pool alone has it; nobody has to give one back. It stays charged to the memory cgroup that
 * had it first.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "internal.h"

/* Pages that nothing was taken of for so long are freed. */
#define PVVS_POOL_IDLE		(2 * HZ)

static void pvvs_pool_empty(struct pvvs_pool *pool)
{
	struct page *page[PVVS_POOL_PAGES];
	unsigned int i;

	spin_lock(&pool->lock);
	memcpy(page, pool->page, sizeof(page));
	memset(pool->page, 0, sizeof(page));
	spin_unlock(&pool->lock);
	for (i = 0; i < ARRAY_SIZE(page); i++)
		if (page[i])
			put_page(page[i]);
}

static void pvvs_pool_idle(struct work_struct *work)
{
	struct pvvs_pool *pool = container_of(work, struct pvvs_pool, idle.work);
	bool used;

	spin_lock(&pool->lock);
	used = pool->used;
	pool->used = false;
	pool->armed = used && pool->open;
	if (pool->armed)
		schedule_delayed_work(&pool->idle, PVVS_POOL_IDLE);
	spin_unlock(&pool->lock);
	if (!used)
		pvvs_pool_empty(pool);
}

/**
 * pvvs_pool_init() - make an empty pool
 * @pool: the pool
 */
void pvvs_pool_init(struct pvvs_pool *pool)
{
	spin_lock_init(&pool->lock);
	INIT_DELAYED_WORK(&pool->idle, pvvs_pool_idle);
	pool->open = true;
}

/**
 * pvvs_pool_close() - free what a pool has
 * @pool: the pool; it keeps nothing from now on
 *
 * Context: may sleep.
 */
void pvvs_pool_close(struct pvvs_pool *pool)
{
	spin_lock(&pool->lock);
	pool->open = false;
	spin_unlock(&pool->lock);
	cancel_delayed_work_sync(&pool->idle);
	pvvs_pool_empty(pool);
}

static struct page *pvvs_pool_alloc(void)
{
	return alloc_pages(GFP_KERNEL_ACCOUNT | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY,
			   PVVS_POOL_ORDER);
}

/* Keeps a page for later, where there is room for it. */
static void pvvs_pool_keep(struct pvvs_pool *pool, unsigned int slot, struct page *page)
{
	if (page_is_pfmemalloc(page))
		return;
	spin_lock(&pool->lock);
	if (pool->open && !pool->page[slot]) {
		get_page(page);
		pool->page[slot] = page;
		if (!pool->armed) {
			pool->armed = true;
			schedule_delayed_work(&pool->idle, PVVS_POOL_IDLE);
		}
	}
	spin_unlock(&pool->lock);
}

/* A page with a reference for the caller, or NULL. */
static struct page *pvvs_pool_get(struct pvvs_pool *pool)
{
	struct page *page;
	unsigned int slot;

	spin_lock(&pool->lock);
	slot = pool->next++ % PVVS_POOL_PAGES;
	page = pool->page[slot];
	pool->used = true;
	/* Else it is in a packet still, or somebody else looks at it. */
	if (page && page_count(page) == 1)
		get_page(page);
	else
		page = NULL;
	spin_unlock(&pool->lock);
	if (likely(page))
		return page;
	page = pvvs_pool_alloc();
	if (page)
		pvvs_pool_keep(pool, slot, page);
	return page;
}

/**
 * pvvs_pool_fill() - give a packet room for a payload
 * @pool: the pool
 * @skb: the packet, which has none
 * @len: bytes, from PVVS_POOL_MIN to PVVS_PAYLOAD_MAX
 *
 * Context: may sleep.
 * Return: true, or false where memory is too short for such pages.
 */
bool pvvs_pool_fill(struct pvvs_pool *pool, struct sk_buff *skb, u32 len)
{
	unsigned int i;

	for (i = 0; len; i++) {
		u32 part = min_t(u32, len, PVVS_POOL_SIZE);
		struct page *page = pvvs_pool_get(pool);

		if (unlikely(!page))
			return false;
		skb_add_rx_frag(skb, i, page, 0, part, PVVS_POOL_SIZE);
		len -= part;
	}
	return true;
}
