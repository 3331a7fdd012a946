// SPDX-License-Identifier: GPL-2.0-only
/* Rings that make no sense. */
#include <unistd.h>

#include "net_bad.h"
#include "ring_packed.h"

#define DESC_SIZE	((uint32_t)sizeof(struct vring_desc))

/* What a chain of a queue has to be. */
static uint16_t way(unsigned int q)
{
	return q == NET_RX ? VRING_DESC_F_WRITE : 0;
}

static uint64_t data_iova(struct net_env *e)
{
	return gmem_iova(&e->n.mem, gmem_alloc(&e->n.mem, 4096, 16));
}

/* Shows a head of a split ring. */
static int show(struct net_env *e, unsigned int q, uint16_t head)
{
	ring_raw_avail(&e->n.rings[q], head);
	ring_publish(&e->n.rings[q]);
	return bad_expect_broken(e, q);
}

static int ring_heads(void *ctx)
{
	static const uint16_t heads[] = { 0x7fff, 0x8000, 0xffff };
	struct net_env *e = ctx;
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		CHECK_PASS(show(e, q, e->opts.num));
		for (i = 0; i < sizeof(heads) / sizeof(*heads); i++)
			CHECK_PASS(show(e, q, heads[i]));
	}
	return 0;
}

/* Descriptors that lead back, or away. */
static int ring_nexts(void *ctx)
{
	struct net_env *e = ctx;
	const uint16_t nexts[] = { 0, 1, e->opts.num, 0x8000, 0xffff };
	uint64_t at = data_iova(e);
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 0; i < sizeof(nexts) / sizeof(*nexts); i++) {
			struct vring_desc *d = e->n.rings[q].desc;

			ring_raw_desc(&d[0], at, 100, way(q) | VRING_DESC_F_NEXT, 1);
			ring_raw_desc(&d[1], at, 100, way(q) | VRING_DESC_F_NEXT, nexts[i]);
			CHECK_PASS(show(e, q, 0));
		}
	}
	return 0;
}

/* More entries at once than there are. */
static int ring_index_jumps(void *ctx)
{
	struct net_env *e = ctx;
	const uint16_t jumps[] = { e->opts.num + 1, 0x7fff, 0x8000, 0xffff };
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
			struct ring *r = &e->n.rings[q];

			ring_raw_avail_idx(r, r->avail_idx + jumps[i]);
			CHECK_PASS(bad_expect_broken(e, q));
		}
	}
	return 0;
}

/* For what the peer reads otherwise. */
static int show_odd_table(struct net_env *e, unsigned int q, uint64_t at, uint32_t len,
			  uint16_t flags)
{
	struct ring *r = &e->n.rings[q];

	ring_raw_desc(&r->desc[0], at, len, VRING_DESC_F_INDIRECT | flags, 1);
	ring_raw_avail(r, 0);
	ring_publish(r);
	return e->peer ? bad_expect_any(e, q) : bad_expect_broken(e, q);
}

static int show_table(struct net_env *e, unsigned int q, uint64_t at, uint32_t len, uint16_t flags)
{
	ring_raw_desc(&e->n.rings[q].desc[0], at, len, VRING_DESC_F_INDIRECT | flags, 1);
	return show(e, q, 0);
}

static int ring_tables(void *ctx)
{
	static const uint32_t lens[] = {
		0, 1, DESC_SIZE - 1, DESC_SIZE + 1, 0x7fffffff, 0xffffffff,
	};
	/* More than there is memory, but the chain ends before that. */
	static const uint32_t longs[] = { 0x7ffffff0, 0x80000000, 0xfffffff0 };
	struct net_env *e = ctx;
	struct vring_desc *table = gmem_alloc(&e->n.mem, 4 * DESC_SIZE, 16);
	uint64_t at = gmem_iova(&e->n.mem, table), data = data_iova(e);
	unsigned int q, i;

	if (!e->n.rings[0].max_indirect)
		SKIP("there are no tables");
	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 0; i < 4; i++)
			ring_raw_desc(&table[i], data, 100, way(q), 0);
		for (i = 0; i < sizeof(lens) / sizeof(*lens); i++)
			CHECK_PASS(show_table(e, q, at, lens[i], 0));
		for (i = 0; i < sizeof(longs) / sizeof(*longs); i++) {
			ring_raw_desc(&e->n.rings[q].desc[0], at, longs[i], VRING_DESC_F_INDIRECT,
				      0);
			ring_raw_avail(&e->n.rings[q], 0);
			ring_publish(&e->n.rings[q]);
			CHECK_PASS(bad_expect_any(e, q));
		}
		if (!e->opts.iotlb)
			CHECK_PASS(show_table(e, q, BAD_IOVA, DESC_SIZE, 0));
		/* A table in the middle of a chain. */
		CHECK_PASS(show_odd_table(e, q, at, DESC_SIZE, VRING_DESC_F_NEXT));
		/* One in another, one that leads back, and one that leads out. */
		ring_raw_desc(&table[0], at, DESC_SIZE, VRING_DESC_F_INDIRECT, 0);
		CHECK_PASS(show_table(e, q, at, DESC_SIZE, 0));
		ring_raw_desc(&table[0], data, 100, way(q) | VRING_DESC_F_NEXT, 0);
		CHECK_PASS(show_odd_table(e, q, at, 4 * DESC_SIZE, 0));
		ring_raw_desc(&table[0], data, 100, way(q) | VRING_DESC_F_NEXT, 4);
		CHECK_PASS(show_odd_table(e, q, at, 4 * DESC_SIZE, 0));
	}
	return 0;
}

