/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_BITMAP_H
#define _UNIT_LINUX_BITMAP_H

#include <linux/bitops.h>
#include <linux/slab.h>

static inline unsigned long *bitmap_zalloc(unsigned int nbits, gfp_t gfp)
{
	return kvcalloc(BITS_TO_LONGS(nbits), sizeof(long), gfp);
}

static inline void bitmap_free(const unsigned long *map)
{
	kfree(map);
}

static inline unsigned int bitmap_weight(const unsigned long *map,
					 unsigned int nbits)
{
	unsigned int i, n = 0;

	for (i = 0; i < nbits; i++)
		n += test_bit(i, map);
	return n;
}

static inline bool bitmap_empty(const unsigned long *map, unsigned int nbits)
{
	return !bitmap_weight(map, nbits);
}

#endif
