/* SPDX-License-Identifier: GPL-2.0-only */
/* Rubbish: a guest that fills rings, tables and headers at random. */
#ifndef PVIO_SELFTEST_SCRIBBLE_H
#define PVIO_SELFTEST_SCRIBBLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "env.h"

#define SCRIBBLE_LEN	4096u
#define SCRIBBLE_DEPTH	16u
#define GUARD_IOVA	0x300000000ull
#define GUARD_SIZE	(1 * MIB)

enum target {
	TARGET_DESC	= 0x01,
	TARGET_TABLE	= 0x02,
	TARGET_AVAIL	= 0x04,
	TARGET_HEADER	= 0x08,
	TARGET_USED	= 0x10,
	TARGET_ALL	= 0x1f,
};

struct scribbler {
	struct env *e;
	struct prng prng;
	unsigned int targets;
	struct gmem readonly;	/* mapped for reading alone */
	struct gmem secret;	/* not mapped */
	struct blk_req *reqs;	/* SCRIBBLE_DEPTH for each queue */
	uint8_t *buf;		/* SCRIBBLE_DEPTH of @len */
	uint32_t len;
	atomic_bool stop;
	atomic_ulong strokes;
	unsigned int resets;
	pthread_t thread;
};

int scribbler_make(struct scribbler *s, struct env *e, unsigned int targets, uint32_t len);
void scribbler_free(struct scribbler *s);
/* The guards are as they were made. */
int scribbler_check(const struct scribbler *s);

/* An address that is likely to be near something. */
uint64_t scribble_address(struct scribbler *s, struct prng *p);
/* Overwrites something; a thread does so until it is told to stop. */
void scribble_stroke(struct scribbler *s, struct prng *p);
int scribble_start(struct scribbler *s);
void scribble_stop(struct scribbler *s);

/* Good requests on every queue, as far as there is room. */
void scribble_submit(struct scribbler *s);

#endif
