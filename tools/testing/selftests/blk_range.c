// SPDX-License-Identifier: GPL-2.0-only
/* Requests that name ranges: discard, write zeroes, secure erase. */
#include <stdlib.h>
#include <sys/stat.h>

#include "env.h"

#define LEN		4096u
#define SECTORS		(LEN / SECTOR_SIZE)
#define AREA		(16 * SECTORS)
#define RANGES_MAX	16u

#define UNMAP		VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP
#define RANGE(s, n, f)	{ .sector = (s), .num_sectors = (n), .flags = (f) }

struct op {
	uint32_t type;
	unsigned int feature;
};

static const struct op discard = { VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_F_DISCARD };
static const struct op zeroes = { VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_F_WRITE_ZEROES };

struct range {
	uint64_t sector;
	uint32_t num_sectors;
	uint32_t flags;
};

static bool offered(const struct env *e, const struct op *op)
{
	return e->b.offered & BIT(op->feature);
}

/* The range table in pieces of @piece bytes, each somewhere else. Returns the status. */
static int do_pieces(struct env *e, const struct op *op, const struct range *r, unsigned int n,
		     uint32_t len, uint32_t piece)
{
	struct virtio_blk_discard_write_zeroes *raw = calloc(n + 1, sizeof(*raw));
	size_t mark = gmem_mark(&e->b.mem);
	struct blk_req *req = &e->b.reqs[0];
	uint32_t done, part;
	unsigned int i;
	int res;

	CHECK(raw, "out of memory");
	for (i = 0; i < n; i++) {
		raw[i].sector = htole64(r[i].sector);
		raw[i].num_sectors = htole32(r[i].num_sectors);
		raw[i].flags = htole32(r[i].flags);
	}
	blk_req_begin(req, op->type, 0);
	blk_req_piece(req, req->hdr, sizeof(*req->hdr), false);
	for (done = 0; done < len; done += part) {
		uint8_t *p = gmem_alloc(&e->b.mem, 2 * piece, 1);

		part = len - done < piece ? len - done : piece;
		memcpy(p, (uint8_t *)raw + done, part);
		blk_req_piece(req, p, part, false);
	}
	blk_req_piece(req, req->status, 1, true);
	res = blk_do(&e->b, 0, req);
	gmem_release(&e->b.mem, mark);
	free(raw);
	return res;
}

static int do_ranges(struct env *e, const struct op *op, const struct range *r, unsigned int n)
{
	uint32_t len = n * sizeof(*r);

	return do_pieces(e, op, r, n, len, len);
}

static int do_range(struct env *e, const struct op *op, uint64_t sector, uint32_t num,
		    uint32_t flags)
{
	const struct range r = RANGE(sector, num, flags);

	return do_ranges(e, op, &r, 1);
}

/* Writes patterns to the first sectors, one generation for all. */
static int fill(struct env *e, uint64_t generation)
{
	uint8_t *buf = gmem_alloc(&e->b.mem, AREA * SECTOR_SIZE, LEN);

	pattern_fill(buf, AREA * SECTOR_SIZE, 0, generation);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, 0, buf, AREA * SECTOR_SIZE),
		 VIRTIO_BLK_S_OK);
	return 0;
}

/* Blocks of the area are zeroes where @gone says so, and patterns elsewhere: read by the disk. */
static int check(struct env *e, uint64_t generation, uint32_t gone)
{
	uint8_t *buf = gmem_alloc(&e->b.mem, AREA * SECTOR_SIZE, LEN);
	unsigned int i;

	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, 0, buf, AREA * SECTOR_SIZE), VIRTIO_BLK_S_OK);
	for (i = 0; i < AREA / SECTORS; i++) {
		uint8_t *p = buf + i * LEN;

		if (gone & 1u << i)
			CHECK(bytes_check(p, LEN, 0) < 0, "block %u is not zero", i);
		else
			CHECK(pattern_check(p, LEN, i * SECTORS, generation) < 0,
			      "block %u is not as it was", i);
	}
	return 0;
}

static int range_offers(void *ctx)
{
	struct env *e = ctx;
	const struct virtio_blk_config *c = &e->b.config;

	CHECK_EQ(offered(e, &zeroes), !e->readonly);
	if (offered(e, &discard)) {
		CHECK_EQ(le32toh(c->max_discard_seg), RANGES_MAX);
		CHECK(le32toh(c->max_discard_sectors) >= SECTORS, "nothing can be discarded");
		CHECK(le32toh(c->discard_sector_alignment), "there is no granularity");
	} else {
		CHECK_EQ(c->max_discard_sectors, 0);
		CHECK_EQ(c->max_discard_seg, 0);
	}
	CHECK(le32toh(c->max_write_zeroes_sectors) >= SECTORS, "nothing can be zeroed");
	ktap_diag("discard up to %u, write zeroes up to %u sectors, in %u ranges",
		  le32toh(c->max_discard_sectors), le32toh(c->max_write_zeroes_sectors),
		  le32toh(c->max_write_zeroes_seg));
	return 0;
}

