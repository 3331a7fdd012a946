// SPDX-License-Identifier: GPL-2.0-only
/* The log of dirty pages, compared with what was really written. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/pvio_vhost_blk.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iotlb.h"
#include "node.h"

#define ARENA		(2 * MIB)
#define LOG_ALL		BIT(VHOST_F_LOG_ALL)
/* The guest sees its memory a second time there. */
#define ALIAS		0x40000000ull
#define REQS		16u

struct dirty {
	struct env *e;
	size_t size;		/* of a log */
	uint8_t *log;
	uint8_t *may, *must;	/* what it should say */
	uint8_t *arena;
	struct blk_req req[REQS];
	struct prng prng;
	bool alias;
	bool aliased;	/* there is another address of all memory */
};

static struct dirty d;

static void mark(uint8_t *log, uint64_t gpa, uint64_t len)
{
	uint64_t page;

	for (page = gpa / PAGE; page <= (gpa + len - 1) / PAGE; page++)
		log[page / 8] |= 1u << page % 8;
}

static void mark_memory(uint8_t *log, const void *p, uint64_t len)
{
	mark(log, gmem_iova(&d.e->b.mem, p), len);
	if (d.alias)
		mark(log, gmem_iova(&d.e->b.mem, p) - ALIAS, len);
}

static bool is_marked(const uint8_t *log, const void *p)
{
	uint64_t page = gmem_iova(&d.e->b.mem, p) / PAGE;

	return log[page / 8] & 1u << page % 8;
}

static uint8_t *log_make(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void log_clear(uint8_t *log)
{
	memset(log, 0, d.size);
	memset(d.may, 0, d.size);
	memset(d.must, 0, d.size);
}

static int log_set(struct env *e, uint8_t *log)
{
	uint64_t base = (uintptr_t)log;

	return vhost_ioctl(&e->b.v, VHOST_SET_LOG_BASE, &base);
}

static int log_switch(struct env *e, bool on)
{
	uint64_t f = (e->b.features & ~LOG_ALL) | (on ? LOG_ALL : 0);

	return vhost_set_features(&e->b.v, f);
}

/* The rings again, with the flag and the address for the log, or without. */
static int place(struct env *e, bool flag)
{
	uint64_t off = e->b.opts.iotlb ? 0 : (uintptr_t)e->b.mem.va - e->b.mem.iova;
	unsigned int q;

	for (q = 0; q < e->b.nqueues; q++) {
		const struct ring *r = &e->b.rings[q];
		struct vhost_vring_addr a = {
			.index = q,
			.flags = flag << VHOST_VRING_F_LOG,
			.desc_user_addr = r->desc_iova + off,
			.avail_user_addr = r->avail_iova + off,
			.used_user_addr = r->used_iova + off,
			.log_guest_addr = flag ? r->used_iova : 0,
		};

		EXPECT(e, 0, VHOST_SET_VRING_ADDR, &a);
	}
	return 0;
}

static int set_memory(struct env *e)
{
	struct vhost_memory *mem = calloc(1, sizeof(*mem) + 2 * sizeof(mem->regions[0]));
	unsigned int i;

	CHECK(mem, "out of memory");
	mem->nregions = 1 + d.alias;
	for (i = 0; i < mem->nregions; i++)
		mem->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = e->b.mem.iova - i * ALIAS,
			.memory_size = e->b.mem.size,
			.userspace_addr = (uintptr_t)e->b.mem.va,
		};
	EXPECT(e, 0, VHOST_SET_MEM_TABLE, mem);
	free(mem);
	return 0;
}

