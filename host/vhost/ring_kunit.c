// SPDX-License-Identifier: GPL-2.0-only
/* The life of a chain in a split ring, as long as the driver behaves. */
#include <kunit/test.h>
#include <linux/limits.h>

#include "ring_driver_kunit.h"

#define N	PVTEST_NEXT
#define W	PVTEST_WRITE
#define I	PVTEST_INDIRECT

static void pvtest_ring_empty(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);

	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);
	KUNIT_EXPECT_EQ(test, pvring_pop(&d->ring, d->table, d->batch, 0), 0);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->idx), 0);
	pvtest_expect_untouched(d, 0);

	/* What is queued and not shown is not there. */
	pvtest_desc(d, 3, PVTEST_A, 1, 0, 0);
	pvtest_queue(d, 3);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);
	pvtest_show(d);

	/* One can want none. */
	KUNIT_EXPECT_EQ(test, pvring_pop(&d->ring, d->table, d->batch, 0), 0);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);
}

static void pvtest_ring_one(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	const struct pvring_chain *c = &d->batch->chain[0];

	pvtest_desc(d, 5, PVTEST_A + 7, 100, 0, 0xffff);
	pvtest_offer(d, 5);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);

	KUNIT_EXPECT_EQ(test, d->batch->n, 1U);
	KUNIT_EXPECT_EQ(test, pvtest_pieces(d), 1U);
	KUNIT_EXPECT_EQ(test, c->head, 5);
	KUNIT_EXPECT_EQ(test, c->hdr_len, 0);
	KUNIT_EXPECT_EQ(test, c->nout, 1);
	KUNIT_EXPECT_EQ(test, c->nin, 0);
	KUNIT_EXPECT_EQ(test, c->out_len, 100U);
	KUNIT_EXPECT_EQ(test, c->in_len, 0U);
	pvtest_expect_seg(d, &c->seg[0], PVTEST_A + 7, 100);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 1);
	KUNIT_EXPECT_EQ(test, d->ring.taken, 1);
	KUNIT_EXPECT_EQ(test, d->ring.slot[5], PVRING_SLOT(5, 1));
}

static void pvtest_ring_directions(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	const struct pvring_chain *c = &d->batch->chain[0];

	pvtest_desc(d, 15, PVTEST_A, 1, N, 2);
	pvtest_desc(d, 2, PVTEST_RO, 2, N, 0);
	pvtest_desc(d, 0, PVTEST_LOW, 3, N, 7);
	pvtest_desc(d, 7, PVTEST_WO, 4, N | W, 6);
	pvtest_desc(d, 6, PVTEST_C, 5, W, 15);
	pvtest_offer(d, 15);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);

	KUNIT_EXPECT_EQ(test, c->head, 15);
	KUNIT_EXPECT_EQ(test, c->nout, 3);
	KUNIT_EXPECT_EQ(test, c->nin, 2);
	KUNIT_EXPECT_EQ(test, c->out_len, 6U);
	KUNIT_EXPECT_EQ(test, c->in_len, 9U);
	KUNIT_EXPECT_EQ(test, pvtest_pieces(d), 5U);
	pvtest_expect_seg(d, &c->seg[0], PVTEST_A, 1);
	pvtest_expect_seg(d, &c->seg[1], PVTEST_RO, 2);
	pvtest_expect_seg(d, &c->seg[2], PVTEST_LOW, 3);
	pvtest_expect_seg(d, &c->seg[3], PVTEST_WO, 4);
	pvtest_expect_seg(d, &c->seg[4], PVTEST_C, 5);
}

/* Chains with nothing to read, or nothing to write, in one batch. */
static void pvtest_ring_one_way(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	const struct pvring_chain *c = d->batch->chain;

	pvtest_desc(d, 0, PVTEST_A, 10, W | N, 1);
	pvtest_desc(d, 1, PVTEST_B, 20, W, 0);
	pvtest_desc(d, 2, PVTEST_A, 30, N, 3);
	pvtest_desc(d, 3, PVTEST_B, 40, 0, 0);
	pvtest_queue(d, 0);
	pvtest_offer(d, 2);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);

	KUNIT_EXPECT_EQ(test, c[0].nout, 0);
	KUNIT_EXPECT_EQ(test, c[0].nin, 2);
	KUNIT_EXPECT_EQ(test, c[0].in_len, 30U);
	KUNIT_EXPECT_EQ(test, c[1].nout, 2);
	KUNIT_EXPECT_EQ(test, c[1].nin, 0);
	KUNIT_EXPECT_EQ(test, c[1].out_len, 70U);
	pvtest_expect_seg(d, &c[0].seg[1], PVTEST_B, 20);
	pvtest_expect_seg(d, &c[1].seg[0], PVTEST_A, 30);
	pvtest_expect_seg(d, &c[1].seg[1], PVTEST_B, 40);
}

