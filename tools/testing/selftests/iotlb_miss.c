// SPDX-License-Identifier: GPL-2.0-only
/* What has no translation is asked for, by that queue alone, and once. */
#include <linux/pvio_vhost_blk.h>
#include <stdlib.h>
#include <unistd.h>

#include "iotlb.h"
#include "node.h"

#define QUEUE	0u
#define OTHER	1u

static int map(struct env *e, uint64_t iova, uint64_t size, const void *va, uint8_t perm)
{
	CHECK_OK(vhost_iotlb_map(&e->b.v, iova, size, va, perm));
	return 0;
}

static int flush(struct env *e, struct blk_req *r)
{
	blk_req_usual(r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	CHECK_OK(blk_submit(&e->b, QUEUE, r));
	return 0;
}

static int expect_ok(struct env *e, struct blk_req *r)
{
	CHECK_OK(blk_wait(&e->b, QUEUE, r));
	CHECK_EQ(*r->status, VIRTIO_BLK_S_OK);
	return 0;
}

/* Each area of the ring is at an address of its own where nothing is mapped yet. */
static int miss_areas(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[QUEUE];
	struct blk_req *req = &e->b.reqs[QUEUE];
	const struct {
		void *va;
		uint8_t perm;
	} areas[] = {
		{ r->desc, iotlb_desc_perm(r) }, { r->avail, VHOST_ACCESS_RO },
		{ r->used, VHOST_ACCESS_WO },
	};
	uint64_t iova[3], off[3];
	unsigned int i;

	CHECK_OK(blk_prepare(&e->b));
	for (i = 0; i < 3; i++) {
		off[i] = (uintptr_t)areas[i].va % PAGE;
		iova[i] = FAR_IOVA + i * MIB + off[i];
	}
	CHECK_OK(e->b.transport->place(&e->b, QUEUE, iova[0], iova[1], iova[2]));
	CHECK_PASS(map(e, e->b.mem.iova, e->b.mem.size, e->b.mem.va, VHOST_ACCESS_RW));
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK_PASS(flush(e, req));
	for (i = 0; i < 3; i++) {
		uint8_t *va = areas[i].va;

		CHECK_PASS(iotlb_expect(e, iova[i], areas[i].perm));
		CHECK_PASS(iotlb_expect_none(e, OTHER));
		CHECK(!req->done && !blk_collect(&e->b, QUEUE), "it went on with area %u missing",
		      i);
		/* The right to do something else is no answer. */
		CHECK_PASS(map(e, iova[i] - off[i], 8 * PAGE, va - off[i],
			       areas[i].perm == VHOST_ACCESS_RO ? VHOST_ACCESS_WO :
								  VHOST_ACCESS_RO));
		CHECK_PASS(iotlb_expect_none(e, OTHER));
		CHECK_PASS(map(e, iova[i] - off[i], 8 * PAGE, va - off[i], areas[i].perm));
	}
	CHECK_PASS(expect_ok(e, req));
	CHECK_PASS(env_verify(e));

	/* Taken away again, they are asked for again. */
	for (i = 0; i < 3; i++) {
		CHECK_OK(vhost_iotlb_unmap(&e->b.v, iova[i], PAGE));
		CHECK_PASS(flush(e, req));
		CHECK_PASS(iotlb_expect(e, iova[i], areas[i].perm));
		CHECK_PASS(map(e, iova[i] - off[i], 2 * PAGE, (uint8_t *)areas[i].va - off[i],
			       VHOST_ACCESS_RW));
		CHECK_PASS(expect_ok(e, req));
	}
	return env_verify(e);
}

/* Where a request has a piece at FAR_IOVA. */
enum piece {
	PIECE_HEADER,
	PIECE_DATA_OUT,
	PIECE_DATA_IN,
	PIECE_DATA_ODD,
	PIECE_STATUS,
	PIECE_ID,
	PIECES,
};

static void make_request(struct blk_req *r, enum piece p, const uint8_t *data)
{
	uint32_t type = p == PIECE_DATA_OUT ? VIRTIO_BLK_T_OUT :
			p == PIECE_ID ? VIRTIO_BLK_T_GET_ID : VIRTIO_BLK_T_IN;
	uint32_t len = p == PIECE_ID ? VIRTIO_BLK_ID_BYTES : PAGE;
	bool data_far = p != PIECE_HEADER && p != PIECE_STATUS;

	blk_req_begin(r, type, 0);
	if (p == PIECE_HEADER)
		blk_req_piece_iova(r, FAR_IOVA, 16, false);
	else
		blk_req_piece(r, r->hdr, 16, false);
	if (data_far)
		blk_req_piece_iova(r, FAR_IOVA + (p == PIECE_DATA_ODD) * 100, len,
				   p != PIECE_DATA_OUT);
	else
		blk_req_piece(r, data, len, true);
	if (p == PIECE_STATUS)
		blk_req_piece_iova(r, FAR_IOVA, 1, true);
	else
		blk_req_piece(r, r->status, 1, true);
}

static int miss_piece(struct env *e, enum piece p, enum ring_layout layout)
{
	uint8_t perm = p == PIECE_HEADER || p == PIECE_DATA_OUT ? VHOST_ACCESS_RO : VHOST_ACCESS_WO;
	struct blk_req *r = &e->b.reqs[QUEUE];
	uint8_t *far = gmem_alloc(&e->b.mem, 2 * PAGE, PAGE);
	uint8_t *data = gmem_alloc(&e->b.mem, PAGE, PAGE), *in;
	unsigned int off = (p == PIECE_DATA_ODD) * 100;

	ktap_diag("piece %u, layout %u", p, layout);
	pattern_fill(data, PAGE, 0, p + 1);
	CHECK_EQ(blk_rw(&e->b, OTHER, VIRTIO_BLK_T_OUT, 0, data, PAGE), VIRTIO_BLK_S_OK);
	memset(data, 0, PAGE);
	make_request(r, p, data);
	memset(far, CANARY_BYTE, 2 * PAGE);
	if (p == PIECE_HEADER)
		memcpy(far, r->hdr, 16);
	if (p == PIECE_DATA_OUT)
		pattern_fill(far, PAGE, 0, 77);
	CHECK_OK(blk_queue(&e->b, QUEUE, r, layout));
	ring_publish(&e->b.rings[QUEUE]);
	ring_kick(&e->b.rings[QUEUE]);
	CHECK_PASS(iotlb_expect(e, FAR_IOVA + off, perm));
	CHECK_PASS(env_verify_queue(e, OTHER, 1024));
	CHECK(!blk_collect(&e->b, QUEUE), "it was completed");
	CHECK_PASS(map(e, FAR_IOVA, 2 * PAGE, far, perm));
	CHECK_OK(blk_wait(&e->b, QUEUE, r));
	CHECK_EQ(p == PIECE_STATUS ? *far : *r->status, VIRTIO_BLK_S_OK);
	in = p == PIECE_DATA_IN || p == PIECE_DATA_ODD ? far + off : data;
	if (p == PIECE_DATA_OUT) {
		CHECK_EQ(blk_rw(&e->b, OTHER, VIRTIO_BLK_T_IN, 0, data, PAGE), VIRTIO_BLK_S_OK);
		CHECK_EQ(pattern_check(data, PAGE, 0, 77), -1);
	} else if (p != PIECE_ID) {
		CHECK_EQ(pattern_check(in, PAGE, 0, p + 1), -1);
	}
	CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, 2 * PAGE));
	return 0;
}

