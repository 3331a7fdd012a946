// SPDX-License-Identifier: GPL-2.0-only
/*
 * Well-formed chains that hold requests which the device can't do: an error status, and on it
 * goes.
 */
#include <string.h>

#include "blk_bad.h"

#define LEN	4096u
#define ANY	(-1)

/* Submits and compares; the queue, the others, and the device's status are as before. */
static int expect_status(struct env *e, struct blk_req *r, int want)
{
	int got = blk_do(&e->b, 0, r);

	if (want == ANY)
		CHECK(got >= 0 && got <= VIRTIO_BLK_S_UNSUPP, "status or error %d", got);
	else
		CHECK_EQ(got, want);
	CHECK_EQ(blk_needs_reset(&e->b), 0);
	return 0;
}

static int expect_usual(struct env *e, uint32_t type, uint64_t sector, uint32_t len, int want)
{
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN * 4, LEN);
	struct blk_req r;

	blk_req_init(&e->b, &r);
	memset(buf, CANARY_BYTE, LEN * 4);
	blk_req_usual(&r, type, sector, buf, len);
	CHECK_PASS(expect_status(e, &r, want));
	CHECK_EQ(bytes_check(buf + len, LEN * 4 - len, CANARY_BYTE), -1);
	/* The length counts what was written from the first writable byte on. */
	if (r.segs[1].write && len && buf[0] == CANARY_BYTE && want != VIRTIO_BLK_S_OK)
		CHECK_EQ(r.used_len, 0);
	CHECK(r.used_len <= len + 1, "used length %u", r.used_len);
	return 0;
}

static int request_beyond_end(void *ctx)
{
	struct env *e = ctx;
	uint64_t cap = blk_capacity(&e->b), block = blk_block_size(&e->b) / 512;
	const uint64_t sectors[] = { cap, cap - block, cap + block, cap - LEN / 512 + block,
		1ull << 32, 1ull << 54, (1ull << 55) - LEN / 512, 1ull << 55, 1ull << 63,
		UINT64_MAX, UINT64_MAX - LEN / 512 + 1, UINT64_MAX / 512 };
	uint8_t last[LEN], now[LEN];
	unsigned int i;

	CHECK_OK(env_store_read(e, cap - LEN / 512, last, LEN));
	for (i = 0; i < sizeof(sectors) / sizeof(*sectors); i++) {
		uint32_t len = sectors[i] == cap - block ? block * 512 * 2 : LEN;

		CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_IN, sectors[i], len, VIRTIO_BLK_S_IOERR));
		CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_OUT, sectors[i], len, VIRTIO_BLK_S_IOERR));
	}
	CHECK_OK(env_store_read(e, cap - LEN / 512, now, LEN));
	CHECK(!memcmp(last, now, LEN), "the end of the store was written");
	return env_verify(e);
}

static int request_last_block(void *ctx)
{
	struct env *e = ctx;
	uint64_t cap = blk_capacity(&e->b), block = blk_block_size(&e->b);

	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_IN, cap - block / 512, block, VIRTIO_BLK_S_OK));
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_OUT, cap - block / 512, block, VIRTIO_BLK_S_OK));
	return 0;
}

static int request_odd_length(void *ctx)
{
	static const uint32_t lens[] = { 1, 100, 511, 513, 1023, 4095 };
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_IN, 0, lens[i], VIRTIO_BLK_S_IOERR));
		CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_OUT, 0, lens[i], VIRTIO_BLK_S_IOERR));
	}
	return env_verify(e);
}

static int request_odd_block(void *ctx)
{
	struct env *e = ctx;
	uint32_t block = blk_block_size(&e->b);

	if (block == 512)
		SKIP("blocks are sectors");
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_IN, 0, 512, VIRTIO_BLK_S_IOERR));
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_OUT, 0, block + 512, VIRTIO_BLK_S_IOERR));
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_IN, 1, block, VIRTIO_BLK_S_IOERR));
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_OUT, block / 512 - 1, block, VIRTIO_BLK_S_IOERR));
	return env_verify(e);
}

static int request_no_data(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_IN, 0, 0, ANY));
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_OUT, 0, 0, ANY));
	CHECK_PASS(expect_usual(e, VIRTIO_BLK_T_GET_ID, 0, 0, ANY));
	return env_verify(e);
}

static int request_unknown_type(void *ctx)
{
	/* SCSI passthrough, lifetime, what the store can't do, zone requests, and nonsense. */
	static const uint32_t types[] = { 2, 3, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 18, 20, 22, 24,
		26, 0x55, 0x100, 0x8000, 0x10000, 0x40000000, 0xffffffff };
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		CHECK_PASS(expect_usual(e, types[i], 0, 512, VIRTIO_BLK_S_UNSUPP));
		CHECK_PASS(expect_usual(e, types[i], 0, 0, VIRTIO_BLK_S_UNSUPP));
	}
	return env_verify(e);
}

