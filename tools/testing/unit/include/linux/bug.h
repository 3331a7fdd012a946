/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_BUG_H
#define _UNIT_LINUX_BUG_H

#include <stdio.h>

#include <linux/compiler.h>

/* Every one fails the case that it happens in, unless the case expects some. */
extern unsigned int unit_warnings;
extern bool unit_warnings_expected;

#define WARN_ON(cond)							\
({									\
	bool __warn = (cond);						\
									\
	if (unlikely(__warn)) {						\
		unit_warnings++;					\
		if (!unit_warnings_expected)				\
			printf("# warning at %s:%d: %s\n", __FILE__,	\
			       __LINE__, #cond);			\
	}								\
	unlikely(__warn);						\
})

#define WARN_ON_ONCE(cond)	WARN_ON(cond)

#endif
