// SPDX-License-Identifier: GPL-2.0-only
/* What guests did. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cve.h"

#define ENTRY		((uint32_t)sizeof(struct vring_desc))
/* Descriptors that a chain may have here. */
#define DESC_MAX	128u

/* The queue breaks, and a reset heals it. */
static int expect_broken(struct env *e)
{
	CHECK(blk_wait_needs_reset(&e->b), "the queue is not broken");
	CHECK_EQ(ring_pending(&e->b.rings[0]), 0);
	return env_verify_reset(e);
}

static void chain_of(struct env *e, struct vring_desc *d, unsigned int n, uint16_t last_flags)
{
	uint8_t *buf = gmem_alloc(&e->b.mem, CVE_LEN, 512);
	unsigned int i;

	for (i = 0; i < n; i++)
		ring_raw_desc(&d[i], gmem_iova(&e->b.mem, buf), 1,
			      i + 1 < n ? VRING_DESC_F_NEXT : last_flags, i + 1);
}

static void show(struct ring *r, uint16_t head)
{
	ring_raw_avail(r, head);
	ring_publish(r);
	ring_kick(r);
}

/*
 * Receive buffers were gathered past the end of an array. Here: more descriptors, direct ones and
 * in a table, than there is room for.
 */
static int cve_2018_16880(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	struct vring_desc *table;
	unsigned int n;

	CHECK(r->num > DESC_MAX + 1, "a ring of %u", r->num);
	for (n = DESC_MAX + 1; n < r->num; n += 50) {
		chain_of(e, r->desc, n, VRING_DESC_F_WRITE);
		show(r, 0);
		CHECK_PASS(expect_broken(e));
	}
	for (n = DESC_MAX + 1; n < 5000; n = n * 3) {
		table = gmem_alloc(&e->b.mem, n * ENTRY, 16);
		chain_of(e, table, n, VRING_DESC_F_WRITE);
		ring_raw_desc(&r->desc[0], gmem_iova(&e->b.mem, table), n * ENTRY,
			      VRING_DESC_F_INDIRECT, 0);
		show(r, 0);
		CHECK_PASS(expect_broken(e));
	}
	return 0;
}

/* An index of the guest's was used for a table of the kernel's: here heads, types of requests. */
static int cve_2015_4036(void *ctx)
{
	static const uint16_t heads[] = { 256, 257, 0x7fff, 0x8000, 0xffff };
	static const uint32_t types[] = {
		2, 3, 6, 7, 9, 12, 17, 27, 28, 63, 64, 0x7fff, 0x10000, 0x7fffffff, 0x80000000,
		0xffffffff,
	};
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		blk_req_begin(&e->b.reqs[0], types[i], 0);
		blk_req_piece(&e->b.reqs[0], e->b.reqs[0].hdr, sizeof(*e->b.reqs[0].hdr), false);
		blk_req_piece(&e->b.reqs[0], e->b.reqs[0].status, 1, true);
		CHECK_EQ(blk_do(&e->b, 0, &e->b.reqs[0]), VIRTIO_BLK_S_UNSUPP);
	}
	for (i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		if (heads[i] < e->b.rings[0].num)
			continue;
		show(&e->b.rings[0], heads[i]);
		CHECK_PASS(expect_broken(e));
	}
	return 0;
}

struct flood {
	struct env *e;
	struct blk_req req[64];
	uint8_t *buf;
	atomic_ulong done;
};

/* Keeps queue 0 from ever being empty. */
static void flood_more(void *arg)
{
	struct flood *f = arg;
	unsigned int i;
	int n;

	for (i = 0; i < 64; i++) {
		if (f->req[i].count && !f->req[i].done)
			continue;
		blk_req_usual(&f->req[i], VIRTIO_BLK_T_IN, i * 8, f->buf, CVE_LEN);
		if (blk_queue(&f->e->b, 0, &f->req[i], RING_INDIRECT))
			f->req[i].count = 0;
	}
	ring_flush(&f->e->b.rings[0]);
	n = blk_collect(&f->e->b, 0);
	f->done += n > 0 ? n : 0;
}

/*
 * A ring that never runs empty kept a worker for ever. Here it shares its worker with another
 * queue, which has to be served as well.
 */
