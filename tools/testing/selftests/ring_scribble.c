// SPDX-License-Identifier: GPL-2.0-only
#include "ring_scribble.h"

#define PAGE	4096u

static void stroke_buffer(struct ring_scribbler *s)
{
	volatile uint8_t *p = s->buffer(s->ctx, &s->prng);

	p[prng_range(&s->prng, 0, prng_chance(&s->prng, 80) ? s->hdr_len : 200)] =
		prng_next(&s->prng);
}

/* Addresses and lengths, flags, links: near what is right, or not. */
static void stroke_desc(struct ring_scribbler *s)
{
	const struct ring *r = &s->rings[prng_range(&s->prng, 0, s->queues - 1)];
	struct vring_desc *d = &r->desc[prng_range(&s->prng, 0, r->num - 1)];

	if (r->tables && prng_chance(&s->prng, 50))
		d = ring_table(r, prng_range(&s->prng, 0, r->num - 1)) +
		    prng_range(&s->prng, 0, r->max_indirect - 1);
	switch (prng_range(&s->prng, 0, 3)) {
	case 0:
		((volatile struct vring_desc *)d)->addr = s->mem->iova +
			prng_range(&s->prng, 0, s->mem->size + PAGE);
		break;
	case 1:
		((volatile struct vring_desc *)d)->len =
			prng_chance(&s->prng, 90) ? prng_range(&s->prng, 0, 2000) :
						    prng_next(&s->prng);
		break;
	case 2:
		((volatile struct vring_desc *)d)->flags = prng_next(&s->prng);
		break;
	case 3:
		((volatile struct vring_desc *)d)->next = prng_range(&s->prng, 0, r->num);
		break;
	}
}

static void stroke_index(struct ring_scribbler *s)
{
	const struct ring *r = &s->rings[prng_range(&s->prng, 0, s->queues - 1)];
	volatile uint16_t *p = (volatile uint16_t *)r->avail;

	p[prng_range(&s->prng, 0, r->packed ? 1 : r->num + 2)] = prng_next(&s->prng);
}

static void *scribble(void *arg)
{
	struct ring_scribbler *s = arg;

	while (!s->stop) {
		if (s->targets & SCRIBBLE_BUFFERS)
			stroke_buffer(s);
		if (s->targets & SCRIBBLE_DESCS)
			stroke_desc(s);
		if (s->targets & SCRIBBLE_INDICES && prng_chance(&s->prng, 5))
			stroke_index(s);
		s->strokes++;
	}
	return NULL;
}

int ring_scribble_start(struct ring_scribbler *s, uint64_t seed)
{
	s->prng.state = seed;
	s->stop = false;
	s->strokes = 0;
	return -pthread_create(&s->thread, NULL, scribble, s);
}

unsigned long ring_scribble_stop(struct ring_scribbler *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
	return s->strokes;
}
