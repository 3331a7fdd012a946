// SPDX-License-Identifier: GPL-2.0-only
#include "shape.h"

static uint32_t piece(struct prng *p, enum shape how, const struct shape_buf *b, uint32_t left,
		      unsigned int count)
{
	uint32_t len = left;

	if (how == SHAPE_SPLIT && !count && left > b->hdr_len)
		len = b->hdr_len;
	if (how == SHAPE_TORN && count + 1 < SHAPE_MAX_SEGS)
		len = prng_range(p, 1, count < 3 ? 7 : left);
	return len < left ? len : left;
}

static unsigned int cut(struct prng *p, enum shape how, const struct shape_buf *b,
			struct ring_seg *segs)
{
	uint32_t left = b->len, at = 0;
	unsigned int count;

	for (count = 0; left; count++) {
		uint32_t len = piece(p, how, b, left, count);

		segs[count] = (struct ring_seg){
			.addr = b->addr + at, .len = len, .write = b->write,
		};
		at += len;
		left -= len;
	}
	return count;
}

static enum ring_layout choose_layout(const struct ring *r, struct prng *p, enum shape shape)
{
	if (!r->max_indirect)
		return RING_DIRECT;
	if (shape == SHAPE_TORN)
		return RING_INDIRECT;
	return shape == SHAPE_ANY ? prng_range(p, RING_DIRECT, RING_MIXED) : RING_DIRECT;
}

int shape_add(struct ring *r, struct prng *p, enum shape shape, const struct shape_buf *b,
	      void *token)
{
	enum ring_layout layout = choose_layout(r, p, shape);
	struct ring_seg segs[SHAPE_MAX_SEGS];

	if (shape == SHAPE_ANY)
		shape = prng_range(p, SHAPE_WHOLE, SHAPE_TORN);
	/* A table that follows another descriptor has something in it. */
	if (layout == RING_MIXED && shape == SHAPE_WHOLE)
		layout = RING_INDIRECT;
	return ring_add(r, segs, cut(p, shape, b, segs), layout, token);
}
