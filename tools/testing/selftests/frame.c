// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

int frame_init(struct frame *f, struct blk *b, size_t size, struct prng *prng)
{
	memset(f, 0, sizeof(*f));
	f->b = b;
	f->prng = prng;
	f->size = size;
	f->area = gmem_alloc(&b->mem, size, 4096);
	f->shadow = malloc(size);
	f->req.mem = &b->mem;
	return f->shadow ? 0 : -ENOMEM;
}

void frame_destroy(struct frame *f)
{
	free(f->shadow);
	f->shadow = NULL;
}

void frame_begin(struct frame *f)
{
	unsigned int lane;

	memset(f->area, CANARY_BYTE, f->size);
	f->count = 0;
	for (lane = 0; lane < FRAME_LANES; lane++)
		f->lane_used[lane] = lane * (f->size / FRAME_LANES);
}

/* Room for a piece, at any address, after a gap of at least a byte. */
static uint8_t *place(struct frame *f, uint32_t len)
{
	size_t lane_size = f->size / FRAME_LANES;
	unsigned int first = prng_range(f->prng, 0, FRAME_LANES - 1), i;

	for (i = 0; i < FRAME_LANES; i++) {
		unsigned int lane = (first + i) % FRAME_LANES;
		size_t start = f->lane_used[lane] + prng_range(f->prng, 1, 40);

		if (start + len + 1 > (lane + 1) * lane_size)
			continue;
		f->lane_used[lane] = start + len;
		return f->area + start;
	}
	abort();
}

static void add_piece(struct frame *f, const uint8_t *data, uint32_t len)
{
	struct frame_piece *piece = &f->pieces[f->count++];

	if (f->count > BLK_MAX_SEGS)
		abort();
	piece->p = place(f, len);
	piece->len = len;
	piece->write = !data;
	if (data)
		memcpy(piece->p, data, len);
}

void frame_stream(struct frame *f, const void *data, uint32_t len, const uint32_t *cuts)
{
	const uint8_t *p = data;
	uint32_t off = 0;

	for (; *cuts && off + *cuts < len; off += *cuts++)
		add_piece(f, p ? p + off : NULL, *cuts);
	add_piece(f, p ? p + off : NULL, len - off);
}

void frame_stream_random(struct frame *f, const void *data, uint32_t len, unsigned int max_pieces)
{
	const uint8_t *p = data;
	uint32_t off = 0;
	unsigned int n;

	for (n = 1; n < max_pieces && len - off > 1; n++) {
		uint32_t max = prng_chance(f->prng, 50) ? 8 : len - off;
		uint32_t cut = prng_range(f->prng, 1, max);

		if (cut >= len - off)
			break;
		add_piece(f, p ? p + off : NULL, cut);
		off += cut;
	}
	add_piece(f, p ? p + off : NULL, len - off);
}

int frame_do(struct frame *f, unsigned int q, enum ring_layout layout)
{
	unsigned int i;
	int err;

	f->req.count = 0;
	f->req.done = false;
	for (i = 0; i < f->count; i++)
		blk_req_piece(&f->req, f->pieces[i].p, f->pieces[i].len, f->pieces[i].write);
	memcpy(f->shadow, f->area, f->size);
	err = blk_queue(f->b, q, &f->req, layout);
	if (err)
		return err;
	ring_flush(&f->b->rings[q]);
	return blk_wait(f->b, q, &f->req);
}

uint32_t frame_gather(const struct frame *f, void *out)
{
	uint8_t *p = out;
	unsigned int i;

	for (i = 0; i < f->count; i++) {
		if (!f->pieces[i].write)
			continue;
		memcpy(p, f->pieces[i].p, f->pieces[i].len);
		p += f->pieces[i].len;
	}
	return (uint32_t)(p - (uint8_t *)out);
}

bool frame_intact(const struct frame *f)
{
	unsigned int i;

	for (i = 0; i < f->count; i++) {
		const struct frame_piece *piece = &f->pieces[i];

		if (piece->write)
			memcpy(f->shadow + (piece->p - f->area), piece->p, piece->len);
	}
	return !memcmp(f->shadow, f->area, f->size);
}