static void pvtest_ring_batches(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	static const int expect[] = { 4, 3, 1, 4, 4, 0 };
	static const unsigned int max[] = { 9, 3, 1, 4, 4, 4 };
	unsigned int i, k, next = 0;

	for (i = 0; i < 16; i++) {
		pvtest_desc(d, i, PVTEST_A + i, i + 1, 0, 0);
		pvtest_queue(d, i);
	}
	pvtest_show(d);

	for (i = 0; i < ARRAY_SIZE(max); i++) {
		KUNIT_ASSERT_EQ(test, pvring_pop(&d->ring, d->table, d->batch, max[i]),
				expect[i]);
		KUNIT_EXPECT_EQ(test, d->batch->n, (unsigned int)expect[i]);
		for (k = 0; k < d->batch->n; k++, next++) {
			KUNIT_EXPECT_EQ(test, d->batch->chain[k].head, next);
			pvtest_expect_seg(d, d->batch->chain[k].seg,
					  PVTEST_A + next, next + 1);
		}
	}
	KUNIT_EXPECT_EQ(test, next, 16U);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 16);
}

/* The free-running indices go through 65535, used entries in their slots. */
static void pvtest_ring_wrap(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	u32 id, len;
	unsigned int i, k;

	pvtest_restart(d, 65530);
	for (i = 0; i < 20; i++) {
		for (k = 0; k < 3; k++) {
			pvtest_desc(d, (5 * i + k) % 16, PVTEST_A, i + 1, 0, 0);
			pvtest_queue(d, (5 * i + k) % 16);
		}
		pvtest_show(d);
		KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
		for (k = 0; k < 3; k++) {
			KUNIT_EXPECT_EQ(test, d->batch->chain[k].head, (5 * i + k) % 16);
			pvring_complete(&d->ring, d->batch->chain[k].head, 1000 * i + k);
		}
		KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
		for (k = 0; k < 3; k++) {
			KUNIT_ASSERT_TRUE(test, pvtest_reap(d, &id, &len));
			KUNIT_EXPECT_EQ(test, id, (5 * i + k) % 16);
			KUNIT_EXPECT_EQ(test, len, 1000 * i + k);
		}
		KUNIT_EXPECT_FALSE(test, pvtest_reap(d, &id, &len));
	}
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, (65530 + 60) & U16_MAX);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->idx), (65530 + 60) & U16_MAX);
}

/* The largest queue, whose indices wrap every second round. */
static void pvtest_ring_largest(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	u32 id, len;

	cfg.num = PVRING_NUM_MAX;
	d = pvtest_make(test, &cfg);
	pvtest_restart(d, 65535);
	pvtest_desc(d, 32767, PVTEST_A, 1, N, 32766);
	pvtest_desc(d, 32766, PVTEST_A, 1, W, 0);
	pvtest_desc(d, 0, PVTEST_A, 1, W, 0);
	pvtest_queue(d, 32767);
	pvtest_offer(d, 0);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 32767);

	pvring_complete(&d->ring, 32767, U32_MAX);
	pvring_complete(&d->ring, 0, 0);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_ASSERT_TRUE(test, pvtest_reap(d, &id, &len));
	KUNIT_EXPECT_EQ(test, id, 32767U);
	KUNIT_EXPECT_EQ(test, len, U32_MAX);
	KUNIT_ASSERT_TRUE(test, pvtest_reap(d, &id, &len));
	KUNIT_EXPECT_EQ(test, id, 0U);
}

static void pvtest_ring_completion(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	static const u16 order[] = { 2, 0, 3, 1 };
	u32 id, len;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pvtest_desc(d, i, PVTEST_A, 8, W, 0);
		pvtest_queue(d, i);
	}
	pvtest_show(d);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4);

	/* Nothing is seen before it is published, and then all at once. */
	for (i = 0; i < 3; i++) {
		pvring_complete(&d->ring, order[i], 10 + i);
		KUNIT_EXPECT_EQ(test, d->ring.inflight, 3 - i);
		KUNIT_EXPECT_EQ(test, d->ring.npending, i + 1);
		KUNIT_EXPECT_FALSE(test, pvtest_reap(d, &id, &len));
	}
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->idx), 3);
	KUNIT_EXPECT_EQ(test, d->ring.npending, 0);
	pvring_complete(&d->ring, order[3], 13);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);

	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_TRUE(test, pvtest_reap(d, &id, &len));
		KUNIT_EXPECT_EQ(test, id, order[i]);
		KUNIT_EXPECT_EQ(test, len, 10 + i);
	}
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), 0);
	KUNIT_EXPECT_EQ(test, pvtest_avail_event(d), 0);
}