/* Every kind of buffer, in the ring and in an indirect table. */
static int miss_pieces(void *ctx)
{
	struct env *e = ctx;
	size_t mark = gmem_mark(&e->b.mem);
	unsigned int p;

	for (p = 0; p < PIECES; p++) {
		CHECK_PASS(miss_piece(e, p, RING_DIRECT));
		CHECK_PASS(miss_piece(e, p, RING_INDIRECT));
		gmem_release(&e->b.mem, mark);
	}
	return env_verify(e);
}

/* The indirect table itself. */
static int miss_table(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[QUEUE];
	struct blk_req *req = &e->b.reqs[QUEUE];
	uint64_t off = (uintptr_t)r->tables % PAGE, was = r->tables_iova;

	r->tables_iova = FAR_IOVA + off;
	blk_req_usual(req, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	CHECK_OK(blk_queue(&e->b, QUEUE, req, RING_INDIRECT));
	ring_publish(r);
	ring_kick(r);
	CHECK_PASS(iotlb_expect(e, ring_table_iova(r, 0), VHOST_ACCESS_RO));
	CHECK_PASS(iotlb_expect_none(e, OTHER));
	CHECK_PASS(map(e, FAR_IOVA, 64 * PAGE, (uint8_t *)r->tables - off, VHOST_ACCESS_RO));
	CHECK_PASS(expect_ok(e, req));
	r->tables_iova = was;
	return env_verify(e);
}

/* The second page of a buffer, and the rights of it: the first byte that lacks is named. */
static int miss_second_page(void *ctx)
{
	struct env *e = ctx;
	struct blk_req *r = &e->b.reqs[QUEUE];
	uint8_t *far = gmem_alloc(&e->b.mem, 4 * PAGE, PAGE);
	uint8_t *data = gmem_alloc(&e->b.mem, 4 * PAGE, PAGE);

	pattern_fill(data, 4 * PAGE, 0, 5);
	CHECK_EQ(blk_rw(&e->b, OTHER, VIRTIO_BLK_T_OUT, 0, data, 4 * PAGE), VIRTIO_BLK_S_OK);
	CHECK_PASS(map(e, FAR_IOVA, PAGE, far, VHOST_ACCESS_WO));
	CHECK_PASS(map(e, FAR_IOVA + 2 * PAGE, PAGE, far + 2 * PAGE, VHOST_ACCESS_RO));
	blk_req_begin(r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(r, r->hdr, 16, false);
	blk_req_piece_iova(r, FAR_IOVA, 4 * PAGE, true);
	blk_req_piece(r, r->status, 1, true);
	CHECK_OK(blk_submit(&e->b, QUEUE, r));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA + PAGE, VHOST_ACCESS_WO));
	/* Next to it is no answer. */
	CHECK_PASS(map(e, FAR_IOVA + PAGE + 1, PAGE - 1, far + PAGE + 1, VHOST_ACCESS_RW));
	CHECK_PASS(iotlb_expect_none(e, OTHER));
	CHECK_PASS(map(e, FAR_IOVA + PAGE, 1, far + PAGE, VHOST_ACCESS_WO));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA + 2 * PAGE, VHOST_ACCESS_WO));
	CHECK_PASS(map(e, FAR_IOVA + 2 * PAGE, PAGE, far + 2 * PAGE, VHOST_ACCESS_RW));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA + 3 * PAGE, VHOST_ACCESS_WO));
	CHECK_PASS(map(e, FAR_IOVA, 4 * PAGE, far, VHOST_ACCESS_RW));
	CHECK_PASS(expect_ok(e, r));
	CHECK_EQ(pattern_check(far, 4 * PAGE, 0, 5), -1);
	return env_verify(e);
}

