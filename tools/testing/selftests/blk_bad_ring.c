// SPDX-License-Identifier: GPL-2.0-only
/* Indices that lie, and rings where there is no memory. */
#include <string.h>
#include <unistd.h>

#include "blk_bad.h"

#define LEN	4096u

static int ring_index_jump_by(struct env *e, uint16_t jump)
{
	struct ring *r = &e->b.rings[0];

	CHECK_PASS(env_verify_queue(e, 0, 0));
	ring_raw_avail_idx(r, r->avail_idx + jump);
	ring_kick(r);
	return bad_expect_broken(e);
}

static int ring_index_too_far(void *ctx)
{
	struct env *e = ctx;

	return ring_index_jump_by(e, e->b.num + 1);
}

static int ring_index_half_way(void *ctx)
{
	return ring_index_jump_by(ctx, 0x8000);
}

static int ring_index_back(void *ctx)
{
	return ring_index_jump_by(ctx, 0xffff);
}

static int ring_bad_head(struct env *e, uint16_t head)
{
	struct ring *r = &e->b.rings[0];

	ring_raw_avail(r, head);
	ring_publish(r);
	ring_kick(r);
	return bad_expect_broken(e);
}

static int ring_head_num(void *ctx)
{
	struct env *e = ctx;

	return ring_bad_head(e, e->b.num);
}

static int ring_head_max(void *ctx)
{
	return ring_bad_head(ctx, 0xffff);
}

/*
 * One head made available @n times at once. The device may well have returned it before it looks
 * at it again; then it is in order, as far as the device can tell.
 */
static int ring_head_repeated(struct env *e, unsigned int n)
{
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	unsigned int i, ms;

	blk_req_usual(&e->b.reqs[0], VIRTIO_BLK_T_IN, 0, buf, LEN);
	CHECK_EQ(ring_add(r, e->b.reqs[0].segs, e->b.reqs[0].count, RING_DIRECT, &e->b.reqs[0]),
		 0);
	for (i = 1; i < n; i++)
		ring_raw_avail(r, 0);
	ring_publish(r);
	ring_kick(r);
	for (ms = 0; !e->slow && !blk_needs_reset(&e->b) && ms < BLK_HANG_LIMIT_MS; ms++) {
		if (ring_pending(r) == n)
			return env_verify_reset(e);
		usleep(1000);
	}
	return bad_expect_broken(e);
}

static int ring_head_twice(void *ctx)
{
	return ring_head_repeated(ctx, 2);
}

static int ring_head_many_times(void *ctx)
{
	struct env *e = ctx;

	return ring_head_repeated(e, e->b.num);
}

/* Two chains that share their descriptors: unusual; whatever comes of it, it ends. */
static int ring_shared_descriptors(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	struct blk_req req[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		blk_req_init(&e->b, &req[i]);
		blk_req_usual(&req[i], VIRTIO_BLK_T_IN, 0, buf, LEN);
		CHECK_EQ(ring_add(r, req[i].segs, req[i].count, RING_DIRECT, &req[i]), i * 3);
	}
	r->desc[3].next = htole16(1);
	ring_flush(r);
	CHECK_PASS(bad_expect_any(e, &req[0]));
	return 0;
}

/* Starts with queue 0 at other addresses than where its ring is. */
static int start_elsewhere(struct env *e, uint64_t desc, uint64_t avail, uint64_t used)
{
	struct ring *r = &e->b.rings[0];

	NEED_VDPA(e);
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(vhost_set_vring_addr(&e->b.v, 0, desc, avail, used));
	CHECK_OK(e->b.transport->go(&e->b));
	ring_kick(r);
	return bad_expect_broken(e);
}

static int ring_desc_unmapped(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];

	return start_elsewhere(e, BAD_IOVA, r->avail_iova, r->used_iova);
}

static int ring_avail_unmapped(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];

	return start_elsewhere(e, r->desc_iova, BAD_IOVA, r->used_iova);
}

static int ring_used_unmapped(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];

	return start_elsewhere(e, r->desc_iova, r->avail_iova, BAD_IOVA);
}

static int ring_past_end(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint64_t end = e->b.mem.iova + e->b.mem.size;

	return start_elsewhere(e, end - 16, r->avail_iova, r->used_iova);
}

static int ring_wraps(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];

	return start_elsewhere(e, r->desc_iova, r->avail_iova, 0xfffffffffffffffcull);
}

static int ring_null(void *ctx)
{
	return start_elsewhere(ctx, 0, 0, 0);
}

