// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "writer.h"

void writer_make(struct writer *w, struct env *e)
{
	unsigned int q, i;

	memset(w, 0, sizeof(*w));
	w->e = e;
	for (q = 0; q < WRITER_QUEUES; q++) {
		for (i = 0; i < WRITER_DEPTH; i++) {
			blk_req_init(&e->b, &w->reqs[q][i]);
			w->reqs[q][i].done = true;
			w->bufs[q][i] = gmem_alloc(&e->b.mem, WRITER_LEN, WRITER_LEN);
		}
	}
}

static int writer_write(struct writer *w, unsigned int q, unsigned int i)
{
	struct blk_req *r = &w->reqs[q][i];

	w->generation[q][i]++;
	pattern_fill(w->bufs[q][i], WRITER_LEN, writer_sector(q, i), w->generation[q][i]);
	blk_req_usual(r, VIRTIO_BLK_T_OUT, writer_sector(q, i), w->bufs[q][i], WRITER_LEN);
	CHECK_OK(blk_queue(&w->e->b, q, r, i % 2 ? RING_INDIRECT : RING_DIRECT));
	return 0;
}

int writer_turn(struct writer *w, bool again)
{
	unsigned int q, i;

	for (q = 0; q < WRITER_QUEUES; q++) {
		int n = blk_collect(&w->e->b, q);

		CHECK(n >= 0, "queue %u used what was not in flight", q);
		w->ended += n;
		for (i = 0; i < WRITER_DEPTH; i++) {
			struct blk_req *r = &w->reqs[q][i];

			if (!r->done)
				continue;
			if (w->generation[q][i])
				CHECK_EQ(*r->status, VIRTIO_BLK_S_OK);
			if (again)
				CHECK_PASS(writer_write(w, q, i));
		}
		ring_flush(&w->e->b.rings[q]);
	}
	return 0;
}

int writer_end(struct writer *w)
{
	unsigned int q, i;

	for (q = 0; q < WRITER_QUEUES; q++) {
		CHECK_OK(blk_drain(&w->e->b, q));
		for (i = 0; i < WRITER_DEPTH; i++) {
			CHECK(w->reqs[q][i].done, "request %u of queue %u is lost", i, q);
			CHECK_EQ(*w->reqs[q][i].status, VIRTIO_BLK_S_OK);
			CHECK_PASS(env_store_check(w->e, writer_sector(q, i), WRITER_LEN,
						   w->generation[q][i]));
		}
	}
	return 0;
}
