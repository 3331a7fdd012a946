// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of dirty pages: a bit for each page of the guest, in memory of the VMM,
 * which reads and clears it while it copies the guest to another host. A bit is
 * set when what it stands for has been written, so that whoever sees it sees
 * that as well.
 */
#include <linux/bitops.h>
#include <linux/eventfd.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vhost.h>

#include "log.h"
#include "mem.h"

/**
 * pvlog_alloc() - describe a log
 * @base: where it is in the memory of the owner; 0: there is none
 * @mem: guest memory as the owner says, or NULL
 * @event: the file of an event to be signalled, or NULL
 *
 * Context: may sleep.
 * Return: the log with one reference, or NULL without memory.
 */
struct pvlog *pvlog_alloc(u64 base, struct pvmem_table *mem,
			  struct file *event)
{
	struct pvlog *log = kzalloc(sizeof(*log), GFP_KERNEL_ACCOUNT);

	if (!log)
		return NULL;
	refcount_set(&log->ref, 1);
	log->base = base;
	log->mem = mem ? pvmem_table_get(mem) : NULL;
	log->event = event ? eventfd_ctx_fileget(event) : NULL;
	return log;
}

/**
 * pvlog_get() - take a reference
 * @log: the log
 *
 * Return: @log.
 */
struct pvlog *pvlog_get(struct pvlog *log)
{
	refcount_inc(&log->ref);
	return log;
}

/**
 * pvlog_put() - drop a reference
 * @log: the log; NULL is allowed
 *
 * Context: may sleep.
 */
void pvlog_put(struct pvlog *log)
{
	if (!log || !refcount_dec_and_test(&log->ref))
		return;

	pvmem_table_put(log->mem);
	if (log->event)
		eventfd_ctx_put(log->event);
	kfree(log);
}

/* Sets @n bits from @bit on in the page of the log that is at @addr. */
static int pvlog_set_bits(unsigned long addr, unsigned int bit, unsigned int n)
{
	struct page *page;
	void *va;

	if (pin_user_pages_fast(addr, 1, FOLL_WRITE, &page) != 1)
		return -EFAULT;

	va = kmap_local_page(page);
	/* Others clear bits of the same byte meanwhile. */
	while (n--)
		set_bit_le(bit++, va);
	kunmap_local(va);
	unpin_user_pages_dirty_lock(&page, 1, true);
	return 0;
}

/**
 * pvlog_guest() - note that guest memory was written
 * @log: the log
 * @gpa: first guest physical address
 * @len: bytes
 *
 * Context: the owner's mm; may sleep, and takes the mmap lock.
 * Return: 0, or -EFAULT where the log isn't there.
 */
int pvlog_guest(const struct pvlog *log, u64 gpa, u64 len)
{
	u64 page, last;
	int err = 0;

	if (!len)
		return 0;
	if (!log->base || gpa + len - 1 < gpa)
		return -EFAULT;

	/* What was written before the bits that say so. */
	smp_mb__before_atomic();
	last = (gpa + len - 1) / VHOST_PAGE_SIZE;
	for (page = gpa / VHOST_PAGE_SIZE; page <= last && !err;) {
		u64 addr = log->base + page / 8;
		unsigned int bit = offset_in_page(addr) * 8 + page % 8;
		unsigned int n = min_t(u64, last - page + 1,
				       PAGE_SIZE * 8 - bit);

		if (addr < log->base || addr != (unsigned long)addr)
			return -EFAULT;
		err = pvlog_set_bits(addr & PAGE_MASK, bit, n);
		page += n;
		cond_resched();
		/* All of a guest's memory takes its time. */
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return err;
}

/**
 * pvlog_popped() - note that a piece of a chain was written
 * @log: the log
 * @gpa: its first guest physical address when it was popped
 * @len: bytes
 *
 * What the owner has taken from the guest since then is noted no more: his log is as long as
 * the memory that there is now, and what lies behind it is not for the guest to write.
 *
 * Context: as for pvlog_guest().
 * Return: 0, or -EFAULT where the log isn't there.
 */
int pvlog_popped(const struct pvlog *log, u64 gpa, u64 len)
{
	const struct pvmem_table *t = log->mem;
	int err = log->base ? 0 : -EFAULT;
	unsigned int i;

	for (i = 0; len && t && i < t->nregions && !err; i++) {
		u64 from = max(gpa, t->region[i].start);
		u64 last = min(gpa + len - 1, t->region[i].last);

		if (from <= last)
			err = pvlog_guest(log, from, last - from + 1);
	}
	return err;
}

/* Notes a piece of the owner's memory that lies in one piece in each region. */
static int pvlog_user_piece(const struct pvlog *log, u64 addr, u64 len)
{
	const struct pvmem_table *t = log->mem;
	unsigned int i;
	int err = 0;

	for (i = 0; i < t->nregions && !err; i++) {
		const struct pvmem_region *r = &t->region[i];
		u64 off = addr - r->addr;

		if (addr >= r->addr && off <= r->last - r->start)
			err = pvlog_guest(log, r->start + off, len);
	}
	return err;
}

/* How far what a region is, or isn't, goes on from an address; 0: nothing is there. */
static u64 pvlog_user_extent(const struct pvmem_table *t, u64 addr, u64 len)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i < t->nregions; i++) {
		const struct pvmem_region *r = &t->region[i];
		u64 size = r->last - r->start + 1, off = addr - r->addr;

		if (addr < r->addr) {
			len = min(len, r->addr - addr);
		} else if (off < size) {
			len = min(len, size - off);
			found = true;
		}
	}
	return found ? len : 0;
}

/**
 * pvlog_user() - note that memory of the owner was written that is guest memory
 * @log: the log
 * @addr: its first address in the owner
 * @len: bytes
 *
 * The guest may see it at more than one address.
 *
 * Context: as for pvlog_guest().
 * Return: 0; -EFAULT where the log isn't there, -ENOENT where no guest memory
 * is known to be.
 */
int pvlog_user(const struct pvlog *log, u64 addr, u64 len)
{
	int err = 0;

	if (!log->mem)
		return -ENOENT;
	while (len && !err) {
		u64 part = pvlog_user_extent(log->mem, addr, len);

		if (!part)
			return -ENOENT;
		err = pvlog_user_piece(log, addr, part);
		addr += part;
		len -= part;
	}
	return err;
}

/**
 * pvlog_all() - note that any of guest memory may have been written
 * @log: the log
 *
 * Context: as for pvlog_guest().
 * Return: 0, or -EFAULT where the log isn't there.
 */
int pvlog_all(const struct pvlog *log)
{
	const struct pvmem_table *t = log->mem;
	unsigned int i;
	int err = 0;

	for (i = 0; t && i < t->nregions && !err; i++)
		err = pvlog_guest(log, t->region[i].start,
				  t->region[i].last - t->region[i].start + 1);
	return err;
}
