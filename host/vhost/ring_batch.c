// SPDX-License-Identifier: GPL-2.0-only
/* The room that pops fill, and the regions of guest memory it remembers. */
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "ring_chain.h"

/* Translates by the table, and remembers the region if one was enough. */
int pvchain_translate_far(struct pvring_batch *b, const struct pvmem_table *t,
			  u64 iova, u32 len, u32 perm, struct pvmem_seg *seg,
			  unsigned int max)
{
	int n = pvmem_translate(t, iova, len, perm, seg, max);
	const struct pvmem_region *region;

	if (n != 1)
		return n;
	region = pvmem_table_find(t, iova);
	b->near[1] = b->near[0];
	b->near[0] = (struct pvring_near) {
		.start = region->start,
		.size = region->last - region->start + 1,
		.addr = region->addr,
		.perm = region->perm,
	};
	return n;
}

/**
 * pvring_batch_alloc() - make the room that pops fill
 * @chains: chains per pop
 * @limits: those of the ring
 *
 * Context: may sleep.
 * Return: the batch, or NULL without memory.
 */
struct pvring_batch *pvring_batch_alloc(unsigned int chains,
					const struct pvring_limits *limits)
{
	unsigned int longest = limits->max_desc +
			       max_t(unsigned int, limits->max_splits,
				     PVRING_SPLITS_MAX);
	struct pvring_batch *b;

	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return NULL;

	/* Room for the longest chain, and for many of the usual length. */
	b->max = chains;
	b->max_seg = max(longest, chains * 8);
	b->max_raw = max(limits->max_desc + 1U, chains * 4);
	b->max_table = limits->max_desc;

	b->chain = kvcalloc(chains, sizeof(*b->chain), GFP_KERNEL_ACCOUNT);
	b->seg = kvcalloc(b->max_seg, sizeof(*b->seg), GFP_KERNEL_ACCOUNT);
	b->raw = kvcalloc(b->max_raw, sizeof(*b->raw), GFP_KERNEL_ACCOUNT);
	b->table = kvcalloc(b->max_table, sizeof(*b->table), GFP_KERNEL_ACCOUNT);
	b->sorted = kvcalloc(b->max_table, sizeof(*b->sorted), GFP_KERNEL_ACCOUNT);
	b->heads = kvcalloc(chains, sizeof(*b->heads), GFP_KERNEL_ACCOUNT);
	b->count = kvcalloc(chains, sizeof(*b->count), GFP_KERNEL_ACCOUNT);
	if (b->chain && b->seg && b->raw && b->table && b->sorted && b->heads &&
	    b->count)
		return b;

	pvring_batch_free(b);
	return NULL;
}
EXPORT_SYMBOL_GPL(pvring_batch_alloc);

/**
 * pvring_batch_free() - undo pvring_batch_alloc()
 * @b: the batch; NULL is allowed
 */
void pvring_batch_free(struct pvring_batch *b)
{
	if (!b)
		return;

	kvfree(b->count);
	kvfree(b->heads);
	kvfree(b->sorted);
	kvfree(b->table);
	kvfree(b->raw);
	kvfree(b->seg);
	kvfree(b->chain);
	kfree(b);
}
EXPORT_SYMBOL_GPL(pvring_batch_free);
