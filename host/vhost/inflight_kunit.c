// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-flight regions: what is written there, word by word as vhost-user has it; what
 * is taken up from there; and what is no region of the ring.
 */
#include <kunit/test.h>
#include <linux/string.h>

#include "inflight.h"
#include "ring_driver_kunit.h"

#define N	PVTEST_NEXT
#define BOTH	(PVTEST_AVAIL | PVTEST_USED)

static const struct pvring_config *inflight_config(enum pvring_format format)
{
	static struct pvring_config cfg;

	cfg = pvtest_config;
	cfg.format = format;
	if (format == PVRING_PACKED)
		cfg.num = 5;
	return &cfg;
}

static void *inflight_room(struct pvtest_ring *d)
{
	return pvtest_room(d, pvinflight_size(d->ring.format, d->ring.num));
}

static int inflight_keep(struct pvtest_ring *d, void *region)
{
	return pvring_keep_inflight(&d->ring, region,
				    pvinflight_size(d->ring.format, d->ring.num));
}

/* Another device of the same ring, without a region yet. */
static void inflight_begin(struct pvtest_ring *d, const struct pvring_config *cfg)
{
	pvring_destroy(&d->ring);
	KUNIT_ASSERT_EQ(d->test, pvring_init(&d->ring, cfg), 0);
	d->ring.desc = (unsigned long)d->desc;
	d->ring.driver = (unsigned long)d->avail;
	d->ring.device = (unsigned long)d->used;
}

static void inflight_split_words(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, inflight_config(PVRING_SPLIT));
	struct vhost_inflight_split *s = inflight_room(d);
	u16 i;

	pvtest_restart(d, 65535);
	KUNIT_ASSERT_EQ(test, inflight_keep(d, s), 0);
	KUNIT_EXPECT_EQ(test, s->version, 0);
	KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 0);
	KUNIT_EXPECT_FALSE(test, d->ring.recover);
	KUNIT_EXPECT_EQ(test, s->features, 0ULL);
	KUNIT_EXPECT_EQ(test, s->version, 1);
	KUNIT_EXPECT_EQ(test, s->desc_num, 16);
	KUNIT_EXPECT_EQ(test, s->used_idx, 65535);

	for (i = 0; i < 3; i++) {
		pvtest_desc(d, 4 * i, PVTEST_A, 1, 0, 0);
		pvtest_offer(d, 4 * i);
	}
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, s->desc[4 * i].inflight, 1);
		KUNIT_EXPECT_EQ(test, s->desc[4 * i].counter, (u64)i);
	}

	pvring_complete(&d->ring, 4, 0);
	pvring_complete(&d->ring, 0, 0);
	KUNIT_EXPECT_EQ(test, s->desc[4].inflight, 1);
	KUNIT_ASSERT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, s->last_batch_head, 0);
	KUNIT_EXPECT_EQ(test, s->desc[0].next, 4);
	KUNIT_EXPECT_EQ(test, s->desc[0].inflight, 0);
	KUNIT_EXPECT_EQ(test, s->desc[4].inflight, 0);
	KUNIT_EXPECT_EQ(test, s->desc[8].inflight, 1);
	KUNIT_EXPECT_EQ(test, s->used_idx, 1);
}

/* A region of another device, that ended between the used index and the region's. */
static void inflight_split_taken_up(struct kunit *test)
{
	const struct pvring_config *cfg = inflight_config(PVRING_SPLIT);
	struct pvtest_ring *d = pvtest_make(test, cfg);
	struct vhost_inflight_split *s = inflight_room(d);
	unsigned int i;

	for (i = 0; i < 6; i++) {
		pvtest_desc(d, i, PVTEST_A + i, 1, 0, 0);
		pvtest_offer(d, i);
		s->desc[i].inflight = i < 5;
		s->desc[i].counter = 100 - i;
	}
	s->version = 1;
	s->desc_num = 16;
	s->used_idx = 65534;
	s->last_batch_head = 3;
	s->desc[3].next = 1;
	s->desc[1].next = 0;
	d->used->idx = cpu_to_le16(0);
	d->avail->ring[4] = cpu_to_le16(1);

	KUNIT_ASSERT_EQ(test, inflight_keep(d, s), 0);
	KUNIT_EXPECT_TRUE(test, d->ring.recover);
	KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 1);
	KUNIT_EXPECT_EQ(test, s->used_idx, 0);
	KUNIT_EXPECT_EQ(test, s->desc[3].inflight, 0);
	KUNIT_EXPECT_EQ(test, s->desc[1].inflight, 0);
	KUNIT_EXPECT_EQ(test, d->ring.nagain, 3);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 3);

	/* The last ones first, as their counters say; no more than the batch holds. */
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 4);
	KUNIT_EXPECT_EQ(test, d->batch->chain[1].head, 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[2].head, 0);
	pvring_unpop(&d->ring, d->batch, 1);
	KUNIT_EXPECT_EQ(test, s->desc[2].inflight, 1);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 3);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 2);

	/* Then the ring, under a counter that is larger than all others. */
	KUNIT_EXPECT_EQ(test, s->desc[3].counter, 97ULL);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 3);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].head, 3);
	KUNIT_EXPECT_EQ(test, s->desc[3].counter, 101ULL);
}

