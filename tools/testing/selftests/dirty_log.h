/* SPDX-License-Identifier: GPL-2.0-only */
/* The log of the pages that a device writes, and a copy of memory that follows it. */
#ifndef PVIO_SELFTEST_DIRTY_LOG_H
#define PVIO_SELFTEST_DIRTY_LOG_H

#include "ktap.h"
#include "vhost.h"

struct dirty_log {
	const struct gmem *mem;
	size_t size;
	uint8_t *log;
	uint8_t *copy;	/* of guest memory */
};

/* For a device whose memory and features are set; hands it the log. */
int dirty_log_open(struct dirty_log *d, const struct vhost *v, const struct gmem *mem);
void dirty_log_close(struct dirty_log *d);

/* Says where the ring is for the log, too. */
int dirty_log_place(const struct dirty_log *d, const struct vhost *v, unsigned int queue,
		    const struct ring *r, bool iotlb);
/* Nothing is dirty, and the copy is as memory is. */
void dirty_log_clean(struct dirty_log *d);
/*
 * Page by page: what has changed is in the log, and nothing is there that @may_write denies.
 * Says how many have changed.
 */
int dirty_log_check(const struct dirty_log *d, bool (*may_write)(const void *ctx, uint64_t iova),
		    const void *ctx, unsigned int *changed);
/* Takes what the log says by now, and copies those pages. Returns how many. */
unsigned int dirty_log_follow(struct dirty_log *d);
/* A part of memory is the same in the copy. */
int dirty_log_same(const struct dirty_log *d, const void *p, size_t len, const char *what);
/* A ring, as far as a device writes it. */
bool dirty_log_in_ring(const struct ring *r, uint64_t iova);

#endif
