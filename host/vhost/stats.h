/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_STATS_H
#define _PVIO_VHOST_STATS_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/kconfig.h>
#include <linux/minmax.h>
#include <linux/timekeeping.h>
#include <linux/u64_stats_sync.h>

/* make UNCOUNTED=1: for measuring what counting costs. */
#define PVSTATS_ON		(!__is_defined(PVIO_UNCOUNTED))

/* The first bucket is below 1024 ns; each of the others begins where that doubles. */
#define PVSTATS_BUCKETS		24
#define PVSTATS_BUCKET_SHIFT	10

/**
 * enum pvstats_counter - what a queue counts
 * @PVSTATS_CHAINS: chains that were popped
 * @PVSTATS_COMPLETED: chains that were given back
 * @PVSTATS_BYTES_IN: bytes of data written into guest memory
 * @PVSTATS_BYTES_OUT: bytes of data read from guest memory
 * @PVSTATS_BATCHES: pops that found something
 * @PVSTATS_CALLS: notifications of the driver
 * @PVSTATS_SUPPRESSED: publications that the driver wanted no notification of
 * @PVSTATS_IOERR: requests that ended in an error
 * @PVSTATS_UNSUPP: requests that are not supported
 * @PVSTATS_BROKEN: how often the queue broke
 * @PVSTATS_DEPTH_MAX: the most chains that were in flight at a time
 * @PVSTATS_POLLED: pops that found something before the driver was asked for a
 *	kick, by looking again and again
 * @PVSTATS_COUNTERS: how many there are
 */
enum pvstats_counter {
	PVSTATS_CHAINS,
	PVSTATS_COMPLETED,
	PVSTATS_BYTES_IN,
	PVSTATS_BYTES_OUT,
	PVSTATS_BATCHES,
	PVSTATS_CALLS,
	PVSTATS_SUPPRESSED,
	PVSTATS_IOERR,
	PVSTATS_UNSUPP,
	PVSTATS_BROKEN,
	PVSTATS_DEPTH_MAX,
	PVSTATS_POLLED,
	PVSTATS_COUNTERS,
};

/**
 * struct pvstats - the counters of a queue
 * @sync: lets readers see whole numbers
 * @n: by &enum pvstats_counter
 * @latency: how many chains took how long, from pop to completion
 * @kicks: how often the driver kicked, or somebody in its place
 *
 * All but @kicks is written under the queue's lock, and read at any time.
 */
struct pvstats {
	struct u64_stats_sync sync;
	u64_stats_t n[PVSTATS_COUNTERS];
	u64_stats_t latency[PVSTATS_BUCKETS];
	atomic64_t kicks;
};

/**
 * struct pvstats_values - a copy of &struct pvstats
 * @n: see there
 * @latency: see there
 * @kicks: see there
 */
struct pvstats_values {
	u64 n[PVSTATS_COUNTERS];
	u64 latency[PVSTATS_BUCKETS];
	u64 kicks;
};

/* The time, in ns of the monotonic clock, for latencies. */
static inline u64 pvstats_clock(void)
{
	return PVSTATS_ON ? ktime_get_ns() : 0;
}

static inline void pvstats_add(struct pvstats *s, enum pvstats_counter c, u64 n)
{
	if (!PVSTATS_ON)
		return;
	u64_stats_update_begin(&s->sync);
	u64_stats_add(&s->n[c], n);
	u64_stats_update_end(&s->sync);
}

static inline void pvstats_max(struct pvstats *s, enum pvstats_counter c, u64 n)
{
	if (!PVSTATS_ON || likely(n <= u64_stats_read(&s->n[c])))
		return;
	u64_stats_update_begin(&s->sync);
	u64_stats_set(&s->n[c], n);
	u64_stats_update_end(&s->sync);
}

static inline void pvstats_popped(struct pvstats *s, unsigned int chains)
{
	if (!PVSTATS_ON)
		return;
	u64_stats_update_begin(&s->sync);
	u64_stats_add(&s->n[PVSTATS_CHAINS], chains);
	u64_stats_inc(&s->n[PVSTATS_BATCHES]);
	u64_stats_update_end(&s->sync);
}

static inline void pvstats_completed(struct pvstats *s, unsigned int n, u64 ns,
				     u64 in, u64 out)
{
	unsigned int b = min_t(unsigned int, fls64(ns >> PVSTATS_BUCKET_SHIFT),
			       PVSTATS_BUCKETS - 1);

	if (!PVSTATS_ON)
		return;
	u64_stats_update_begin(&s->sync);
	u64_stats_add(&s->latency[b], n);
	u64_stats_add(&s->n[PVSTATS_COMPLETED], n);
	u64_stats_add(&s->n[PVSTATS_BYTES_IN], in);
	u64_stats_add(&s->n[PVSTATS_BYTES_OUT], out);
	u64_stats_update_end(&s->sync);
}

const char *pvstats_name(enum pvstats_counter c);
void pvstats_init(struct pvstats *s);
void pvstats_read(const struct pvstats *s, struct pvstats_values *v);

#endif
