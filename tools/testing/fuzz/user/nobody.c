// SPDX-License-Identifier: GPL-2.0-only
/* For targets during which nobody writes. */
#include <linux/compiler.h>

void fuzz_has_read(const volatile void *p, size_t len)
{
}