static int request_short_header(void *ctx)
{
	static const uint32_t lens[] = { 1, 8, 15 };
	struct env *e = ctx;
	struct blk_req r;
	unsigned int i;

	blk_req_init(&e->b, &r);
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		blk_req_begin(&r, VIRTIO_BLK_T_FLUSH, 0);
		blk_req_piece(&r, r.hdr, lens[i], false);
		blk_req_piece(&r, r.status, 1, true);
		CHECK_PASS(expect_status(e, &r, VIRTIO_BLK_S_IOERR));
	}
	return env_verify(e);
}

/* No header at all, only room for a status. */
static int request_no_header(void *ctx)
{
	struct env *e = ctx;
	struct blk_req r;

	blk_req_init(&e->b, &r);
	blk_req_begin(&r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(&r, r.status, 1, true);
	CHECK_PASS(expect_status(e, &r, VIRTIO_BLK_S_IOERR));
	return env_verify(e);
}

/*
 * Data in the wrong direction, beside or instead of the right one: written nowhere it should not
 * be.
 */
static int request_wrong_direction(void *ctx)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
		VIRTIO_BLK_T_GET_ID };
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN * 2, LEN);
	struct blk_req r;
	unsigned int i, both;

	blk_req_init(&e->b, &r);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		for (both = 0; both < 2; both++) {
			bool out = types[i] == VIRTIO_BLK_T_OUT;

			memset(buf, CANARY_BYTE, LEN * 2);
			blk_req_begin(&r, types[i], 0);
			blk_req_piece(&r, r.hdr, 16, false);
			if (!out || both)
				blk_req_piece(&r, buf, LEN, false);
			if (out || both)
				blk_req_piece(&r, buf + LEN, LEN, true);
			blk_req_piece(&r, r.status, 1, true);
			CHECK_PASS(expect_status(e, &r, ANY));
			CHECK_EQ(bytes_check(buf, LEN, CANARY_BYTE), -1);
		}
	}
	return env_verify(e);
}

/* A buffer for the serial that is shorter or longer than a serial. */
static int request_id_length(void *ctx)
{
	static const uint32_t lens[] = { 1, 10, 19, 21, 512, 4096 };
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN * 2, LEN);
	struct blk_req r;
	unsigned int i;

	blk_req_init(&e->b, &r);
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		memset(buf, CANARY_BYTE, LEN * 2);
		blk_req_usual(&r, VIRTIO_BLK_T_GET_ID, 0, buf, lens[i]);
		CHECK_PASS(expect_status(e, &r, ANY));
		CHECK_EQ(bytes_check(buf + lens[i], LEN * 2 - lens[i], CANARY_BYTE), -1);
	}
	return env_verify(e);
}

/* Many errors at once, among good requests. */
static int request_error_storm(void *ctx)
{
	struct env *e = ctx;
	struct blk_req r[16];
	uint8_t *buf = gmem_alloc(&e->b.mem, 16 * LEN, LEN);
	unsigned int round, i;

	for (i = 0; i < 16; i++)
		blk_req_init(&e->b, &r[i]);
	for (round = 0; round < e->rounds * 5; round++) {
		for (i = 0; i < 16; i++) {
			uint64_t sector = i % 2 ? blk_capacity(&e->b) + i : i * 8;

			blk_req_usual(&r[i], i % 4 == 2 ? 0x77 : VIRTIO_BLK_T_IN, sector,
				      buf + i * LEN, LEN);
			CHECK_OK(blk_queue(&e->b, 0, &r[i], RING_INDIRECT));
		}
		ring_flush(&e->b.rings[0]);
		CHECK_OK(blk_drain(&e->b, 0));
		for (i = 0; i < 16; i++)
			CHECK_EQ(*r[i].status, i % 2 ? VIRTIO_BLK_S_IOERR :
				 i % 4 ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_OK);
	}
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(request_beyond_end),
	KTAP_TEST(request_last_block),
	KTAP_TEST(request_odd_length),
	KTAP_TEST(request_odd_block),
	KTAP_TEST(request_no_data),
	KTAP_TEST(request_unknown_type),
	KTAP_TEST(request_short_header),
	KTAP_TEST(request_no_header),
	KTAP_TEST(request_wrong_direction),
	KTAP_TEST(request_id_length),
	KTAP_TEST(request_error_storm),
};

const struct ktap_suite blk_bad_request_suite = {
	.name = "bad requests",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