static void inflight_packed_words(struct kunit *test)
{
	struct pvtest_ring *d = pvtest_make(test, inflight_config(PVRING_PACKED));
	struct vhost_inflight_packed *p = inflight_room(d);

	pvtest_packed_restart(d, 3, false);
	KUNIT_ASSERT_EQ(test, inflight_keep(d, p), 0);
	KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, p->version, 1);
	KUNIT_EXPECT_EQ(test, p->desc_num, 5);
	KUNIT_EXPECT_EQ(test, p->used_idx, 3);
	KUNIT_EXPECT_EQ(test, p->old_used_idx, 3);
	KUNIT_EXPECT_EQ(test, p->used_wrap_counter, 0);

	pvtest_packed_put(d, PVTEST_A, 1, N, 9);
	pvtest_packed_put(d, PVTEST_A + 1, 2, 0, 7);
	pvtest_packed_put(d, PVTEST_A + 2, 3, 0, 8);
	pvtest_packed_show(d);
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, p->free_head, 3);
	KUNIT_EXPECT_EQ(test, p->old_free_head, 3);
	KUNIT_EXPECT_EQ(test, p->desc[0].inflight, 1);
	KUNIT_EXPECT_EQ(test, p->desc[0].num, 2);
	KUNIT_EXPECT_EQ(test, p->desc[0].last, 1);
	KUNIT_EXPECT_EQ(test, p->desc[0].next, 1);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(p->desc[0].id), 9);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(p->desc[0].flags), N | PVTEST_USED);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(p->desc[1].id), 7);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(p->desc[1].len), 2U);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(p->desc[1].addr), PVTEST_A + 1);
	KUNIT_EXPECT_EQ(test, p->desc[2].counter, 1ULL);

	pvring_complete(&d->ring, d->batch->chain[0].head, 0);
	KUNIT_ASSERT_EQ(test, pvring_publish(&d->ring), 0);
	KUNIT_EXPECT_EQ(test, p->desc[0].inflight, 0);
	KUNIT_EXPECT_EQ(test, p->desc[2].inflight, 1);
	KUNIT_EXPECT_EQ(test, p->free_head, 0);
	KUNIT_EXPECT_EQ(test, p->desc[1].next, 3);
	KUNIT_EXPECT_EQ(test, p->used_idx, 0);
	KUNIT_EXPECT_EQ(test, p->old_used_idx, 0);
	KUNIT_EXPECT_EQ(test, p->used_wrap_counter, 1);
	KUNIT_EXPECT_EQ(test, p->old_used_wrap_counter, 1);
}

/* Two chains of entries 0 and 1, and 2: both in flight, 2 about to be published. */
static void inflight_packed_fill(struct pvtest_ring *d,
				 struct vhost_inflight_packed *p)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		p->desc[i].next = i + 1;
		p->desc[i].addr = cpu_to_le64(PVTEST_A + i);
		p->desc[i].len = cpu_to_le32(1);
		p->desc[i].id = cpu_to_le16(20 + i);
		d->desc[i].next = cpu_to_le16(PVTEST_AVAIL);
	}
	p->desc[0].inflight = 1;
	p->desc[0].num = 2;
	p->desc[0].last = 1;
	p->desc[0].flags = cpu_to_le16(N);
	p->desc[2].inflight = 1;
	p->desc[2].num = 1;
	p->desc[2].last = 2;
	p->desc[2].counter = 1;
	p->version = 1;
	p->desc_num = 5;
	p->free_head = 2;
	p->old_free_head = 3;
	p->used_idx = 1;
	p->used_wrap_counter = 1;
	p->old_used_wrap_counter = 1;
}

static void inflight_packed_taken_up(struct kunit *test)
{
	const struct pvring_config *cfg = inflight_config(PVRING_PACKED);
	struct pvtest_ring *d = pvtest_make(test, cfg);
	struct vhost_inflight_packed *p = inflight_room(d);

	inflight_packed_fill(d, p);
	KUNIT_ASSERT_EQ(test, inflight_keep(d, p), 0);
	KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 1);
	KUNIT_EXPECT_EQ(test, d->ring.nagain, 2);
	KUNIT_EXPECT_EQ(test, d->ring.next_used, 0);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 3);
	KUNIT_EXPECT_EQ(test, p->free_head, 3);
	KUNIT_EXPECT_EQ(test, p->used_idx, 0);

	/* The entries, not the ring, have the descriptors. */
	KUNIT_ASSERT_EQ(test, pvtest_pop(d), 2);
	KUNIT_EXPECT_EQ(test, d->batch->chain[0].nout, 2);
	pvtest_expect_seg(d, d->batch->chain[0].seg, PVTEST_A, 1);
	pvtest_expect_seg(d, d->batch->chain[1].seg, PVTEST_A + 2, 1);
}

