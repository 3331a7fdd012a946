// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of guest memory: regions of I/O virtual addresses and what they
 * translate to. A table is filled, sealed, and never changes again; an update
 * is a new table. (An IOTLB is another matter: mem_iotlb.c.) Nothing here knows
 * who looks a table up, or when.
 */
#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "mem.h"

/* A buffer may lie in a region for each such piece of it, and in so many more. */
#define PVMEM_REGION_USUAL	4096
#define PVMEM_REGIONS_MORE	64

/**
 * pvmem_table_renew() - forget what others may remember of a table
 * @t: the table; it gets another &pvmem_table.id
 */
void pvmem_table_renew(struct pvmem_table *t)
{
	static atomic64_t ids = ATOMIC64_INIT(0);

	t->id = atomic64_inc_return(&ids);
}
EXPORT_SYMBOL_GPL(pvmem_table_renew);

/**
 * pvmem_table_alloc() - make an empty memory table
 * @kind: what the addresses of its regions will mean
 * @max: regions that it can hold
 *
 * Context: may sleep.
 * Return: the table with one reference, or NULL without memory.
 */
struct pvmem_table *pvmem_table_alloc(enum pvmem_kind kind, unsigned int max)
{
	struct pvmem_table *t;

	t = kvzalloc(struct_size(t, region, max), GFP_KERNEL_ACCOUNT);
	if (!t)
		return NULL;

	refcount_set(&t->ref, 1);
	pvmem_table_renew(t);
	t->kind = kind;
	t->max = max;
	return t;
}
EXPORT_SYMBOL_GPL(pvmem_table_alloc);

/**
 * pvmem_table_add() - add a region to a table that is not sealed yet
 * @t: the table
 * @start: first I/O virtual address
 * @last: last I/O virtual address, inclusive
 * @addr: what @start translates to
 * @perm: PVMEM_READ, PVMEM_WRITE or both: what the device may do
 *
 * Return: 0; -EINVAL for an empty or wrapping range or permission, -ENOSPC
 * when the table is full, -EBUSY when it is sealed.
 */
int pvmem_table_add(struct pvmem_table *t, u64 start, u64 last, u64 addr,
		    u32 perm)
{
	if (t->sealed)
		return -EBUSY;
	if (last < start || last - start == U64_MAX)
		return -EINVAL;
	if (addr > U64_MAX - (last - start))
		return -EINVAL;
	if (!perm || (perm & ~(PVMEM_READ | PVMEM_WRITE)))
		return -EINVAL;
	if (t->nregions == t->max)
		return -ENOSPC;

	t->region[t->nregions++] = (struct pvmem_region) {
		.start = start,
		.last = last,
		.addr = addr,
		.perm = perm,
	};
	return 0;
}
EXPORT_SYMBOL_GPL(pvmem_table_add);

static int pvmem_region_cmp(const void *a, const void *b)
{
	const struct pvmem_region *x = a, *y = b;

	if (x->start == y->start)
		return 0;
	return x->start < y->start ? -1 : 1;
}

/**
 * pvmem_table_seal() - sort and check a table
 * @t: the table
 *
 * Return: 0; -EEXIST when two regions overlap: the table is of no use then.
 */
int pvmem_table_seal(struct pvmem_table *t)
{
	unsigned int i;

	sort(t->region, t->nregions, sizeof(t->region[0]), pvmem_region_cmp,
	     NULL);
	for (i = 1; i < t->nregions; i++)
		if (t->region[i].start <= t->region[i - 1].last)
			return -EEXIST;

	t->sealed = true;
	return 0;
}
EXPORT_SYMBOL_GPL(pvmem_table_seal);

/**
 * pvmem_table_get() - take a reference
 * @t: the table
 *
 * Return: @t.
 */
struct pvmem_table *pvmem_table_get(struct pvmem_table *t)
{
	refcount_inc(&t->ref);
	return t;
}
EXPORT_SYMBOL_GPL(pvmem_table_get);