/* A popped chain is the kernel's: what the driver changes later is too late. */
static void pvtest_ring_snapshot(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	const struct pvring_chain *c;

	cfg.limits.hdr_len = 4;
	d = pvtest_make(test, &cfg);
	c = &d->batch->chain[0];
	memcpy(pvtest_at(d, PVTEST_A), "head", 4);
	pvtest_entry(d, PVTEST_B, 0, PVTEST_A, 10, 0, 0);
	pvtest_desc(d, 1, PVTEST_B, 16, I, 0);
	pvtest_offer(d, 1);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);

	memcpy(pvtest_at(d, PVTEST_A), "tail", 4);
	pvtest_entry(d, PVTEST_B, 0, PVTEST_HOLE, 0, W, 0);
	pvtest_desc(d, 1, PVTEST_HOLE, 0, N, 99);
	d->avail->ring[0] = cpu_to_le16(77);
	KUNIT_EXPECT_EQ(test, memcmp(c->hdr, "head", 4), 0);
	KUNIT_EXPECT_EQ(test, c->head, 1);
	KUNIT_EXPECT_EQ(test, c->out_len, 6U);
	pvtest_expect_seg(d, &c->seg[0], PVTEST_A + 4, 6);
	pvring_complete(&d->ring, c->head, 0);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 0);
}

/* What was popped and not begun goes back, and comes again just the same. */
static void pvtest_ring_unpop(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	unsigned int from, k;

	for (from = 0; from <= 4; from++) {
		pvtest_restart(d, 65533 + from);
		for (k = 0; k < 4; k++) {
			pvtest_desc(d, k, PVTEST_C + k, k + 1, 0, 0);
			pvtest_queue(d, k);
		}
		pvtest_show(d);
		KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4);
		pvring_unpop(&d->ring, d->batch, from);
		KUNIT_EXPECT_EQ(test, d->ring.inflight, from);

		KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4 - from);
		for (k = 0; k < 4 - from; k++) {
			KUNIT_EXPECT_EQ(test, d->batch->chain[k].head, from + k);
			pvtest_expect_seg(d, d->batch->chain[k].seg,
					  PVTEST_C + from + k, from + k + 1);
		}
		for (k = 0; k < 4; k++)
			pvring_forget(&d->ring, k);
		KUNIT_EXPECT_EQ(test, d->ring.inflight, 0);
		KUNIT_EXPECT_EQ(test, d->ring.npending, 0);
	}
}

/* Another ring goes on where one has stopped. */
static void pvtest_ring_state(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, &pvtest_config);
	struct pvring_state state = {};
	struct pvring next;
	u32 id, len;
	unsigned int i;

	pvtest_restart(d, 65534);
	for (i = 0; i < 5; i++) {
		pvtest_desc(d, i, PVTEST_A, i + 1, W, 0);
		pvtest_queue(d, i);
	}
	pvtest_show(d);
	KUNIT_ASSERT_EQ(test, pvring_pop(&d->ring, d->table, d->batch, 3), 3);
	for (i = 0; i < 3; i++)
		pvring_complete(&d->ring, i, i);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	pvring_get_state(&d->ring, &state);
	KUNIT_EXPECT_EQ(test, state.avail_idx, 1);
	KUNIT_EXPECT_EQ(test, state.used_idx, 1);

	KUNIT_ASSERT_EQ(test, pvring_init(&next, &pvtest_config), 0);
	next.desc = d->ring.desc;
	next.driver = d->ring.driver;
	next.device = d->ring.device;
	KUNIT_ASSERT_EQ(test, pvring_set_state(&next, &state), 0);
	pvring_destroy(&d->ring);
	d->ring = next;

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 3);
	pvring_complete(&d->ring, 4, 4);
	pvring_complete(&d->ring, 3, 3);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_TRUE(test, pvtest_reap(d, &id, &len) && id == len);
	KUNIT_EXPECT_FALSE(test, pvtest_reap(d, &id, &len));
	KUNIT_EXPECT_EQ(test, id, 3U);
}

