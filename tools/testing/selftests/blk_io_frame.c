// SPDX-License-Identifier: GPL-2.0-only
/* A request may be cut into pieces anywhere; what counts is the stream of bytes they add up to. */
#include <stdlib.h>
#include <string.h>

#include "blk_io.h"
#include "frame.h"

#define AREA_SIZE	(256u * 1024)
#define FIXED_LEN	4096u
#define RANDOM_SECTORS	2048u
#define RANDOM_MAX	32768u
#define ID_LEN		VIRTIO_BLK_ID_BYTES
static const uint32_t cuts_none[] = { 0 };
static const uint32_t cuts_header[] = { 16, 0 };
static const uint32_t cuts_header_odd[] = { 7, 9, 0 };
static const uint32_t cuts_header_bytes[17] = { [0 ... 15] = 1 };
static const uint32_t cuts_header_tail[] = { 8, 108, 511, 513, 0 };
static const uint32_t cuts_out_bytes[74] = { 16, [1 ... 72] = 1 };
static const uint32_t cuts_out_last_byte[] = { 16, FIXED_LEN - 1, 0 };
static const uint32_t cuts_in_last_byte[] = { FIXED_LEN, 0 };
static const uint32_t cuts_in_tail[] = { FIXED_LEN - 1, 0 };
static const uint32_t cuts_in_bytes[73] = { [0 ... 71] = 1 };
static const uint32_t cuts_in_odd[] = { 511, 1, 513, 3, 2047, 0 };
static const uint32_t cuts_id[] = { 20, 0 };
static const uint32_t cuts_id_odd[] = { 7, 12, 0 };
static const uint32_t cuts_id_bytes[21] = { [0 ... 19] = 1 };

/* @readable cuts header and data to write, @writable cuts data read and status. */
static const struct frame_case {
	const char *name;
	uint32_t type;
	const uint32_t *readable;
	const uint32_t *writable;
} cases[] = {
	{ "write, usual", VIRTIO_BLK_T_OUT, cuts_header, cuts_none },
	{ "write, header and data in one", VIRTIO_BLK_T_OUT, cuts_none, cuts_none },
	{ "write, header in two", VIRTIO_BLK_T_OUT, cuts_header_odd, cuts_none },
	{ "write, header in bytes", VIRTIO_BLK_T_OUT, cuts_header_bytes, cuts_none },
	{ "write, header's tail with data", VIRTIO_BLK_T_OUT, cuts_header_tail, cuts_none },
	{ "write, data in bytes", VIRTIO_BLK_T_OUT, cuts_out_bytes, cuts_none },
	{ "write, last byte alone", VIRTIO_BLK_T_OUT, cuts_out_last_byte, cuts_none },
	{ "read, usual", VIRTIO_BLK_T_IN, cuts_header, cuts_in_last_byte },
	{ "read, data and status in one", VIRTIO_BLK_T_IN, cuts_header, cuts_none },
	{ "read, status with the last byte", VIRTIO_BLK_T_IN, cuts_header_odd, cuts_in_tail },
	{ "read, data in bytes", VIRTIO_BLK_T_IN, cuts_header_bytes, cuts_in_bytes },
	{ "read, odd pieces", VIRTIO_BLK_T_IN, cuts_header, cuts_in_odd },
	{ "flush, usual", VIRTIO_BLK_T_FLUSH, cuts_header, cuts_none },
	{ "flush, header in bytes", VIRTIO_BLK_T_FLUSH, cuts_header_bytes, cuts_none },
	{ "get-id, usual", VIRTIO_BLK_T_GET_ID, cuts_header, cuts_id },
	{ "get-id, status with it", VIRTIO_BLK_T_GET_ID, cuts_header, cuts_none },
	{ "get-id, odd pieces", VIRTIO_BLK_T_GET_ID, cuts_header_odd, cuts_id_odd },
	{ "get-id, in bytes", VIRTIO_BLK_T_GET_ID, cuts_header, cuts_id_bytes },
};

static uint32_t stream_header(uint8_t *out, uint32_t type, uint64_t sector)
{
	struct virtio_blk_outhdr hdr = {
		.type = htole32(type),
		.sector = htole64(sector),
	};

	memcpy(out, &hdr, sizeof(hdr));
	return sizeof(hdr);
}

static uint32_t data_in_len(uint32_t type, uint32_t len)
{
	return type == VIRTIO_BLK_T_IN ? len : type == VIRTIO_BLK_T_GET_ID ? ID_LEN : 0;
}

