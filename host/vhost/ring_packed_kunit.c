// SPDX-License-Identifier: GPL-2.0-only
/* Packed rings: the life of a chain, and what a hostile driver puts there. */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/string.h>

#include "ring_driver_kunit.h"

#define N	PVTEST_NEXT
#define W	PVTEST_WRITE
#define I	PVTEST_INDIRECT

#define A	PVTEST_A
#define T	PVTEST_B		/* the indirect table */

static struct pvring_config pvtest_packed_config(unsigned int num)
{
	struct pvring_config cfg = pvtest_config;

	cfg.format = PVRING_PACKED;
	cfg.num = num;
	return cfg;
}

static struct pvtest_ring *pvtest_packed_make(struct kunit *test, unsigned int num)
{
	const struct pvring_config cfg = pvtest_packed_config(num);

	return pvtest_make(test, &cfg);
}

static void pvtest_packed_untouched(struct pvtest_ring *d, u16 last_avail)
{
	KUNIT_EXPECT_EQ(d->test, pvtest_pop(d), 0);
	pvtest_expect_untouched(d, last_avail);
}

static void pvtest_packed_expect_used(struct pvtest_ring *d, u16 id, u32 len,
				      unsigned int ndesc)
{
	u16 got_id = 0;
	u32 got_len = 0;

	KUNIT_ASSERT_TRUE(d->test, pvtest_packed_reap(d, &got_id, &got_len));
	KUNIT_EXPECT_EQ(d->test, got_id, id);
	KUNIT_EXPECT_EQ(d->test, got_len, len);
	pvtest_packed_skip(d, ndesc);
}

static void pvtest_packed_empty(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_packed_make(test, 5);

	pvtest_packed_untouched(d, 0);
	pvtest_packed_put(d, A, 1, 0, 3);
	pvtest_packed_untouched(d, 0);
	pvtest_packed_show(d);
	KUNIT_EXPECT_EQ(test, pvring_pop(&d->ring, d->table, d->batch, 0), 0);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);
}

/* Three shapes in one batch, given back in another order. */
static void pvtest_packed_shapes(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_packed_make(test, 7);
	const struct pvring_chain *c = d->batch->chain;

	pvtest_packed_put(d, A, 10, 0, 6);
	pvtest_packed_put(d, A + 10, 20, N, 99);
	pvtest_packed_put(d, PVTEST_WO, 30, N | W, 98);
	pvtest_packed_put(d, PVTEST_C, 40, W, 2);
	pvtest_entry(d, T, 0, PVTEST_RO, 50, 0xffff, 0);
	pvtest_entry(d, T, 1, PVTEST_LOW, 60, 0, W | I | N);
	pvtest_packed_put(d, T, 32, I, 0);
	pvtest_packed_show(d);

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	KUNIT_EXPECT_EQ(test, d->ring.taken, 5);
	KUNIT_EXPECT_EQ(test, c[0].nout, 1);
	KUNIT_EXPECT_EQ(test, c[0].nin, 0);
	pvtest_expect_seg(d, &c[0].seg[0], A, 10);
	KUNIT_EXPECT_EQ(test, c[1].nout, 1);
	KUNIT_EXPECT_EQ(test, c[1].nin, 2);
	KUNIT_EXPECT_EQ(test, c[1].in_len, 70U);
	pvtest_expect_seg(d, &c[1].seg[0], A + 10, 20);
	pvtest_expect_seg(d, &c[1].seg[1], PVTEST_WO, 30);
	pvtest_expect_seg(d, &c[1].seg[2], PVTEST_C, 40);
	KUNIT_EXPECT_EQ(test, c[2].nout, 1);
	KUNIT_EXPECT_EQ(test, c[2].nin, 1);
	pvtest_expect_seg(d, &c[2].seg[0], PVTEST_RO, 50);
	pvtest_expect_seg(d, &c[2].seg[1], PVTEST_LOW, 60);

	pvring_complete(&d->ring, c[1].head, 70);
	pvring_complete(&d->ring, c[2].head, 1);
	pvring_complete(&d->ring, c[0].head, 0);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	pvtest_packed_expect_used(d, 2, 70, 3);
	pvtest_packed_expect_used(d, 0, 1, 1);
	pvtest_packed_expect_used(d, 6, 0, 1);
	pvtest_packed_untouched(d, 5);
}

