// SPDX-License-Identifier: GPL-2.0-only
/* Asking for what is in flight, and waiting until nothing is. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "held.h"
#include "inflight.h"
#include "proc.h"

static int drain(const struct env *e, unsigned int ms, unsigned int *left)
{
	struct vhost_drain d = { .timeout_ms = ms, .inflight = ~0u };
	int err = vhost_ioctl(&e->b.v, VHOST_DRAIN, &d);

	*left = d.inflight;
	return err;
}

static int flight_of(const struct env *e, unsigned int q, struct vhost_vring_inflight_info *flight)
{
	*flight = (struct vhost_vring_inflight_info){ .index = q, .active = ~0u };
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_GET_VRING_INFLIGHT, flight));
	CHECK_EQ(flight->index, q);
	return 0;
}

static int submit_one(struct env *e, struct blk_req *reqs, uint8_t *bufs, unsigned int i)
{
	blk_req_init(&e->b, &reqs[i]);
	pattern_fill(bufs + i * LEN, LEN, i * 8, e->seed);
	blk_req_usual(&reqs[i], VIRTIO_BLK_T_OUT, i * 8, bufs + i * LEN, LEN);
	CHECK_OK(blk_submit(&e->b, i % QUEUES, &reqs[i]));
	return 0;
}

static int submit(struct env *e, struct blk_req *reqs, uint8_t *bufs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		CHECK_PASS(submit_one(e, reqs, bufs, i));
	return 0;
}

/* All of them end well, and are on the store. */
static int finish(struct env *e, const struct blk_req *reqs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		CHECK_OK(blk_wait(&e->b, i % QUEUES, &reqs[i]));
		CHECK_EQ(*reqs[i].status, VIRTIO_BLK_S_OK);
		CHECK_PASS(env_store_check(e, i * 8, LEN, e->seed));
	}
	return 0;
}

static int drain_idle(void *ctx)
{
	struct env *e = ctx;
	struct vhost_vring_inflight_info flight;
	unsigned int left, q;

	CHECK_OK(drain(e, 0, &left));
	CHECK_EQ(left, 0);
	/* Again: it stands still already. */
	CHECK_OK(drain(e, 1000, &left));
	for (q = 0; q < QUEUES; q++) {
		CHECK_PASS(flight_of(e, q, &flight));
		CHECK_EQ(flight.active + flight.completed + flight.again, 0);
		CHECK_EQ(flight.oldest_ns, 0);
	}
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESUME, NULL));
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESUME, NULL));
	return env_verify(e);
}

/* What comes after a drain waits for the end of it; or for the next start. */
static int drain_stands_still(void *ctx)
{
	static struct blk_req reqs[DEPTH];
	struct env *e = ctx;
	uint8_t *bufs = gmem_alloc(&e->b.mem, DEPTH * LEN, LEN);
	unsigned int left, bases[QUEUES], now, q, round;

	for (round = 0; round < 2; round++) {
		size_t mark = gmem_mark(&e->b.mem);

		CHECK_PASS(env_verify(e));
		CHECK_OK(drain(e, 60000, &left));
		for (q = 0; q < QUEUES; q++)
			CHECK_OK(vhost_get_vring_base(&e->b.v, q, &bases[q]));
		CHECK_PASS(submit(e, reqs, bufs, DEPTH));
		usleep(20000);
		for (q = 0; q < QUEUES; q++) {
			CHECK_OK(vhost_get_vring_base(&e->b.v, q, &now));
			CHECK_EQ(now, bases[q]);
			CHECK_EQ(now, ring_device_base(&e->b.rings[q]));
		}
		if (round) {
			CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESUME, NULL));
		} else {
			CHECK_OK(blk_reset(&e->b));
			CHECK_OK(blk_resume_at(&e->b, bases));
		}
		CHECK_PASS(finish(e, reqs, DEPTH));
		gmem_release(&e->b.mem, mark);
		e->seed++;
	}
	return 0;
}

/* Time and again beside I/O that goes on: nothing is lost, and nothing done twice. */
static int drain_under_load(void *ctx)
{
	static struct blk_req reqs[DEPTH];
	struct env *e = ctx;
	uint8_t *bufs = gmem_alloc(&e->b.mem, DEPTH * LEN, LEN);
	unsigned int i, left, in_time = 0;

	for (i = 0; i < e->rounds * 4; i++) {
		size_t mark = gmem_mark(&e->b.mem);
		int err;

		e->seed++;
		CHECK_PASS(submit(e, reqs, bufs, DEPTH));
		err = drain(e, i % 3 * 5, &left);
		CHECK(!err || err == -ETIMEDOUT, "it returns %d", err);
		CHECK(!err == !left, "it returns %d with %u in flight", err, left);
		if (!err)
			CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESUME, NULL));
		in_time += !err;
		CHECK_PASS(finish(e, reqs, DEPTH));
		gmem_release(&e->b.mem, mark);
	}
	ktap_diag("%u of %u in time", in_time, i);
	return 0;
}

