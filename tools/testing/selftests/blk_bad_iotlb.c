// SPDX-License-Identifier: GPL-2.0-only
/* Map messages that are wrong, overlap, or wrap; what was mapped before stays usable. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk_bad.h"

#define LEN		4096u
#define FAR_IOVA	0x7f0000000000ull
#define EXTRA_SIZE	(1 * MIB)

static int expect_refused(struct env *e, uint64_t iova, uint64_t size, const void *va, uint8_t perm)
{
	CHECK(vhost_iotlb_map(&e->b.v, iova, size, va, perm) < 0,
	      "0x%llx of 0x%llx bytes was mapped", (unsigned long long)iova,
	      (unsigned long long)size);
	return 0;
}

static int iotlb_empty(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(expect_refused(e, FAR_IOVA, 0, e->b.mem.va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, 0, 0, e->b.mem.va, VHOST_ACCESS_RW));
	return env_verify(e);
}

static int iotlb_overlap(void *ctx)
{
	struct env *e = ctx;
	const struct gmem *m = &e->b.mem;

	CHECK_PASS(expect_refused(e, m->iova, m->size, m->va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, m->iova + LEN, LEN, m->va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, m->iova - LEN, 2 * LEN, m->va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, m->iova + m->size - LEN, 2 * LEN, m->va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, m->iova - LEN, m->size + 2 * LEN, m->va, VHOST_ACCESS_RW));
	return env_verify(e);
}

static int iotlb_wraps(void *ctx)
{
	struct env *e = ctx;
	const uint8_t *va = e->b.mem.va;

	CHECK_PASS(expect_refused(e, UINT64_MAX - LEN + 1, 2 * LEN, va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, UINT64_MAX, UINT64_MAX, va, VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, FAR_IOVA, UINT64_MAX, va, VHOST_ACCESS_RW));
	return env_verify(e);
}

static int iotlb_kernel_address(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(expect_refused(e, FAR_IOVA, LEN, (void *)0xffff888000000000ull,
				  VHOST_ACCESS_RW));
	CHECK_PASS(expect_refused(e, FAR_IOVA, LEN, (void *)0xfffffffffffff000ull,
				  VHOST_ACCESS_RW));
	return env_verify(e);
}

/* A read into @iova, which may work, fail, or break the queue. */
static int use_any(struct env *e, uint64_t iova, uint32_t len)
{
	struct blk_req r;

	blk_req_init(&e->b, &r);
	blk_req_begin(&r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(&r, r.hdr, 16, false);
	blk_req_piece_iova(&r, iova, len, true);
	blk_req_piece(&r, r.status, 1, true);
	CHECK_OK(blk_submit(&e->b, 0, &r));
	return bad_expect_any(e, &r);
}

/* Some kernels take an address at which there is nothing, and map what lies above it. */
static int iotlb_no_memory(void *ctx)
{
	struct env *e = ctx;

	if (vhost_iotlb_map(&e->b.v, FAR_IOVA, LEN, (void *)0x10000, VHOST_ACCESS_RW) == 0) {
		CHECK_PASS(use_any(e, FAR_IOVA, LEN));
		CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, LEN));
	}
	return env_verify(e);
}

static int iotlb_no_permission(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	memset(extra.va, CANARY_BYTE, extra.size);
	if (vhost_iotlb_map(&e->b.v, extra.iova, extra.size, extra.va, 0) == 0) {
		CHECK_PASS(use_any(e, extra.iova, LEN));
		CHECK_EQ(bytes_check(extra.va, extra.size, CANARY_BYTE), -1);
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &extra));
	}
	gmem_destroy(&extra);
	return env_verify_reset(e);
}

/* A buffer that the device may read alone is not written. */
static int iotlb_readonly(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	memset(extra.va, CANARY_BYTE, extra.size);
	CHECK_OK(vhost_iotlb_map(&e->b.v, extra.iova, extra.size, extra.va, VHOST_ACCESS_RO));
	CHECK_PASS(use_any(e, extra.iova, LEN));
	CHECK_EQ(bytes_check(extra.va, extra.size, CANARY_BYTE), -1);
	CHECK_OK(vhost_unmap_gmem(&e->b.v, &extra));
	gmem_destroy(&extra);
	return env_verify_reset(e);
}

