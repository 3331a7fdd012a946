/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells of its memory. */
#ifndef PVIO_SELFTEST_MEMINFO_H
#define PVIO_SELFTEST_MEMINFO_H

/* Kilobytes that are in use for other things than files. */
long meminfo_used(void);

#endif
