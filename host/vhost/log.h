/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_LOG_H
#define _PVIO_VHOST_LOG_H

#include <linux/refcount.h>
#include <linux/types.h>

struct eventfd_ctx;
struct file;
struct pvmem_table;

/**
 * struct pvlog - where pages are noted that were written; never changes
 * @ref: one for each queue that has it, and whoever made it
 * @base: where it is in the owner's memory: a bit for each page of
 *	VHOST_PAGE_SIZE, by guest physical address; 0: nowhere
 * @mem: guest physical addresses by where they are in the owner; NULL: nothing is known
 * @event: signalled when something was noted; NULL: it isn't
 */
struct pvlog {
	refcount_t ref;
	u64 base;
	struct pvmem_table *mem;
	struct eventfd_ctx *event;
};

struct pvlog *pvlog_alloc(u64 base, struct pvmem_table *mem,
			  struct file *event);
struct pvlog *pvlog_get(struct pvlog *log);
void pvlog_put(struct pvlog *log);
int pvlog_guest(const struct pvlog *log, u64 gpa, u64 len);
int pvlog_popped(const struct pvlog *log, u64 gpa, u64 len);
int pvlog_user(const struct pvlog *log, u64 addr, u64 len);
int pvlog_all(const struct pvlog *log);

#endif
