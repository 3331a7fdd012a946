/* SPDX-License-Identifier: GPL-2.0-only */
/* Found only where the kernel has no such header. */
#include <asm/unaligned.h>
