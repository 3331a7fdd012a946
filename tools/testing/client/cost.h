/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What threads have run, by the scheduler's accounts. Where a machine counts instructions, ns are
 * those.
 */
#ifndef PVIO_CLIENT_COST_H
#define PVIO_CLIENT_COST_H

#include <stdint.h>
#include <sys/types.h>

struct cost {
	uint64_t backend;	/* of the threads that serve queues, in ns */
	uint64_t kernel;	/* of kernel workers and softirq threads, in ns */
	uint64_t clock;		/* ns that went by */
};

/*
 * Of process @pid; of its own, where that is 0: there only threads that vhost made for its queues
 * count. Returns 0, or a negative errno; -ESRCH where no such thread was found.
 */
int cost_read(struct cost *c, pid_t pid);

#endif
