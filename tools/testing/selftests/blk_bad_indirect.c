// SPDX-License-Identifier: GPL-2.0-only
/* Indirect tables that make no sense, and those that only look like it. */
#include "blk_bad.h"

#define LEN		4096u
#define ENTRY		((uint32_t)sizeof(struct vring_desc))
#define INDIRECT	VRING_DESC_F_INDIRECT

/* A read by way of descriptor 0 and a table of three entries, not yet shown to the device. */
struct victim {
	struct env *e;
	struct ring *ring;
	struct vring_desc *desc;
	struct vring_desc *table;
	uint64_t table_iova;
	struct blk_req req;
	uint8_t *buf;
};

static int victim_make(struct victim *v, struct env *e)
{
	v->e = e;
	v->ring = &e->b.rings[0];
	v->desc = v->ring->desc;
	v->table = ring_table(v->ring, 0);
	v->table_iova = ring_table_iova(v->ring, 0);
	v->buf = gmem_alloc(&e->b.mem, LEN, LEN);
	blk_req_init(&e->b, &v->req);
	blk_req_usual(&v->req, VIRTIO_BLK_T_IN, 0, v->buf, LEN);
	CHECK_EQ(ring_add(v->ring, v->req.segs, v->req.count, RING_INDIRECT, &v->req), 0);
	return 0;
}

static void spoil_length_0(struct victim *v)
{
	v->desc[0].len = 0;
}

static void spoil_length_8(struct victim *v)
{
	v->desc[0].len = htole32(8);
}

static void spoil_length_odd(struct victim *v)
{
	v->desc[0].len = htole32(3 * ENTRY + 1);
}

/* The chain goes on where the table has ended. */
static void spoil_length_short(struct victim *v)
{
	v->desc[0].len = htole32(2 * ENTRY);
}

static void spoil_nested(struct victim *v)
{
	ring_raw_desc(&v->table[1], v->table_iova + 16 * ENTRY, 2 * ENTRY, INDIRECT, 0);
	v->table[16] = v->table[0];
	v->table[17] = v->table[2];
}

static void spoil_nested_self(struct victim *v)
{
	ring_raw_desc(&v->table[0], v->table_iova, 3 * ENTRY, INDIRECT, 0);
}

static void spoil_next(struct victim *v)
{
	v->desc[0].flags = htole16(INDIRECT | VRING_DESC_F_NEXT);
	ring_raw_desc(&v->desc[1], gmem_iova(&v->e->b.mem, v->req.status), 1, VRING_DESC_F_WRITE,
		      0);
	v->desc[0].next = htole16(1);
}

static void spoil_unmapped(struct victim *v)
{
	v->desc[0].addr = htole64(BAD_IOVA);
}

static void spoil_past_end(struct victim *v)
{
	v->desc[0].addr = htole64(v->e->b.mem.iova + v->e->b.mem.size - 2 * ENTRY);
}

static void spoil_wraps(struct victim *v)
{
	v->desc[0].addr = htole64(UINT64_MAX - ENTRY + 1);
}

static void spoil_entry_next(struct victim *v)
{
	v->table[0].next = htole16(3);
}

static void spoil_entry_next_max(struct victim *v)
{
	v->table[1].next = htole16(0xffff);
}

