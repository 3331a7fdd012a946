// SPDX-License-Identifier: GPL-2.0-only
/* Chains that are no frames and no buffers for any, in rings of either format. */
#include <stdlib.h>
#include <unistd.h>

#include "kmsg.h"
#include "net_bad.h"

#define TOO_MANY	64u

/* A chain that somebody may tell apart from others by its address. */
static char token;

static uint8_t *room(struct net_env *e, uint32_t len)
{
	return gmem_alloc(&e->n.mem, len, 16);
}

static struct ring_seg seg(struct net_env *e, uint32_t len, bool write)
{
	return (struct ring_seg){
		.addr = gmem_iova(&e->n.mem, room(e, len ? len : 1)),
		.len = len,
		.write = write,
	};
}

static int add(struct net_env *e, unsigned int q, const struct ring_seg *segs, unsigned int n,
	       enum ring_layout layout)
{
	CHECK_OK(ring_add(&e->n.rings[q], segs, n, layout, &token));
	ring_publish(&e->n.rings[q]);
	return 0;
}

static int broken_by(struct net_env *e, unsigned int q, const struct ring_seg *segs, unsigned int n)
{
	CHECK_PASS(add(e, q, segs, n, RING_DIRECT));
	CHECK_PASS(bad_expect_broken(e, q));
	if (!e->n.rings[q].max_indirect)
		return 0;
	CHECK_PASS(add(e, q, segs, n, RING_INDIRECT));
	return bad_expect_broken(e, q);
}

/* What is to be sent is for writing, what is to be filled for reading; all of it, or a part. */
static int chain_direction(void *ctx)
{
	struct net_env *e = ctx;
	size_t mark = gmem_mark(&e->n.mem);
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 1; i < 4; i++) {
			const struct ring_seg segs[] = {
				seg(e, 100, (q == NET_RX) != (i & 1)),
				seg(e, 1400, (q == NET_RX) != !!(i & 2)),
			};

			/* Readable ones come first. */
			if (segs[0].write && !segs[1].write)
				continue;
			CHECK_PASS(broken_by(e, q, segs, 2));
		}
		gmem_release(&e->n.mem, mark);
	}
	return 0;
}

/* Writable before readable: what no driver may do. */
static int chain_out_of_order(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int q;

	for (q = 0; q < NET_QUEUES; q++) {
		const struct ring_seg segs[] = { seg(e, 100, true), seg(e, 1400, false) };

		CHECK_PASS(broken_by(e, q, segs, 2));
	}
	return 0;
}

/* Beside guest memory, and over its ends. */
static int chain_outside(void *ctx)
{
	struct net_env *e = ctx;
	const uint64_t start = e->n.mem.iova, end = start + e->n.mem.size;
	const uint64_t bad[] = {
		0, BAD_IOVA, start - 1, start - 1500, end - 1, end - 1000, end, ~0ull,
		~0ull - 1499, ~0ull - 100, (uintptr_t)e->n.mem.va,
	};
	unsigned int q, i;

	if (e->opts.iotlb)
		SKIP("what is not mapped may still come");
	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
			const struct ring_seg segs[] = {
				seg(e, 100, q == NET_RX),
				{ .addr = bad[i], .len = 1500, .write = q == NET_RX },
			};

			CHECK_PASS(broken_by(e, q, segs + 1, 1));
			CHECK_PASS(broken_by(e, q, segs, 2));
		}
	}
	return 0;
}

static int chain_any(struct net_env *e, unsigned int q, const uint32_t *lens, unsigned int n)
{
	struct ring_seg segs[4];
	unsigned int i;

	for (i = 0; i < n; i++)
		segs[i] = seg(e, lens[i], q == NET_RX);
	CHECK_PASS(add(e, q, segs, n, RING_DIRECT));
	return bad_expect_any(e, q);
}

/* No byte at all, or fewer than the header has, or no more. */
static int chain_short(void *ctx)
{
	static const uint32_t lens[][3] = {
		{ 0, 0, 0 }, { 1, 0, 0 }, { 9, 0, 0 }, { 5, 4, 0 }, { 10, 0, 0 }, { 11, 0, 0 },
		{ 12, 0, 0 }, { 12, 1, 0 }, { 12, 13, 0 }, { 0, 0, 12 },
	};
	struct net_env *e = ctx;
	unsigned int i, n;

	/* The peer tries such a frame for ever. */
	NEED_OURS(e);
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		for (n = 1; n <= 3; n += 2)
			CHECK_PASS(chain_any(e, NET_TX, lens[i], n));
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++)
		CHECK_PASS(chain_any(e, NET_RX, lens[i], 3));
	return 0;
}

