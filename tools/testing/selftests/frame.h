/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request cut into pieces at arbitrary places, the pieces strewn over memory without any
 * alignment, canaries between them.
 */
#ifndef PVIO_SELFTEST_FRAME_H
#define PVIO_SELFTEST_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "blk.h"
#include "pattern.h"

#define FRAME_LANES	4

struct frame_piece {
	uint8_t *p;
	uint32_t len;
	bool write;
};

struct frame {
	struct blk *b;
	struct blk_req req;
	struct prng *prng;
	uint8_t *area;
	uint8_t *shadow;	/* what the area has to look like */
	size_t size;
	size_t lane_used[FRAME_LANES];
	unsigned int count;
	struct frame_piece pieces[BLK_MAX_SEGS];
};

int frame_init(struct frame *f, struct blk *b, size_t size, struct prng *prng);
void frame_destroy(struct frame *f);

/* Starts a request without pieces. */
void frame_begin(struct frame *f);
/*
 * Appends a stream of @len bytes in pieces of the lengths @cuts, which a 0 ends; what is left
 * over becomes the last piece. @data is what the device reads, NULL where it writes.
 */
void frame_stream(struct frame *f, const void *data, uint32_t len, const uint32_t *cuts);
/* The same in at most @max_pieces pieces, cut at random. */
void frame_stream_random(struct frame *f, const void *data, uint32_t len,
			 unsigned int max_pieces);
/*
 * Submits and waits. 0 or a negative errno; the status is the last byte of what the device wrote.
 */
int frame_do(struct frame *f, unsigned int q, enum ring_layout layout);
/* Copies what the device wrote to @out and returns how much that is. */
uint32_t frame_gather(const struct frame *f, void *out);
/* Whether the device wrote nowhere but into its pieces. */
bool frame_intact(const struct frame *f);

#endif
