// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory table that changes by single translations: an IOTLB. A VMM maps and
 * unmaps pages by the thousand, so its entries are in a tree, where each change
 * costs the logarithm of their number. Whoever changes it keeps everybody from
 * looking at it meanwhile.
 */
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/rbtree.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "mem.h"

static struct pvmem_entry *pvmem_entry(struct rb_node *node)
{
	return rb_entry(node, struct pvmem_entry, node);
}

/**
 * pvmem_iotlb_alloc() - make an empty table that is changed by and by
 * @kind: what the addresses of its entries will mean; not PVMEM_PHYS
 *
 * Context: may sleep.
 * Return: the table with one reference, or NULL without memory.
 */
struct pvmem_table *pvmem_iotlb_alloc(enum pvmem_kind kind)
{
	struct pvmem_table *t = pvmem_table_alloc(kind, 0);

	if (!t)
		return NULL;
	t->tree = RB_ROOT;
	t->misses = true;
	t->sealed = true;
	return t;
}
EXPORT_SYMBOL_GPL(pvmem_iotlb_alloc);

/**
 * pvmem_iotlb_free() - free the entries of a table that nobody has any more
 * @t: the table; one that has no tree is allowed
 *
 * Context: may sleep.
 */
void pvmem_iotlb_free(struct pvmem_table *t)
{
	struct rb_node *node;

	while ((node = rb_first(&t->tree))) {
		rb_erase(node, &t->tree);
		kfree(pvmem_entry(node));
		cond_resched();
	}
}

/**
 * pvmem_iotlb_find() - find the entry that holds an address
 * @t: the table
 * @iova: the I/O virtual address
 *
 * Return: what it translates to, or NULL.
 */
const struct pvmem_region *pvmem_iotlb_find(const struct pvmem_table *t,
					    u64 iova)
{
	struct rb_node *node = t->tree.rb_node;

	while (node) {
		const struct pvmem_region *r = &pvmem_entry(node)->region;

		if (iova < r->start)
			node = node->rb_left;
		else if (iova > r->last)
			node = node->rb_right;
		else
			return r;
	}
	return NULL;
}

/* The first entry that ends at an address or behind it. */
static struct pvmem_entry *pvmem_iotlb_from(const struct pvmem_table *t,
					    u64 start)
{
	struct rb_node *node = t->tree.rb_node;
	struct pvmem_entry *found = NULL;

	while (node) {
		if (pvmem_entry(node)->region.last < start) {
			node = node->rb_right;
		} else {
			found = pvmem_entry(node);
			node = node->rb_left;
		}
	}
	return found;
}

static struct pvmem_entry *pvmem_iotlb_first(const struct pvmem_table *t,
					     u64 start, u64 last)
{
	struct pvmem_entry *e = pvmem_iotlb_from(t, start);

	return e && e->region.start <= last ? e : NULL;
}

/**
 * pvmem_iotlb_has_any() - is an address of a range translated
 * @t: the table
 * @start: the range's first I/O virtual address
 * @last: its last, inclusive
 *
 * Return: true if so.
 */
bool pvmem_iotlb_has_any(const struct pvmem_table *t, u64 start, u64 last)
{
	return pvmem_iotlb_first(t, start, last);
}
EXPORT_SYMBOL_GPL(pvmem_iotlb_has_any);

/**
 * pvmem_iotlb_has() - would a translation change nothing
 * @t: the table
 * @new: the translation
 *
 * Return: true if the table leads there already, with the same permissions.
 */
bool pvmem_iotlb_has(const struct pvmem_table *t,
		     const struct pvmem_region *new)
{
	const struct pvmem_region *r = pvmem_iotlb_find(t, new->start);

	return r && r->last >= new->last && new->perm == r->perm &&
	       r->addr + (new->start - r->start) == new->addr;
}
EXPORT_SYMBOL_GPL(pvmem_iotlb_has);

static void pvmem_iotlb_insert(struct pvmem_table *t, struct pvmem_entry *e)
{
	struct rb_node **link = &t->tree.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = e->region.start < pvmem_entry(parent)->region.start ?
		       &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&e->node, parent, link);
	rb_insert_color(&e->node, &t->tree);
	t->nregions++;
}

static void pvmem_iotlb_erase(struct pvmem_table *t, struct pvmem_entry *e)
{
	rb_erase(&e->node, &t->tree);
	t->nregions--;
	kfree(e);
}

/**
 * pvmem_iotlb_cut() - take a range out of a table
 * @t: the table
 * @start: the range's first I/O virtual address
 * @last: its last, inclusive
 * @spare: an entry for what is left behind the range of one that it splits;
 *	NULL when it was needed. Where there is none that rest goes as well
 *
 * Entries keep their place in the tree's order, so no other one is touched.
 */
void pvmem_iotlb_cut(struct pvmem_table *t, u64 start, u64 last,
		     struct pvmem_entry **spare)
{
	struct pvmem_entry *e;

	while ((e = pvmem_iotlb_first(t, start, last))) {
		struct pvmem_region *r = &e->region;

		if (r->start < start) {
			struct pvmem_region rest = *r;

			r->last = start - 1;
			if (rest.last <= last || !*spare)
				continue;
			rest.addr += last + 1 - rest.start;
			rest.start = last + 1;
			(*spare)->region = rest;
			pvmem_iotlb_insert(t, *spare);
			*spare = NULL;
		} else if (r->last > last) {
			r->addr += last + 1 - r->start;
			r->start = last + 1;
		} else {
			pvmem_iotlb_erase(t, e);
		}
	}
	pvmem_table_renew(t);
}
EXPORT_SYMBOL_GPL(pvmem_iotlb_cut);

/**
 * pvmem_iotlb_add() - add a translation where there is none
 * @t: the table
 * @e: the entry, its region filled in; it is the table's then
 */
void pvmem_iotlb_add(struct pvmem_table *t, struct pvmem_entry *e)
{
	pvmem_iotlb_insert(t, e);
}
EXPORT_SYMBOL_GPL(pvmem_iotlb_add);
