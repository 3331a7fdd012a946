/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_OVERFLOW_H
#define _UNIT_LINUX_OVERFLOW_H

#include <linux/types.h>

static inline size_t size_mul(size_t a, size_t b)
{
	size_t sum;

	return __builtin_mul_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static inline size_t size_add(size_t a, size_t b)
{
	size_t sum;

	return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

#define struct_size(p, member, n)					\
	size_add(sizeof(*(p)),						\
		 size_mul(offsetof(typeof(*(p)), member[1]) -		\
			  offsetof(typeof(*(p)), member[0]), n))

#endif