static void spoil_entry_loop(struct victim *v)
{
	v->table[2].flags = htole16(VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	v->table[2].next = htole16(1);
}

static void spoil_entry_length(struct victim *v)
{
	v->table[1].len = 0;
}

static void spoil_entry_order(struct victim *v)
{
	v->table[0].flags = htole16(VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	v->table[1].flags = htole16(VRING_DESC_F_NEXT);
}

static void spoil_entry_unmapped(struct victim *v)
{
	v->table[1].addr = htole64(BAD_IOVA);
}

static void spoil_no_status(struct victim *v)
{
	v->table[0].flags = 0;
}

/* A table of nothing but zeroes. */
static void spoil_blank(struct victim *v)
{
	v->desc[0].addr = htole64(gmem_iova(&v->e->b.mem, v->buf));
}

static int run_spoiled(struct env *e, void (*spoil)(struct victim *))
{
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	spoil(&v);
	ring_flush(v.ring);
	return bad_expect_broken(e);
}

/* Entries that the chain does not reach are no part of it. */
static int indirect_spare_entries(void *ctx)
{
	struct env *e = ctx;
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	v.desc[0].len = htole32(100 * ENTRY);
	ring_raw_desc(&v.table[3], BAD_IOVA, 0, INDIRECT | VRING_DESC_F_NEXT, 0xffff);
	ring_flush(v.ring);
	CHECK_OK(blk_wait(&e->b, 0, &v.req));
	CHECK_EQ(*v.req.status, VIRTIO_BLK_S_OK);
	return env_verify(e);
}

/* The order of entries is that of their next fields. */
static int indirect_shuffled(void *ctx)
{
	struct env *e = ctx;
	struct victim v;
	struct vring_desc d[3];

	CHECK_PASS(victim_make(&v, e));
	d[0] = v.table[0];
	d[1] = v.table[1];
	d[2] = v.table[2];
	v.table[0] = d[0];
	v.table[0].next = htole16(2);
	v.table[2] = d[1];
	v.table[2].next = htole16(1);
	v.table[1] = d[2];
	ring_flush(v.ring);
	CHECK_OK(blk_wait(&e->b, 0, &v.req));
	CHECK_EQ(*v.req.status, VIRTIO_BLK_S_OK);
	CHECK_EQ(v.req.used_len, LEN + 1);
	return env_verify(e);
}

/* The specification has the device ignore that flag here. */
static int indirect_write_flag(void *ctx)
{
	struct env *e = ctx;
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	v.desc[0].flags |= htole16(VRING_DESC_F_WRITE);
	ring_flush(v.ring);
	CHECK_OK(blk_wait(&e->b, 0, &v.req));
	CHECK_EQ(*v.req.status, VIRTIO_BLK_S_OK);
	return env_verify(e);
}

/* A table as large as memory is, of a chain that is short. */
static int indirect_huge_table(void *ctx)
{
	struct env *e = ctx;
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	v.desc[0].len = htole32(e->b.mem.size - (v.table_iova - e->b.mem.iova));
	ring_flush(v.ring);
	return bad_expect_any(e, &v.req);
}

/* A chain in a table that is longer than the ring. */
static int indirect_long_chain(void *ctx)
{
	struct env *e = ctx;
	unsigned int n = 4096, i;
	struct vring_desc *table = gmem_alloc(&e->b.mem, n * ENTRY, 16);
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	table[0] = v.table[0];
	table[n - 1] = v.table[2];
	for (i = 1; i + 1 < n; i++)
		ring_raw_desc(&table[i], gmem_iova(&e->b.mem, v.buf), 512,
			      VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, i + 1);
	ring_raw_desc(&v.desc[0], gmem_iova(&e->b.mem, table), n * ENTRY, INDIRECT, 0);
	ring_flush(v.ring);
	return bad_expect_any(e, &v.req);
}

/* Without the feature the flag must not be used. */
static int indirect_not_negotiated(void *ctx)
{
	struct env *e = ctx;
	struct vring_desc *table;
	struct victim v = { .e = e };

	CHECK_OK(blk_reset(&e->b));
	e->b.features &= ~BIT(VIRTIO_RING_F_INDIRECT_DESC);
	CHECK_OK(blk_restart(&e->b, 0));
	CHECK_PASS(victim_make(&v, e));
	table = v.table;
	CHECK(table, "no table");
	ring_flush(v.ring);
	return bad_expect_any(e, &v.req);
}

#define SPOILED(name)							\
static int indirect_##name(void *ctx)					\
{									\
	return run_spoiled(ctx, spoil_##name);				\
}

SPOILED(length_0)
SPOILED(length_8)
SPOILED(length_odd)
SPOILED(length_short)
SPOILED(nested)
SPOILED(nested_self)
SPOILED(next)
SPOILED(unmapped)
SPOILED(past_end)
SPOILED(wraps)
SPOILED(entry_next)
SPOILED(entry_next_max)
SPOILED(entry_loop)
SPOILED(entry_length)
SPOILED(entry_order)
SPOILED(entry_unmapped)
SPOILED(no_status)
SPOILED(blank)

static const struct ktap_test tests[] = {
	KTAP_TEST(indirect_length_0),
	KTAP_TEST(indirect_length_8),
	KTAP_TEST(indirect_length_odd),
	KTAP_TEST(indirect_length_short),
	KTAP_TEST(indirect_nested),
	KTAP_TEST(indirect_nested_self),
	KTAP_TEST(indirect_next),
	KTAP_TEST(indirect_unmapped),
	KTAP_TEST(indirect_past_end),
	KTAP_TEST(indirect_wraps),
	KTAP_TEST(indirect_entry_next),
	KTAP_TEST(indirect_entry_next_max),
	KTAP_TEST(indirect_entry_loop),
	KTAP_TEST(indirect_entry_length),
	KTAP_TEST(indirect_entry_order),
	KTAP_TEST(indirect_entry_unmapped),
	KTAP_TEST(indirect_no_status),
	KTAP_TEST(indirect_blank),
	KTAP_TEST(indirect_spare_entries),
	KTAP_TEST(indirect_shuffled),
	KTAP_TEST(indirect_write_flag),
	KTAP_TEST(indirect_huge_table),
	KTAP_TEST(indirect_long_chain),
	KTAP_TEST(indirect_not_negotiated),
};

const struct ktap_suite blk_bad_indirect_suite = {
	.name = "bad indirect tables",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