static int cve_2019_3900(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, CVE_LEN, CVE_LEN);
	struct flood *f = calloc(1, sizeof(*f));
	struct cve_thread *t;
	unsigned int i;
	int one = 1;
	int res = 0;

	CHECK(f, "out of memory");
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_SET_NWORKERS, &one));
	CHECK_OK(blk_restart(&e->b, 0));
	f->e = e;
	f->buf = gmem_alloc(&e->b.mem, CVE_LEN, CVE_LEN);
	for (i = 0; i < 64; i++)
		blk_req_init(&e->b, &f->req[i]);
	t = cve_thread_start(flood_more, f);
	for (i = 0; (i < e->rounds * 10 || (i < 10000 && f->done <= 64)) && !res; i++)
		res = blk_rw(&e->b, 1, VIRTIO_BLK_T_IN, i % 64 * 8, buf, CVE_LEN);
	cve_thread_stop(t);
	CHECK_OK(blk_drain(&e->b, 0));
	ktap_diag("%u requests beside %lu", i, (unsigned long)f->done);
	CHECK_EQ(res, 0);
	CHECK(f->done > 64, "queue 0 had %lu", (unsigned long)f->done);
	free(f);
	return env_verify(e);
}

struct flip {
	volatile uint32_t *len;
	uint32_t good;
	uint32_t bad;
	atomic_uint turns;
};

static void flip_length(void *arg)
{
	struct flip *f = arg;

	*f->len = htole32(f->bad);
	f->turns++;
	*f->len = htole32(f->good);
}

/*
 * The length of an indirect table was read twice, and changed in between. Here somebody changes it
 * all the time: the request is served as one of its lengths says, or the queue breaks.
 */
static int cve_2026_93683(void *ctx)
{
	static const uint32_t bads[] = { 0, 16, 47, 0x10000, 0xfffffff0, 0xffffffff };
	struct env *e = ctx;
	unsigned int i, served = 0, broken = 0;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, CVE_LEN, CVE_LEN);
	struct cve_thread *t;
	struct blk_req req;

	blk_req_init(&e->b, &req);
	for (i = 0; i < e->rounds * 10 || (i < 10000 && !(served && broken)); i++) {
		struct flip f = {
			.len = &r->desc[0].len,
			.good = 3 * ENTRY,
			.bad = bads[i % (sizeof(bads) / sizeof(*bads))],
		};

		blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, CVE_LEN);
		CHECK_EQ(blk_queue(&e->b, 0, &req, RING_INDIRECT), 0);
		t = cve_thread_start(flip_length, &f);
		while (f.turns < 10)
			;
		ring_flush(r);
		while (!req.done && !blk_needs_reset(&e->b))
			blk_collect(&e->b, 0);
		cve_thread_stop(t);
		served += req.done;
		if (!blk_needs_reset(&e->b))
			continue;
		broken++;
		CHECK_OK(blk_restart(&e->b, 0));
	}
	ktap_diag("%u served, %u times broken", served, broken);
	CHECK(served && broken, "there was one length only");
	return env_verify_reset(e);
}

/*
 * A ring that isn't empty and can't be served kept its worker awake for ever. Here: one whose
 * queue is broken, with chains to come.
 */
static int cve_2026_74356(void *ctx)
{
	unsigned long long before, after;
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	unsigned int i = 0;

	chain_of(e, r->desc, 1, 0);
	ring_raw_avail(r, 0);
	ring_raw_avail(r, 1);
	ring_raw_avail(r, 2);
	ring_publish(r);
	ring_kick(r);
	CHECK(blk_wait_needs_reset(&e->b), "the queue is not broken");
	CHECK(cve_workers().n, "there is no worker");
	/* It may not have got to sleep yet. */
	do {
		before = cve_workers().ran;
		usleep(20000);
		after = cve_workers().ran;
	} while (before != after && i++ < 1000);
	CHECK_EQ(before, after);
	ring_kick(r);
	return env_verify_reset(e);
}

