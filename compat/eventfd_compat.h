/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_EVENTFD_H
#define _PVIO_COMPAT_EVENTFD_H

#include <linux/eventfd.h>

/* Older kernels want to know how often. */
#define eventfd_signal(event)	((void)(eventfd_signal)(event, 1))

#endif
