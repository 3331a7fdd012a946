// SPDX-License-Identifier: GPL-2.0-only
/* The shapes that a good chain can have, and the room they take. */
#include <kunit/test.h>
#include <linux/limits.h>

#include "ring_driver_kunit.h"

#define N	PVTEST_NEXT
#define W	PVTEST_WRITE
#define I	PVTEST_INDIRECT

struct pvtest_piece {
	u64 iova;
	u32 len;
};

struct pvtest_buffer {
	const char *name;
	u64 iova;
	u32 len;
	u16 flags;
	unsigned int n;
	struct pvtest_piece piece[4];
};

static const struct pvtest_buffer pvtest_buffers[] = {
	{ "a region's last byte", PVTEST_RO + 0xfff, 1, 0, 1,
	  { { PVTEST_RO + 0xfff, 1 } } },
	{ "the first byte of all", 0, 1, W, 1, { { 0, 1 } } },
	{ "the last byte of all", U64_MAX, 1, W, 1, { { U64_MAX, 1 } } },
	{ "up to the last byte", PVTEST_TOP, 0x1000, 0, 1, { { PVTEST_TOP, 0x1000 } } },
	{ "two regions in one place", PVTEST_A + 0xff0, 0x20, W, 1,
	  { { PVTEST_A + 0xff0, 0x20 } } },
	{ "two regions in two places", PVTEST_B + 0xff0, 0x20, W, 2,
	  { { PVTEST_B + 0xff0, 0x10 }, { PVTEST_C, 0x10 } } },
	{ "three regions", PVTEST_A + 1, 0x2000, 0, 2,
	  { { PVTEST_A + 1, 0x1fff }, { PVTEST_C, 1 } } },
	{ "four regions", PVTEST_A, 0x4000, 0, 3,
	  { { PVTEST_A, 0x2000 }, { PVTEST_C, 0x1000 }, { PVTEST_RO, 0x1000 } } },
	{ "readable across permissions", PVTEST_C + 0xfff, 2, 0, 2,
	  { { PVTEST_C + 0xfff, 1 }, { PVTEST_RO, 1 } } },
	{ "only writable", PVTEST_WO, 0x1000, W, 1, { { PVTEST_WO, 0x1000 } } },
	{ "tiny regions", PVTEST_TINY + 8, 40, 0, 3,
	  { { PVTEST_TINY + 8, 8 }, { PVTEST_TINY + 16, 16 }, { PVTEST_TINY + 32, 16 } } },
	{ "tiny regions in part", PVTEST_TINY + 15, 18, W, 3,
	  { { PVTEST_TINY + 15, 1 }, { PVTEST_TINY + 16, 16 }, { PVTEST_TINY + 32, 1 } } },
};

static void pvtest_buffer_describe(const struct pvtest_buffer *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_buffer, pvtest_buffers, pvtest_buffer_describe);

static void pvtest_expect_pieces(struct pvtest_ring *d,
				 const struct pvtest_buffer *p)
{
	const struct pvring_chain *c = &d->batch->chain[0];
	unsigned int i;

	KUNIT_ASSERT_EQ(d->test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(d->test, c->nout, p->flags & W ? 0 : p->n);
	KUNIT_EXPECT_EQ(d->test, c->nin, p->flags & W ? p->n : 0);
	KUNIT_EXPECT_EQ(d->test, c->out_len, p->flags & W ? 0 : p->len);
	KUNIT_EXPECT_EQ(d->test, c->in_len, p->flags & W ? p->len : 0);
	KUNIT_ASSERT_EQ(d->test, pvtest_pieces(d), p->n);
	for (i = 0; i < p->n; i++)
		pvtest_expect_seg(d, &c->seg[i], p->piece[i].iova,
				  p->piece[i].len);
	pvring_forget(&d->ring, c->head);
}

/* Buffers by where they lie, named by a direct and by an indirect descriptor. */
static void pvtest_chain_buffer(struct kunit *test)
{
	const struct pvtest_buffer *p = test->param_value;
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);

	pvtest_desc(d, 0, p->iova, p->len, p->flags, 0);
	pvtest_offer(d, 0);
	pvtest_expect_pieces(d, p);

	pvtest_entry(d, PVTEST_LOW + 0x800, 0, p->iova, p->len, p->flags, 0);
	pvtest_desc(d, 1, PVTEST_LOW + 0x800, 16, I, 0);
	pvtest_offer(d, 1);
	pvtest_expect_pieces(d, p);
}

