// SPDX-License-Identifier: GPL-2.0-only
/* Who has to be told: the driver of used chains, the device of available ones. */
#include <kunit/test.h>

#include "ring_driver_kunit.h"

/* The ring is empty, and all that was in it came back: that is told whatever was asked for. */
static void pvtest_notify_on_empty(struct kunit *test)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	unsigned int i;

	cfg.notify_on_empty = true;
	d = pvtest_make(test, &cfg);
	d->avail->flags = cpu_to_le16(PVTEST_NO_INTERRUPT);
	for (i = 0; i < 2; i++) {
		pvtest_desc(d, i, PVTEST_A, 1, 0, 0);
		pvtest_offer(d, i);
	}
	KUNIT_ASSERT_EQ(test, pvring_pop(&d->ring, d->table, d->batch, 1), 1);
	pvring_complete(&d->ring, 0, 0);
	KUNIT_ASSERT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 0);

	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 1);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 0);
	pvring_complete(&d->ring, 1, 0);
	KUNIT_ASSERT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
}

static struct pvtest_ring *pvtest_notify_make(struct kunit *test, bool event_idx)
{
	struct pvring_config cfg = pvtest_config;
	struct pvtest_ring *d;
	unsigned int i;

	cfg.event_idx = event_idx;
	d = pvtest_make(test, &cfg);
	for (i = 0; i < cfg.num; i++)
		pvtest_desc(d, i, PVTEST_A, 1, 0, 0);
	return d;
}

/* Brings @n chains to the used ring, without a notification. */
static void pvtest_notify_turn(struct pvtest_ring *d, unsigned int n)
{
	unsigned int i;
	u32 id, len;

	while (n) {
		for (i = 0; i < n && i < d->batch->max; i++)
			pvtest_queue(d, i);
		pvtest_show(d);
		n -= i;
		KUNIT_ASSERT_EQ(d->test, pvtest_pop(d), i);
		while (i--)
			pvring_complete(&d->ring, i, 0);
	}
	KUNIT_ASSERT_EQ(d->test, pvring_publish(&d->ring), 0);
	while (pvtest_reap(d, &id, &len))
		;
}

/*
 * Every place of the event around a batch, at the edges of the index, against
 * counting it out.
 */
static void pvtest_notify_event_at(struct pvtest_ring *d, u16 start)
{
	unsigned int n;
	int off;
	u16 event;

	for (n = 1; n <= 4; n++) {
		for (off = -3; off <= (int)n + 3; off++) {
			pvtest_restart(d, start - 1);
			pvtest_notify_turn(d, 1);
			KUNIT_EXPECT_EQ(d->test, pvring_notify_needed(&d->ring), 1);

			event = start + off;
			pvtest_set_used_event(d, event);
			pvtest_notify_turn(d, n);
			KUNIT_EXPECT_EQ(d->test, pvring_notify_needed(&d->ring),
					pvtest_event_passed(event, start, start + n));
			KUNIT_EXPECT_EQ(d->test, pvring_notify_needed(&d->ring), 0);
		}
	}
}

static void pvtest_notify_event(struct kunit *test)
{
	static const u16 starts[] = {
		0, 1, 100, 0x7ffe, 0x8000, 65530, 65532, 65533, 65534, 65535,
	};
	struct pvtest_ring *d = pvtest_notify_make(test, true);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(starts); i++)
		pvtest_notify_event_at(d, starts[i]);
}

/* After a reset or a change of hands nobody knows the last one: notify. */
static void pvtest_notify_first(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_notify_make(test, true);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		pvtest_restart(d, 0x1000 * i);
		pvtest_set_used_event(d, 0x8000);
		pvtest_notify_turn(d, 2);
		KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
		pvtest_notify_turn(d, 2);
		KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 0);
	}
}

/* Batches that nobody wanted to hear of are asked about as one. */
static void pvtest_notify_skipped(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_notify_make(test, true);

	pvtest_restart(d, 65533);
	pvtest_notify_turn(d, 1);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
	pvtest_set_used_event(d, 65534);
	pvtest_notify_turn(d, 1);
	pvtest_notify_turn(d, 3);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
	pvtest_set_used_event(d, 5);
	pvtest_notify_turn(d, 3);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 0);
	pvtest_notify_turn(d, 1);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
}