/* IDs that are no index, and one that is there twice, come back as they are. */
static void pvtest_packed_ids(struct kunit *test)
{
	static const u16 ids[] = { 0xffff, 4, 2, 2 };
	struct pvtest_ring *d = pvtest_packed_make(test, 4);
	u16 heads[4];
	unsigned int i, k;

	for (i = 0; i < 4; i++)
		pvtest_packed_put(d, A, 1, W, ids[i]);
	pvtest_packed_show(d);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4);
	for (i = 0; i < 4; i++) {
		heads[i] = d->batch->chain[i].head;
		KUNIT_EXPECT_LT(test, heads[i], 4);
		for (k = 0; k < i; k++)
			KUNIT_EXPECT_NE(test, heads[i], heads[k]);
	}
	for (i = 0; i < 4; i++)
		pvring_complete(&d->ring, heads[i], 7 + i);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	for (i = 0; i < 4; i++)
		pvtest_packed_expect_used(d, ids[i], 7 + i, 1);
}

/* Every length of a chain at every place of rings whose sizes are no powers. */
static void pvtest_packed_wrap(struct kunit *test)
{
	unsigned int num, ndesc, round, k;
	struct pvtest_ring *d;

	for (num = 1; num <= 9; num++) {
		d = pvtest_packed_make(test, num);
		for (round = 0; round < 10 * num; round++) {
			ndesc = 1 + round % min(num, 8U);
			for (k = 1; k < ndesc; k++)
				pvtest_packed_put(d, A, 1, N, 0xaaaa);
			pvtest_packed_put(d, A, round + 1, W, round);
			pvtest_packed_show(d);
			KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
			KUNIT_ASSERT_EQ(test, d->batch->chain[0].nout, ndesc - 1);
			KUNIT_ASSERT_EQ(test, d->batch->chain[0].in_len, round + 1);
			pvring_complete(&d->ring, d->batch->chain[0].head, round + 1);
			KUNIT_ASSERT_EQ(test, pvring_publish(&d->ring), 0);
			pvtest_packed_expect_used(d, round, round + 1, ndesc);
			KUNIT_ASSERT_EQ(test, d->ring.last_avail, d->avail_idx);
			KUNIT_ASSERT_EQ(test, d->ring.next_used, d->used_idx);
		}
	}
}

static void pvtest_packed_unpop(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_packed_make(test, 7);
	unsigned int from, at, k;

	for (at = 0; at < 7; at++) {
		for (from = 0; from <= 3; from++) {
			pvtest_packed_restart(d, at, from & 1);
			for (k = 0; k < 3; k++) {
				pvtest_packed_put(d, A, 1, N, 0);
				pvtest_packed_put(d, A, k + 1, W, k);
			}
			pvtest_packed_show(d);
			KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
			pvring_unpop(&d->ring, d->batch, from);
			KUNIT_EXPECT_EQ(test, d->ring.inflight, from);
			KUNIT_EXPECT_EQ(test, d->ring.taken, 2 * from);
			KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3 - from);
			for (k = from; k < 3; k++)
				KUNIT_EXPECT_EQ(test, d->batch->chain[k - from].in_len, k + 1);
			for (k = 0; k < 3; k++)
				pvring_forget(&d->ring, k);
			KUNIT_EXPECT_EQ(test, d->ring.taken, 0);
		}
	}
}

static void pvtest_packed_state(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_packed_make(test, 5);
	struct pvring_state state, odd = { .avail_idx = 5 };
	unsigned int i;

	for (i = 0; i < 13; i++) {
		pvring_get_state(&d->ring, &state);
		KUNIT_EXPECT_EQ(test, state.avail_idx, i % 5);
		KUNIT_EXPECT_EQ(test, state.used_idx, i % 5);
		KUNIT_EXPECT_EQ(test, state.avail_wrap, !(i / 5 % 2));
		KUNIT_EXPECT_EQ(test, state.used_wrap, !(i / 5 % 2));
		KUNIT_EXPECT_EQ(test, pvring_set_state(&d->ring, &state), 0);
		KUNIT_EXPECT_EQ(test, pvring_set_state(&d->ring, &odd), -EINVAL);

		pvtest_packed_put(d, A, 1, W, 0);
		pvtest_packed_show(d);
		KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
		pvring_complete(&d->ring, d->batch->chain[0].head, 0);
		KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
		pvtest_packed_expect_used(d, 0, 0, 1);
	}
	odd = (struct pvring_state) { .used_idx = 5 };
	KUNIT_EXPECT_EQ(test, pvring_set_state(&d->ring, &odd), -EINVAL);
}

