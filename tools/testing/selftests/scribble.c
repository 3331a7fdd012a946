// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scribble.h"

static int guard_make(struct env *e, struct gmem *m, uint64_t iova)
{
	CHECK_OK(gmem_create(m, e->opts.kind, iova, GUARD_SIZE));
	memset(m->va, CANARY_BYTE, m->size);
	return 0;
}

int scribbler_make(struct scribbler *s, struct env *e, unsigned int targets, uint32_t len)
{
	unsigned int i, n = e->b.nqueues * SCRIBBLE_DEPTH;

	memset(s, 0, sizeof(*s));
	s->e = e;
	s->targets = targets;
	s->prng.state = e->seed;
	s->reqs = calloc(n, sizeof(*s->reqs));
	CHECK(s->reqs, "out of memory");
	for (i = 0; i < n; i++)
		blk_req_init(&e->b, &s->reqs[i]);
	s->len = len;
	s->buf = gmem_alloc(&e->b.mem, SCRIBBLE_DEPTH * len, SCRIBBLE_LEN);
	CHECK_PASS(guard_make(e, &s->readonly, GUARD_IOVA));
	CHECK_PASS(guard_make(e, &s->secret, GUARD_IOVA + GUARD_SIZE));
	/* Without an IOTLB there is no memory to be read alone. */
	if (e->opts.name)
		CHECK_OK(vhost_iotlb_map(&e->b.v, s->readonly.iova, GUARD_SIZE, s->readonly.va,
					 VHOST_ACCESS_RO));
	return 0;
}

uint64_t scribble_address(struct scribbler *s, struct prng *p)
{
	const struct gmem *m = &s->e->b.mem;

	switch (prng_range(p, 0, 7)) {
	case 0:
		return prng_next(p);
	case 1:
		return m->iova + m->size - prng_range(p, 0, 2 * SCRIBBLE_LEN);
	case 2:
		return s->readonly.iova + prng_range(p, 0, GUARD_SIZE);
	case 3:
		return s->secret.iova + prng_range(p, 0, GUARD_SIZE);
	case 4:
		return (uint64_t)(uintptr_t)s->secret.va + prng_range(p, 0, GUARD_SIZE);
	case 5:
		return prng_range(p, 0, 1) ? 0 : UINT64_MAX - prng_range(p, 0, SCRIBBLE_LEN);
	default:
		return m->iova + prng_range(p, 0, m->size - 1);
	}
}

static uint32_t random_length(struct prng *p)
{
	static const uint32_t lens[] = { 0, 1, 15, 16, 17, 48, 511, 512, 513, 4096, 65535, 65536,
		65537, 0x7fffffff, 0x80000000, 0xffffffff };

	return prng_chance(p, 80) ? lens[prng_range(p, 0, 15)] : prng_next(p);
}

static void scribble_desc(struct scribbler *s, struct prng *p, struct vring_desc *d)
{
	unsigned int what = prng_range(p, 0, 15);

	if (what & 1)
		d->addr = htole64(scribble_address(s, p));
	if (what & 2)
		d->len = htole32(random_length(p));
	if (what & 4)
		d->flags = htole16(prng_chance(p, 90) ? prng_range(p, 0, 7) : prng_next(p));
	if (what & 8)
		d->next = htole16(prng_chance(p, 90) ? prng_range(p, 0, s->e->b.num) :
						       prng_next(p));
}

static void scribble_bytes(struct prng *p, void *buf, size_t len)
{
	((uint8_t *)buf)[prng_range(p, 0, len - 1)] = prng_next(p);
}

