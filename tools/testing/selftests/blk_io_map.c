// SPDX-License-Identifier: GPL-2.0-only
/* Memory in several pieces, memory that comes and goes, and maps that change beneath live rings. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "blk_io.h"
#include "kmsg.h"

#define PAGE		4096u
#define LEN		16384u
#define EXTRA_SIZE	(1 * MIB)
#define FAR_IOVA	0x7f0000000000ull

/* A write and a read of @len bytes at @iova, which is where the device sees @p. */
static int check_iova(struct env *e, unsigned int q, void *p, uint64_t iova, uint32_t len,
		      uint64_t generation)
{
	struct blk_req *r = &e->b.reqs[q];

	pattern_fill(p, len, 0, generation);
	blk_req_begin(r, VIRTIO_BLK_T_OUT, 0);
	blk_req_piece(r, r->hdr, sizeof(*r->hdr), false);
	blk_req_piece_iova(r, iova, len, false);
	blk_req_piece(r, r->status, 1, true);
	CHECK_EQ(blk_do(&e->b, q, r), VIRTIO_BLK_S_OK);
	CHECK_PASS(env_store_check(e, 0, len, generation));
	memset(p, CANARY_BYTE, len);
	blk_req_begin(r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(r, r->hdr, sizeof(*r->hdr), false);
	blk_req_piece_iova(r, iova, len, true);
	blk_req_piece(r, r->status, 1, true);
	CHECK_EQ(blk_do(&e->b, q, r), VIRTIO_BLK_S_OK);
	CHECK_EQ(pattern_check(p, len, 0, generation), -1);
	return 0;
}

static int with_extra(struct env *e, uint64_t iova, uint64_t generation)
{
	struct gmem extra;

	CHECK_OK(gmem_create(&extra, e->opts.kind, iova, EXTRA_SIZE));
	CHECK_OK(vhost_map_gmem(&e->b.v, &extra));
	CHECK_PASS(check_iova(e, 0, extra.va, iova, LEN, generation));
	CHECK_PASS(check_iova(e, e->b.nqueues - 1, extra.va + EXTRA_SIZE - LEN,
			      iova + EXTRA_SIZE - LEN, LEN, generation + 1));
	CHECK_OK(vhost_unmap_gmem(&e->b.v, &extra));
	gmem_destroy(&extra);
	return 0;
}

/* Memory is added to a device that runs, used, and taken away again. */
static int map_hotplug(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(with_extra(e, FAR_IOVA, i * 2 + 1));
		CHECK_PASS(env_verify_queue(e, 0, 64));
	}
	return 0;
}

/* A guest's memory begins at 0; that is an address like any other. */
static int map_at_zero(void *ctx)
{
	return with_extra(ctx, 0, 1);
}

/* The last address there is belongs to a map. */
static int map_at_end(void *ctx)
{
	struct env *e = ctx;
	struct vhost_vdpa_iova_range range;

	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_VDPA_GET_IOVA_RANGE, &range));
	CHECK(range.last > range.first, "range 0x%llx to 0x%llx",
	      (unsigned long long)range.first, (unsigned long long)range.last);
	return with_extra(e, range.last - EXTRA_SIZE + 1, 1);
}

/* One buffer in two maps that adjoin for the device and are far apart in the VMM. */
static int map_adjacent(void *ctx)
{
	struct env *e = ctx;
	struct gmem m[2];
	static uint8_t want[LEN], got[LEN];
	struct blk_req *r = &e->b.reqs[0];
	uint64_t iova = FAR_IOVA + EXTRA_SIZE - LEN / 2 - 100;
	uint32_t first = LEN / 2 + 100;
	int i;

	for (i = 0; i < 2; i++) {
		CHECK_OK(gmem_create(&m[i], e->opts.kind, FAR_IOVA + i * EXTRA_SIZE, EXTRA_SIZE));
		CHECK_OK(vhost_map_gmem(&e->b.v, &m[i]));
	}
	pattern_fill(want, LEN, 0, 5);
	memcpy(m[0].va + EXTRA_SIZE - first, want, first);
	memcpy(m[1].va, want + first, LEN - first);
	for (i = 0; i < 2; i++) {
		blk_req_begin(r, i ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 0);
		blk_req_piece(r, r->hdr, sizeof(*r->hdr), false);
		blk_req_piece_iova(r, iova, LEN, i);
		blk_req_piece(r, r->status, 1, true);
		CHECK_EQ(blk_do(&e->b, 0, r), VIRTIO_BLK_S_OK);
		CHECK_PASS(env_store_check(e, 0, LEN, 5));
		memcpy(got, m[0].va + EXTRA_SIZE - first, first);
		memcpy(got + first, m[1].va, LEN - first);
		CHECK(!memcmp(got, want, LEN), "read other data");
		memset(m[0].va, CANARY_BYTE, EXTRA_SIZE);
		memset(m[1].va, CANARY_BYTE, EXTRA_SIZE);
	}
	for (i = 0; i < 2; i++) {
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &m[i]));
		gmem_destroy(&m[i]);
	}
	return 0;
}

