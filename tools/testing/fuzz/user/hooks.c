// SPDX-License-Identifier: GPL-2.0-only
/* Copies from guest memory are reads as well. */
#include "mem.h"

#include <linux/compiler.h>

/* That of the unit tests, under another name. */
int unit_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len);

int pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len)
{
	int err = unit_copy_from(kind, to, addr, len);

	if (err)
		return err;
	fuzz_has_read((const void *)(uintptr_t)addr, len);
	fuzz_taint((const void *)(uintptr_t)addr, to, len);
	return 0;
}
