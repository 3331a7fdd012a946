// SPDX-License-Identifier: GPL-2.0-only
/* Identity, features and configuration space; and the disk that may only be read. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "blk_io.h"

#define FEATURES_NEEDED							\
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) |	\
	 BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |	\
	 BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_TOPOLOGY) |	\
	 BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_CONFIG_WCE))

static int config_identity(void *ctx)
{
	struct env *e = ctx;
	uint32_t id;

	CHECK_OK(vdpa_get_device_id(&e->b.v, &id));
	CHECK_EQ(id, 2);
	CHECK_EQ(blk_status(&e->b), 0);
	return 0;
}

static int config_features(void *ctx)
{
	struct env *e = ctx;
	uint64_t offered = e->b.offered;

	CHECK((offered & FEATURES_NEEDED) == FEATURES_NEEDED, "offered 0x%llx, missing 0x%llx",
	      (unsigned long long)offered, (unsigned long long)(FEATURES_NEEDED & ~offered));
	CHECK_EQ(!!(offered & BIT(VIRTIO_BLK_F_RO)), e->readonly);
	if (e->b.nqueues > 1)
		CHECK_EQ(!!(offered & BIT(VIRTIO_BLK_F_MQ)), 1);
	return 0;
}

static int config_capacity(void *ctx)
{
	struct env *e = ctx;
	int fd = open(e->store, O_RDONLY | O_CLOEXEC);
	int64_t size;

	CHECK(fd >= 0, "%s", e->store);
	size = lseek(fd, 0, SEEK_END);
	close(fd);
	CHECK(size > 0, "%s", strerror(errno));
	CHECK_EQ(blk_capacity(&e->b), size / blk_block_size(&e->b) * blk_block_size(&e->b) / 512);
	return 0;
}

static int config_limits(void *ctx)
{
	struct env *e = ctx;
	const struct virtio_blk_config *c = &e->b.config;
	uint32_t block = blk_block_size(&e->b);
	uint16_t num;
	uint32_t count;

	CHECK_OK(vdpa_get_vring_num(&e->b.v, &num));
	CHECK_OK(vdpa_get_vqs_count(&e->b.v, &count));
	CHECK(num >= 16 && num <= 1024 && !(num & (num - 1)), "queue size %u", num);
	CHECK_EQ(blk_seg_max(&e->b), num - 2 < 126 ? num - 2 : 126);
	CHECK_EQ(le32toh(c->size_max), 65536);
	CHECK(block >= 512 && block <= 4096 && !(block & (block - 1)), "block size %u", block);
	CHECK(c->alignment_offset < (1u << c->physical_block_exp),
	      "alignment offset %u, exponent %u", c->alignment_offset, c->physical_block_exp);
	if (e->b.offered & BIT(VIRTIO_BLK_F_MQ))
		CHECK_EQ(le16toh(c->num_queues), count);
	CHECK(c->wce <= 1, "writeback is %u", c->wce);
	return 0;
}

/* The space reads the same in one piece and byte by byte, and has an end. */
static int config_space(void *ctx)
{
	struct env *e = ctx;
	uint32_t size = e->b.config_size, i;
	uint8_t whole[256], byte;

	CHECK(size >= offsetof(struct virtio_blk_config, max_discard_sectors) &&
	      size <= sizeof(whole), "config space of %u bytes", size);
	CHECK_OK(vdpa_get_config(&e->b.v, 0, whole, size));
	for (i = 0; i < size; i++) {
		CHECK_OK(vdpa_get_config(&e->b.v, i, &byte, 1));
		CHECK_EQ(byte, whole[i]);
	}
	CHECK(vdpa_get_config(&e->b.v, size, &byte, 1) < 0, "byte %u was read", size);
	CHECK(vdpa_get_config(&e->b.v, size - 1, whole, 2) < 0, "it was read past its end");
	CHECK(vdpa_get_config(&e->b.v, 0xffffffff, &byte, 1) < 0, "the last offset was read");
	return 0;
}

/* What a driver writes there changes the write cache mode and nothing else. */
static int config_write(void *ctx)
{
	struct env *e = ctx;
	struct virtio_blk_config junk, now;
	uint32_t off = offsetof(struct virtio_blk_config, wce);
	uint8_t wce;

	CHECK_OK(blk_start(&e->b));
	for (wce = 0; wce < 2; wce++) {
		CHECK_OK(vdpa_set_config(&e->b.v, off, &wce, 1));
		CHECK_OK(vdpa_get_config(&e->b.v, 0, &now, sizeof(now)));
		CHECK_EQ(now.wce, wce);
		if (!e->readonly)
			CHECK_PASS(env_verify(e));
	}
	memset(&junk, 0xff, sizeof(junk));
	vdpa_set_config(&e->b.v, 0, &junk, off);
	CHECK_OK(vdpa_get_config(&e->b.v, 0, &now, sizeof(now)));
	CHECK(!memcmp(&now, &e->b.config, off), "the driver rewrote what it may only read");
	return 0;
}