/*
 * Maps [@start, @start + @pages pages) a page at a time, every other one by way of @alias, the
 * rest as it is.
 */
static int map_by_pages(struct env *e, const uint8_t *alias, size_t start, size_t pages)
{
	struct gmem *m = &e->b.mem;
	size_t end = start + pages * PAGE, off;

	CHECK_OK(vhost_iotlb_batch_begin(&e->b.v));
	CHECK_OK(vhost_unmap_gmem(&e->b.v, m));
	if (start)
		CHECK_OK(vhost_iotlb_map(&e->b.v, m->iova, start, m->va, VHOST_ACCESS_RW));
	for (off = start; off < end; off += PAGE)
		CHECK_OK(vhost_iotlb_map(&e->b.v, m->iova + off, PAGE,
					 (off / PAGE % 2 ? alias : m->va) + off, VHOST_ACCESS_RW));
	CHECK_OK(vhost_iotlb_map(&e->b.v, m->iova + end, m->size - end, m->va + end,
				 VHOST_ACCESS_RW));
	CHECK_OK(vhost_iotlb_batch_end(&e->b.v));
	return 0;
}

/* Another mapping of the same memory, where it is shared; else there is but one. */
static uint8_t *alias_of(const struct gmem *m)
{
	if (m->fd < 0)
		return m->va;
	return mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
}

static void drop_alias(const struct gmem *m, uint8_t *alias)
{
	if (alias != m->va)
		munmap(alias, m->size);
}

#define RING_PAGES	512	/* enough for the rings of the first queue, its tables included */

/* Every page a map of its own, in line for the VMM. */
static int map_page_by_page(void *ctx)
{
	struct env *e = ctx;

	CHECK_OK(blk_reset(&e->b));
	CHECK_PASS(map_by_pages(e, e->b.mem.va, 0, RING_PAGES));
	CHECK_OK(blk_restart(&e->b, 0));
	return env_verify(e);
}

/* Buffers and headers no two pages of which adjoin in the VMM. */
static int map_scattered_buffers(void *ctx)
{
	struct env *e = ctx;
	struct gmem *m = &e->b.mem;
	uint8_t *alias = alias_of(m), *buf = gmem_alloc(m, 64 * PAGE, PAGE);

	CHECK(alias != MAP_FAILED, "mmap: %s", strerror(errno));
	CHECK_OK(blk_reset(&e->b));
	CHECK_PASS(map_by_pages(e, alias, buf - m->va, 64));
	CHECK_OK(blk_restart(&e->b, 0));
	e->b.reqs[0].hdr = (void *)(buf + PAGE - 7);
	CHECK_PASS(check_iova(e, 0, buf + PAGE + 100, gmem_iova(m, buf) + PAGE + 100, LEN, 9));
	CHECK_PASS(check_iova(e, 0, buf + 2 * PAGE, gmem_iova(m, buf) + 2 * PAGE, LEN, 10));
	drop_alias(m, alias);
	return 0;
}

/*
 * Rings no two pages of which adjoin in the VMM. A backend that pins nothing can't reach such a
 * ring as one piece, and has to say so; where memory is pinned it works.
 */
static int map_scattered_rings(void *ctx)
{
	struct env *e = ctx;
	struct gmem *m = &e->b.mem;
	uint8_t *alias = alias_of(m);
	int log = kmsg_open();
	bool said;

	CHECK(alias != MAP_FAILED, "mmap: %s", strerror(errno));
	CHECK(log >= 0, "/dev/kmsg: %s", strerror(-log));
	CHECK_OK(blk_reset(&e->b));
	CHECK_PASS(map_by_pages(e, alias, 0, RING_PAGES));
	CHECK_OK(blk_restart(&e->b, 0));
	if (m->fd < 0 || e->b.num < 256) {
		CHECK_PASS(env_verify(e));
	} else {
		ring_kick(&e->b.rings[0]);
		CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
		said = kmsg_find(log, "queue 0", "spread over memory", 10000);
		CHECK(said, "no message says why");
		CHECK_OK(vhost_unmap_gmem(&e->b.v, m));
		CHECK_OK(vhost_map_gmem(&e->b.v, m));
		CHECK_PASS(env_verify_reset(e));
	}
	close(log);
	drop_alias(m, alias);
	return 0;
}