/* The first chain's last descriptor has one behind it; or the device takes fewer than it has. */
static void inflight_packed_endless(struct kunit *test)
{
	struct pvring_config cfg = *inflight_config(PVRING_PACKED);
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct vhost_inflight_packed *p;
		struct pvtest_ring *d;

		cfg.limits.max_desc = i ? 1 : 5;
		d = pvtest_make(test, &cfg);
		p = inflight_room(d);
		inflight_packed_fill(d, p);
		if (!i)
			p->desc[1].flags = cpu_to_le16(N);
		KUNIT_ASSERT_EQ(test, inflight_keep(d, p), 0);
		KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 1);
		KUNIT_EXPECT_EQ(test, pvtest_pop(d), -EINVAL);
		KUNIT_EXPECT_STREQ(test, d->ring.error, i ?
				   "descriptor chain loops or is too long" :
				   "a chain in flight is too long, or has no end");
		KUNIT_EXPECT_EQ(test, d->ring.nagain, 2);
	}
}

static void inflight_packed_submitted(struct kunit *test)
{
	const struct pvring_config *cfg = inflight_config(PVRING_PACKED);
	struct pvtest_ring *d = pvtest_make(test, cfg);
	struct vhost_inflight_packed *p = inflight_room(d);

	inflight_packed_fill(d, p);
	p->desc[2].next = 3;
	d->desc[0].next = cpu_to_le16(BOTH);
	KUNIT_ASSERT_EQ(test, inflight_keep(d, p), 0);
	KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 1);
	KUNIT_EXPECT_EQ(test, d->ring.nagain, 1);
	KUNIT_EXPECT_EQ(test, d->ring.next_used, 1);
	KUNIT_EXPECT_EQ(test, d->ring.last_avail, 3);
	KUNIT_EXPECT_EQ(test, p->desc[2].inflight, 0);
	KUNIT_EXPECT_EQ(test, p->old_free_head, 2);
	KUNIT_EXPECT_EQ(test, p->old_used_idx, 1);
}

/* The driver saw nothing of a batch: what is written behind its first one goes. */
static void inflight_packed_taken_back(struct kunit *test)
{
	const struct pvring_config *cfg = inflight_config(PVRING_PACKED);
	struct pvtest_ring *d = pvtest_make(test, cfg);
	struct vhost_inflight_packed *p = inflight_room(d);

	inflight_packed_fill(d, p);
	p->used_idx = 3;
	d->desc[1].next = cpu_to_le16(BOTH);
	d->desc[3].next = cpu_to_le16(BOTH);
	KUNIT_ASSERT_EQ(test, inflight_keep(d, p), 0);
	KUNIT_ASSERT_EQ(test, pvring_recover(&d->ring), 1);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->desc[1].next), PVTEST_AVAIL);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(d->desc[3].next), BOTH);
}

/* What a ring does not begin with. */
static void inflight_refused(struct kunit *test)
{
	enum pvring_format format;

	for (format = PVRING_SPLIT; format <= PVRING_PACKED; format++) {
		const struct pvring_config *cfg = inflight_config(format);
		struct pvtest_ring *d = pvtest_make(test, cfg);
		struct vhost_inflight_split *s = inflight_room(d);
		size_t size = pvinflight_size(format, cfg->num);

		KUNIT_EXPECT_EQ(test, pvring_keep_inflight(&d->ring, s, size - 1),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, pvring_keep_inflight(&d->ring, s, 0), -EINVAL);
		s->version = 2;
		KUNIT_EXPECT_EQ(test, inflight_keep(d, s), -EINVAL);
		s->version = 1;
		s->desc_num = cfg->num - 1;
		KUNIT_EXPECT_EQ(test, inflight_keep(d, s), -EINVAL);
		/* vhost-user has regions for the largest queue, which is then smaller. */
		s->desc_num = cfg->num + 1;
		KUNIT_EXPECT_NULL(test, d->ring.kept);
		KUNIT_EXPECT_EQ(test, inflight_keep(d, s),
				format == PVRING_PACKED ? -EINVAL : 0);
	}
}

