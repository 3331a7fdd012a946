// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event descriptors that arrive as bare pointers: a bus driver passes on what
 * a VMM gave it, and drops its reference before it takes it back from us.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/fdtable.h>
#include <linux/sched.h>

#include "dev.h"

/**
 * struct pvdev_event_search - what iterate_fd() looks for
 * @want: the pointer
 * @got: the reference
 */
struct pvdev_event_search {
	const struct eventfd_ctx *want;
	struct eventfd_ctx *got;
};

static int pvdev_event_match(const void *arg, struct file *file,
			     unsigned int fd)
{
	struct pvdev_event_search *s = (void *)arg;
	struct eventfd_ctx *ctx = eventfd_ctx_fileget(file);

	if (IS_ERR(ctx))
		return 0;
	if (ctx != s->want) {
		eventfd_ctx_put(ctx);
		return 0;
	}
	s->got = ctx;
	return 1;
}

/**
 * pvdev_event_get() - take a reference to an event of the calling process
 * @event: the event, of which one of the process's descriptors is; it is only
 *	compared, and may be gone
 *
 * Context: may sleep; a system call of the owner.
 * Return: the reference, or NULL where no descriptor is of it any more.
 */
struct eventfd_ctx *pvdev_event_get(const struct eventfd_ctx *event)
{
	struct pvdev_event_search s = { .want = event };

	iterate_fd(current->files, 0, pvdev_event_match, &s);
	return s.got;
}
EXPORT_SYMBOL_GPL(pvdev_event_get);
