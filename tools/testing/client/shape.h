/* SPDX-License-Identifier: GPL-2.0-only */
/* How a buffer is cut into descriptors, and where these lie: whatever a driver may do. */
#ifndef PVIO_CLIENT_SHAPE_H
#define PVIO_CLIENT_SHAPE_H

#include "pattern.h"
#include "ring.h"

/* Entries of a head's table. */
#define SHAPE_MAX_SEGS	24u

enum shape {
	SHAPE_WHOLE,	/* one */
	SHAPE_SPLIT,	/* the header, and the rest */
	SHAPE_TORN,	/* many of odd sizes, the header among them */
	SHAPE_ANY,	/* any of these, in the ring or in a table */
};

/* A buffer of @len bytes, a header of @hdr_len first. */
struct shape_buf {
	uint64_t addr;
	uint32_t len;
	uint32_t hdr_len;
	bool write;	/* by the device */
};

/* Adds it to the ring as ring_add() does, which says what is returned. */
int shape_add(struct ring *r, struct prng *p, enum shape shape, const struct shape_buf *b,
	      void *token);

#endif