/* Descriptors of no length took more entries of the log than there were: here with a log. */
static int cve_2019_14835(void *ctx)
{
	const size_t size = 1 << 20;
	struct env *e = ctx;
	uint64_t base;
	unsigned int i, n;
	uint8_t *log;

	log = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(log != MAP_FAILED, "no memory");
	base = (uintptr_t)log;
	CHECK_PASS(env_close(e));
	e->opts.with = BIT(VHOST_F_LOG_ALL);
	CHECK_PASS(env_open(e));
	CHECK(e->b.features & e->opts.with, "there is no log");
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_SET_LOG_BASE, &base));
	CHECK_OK(blk_start(&e->b));
	for (n = 1; n <= DESC_MAX; n *= 2) {
		struct ring *r = &e->b.rings[0];

		chain_of(e, r->desc, n, VRING_DESC_F_WRITE);
		for (i = 0; i < n; i++)
			r->desc[i].len = 0;
		show(r, 0);
		CHECK(blk_wait_needs_reset(&e->b), "the queue is not broken");
		CHECK_OK(blk_reset(&e->b));
		for (i = 0; i < e->b.nqueues; i++)
			ring_restart(&e->b.rings[i], 0);
		CHECK_OK(vhost_ioctl(&e->b.v, VHOST_SET_LOG_BASE, &base));
		CHECK_OK(blk_start(&e->b));
		CHECK_PASS(env_verify(e));
	}
	CHECK_PASS(env_close(e));
	e->opts.with = 0;
	munmap(log, size);
	return env_start(e);
}

/*
 * A credit that the guest chose decided how much memory the kernel took. Here nothing that a guest
 * says is a size of an allocation: room is made when a queue is started, for a ring and for
 * requests that are no larger than what is offered.
 */
static int cve_2026_23086(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, 0x20000, 4096);
	unsigned int i, n = DESC_MAX - 1;

	for (i = 0; i < n; i++)
		ring_raw_desc(&r->desc[i], gmem_iova(&e->b.mem, buf), 0x20000,
			      i + 1 < n ? VRING_DESC_F_NEXT | VRING_DESC_F_WRITE :
					  VRING_DESC_F_WRITE, i + 1);
	show(r, 0);
	CHECK_PASS(expect_broken(e));

	CHECK_OK(cve_set_backend(e, -1));
	CHECK_OK(vhost_set_vring_num(&e->b.v, 0, 32768));
	CHECK_EQ(cve_set_backend(e, e->b.store_fd), -EINVAL);
	CHECK_OK(vhost_set_vring_num(&e->b.v, 0, r->num));
	return env_verify_reset(e);
}

/*
 * A request whose status could not be written was never counted as done: the device waited for it
 * for ever. Here the status lies in memory that is taken away.
 */
static int also_failed_status(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, CVE_LEN, CVE_LEN);
	struct blk_req *req = &e->b.reqs[0];
	struct gmem extra;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		struct {
			struct vhost_memory head;
			struct vhost_memory_region region[2];
		} t = { .head = { .nregions = 2 } };

		CHECK_OK(gmem_create(&extra, GMEM_SHARED, 0x900000000ull, 0x10000));
		t.region[0] = (struct vhost_memory_region){
			.guest_phys_addr = e->b.mem.iova,
			.memory_size = e->b.mem.size,
			.userspace_addr = (uintptr_t)e->b.mem.va,
		};
		t.region[1] = (struct vhost_memory_region){
			.guest_phys_addr = extra.iova,
			.memory_size = extra.size,
			.userspace_addr = (uintptr_t)extra.va,
		};
		CHECK_OK(vhost_ioctl(&e->b.v, VHOST_SET_MEM_TABLE, &t));
		blk_req_begin(req, VIRTIO_BLK_T_IN, 0);
		blk_req_piece(req, req->hdr, sizeof(*req->hdr), false);
		blk_req_piece(req, buf, CVE_LEN, true);
		blk_req_piece_iova(req, extra.iova + i, 1, true);
		/* The table still leads there; the address has no memory. */
		gmem_destroy(&extra);
		CHECK_OK(blk_submit(&e->b, 0, req));
		while (!req->done && !blk_needs_reset(&e->b))
			blk_collect(&e->b, 0);
		/* Nothing is left in flight: this waits for it. */
		CHECK_OK(blk_restart(&e->b, 0));
	}
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(cve_2018_16880),
	KTAP_TEST(cve_2015_4036),
	KTAP_TEST(cve_2019_3900),
	KTAP_TEST(cve_2026_93683),
	KTAP_TEST(cve_2026_74356),
	KTAP_TEST(cve_2019_14835),
	KTAP_TEST(cve_2026_23086),
	KTAP_TEST(also_failed_status),
};

const struct ktap_suite cve_guest_suite = {
	.name = "guests",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = env_start,
	.teardown = env_close,
};