static int start(struct env *e, bool iotlb, bool flag, bool alias)
{
	unsigned int i;

	e->opts.iotlb = iotlb;
	e->opts.iotlb_empty = false;
	CHECK_PASS(env_open(e));
	memset(&d, 0, sizeof(d));
	d.e = e;
	d.alias = alias;
	d.aliased = alias;
	d.prng.state = e->seed;
	d.size = ((e->b.mem.iova + e->b.mem.size) / PAGE / 8 + 2 * PAGE) & ~(PAGE - 1ul);
	d.log = log_make(d.size);
	d.may = log_make(d.size);
	d.must = log_make(d.size);
	d.arena = gmem_alloc(&e->b.mem, ARENA, PAGE);
	for (i = 0; i < REQS; i++)
		blk_req_init(&e->b, &d.req[i]);
	CHECK_OK(blk_prepare(&e->b));
	CHECK_PASS(set_memory(e));
	CHECK_PASS(place(e, flag));
	CHECK_OK(log_set(e, d.log));
	CHECK_OK(e->b.transport->go(&e->b));
	return 0;
}

static int stop(struct env *e)
{
	munmap(d.log, d.size);
	munmap(d.may, d.size);
	munmap(d.must, d.size);
	return env_close(e);
}

/* Makes the store say something new, and asks for it, in any size and place. */
static int submit_some(struct env *e)
{
	static uint64_t generation = 1000;
	unsigned int i;

	for (i = 0; i < REQS; i++) {
		struct blk_req *r = &d.req[i];
		uint32_t len = prng_range(&d.prng, 1, 20) * 512;
		bool odd = prng_chance(&d.prng, 30);
		uint8_t *to = d.arena + prng_range(&d.prng, 0, (ARENA - len) / 512 - 1) * 512 + odd;

		generation++;
		blk_req_begin(r, VIRTIO_BLK_T_IN, prng_range(&d.prng, 0, 1000));
		if (prng_chance(&d.prng, 20)) {
			blk_req_begin(r, VIRTIO_BLK_T_GET_ID, 0);
			len = 20;
		}
		blk_req_piece(r, r->hdr, 16, false);
		if (len > 2048) {
			blk_req_piece(r, to, 1024, true);
			blk_req_piece(r, to + 1024, 512, true);
			blk_req_piece(r, to + 1536, len - 1536, true);
		} else {
			blk_req_piece(r, to, len, true);
		}
		blk_req_piece(r, r->status, 1, true);
		mark_memory(d.must, to, len);
		mark_memory(d.must, r->status, 1);
		CHECK_OK(blk_submit(&e->b, i % e->b.nqueues, r));
	}
	return 0;
}

static int await_some(struct env *e)
{
	unsigned int i;

	for (i = 0; i < REQS; i++) {
		CHECK_OK(blk_wait(&e->b, i % e->b.nqueues, &d.req[i]));
		CHECK_EQ(*d.req[i].status, VIRTIO_BLK_S_OK);
	}
	return 0;
}

static void expect_rings(struct env *e)
{
	size_t i, size;
	unsigned int q;

	for (q = 0; q < e->b.nqueues; q++) {
		const struct ring *r = &e->b.rings[q];

		if (r->packed) {
			bool alias = d.alias;

			/* The owner's address for the log is that of the device area alone. */
			d.alias = d.aliased;
			mark_memory(d.may, r->pdesc, 16 * r->num);
			mark_memory(d.may, r->device_event, 4);
			d.alias = alias;
			continue;
		}
		size = 6 + 8 * r->num;
		mark_memory(d.must, &r->used->idx, 2);
		mark_memory(d.may, r->used, size);
	}
	for (i = 0; i < d.size; i++)
		d.may[i] |= d.must[i];
}

/* Chains come back somewhere in a packed ring. */
static int check_packed(const uint8_t *log, const struct ring *r)
{
	CHECK(is_marked(log, r->pdesc) || is_marked(log, &r->pdesc[r->num - 1]),
	      "the ring is not in the log");
	return 0;
}

static int check_log(const uint8_t *log)
{
	unsigned int q;
	size_t i;

	for (q = 0; q < d.e->b.nqueues; q++)
		if (d.e->b.rings[q].packed)
			CHECK_PASS(check_packed(log, &d.e->b.rings[q]));
	for (i = 0; i < d.size; i++) {
		CHECK(!(d.must[i] & ~log[i]), "page 0x%zx: 0x%x is in the log, not 0x%x", i * 8,
		      log[i], d.must[i]);
		CHECK(!(log[i] & ~d.may[i]), "page 0x%zx: 0x%x is in the log, more than 0x%x",
		      i * 8, log[i], d.may[i]);
	}
	return 0;
}