/* Maps that don't begin or end with a page. */
static int iotlb_unaligned(void *ctx)
{
	static const struct {
		unsigned int iova, va, size;
	} cases[] = {
		{ 0, 16, LEN }, { 16, 0, LEN }, { 16, 16, LEN }, { 1, 3, 100 }, { 0, 0, 1 },
		{ LEN - 1, LEN - 1, 2 }, { 512, 512, 3 * LEN },
	};
	struct env *e = ctx;
	struct gmem extra;
	unsigned int i;

	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t iova = FAR_IOVA + cases[i].iova;

		if (vhost_iotlb_map(&e->b.v, iova, cases[i].size, extra.va + cases[i].va,
				    VHOST_ACCESS_RW))
			continue;
		CHECK_PASS(use_any(e, iova, LEN));
		/* vhost-vdpa may have rounded: whole pages are certain to cover it. */
		CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, EXTRA_SIZE));
		CHECK_PASS(env_verify_reset(e));
	}
	gmem_destroy(&extra);
	return 0;
}

static int iotlb_messages(void *ctx)
{
	struct env *e = ctx;
	struct vhost_iotlb_msg msg = { .iova = FAR_IOVA, .size = LEN, .perm = VHOST_ACCESS_RW,
		.uaddr = (uint64_t)(uintptr_t)e->b.mem.va };
	uint64_t junk[32];
	unsigned int type;
	size_t len;

	for (type = 0; type < 256; type++) {
		msg.type = type;
		if (type >= VHOST_IOTLB_UPDATE && type <= VHOST_IOTLB_BATCH_END &&
		    type != VHOST_IOTLB_ACCESS_FAIL)
			continue;
		CHECK(vhost_iotlb_send(&e->b.v, &msg, 0) < 0, "message of type %u", type);
	}
	msg.type = VHOST_IOTLB_UPDATE;
	CHECK(vhost_iotlb_send(&e->b.v, &msg, 1) < 0, "another address space");
	memset(junk, 0, sizeof(junk));
	for (len = 0; len < 64; len++)
		CHECK(write(e->b.v.fd, junk, len) <= 0, "%zu bytes", len);
	memset(junk, 0xff, sizeof(junk));
	CHECK(write(e->b.v.fd, junk, sizeof(junk)) < 0, "rubbish");
	CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, LEN));
	return env_verify(e);
}

/* A batch that never ends: nothing of it is there. */
static int iotlb_open_batch(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	CHECK_OK(vhost_iotlb_batch_end(&e->b.v));
	CHECK_OK(vhost_iotlb_batch_begin(&e->b.v));
	CHECK_OK(vhost_map_gmem(&e->b.v, &extra));
	CHECK_PASS(env_verify(e));
	CHECK_PASS(use_any(e, extra.iova, LEN));
	blk_close(&e->b);
	gmem_destroy(&extra);
	CHECK_PASS(env_start(e));
	return env_verify(e);
}

/* A hole in the middle of memory: what lies beside it may be gone as well, no more than that. */
static int iotlb_hole(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;
	unsigned int i;

	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	for (i = 0; i < 3; i++) {
		CHECK_OK(vhost_map_gmem(&e->b.v, &extra));
		CHECK_OK(vhost_iotlb_unmap(&e->b.v, extra.iova + EXTRA_SIZE / 2, LEN));
		CHECK_PASS(use_any(e, extra.iova + EXTRA_SIZE / 2 - LEN + i * LEN, LEN));
		CHECK_PASS(use_any(e, extra.iova + EXTRA_SIZE / 2 - 512, 1024));
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &extra));
	}
	gmem_destroy(&extra);
	return env_verify(e);
}

/* As many maps as vhost-vdpa takes, and more. */
static int iotlb_many(void *ctx)
{
	struct env *e = ctx;
	const uint8_t *va = e->b.mem.va;
	unsigned int i, n = 0;

	CHECK_OK(vhost_iotlb_batch_begin(&e->b.v));
	for (i = 0; i < 5000; i++)
		n += !vhost_iotlb_map(&e->b.v, FAR_IOVA + i * 2ull * LEN, LEN,
				      va + i % 512 * LEN, VHOST_ACCESS_RW);
	CHECK_OK(vhost_iotlb_batch_end(&e->b.v));
	ktap_diag("%u maps at once", n);
	CHECK(n >= 1000, "only %u maps", n);
	CHECK_PASS(env_verify(e));
	CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, 10000ull * LEN));
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(iotlb_empty),
	KTAP_TEST(iotlb_overlap),
	KTAP_TEST(iotlb_wraps),
	KTAP_TEST(iotlb_kernel_address),
	KTAP_TEST(iotlb_no_memory),
	KTAP_TEST(iotlb_no_permission),
	KTAP_TEST(iotlb_readonly),
	KTAP_TEST(iotlb_unaligned),
	KTAP_TEST(iotlb_messages),
	KTAP_TEST(iotlb_open_batch),
	KTAP_TEST(iotlb_hole),
	KTAP_TEST(iotlb_many),
};

const struct ktap_suite blk_bad_iotlb_suite = {
	.name = "bad maps",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