/* Without the event index a flag decides, and the event's place is no matter. */
static void pvtest_notify_flag(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_notify_make(test, false);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pvtest_set_used_event(d, i & 1 ? 0x4000 : d->used_idx);
		d->avail->flags = cpu_to_le16(0);
		pvtest_notify_turn(d, 1);
		KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
		d->avail->flags = cpu_to_le16(PVTEST_NO_INTERRUPT);
		pvtest_notify_turn(d, 1);
		KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 0);
		d->avail->flags = cpu_to_le16(0xfffe);
		pvtest_notify_turn(d, 1);
		KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
	}
}

/* With the event index the flag is not looked at. */
static void pvtest_notify_flag_ignored(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_notify_make(test, true);

	d->avail->flags = cpu_to_le16(PVTEST_NO_INTERRUPT);
	pvtest_notify_turn(d, 1);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
	pvtest_set_used_event(d, 1);
	pvtest_notify_turn(d, 1);
	KUNIT_EXPECT_EQ(test, pvring_notify_needed(&d->ring), 1);
}

static void pvtest_kicks_flag(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_notify_make(test, false);

	KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), 0);
	KUNIT_EXPECT_EQ(test, pvring_kicks_disable(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), PVTEST_NO_NOTIFY);
	KUNIT_EXPECT_EQ(test, pvring_kicks_disable(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), PVTEST_NO_NOTIFY);

	/* Chains come and go without a kick. */
	pvtest_notify_turn(d, 3);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), PVTEST_NO_NOTIFY);
	KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), 0);
	KUNIT_EXPECT_EQ(test, pvtest_avail_event(d), 0);
}

static void pvtest_kicks_event(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_notify_make(test, true);
	unsigned int i;

	pvtest_restart(d, 65534);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
		KUNIT_EXPECT_EQ(test, pvtest_avail_event(d), (u16)(65534 + i));

		/* Passed by one, the driver's index is told of no more. */
		KUNIT_EXPECT_EQ(test, pvring_kicks_disable(&d->ring), 0);
		pvtest_notify_turn(d, 1);
		KUNIT_EXPECT_EQ(test, pvtest_avail_event(d), (u16)(65534 + i));
		KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), 0);
	}
}

/* A chain that came before the wish was seen makes no kick: one has to look. */
static void pvtest_kicks_race(struct kunit *test)
{
	struct pvtest_ring *d;
	unsigned int event_idx;

	for (event_idx = 0; event_idx <= 1; event_idx++) {
		d = pvtest_notify_make(test, event_idx);
		pvtest_restart(d, 65535);
		KUNIT_EXPECT_EQ(test, pvring_kicks_disable(&d->ring), 0);
		pvtest_offer(d, 3);
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 1);
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 1);
		KUNIT_EXPECT_EQ(test, pvtest_pop(d), 1);
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
		if (event_idx)
			KUNIT_EXPECT_EQ(test, pvtest_avail_event(d), 0);

		/* Given back, it is there again. */
		pvring_unpop(&d->ring, d->batch, 0);
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 1);
	}
}

/*
 * A ring that goes on where another one stopped finds the other one's flag in
 * the driver's memory; a driver that is not to kick would never be heard again.
 */
static void pvtest_kicks_inherited(struct kunit *test)
{
	struct pvtest_ring *d;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		d = pvtest_notify_make(test, false);
		d->used->flags = cpu_to_le16(PVTEST_NO_NOTIFY);
		if (i & 1)
			pvtest_restart(d, 100);
		if (i & 2)
			KUNIT_EXPECT_EQ(test, pvring_kicks_disable(&d->ring), 0);
		KUNIT_EXPECT_EQ(test, pvring_kicks_enable(&d->ring), 0);
		KUNIT_EXPECT_EQ(test, le16_to_cpu(d->used->flags), 0);
	}
}

static struct kunit_case pvtest_notify_cases[] = {
	KUNIT_CASE(pvtest_notify_event),
	KUNIT_CASE(pvtest_notify_first),
	KUNIT_CASE(pvtest_notify_skipped),
	KUNIT_CASE(pvtest_notify_flag),
	KUNIT_CASE(pvtest_notify_on_empty),
	KUNIT_CASE(pvtest_notify_flag_ignored),
	KUNIT_CASE(pvtest_kicks_flag),
	KUNIT_CASE(pvtest_kicks_event),
	KUNIT_CASE(pvtest_kicks_race),
	KUNIT_CASE(pvtest_kicks_inherited),
	{}
};

static struct kunit_suite pvtest_notify_suite = {
	.name = "pvio_vhost_ring_notify",
	.exit = pvtest_exit,
	.test_cases = pvtest_notify_cases,
};

kunit_test_suite(pvtest_notify_suite);