/* A queue that is told to be idle may still be writing that: its next turn comes after. */
static int settle(struct env *e)
{
	struct vhost_vring_file f = { .index = 0, .fd = -1 };

	EXPECT(e, 0, VHOST_BLK_SET_BACKEND, &f);
	return 0;
}

static int compare(struct env *e, bool iotlb, bool flag, bool alias)
{
	unsigned int i;

	ktap_diag("IOTLB %d, flag %d, alias %d", iotlb, flag, alias);
	CHECK_PASS(start(e, iotlb, flag, alias));
	/* Nothing is noted of what is not asked for. */
	if (!flag) {
		CHECK_PASS(submit_some(e));
		CHECK_PASS(await_some(e));
		CHECK_EQ(bytes_check(d.log, d.size, 0), -1);
	}
	CHECK_OK(log_switch(e, true));
	for (i = 0; i < e->rounds; i++) {
		/* Without an IOTLB the device uses one address alone of those there are. */
		d.alias = alias && iotlb;
		log_clear(d.log);
		CHECK_PASS(submit_some(e));
		CHECK_PASS(await_some(e));
		CHECK_PASS(settle(e));
		d.alias = alias && (iotlb || !flag);
		expect_rings(e);
		CHECK_PASS(check_log(d.log));
		CHECK_OK(e->b.transport->go(&e->b));
	}
	CHECK_OK(log_switch(e, false));
	CHECK_PASS(place(e, false));
	log_clear(d.log);
	CHECK_PASS(submit_some(e));
	CHECK_PASS(await_some(e));
	CHECK_PASS(settle(e));
	CHECK_EQ(bytes_check(d.log, d.size, 0), -1);
	return stop(e);
}

static int dirty_exact(void *ctx)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		CHECK_PASS(compare(ctx, i & 1, i & 2, i & 4));
	return 0;
}

/* Reads all the time in a thread, until told otherwise. */
struct load {
	struct env *e;
	atomic_bool stop;
	atomic_uint turns;
	int res;
	pthread_t thread;
};

static void *load_run(void *arg)
{
	struct load *l = arg;

	while (!l->stop && !l->res) {
		l->res = submit_some(l->e);
		if (!l->res)
			l->res = await_some(l->e);
		l->turns++;
	}
	return NULL;
}

static int load_start(struct load *l, struct env *e)
{
	*l = (struct load){ .e = e };
	CHECK_EQ(pthread_create(&l->thread, NULL, load_run, l), 0);
	return 0;
}

static void load_for(struct load *l, unsigned int turns)
{
	unsigned int from = l->turns;

	while (l->turns - from < turns && !l->res)
		usleep(500);
}

static int load_stop(struct load *l)
{
	l->stop = true;
	pthread_join(l->thread, NULL);
	return l->res;
}

/* What differs from the copy was written since, and is in the log. */
static int check_changed(const uint8_t *log, const uint8_t *copy)
{
	unsigned int changed = 0;
	size_t off;

	for (off = 0; off < ARENA; off += PAGE) {
		if (!memcmp(d.arena + off, copy + off, PAGE))
			continue;
		changed++;
		CHECK(is_marked(log, d.arena + off), "page %zu of the arena is not in the log",
		      off / PAGE);
	}
	CHECK(changed, "nothing has changed");
	return 0;
}