static const struct ktap_test split_tests[] = {
	KTAP_TEST(ring_heads),
	KTAP_TEST(ring_nexts),
	KTAP_TEST(ring_index_jumps),
	KTAP_TEST(ring_tables),
};

static int show_packed(struct net_env *e, unsigned int q)
{
	ring_packed_publish(&e->n.rings[q]);
	return bad_expect_broken(e, q);
}

/* A chain that goes on as long as the ring does, and one that is not all there. */
static int packed_endless(void *ctx)
{
	struct net_env *e = ctx;
	uint64_t at = data_iova(e);
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 0; i < e->opts.num; i++)
			ring_packed_put(&e->n.rings[q], at, 10, way(q) | VRING_DESC_F_NEXT, 0);
		CHECK_PASS(show_packed(e, q));
		ring_packed_put(&e->n.rings[q], at, 10, way(q) | VRING_DESC_F_NEXT, 0);
		CHECK_PASS(show_packed(e, q));
	}
	return 0;
}

static int packed_tables(void *ctx)
{
	static const uint32_t lens[] = { 0, 1, DESC_SIZE - 1, DESC_SIZE + 1, 0xfffffff0 };
	struct net_env *e = ctx;
	struct vring_desc *table = gmem_alloc(&e->n.mem, 4 * DESC_SIZE, 16);
	uint64_t at = gmem_iova(&e->n.mem, table), data = data_iova(e);
	unsigned int q, i;

	if (!e->n.rings[0].max_indirect)
		SKIP("there are no tables");
	for (q = 0; q < NET_QUEUES; q++) {
		struct ring *r = &e->n.rings[q];

		for (i = 0; i < 4; i++)
			ring_raw_desc(&table[i], data, 100, 0, way(q));
		for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
			ring_packed_put(r, at, lens[i], VRING_DESC_F_INDIRECT, 0);
			CHECK_PASS(show_packed(e, q));
		}
		/* In a chain with others; in another table it may count as what it points to. */
		ring_packed_put(r, data, 100, way(q) | VRING_DESC_F_NEXT, 0);
		ring_packed_put(r, at, DESC_SIZE, VRING_DESC_F_INDIRECT, 0);
		CHECK_PASS(show_packed(e, q));
		ring_raw_desc(&table[0], at, DESC_SIZE, 0, VRING_DESC_F_INDIRECT);
		ring_packed_put(r, at, DESC_SIZE, VRING_DESC_F_INDIRECT, 0);
		ring_packed_publish(r);
		CHECK_PASS(bad_expect_any(e, q));
	}
	return 0;
}

/* An ID is the driver's affair: what comes back is what it said, whatever that is. */
static int packed_ids(void *ctx)
{
	struct net_env *e = ctx;
	uint64_t at = data_iova(e);
	unsigned int q;

	for (q = 0; q < NET_QUEUES; q++) {
		ring_packed_put(&e->n.rings[q], at, 1000, way(q), 0xffff);
		ring_packed_publish(&e->n.rings[q]);
		/* It counts as in flight, so that its end is looked for. */
		e->n.rings[q].free_count--;
		CHECK_PASS(bad_expect_any(e, q));
	}
	return 0;
}

static const struct ktap_test packed_tests[] = {
	KTAP_TEST(packed_endless),
	KTAP_TEST(packed_tables),
	KTAP_TEST(packed_ids),
};

static int setup_split(void *ctx)
{
	CHECK_PASS(net_env_start(ctx));
	if (((struct net_env *)ctx)->n.rings[0].packed) {
		net_env_close(ctx);
		SKIP("for split rings");
	}
	return 0;
}

static int setup_packed(void *ctx)
{
	CHECK_PASS(net_env_start(ctx));
	if (!((struct net_env *)ctx)->n.rings[0].packed) {
		net_env_close(ctx);
		SKIP("for packed rings");
	}
	return 0;
}

const struct ktap_suite net_bad_ring_suite = {
	.name = "split rings",
	.tests = split_tests,
	.count = sizeof(split_tests) / sizeof(*split_tests),
	.limit = 240,
	.setup = setup_split,
	.teardown = net_env_close,
};

const struct ktap_suite net_bad_packed_suite = {
	.name = "packed rings",
	.tests = packed_tests,
	.count = sizeof(packed_tests) / sizeof(*packed_tests),
	.limit = 240,
	.setup = setup_packed,
	.teardown = net_env_close,
};