/* The used ring in memory that the device may not write. */
static int ring_used_readonly(void *ctx)
{
	struct env *e = ctx;
	struct gmem *m = &e->b.mem;
	struct ring *r = &e->b.rings[0];
	size_t len = sizeof(struct vring_used) + r->num * sizeof(struct vring_used_elem) + 2;
	uint8_t *used = gmem_alloc(m, (len + LEN - 1) & ~(size_t)(LEN - 1), LEN);
	size_t start = used - m->va, end = m->used;
	struct vhost *v = &e->b.v;

	NEED_VDPA(e);
	CHECK_OK(vhost_unmap_gmem(v, m));
	CHECK_OK(vhost_iotlb_map(v, m->iova, start, m->va, VHOST_ACCESS_RW));
	CHECK_OK(vhost_iotlb_map(v, m->iova + start, end - start, used, VHOST_ACCESS_RO));
	CHECK_OK(vhost_iotlb_map(v, m->iova + end, m->size - end, m->va + end, VHOST_ACCESS_RW));
	CHECK_PASS(start_elsewhere(e, r->desc_iova, r->avail_iova, gmem_iova(m, used)));
	CHECK_EQ(bytes_check(used, len, 0), -1);
	return 0;
}

/* All memory taken away beneath a device that runs. */
static int ring_unmapped_live(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
		struct blk_req req;

		CHECK_PASS(env_verify_queue(e, 0, 0));
		blk_req_init(&e->b, &req);
		blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, LEN);
		CHECK_OK(blk_queue(&e->b, 0, &req, RING_DIRECT));
		/* A ring in user memory is still there, and only a chain finds out. */
		if (i % 2 && e->opts.name)
			ring_flush(&e->b.rings[0]);
		CHECK_OK(e->b.transport->unmap(&e->b));
		ring_publish(&e->b.rings[0]);
		ring_kick(&e->b.rings[0]);
		CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
		CHECK_OK(e->b.transport->map(&e->b));
		CHECK_PASS(env_verify_reset(e));
	}
	return 0;
}

/* Started without any map at all. */
static int ring_no_map(void *ctx)
{
	struct env *e = ctx;

	NEED_VDPA(e);
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(vhost_unmap_gmem(&e->b.v, &e->b.mem));
	CHECK_OK(blk_start(&e->b));
	ring_kick(&e->b.rings[0]);
	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	CHECK_OK(vhost_map_gmem(&e->b.v, &e->b.mem));
	return env_verify_reset(e);
}

/* All three areas in one place: what the device writes it reads again. */
static int ring_overlapping(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	unsigned int i;

	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(e->b.transport->place(&e->b, 0, r->desc_iova, r->desc_iova,
				       r->desc_iova));
	CHECK_OK(e->b.transport->go(&e->b));
	for (i = 0; i < r->num; i++)
		ring_raw_desc(&r->desc[i], gmem_iova(&e->b.mem, e->b.reqs[0].hdr), 16,
			      i % 2 ? VRING_DESC_F_WRITE : VRING_DESC_F_NEXT, i + 1);
	for (i = 0; i < 200 && !blk_needs_reset(&e->b); i++) {
		ring_kick(r);
		usleep(200);
	}
	return env_verify_reset(e);
}

/* Two queues on one ring. */
static int ring_for_two_queues(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, 16 * LEN, LEN);
	struct blk_req req[16];
	unsigned int i;

	if (e->b.nqueues < 2)
		SKIP("the device has one queue");
	CHECK_OK(blk_reset(&e->b));
	ring_restart(r, 0);
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(e->b.transport->place(&e->b, 1, r->desc_iova, r->avail_iova,
				       r->used_iova));
	CHECK_OK(e->b.transport->go(&e->b));
	for (i = 0; i < 16; i++) {
		blk_req_init(&e->b, &req[i]);
		blk_req_usual(&req[i], VIRTIO_BLK_T_IN, i * 8, buf + i * LEN, LEN);
		CHECK_OK(blk_queue(&e->b, 0, &req[i], RING_DIRECT));
		ring_publish(r);
		ring_kick(r);
		ring_kick(&e->b.rings[1]);
	}
	usleep(50000);
	return env_verify_reset(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(ring_index_too_far),
	KTAP_TEST(ring_index_half_way),
	KTAP_TEST(ring_index_back),
	KTAP_TEST(ring_head_num),
	KTAP_TEST(ring_head_max),
	KTAP_TEST(ring_head_twice),
	KTAP_TEST(ring_head_many_times),
	KTAP_TEST(ring_shared_descriptors),
	KTAP_TEST(ring_desc_unmapped),
	KTAP_TEST(ring_avail_unmapped),
	KTAP_TEST(ring_used_unmapped),
	KTAP_TEST(ring_past_end),
	KTAP_TEST(ring_wraps),
	KTAP_TEST(ring_null),
	KTAP_TEST(ring_used_readonly),
	KTAP_TEST(ring_unmapped_live),
	KTAP_TEST(ring_no_map),
	KTAP_TEST(ring_overlapping),
	KTAP_TEST(ring_for_two_queues),
};

const struct ktap_suite blk_bad_ring_suite = {
	.name = "bad rings",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