static int range_zeroes(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(fill(e, i));
		CHECK_EQ(do_range(e, &zeroes, 2 * SECTORS, SECTORS, 0), VIRTIO_BLK_S_OK);
		CHECK_PASS(check(e, i, 1 << 2));
		CHECK_EQ(do_range(e, &zeroes, 4 * SECTORS, 3 * SECTORS, UNMAP), VIRTIO_BLK_S_OK);
		CHECK_PASS(check(e, i, 1 << 2 | 7 << 4));
	}
	return 0;
}

static int range_discard(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	if (!offered(e, &discard))
		SKIP("the store can't");
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(fill(e, i));
		CHECK_EQ(do_range(e, &discard, SECTORS, SECTORS, 0), VIRTIO_BLK_S_OK);
		CHECK_PASS(check(e, i, 1 << 1));
	}
	return 0;
}

/* As many as there may be, in any order, some empty, one twice. */
static int range_many(void *ctx)
{
	struct range r[RANGES_MAX];
	struct env *e = ctx;
	unsigned int i;

	if (le32toh(e->b.config.max_write_zeroes_seg) < RANGES_MAX)
		SKIP("one range at a time");
	for (i = 0; i < RANGES_MAX; i++)
		r[i] = (struct range){ (RANGES_MAX - 1 - i) / 2 * 2 * SECTORS,
				       i % 3 ? SECTORS : 0, i % 2 };
	CHECK_PASS(fill(e, 1));
	CHECK_EQ(do_ranges(e, &zeroes, r, RANGES_MAX), VIRTIO_BLK_S_OK);
	CHECK_PASS(check(e, 1, 0x5555));
	for (i = 0; i < RANGES_MAX; i++)
		r[i].num_sectors = 0;
	CHECK_PASS(fill(e, 2));
	CHECK_EQ(do_ranges(e, &zeroes, r, RANGES_MAX), VIRTIO_BLK_S_OK);
	return check(e, 2, 0);
}

/* The table in odd pieces. */
static int range_pieces(void *ctx)
{
	static const uint32_t pieces[] = { 1, 3, 7, 15, 16 };
	const struct range r = RANGE(SECTORS, SECTORS, 0);
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		CHECK_PASS(fill(e, i));
		CHECK_EQ(do_pieces(e, &zeroes, &r, 1, sizeof(r), pieces[i]), VIRTIO_BLK_S_OK);
		CHECK_PASS(check(e, i, 1 << 1));
	}
	return 0;
}

