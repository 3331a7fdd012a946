/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_LINUX_NOSPEC_H
#define _FUZZ_LINUX_NOSPEC_H

#include_next <linux/nospec.h>

#ifdef FUZZ_TAINT
#include <sanitizer/dfsan_interface.h>

/* What has passed here may be an index. */
#undef array_index_nospec
#define array_index_nospec(index, size)					\
({									\
	__typeof__(index) __passed = (index);				\
									\
	__passed = __passed < (size) ? __passed : 0;			\
	dfsan_set_label(0, &__passed, sizeof(__passed));		\
	__passed;							\
})
#endif

#endif
