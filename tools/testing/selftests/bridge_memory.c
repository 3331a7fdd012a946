// SPDX-License-Identifier: GPL-2.0-only
/* The VMM's memory comes, goes and moves while its guest does I/O; and what is written is noted. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/vhost.h>

#include "bridged.h"

#define LEN	8192u
#define SLOTS	512u
#define EXTRA	(1u * MIB)
#define EXTRA_IOVA	0x1000000000ull

/* I/O into a memory of its own, as well. */
static int verify_in(struct env *e, struct gmem *m, uint64_t sector)
{
	struct blk_req r;
	uint64_t generation = 77;

	pattern_fill(m->va, LEN, sector, generation);
	blk_req_init(&e->b, &r);
	blk_req_begin(&r, VIRTIO_BLK_T_OUT, sector);
	blk_req_piece(&r, r.hdr, sizeof(*r.hdr), false);
	blk_req_piece_iova(&r, m->iova, LEN, false);
	blk_req_piece(&r, r.status, 1, true);
	CHECK_EQ(blk_do(&e->b, 0, &r), VIRTIO_BLK_S_OK);
	return env_store_check(e, sector, LEN, generation);
}

static int slots_max(struct env *e, uint64_t *max)
{
	CHECK_OK(vhost_user_get(e->b.v.fd, VHOST_USER_GET_MAX_MEM_SLOTS, max));
	CHECK_EQ(*max, SLOTS);
	return 0;
}

static int memory_slots(void *ctx)
{
	struct env *e = ctx;
	struct gmem m;
	unsigned int i;
	uint64_t max;

	CHECK_PASS(slots_max(e, &max));
	CHECK_OK(gmem_create(&m, GMEM_SHARED, EXTRA_IOVA, EXTRA));
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(vhost_user_slot(e->b.v.fd, VHOST_USER_ADD_MEM_REG, &m, true));
		CHECK_PASS(verify_in(e, &m, 4096));
		CHECK_EQ(vhost_user_slot(e->b.v.fd, VHOST_USER_ADD_MEM_REG, &m, true), -EREMOTEIO);
		CHECK_OK(vhost_user_slot(e->b.v.fd, VHOST_USER_REM_MEM_REG, &m, true));
		CHECK_EQ(vhost_user_slot(e->b.v.fd, VHOST_USER_REM_MEM_REG, &m, true), -EREMOTEIO);
		CHECK_PASS(env_verify(e));
	}
	gmem_destroy(&m);
	return 0;
}

/* As many as the kernel takes, and one more. */
static int memory_all_slots(void *ctx)
{
	struct env *e = ctx;
	struct gmem m;
	unsigned int i;

	CHECK_OK(gmem_create(&m, GMEM_SHARED, EXTRA_IOVA, SLOTS * 4096));
	for (i = 0; i < SLOTS; i++) {
		struct gmem part = m;

		part.iova += i * 8192ull;
		part.va += i * 4096ull;
		part.size = 4096;
		CHECK_EQ(vhost_user_slot(e->b.v.fd, VHOST_USER_ADD_MEM_REG, &part, true),
			 i < SLOTS - 1 ? 0 : -EREMOTEIO);
	}
	CHECK_PASS(env_verify(e));
	CHECK_OK(e->b.transport->map(&e->b));
	CHECK_PASS(env_verify(e));
	gmem_destroy(&m);
	return 0;
}

struct mapper {
	struct env *e;
	struct gmem *extra;
	bool stop;
	int err;
	unsigned int n;
};

/* The same memory by another descriptor is another mapping. */
static void *remap(void *arg)
{
	struct mapper *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED) && !t->err) {
		struct gmem m[2] = { t->e->b.mem, *t->extra };

		t->err = vhost_user_set_mem(t->e->b.v.fd, m, 1 + t->n++ % 2, true);
	}
	return NULL;
}

