/* SPDX-License-Identifier: GPL-2.0-only */
/* A driver that changes all that it shares with a device, at any time. */
#ifndef PVIO_SELFTEST_RING_SCRIBBLE_H
#define PVIO_SELFTEST_RING_SCRIBBLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "pattern.h"
#include "ring.h"

enum scribble_target {
	SCRIBBLE_BUFFERS	= 1,	/* headers and data */
	SCRIBBLE_DESCS		= 2,	/* of the ring, and tables */
	SCRIBBLE_INDICES	= 4,
	SCRIBBLE_ALL		= 7,
};

struct ring_scribbler {
	const struct ring *rings;
	unsigned int queues;
	const struct gmem *mem;
	unsigned int hdr_len;
	/* Any buffer, of more than 200 bytes. */
	uint8_t *(*buffer)(void *ctx, struct prng *p);
	void *ctx;
	unsigned int targets;
	struct prng prng;
	atomic_bool stop;
	atomic_ulong strokes;
	pthread_t thread;
};

/* In a thread. Returns 0 or a negative errno. */
int ring_scribble_start(struct ring_scribbler *s, uint64_t seed);
/* Returns how many strokes there were. */
unsigned long ring_scribble_stop(struct ring_scribbler *s);

#endif
