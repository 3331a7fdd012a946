/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_LINUX_COMPILER_H
#define _FUZZ_LINUX_COMPILER_H

#include_next <linux/compiler.h>

/* Called after each read of memory that the driver can change. */
void fuzz_has_read(const volatile void *p, size_t len);

/* Marks @val, which was read at @from, as the driver's. */
#ifdef FUZZ_TAINT
void fuzz_taint(const volatile void *from, void *val, size_t len);
void fuzz_untaint(void *val, size_t len);
#else
#define fuzz_taint(from, val, len)	((void)0)
#define fuzz_untaint(val, len)		((void)0)
#endif

/* What is read twice need not be the same the second time. */
#undef READ_ONCE
#define READ_ONCE(x)							\
({									\
	__typeof__(x) __val = *(const volatile __typeof__(x) *)&(x);	\
									\
	fuzz_has_read(&(x), sizeof(x));					\
	fuzz_taint(&(x), (void *)&__val, sizeof(__val));		\
	__val;								\
})

#endif