static int switched_under_load(struct env *e, bool iotlb, bool move)
{
	uint8_t *copy = malloc(ARENA), *second;
	struct load l;
	unsigned int i;

	CHECK(copy, "out of memory");
	CHECK_PASS(start(e, iotlb, !iotlb, false));
	second = log_make(d.size);
	for (i = 0; i < e->rounds; i++) {
		uint8_t *log = move && i % 2 ? second : d.log;

		CHECK_PASS(load_start(&l, e));
		load_for(&l, 2);
		memset(log, 0, d.size);
		if (move)
			CHECK_OK(log_set(e, log));
		if (!move || !i)
			CHECK_OK(log_switch(e, true));
		/* From now on all of it is noted. */
		memset(d.arena, 0xee, ARENA);
		load_for(&l, 3);
		CHECK_PASS(load_stop(&l));
		memset(copy, 0xee, ARENA);
		CHECK_PASS(check_changed(log, copy));
		if (!move)
			CHECK_OK(log_switch(e, false));
	}
	free(copy);
	munmap(second, d.size);
	return stop(e);
}

static int dirty_switched(void *ctx)
{
	CHECK_PASS(switched_under_load(ctx, false, false));
	return switched_under_load(ctx, true, false);
}

static int dirty_moved(void *ctx)
{
	return switched_under_load(ctx, false, true);
}

struct reader {
	uint64_t *seen;
	atomic_bool stop;
	pthread_t thread;
};

/* As a VMM reads it: takes bits away while others are set. */
static void *take_bits(void *arg)
{
	struct reader *r = arg;
	size_t i;

	while (!r->stop)
		for (i = 0; i < d.size / 8; i++)
			if (((volatile uint64_t *)d.log)[i])
				r->seen[i] |= __atomic_exchange_n((uint64_t *)d.log + i, 0,
								  __ATOMIC_SEQ_CST);
	return NULL;
}

static int dirty_shared(void *ctx)
{
	struct env *e = ctx;
	struct reader r = { };
	unsigned int i;
	size_t n;

	CHECK_PASS(start(e, false, true, false));
	CHECK_OK(log_switch(e, true));
	r.seen = calloc(1, d.size);
	CHECK(r.seen, "out of memory");
	CHECK_EQ(pthread_create(&r.thread, NULL, take_bits, &r), 0);
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(submit_some(e));
		CHECK_PASS(await_some(e));
	}
	CHECK_PASS(settle(e));
	r.stop = true;
	pthread_join(r.thread, NULL);
	expect_rings(e);
	for (n = 0; n < d.size; n++)
		d.log[n] |= ((uint8_t *)r.seen)[n];
	CHECK_PASS(check_log(d.log));
	free(r.seen);
	return stop(e);
}

/* Given back to the system, it comes again; the event tells. */
static int dirty_absent(void *ctx)
{
	struct env *e = ctx;
	struct pollfd p = { .fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN };
	int none = -1;

	CHECK_PASS(start(e, false, true, false));
	EXPECT(e, 0, VHOST_SET_LOG_FD, &p.fd);
	CHECK_OK(log_switch(e, true));
	CHECK_EQ(madvise(d.log, d.size, MADV_REMOVE), 0);
	CHECK_PASS(submit_some(e));
	CHECK_PASS(await_some(e));
	CHECK_EQ(poll(&p, 1, BLK_HANG_LIMIT_MS), 1);
	CHECK_PASS(settle(e));
	expect_rings(e);
	CHECK_PASS(check_log(d.log));
	EXPECT(e, 0, VHOST_SET_LOG_FD, &none);
	close(p.fd);
	return stop(e);
}

/* Before the log is lost: it may be before there is a request. */
static int watch_log(struct env *e, int *fd)
{
	*fd = eventfd(0, EFD_CLOEXEC);
	EXPECT(e, 0, VHOST_SET_LOG_FD, fd);
	return log_switch(e, true);
}

/* What can't be noted breaks the queue; it is not shown to the driver. */
static int expect_lost(struct env *e, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct blk_req *r = &d.req[0];

	blk_req_usual(r, VIRTIO_BLK_T_IN, 0, d.arena, PAGE);
	CHECK_OK(blk_submit(&e->b, 0, r));
	CHECK(blk_wait_needs_reset(&e->b), "nobody was told");
	CHECK_EQ(poll(&p, 1, BLK_HANG_LIMIT_MS), 1);
	CHECK_EQ(ring_pending(&e->b.rings[0]), 0);
	close(p.fd);
	return env_verify_reset(e);
}

