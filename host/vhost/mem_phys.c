// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of physical addresses. Whoever hands such a table over has pinned the
 * pages at that moment, and unpins them later without a word beforehand. So a
 * table takes a reference of its own on every page, and gives it back only
 * when neither the table nor a chain in flight needs it.
 */
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "mem.h"

/**
 * struct pvmem_pages - the pages of one region, shared by successive tables
 * @ref: one for each table that has the region
 * @first: first page frame
 * @last: last page frame
 * @dirty: the device could write to them
 */
struct pvmem_pages {
	refcount_t ref;
	unsigned long first;
	unsigned long last;
	bool dirty;
};

/* One reference a folio will do: a folio with references isn't split. */
static void pvmem_pages_walk(struct pvmem_pages *p,
			     void (*visit)(struct folio *folio, bool dirty))
{
	unsigned long pfn = p->first;

	while (pfn <= p->last) {
		struct page *page = pfn_to_page(pfn);
		struct folio *folio = page_folio(page);

		pfn += folio_nr_pages(folio) - folio_page_idx(folio, page);
		visit(folio, p->dirty);
		cond_resched();
	}
}

static void pvmem_folio_hold(struct folio *folio, bool dirty)
{
	folio_get(folio);
}

static void pvmem_folio_release(struct folio *folio, bool dirty)
{
	if (dirty)
		set_page_dirty_lock(folio_page(folio, 0));
	folio_put(folio);
}

void pvmem_pages_put(struct pvmem_pages *p)
{
	if (!p || !refcount_dec_and_test(&p->ref))
		return;

	pvmem_pages_walk(p, pvmem_folio_release);
	kfree(p);
}

static struct pvmem_pages *pvmem_pages_hold(const struct pvmem_region *r)
{
	struct pvmem_pages *p;

	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return NULL;

	refcount_set(&p->ref, 1);
	p->first = PHYS_PFN(r->addr);
	p->last = PHYS_PFN(r->addr + (r->last - r->start));
	p->dirty = r->perm & PVMEM_WRITE;
	pvmem_pages_walk(p, pvmem_folio_hold);
	return p;
}

/**
 * pvmem_table_hold_pages() - take references on all pages of a table
 * @t: a sealed PVMEM_PHYS table, whose pages are pinned at this moment
 * @old: the table that it replaces, or NULL; what both have is only counted
 *
 * A region that @old has as well, with the same frames, keeps the very pages
 * it had: @old still holds them, so the frames can't have gone to anybody else.
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM; the table then holds a part, and is to be put.
 */
int pvmem_table_hold_pages(struct pvmem_table *t,
			   const struct pvmem_table *old)
{
	unsigned int i;

	for (i = 0; i < t->nregions; i++) {
		struct pvmem_region *r = &t->region[i];
		const struct pvmem_region *o;

		o = old ? pvmem_table_find(old, r->start) : NULL;
		if (o && o->pages && o->start == r->start &&
		    o->last == r->last && o->addr == r->addr &&
		    o->perm == r->perm) {
			refcount_inc(&o->pages->ref);
			r->pages = o->pages;
			continue;
		}
		r->pages = pvmem_pages_hold(r);
		if (!r->pages)
			return -ENOMEM;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(pvmem_table_hold_pages);

static int pvmem_map_phys(const struct pvmem_table *t, u64 iova, size_t len,
			  u32 perm, struct pvmem_map *map)
{
	u32 off = offset_in_page(iova);
	unsigned int n = PFN_UP(off + len), i;
	struct page **pages;
	bool contiguous = true;
	int err = 0;

	pages = kvmalloc_array(n, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return -ENOMEM;

	iova -= off;
	for (i = 0; i < n; i++) {
		struct pvmem_seg seg;

		/* A page of the guest has to be one page of the host as well. */
		if (pvmem_translate(t, iova + i * PAGE_SIZE, PAGE_SIZE, perm,
				    &seg, 1) != 1 ||
		    offset_in_page(seg.addr) ||
		    !pfn_valid(PHYS_PFN(seg.addr))) {
			err = -EFAULT;
			goto free_pages;
		}
		pages[i] = pfn_to_page(PHYS_PFN(seg.addr));
		contiguous &= pages[i] == pages[0] + i;
	}

	map->vmap = NULL;
	if (contiguous)
		map->addr = (unsigned long)page_address(pages[0]) + off;
	else
		map->vmap = vmap(pages, n, VM_MAP, PAGE_KERNEL);
	if (map->vmap)
		map->addr = (unsigned long)map->vmap + off;
	else if (!contiguous)
		err = -ENOMEM;

free_pages:
	kvfree(pages);
	return err;
}

/**
 * pvmem_map_area() - make a ring area reachable as one piece
 * @t: a sealed table
 * @iova: the area's first I/O virtual address
 * @len: its length in bytes
 * @perm: PVMEM_READ, PVMEM_WRITE or both
 * @map: the result; valid for as long as @t is held
 *
 * Context: may sleep.
 * Return: 0; -EFAULT where the area isn't guest memory with @perm, -EXDEV where
 * it isn't one piece of the owner's address space; -ENOMEM.
 */
int pvmem_map_area(const struct pvmem_table *t, u64 iova, size_t len, u32 perm,
		   struct pvmem_map *map)
{
	struct pvmem_seg seg;
	int n;

	if (t->kind == PVMEM_PHYS)
		return pvmem_map_phys(t, iova, len, perm, map);

	n = pvmem_translate(t, iova, len, perm, &seg, 1);
	if (n < 0)
		return n == -ENOSPC ? -EXDEV : n;
	map->addr = seg.addr;
	map->vmap = NULL;
	return 0;
}
EXPORT_SYMBOL_GPL(pvmem_map_area);

/**
 * pvmem_unmap_area() - undo pvmem_map_area()
 * @map: the mapping; one that was never made is allowed
 *
 * Context: may sleep.
 */
void pvmem_unmap_area(struct pvmem_map *map)
{
	vunmap(map->vmap);
	map->vmap = NULL;
	map->addr = 0;
}
EXPORT_SYMBOL_GPL(pvmem_unmap_area);