/* In order: nothing is published before its turn, whatever is done first. */
static void pvtest_packed_in_order(struct kunit *test)
{
	struct pvring_config cfg = pvtest_packed_config(8);
	static const u8 order[] = { 2, 1, 3, 0 };
	static const u8 shown[] = { 0, 0, 0, 4 };
	struct pvtest_ring *d;
	unsigned int i, k, round;

	cfg.in_order = true;
	d = pvtest_make(test, &cfg);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 4; i++)
			pvtest_packed_put(d, A, 9, W, 7 - i);
		pvtest_packed_show(d);
		KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4);
		for (i = 0; i < 4; i++) {
			pvring_complete(&d->ring, 7 - order[i], order[i]);
			KUNIT_EXPECT_EQ(test, d->ring.npending, shown[i]);
			KUNIT_EXPECT_EQ(test, d->ring.inflight, 3 - i);
		}
		KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
		for (k = 0; k < 4; k++)
			pvtest_packed_expect_used(d, 7 - k, k, 1);
		KUNIT_EXPECT_EQ(test, d->ring.taken, 0);
	}
}

/* What was given back before its turn came can't be given out again meanwhile. */
static void pvtest_packed_in_order_unpop(struct kunit *test)
{
	struct pvring_config cfg = pvtest_packed_config(4);
	struct pvtest_ring *d;
	unsigned int i;

	cfg.in_order = true;
	d = pvtest_make(test, &cfg);
	for (i = 0; i < 4; i++)
		pvtest_packed_put(d, A, 1, W, i);
	pvtest_packed_show(d);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 4);
	pvring_unpop(&d->ring, d->batch, 2);
	pvring_complete(&d->ring, 1, 1);
	KUNIT_EXPECT_EQ(test, d->ring.taken, 2);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[1].head, 3);
	pvring_complete(&d->ring, 3, 3);
	pvring_complete(&d->ring, 0, 0);
	KUNIT_EXPECT_EQ(test, d->ring.npending, 2);
	pvring_complete(&d->ring, 2, 2);
	KUNIT_EXPECT_EQ(test, d->ring.npending, 4);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	for (i = 0; i < 4; i++)
		pvtest_packed_expect_used(d, i, i, 1);
}

struct pvtest_packed_desc {
	u64 addr;
	u32 len;
	u16 flags;
};

struct pvtest_packed_bad {
	const char *name;
	const char *error;
	struct pvtest_packed_desc desc[4];
	unsigned int n;
	struct pvtest_packed_desc entry;
	bool direct;
};

static const struct pvtest_packed_bad pvtest_packed_bads[] = {
	{ "length 0", "length 0", { { A, 0 } }, 1 },
	{ "readable behind writable", "readable descriptor behind",
	  { { A, 1, N | W }, { A, 1 } }, 2 },
	{ "outside of memory", "outside", { { PVTEST_HOLE, 1 } }, 1 },
	{ "not writable", "outside", { { PVTEST_RO, 1, W } }, 1 },
	{ "not readable", "outside", { { PVTEST_WO, 1 } }, 1 },
	{ "wrapping", "outside", { { U64_MAX, 2 } }, 1 },
	{ "a byte too many", "bytes", { { A, 0x2000, N }, { A, 0x2001, W } }, 2 },
	{ "a chain without an end", "too long",
	  { { A, 1, N }, { A, 1, N }, { A, 1, N }, { A, 1, N } }, 4 },
	{ "indirect with next", "with a next", { { T, 16, N | I }, { A, 1 } }, 2,
	  { A, 1 } },
	{ "indirect behind another", "with a next", { { A, 1, N }, { T, 16, I } }, 2,
	  { A, 1 } },
	{ "indirect without the feature", "without the feature", { { T, 16, I } }, 1,
	  { A, 1 }, true },
	{ "table of length 0", "bad length", { { T, 0, I } }, 1 },
	{ "table a byte long", "bad length", { { T, 17, I } }, 1 },
	{ "table too long", "too long", { { T, 16 * 9, I } }, 1, { A, 1 } },
	{ "largest table", "too long", { { T, U32_MAX - 15, I } }, 1, { A, 1 } },
	{ "table outside of memory", "outside", { { PVTEST_HOLE, 16, I } }, 1 },
	{ "length 0 in a table", "length 0", { { T, 16, I } }, 1, { A, 0 } },
	{ "outside of memory in a table", "outside", { { T, 16, I } }, 1,
	  { PVTEST_HOLE, 1 } },
};