/* More than any frame has, or more than 32 bits count. */
static int chain_long(void *ctx)
{
	static const uint32_t lens[] = { 0x10000, 0x11000, 0x7fffffff, 0xffffffff };
	struct net_env *e = ctx;
	unsigned int i, k;
	struct ring_seg segs[TOO_MANY];

	if (e->opts.iotlb)
		SKIP("what is not mapped may still come");
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		const struct ring_seg one = {
			.addr = e->n.mem.iova, .len = lens[i],
		};

		CHECK_PASS(add(e, NET_TX, &one, 1, RING_DIRECT));
		CHECK_PASS(bad_expect_any(e, NET_TX));
	}
	/* The same bytes over and over: 64 MiB, which the peer tries for ever. */
	NEED_OURS(e);
	for (k = 0; k < TOO_MANY; k++)
		segs[k] = (struct ring_seg){ .addr = e->n.mem.iova, .len = MIB };
	CHECK_PASS(add(e, NET_TX, segs, TOO_MANY, RING_DIRECT));
	return bad_expect_any(e, NET_TX);
}

/* Many pieces of a frame, of a byte each; it arrives, or breaks the queue, but harms nobody. */
static int chain_many_pieces(void *ctx)
{
	struct net_env *e = ctx;
	struct ring_seg *segs = calloc(e->opts.num, sizeof(*segs));
	unsigned int q, i;

	CHECK(segs, "out of memory");
	for (q = 0; q < NET_QUEUES; q++) {
		uint64_t at = gmem_iova(&e->n.mem, room(e, e->opts.num));

		for (i = 0; i < e->opts.num; i++)
			segs[i] = (struct ring_seg){
				.addr = at + i, .len = 1, .write = q == NET_RX,
			};
		CHECK_PASS(add(e, q, segs, e->opts.num, RING_DIRECT));
		CHECK_PASS(bad_expect_any(e, q));
	}
	free(segs);
	return 0;
}

static int break_once(struct net_env *e)
{
	const struct ring_seg bad = { .addr = BAD_IOVA, .len = 100 };

	CHECK_PASS(add(e, NET_TX, &bad, 1, RING_DIRECT));
	ring_kick(&e->n.rings[NET_TX]);
	CHECK(net_wait_broken(&e->n, NET_TX), "it doesn't break");
	return net_env_restart(e);
}

/* One message for a queue that breaks, and not one for each of many. */
static int chain_told(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i, told = 0, rounds = e->rounds * 10 > 60 ? e->rounds * 10 : 60;
	int fd = kmsg_open();

	NEED_OURS(e);
	if (e->opts.iotlb)
		SKIP("what is not mapped may still come");
	CHECK_OK(fd);
	/* There may have been so many lately that this one is left out. */
	for (i = 0; i < 100 && !told; i++) {
		CHECK_PASS(break_once(e));
		told = kmsg_find(fd, "vhost_net", "broken", 200);
	}
	CHECK(told, "the log says nothing");
	CHECK(!kmsg_find(fd, "vhost_net", "broken", 0), "the log says it twice");
	for (i = 0; i < rounds; i++)
		CHECK_PASS(break_once(e));
	while (kmsg_find(fd, "vhost_net", "broken", 0))
		told++;
	close(fd);
	ktap_diag("%u messages for %u breaks", told, rounds);
	CHECK(told < rounds, "as many messages as the guest likes");
	return net_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(chain_direction),
	KTAP_TEST(chain_out_of_order),
	KTAP_TEST(chain_outside),
	KTAP_TEST(chain_short),
	KTAP_TEST(chain_long),
	KTAP_TEST(chain_many_pieces),
	KTAP_TEST(chain_told),
};

const struct ktap_suite net_bad_chain_suite = {
	.name = "chains",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = net_env_start,
	.teardown = net_env_close,
};
