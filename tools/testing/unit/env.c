// SPDX-License-Identifier: GPL-2.0-only
/* What the engine calls, for plain memory, with failures on demand. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bug.h>
#include <linux/slab.h>

#include "mem.h"
#include "unit.h"

unsigned int unit_warnings;
bool unit_warnings_expected;
unsigned long unit_allocs;
long unit_alloc_countdown = -1;
long unit_fault_countdown = -1;
long unit_store_countdown;

static bool unit_fails(long *countdown)
{
	return *countdown >= 0 && !(*countdown)--;
}

void *kzalloc(size_t size, gfp_t gfp)
{
	void *p;

	(void)gfp;
	if (unit_fails(&unit_alloc_countdown) || size > INT_MAX)
		return NULL;

	/* An allocation of size 0 is none, and not NULL, in the kernel. */
	p = calloc(1, size ?: 1);
	if (p)
		unit_allocs++;
	return p;
}

void kfree(const void *p)
{
	if (p)
		unit_allocs--;
	free((void *)p);
}

bool unit_heal(void)
{
	bool ok = !unit_warnings || unit_warnings_expected;

	unit_warnings = 0;
	unit_warnings_expected = false;
	unit_alloc_countdown = -1;
	unit_fault_countdown = -1;
	unit_store_countdown = 0;
	return ok;
}

int pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len)
{
	if (WARN_ON(kind != PVMEM_KERN))
		return -EINVAL;
	if (unit_fails(&unit_fault_countdown))
		return -EAGAIN;

	memcpy(to, (const void *)(uintptr_t)addr, len);
	return 0;
}

/* Pages belong to tables of physical addresses. */
void pvmem_pages_put(struct pvmem_pages *pages)
{
	WARN_ON(pages);
}
