/* SPDX-License-Identifier: GPL-2.0-only */
/* What a benchmark prints of a run: costs of one piece of work, and events for a thousand. */
#ifndef PVIO_CLIENT_BENCH_TOLD_H
#define PVIO_CLIENT_BENCH_TOLD_H

#include "cost.h"
#include "ring.h"

/* From now on; of process @pid, as cost_read() has it. Returns 0 or a negative errno. */
int bench_begin(struct cost *before, pid_t pid, struct ring *rings, unsigned int queues);
/* Until now, for so many pieces; likewise. */
int bench_tell_costs(const struct cost *before, pid_t pid, unsigned int pieces);
/* A number of events. */
void bench_tell(const char *name, uint64_t events, unsigned int pieces);
void bench_tell_events(struct ring *rings, unsigned int queues, unsigned int pieces);

#endif