static void pvtest_packed_bad_describe(const struct pvtest_packed_bad *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvtest_packed_bad, pvtest_packed_bads, pvtest_packed_bad_describe);

static void pvtest_packed_expect_broken(struct pvtest_ring *d, const char *error)
{
	d->ring.error = "nothing";
	KUNIT_EXPECT_EQ(d->test, pvtest_pop(d), -EINVAL);
	if (!strstr(d->ring.error, error))
		KUNIT_FAIL(d->test, "error is \"%s\", not \"%s\"", d->ring.error,
			   error);
}

/* The good chain before it is taken, and comes back; the bad one never is. */
static void pvtest_packed_bad(struct kunit *test)
{
	const struct pvtest_packed_bad *p = test->param_value;
	struct pvring_config cfg = pvtest_packed_config(5);
	struct pvtest_ring *d;
	unsigned int i;

	cfg.indirect = !p->direct;
	d = pvtest_make(test, &cfg);
	pvtest_entry(d, T, 0, p->entry.addr, p->entry.len, 0, p->entry.flags);
	pvtest_packed_put(d, A, 16, W, 1);
	for (i = 0; i < p->n; i++)
		pvtest_packed_put(d, p->desc[i].addr, p->desc[i].len,
				  p->desc[i].flags, 2);
	/* A chain without an end goes round. */
	if (p->n == 4)
		d->hidden_flags |= N;
	pvtest_packed_show(d);
	if (p->n == 4) {
		pvtest_packed_expect_broken(d, p->error);
		pvtest_expect_untouched(d, 0);
		return;
	}

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	pvtest_packed_expect_broken(d, p->error);
	pvtest_packed_expect_broken(d, p->error);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 1);
	KUNIT_EXPECT_EQ(test, d->ring.taken, 1);
	pvring_complete(&d->ring, 1, 16);
	KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
	pvtest_packed_expect_used(d, 1, 16, 1);
}

/* A driver that goes round before it has got anything back. */
static void pvtest_packed_bad_early(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_packed_make(test, 3);
	unsigned int i;

	for (i = 0; i < 3; i++)
		pvtest_packed_put(d, A, 1, W, i);
	pvtest_packed_show(d);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	pvtest_packed_put(d, A, 1, W, 3);
	pvtest_packed_show(d);
	pvtest_packed_expect_broken(d, "room");
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 3);

	/* What is not published may yet be the driver's: that is no error. */
	pvring_complete(&d->ring, 0, 0);
	KUNIT_EXPECT_EQ(test, pvtest_pop(d), 0);
	KUNIT_EXPECT_EQ(test, d->ring.inflight, 2);
}

static u32 pvtest_device_event(const struct pvtest_ring *d)
{
	return le16_to_cpu(d->device_event[0]) |
	       (u32)le16_to_cpu(d->device_event[1]) << 16;
}

/* Kicks: where the device says that it wants one is where it is, or a flag. */
static void pvtest_packed_kicks(struct kunit *test)
{
	struct pvring_config cfg = pvtest_packed_config(3);
	struct pvtest_ring *d;
	unsigned int i;

	d = pvtest_make(test, &cfg);
	KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, pvtest_device_event(d), 0U);
	KUNIT_EXPECT_EQ(test, pvring_kicks_disable(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, pvtest_device_event(d), 0x10000U);
	pvtest_packed_put(d, A, 1, W, 0);
	pvtest_packed_show(d);
	KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 1);
	KUNIT_EXPECT_EQ(test, pvtest_device_event(d), 0U);

	cfg.event_idx = true;
	d = pvtest_make(test, &cfg);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
		KUNIT_EXPECT_EQ(test, pvtest_device_event(d),
				0x20000U | i % 3 | (i / 3 % 2 ? 0 : 0x8000));
		pvtest_packed_put(d, A, 1, W, 0);
		pvtest_packed_show(d);
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 1);
		KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
		pvring_complete(&d->ring, 0, 0);
		KUNIT_EXPECT_EQ(test, pvring_publish(&d->ring), 0);
		pvtest_packed_expect_used(d, 0, 0, 1);
	}
}

