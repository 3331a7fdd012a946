// SPDX-License-Identifier: GPL-2.0-only
/* Chains of descriptors that make no sense: the queue breaks. Each case spoils a good request. */
#include "blk_bad.h"

#define LEN	4096u

/* A read in descriptors 0 (header), 1 (data) and 2 (status), not yet shown to the device. */
struct victim {
	struct env *e;
	struct ring *ring;
	struct vring_desc *desc;
	struct blk_req req;
	uint8_t *buf;
};

static int victim_make(struct victim *v, struct env *e)
{
	v->e = e;
	v->ring = &e->b.rings[0];
	v->desc = v->ring->desc;
	v->buf = gmem_alloc(&e->b.mem, LEN, LEN);
	blk_req_init(&e->b, &v->req);
	blk_req_usual(&v->req, VIRTIO_BLK_T_IN, 0, v->buf, LEN);
	CHECK_EQ(ring_add(v->ring, v->req.segs, v->req.count, RING_DIRECT, &v->req), 0);
	return 0;
}

static void set_flags(struct vring_desc *d, uint16_t flags)
{
	d->flags = htole16(flags);
}

/* The address space ends behind the guest's memory. */
static uint64_t memory_end(const struct victim *v)
{
	return v->e->b.mem.iova + v->e->b.mem.size;
}

static void spoil_no_status(struct victim *v)
{
	set_flags(&v->desc[0], 0);
}

static void spoil_all_readable(struct victim *v)
{
	set_flags(&v->desc[1], VRING_DESC_F_NEXT);
	set_flags(&v->desc[2], 0);
}

static void spoil_length_header(struct victim *v)
{
	v->desc[0].len = 0;
}

static void spoil_length_data(struct victim *v)
{
	v->desc[1].len = 0;
}

static void spoil_length_status(struct victim *v)
{
	v->desc[2].len = 0;
}

static void spoil_loop_self(struct victim *v)
{
	v->desc[0].next = htole16(0);
}

