/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that make any call on a device at any moment, mostly with arguments that make sense. */
#ifndef PVIO_SELFTEST_CALLERS_H
#define PVIO_SELFTEST_CALLERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "pattern.h"
#include "vhost.h"

#define CALLERS	4u

union caller_arg {
	uint64_t raw[16];
	struct vhost_vring_state state;
	struct vhost_vring_file file;
	struct vhost_vring_addr addr;
};

struct callers_opts {
	const struct vhost *v;
	const struct ring *rings;
	unsigned int queues;
	const struct gmem *mem;
	uint64_t offered;	/* features */
	uint64_t seed;
	/* Requests of this device alone, each as often as it stands there. */
	const unsigned long *own;
	unsigned int own_count;
	/* Fills in what these take; the argument has random numbers so far. */
	void (*fill)(void *ctx, unsigned long request, struct prng *p, union caller_arg *arg);
	void *ctx;
};

struct caller {
	struct callers *all;
	struct prng prng;
	unsigned long calls, refused;
	pthread_t thread;
};

struct callers {
	struct callers_opts opts;
	struct caller one[CALLERS];
	atomic_bool stop;
};

/* Returns 0 or a negative errno. */
int callers_start(struct callers *c, const struct callers_opts *opts);
/* How many calls there were, and how many of them failed. */
void callers_stop(struct callers *c, unsigned long *calls, unsigned long *refused);

#endif
