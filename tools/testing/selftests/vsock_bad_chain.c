// SPDX-License-Identifier: GPL-2.0-only
/* Chains that are no packets, and no room for any. */
#include <stdlib.h>
#include <unistd.h>

#include "vsock_bad.h"

#define TOO_MANY	64u
#define LEN		1000u

/* A chain that somebody may tell apart from others by its address. */
static char token;

static struct ring_seg seg(struct vsock_env *e, uint32_t len, bool write)
{
	return (struct ring_seg){
		.addr = gmem_iova(&e->g.s.mem, gmem_alloc(&e->g.s.mem, len ? len : 1, 16)),
		.len = len,
		.write = write,
	};
}

/* The chain, and something that makes the device look at it. */
static int provoke(struct vsock_env *e, unsigned int q)
{
	struct virtio_vsock_hdr h = vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_SHUTDOWN, 1, 1);

	ring_publish(&e->g.s.rings[q]);
	ring_kick(&e->g.s.rings[q]);
	if (q == VSOCK_TX)
		return 0;
	/* It is answered by a reset. */
	CHECK_OK(vsock_guest_put(&e->g, &h, NULL, 0));
	vsock_tx_flush(&e->g.tx);
	return 0;
}

/* It is used, or breaks the queue; the other connections go on after that. */
static int settle(struct vsock_env *e, unsigned int q)
{
	struct ring *r = &e->g.s.rings[q];
	int64_t end = vsock_now_ms() + VSOCK_HANG_LIMIT_MS;
	uint32_t len;

	CHECK_PASS(provoke(e, q));
	while (!ring_collect(r, &len) && !vsock_broken(&e->g.s, q)) {
		CHECK(vsock_now_ms() < end, "queue %u: neither used nor broken", q);
		usleep(500);
	}
	CHECK_PASS(bad_restart(e));
	return bad_check(e);
}

/* In a ring without anything else in it. */
static int chain(struct vsock_env *e, unsigned int q, const struct ring_seg *segs, unsigned int n)
{
	enum ring_layout layout;

	for (layout = RING_DIRECT; layout <= RING_INDIRECT; layout++) {
		if (layout == RING_INDIRECT &&
		    (!e->g.s.rings[q].max_indirect || n > SHAPE_MAX_SEGS))
			break;
		e->g.deaf = true;
		CHECK_OK(vsock_guest_restart(&e->g));
		CHECK_OK(ring_add(&e->g.s.rings[q], segs, n, layout, &token));
		e->g.deaf = false;
		CHECK_PASS(settle(e, q));
	}
	return 0;
}

/* What is sent is for writing, what is to be filled for reading; all of it, or a part. */
static int chain_direction(void *ctx)
{
	struct vsock_env *e = ctx;
	size_t mark = gmem_mark(&e->g.s.mem);
	unsigned int q, i;

	for (q = 0; q < VSOCK_QUEUES; q++) {
		for (i = 1; i < 4; i++) {
			const struct ring_seg segs[] = {
				seg(e, VSOCK_HDR_LEN, (q == VSOCK_RX) != (i & 1)),
				seg(e, LEN, (q == VSOCK_RX) != !!(i & 2)),
			};

			CHECK_PASS(chain(e, q, segs, 2));
		}
		gmem_release(&e->g.s.mem, mark);
	}
	return 0;
}

/* Beside guest memory, and over its ends. */
static int chain_outside(void *ctx)
{
	struct vsock_env *e = ctx;
	const uint64_t start = e->g.s.mem.iova, end = start + e->g.s.mem.size;
	const uint64_t bad[] = {
		0, BAD_IOVA, start - 1, end - 1, end - 100, end, ~0ull, ~0ull - LEN + 1,
	};
	unsigned int q, i;

	if (e->opts.dev.iotlb)
		SKIP("what is not mapped may still come");
	for (q = 0; q < VSOCK_QUEUES; q++) {
		for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			const struct ring_seg segs[] = {
				seg(e, VSOCK_HDR_LEN, q == VSOCK_RX),
				{ .addr = bad[i], .len = LEN, .write = q == VSOCK_RX },
			};

			CHECK_PASS(chain(e, q, segs + 1, 1));
			CHECK_PASS(chain(e, q, segs, 2));
		}
	}
	return 0;
}

