/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_MINMAX_H
#define _UNIT_LINUX_MINMAX_H

/* As in the kernel, both sides have to be of one type. */
#define min(a, b)							\
({									\
	const typeof(a) __min_a = (a);					\
	const typeof(b) __min_b = (b);					\
									\
	(void)(&__min_a == &__min_b);					\
	__min_a < __min_b ? __min_a : __min_b;				\
})

#define max(a, b)							\
({									\
	const typeof(a) __max_a = (a);					\
	const typeof(b) __max_b = (b);					\
									\
	(void)(&__max_a == &__max_b);					\
	__max_a > __max_b ? __max_a : __max_b;				\
})

#define min_t(type, a, b)						\
({									\
	const type __min_t_a = (a), __min_t_b = (b);			\
									\
	__min_t_a < __min_t_b ? __min_t_a : __min_t_b;			\
})

#define max_t(type, a, b)						\
({									\
	const type __max_t_a = (a), __max_t_b = (b);			\
									\
	__max_t_a > __max_t_b ? __max_t_a : __max_t_b;			\
})

#define min3(a, b, c)							\
({									\
	const typeof(a) __min3_ab = min(a, b);				\
									\
	min(__min3_ab, c);						\
})

#endif