static int await_active(const struct env *e, unsigned int q, unsigned int n,
			struct vhost_vring_inflight_info *flight)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

	do {
		CHECK_PASS(flight_of(e, q, flight));
		CHECK(blk_now_ms() < end, "queue %u takes %u", q, flight->active);
	} while (flight->active != n);
	return 0;
}

static int drain_held(struct env *e)
{
	static struct blk_req reqs[DEPTH];
	uint8_t *bufs = gmem_alloc(&e->b.mem, DEPTH * LEN, LEN);
	struct vhost_vring_inflight_info flight;
	unsigned int left, q;
	pid_t pid;

	CHECK_PASS(submit(e, reqs, bufs, DEPTH - 2));
	for (q = 0; q < QUEUES; q++)
		CHECK_PASS(await_active(e, q, (DEPTH - 2) / QUEUES, &flight));
	CHECK(flight.oldest_ns > 0 && flight.oldest_ns < 1000000000ull * 60,
	      "the oldest is %llu ns old", (unsigned long long)flight.oldest_ns);

	CHECK_EQ(drain(e, 0, &left), -ETIMEDOUT);
	CHECK_EQ(drain(e, 50, &left), -ETIMEDOUT);
	CHECK_EQ(left, DEPTH - 2);
	/* It takes more, as before. */
	CHECK_PASS(submit_one(e, reqs, bufs, DEPTH - 2));
	CHECK_PASS(await_active(e, 0, DEPTH / QUEUES, &flight));
	pid = held_go(e, true);
	CHECK_OK(drain(e, 60000, &left));
	CHECK_EQ(proc_wait(pid), 0);
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESUME, NULL));
	return finish(e, reqs, DEPTH - 1);
}

/* A chain that no driver sends, behind what queue @q has in flight. */
static int break_queue(struct env *e, unsigned int q)
{
	struct blk_req r;

	blk_req_init(&e->b, &r);
	blk_req_begin(&r, VIRTIO_BLK_T_OUT, 0);
	blk_req_piece(&r, r.hdr, 16, false);
	blk_req_piece_iova(&r, 1ull << 62, LEN, false);
	blk_req_piece(&r, r.status, 1, true);
	CHECK_OK(blk_submit(&e->b, q, &r));
	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	return 0;
}

/* Nobody waits for a broken queue, and the others stand still as if there were none. */
static int drain_beside_broken(struct env *e)
{
	static struct blk_req reqs[4];
	uint8_t *bufs = gmem_alloc(&e->b.mem, 4 * LEN, LEN);
	struct vhost_vring_inflight_info flight;
	unsigned int left, i;

	for (i = 1; i < 4; i += 2)
		CHECK_PASS(submit_one(e, reqs, bufs, i));
	CHECK_PASS(await_active(e, 1, 2, &flight));
	CHECK_PASS(break_queue(e, 1));
	CHECK_OK(drain(e, 0, &left));
	CHECK_EQ(left, 2);
	CHECK_OK(drain(e, ~0u, &left));
	CHECK_EQ(left, 2);
	CHECK_PASS(submit_one(e, reqs, bufs, 0));
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESUME, NULL));
	CHECK_PASS(await_active(e, 0, 1, &flight));
	CHECK_EQ(proc_wait(held_go(e, false)), 0);
	CHECK_OK(blk_wait(&e->b, 0, &reqs[0]));
	CHECK_EQ(*reqs[0].status, VIRTIO_BLK_S_OK);
	return env_verify_reset(e);
}

/* With VIRTIO_F_IN_ORDER one that has ended waits for the one before it, and is told apart. */
static int flight_in_order(struct env *e)
{
	static struct blk_req reqs[2];
	uint8_t *bufs = gmem_alloc(&e->b.mem, LEN, LEN), *id = gmem_alloc(&e->b.mem, 20, 4);
	bool in_order = e->b.features & BIT(VIRTIO_F_IN_ORDER);
	struct vhost_vring_inflight_info flight;
	unsigned int left;

	CHECK_PASS(submit_one(e, reqs, bufs, 0));
	CHECK_PASS(await_active(e, 0, 1, &flight));
	blk_req_init(&e->b, &reqs[1]);
	blk_req_usual(&reqs[1], VIRTIO_BLK_T_GET_ID, 0, id, 20);
	CHECK_OK(blk_submit(&e->b, 0, &reqs[1]));
	if (!in_order)
		CHECK_OK(blk_wait(&e->b, 0, &reqs[1]));
	do {
		CHECK_PASS(await_active(e, 0, 1, &flight));
	} while (in_order && !flight.completed);
	CHECK_EQ(flight.completed, in_order);
	CHECK_EQ(flight.again, 0);
	CHECK_EQ(drain(e, 0, &left), -ETIMEDOUT);
	CHECK_EQ(left, 1 + in_order);
	CHECK_EQ(proc_wait(held_go(e, false)), 0);
	CHECK_OK(blk_wait(&e->b, 0, &reqs[0]));
	if (in_order)
		CHECK_OK(blk_wait(&e->b, 0, &reqs[1]));
	CHECK_EQ(*reqs[1].status, VIRTIO_BLK_S_OK);
	return 0;
}

