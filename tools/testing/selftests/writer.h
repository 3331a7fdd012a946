/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that writes, over and over, to sectors of its own for each request, while whoever serves
 * it comes and goes. What is lost is a request that never ends; what is done twice is used twice,
 * which the ring tells.
 */
#ifndef PVIO_SELFTEST_WRITER_H
#define PVIO_SELFTEST_WRITER_H

#include "env.h"

#define WRITER_QUEUES	2u
#define WRITER_DEPTH	24u
#define WRITER_LEN	4096u

/*
 * struct writer - requests that are in flight again and again
 * @e: the device; it has WRITER_QUEUES queues
 * @reqs: of each queue
 * @bufs: what they write
 * @generation: of what each writes
 * @ended: requests that ended
 */
struct writer {
	struct env *e;
	struct blk_req reqs[WRITER_QUEUES][WRITER_DEPTH];
	uint8_t *bufs[WRITER_QUEUES][WRITER_DEPTH];
	uint64_t generation[WRITER_QUEUES][WRITER_DEPTH];
	unsigned long ended;
};

void writer_make(struct writer *w, struct env *e);

/* Takes what is used, and with @again writes anew in its place. */
int writer_turn(struct writer *w, bool again);

/* All that was written ends, once, and is on the store. */
int writer_end(struct writer *w);

/* Where a request writes. */
static inline uint64_t writer_sector(unsigned int q, unsigned int i)
{
	return (q * WRITER_DEPTH + i) * (WRITER_LEN / 512);
}

#endif