/* A chain that goes around the end of all addresses is the guest's mistake, not a miss. */
static int miss_wraps(void *ctx)
{
	struct env *e = ctx;
	struct blk_req *r = &e->b.reqs[QUEUE];

	blk_req_begin(r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(r, r->hdr, 16, false);
	blk_req_piece_iova(r, ~0ull - 511, 2 * PAGE, true);
	blk_req_piece(r, r->status, 1, true);
	CHECK_OK(blk_submit(&e->b, QUEUE, r));
	CHECK(blk_wait_needs_reset(&e->b), "the queue is not broken");
	return iotlb_expect_none(e, OTHER);
}

static void far_read(struct env *e, struct blk_req *r, uint64_t iova)
{
	(void)e;
	blk_req_begin(r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(r, r->hdr, 16, false);
	blk_req_piece_iova(r, iova, PAGE, true);
	blk_req_piece(r, r->status, 1, true);
}

/* All queues on one thread: those that ask don't stop the others, and ask once. */
static int miss_one_worker(void *ctx)
{
	struct env *e = ctx;
	uint8_t *far = gmem_alloc(&e->b.mem, PAGE, PAGE);
	unsigned int q, i;
	int n = 1;

	CHECK_PASS(env_close(e));
	CHECK_PASS(iotlb_open(e));
	CHECK_OK(blk_prepare(&e->b));
	EXPECT(e, 0, VHOST_SET_NWORKERS, &n);
	CHECK_PASS(map(e, e->b.mem.iova, e->b.mem.size, e->b.mem.va, VHOST_ACCESS_RW));
	CHECK_OK(e->b.transport->go(&e->b));
	far = gmem_alloc(&e->b.mem, PAGE, PAGE);

	/* Two ask the same, and that once. */
	for (q = 2; q < 4; q++) {
		far_read(e, &e->b.reqs[q], FAR_IOVA);
		CHECK_OK(blk_submit(&e->b, q, &e->b.reqs[q]));
	}
	CHECK_PASS(env_verify_queue(e, 1, 512));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA, VHOST_ACCESS_WO));
	for (i = 0; i < 100; i++) {
		ring_kick(&e->b.rings[2]);
		ring_kick(&e->b.rings[3]);
	}
	CHECK_PASS(iotlb_expect_none(e, 0));
	CHECK_PASS(iotlb_expect_none(e, 1));
	CHECK_PASS(map(e, FAR_IOVA, PAGE, far, VHOST_ACCESS_RW));
	for (q = 2; q < 4; q++) {
		CHECK_OK(blk_wait(&e->b, q, &e->b.reqs[q]));
		CHECK_EQ(*e->b.reqs[q].status, VIRTIO_BLK_S_OK);
	}
	return env_verify(e);
}