/* Changes of one field that make a region that is not the ring's. */
static void inflight_not_ours(struct kunit *test)
{
	static const struct inflight_change {
		enum pvring_format format;
		u16 offset;
		u16 val;
	} changes[] = {
		{ PVRING_SPLIT, offsetof(struct vhost_inflight_split, used_idx), 100 },
		{ PVRING_SPLIT, offsetof(struct vhost_inflight_split, last_batch_head), 16 },
		{ PVRING_SPLIT, offsetof(struct vhost_inflight_split, desc[0].next), 65535 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, used_idx), 5 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, old_used_idx), 65535 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, used_wrap_counter), 2 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, old_used_idx), 2 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, old_free_head), 1 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, old_free_head), 5 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[4].next), 3 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[0].num), 0 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[0].num), 6 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[0].num), 3 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[0].next), 5 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[0].next), 0 },
		{ PVRING_PACKED, offsetof(struct vhost_inflight_packed, desc[2].inflight), 0 },
	};
	const struct inflight_change *change;

	for (change = changes; change < changes + ARRAY_SIZE(changes); change++) {
		const struct pvring_config *cfg = inflight_config(change->format);
		struct pvtest_ring *d = pvtest_make(test, cfg);
		size_t size = pvinflight_size(change->format, cfg->num);
		u8 *region = inflight_room(d), *before = inflight_room(d);

		if (change->format == PVRING_PACKED) {
			inflight_packed_fill(d, (void *)region);
		} else {
			((struct vhost_inflight_split *)region)->version = 1;
			((struct vhost_inflight_split *)region)->desc_num = 16;
			d->used->idx = cpu_to_le16(2);
		}
		memcpy(region + change->offset, &change->val, sizeof(change->val));
		memcpy(before, region, size);
		KUNIT_ASSERT_EQ(test, inflight_keep(d, region), 0);
		KUNIT_EXPECT_EQ(test, pvring_recover(&d->ring), -EINVAL);
		KUNIT_EXPECT_STREQ(test, d->ring.error,
				   "its in-flight region is not that of this ring");
		KUNIT_EXPECT_TRUE(test, d->ring.recover);
		KUNIT_EXPECT_EQ(test, d->ring.nagain, 0);
		/* What isn't the ring's stays as it was. */
		KUNIT_EXPECT_EQ(test, memcmp(before, region, size), 0);
	}
}

/* Any bytes: whatever comes of it is an error, or chains that are none too many. */
static void inflight_garbage(struct kunit *test, enum pvring_format format)
{
	const struct pvring_config *cfg = inflight_config(format);
	struct pvtest_ring *d = pvtest_make(test, cfg);
	size_t size = pvinflight_size(format, cfg->num), i;
	u8 *region = inflight_room(d);
	u64 rng = 1;
	int round, n;

	for (round = 0; round < 3000; round++) {
		for (i = 0; i < size; i++) {
			rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
			region[i] = (rng >> 61) ? 0 : rng >> 33;
			if (round % 2 && format == PVRING_PACKED)
				region[i] = (rng >> 60) % 4;
		}
		((struct vhost_inflight_split *)region)->version = 1;
		((struct vhost_inflight_split *)region)->desc_num = cfg->num;
		if (round % 3 == 0 && format == PVRING_PACKED) {
			memset(region, 0, size);
			inflight_packed_fill(d, (void *)region);
			region[12 + rng % (size - 12)] ^= rng >> 33;
		}
		inflight_begin(d, cfg);
		KUNIT_ASSERT_EQ(test, inflight_keep(d, region), 0);
		if (pvring_recover(&d->ring) < 0)
			continue;
		do
			n = pvtest_pop(d);
		while (n > 0);
		KUNIT_ASSERT_LE(test, d->ring.inflight + d->ring.nagain, cfg->num);
	}
}

static void inflight_split_garbage(struct kunit *test)
{
	inflight_garbage(test, PVRING_SPLIT);
}

static void inflight_packed_garbage(struct kunit *test)
{
	inflight_garbage(test, PVRING_PACKED);
}

static struct kunit_case inflight_cases[] = {
	KUNIT_CASE(inflight_split_words),
	KUNIT_CASE(inflight_split_taken_up),
	KUNIT_CASE(inflight_packed_words),
	KUNIT_CASE(inflight_packed_taken_up),
	KUNIT_CASE(inflight_packed_endless),
	KUNIT_CASE(inflight_packed_submitted),
	KUNIT_CASE(inflight_packed_taken_back),
	KUNIT_CASE(inflight_refused),
	KUNIT_CASE(inflight_not_ours),
	KUNIT_CASE(inflight_split_garbage),
	KUNIT_CASE(inflight_packed_garbage),
	{}
};

static struct kunit_suite inflight_suite = {
	.name = "pvio_vhost_inflight",
	.exit = pvtest_exit,
	.test_cases = inflight_cases,
};

kunit_test_suite(inflight_suite);