/**
 * struct pvtest_place - where an indirect table lies
 * @name: of the case
 * @iova: its first address
 * @entries: its length
 * @flags: beside INDIRECT
 */
struct pvtest_place {
	const char *name;
	u64 iova;
	u32 entries;
	u16 flags;
};

static const struct pvtest_place pvtest_places[] = {
	{ "a page", PVTEST_C, 3, 0 },
	{ "no alignment", PVTEST_C + 1, 3, 0 },
	{ "the last bytes of all", PVTEST_TOP + 0xfd0, 3, 0 },
	{ "not writable", PVTEST_RO, 3, 0 },
	{ "the flag WRITE is no matter", PVTEST_C, 3, W },
	{ "two regions in one place", PVTEST_B - 24, 3, 0 },
	{ "two regions in two places", PVTEST_C - 24, 3, 0 },
	{ "two regions, a byte in the second", PVTEST_C - 47, 3, 0 },
	{ "two tiny regions", PVTEST_TINY + 16 * 7, 2, 0 },
	{ "longer than a chain", PVTEST_C, 9, 0 },
	{ "longer than the memory behind it", PVTEST_HOLE - 128, 0x0fffffff, 0 },
};

static void pvtest_place_describe(const struct pvtest_place *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_place, pvtest_places, pvtest_place_describe);

static void pvtest_chain_table(struct kunit *test)
{
	const struct pvtest_place *p = test->param_value;
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	const struct pvring_chain *c = &d->batch->chain[0];
	u16 last = p->entries > 2 ? 2 : 1;

	pvtest_entry(d, p->iova, 0, PVTEST_A, 5, N, last);
	pvtest_entry(d, p->iova, last, PVTEST_A + 5, 6, W, 0xffff);
	pvtest_desc(d, 9, p->iova, 16 * p->entries, I | p->flags, 9);
	pvtest_offer(d, 9);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, c->head, 9);
	KUNIT_EXPECT_EQ(test, c->nout, 1);
	KUNIT_EXPECT_EQ(test, c->nin, 1);
	pvtest_expect_seg(d, &c->seg[0], PVTEST_A, 5);
	pvtest_expect_seg(d, &c->seg[1], PVTEST_A + 5, 6);
}

/* Descriptors, and then a table; and each table of a batch is its own. */
static void pvtest_chain_mixed(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	const struct pvring_chain *c = d->batch->chain;

	pvtest_desc(d, 0, PVTEST_A, 1, N, 1);
	pvtest_desc(d, 1, PVTEST_A + 1, 2, N, 2);
	pvtest_desc(d, 2, PVTEST_C, 32, I, 0);
	pvtest_entry(d, PVTEST_C, 0, PVTEST_A + 3, 3, N, 1);
	pvtest_entry(d, PVTEST_C, 1, PVTEST_A + 6, 4, W, 0);
	pvtest_desc(d, 3, PVTEST_C + 32, 16, I, 0);
	pvtest_entry(d, PVTEST_C + 32, 0, PVTEST_A + 10, 5, W, 0);
	pvtest_desc(d, 4, PVTEST_A + 15, 6, 0, 0);
	pvtest_queue(d, 0);
	pvtest_queue(d, 3);
	pvtest_offer(d, 4);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);

	KUNIT_EXPECT_EQ(test, c[0].nout, 3);
	KUNIT_EXPECT_EQ(test, c[0].nin, 1);
	KUNIT_EXPECT_EQ(test, c[0].out_len, 6U);
	KUNIT_EXPECT_EQ(test, c[0].in_len, 4U);
	pvtest_expect_seg(d, &c[0].seg[0], PVTEST_A, 1);
	pvtest_expect_seg(d, &c[0].seg[1], PVTEST_A + 1, 2);
	pvtest_expect_seg(d, &c[0].seg[2], PVTEST_A + 3, 3);
	pvtest_expect_seg(d, &c[0].seg[3], PVTEST_A + 6, 4);
	KUNIT_EXPECT_EQ(test, c[1].nin, 1);
	pvtest_expect_seg(d, &c[1].seg[0], PVTEST_A + 10, 5);
	KUNIT_EXPECT_EQ(test, c[2].nout, 1);
	pvtest_expect_seg(d, &c[2].seg[0], PVTEST_A + 15, 6);
}