static int config_get_id(void *ctx)
{
	struct env *e = ctx;
	char want[VIRTIO_BLK_ID_BYTES] = "";
	uint8_t *id;

	if (!e->serial)
		SKIP("no --serial given");
	CHECK_OK(blk_start(&e->b));
	memcpy(want, e->serial, strnlen(e->serial, sizeof(want)));
	id = gmem_alloc(&e->b.mem, 64, 64);
	memset(id, CANARY_BYTE, 64);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_ID, 0, id, sizeof(want)), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(id, want, sizeof(want)), "the serial is '%.20s'", id);
	CHECK_EQ(bytes_check(id + sizeof(want), 64 - sizeof(want), CANARY_BYTE), -1);
	CHECK_EQ(e->b.reqs[0].used_len, sizeof(want) + 1);
	return 0;
}

/* Is offered where the operator said how worn the store is: run.sh says 1 2 11. */
static int config_lifetime(void *ctx)
{
	static const uint8_t want[6] = { 1, 0, 2, 0, 11, 0 };
	struct env *e = ctx;
	bool offered = e->b.offered & BIT(VIRTIO_BLK_F_LIFETIME);
	uint8_t *got;

	CHECK_OK(blk_start(&e->b));
	got = gmem_alloc(&e->b.mem, 16, 16);
	memset(got, CANARY_BYTE, 16);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_LIFETIME, 0, got, sizeof(want)),
		 offered ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_UNSUPP);
	if (!offered)
		return 0;
	CHECK(!memcmp(got, want, sizeof(want)), "it is %u %u %u", got[0], got[2], got[4]);
	CHECK_EQ(bytes_check(got + sizeof(want), 16 - sizeof(want), CANARY_BYTE), -1);
	CHECK_EQ(e->b.reqs[0].used_len, sizeof(want) + 1);
	/* Room for less, and for more. */
	memset(got, CANARY_BYTE, 16);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_LIFETIME, 0, got, 3), VIRTIO_BLK_S_OK);
	CHECK_EQ(bytes_check(got + 3, 13, CANARY_BYTE), -1);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_LIFETIME, 0, got, 16), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(got, want, sizeof(want)), "it is %u %u %u", got[0], got[2], got[4]);
	CHECK_EQ(e->b.reqs[0].used_len, sizeof(want));
	return 0;
}

static int readonly_write(void *ctx)
{
	struct env *e = ctx;
	uint8_t before[4096], after[4096];
	uint8_t *buf = gmem_alloc(&e->b.mem, sizeof(before), 4096);
	unsigned int q;

	for (q = 0; q < e->b.nqueues; q++) {
		CHECK_OK(env_store_read(e, 0, before, sizeof(before)));
		pattern_fill(buf, sizeof(before), 0, 99 + q);
		CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_OUT, 0, buf, sizeof(before)),
			 VIRTIO_BLK_S_IOERR);
		CHECK_OK(env_store_read(e, 0, after, sizeof(after)));
		CHECK(!memcmp(before, after, sizeof(before)), "the store was written");
		CHECK_EQ(blk_needs_reset(&e->b), 0);
	}
	return 0;
}

static int readonly_read(void *ctx)
{
	struct env *e = ctx;
	uint8_t want[8192];
	uint8_t *buf = gmem_alloc(&e->b.mem, sizeof(want), 4096);
	unsigned int q;

	CHECK_OK(env_store_read(e, 8, want, sizeof(want)));
	for (q = 0; q < e->b.nqueues; q++) {
		memset(buf, CANARY_BYTE, sizeof(want));
		CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_IN, 8, buf, sizeof(want)),
			 VIRTIO_BLK_S_OK);
		CHECK(!memcmp(buf, want, sizeof(want)), "queue %u reads other data", q);
		CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	}
	return 0;
}

/* The device decides, whatever the driver acknowledges. */
static int readonly_unacknowledged(void *ctx)
{
	struct env *e = ctx;
	int res;

	CHECK_OK(blk_reset(&e->b));
	e->b.features &= ~BIT(VIRTIO_BLK_F_RO);
	res = blk_restart(&e->b, 0);
	if (res)
		return 0;
	return readonly_write(e);
}

static const struct ktap_test config_tests[] = {
	KTAP_TEST(config_identity),
	KTAP_TEST(config_features),
	KTAP_TEST(config_capacity),
	KTAP_TEST(config_limits),
	KTAP_TEST(config_space),
	KTAP_TEST(config_write),
	KTAP_TEST(config_get_id),
	KTAP_TEST(config_lifetime),
};

const struct ktap_suite blk_io_config_suite = {
	.name = "configuration",
	.tests = config_tests,
	.count = sizeof(config_tests) / sizeof(*config_tests),
	.limit = 300,
	.setup = env_open,
	.teardown = env_close,
};

static const struct ktap_test readonly_tests[] = {
	KTAP_TEST(readonly_write),
	KTAP_TEST(readonly_read),
	KTAP_TEST(readonly_unacknowledged),
};

const struct ktap_suite blk_io_readonly_suite = {
	.name = "read-only disk",
	.tests = readonly_tests,
	.count = sizeof(readonly_tests) / sizeof(*readonly_tests),
	.limit = 300,
	.setup = env_start,
	.teardown = env_close,
};