/* The status, the length in the used ring, and the memory around the pieces. */
static int check_outcome(struct frame *f, uint8_t *in, uint32_t in_len)
{
	CHECK_EQ(frame_gather(f, in), in_len + 1);
	CHECK_EQ(in[in_len], VIRTIO_BLK_S_OK);
	CHECK_EQ(f->req.used_len, in_len + 1);
	CHECK(frame_intact(f), "the device wrote outside of its pieces");
	return 0;
}

static int run_case(struct env *e, struct frame *f, const struct frame_case *c, uint64_t generation,
		    enum ring_layout layout)
{
	static uint8_t out[16 + FIXED_LEN], in[FIXED_LEN + 1];
	uint32_t len = stream_header(out, c->type, 64);
	uint32_t in_len = data_in_len(c->type, FIXED_LEN);

	frame_begin(f);
	if (c->type == VIRTIO_BLK_T_OUT) {
		pattern_fill(out + len, FIXED_LEN, 64, generation);
		len += FIXED_LEN;
	}
	frame_stream(f, out, len, c->readable);
	frame_stream(f, NULL, in_len + 1, c->writable);
	CHECK_OK(frame_do(f, 0, layout));
	CHECK_PASS(check_outcome(f, in, in_len));
	if (c->type == VIRTIO_BLK_T_OUT)
		return env_store_check(e, 64, FIXED_LEN, generation);
	if (c->type == VIRTIO_BLK_T_IN)
		CHECK_EQ(pattern_check(in, FIXED_LEN, 64, generation), -1);
	return 0;
}

static int run_cases(struct env *e, enum ring_layout layout)
{
	struct prng prng = { e->seed };
	uint64_t generation = 0;
	struct frame f;
	unsigned int i;
	int res = 0;

	CHECK_OK(frame_init(&f, &e->b, AREA_SIZE, &prng));
	for (i = 0; i < sizeof(cases) / sizeof(*cases) && !res; i++) {
		/* Writes come first in the table, so that the last one's data is what is read. */
		if (cases[i].type == VIRTIO_BLK_T_OUT)
			generation = 100 + i;
		if (16 + 72 + 2 > e->b.num && layout == RING_DIRECT)
			break;
		res = run_case(e, &f, &cases[i], generation, layout);
		if (res)
			ktap_diag("case: %s", cases[i].name);
	}
	frame_destroy(&f);
	return res;
}

static int frame_fixed_direct(void *ctx)
{
	struct env *e = ctx;

	if (e->b.num < 128)
		SKIP("the ring is too small");
	return run_cases(e, RING_DIRECT);
}

static int frame_fixed_indirect(void *ctx)
{
	struct env *e = ctx;

	if (e->b.num < 128)
		SKIP("the device takes too few pieces");
	return run_cases(e, RING_INDIRECT);
}

/* Descriptors in the ring that end in a table: the specification allows it. */
static int frame_fixed_mixed(void *ctx)
{
	struct env *e = ctx;

	if (e->b.num < 128)
		SKIP("the device takes too few pieces");
	return run_cases(e, RING_MIXED);
}

struct model {
	uint32_t generation[RANDOM_SECTORS];	/* of each sector, 0: never written */
};

/* Whether all of a stretch of sectors was written, to be read and compared. */
static bool model_known(const struct model *m, uint32_t sector, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (!m->generation[sector + i])
			return false;
	return true;
}

static int check_read(const struct model *m, const uint8_t *in, uint32_t sector, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		CHECK(pattern_check(in + i * SECTOR_SIZE, SECTOR_SIZE, sector + i,
				    m->generation[sector + i]) < 0, "sector %u", sector + i);
	return 0;
}

static int random_turn(struct env *e, struct frame *f, struct model *m, uint32_t generation)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_IN,
		VIRTIO_BLK_T_IN, VIRTIO_BLK_T_IN, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID };
	static uint8_t out[16 + RANDOM_MAX], in[RANDOM_MAX + 1];
	uint32_t type = types[prng_range(f->prng, 0, 6)], block = blk_block_size(&e->b);
	uint32_t count = prng_range(f->prng, 1, RANDOM_MAX / block) * (block / SECTOR_SIZE);
	uint32_t sector = prng_range(f->prng, 0, (RANDOM_SECTORS - count) * SECTOR_SIZE / block);
	uint32_t len, data = count * SECTOR_SIZE, in_len = data_in_len(type, data), i;
	/* The number of pieces of data is what the device limits; two more are the rest. */
	unsigned int pieces = prng_range(f->prng, 1, blk_seg_max(&e->b));

	sector = sector * block / SECTOR_SIZE;
	len = stream_header(out, type, sector);
	if (type == VIRTIO_BLK_T_OUT) {
		pattern_fill(out + len, data, sector, generation);
		len += data;
		for (i = 0; i < count; i++)
			m->generation[sector + i] = generation;
	}
	frame_begin(f);
	frame_stream_random(f, out, len, type == VIRTIO_BLK_T_OUT ? pieces : 2);
	frame_stream_random(f, NULL, in_len + 1, type == VIRTIO_BLK_T_OUT ? 1 : pieces);
	CHECK_OK(frame_do(f, generation % e->b.nqueues,
			  prng_range(f->prng, RING_DIRECT, RING_MIXED)));
	CHECK_PASS(check_outcome(f, in, in_len));
	if (type == VIRTIO_BLK_T_IN && model_known(m, sector, count))
		return check_read(m, in, sector, count);
	return 0;
}