static int memory_under_load(void *ctx)
{
	struct env *e = ctx;
	struct mapper t = { .e = e };
	struct gmem m;
	pthread_t thread;
	unsigned int i;
	int res = 0;

	CHECK_OK(gmem_create(&m, GMEM_SHARED, EXTRA_IOVA, EXTRA));
	t.extra = &m;
	CHECK_EQ(pthread_create(&thread, NULL, remap, &t), 0);
	for (i = 0; i < e->rounds * 4 && !res; i++)
		res = env_verify(e);
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	CHECK_EQ(t.err, 0);
	ktap_diag("%u tables", t.n);
	gmem_destroy(&m);
	return res;
}

/* Guest memory moves in the VMM: its rings are elsewhere in the daemon, and go on. */
static int memory_moves(void *ctx)
{
	struct env *e = ctx;
	struct gmem moved = e->b.mem;
	unsigned int q;

	moved.va = mmap(NULL, moved.size, PROT_READ | PROT_WRITE, MAP_SHARED, moved.fd, 0);
	CHECK(moved.va != MAP_FAILED, "can't be mapped twice");
	/* The rings are where the VMM says, and it says that later. */
	CHECK_OK(vhost_user_set_mem(e->b.v.fd, (struct gmem[]){ e->b.mem }, 1, true));
	for (q = 0; q < e->b.nqueues; q++)
		CHECK_PASS(env_verify_queue(e, q, 64));
	munmap(moved.va, moved.size);
	return env_verify(e);
}

static int stop_queues(struct env *e)
{
	unsigned int q, base;

	for (q = 0; q < e->b.nqueues; q++) {
		CHECK_OK(vhost_user_stop(e->b.v.fd, q, &base));
		CHECK_EQ(base, ring_base(&e->b.rings[q]));
	}
	return 0;
}

/* Rings that are in memory no more stop; with it and their addresses they start again. */
static int memory_without_rings(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(env_verify(e));
	CHECK_OK(vhost_user_set_mem(e->b.v.fd, NULL, 0, true));
	CHECK_PASS(stop_queues(e));
	CHECK_OK(e->b.transport->map(&e->b));
	CHECK_OK(e->b.transport->prepare(&e->b));
	CHECK_OK(e->b.transport->go(&e->b));
	return env_verify(e);
}

/* Given back, as QEMU does with a region that changes, they go on without another word. */
static int memory_given_back(void *ctx)
{
	struct env *e = ctx;
	struct gmem half = e->b.mem;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(env_verify(e));
		CHECK_OK(vhost_user_slot(e->b.v.fd, VHOST_USER_REM_MEM_REG, &e->b.mem, true));
		half.size = 4096;
		CHECK_OK(vhost_user_slot(e->b.v.fd, VHOST_USER_ADD_MEM_REG, &half, true));
		CHECK_OK(vhost_user_slot(e->b.v.fd, VHOST_USER_REM_MEM_REG, &half, true));
		CHECK_OK(vhost_user_slot(e->b.v.fd, VHOST_USER_ADD_MEM_REG, &e->b.mem, true));
	}
	return env_verify(e);
}

/* A VMM that cuts its memory short harms its own queues. */
static int memory_cut(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(env_verify(e));
	CHECK(!ftruncate(e->b.mem.fd, 0), "can't be cut");
	CHECK(!ftruncate(e->b.mem.fd, (off_t)e->b.mem.size), "can't be grown");
	CHECK_OK(e->b.transport->reset(&e->b));
	CHECK_OK(blk_restart(&e->b, 0));
	return env_verify(e);
}

static bool noted(const uint8_t *log, uint64_t addr)
{
	return log[addr / 4096 / 8] & 1u << addr / 4096 % 8;
}

