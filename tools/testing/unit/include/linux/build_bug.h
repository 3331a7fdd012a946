/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_BUILD_BUG_H
#define _UNIT_LINUX_BUILD_BUG_H

#include <linux/bug.h>

/* With one argument, in whatever standard. */
#undef static_assert
#define static_assert(expr)	extern int unit_assert[(expr) ? 1 : -1]

#endif