/* Uses @n chains of one descriptor each, without asking about a notification. */
static void pvtest_packed_turn(struct pvtest_ring *d, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		pvtest_packed_put(d, A, 1, W, i);
	pvtest_packed_show(d);
	KUNIT_ASSERT_EQ(d->test, pvtest_pop(d), n);
	for (i = 0; i < n; i++)
		pvring_complete(&d->ring, i, 0);
	KUNIT_ASSERT_EQ(d->test, pvring_publish(&d->ring), 0);
	for (i = 0; i < n; i++)
		pvtest_packed_expect_used(d, i, 0, 1);
}

/* Every event within a round of the ring, against counting it out. */
static void pvtest_packed_notify(struct kunit *test)
{
	struct pvring_config cfg = pvtest_packed_config(5);
	struct pvtest_ring *d;
	unsigned int at, n, ahead, event;
	bool wrap;

	cfg.event_idx = true;
	d = pvtest_make(test, &cfg);
	for (at = 0; at < 10; at++) {
		for (n = 1; n <= 4; n++) {
			for (ahead = 0; ahead < 5; ahead++) {
				pvtest_packed_restart(d, at % 5, at < 5);
				pvtest_packed_turn(d, 1);
				KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);

				event = d->used_idx + ahead;
				wrap = d->used_wrap;
				if (event >= 5) {
					event -= 5;
					wrap = !wrap;
				}
				d->driver_event[0] = cpu_to_le16(event | (wrap ? 0x8000 : 0));
				d->driver_event[1] = cpu_to_le16(PVTEST_EVENT_DESC);
				pvtest_packed_turn(d, n);
				KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring),
						ahead < n);
				KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 0);
			}
		}
	}
	for (n = 0; n < 4; n++) {
		d->driver_event[1] = cpu_to_le16(n);
		pvtest_packed_turn(d, 1);
		if (n != PVTEST_EVENT_DESC)
			KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring),
					n != PVTEST_EVENT_DISABLE);
	}
}

/* Without the feature an event index is none. */
static void pvtest_packed_notify_flag(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_packed_make(test, 5);
	unsigned int i;

	for (i = 0; i < 8; i++) {
		d->driver_event[0] = cpu_to_le16(0x4321 * i);
		d->driver_event[1] = cpu_to_le16(i);
		pvtest_packed_turn(d, 2);
		KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring),
				(i & 3) != PVTEST_EVENT_DISABLE);
	}
}

static struct kunit_case pvtest_packed_cases[] = {
	KUNIT_CASE(pvtest_packed_empty),
	KUNIT_CASE(pvtest_packed_shapes),
	KUNIT_CASE(pvtest_packed_ids),
	KUNIT_CASE(pvtest_packed_wrap),
	KUNIT_CASE(pvtest_packed_unpop),
	KUNIT_CASE(pvtest_packed_state),
	KUNIT_CASE(pvtest_packed_in_order),
	KUNIT_CASE(pvtest_packed_in_order_unpop),
	KUNIT_CASE_PARAM(pvtest_packed_bad, pvtest_packed_bad_gen_params),
	KUNIT_CASE(pvtest_packed_bad_early),
	KUNIT_CASE(pvtest_packed_kicks),
	KUNIT_CASE(pvtest_packed_notify),
	KUNIT_CASE(pvtest_packed_notify_flag),
	{}
};

static struct kunit_suite pvtest_packed_suite = {
	.name = "pvio_vhost_ring_packed",
	.exit = pvtest_exit,
	.test_cases = pvtest_packed_cases,
};

kunit_test_suite(pvtest_packed_suite);
