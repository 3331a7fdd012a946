// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "bench_told.h"

int bench_begin(struct cost *before, pid_t pid, struct ring *rings, unsigned int queues)
{
	unsigned int q;

	for (q = 0; q < queues; q++) {
		ring_take_calls(&rings[q]);
		rings[q].kicks = 0;
		rings[q].calls = 0;
	}
	return cost_read(before, pid);
}

static void tell_cost(const char *name, uint64_t before, uint64_t after, unsigned int pieces)
{
	printf("%s %llu\n", name, (unsigned long long)(after - before) / pieces);
}

int bench_tell_costs(const struct cost *before, pid_t pid, unsigned int pieces)
{
	struct cost after;
	int err = cost_read(&after, pid);

	if (err)
		return err;
	tell_cost("backend", before->backend, after.backend, pieces);
	tell_cost("kernel", before->kernel, after.kernel, pieces);
	tell_cost("machine", before->machine, after.machine, pieces);
	return 0;
}

void bench_tell(const char *name, uint64_t events, unsigned int pieces)
{
	printf("%s %.3f\n", name, events * 1000.0 / pieces);
}

void bench_tell_events(struct ring *rings, unsigned int queues, unsigned int pieces)
{
	uint64_t kicks = 0, calls = 0;
	unsigned int q;

	for (q = 0; q < queues; q++) {
		ring_take_calls(&rings[q]);
		kicks += rings[q].kicks;
		calls += rings[q].calls;
	}
	bench_tell("kicks", kicks, pieces);
	bench_tell("calls", calls, pieces);
}
