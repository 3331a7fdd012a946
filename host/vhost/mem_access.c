// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways into guest memory by a translated address: copying a few bytes, and
 * seeing to it that pages are present before something that may not fault.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "mem.h"

static int pvmem_copy_phys(u64 addr, void *buf, u32 len, bool write)
{
	while (len) {
		unsigned long pfn = PHYS_PFN(addr);
		u32 off = offset_in_page(addr);
		u32 part = min_t(u32, len, PAGE_SIZE - off);
		void *va;

		/* Only an identity region can name a frame that has no page. */
		if (unlikely(!pfn_valid(pfn)))
			return -EFAULT;

		va = kmap_local_page(pfn_to_page(pfn));
		if (write)
			memcpy(va + off, buf, part);
		else
			memcpy(buf, va + off, part);
		kunmap_local(va);

		addr += part;
		buf += part;
		len -= part;
	}
	return 0;
}

/**
 * pvmem_copy_from() - copy a piece of guest memory into the kernel
 * @kind: what @addr means
 * @to: the kernel's copy
 * @addr: a translated address, @len bytes of which lie in one region
 * @len: bytes
 *
 * Context: any, with page faults disabled in the caller where it may not
 * sleep; PVMEM_USER needs the owner's mm.
 * Return: 0, or -EAGAIN where user memory is not present: pvmem_fault_in()
 * tells whether it can be; -EFAULT where there is no memory.
 */
int pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len)
{
	switch (kind) {
	case PVMEM_USER:
		return copy_from_user(to, u64_to_user_ptr(addr), len) ?
		       -EAGAIN : 0;
	case PVMEM_PHYS:
		return pvmem_copy_phys(addr, to, len, false);
	case PVMEM_KERN:
		memcpy(to, (const void *)(unsigned long)addr, len);
		return 0;
	}
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(pvmem_copy_from);

/**
 * pvmem_copy_to() - copy from the kernel into guest memory
 * @kind: what @addr means
 * @addr: a translated address, @len bytes of which lie in one region
 * @from: the kernel's copy
 * @len: bytes
 *
 * Context: as for pvmem_copy_from().
 * Return: as for pvmem_copy_from().
 */
int pvmem_copy_to(enum pvmem_kind kind, u64 addr, const void *from, u32 len)
{
	switch (kind) {
	case PVMEM_USER:
		return copy_to_user(u64_to_user_ptr(addr), from, len) ?
		       -EAGAIN : 0;
	case PVMEM_PHYS:
		return pvmem_copy_phys(addr, (void *)from, len, true);
	case PVMEM_KERN:
		memcpy((void *)(unsigned long)addr, from, len);
		return 0;
	}
	return -EINVAL;
}
EXPORT_SYMBOL_GPL(pvmem_copy_to);

/**
 * pvmem_fault_in() - make user memory present
 * @addr: first byte, in the current mm
 * @len: bytes
 * @write: it is about to be written
 *
 * What is present can be gone again when this returns: the caller tries again,
 * with a bound.
 *
 * Context: may sleep, takes the mmap lock; no lock may be held under which
 * memory tables are replaced.
 * Return: 0, or -EFAULT where the memory can't be had.
 */
int pvmem_fault_in(unsigned long addr, size_t len, bool write)
{
	unsigned long end = PAGE_ALIGN(addr + len);
	unsigned int flags = write ? FOLL_WRITE : 0;
	struct page *page;

	for (addr &= PAGE_MASK; addr < end; addr += PAGE_SIZE) {
		if (pin_user_pages_fast(addr, 1, flags, &page) != 1)
			return -EFAULT;
		unpin_user_page(page);
	}
	return 0;
}
EXPORT_SYMBOL_GPL(pvmem_fault_in);
