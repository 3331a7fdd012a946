// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ways into guest memory by a translated address: copying a few bytes, and
 * seeing to it that pages are present before something that may not fault.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/uaccess.h>
#include <linux/unaligned.h>

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

/*
 * Headers, tables and status bytes are copied for each chain: up to that many
 * bytes in steps of their own, which cost less than a call does. Where they go to
 * and come from is bounded by who asks.
 */
#define PVMEM_SMALL	128

#define PVMEM_GET_STEPS(type, to, from, len, fault)			\
	for (; (len) >= sizeof(type); (len) -= sizeof(type)) {		\
		type v;							\
									\
		unsafe_get_user(v, (const type __user *)(from), fault);	\
		put_unaligned(v, (type *)(to));				\
		(from) += sizeof(type);					\
		(to) += sizeof(type);					\
	}

#define PVMEM_PUT_STEPS(type, to, from, len, fault)			\
	for (; (len) >= sizeof(type); (len) -= sizeof(type)) {		\
		unsafe_put_user(get_unaligned((const type *)(from)),	\
				(type __user *)(to), fault);		\
		(from) += sizeof(type);					\
		(to) += sizeof(type);					\
	}

static int pvmem_copy_from_user(void *to, const void __user *from, size_t len)
{
	if (len > PVMEM_SMALL)
		return copy_from_user(to, from, len) ? -EAGAIN : 0;
	if (!user_read_access_begin(from, len))
		return -EAGAIN;
	PVMEM_GET_STEPS(u64, to, from, len, fault);
	PVMEM_GET_STEPS(u32, to, from, len, fault);
	PVMEM_GET_STEPS(u8, to, from, len, fault);
	user_read_access_end();
	return 0;

fault:
	user_read_access_end();
	return -EAGAIN;
}

static int pvmem_copy_to_user(void __user *to, const void *from, size_t len)
{
	if (len > PVMEM_SMALL)
		return copy_to_user(to, from, len) ? -EAGAIN : 0;
	if (!user_write_access_begin(to, len))
		return -EAGAIN;
	PVMEM_PUT_STEPS(u64, to, from, len, fault);
	PVMEM_PUT_STEPS(u32, to, from, len, fault);
	PVMEM_PUT_STEPS(u8, to, from, len, fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EAGAIN;
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
		return pvmem_copy_from_user(to, u64_to_user_ptr(addr), len);
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
		return pvmem_copy_to_user(u64_to_user_ptr(addr), from, len);
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
