// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory for frames that are sent: each takes a reference to the page that it is in along, and the
 * page is used again when all of them are back. There are two by turns, since those that are
 * sent at once come back together.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/skbuff.h>

#include "frag.h"

#define PVFRAG_ORDER	get_order(SZ_32K)

/* More than pieces that a page can be cut into. */
#define PVFRAG_BIAS	4096

static bool pvfrag_alloc(struct pvfrag_page *p)
{
	p->page = alloc_pages((GFP_KERNEL & ~__GFP_DIRECT_RECLAIM) | __GFP_COMP |
			      __GFP_NOWARN | __GFP_NORETRY, PVFRAG_ORDER);
	p->size = PAGE_SIZE << PVFRAG_ORDER;
	if (unlikely(!p->page)) {
		p->page = alloc_page(GFP_KERNEL);
		p->size = PAGE_SIZE;
	}
	if (unlikely(!p->page))
		return false;
	page_ref_add(p->page, PVFRAG_BIAS - 1);
	return true;
}

/* Drops what was not given away. Returns whether that was all: who sees the last one go has it. */
static bool pvfrag_drop(struct pvfrag_page *p)
{
	return p->page && page_ref_sub_and_test(p->page, p->bias);
}

static bool pvfrag_refill(struct pvfrag *f)
{
	swap(f->now, f->before);
	if (likely(pvfrag_drop(&f->now)))
		set_page_count(f->now.page, PVFRAG_BIAS);
	else if (!pvfrag_alloc(&f->now))
		return false;
	f->now.bias = PVFRAG_BIAS;
	f->offset = 0;
	return true;
}

/**
 * pvfrag_reserve() - room for a frame
 * @f: the memory
 * @len: bytes, up to a page
 *
 * It is given away by pvfrag_commit(); until then the next one gets the same.
 *
 * Context: may sleep.
 * Return: the room, aligned to a cache line, or NULL without memory.
 */
void *pvfrag_reserve(struct pvfrag *f, u32 len)
{
	if (unlikely(!f->now.page || f->offset + len > f->now.size) && !pvfrag_refill(f))
		return NULL;
	return page_address(f->now.page) + f->offset;
}

/**
 * pvfrag_commit() - give away what was reserved
 * @f: the memory
 * @len: bytes, as for pvfrag_reserve()
 *
 * Whoever has it drops the reference with put_page().
 */
void pvfrag_commit(struct pvfrag *f, u32 len)
{
	f->offset += ALIGN(len, SMP_CACHE_BYTES);
	f->now.bias--;
}

static void pvfrag_free(struct pvfrag_page *p)
{
	if (pvfrag_drop(p)) {
		set_page_count(p->page, 1);
		put_page(p->page);
	}
	p->page = NULL;
}

/**
 * pvfrag_destroy() - drop what was not given away
 * @f: the memory; that of which nothing was reserved is allowed
 */
void pvfrag_destroy(struct pvfrag *f)
{
	pvfrag_free(&f->now);
	pvfrag_free(&f->before);
}