static int dirty_lost(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;
	int fd;

	for (i = 0; i < 4; i++) {
		CHECK_PASS(start(e, false, true, false));
		CHECK_OK(watch_log(e, &fd));
		/* Unmapped, too short, not to be written, or of nothing. */
		if (i == 0)
			CHECK_EQ(munmap(d.log, d.size), 0);
		if (i == 1)
			CHECK_EQ(munmap(d.log + 2 * PAGE, d.size - 2 * PAGE), 0);
		if (i == 2)
			CHECK_EQ(mprotect(d.log, d.size, PROT_READ), 0);
		if (i == 3)
			CHECK_OK(log_set(e, NULL));
		CHECK_PASS(expect_lost(e, fd));
		if (i < 2)
			d.log = log_make(d.size);
		CHECK_PASS(stop(e));
	}
	return 0;
}

/* With an IOTLB: memory of the VMM that is not the guest's has no bit. */
static int dirty_unknown(void *ctx)
{
	struct vhost_memory none = { };
	struct env *e = ctx;
	int fd;

	CHECK_PASS(start(e, true, true, false));
	CHECK_OK(watch_log(e, &fd));
	EXPECT(e, 0, VHOST_SET_MEM_TABLE, &none);
	CHECK_PASS(expect_lost(e, fd));
	return stop(e);
}

static int dirty_values(void *ctx)
{
	struct env *e = ctx;
	uint64_t f, bad = KERNEL_ADDRESS, last = ~0ull, base;
	struct vhost_vring_addr a = { .flags = 2 };
	int fd = 1 << 20, none = -1;

	CHECK_OK(vhost_open(&e->b.v, e->opts.node));
	EXPECT(e, -EPERM, VHOST_SET_LOG_BASE, &base);
	EXPECT(e, -EPERM, VHOST_SET_LOG_FD, &none);
	vhost_close(&e->b.v);

	e->opts.iotlb = false;
	CHECK_PASS(env_start(e));
	CHECK(e->b.offered & LOG_ALL, "it is not offered");
	EXPECT(e, -EFAULT, VHOST_SET_LOG_BASE, NULL);
	EXPECT(e, -EFAULT, VHOST_SET_LOG_BASE, &bad);
	EXPECT(e, -EFAULT, VHOST_SET_LOG_BASE, &last);
	/* It would not end before all addresses do. */
	base = 0x7ffffffff000ull - 2 * PAGE;
	EXPECT(e, -EFAULT, VHOST_SET_LOG_BASE, &base);
	EXPECT(e, -EFAULT, VHOST_SET_LOG_FD, NULL);
	EXPECT(e, -EBADF, VHOST_SET_LOG_FD, &fd);
	EXPECT(e, -EINVAL, VHOST_SET_LOG_FD, &e->b.v.fd);
	EXPECT(e, 0, VHOST_SET_LOG_FD, &none);
	EXPECT(e, -EOPNOTSUPP, VHOST_SET_VRING_ADDR, &a);
	a.flags = 1;
	a.log_guest_addr = 2;
	EXPECT(e, -EINVAL, VHOST_SET_VRING_ADDR, &a);

	/* Running, there has to be a log before it is used, and nothing else changes. */
	f = e->b.features | LOG_ALL;
	EXPECT(e, -EINVAL, VHOST_SET_FEATURES, &f);
	base = (uintptr_t)e->b.mem.va;
	EXPECT(e, 0, VHOST_SET_LOG_BASE, &base);
	f ^= BIT(VIRTIO_RING_F_EVENT_IDX);
	EXPECT(e, -EBUSY, VHOST_SET_FEATURES, &f);
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(dirty_values),
	KTAP_TEST(dirty_exact),
	KTAP_TEST(dirty_switched),
	{ "cve_2025_38074_dirty_moved", dirty_moved },
	KTAP_TEST(dirty_shared),
	KTAP_TEST(dirty_absent),
	KTAP_TEST(dirty_lost),
	KTAP_TEST(dirty_unknown),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "dirty pages",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