static void spoil_loop_two(struct victim *v)
{
	set_flags(&v->desc[2], VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	v->desc[2].next = htole16(1);
}

static void spoil_loop_tail(struct victim *v)
{
	set_flags(&v->desc[2], VRING_DESC_F_WRITE | VRING_DESC_F_NEXT);
	v->desc[2].next = htole16(2);
}

static void spoil_next_num(struct victim *v)
{
	v->desc[1].next = htole16(v->ring->num);
}

static void spoil_next_max(struct victim *v)
{
	v->desc[0].next = htole16(0xffff);
}

static void spoil_order(struct victim *v)
{
	struct vring_desc d = v->desc[0];

	v->desc[0].addr = v->desc[2].addr;
	v->desc[0].len = v->desc[2].len;
	set_flags(&v->desc[0], VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	v->desc[2].addr = d.addr;
	v->desc[2].len = d.len;
	set_flags(&v->desc[2], 0);
}

static void spoil_order_middle(struct victim *v)
{
	set_flags(&v->desc[0], VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	set_flags(&v->desc[1], VRING_DESC_F_NEXT);
}

static void spoil_header_unmapped(struct victim *v)
{
	v->desc[0].addr = htole64(BAD_IOVA);
}

static void spoil_data_unmapped(struct victim *v)
{
	v->desc[1].addr = htole64(BAD_IOVA);
}

static void spoil_status_unmapped(struct victim *v)
{
	v->desc[2].addr = htole64(BAD_IOVA);
}

static void spoil_data_null(struct victim *v)
{
	v->desc[1].addr = 0;
}

static void spoil_data_before(struct victim *v)
{
	v->desc[1].addr = htole64(v->e->b.mem.iova - 1);
}

static void spoil_data_past_end(struct victim *v)
{
	v->desc[1].addr = htole64(memory_end(v) - LEN + 1);
}

static void spoil_data_at_end(struct victim *v)
{
	v->desc[1].addr = htole64(memory_end(v));
}

static void spoil_data_wraps(struct victim *v)
{
	v->desc[1].addr = htole64(UINT64_MAX - LEN / 2);
}

static void spoil_data_last_byte(struct victim *v)
{
	v->desc[1].addr = htole64(UINT64_MAX);
	v->desc[1].len = htole32(1);
}

static void spoil_data_endless(struct victim *v)
{
	v->desc[1].len = htole32(0xffffffff);
}

/* What is an address for the VMM, and for the kernel, is none for the guest. */
static void spoil_data_vmm_address(struct victim *v)
{
	v->desc[1].addr = htole64((uint64_t)(uintptr_t)v->buf);
}

static void spoil_data_kernel_address(struct victim *v)
{
	v->desc[1].addr = htole64(0xffff888000000000ull);
}

static int run_spoiled(struct env *e, void (*spoil)(struct victim *))
{
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	spoil(&v);
	ring_flush(v.ring);
	return bad_expect_broken(e);
}

/* One that breaks the queue while many good ones are under way around it. */
static int chain_among_good(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, 20 * LEN, LEN);
	struct blk_req r[20];
	unsigned int i;

	CHECK(e->b.num >= 64, "the ring is too small for this test");
	for (i = 0; i < 20; i++) {
		blk_req_init(&e->b, &r[i]);
		blk_req_usual(&r[i], VIRTIO_BLK_T_IN, i * 8, buf + i * LEN, LEN);
		CHECK_OK(blk_queue(&e->b, 0, &r[i], RING_DIRECT));
	}
	e->b.rings[0].desc[3 * 10 + 1].len = 0;
	ring_flush(&e->b.rings[0]);
	return bad_expect_broken(e);
}

/* Every queue can be broken, one after the other; the last one leaves none. */
static int chain_all_queues(void *ctx)
{
	struct env *e = ctx;
	struct blk_req r;
	unsigned int q, other;
	int head;

	blk_req_init(&e->b, &r);
	e->b.expect_broken = true;
	for (q = 0; q < e->b.nqueues; q++) {
		blk_req_usual(&r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
		head = ring_add(&e->b.rings[q], r.segs, r.count, RING_DIRECT, &r);
		CHECK(head >= 0, "queue %u: %d", q, head);
		e->b.rings[q].desc[head].len = 0;
		ring_flush(&e->b.rings[q]);
		CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
		for (other = q + 1; other < e->b.nqueues; other++)
			CHECK_PASS(env_verify_queue(e, other, other * 64));
	}
	return env_verify_reset(e);
}

/* As long as the ring: within the specification, beyond what the device offers. */
static int chain_as_long_as_ring(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, r->num * 512u, LEN);
	struct blk_req req;
	unsigned int i;

	blk_req_init(&e->b, &req);
	blk_req_begin(&req, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(&req, req.hdr, 16, false);
	blk_req_piece(&req, req.status, 1, true);
	/* Takes descriptor 0 and 1; the rest of the ring is then tied in by hand. */
	CHECK_EQ(ring_add(r, req.segs, 2, RING_DIRECT, &req), 0);
	r->desc[r->num - 1] = r->desc[1];
	for (i = 1; i + 1 < r->num; i++)
		ring_raw_desc(&r->desc[i], gmem_iova(&e->b.mem, buf + i * 512), 512,
			      VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, i + 1);
	ring_flush(r);
	return bad_expect_any(e, &req);
}

/* Longer pieces than the device offers. */
static int chain_large_piece(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, 16 * MIB, LEN);
	struct blk_req req;

	blk_req_init(&e->b, &req);
	blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, 16 * MIB);
	CHECK_OK(blk_queue(&e->b, 0, &req, RING_DIRECT));
	ring_flush(&e->b.rings[0]);
	return bad_expect_any(e, &req);
}

/* A flag that has no meaning. */
static int chain_unknown_flag(void *ctx)
{
	struct env *e = ctx;
	struct victim v;

	CHECK_PASS(victim_make(&v, e));
	v.desc[1].flags |= htole16(0x4000);
	ring_flush(v.ring);
	return bad_expect_any(e, &v.req);
}

#define SPOILED(name)							\
static int chain_##name(void *ctx)					\
{									\
	return run_spoiled(ctx, spoil_##name);				\
}

SPOILED(no_status)
SPOILED(all_readable)
SPOILED(length_header)
SPOILED(length_data)
SPOILED(length_status)
SPOILED(loop_self)
SPOILED(loop_two)
SPOILED(loop_tail)
SPOILED(next_num)
SPOILED(next_max)
SPOILED(order)
SPOILED(order_middle)
SPOILED(header_unmapped)
SPOILED(data_unmapped)
SPOILED(status_unmapped)
SPOILED(data_null)
SPOILED(data_before)
SPOILED(data_past_end)
SPOILED(data_at_end)
SPOILED(data_wraps)
SPOILED(data_last_byte)
SPOILED(data_endless)
SPOILED(data_vmm_address)
SPOILED(data_kernel_address)

static const struct ktap_test tests[] = {
	KTAP_TEST(chain_no_status),
	KTAP_TEST(chain_all_readable),
	KTAP_TEST(chain_length_header),
	KTAP_TEST(chain_length_data),
	KTAP_TEST(chain_length_status),
	KTAP_TEST(chain_loop_self),
	KTAP_TEST(chain_loop_two),
	KTAP_TEST(chain_loop_tail),
	KTAP_TEST(chain_next_num),
	KTAP_TEST(chain_next_max),
	KTAP_TEST(chain_order),
	KTAP_TEST(chain_order_middle),
	KTAP_TEST(chain_header_unmapped),
	KTAP_TEST(chain_data_unmapped),
	KTAP_TEST(chain_status_unmapped),
	KTAP_TEST(chain_data_null),
	KTAP_TEST(chain_data_before),
	KTAP_TEST(chain_data_past_end),
	KTAP_TEST(chain_data_at_end),
	KTAP_TEST(chain_data_wraps),
	KTAP_TEST(chain_data_last_byte),
	KTAP_TEST(chain_data_endless),
	KTAP_TEST(chain_data_vmm_address),
	KTAP_TEST(chain_data_kernel_address),
	KTAP_TEST(chain_among_good),
	KTAP_TEST(chain_all_queues),
	KTAP_TEST(chain_as_long_as_ring),
	KTAP_TEST(chain_large_piece),
	KTAP_TEST(chain_unknown_flag),
};

const struct ktap_suite blk_bad_chain_suite = {
	.name = "bad chains",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
