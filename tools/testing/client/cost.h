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
	uint64_t machine;	/* of all threads there are, in ns */
	uint64_t clock;		/* ns that went by */
};

/*
 * What a thread does between waking another one and giving way to it the scheduler puts down to
 * that one. After this the process's own threads, but those that vhost made, don't interrupt
 * whom they are woken by. Returns 0 or a negative errno.
 */
int cost_settle(void);

/*
 * Of process @pid; of its own, where that is 0: there only threads that vhost made for its queues
 * count. Returns 0, or a negative errno; -ESRCH where no such thread was found.
 */
int cost_read(struct cost *c, pid_t pid);

/* What the calling thread has run, in ns, and what it costs to ask. */
uint64_t cost_of_thread(void);

/*
 * What the kernel takes to copy @bytes, up to 64 KiB, from a process, in ns; to one it does the
 * same. Found by a call that copies a value of any length and then finds no use for it: of two
 * lengths for which it allocates the same.
 */
uint64_t cost_of_copy(uint64_t bytes);

#endif