/* What a read writes, and the used ring, are in the log; and what is not written isn't. */
static int memory_logged(void *ctx)
{
	struct env *e = ctx;
	struct blk *b = &e->b;
	size_t size = ((b->mem.iova + b->mem.size) / 4096 + 7) / 8;
	uint8_t *buf = gmem_alloc(&b->mem, LEN, 4096);
	uint8_t *beside = gmem_alloc(&b->mem, 4096, 4096);
	uint64_t features = b->features | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	int fd = memfd_create("log", MFD_CLOEXEC);
	uint8_t *log;

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size), "no log");
	log = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(log != MAP_FAILED, "no log");
	CHECK_OK(vhost_user_set_log(b->v.fd, size, 0, fd));
	CHECK_OK(vhost_user_set(b->v.fd, VHOST_USER_SET_FEATURES, features | BIT(VHOST_F_LOG_ALL),
				true));
	CHECK_EQ(blk_rw(b, 0, VIRTIO_BLK_T_IN, 0, buf, LEN), VIRTIO_BLK_S_OK);
	/* A used ring is seen before it is noted: to be sure of that a VMM stops the queue. */
	CHECK_PASS(stop_queues(e));
	CHECK(noted(log, gmem_iova(&b->mem, buf)), "its first page is not noted");
	CHECK(noted(log, gmem_iova(&b->mem, buf + LEN - 1)), "its last page is not noted");
	CHECK(noted(log, b->rings[0].used_iova), "the used ring is not noted");
	CHECK(!noted(log, gmem_iova(&b->mem, beside)), "what is not written is noted");
	CHECK_OK(vhost_user_set(b->v.fd, VHOST_USER_SET_FEATURES, features, true));
	memset(log, 0, size);
	CHECK_OK(b->transport->prepare(b));
	CHECK_OK(b->transport->go(b));
	CHECK_EQ(blk_rw(b, 0, VIRTIO_BLK_T_IN, 0, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK(!noted(log, gmem_iova(&b->mem, buf)), "it is still noted");
	munmap(log, size);
	close(fd);
	return env_verify(e);
}

/* One that is too short for what there is, or for what comes, as long as it is wanted. */
static int memory_log_short(void *ctx)
{
	struct env *e = ctx;
	struct blk *b = &e->b;
	uint64_t features = b->features | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	size_t size = ((b->mem.iova + b->mem.size) / 4096 + 7) / 8;
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct gmem m;

	CHECK(fd >= 0 && !ftruncate(fd, (off_t)size), "no log");
	CHECK_OK(vhost_user_set_log(b->v.fd, size, 0, fd));
	CHECK_OK(vhost_user_set(b->v.fd, VHOST_USER_SET_FEATURES, features | BIT(VHOST_F_LOG_ALL),
				true));
	CHECK_OK(gmem_create(&m, GMEM_SHARED, EXTRA_IOVA, EXTRA));
	CHECK_EQ(vhost_user_slot(b->v.fd, VHOST_USER_ADD_MEM_REG, &m, true), -EREMOTEIO);
	CHECK_PASS(env_verify(e));
	CHECK_OK(vhost_user_set(b->v.fd, VHOST_USER_SET_FEATURES, features, true));
	CHECK_OK(vhost_user_slot(b->v.fd, VHOST_USER_ADD_MEM_REG, &m, true));
	CHECK_PASS(env_verify(e));
	CHECK_OK(vhost_user_slot(b->v.fd, VHOST_USER_REM_MEM_REG, &m, true));
	CHECK(vhost_user_set_log(b->v.fd, size - 1, 0, fd), "a short log is taken");
	gmem_destroy(&m);
	close(fd);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(memory_slots),
	KTAP_TEST(memory_all_slots),
	KTAP_TEST(memory_under_load),
	KTAP_TEST(memory_moves),
	KTAP_TEST(memory_without_rings),
	KTAP_TEST(memory_given_back),
	KTAP_TEST(memory_cut),
	KTAP_TEST(memory_logged),
	KTAP_TEST(memory_log_short),
};

const struct ktap_suite bridge_memory_suite = {
	.name = "memory of the VMM",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = env_start,
	.teardown = env_close,
};