/* No byte at all, or fewer than the header has, or no more. */
static int chain_short(void *ctx)
{
	static const uint32_t lens[][3] = {
		{ 0, 0, 0 }, { 1, 0, 0 }, { 43, 0, 0 }, { 20, 23, 0 }, { 44, 0, 0 }, { 20, 24, 0 },
		{ 0, 0, 43 }, { 45, 0, 0 },
	};
	struct vsock_env *e = ctx;
	unsigned int q, i, k;

	for (q = 0; q < VSOCK_QUEUES; q++) {
		for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
			struct ring_seg segs[3];

			for (k = 0; k < 3; k++)
				segs[k] = seg(e, lens[i][k], q == VSOCK_RX);
			if (!lens[i][1] && !lens[i][2])
				CHECK_PASS(chain(e, q, segs, 1));
			else
				CHECK_PASS(chain(e, q, segs, 3));
		}
	}
	return 0;
}

/* Room for a header and nothing else: data can't go by it, and doesn't get lost in it. */
static int chain_no_room(void *ctx)
{
	struct vsock_env *e = ctx;
	struct bad_target t = BAD_NO_TARGET;

	NEED_OURS(e, "it fills such buffers with headers of no data");
	CHECK_PASS(vsock_env_restart_with(e, 4, VSOCK_HDR_LEN));
	e->hostile = true;
	CHECK_PASS(bad_target(e, STREAM, &t));
	CHECK_EQ(host_send(t.p.fd, "data", 4, 0), 4);
	CHECK_PASS(vsock_env_idle(e, 50));
	CHECK_EQ(t.p.c->received, 0);
	bad_drop(&t);
	CHECK_PASS(vsock_env_close(e));
	return bad_setup(e);
}

/* More than any packet has, or more than 32 bits count. */
static int chain_long(void *ctx)
{
	static const uint32_t lens[] = { 0x1002d, 0x11000, 0x7fffffff, 0xffffffff };
	struct vsock_env *e = ctx;
	struct ring_seg segs[TOO_MANY];
	unsigned int i;

	if (e->opts.dev.iotlb)
		SKIP("what is not mapped may still come");
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		const struct ring_seg one = { .addr = e->g.s.mem.iova, .len = lens[i] };

		CHECK_PASS(chain(e, VSOCK_TX, &one, 1));
	}
	for (i = 0; i < TOO_MANY; i++)
		segs[i] = (struct ring_seg){ .addr = e->g.s.mem.iova, .len = MIB };
	return chain(e, VSOCK_TX, segs, TOO_MANY);
}

/* Many pieces of a byte each. */
static int chain_many_pieces(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int q, i, count = e->opts.dev.num;
	struct ring_seg *segs = calloc(count, sizeof(*segs));

	CHECK(segs, "out of memory");
	for (q = 0; q < VSOCK_QUEUES; q++) {
		uint64_t at = seg(e, count, false).addr;

		for (i = 0; i < count; i++)
			segs[i] = (struct ring_seg){
				.addr = at + i, .len = 1, .write = q == VSOCK_RX,
			};
		CHECK_PASS(chain(e, q, segs, count));
	}
	free(segs);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(chain_direction),
	KTAP_TEST(chain_outside),
	KTAP_TEST(chain_short),
	KTAP_TEST(chain_no_room),
	KTAP_TEST(chain_long),
	KTAP_TEST(chain_many_pieces),
};

const struct ktap_suite vsock_bad_chain_suite = {
	.name = "chains",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = bad_setup,
	.teardown = bad_teardown,
};