/* Each queue asks for something else: as many questions as queues, in turn. */
static int miss_each(void *ctx)
{
	struct env *e = ctx;
	uint8_t *far = gmem_alloc(&e->b.mem, 4 * PAGE, PAGE);
	struct vhost_iotlb_msg msg;
	unsigned int q, i, seen = 0;
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

	for (q = 0; q < 4; q++) {
		far_read(e, &e->b.reqs[q], FAR_IOVA + q * PAGE);
		CHECK_OK(blk_submit(&e->b, q, &e->b.reqs[q]));
	}
	while (seen != 0xf && blk_now_ms() < end) {
		int err = iotlb_read(e, &msg);

		if (err == -EAGAIN)
			continue;
		CHECK_OK(err);
		i = (msg.iova - FAR_IOVA) / PAGE;
		CHECK(i < 4 && !(seen & 1u << i), "0x%llx, again or at all", msg.iova);
		seen |= 1u << i;
	}
	CHECK_EQ(seen, 0xf);
	CHECK_EQ(iotlb_read(e, &msg), -EAGAIN);
	CHECK_PASS(map(e, FAR_IOVA, 4 * PAGE, far, VHOST_ACCESS_WO));
	for (q = 0; q < 4; q++) {
		CHECK_OK(blk_wait(&e->b, q, &e->b.reqs[q]));
		CHECK_EQ(*e->b.reqs[q].status, VIRTIO_BLK_S_OK);
	}
	return env_verify(e);
}