static void pvtest_chain_bytes(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);

	pvtest_desc(d, 0, PVTEST_A, 0x2000, N, 1);
	pvtest_desc(d, 1, PVTEST_A, 0x1fff, N | W, 2);
	pvtest_desc(d, 2, PVTEST_A, 1, W, 0);
	pvtest_queue(d, 0);
	pvtest_desc(d, 3, PVTEST_A, 0x4000, 0, 0);
	pvtest_offer(d, 3);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].out_len, 0x2000U);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].in_len, 0x2000U);
	KUNIT_EXPECT_EQ(test, d->batch->chain[1].out_len, 0x4000U);
}

/* Long chains fill the batch's room for descriptors before that for chains. */
static void pvtest_chain_room_descs(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	unsigned int total = 0, i;
	int n;

	KUNIT_ASSERT_EQ(test, d->batch->max_raw, 16U);
	for (i = 0; i < 15; i++)
		pvtest_desc(d, i, PVTEST_A + i, 1, i % 5 < 4 ? N : 0, i + 1);
	for (i = 0; i < 3; i++)
		pvtest_queue(d, 5 * i);
	pvtest_desc(d, 15, PVTEST_A + 15, 1, N | W, 0);
	pvtest_queue(d, 15);
	pvtest_show(d);

	while ((n = pvtest_pop(d)) > 0)
		for (i = 0; i < n; i++, total++) {
			KUNIT_EXPECT_EQ(test, d->batch->chain[i].head, 5 * total);
			KUNIT_EXPECT_EQ(test, d->batch->chain[i].nout, 5);
		}
	KUNIT_EXPECT_EQ(test, n, -EINVAL);
	KUNIT_EXPECT_EQ(test, total, 3U);

	/* The last one has the others' descriptors behind a writable one. */
	pvtest_desc(d, 15, PVTEST_A + 15, 1, N, 0);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].nout, 6);
}

/* A chain for whose pieces the others left no room waits for the next pop. */
static void pvtest_chain_room_pieces(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, d->batch->max_seg, 32U);
	pvtest_desc(d, 0, PVTEST_TINY, 16 * 16, 0, 0);
	pvtest_desc(d, 1, PVTEST_TINY, 16 * 16, W, 0);
	pvtest_desc(d, 2, PVTEST_TINY, 16 * 31, N, 3);
	pvtest_desc(d, 3, PVTEST_A, 1, W, 0);
	pvtest_desc(d, 4, PVTEST_A, 2, W, 0);
	for (i = 0; i < 3; i++)
		pvtest_queue(d, i);
	pvtest_offer(d, 4);

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, pvtest_pieces(d), 32U);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, pvtest_pieces(d), 32U);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].nout, 31);
	pvtest_expect_seg(d, &d->batch->chain[0].seg[30], PVTEST_TINY + 16 * 30, 16);
	pvtest_expect_seg(d, &d->batch->chain[0].seg[31], PVTEST_A, 1);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
}

struct pvtest_header {
	const char *name;
	u16 want;
	u64 iova;
	u32 len[4];
};