/* Tables of a length that makes no sense. */
static int range_lengths(void *ctx)
{
	static const uint32_t lengths[] = { 0, 1, 8, 15, 17, 31, 24 };
	const struct range r[2] = { RANGE(0, SECTORS, 0), RANGE(SECTORS, SECTORS, 0) };
	struct range most[RANGES_MAX + 1] = { };
	struct env *e = ctx;
	unsigned int i;

	CHECK_PASS(fill(e, 1));
	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
		CHECK_EQ(do_pieces(e, &zeroes, r, 2, lengths[i], 64), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(do_ranges(e, &zeroes, most, RANGES_MAX + 1), VIRTIO_BLK_S_IOERR);
	return check(e, 1, 0);
}

/* A bad range among good ones: nothing is done at all. */
static int range_bad(void *ctx)
{
	struct env *e = ctx;
	uint64_t end = blk_capacity(&e->b);
	uint32_t most = le32toh(e->b.config.max_write_zeroes_sectors);
	const struct {
		const struct op *op;
		struct range r;
		int want;
	} cases[] = {
		{ &zeroes, RANGE(end, 0, 0), VIRTIO_BLK_S_OK },
		{ &zeroes, RANGE(end, SECTORS, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(end - SECTORS, 2 * SECTORS, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(end + 8, 0, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(~0ull, SECTORS, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(~0ull - 7, SECTORS, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(1ull << 63, SECTORS, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(0, most + SECTORS, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(0, ~0u, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(0, ~7u, 0), VIRTIO_BLK_S_IOERR },
		{ &zeroes, RANGE(0, SECTORS, 2), VIRTIO_BLK_S_UNSUPP },
		{ &zeroes, RANGE(0, SECTORS, ~0u), VIRTIO_BLK_S_UNSUPP },
		{ &discard, RANGE(0, SECTORS, UNMAP), VIRTIO_BLK_S_UNSUPP },
		{ &discard, RANGE(0, SECTORS, 1u << 31), VIRTIO_BLK_S_UNSUPP },
		{ &discard, RANGE(end, SECTORS, 0), VIRTIO_BLK_S_IOERR },
	};
	unsigned int i;

	CHECK_PASS(fill(e, 1));
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct range r[2] = { RANGE(0, 0, 0), cases[i].r };

		if (!offered(e, cases[i].op))
			continue;
		ktap_diag("case %u", i);
		CHECK_EQ(do_ranges(e, cases[i].op, &r[1], 1), cases[i].want);
		r[0] = (struct range)RANGE(0, SECTORS, 0);
		if (cases[i].want == VIRTIO_BLK_S_OK)
			continue;
		CHECK_EQ(do_ranges(e, cases[i].op, r, 2), cases[i].want);
		CHECK_PASS(check(e, 1, 0));
	}
	return 0;
}

/* What is not offered is not done, by whatever name. */
static int range_not_offered(void *ctx)
{
	const struct op erase = { VIRTIO_BLK_T_SECURE_ERASE, VIRTIO_BLK_F_SECURE_ERASE };
	struct env *e = ctx;

	CHECK_PASS(fill(e, 1));
	if (!offered(e, &discard))
		CHECK_EQ(do_range(e, &discard, 0, SECTORS, 0), VIRTIO_BLK_S_UNSUPP);
	if (!offered(e, &erase))
		CHECK_EQ(do_range(e, &erase, 0, SECTORS, 0), VIRTIO_BLK_S_UNSUPP);
	return check(e, 1, 0);
}

/* The longest range that there may be, and writes right behind it. */
static int range_longest(void *ctx)
{
	struct env *e = ctx;
	uint32_t most = le32toh(e->b.config.max_write_zeroes_sectors);
	uint64_t end = blk_capacity(&e->b);
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);

	if (most > end - SECTORS)
		most = end - SECTORS;
	CHECK_PASS(fill(e, 1));
	pattern_fill(buf, LEN, most, 1);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, most, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK_EQ(do_range(e, &zeroes, 0, most, 0), VIRTIO_BLK_S_OK);
	CHECK_PASS(check(e, 1, 0xffff));
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, most, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK(pattern_check(buf, LEN, most, 1) < 0, "too much is zero");
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, most - SECTORS, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK(bytes_check(buf, LEN, 0) < 0, "the end is not zero");
	return 0;
}

/* Bytes that a file behind the disk takes up. */
static int64_t taken(const struct env *e)
{
	struct stat st;

	return stat(e->back, &st) ? -1 : (int64_t)st.st_blocks * 512;
}

static bool back_is_file(const struct env *e)
{
	struct stat st;

	return !stat(e->back, &st) && S_ISREG(st.st_mode);
}

/* How much less room the file takes after all of the area was treated so. */
static int freed_by(struct env *e, const struct op *op, uint32_t flags, int64_t *freed)
{
	int64_t before;

	CHECK_PASS(fill(e, 1));
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	before = taken(e);
	CHECK_EQ(do_range(e, op, 0, AREA, flags), VIRTIO_BLK_S_OK);
	*freed = before - taken(e);
	return check(e, 1, (1u << AREA / SECTORS) - 1);
}

/* Whether room is given back is what the guest says: its flag reaches the file at the bottom. */
static int range_unmap(void *ctx)
{
	struct env *e = ctx;
	int64_t freed;

	if (!back_is_file(e))
		SKIP("nothing to be seen");
	if (offered(e, &discard)) {
		CHECK_PASS(freed_by(e, &discard, 0, &freed));
		CHECK_EQ(freed, AREA * SECTOR_SIZE);
	}
	CHECK_PASS(freed_by(e, &zeroes, 0, &freed));
	CHECK_EQ(freed, 0);
	CHECK_PASS(freed_by(e, &zeroes, UNMAP, &freed));
	CHECK_EQ(freed, AREA * SECTOR_SIZE);
	CHECK_PASS(freed_by(e, &zeroes, 0, &freed));
	CHECK_EQ(freed, 0);
	return 0;
}

/* Without a write cache zeroes are flushed before they are acknowledged. */
static int range_writethrough(void *ctx)
{
	struct env *e = ctx;
	uint8_t wce = 0;

	CHECK_OK(vdpa_set_config(&e->b.v, offsetof(struct virtio_blk_config, wce), &wce, 1));
	CHECK_PASS(range_zeroes(e));
	return offered(e, &discard) ? range_discard(e) : 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(range_offers),
	KTAP_TEST(range_zeroes),
	KTAP_TEST(range_discard),
	KTAP_TEST(range_many),
	KTAP_TEST(range_pieces),
	KTAP_TEST(range_lengths),
	KTAP_TEST(range_bad),
	KTAP_TEST(range_not_offered),
	KTAP_TEST(range_longest),
	KTAP_TEST(range_unmap),
	KTAP_TEST(range_writethrough),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "ranges",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
		.setup = env_start,
		.teardown = env_close,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
