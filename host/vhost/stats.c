// SPDX-License-Identifier: GPL-2.0-only
/* The counters of a queue, as a whole; to count is in the header. */
#include <linux/export.h>
#include <linux/string.h>

#include "stats.h"

static const char * const pvstats_names[PVSTATS_COUNTERS] = {
	[PVSTATS_CHAINS] = "chains",
	[PVSTATS_COMPLETED] = "completed",
	[PVSTATS_BYTES_IN] = "bytes_in",
	[PVSTATS_BYTES_OUT] = "bytes_out",
	[PVSTATS_BATCHES] = "batches",
	[PVSTATS_CALLS] = "calls",
	[PVSTATS_SUPPRESSED] = "suppressed",
	[PVSTATS_IOERR] = "errors",
	[PVSTATS_UNSUPP] = "unsupported",
	[PVSTATS_BROKEN] = "broken",
	[PVSTATS_DEPTH_MAX] = "depth_max",
	[PVSTATS_POLLED] = "polled",
};

/**
 * pvstats_name() - what users see a counter called
 * @c: the counter
 *
 * Return: its name.
 */
const char *pvstats_name(enum pvstats_counter c)
{
	return pvstats_names[c];
}
EXPORT_SYMBOL_GPL(pvstats_name);

/**
 * pvstats_init() - make counters that stand at zero
 * @s: the counters, zeroed
 */
void pvstats_init(struct pvstats *s)
{
	u64_stats_init(&s->sync);
	atomic64_set(&s->kicks, 0);
}

/**
 * pvstats_read() - copy all counters
 * @s: the counters
 * @v: the copy; each number is whole, and not all are of the same moment
 *
 * Context: any but a hard interrupt; waits for nobody.
 */
void pvstats_read(const struct pvstats *s, struct pvstats_values *v)
{
	unsigned int start, i;

	do {
		start = u64_stats_fetch_begin(&s->sync);
		for (i = 0; i < PVSTATS_COUNTERS; i++)
			v->n[i] = u64_stats_read(&s->n[i]);
		for (i = 0; i < PVSTATS_BUCKETS; i++)
			v->latency[i] = u64_stats_read(&s->latency[i]);
	} while (u64_stats_fetch_retry(&s->sync, start));
	v->kicks = atomic64_read(&s->kicks);
}
EXPORT_SYMBOL_GPL(pvstats_read);
