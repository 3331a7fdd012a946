/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_LINUX_COMPILER_H
#define _FUZZ_LINUX_COMPILER_H

#include_next <linux/compiler.h>

/* Called after each read of memory that the driver can change. */
void fuzz_has_read(const volatile void *p, size_t len);

/* What is read twice need not be the same the second time. */
#undef READ_ONCE
#define READ_ONCE(x)							\
({									\
	__typeof__(x) __val = *(const volatile __typeof__(x) *)&(x);	\
									\
	fuzz_has_read(&(x), sizeof(x));					\
	__val;								\
})

#endif