static int frame_random(void *ctx)
{
	struct env *e = ctx;
	struct prng prng = { e->seed };
	struct model *m = calloc(1, sizeof(*m));
	struct frame f;
	uint32_t i;
	int res;

	CHECK(m, "out of memory");
	CHECK_OK(frame_init(&f, &e->b, AREA_SIZE, &prng));
	for (i = 1, res = 0; i <= e->rounds * 50 && !res; i++) {
		res = random_turn(e, &f, m, i);
		if (res)
			ktap_diag("turn %u of seed %llu", i, (unsigned long long)e->seed);
	}
	frame_destroy(&f);
	free(m);
	return res;
}

/*
 * Buffers at every kind of address, one piece each, as a guest's user space would hand them over.
 */
static int frame_unaligned(void *ctx)
{
	static const uint32_t offsets[] = { 1, 2, 3, 4, 8, 255, 511, 512, 513, 2048, 4095 };
	static const uint32_t lengths[] = { 4096, 8192, 12288, 65536 };
	struct env *e = ctx;
	uint8_t *out = gmem_alloc(&e->b.mem, 2 * 65536, 4096);
	uint8_t *in = gmem_alloc(&e->b.mem, 2 * 65536, 4096);
	unsigned int i, j;

	for (i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		for (j = 0; j < sizeof(lengths) / sizeof(*lengths); j++) {
			uint32_t off = offsets[i], len = lengths[j];
			uint64_t generation = i * 10 + j + 1;

			pattern_fill(out + off, len, 128, generation);
			memset(in, CANARY_BYTE, 2 * 65536);
			CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, 128, out + off, len), 0);
			CHECK_PASS(env_store_check(e, 128, len, generation));
			CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, 128, in + off, len), 0);
			CHECK_EQ(pattern_check(in + off, len, 128, generation), -1);
			CHECK_EQ(bytes_check(in, off, CANARY_BYTE), -1);
			CHECK_EQ(bytes_check(in + off + len, 2 * 65536 - off - len, CANARY_BYTE),
				 -1);
		}
	}
	return 0;
}

/* As many pieces as the device says it takes, each as long as it says. */
static int limit_request(struct env *e, uint32_t piece_len)
{
	unsigned int n = blk_seg_max(&e->b), i;
	uint32_t len = n * piece_len;
	uint8_t *buf = gmem_alloc(&e->b.mem, len, 4096);
	struct blk_req r;
	uint32_t type;

	blk_req_init(&e->b, &r);
	for (type = VIRTIO_BLK_T_OUT; ; type = VIRTIO_BLK_T_IN) {
		bool in = type == VIRTIO_BLK_T_IN;

		if (in)
			memset(buf, CANARY_BYTE, len);
		else
			pattern_fill(buf, len, 0, piece_len);
		blk_req_begin(&r, type, 0);
		blk_req_piece(&r, r.hdr, 16, false);
		for (i = 0; i < n; i++)
			blk_req_piece(&r, buf + (size_t)i * piece_len, piece_len, in);
		blk_req_piece(&r, r.status, 1, true);
		CHECK_EQ(blk_do(&e->b, 0, &r), VIRTIO_BLK_S_OK);
		CHECK_EQ(r.used_len, in ? len + 1 : 1);
		if (in)
			break;
		CHECK_PASS(env_store_check(e, 0, len, piece_len));
	}
	CHECK_EQ(pattern_check(buf, len, 0, piece_len), -1);
	return 0;
}

static int frame_limit_pages(void *ctx)
{
	return limit_request(ctx, 4096);
}

static int frame_limit_size(void *ctx)
{
	return limit_request(ctx, 65536);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(frame_fixed_direct),
	KTAP_TEST(frame_fixed_indirect),
	KTAP_TEST(frame_fixed_mixed),
	KTAP_TEST(frame_random),
	KTAP_TEST(frame_unaligned),
	KTAP_TEST(frame_limit_pages),
	KTAP_TEST(frame_limit_size),
};

const struct ktap_suite blk_io_frame_suite = {
	.name = "framing",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
