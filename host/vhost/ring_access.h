/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_ACCESS_H
#define _PVIO_VHOST_RING_ACCESS_H

/*
 * How a ring reaches its areas. @kind is a constant in every instance of the
 * core, so that only one branch of each is left. Between begin and end of a
 * span nothing may be called that is not inlined: user access is open.
 */

#include <linux/compiler.h>

#include "ring.h"

#ifdef __KERNEL__
#include <linux/uaccess.h>

#define pvring_span_read(kind, addr, len)				\
	((kind) != PVMEM_USER ||					\
	 user_read_access_begin((const void __user *)(addr), len))

#define pvring_span_write(kind, addr, len)				\
	((kind) != PVMEM_USER ||					\
	 user_write_access_begin((void __user *)(addr), len))

#define pvring_span_read_end(kind)					\
do {									\
	if ((kind) == PVMEM_USER)					\
		user_read_access_end();					\
} while (0)

#define pvring_span_write_end(kind)					\
do {									\
	if ((kind) == PVMEM_USER)					\
		user_write_access_end();				\
} while (0)

#define pvring_get(kind, val, type, addr, fault)			\
do {									\
	if ((kind) == PVMEM_USER)					\
		unsafe_get_user(val, (const type __user *)(addr), fault); \
	else								\
		(val) = READ_ONCE(*(const type *)(addr));		\
} while (0)

#define pvring_put(kind, val, type, addr, fault)			\
do {									\
	if ((kind) == PVMEM_USER)					\
		unsafe_put_user(val, (type __user *)(addr), fault);	\
	else								\
		WRITE_ONCE(*(type *)(addr), val);			\
} while (0)

#else

/* In user space there is plain memory alone, and it doesn't fault. */
#define pvring_span_read(kind, addr, len)	((void)(addr), true)
#define pvring_span_write(kind, addr, len)	((void)(addr), true)
#define pvring_span_read_end(kind)		((void)(kind))
#define pvring_span_write_end(kind)		((void)(kind))

#define pvring_get(kind, val, type, addr, fault)			\
do {									\
	if ((kind) == PVMEM_USER)					\
		goto fault;						\
	(val) = READ_ONCE(*(const type *)(addr));			\
} while (0)

#define pvring_put(kind, val, type, addr, fault)			\
do {									\
	if ((kind) == PVMEM_USER)					\
		goto fault;						\
	WRITE_ONCE(*(type *)(addr), val);				\
} while (0)

#endif

static inline int pvring_fault(struct pvring *r, unsigned long addr, size_t len,
			       bool write)
{
	r->fault = (struct pvring_fault) {
		.addr = addr,
		.len = len,
		.write = write,
	};
	return -EAGAIN;
}

static inline int pvring_broken(struct pvring *r, const char *why)
{
	r->error = why;
	return -EINVAL;
}

/* Guest memory without a translation: to be asked for, or the end. */
static inline int pvring_unmapped(struct pvring *r, const struct pvmem_table *t,
				  u64 iova, u32 len, u32 perm, const char *why)
{
	/* What wraps is no memory, whoever maps what. */
	if (!t->misses || iova + len - 1 < iova)
		return pvring_broken(r, why);

	r->miss = (struct pvring_miss) {
		.iova = pvmem_first_missing(t, iova, perm),
		.perm = perm,
	};
	return -ENXIO;
}

#endif