static int know_memory(struct env *e, const struct gmem *extra)
{
	const struct gmem *all[] = { &e->b.mem, extra };
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[2];
	} mem = { .head.nregions = extra ? 2 : 1 };
	unsigned int i;

	for (i = 0; i < mem.head.nregions; i++)
		mem.regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = all[i]->iova,
			.memory_size = all[i]->size,
			.userspace_addr = (uintptr_t)all[i]->va,
		};
	return vhost_ioctl(&e->b.v, VHOST_SET_MEM_TABLE, &mem);
}

static int log_to(struct env *e, const void *log)
{
	uint64_t base = (uintptr_t)log, features = e->b.features | BIT(VHOST_F_LOG_ALL);
	int err = vhost_ioctl(&e->b.v, VHOST_SET_LOG_BASE, &base);

	return err ? err : vhost_set_features(&e->b.v, features);
}

static unsigned int bits_at(const uint8_t *log, const struct gmem *m)
{
	uint64_t first = m->iova / 4096 / 8, last = (m->iova + m->size - 1) / 4096 / 8;
	unsigned int n = 0;

	for (; first <= last; first++)
		n += __builtin_popcount(log[first]);
	return n;
}

/*
 * A read has memory that the VMM takes away meanwhile, and a log that it makes then is for what is
 * left: what lies where the bits of the rest would be is something else.
 */
static int log_beside_removed(struct env *e)
{
	uint8_t *log = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vhost_vring_inflight_info flight;
	struct gmem extra;
	struct blk_req r;

	CHECK(log != MAP_FAILED, "no memory");
	CHECK_OK(gmem_create(&extra, GMEM_SHARED, 0x400000000ull, MIB));
	CHECK_OK(know_memory(e, &extra));
	blk_req_init(&e->b, &r);
	blk_req_begin(&r, VIRTIO_BLK_T_IN, 0);
	blk_req_piece(&r, r.hdr, sizeof(*r.hdr), false);
	blk_req_piece_iova(&r, extra.iova, LEN, true);
	blk_req_piece(&r, r.status, 1, true);
	CHECK_OK(blk_submit(&e->b, 0, &r));
	CHECK_PASS(await_active(e, 0, 1, &flight));
	CHECK_OK(know_memory(e, NULL));
	CHECK_OK(log_to(e, log));
	CHECK_EQ(proc_wait(held_go(e, false)), 0);
	CHECK_OK(blk_wait(&e->b, 0, &r));
	CHECK_EQ(*r.status, VIRTIO_BLK_S_OK);
	CHECK(bits_at(log, &e->b.mem), "the status is not noted");
	CHECK_EQ(bits_at(log, &extra), 0);
	gmem_destroy(&extra);
	munmap(log, MIB);
	return 0;
}

/* The store is let go in any case: nothing of the device ends before. */
static int with_held(struct env *e, int (*fn)(struct env *e))
{
	int res;

	if (!e->slow)
		SKIP("for a store that can be held");
	CHECK_PASS(held_stop(e));
	res = fn(e);
	if (res)
		proc_wait(held_go(e, false));
	return res;
}

/* The time runs out, and it is as if nothing had been asked. */
static int drain_in_vain(void *ctx)
{
	return with_held(ctx, drain_held);
}

static int drain_broken(void *ctx)
{
	return with_held(ctx, drain_beside_broken);
}

static int flight_completed(void *ctx)
{
	return with_held(ctx, flight_in_order);
}

static int log_removed(void *ctx)
{
	return with_held(ctx, log_beside_removed);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(drain_idle),
	KTAP_TEST(drain_stands_still),
	KTAP_TEST(drain_under_load),
	KTAP_TEST(drain_in_vain),
	KTAP_TEST(drain_broken),
	KTAP_TEST(flight_completed),
	KTAP_TEST(log_removed),
};

const struct ktap_suite inflight_drain_suite = {
	.name = "draining",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_start,
	.teardown = env_close,
};