static void scribble_avail(struct scribbler *s, struct prng *p, struct ring *r)
{
	uint16_t value = prng_chance(p, 90) ? prng_range(p, 0, r->num) : prng_next(p);

	if (r->packed) {
		scribble_bytes(p, r->driver_event, sizeof(*r->driver_event));
		return;
	}
	switch (prng_range(p, 0, 5)) {
	case 0:
		r->avail->flags = htole16(prng_range(p, 0, 3));
		break;
	case 1:
		/* The event index, behind the entries. */
		r->avail->ring[r->num] = htole16(prng_next(p));
		break;
	case 2:
		if (prng_chance(p, 10))
			ring_raw_avail_idx(r, r->avail_idx + prng_range(p, 0, s->e->b.num + 1));
		break;
	default:
		r->avail->ring[prng_range(p, 0, r->num - 1)] = htole16(value);
	}
}

static void scribble_header(struct scribbler *s, struct prng *p)
{
	static const uint32_t types[] = { 0, 1, 2, 4, 8, 11, 13, 0x80000000, 0xffffffff };
	unsigned int i = prng_range(p, 0, s->e->b.nqueues * SCRIBBLE_DEPTH - 1);
	struct virtio_blk_outhdr *h = s->reqs[i].hdr;

	if (prng_chance(p, 50))
		h->type = htole32(types[prng_range(p, 0, 8)]);
	else
		h->sector = htole64(prng_chance(p, 50) ? prng_next(p) :
				    blk_capacity(&s->e->b) - prng_range(p, 0, 16));
}

void scribble_stroke(struct scribbler *s, struct prng *p)
{
	struct ring *r = &s->e->b.rings[prng_range(p, 0, s->e->b.nqueues - 1)];
	unsigned int target = 1u << prng_range(p, 0, 4);

	if (!(s->targets & target) || (target == TARGET_TABLE && !r->tables))
		return;
	if (target == TARGET_DESC)
		scribble_desc(s, p, &r->desc[prng_range(p, 0, 3 * SCRIBBLE_DEPTH) % r->num]);
	else if (target == TARGET_TABLE)
		scribble_desc(s, p, ring_table(r, prng_range(p, 0, 3 * SCRIBBLE_DEPTH) % r->num) +
				    prng_range(p, 0, 3));
	else if (target == TARGET_AVAIL)
		scribble_avail(s, p, r);
	else if (target == TARGET_HEADER)
		scribble_header(s, p);
	else
		scribble_bytes(p, r->used, r->packed ? sizeof(*r->device_event) :
			       (size_t)4 + 8 * r->num + 2);
}

static void *scribble_thread(void *arg)
{
	struct scribbler *s = arg;
	struct prng p = { s->e->seed ^ 0x5c21bb1e };

	while (!s->stop) {
		scribble_stroke(s, &p);
		s->strokes++;
		if (prng_chance(&p, 1))
			sched_yield();
	}
	return NULL;
}

int scribble_start(struct scribbler *s)
{
	CHECK_EQ(pthread_create(&s->thread, NULL, scribble_thread, s), 0);
	return 0;
}

void scribble_stop(struct scribbler *s)
{
	s->stop = true;
	pthread_join(s->thread, NULL);
}

int scribbler_check(const struct scribbler *s)
{
	CHECK_EQ(bytes_check(s->readonly.va, GUARD_SIZE, CANARY_BYTE), -1);
	CHECK_EQ(bytes_check(s->secret.va, GUARD_SIZE, CANARY_BYTE), -1);
	return 0;
}

void scribbler_free(struct scribbler *s)
{
	gmem_destroy(&s->readonly);
	gmem_destroy(&s->secret);
	free(s->reqs);
}

void scribble_submit(struct scribbler *s)
{
	struct blk *b = &s->e->b;
	unsigned int q, i;

	for (q = 0; q < b->nqueues; q++) {
		for (i = 0; i < SCRIBBLE_DEPTH; i++) {
			struct blk_req *r = &s->reqs[q * SCRIBBLE_DEPTH + i];

			blk_req_usual(r, prng_chance(&s->prng, 50), i * 8,
				      s->buf + i * SCRIBBLE_LEN, SCRIBBLE_LEN);
			if (blk_queue(b, q, r, prng_range(&s->prng, RING_DIRECT, RING_MIXED)))
				break;
		}
	}
}