struct pvtest_init {
	const char *name;
	struct pvring_config cfg;
	int ret;
};

#define PVTEST_CFG(format_, num_, desc_, bytes_, hdr_) {		\
	.format = format_,						\
	.kind = PVMEM_KERN,						\
	.num = num_,							\
	.limits = {							\
		.max_desc = desc_,					\
		.max_bytes = bytes_,					\
		.hdr_len = hdr_,					\
	},								\
}

static const struct pvtest_init pvtest_inits[] = {
	{ "smallest", PVTEST_CFG(PVRING_SPLIT, 1, 1, 1, 0), 0 },
	{ "largest", PVTEST_CFG(PVRING_SPLIT, 32768, 65535, U32_MAX, PVRING_HDR_MAX), 0 },
	{ "size 0", PVTEST_CFG(PVRING_SPLIT, 0, 1, 1, 0), -EINVAL },
	{ "size no power of two", PVTEST_CFG(PVRING_SPLIT, 24, 1, 1, 0), -EINVAL },
	{ "size too large", PVTEST_CFG(PVRING_SPLIT, 65536, 1, 1, 0), -EINVAL },
	{ "size far too large", PVTEST_CFG(PVRING_SPLIT, 0x80000000, 1, 1, 0), -EINVAL },
	{ "no descriptors", PVTEST_CFG(PVRING_SPLIT, 16, 0, 1, 0), -EINVAL },
	{ "no bytes", PVTEST_CFG(PVRING_SPLIT, 16, 1, 0, 0), -EINVAL },
	{ "header too long", PVTEST_CFG(PVRING_SPLIT, 16, 1, 1, PVRING_HDR_MAX + 1), -EINVAL },
	{ "unknown format", PVTEST_CFG(7, 16, 1, 1, 0), -EOPNOTSUPP },
};

static void pvtest_init_describe(const struct pvtest_init *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_init, pvtest_inits, pvtest_init_describe);

static void pvtest_ring_init(struct kunit *test)
{
	const struct pvtest_init *p = test->param_value;
	struct pvring r = {};

	KUNIT_EXPECT_EQ(test, pvring_init(&r, &p->cfg), p->ret);
	pvring_destroy(&r);
	KUNIT_EXPECT_NULL(test, r.pending);
	KUNIT_EXPECT_NULL(test, r.slot);
	pvring_destroy(&r);
}

static void pvtest_ring_sizes(struct kunit *test)
{
	const enum pvring_format unknown = 7;
	unsigned int num;

	for (num = 1; num <= PVRING_NUM_MAX; num *= 2) {
		KUNIT_EXPECT_EQ(test, pvring_desc_size(PVRING_SPLIT, num), 16UL * num);
		KUNIT_EXPECT_EQ(test, pvring_driver_size(PVRING_SPLIT, num), 2UL * num + 6);
		KUNIT_EXPECT_EQ(test, pvring_device_size(PVRING_SPLIT, num), 8UL * num + 6);
	}
	KUNIT_EXPECT_EQ(test, pvring_desc_size(unknown, 16), 0UL);
	KUNIT_EXPECT_EQ(test, pvring_driver_size(unknown, 16), 0UL);
	KUNIT_EXPECT_EQ(test, pvring_device_size(unknown, 16), 0UL);
}

static struct kunit_case pvtest_ring_cases[] = {
	KUNIT_CASE(pvtest_ring_empty),
	KUNIT_CASE(pvtest_ring_one),
	KUNIT_CASE(pvtest_ring_directions),
	KUNIT_CASE(pvtest_ring_one_way),
	KUNIT_CASE(pvtest_ring_batches),
	KUNIT_CASE(pvtest_ring_wrap),
	KUNIT_CASE(pvtest_ring_largest),
	KUNIT_CASE(pvtest_ring_completion),
	KUNIT_CASE(pvtest_ring_snapshot),
	KUNIT_CASE(pvtest_ring_unpop),
	KUNIT_CASE(pvtest_ring_state),
	KUNIT_CASE_PARAM(pvtest_ring_init, pvtest_init_gen_params),
	KUNIT_CASE(pvtest_ring_sizes),
	{}
};

static struct kunit_suite pvtest_ring_suite = {
	.name = "pvio_vhost_ring",
	.exit = pvtest_exit,
	.test_cases = pvtest_ring_cases,
};

kunit_test_suite(pvtest_ring_suite);