/* The VMM can say no: that breaks the queue that asks, and no other. */
static int miss_refused(void *ctx)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_ACCESS_FAIL, .iova = FAR_IOVA };
	struct env *e = ctx;
	struct blk_req *r = &e->b.reqs[QUEUE];

	far_read(e, r, FAR_IOVA);
	CHECK_OK(blk_submit(&e->b, QUEUE, r));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA, VHOST_ACCESS_WO));
	msg.perm = VHOST_ACCESS_RO;
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -ENOENT);
	msg.perm = VHOST_ACCESS_WO;
	msg.iova += PAGE;
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -ENOENT);
	msg.iova -= PAGE;
	CHECK(!blk_needs_reset(&e->b), "it is broken");
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), 0);
	CHECK(blk_wait_needs_reset(&e->b), "the queue is not broken");
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -ENOENT);
	CHECK_PASS(iotlb_expect_none(e, OTHER));

	/* A reset heals it. */
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(vhost_ack_backend_features(&e->b.v, BIT(VHOST_BACKEND_F_IOTLB_MSG_V2)));
	ring_restart(&e->b.rings[QUEUE], 0);
	ring_restart(&e->b.rings[1], 0);
	ring_restart(&e->b.rings[2], 0);
	ring_restart(&e->b.rings[3], 0);
	CHECK_OK(blk_prepare(&e->b));
	CHECK_PASS(map(e, e->b.mem.iova, e->b.mem.size, e->b.mem.va, VHOST_ACCESS_RW));
	CHECK_OK(e->b.transport->go(&e->b));
	return env_verify(e);
}

/* Stopped with a question open: that ends at once, and the next start asks again. */
static int miss_stopped(void *ctx)
{
	struct vhost_vring_file none = { .index = 0, .fd = -1 };
	struct env *e = ctx;
	struct blk_req *r = &e->b.reqs[QUEUE];
	uint8_t *far = gmem_alloc(&e->b.mem, PAGE, PAGE);
	unsigned int base;

	far_read(e, r, FAR_IOVA);
	CHECK_OK(blk_submit(&e->b, QUEUE, r));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA, VHOST_ACCESS_WO));
	EXPECT(e, 0, VHOST_BLK_SET_BACKEND, &none);
	CHECK(!blk_needs_reset(&e->b), "it is broken");
	CHECK_OK(vhost_get_vring_base(&e->b.v, QUEUE, &base));
	CHECK_EQ(base, ring_device_base(&e->b.rings[QUEUE]));
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK_PASS(iotlb_expect(e, FAR_IOVA, VHOST_ACCESS_WO));
	CHECK_PASS(map(e, FAR_IOVA, PAGE, far, VHOST_ACCESS_RW));
	CHECK_PASS(expect_ok(e, r));
	return env_verify(e);
}

/* All that the other programs do, with pages that are mapped when they are asked for. */
static int miss_all(void *ctx)
{
	static const uint64_t granules[] = { PAGE, 16 * PAGE, MIB };
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		struct vmm vmm = { };
		int err;

		CHECK_PASS(env_close(e));
		CHECK_PASS(iotlb_open(e));
		CHECK_OK(blk_prepare(&e->b));
		CHECK_PASS(vmm_start(&vmm, e, granules[i]));
		CHECK_OK(e->b.transport->go(&e->b));
		err = env_verify(e);
		if (!err)
			err = env_verify(e);
		ktap_diag("%u misses with pages of %llu KiB", vmm.misses,
			  (unsigned long long)granules[i] / 1024);
		CHECK_EQ(vmm_stop(&vmm), 0);
		CHECK_PASS(err);
		CHECK(vmm.misses, "no misses");
	}
	return 0;
}

/* The one that starts by itself. */
static int miss_areas_fresh(void *ctx)
{
	CHECK_PASS(env_close(ctx));
	CHECK_PASS(iotlb_open(ctx));
	return miss_areas(ctx);
}

static const struct ktap_test tests[] = {
	{ "miss_areas", miss_areas_fresh },
	KTAP_TEST(miss_pieces),
	KTAP_TEST(miss_table),
	KTAP_TEST(miss_second_page),
	KTAP_TEST(miss_wraps),
	KTAP_TEST(miss_one_worker),
	KTAP_TEST(miss_each),
	KTAP_TEST(miss_refused),
	KTAP_TEST(miss_stopped),
	KTAP_TEST(miss_all),
};

const struct ktap_suite iotlb_miss_suite = {
	.name = "misses",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = iotlb_start,
	.teardown = env_close,
};