/**
 * pvmem_table_put() - drop a reference; the last one drops the pages as well
 * @t: the table; NULL is allowed
 *
 * Context: may sleep.
 */
void pvmem_table_put(struct pvmem_table *t)
{
	unsigned int i;

	if (!t || !refcount_dec_and_test(&t->ref))
		return;

	for (i = 0; i < t->nregions && !t->misses; i++)
		pvmem_pages_put(t->region[i].pages);
	pvmem_iotlb_free(t);
	kvfree(t);
}
EXPORT_SYMBOL_GPL(pvmem_table_put);

/**
 * pvmem_table_find() - find the region that holds an address
 * @t: a sealed table
 * @iova: the I/O virtual address
 *
 * Context: any; takes no lock.
 * Return: the region, or NULL.
 */
const struct pvmem_region *pvmem_table_find(const struct pvmem_table *t,
					    u64 iova)
{
	unsigned int low = 0, high = t->nregions;

	if (t->misses)
		return pvmem_iotlb_find(t, iova);
	while (low < high) {
		unsigned int mid = low + (high - low) / 2;
		const struct pvmem_region *r = &t->region[mid];

		if (iova < r->start)
			high = mid;
		else if (iova > r->last)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(pvmem_table_find);

/**
 * pvmem_translate() - translate a buffer of the guest
 * @t: a sealed table
 * @iova: first I/O virtual address of the buffer
 * @len: its length in bytes, not 0
 * @perm: what the device is about to do: PVMEM_READ or PVMEM_WRITE
 * @seg: where the pieces go; neighbours in both address spaces are one piece
 * @max: room in @seg
 *
 * Context: any; takes no lock.
 * Return: number of pieces; -EFAULT where a part of the buffer lies in no
 * region or in one without @perm, -ENOSPC when @max pieces are not enough, or
 * when it lies in many regions that are smaller than a page.
 */
int pvmem_translate(const struct pvmem_table *t, u64 iova, u32 len, u32 perm,
		    struct pvmem_seg *seg, unsigned int max)
{
	/* What makes one piece is looked up region by region all the same. */
	unsigned int n = 0, most = len / PVMEM_REGION_USUAL + PVMEM_REGIONS_MORE;

	if (unlikely(iova + len - 1 < iova))
		return -EFAULT;

	while (len) {
		const struct pvmem_region *r = pvmem_table_find(t, iova);
		u64 off, size;
		u32 part;

		if (unlikely(!r || (r->perm & perm) != perm))
			return -EFAULT;
		if (unlikely(!most--))
			return -ENOSPC;

		size = r->last - r->start + 1;
		off = array_index_nospec(iova - r->start, size);
		part = min_t(u64, len, size - off);

		/* A piece never wraps, wherever the VMM says that it leads. */
		if (n && r->addr + off &&
		    seg[n - 1].addr + seg[n - 1].len == r->addr + off) {
			seg[n - 1].len += part;
		} else {
			if (unlikely(n == max))
				return -ENOSPC;
			seg[n++] = (struct pvmem_seg) {
				.addr = r->addr + off,
				.iova = iova,
				.len = part,
			};
		}
		iova += part;
		len -= part;
	}
	return n;
}
EXPORT_SYMBOL_GPL(pvmem_translate);

/**
 * pvmem_first_missing() - where a translation failed
 * @t: a sealed table
 * @iova: first I/O virtual address of what pvmem_translate() refused
 * @perm: what it was asked for
 *
 * Context: any; takes no lock.
 * Return: the first address from @iova on that lies in no region, or in one
 * without @perm; 0 where all up to the last address can be had.
 */
u64 pvmem_first_missing(const struct pvmem_table *t, u64 iova, u32 perm)
{
	const struct pvmem_region *r;

	do {
		r = pvmem_table_find(t, iova);
		if (!r || (r->perm & perm) != perm)
			break;
		iova = r->last + 1;
	} while (iova);
	return iova;
}
EXPORT_SYMBOL_GPL(pvmem_first_missing);