/*
 * Moves ring 0 to pages of its own: what the device reads, and what it writes. In a packed ring it
 * writes to the descriptors as well.
 */
static void move_ring(struct env *e, size_t *readonly_start, size_t *readonly_len)
{
	struct gmem *m = &e->b.mem;
	struct ring *r = &e->b.rings[0];

	r->desc = gmem_alloc(m, r->num * sizeof(*r->desc), PAGE);
	r->avail = gmem_alloc(m, sizeof(*r->avail) + (r->num + 1) * 2, PAGE);
	*readonly_start = (uint8_t *)(r->packed ? (void *)r->avail : r->desc) - m->va;
	r->used = gmem_alloc(m, sizeof(*r->used) + r->num * sizeof(struct vring_used_elem) + 2,
			     PAGE);
	*readonly_len = (uint8_t *)r->used - m->va - *readonly_start;
	r->desc_iova = gmem_iova(m, r->desc);
	r->avail_iova = gmem_iova(m, r->avail);
	r->used_iova = gmem_iova(m, r->used);
}

static int map_piece(struct env *e, size_t start, size_t end, uint8_t perm)
{
	struct gmem *m = &e->b.mem;

	if (start == end)
		return 0;
	return vhost_iotlb_map(&e->b.v, m->iova + start, end - start, m->va + start, perm);
}

/* Maps all of memory in three pieces, the middle one read-only. */
static int map_with_readonly(struct env *e, size_t start, size_t len)
{
	CHECK_OK(vhost_iotlb_batch_begin(&e->b.v));
	CHECK_OK(vhost_unmap_gmem(&e->b.v, &e->b.mem));
	CHECK_OK(map_piece(e, 0, start, VHOST_ACCESS_RW));
	CHECK_OK(map_piece(e, start, start + len, VHOST_ACCESS_RO));
	CHECK_OK(map_piece(e, start + len, e->b.mem.size, VHOST_ACCESS_RW));
	CHECK_OK(vhost_iotlb_batch_end(&e->b.v));
	return 0;
}

/* What the device only reads may lie in memory that it may only read. */
static int map_readonly_rings(void *ctx)
{
	struct env *e = ctx;
	size_t start, len;

	CHECK_OK(blk_reset(&e->b));
	move_ring(e, &start, &len);
	CHECK_PASS(map_with_readonly(e, start, len));
	CHECK_OK(blk_restart(&e->b, 0));
	return env_verify(e);
}

struct remapper {
	struct env *e;
	size_t start;
	size_t len;
	atomic_bool stop;
	unsigned int turns;
	int res;
	pthread_t thread;
};

/* What a VMM does while firmware locks and unlocks memory beneath its own rings. */
static void *remap_thread(void *arg)
{
	struct remapper *m = arg;
	struct env *e = m->e;

	while (!m->stop && !m->res) {
		m->res = map_with_readonly(e, m->start, m->len);
		if (!m->res && (vhost_iotlb_batch_begin(&e->b.v) ||
				vhost_unmap_gmem(&e->b.v, &e->b.mem) ||
				vhost_map_gmem(&e->b.v, &e->b.mem) ||
				vhost_iotlb_batch_end(&e->b.v)))
			m->res = KTAP_FAIL;
		m->turns++;
	}
	return NULL;
}

/*
 * A batch takes effect as a whole: the device never finds memory missing that is there before and
 * after.
 */
static int map_change_beneath(void *ctx)
{
	struct env *e = ctx;
	struct remapper m = { .e = e, .len = 64 * PAGE };
	unsigned int i;
	int res = 0;

	m.start = (uint8_t *)gmem_alloc(&e->b.mem, m.len, PAGE) - e->b.mem.va;
	CHECK_EQ(pthread_create(&m.thread, NULL, remap_thread, &m), 0);
	for (i = 0; (i < e->rounds * 2 || m.turns < e->rounds) && !res && !m.res; i++)
		res = env_verify_queue(e, i % e->b.nqueues, i % 100 * 16);
	m.stop = true;
	pthread_join(m.thread, NULL);
	ktap_diag("%u rounds of I/O beneath %u changes", i, m.turns);
	return res ? res : m.res;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(map_hotplug),
	KTAP_TEST(map_at_zero),
	KTAP_TEST(map_at_end),
	KTAP_TEST(map_adjacent),
	KTAP_TEST(map_page_by_page),
	KTAP_TEST(map_scattered_buffers),
	KTAP_TEST(map_scattered_rings),
	KTAP_TEST(map_readonly_rings),
	KTAP_TEST(map_change_beneath),
};

const struct ktap_suite blk_io_map_suite = {
	.name = "memory",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
