// SPDX-License-Identifier: GPL-2.0-only
/* Copies from guest memory are reads as well: the linker puts this around them. */
#include "mem.h"

#include <linux/compiler.h>

int __real_pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len);
int __wrap_pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len);

int __wrap_pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len)
{
	int err = __real_pvmem_copy_from(kind, to, addr, len);

	if (!err)
		fuzz_has_read((const void *)(uintptr_t)addr, len);
	return err;
}
