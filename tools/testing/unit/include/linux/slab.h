/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_SLAB_H
#define _UNIT_LINUX_SLAB_H

#include <linux/overflow.h>
#include <linux/types.h>

#define GFP_KERNEL		0U
#define GFP_KERNEL_ACCOUNT	0U

/* Allocations that have not been freed. */
extern unsigned long unit_allocs;

/* This many allocations succeed, then one fails; negative: none fails. */
extern long unit_alloc_countdown;

void *kzalloc(size_t size, gfp_t gfp);
void kfree(const void *p);

static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	return kzalloc(size, gfp);
}

static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return kzalloc(size_mul(n, size), gfp);
}

static inline void kvfree(const void *p)
{
	kfree(p);
}

#endif