/* Buffers one behind the other; of each case the first @want bytes are pulled. */
static const struct pvtest_header pvtest_headers[] = {
	{ "none", 0, PVTEST_A, { 16, 16 } },
	{ "the first descriptor", 16, PVTEST_A, { 16, 512 } },
	{ "a part of the first", 16, PVTEST_A, { 528 } },
	{ "the first and a part", 16, PVTEST_A, { 10, 512 } },
	{ "across three", 16, PVTEST_A, { 1, 14, 2, 3 } },
	{ "exactly three", 16, PVTEST_A, { 8, 4, 4 } },
	{ "exactly three of four", 16, PVTEST_A, { 8, 4, 4, 1 } },
	{ "byte by byte", 4, PVTEST_A, { 1, 1, 1, 1 } },
	{ "shorter than asked", 16, PVTEST_A, { 15 } },
	{ "shorter than asked, in two", 64, PVTEST_A, { 15, 1 } },
	{ "nothing readable", 16, PVTEST_A, { } },
	{ "the largest", 64, PVTEST_A, { 60, 5 } },
	{ "across pieces", 20, PVTEST_TINY, { 40, 3 } },
	{ "a region's last bytes", 16, PVTEST_RO + 0xff0, { 16 } },
};

static void pvtest_header_describe(const struct pvtest_header *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_header, pvtest_headers, pvtest_header_describe);

/* Everything readable is in the header or in a piece, once and in order. */
static void pvtest_expect_header(struct pvtest_ring *d,
				 const struct pvtest_header *p, u32 total)
{
	const struct pvring_chain *c = &d->batch->chain[0];
	u32 pulled = total < p->want ? total : p->want;
	u64 iova = p->iova;
	unsigned int i;

	KUNIT_ASSERT_EQ(d->test, c->hdr_len, pulled);
	KUNIT_EXPECT_EQ(d->test, c->out_len, total - pulled);
	for (i = 0; i < pulled; i++)
		KUNIT_EXPECT_EQ(d->test, c->hdr[i], *pvtest_at(d, iova++));
	for (i = 0; i < c->nout; i++) {
		KUNIT_EXPECT_NE(d->test, c->seg[i].len, 0U);
		pvtest_expect_seg(d, &c->seg[i], iova, c->seg[i].len);
		iova += c->seg[i].len;
	}
	KUNIT_EXPECT_EQ(d->test, iova, p->iova + total);
	pvtest_expect_seg(d, &c->seg[c->nout], PVTEST_WO, 1);
	KUNIT_EXPECT_EQ(d->test, c->nin, 1);
}

static void pvtest_chain_header(struct kunit *test)
{
	const struct pvtest_header *p = test->param_value;
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	u32 total = 0, k;
	unsigned int i;

	cfg.limits.hdr_len = p->want;
	d = pvtest_make(test, &cfg);
	for (i = 0; i < ARRAY_SIZE(p->len) && p->len[i]; i++) {
		pvtest_desc(d, i, p->iova + total, p->len[i], N, i + 1);
		for (k = 0; k < p->len[i]; k++, total++)
			*pvtest_at(d, p->iova + total) = 7 * total + 1;
	}
	pvtest_desc(d, i, PVTEST_WO, 1, W, 0);
	pvtest_offer(d, 0);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvtest_expect_header(d, p, total);
	pvring_unpop(&d->ring, d->batch, 0);

	/* And once more behind another one, which is all header. */
	pvtest_desc(d, 15, PVTEST_A, 1, 0, 0);
	d->avail_idx--;
	pvtest_queue(d, 15);
	pvtest_offer(d, 0);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	d->batch->chain[0] = d->batch->chain[1];
	pvtest_expect_header(d, p, total);
}

static struct kunit_case pvtest_chain_cases[] = {
	KUNIT_CASE_PARAM(pvtest_chain_buffer, pvtest_buffer_gen_params),
	KUNIT_CASE_PARAM(pvtest_chain_table, pvtest_place_gen_params),
	KUNIT_CASE(pvtest_chain_mixed),
	KUNIT_CASE(pvtest_chain_bytes),
	KUNIT_CASE(pvtest_chain_room_descs),
	KUNIT_CASE(pvtest_chain_room_pieces),
	KUNIT_CASE_PARAM(pvtest_chain_header, pvtest_header_gen_params),
	{}
};

static struct kunit_suite pvtest_chain_suite = {
	.name = "pvio_vhost_ring_chain",
	.exit = pvtest_exit,
	.test_cases = pvtest_chain_cases,
};

kunit_test_suite(pvtest_chain_suite);
