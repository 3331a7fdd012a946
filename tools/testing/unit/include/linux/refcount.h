/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_REFCOUNT_H
#define _UNIT_LINUX_REFCOUNT_H

#include <linux/bug.h>

typedef struct {
	int refs;
} refcount_t;

static inline void refcount_set(refcount_t *r, int n)
{
	__atomic_store_n(&r->refs, n, __ATOMIC_SEQ_CST);
}

static inline void refcount_inc(refcount_t *r)
{
	WARN_ON(__atomic_fetch_add(&r->refs, 1, __ATOMIC_SEQ_CST) <= 0);
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	int old = __atomic_fetch_sub(&r->refs, 1, __ATOMIC_SEQ_CST);

	WARN_ON(old <= 0);
	return old == 1;
}

#endif
