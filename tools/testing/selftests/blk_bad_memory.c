// SPDX-License-Identifier: GPL-2.0-only
/* Memory that the VMM has mapped for the device and then treats badly, without a word. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk_bad.h"

#define LEN		4096u
#define FAR_IOVA	0x7f0000000000ull
#define EXTRA_SIZE	(1 * MIB)

static int extra_make(struct env *e, struct gmem *extra)
{
	CHECK_OK(gmem_create(extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	CHECK_OK(vhost_map_gmem(&e->b.v, extra));
	memset(extra->va, CANARY_BYTE, extra->size);
	return 0;
}

static int extra_drop(struct env *e, struct gmem *extra)
{
	CHECK_OK(vhost_unmap_gmem(&e->b.v, extra));
	gmem_destroy(extra);
	return env_verify_reset(e);
}

static int use_any(struct env *e, uint32_t type, uint64_t iova, uint32_t len)
{
	struct blk_req r;

	blk_req_init(&e->b, &r);
	blk_req_begin(&r, type, 0);
	blk_req_piece(&r, r.hdr, 16, false);
	blk_req_piece_iova(&r, iova, len, type == VIRTIO_BLK_T_IN);
	blk_req_piece(&r, r.status, 1, true);
	CHECK_OK(blk_submit(&e->b, 0, &r));
	return bad_expect_any(e, &r);
}

static int use_in_all_ways(struct env *e)
{
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_IN, FAR_IOVA, LEN));
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_OUT, FAR_IOVA, LEN));
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_IN, FAR_IOVA + 100, LEN));
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_OUT, FAR_IOVA + 100, LEN));
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_IN, FAR_IOVA + EXTRA_SIZE / 2 - LEN, 2 * LEN));
	return 0;
}

/* Unmapped by the VMM for itself, not for the device. */
static int memory_gone(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	CHECK_PASS(extra_make(e, &extra));
	munmap(extra.va, extra.size);
	CHECK_PASS(use_in_all_ways(e));
	extra.va = NULL;
	return extra_drop(e, &extra);
}

static int memory_half_gone(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	CHECK_PASS(extra_make(e, &extra));
	munmap(extra.va + EXTRA_SIZE / 2, EXTRA_SIZE / 2);
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_IN, FAR_IOVA + EXTRA_SIZE / 2 - LEN, 2 * LEN));
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_OUT, FAR_IOVA + EXTRA_SIZE / 2 - 100, LEN));
	extra.size = EXTRA_SIZE / 2;
	CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, EXTRA_SIZE));
	munmap(extra.va, extra.size);
	close(extra.fd);
	return env_verify_reset(e);
}

/* The file behind it made shorter: to touch it would be a bus error for the VMM. */
static int memory_truncated(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	if (e->opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	CHECK_PASS(extra_make(e, &extra));
	CHECK_EQ(ftruncate(extra.fd, 0), 0);
	CHECK_PASS(use_in_all_ways(e));
	return extra_drop(e, &extra);
}

/* The same beneath the rings. */
static int memory_truncated_rings(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];

	if (e->opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	blk_req_usual(&e->b.reqs[0], VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	CHECK_OK(blk_queue(&e->b, 0, &e->b.reqs[0], RING_DIRECT));
	ring_publish(r);
	CHECK_EQ(ftruncate(e->b.mem.fd, 0), 0);
	ring_kick(r);
	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	blk_close(&e->b);
	CHECK_PASS(env_start(e));
	return env_verify(e);
}

/* The VMM may only read its own memory: nor does the kernel write it in the VMM's name. */
static int memory_write_protected(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	if (e->opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	CHECK_PASS(extra_make(e, &extra));
	CHECK_EQ(mprotect(extra.va, extra.size, PROT_READ), 0);
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_IN, FAR_IOVA, LEN));
	CHECK_PASS(use_any(e, VIRTIO_BLK_T_IN, FAR_IOVA + 100, LEN));
	CHECK_EQ(bytes_check(extra.va, extra.size, CANARY_BYTE), -1);
	return extra_drop(e, &extra);
}

static int memory_no_access(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;

	if (e->opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	CHECK_PASS(extra_make(e, &extra));
	CHECK_EQ(mprotect(extra.va, extra.size, PROT_NONE), 0);
	CHECK_PASS(use_in_all_ways(e));
	return extra_drop(e, &extra);
}

/* What a balloon does: pages given back, and wanted again. No harm at all may come of it. */
static int memory_punched(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;
	unsigned int i;

	if (e->opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	CHECK_PASS(extra_make(e, &extra));
	for (i = 0; i < e->rounds; i++) {
		struct blk_req *r = &e->b.reqs[0];
		uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);

		pattern_fill(buf, LEN, 0, i);
		CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, 0, buf, LEN), VIRTIO_BLK_S_OK);
		CHECK_EQ(fallocate(extra.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
				   EXTRA_SIZE), 0);
		blk_req_begin(r, VIRTIO_BLK_T_IN, 0);
		blk_req_piece(r, r->hdr, 16, false);
		blk_req_piece_iova(r, FAR_IOVA + i % 2 * 100, LEN, true);
		blk_req_piece(r, r->status, 1, true);
		CHECK_EQ(blk_do(&e->b, 0, r), VIRTIO_BLK_S_OK);
		CHECK_EQ(pattern_check(extra.va + i % 2 * 100, LEN, 0, i), -1);
	}
	return extra_drop(e, &extra);
}

/* Rings, tables and headers given back between requests, as if their guest had been swapped out. */
static int memory_paged_out(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		madvise(e->b.mem.va, e->b.mem.size, MADV_PAGEOUT);
		if (e->opts.kind == GMEM_SHARED)
			madvise(e->b.mem.va, e->b.mem.size, MADV_DONTNEED);
		CHECK_PASS(env_verify(e));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(memory_gone),
	KTAP_TEST(memory_half_gone),
	KTAP_TEST(memory_truncated),
	KTAP_TEST(memory_truncated_rings),
	KTAP_TEST(memory_write_protected),
	KTAP_TEST(memory_no_access),
	KTAP_TEST(memory_punched),
	KTAP_TEST(memory_paged_out),
};

const struct ktap_suite blk_bad_memory_suite = {
	.name = "bad memory",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
