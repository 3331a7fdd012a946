// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMMs that are killed while their guest writes. This process is the guest: its memory, its rings
 * and the in-flight regions are shared with each VMM. What the next VMM's disk does not take up is
 * a request that never ends, and what it does twice is used twice, which the ring tells.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "held.h"
#include "inflight.h"
#include "proc.h"

/**
 * struct guest - what outlives a VMM
 * @e: memory and rings; its own disk is never started
 * @region: of each queue
 * @size: of a region
 * @w: what it writes
 * @stop: the VMM stops its disk as soon as it has started it
 * @missing: a page that the VMM has, but no memory for it
 * @running: the VMM has started its disk
 * @stuck: a thread of the VMM waits for that memory
 */
struct guest {
	struct env *e;
	void *region[QUEUES];
	size_t size;
	struct writer w;
	bool stop;
	uint8_t *missing;
	atomic_bool *running;
	atomic_bool *stuck;
};

static int guest_make(struct guest *g, struct env *e)
{
	unsigned int q;

	memset(g, 0, sizeof(*g));
	g->e = e;
	writer_make(&g->w, e);
	g->size = region_size(e);
	g->running = shared_make(2 * sizeof(*g->running));
	CHECK(g->running, "no memory");
	g->stuck = g->running + 1;
	for (q = 0; q < QUEUES; q++) {
		g->region[q] = shared_make(g->size);
		CHECK(g->region[q], "no memory");
	}
	return 0;
}

static void guest_free(struct guest *g)
{
	unsigned int q;

	for (q = 0; q < QUEUES; q++)
		if (g->region[q])
			shared_free(g->region[q], g->size);
	shared_free(g->running, 2 * sizeof(*g->running));
}

/* Where each queue stands is where its driver does: all that was available is used. */
static int vmm_stop(const struct blk *b)
{
	struct vhost_vring_file none = { .fd = -1 };
	unsigned int q, base;

	CHECK_OK(vhost_ioctl(&b->v, VHOST_BLK_SET_BACKEND, &none));
	for (q = 0; q < QUEUES; q++) {
		CHECK_OK(vhost_get_vring_base(&b->v, q, &base));
		CHECK_EQ(base, ring_base(&b->rings[q]));
	}
	return 0;
}

/* A disk of its own, on the guest's memory, rings and regions. */
static int vmm_main(struct env *e, void *arg)
{
	struct guest *g = arg;
	struct blk *b = &e->b;
	unsigned int q;
	int err, fd = -1;

	vhost_close(&b->v);
	err = vhost_open(&b->v, b->opts.node);
	if (!err)
		err = vhost_set_owner(&b->v);
	if (!err)
		err = b->transport->map(b);
	if (!err)
		err = b->transport->prepare(b);
	for (q = 0; q < QUEUES && !err; q++)
		err = region_set(e, q, g->region[q], g->size);
	if (!err && g->missing) {
		fd = held_memory(g->missing, LEN);
		err = fd < 0 ? fd : 0;
	}
	if (!err)
		err = b->transport->go(b);
	if (err) {
		ktap_diag("the VMM does not start: %s", strerror(-err));
		return 1;
	}
	*g->running = true;
	if (g->stop)
		return vmm_stop(b);
	if (g->missing)
		*g->stuck = !held_memory_wanted(fd);
	for (;;)
		pause();
}

static int vmm_begin(struct guest *g, pid_t *pid)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	uint64_t n;

	/* That the last VMM's queues went with it is told by way of an event. */
	while (read(g->e->b.error_fd, &n, sizeof(n)) > 0)
		;
	*g->running = false;
	*pid = proc_run(vmm_main, g->e, g);
	CHECK(*pid > 0, "no process");
	while (!*g->running)
		CHECK(!proc_ended(*pid) && blk_now_ms() < end, "the VMM has not started");
	return 0;
}

static int guest_under(struct guest *g, unsigned int vmms)
{
	struct prng prng = { g->e->seed };
	unsigned int i, turns, left = 0;
	pid_t pid;

	for (i = 0; i < vmms; i++) {
		CHECK_PASS(vmm_begin(g, &pid));
		for (turns = prng_range(&prng, 0, 60); turns; turns--) {
			CHECK_PASS(writer_turn(&g->w, true));
			ring_wait(&g->e->b.rings[turns % QUEUES], 1);
		}
		CHECK_PASS(writer_turn(&g->w, true));
		CHECK(proc_kill(pid), "the VMM does not end");
		left += region_inflight(g->e, g->region[0]) + region_inflight(g->e, g->region[1]);
	}
	CHECK_PASS(vmm_begin(g, &pid));
	CHECK_PASS(writer_end(&g->w));
	CHECK(proc_kill(pid), "the VMM does not end");
	ktap_diag("%u VMMs killed, %u requests in flight then, %lu ended", i, left, g->w.ended);
	CHECK(left, "no request was in flight when its VMM was killed");
	return 0;
}

static int vmm_killed(void *ctx)
{
	static struct guest g;
	int res;

	CHECK_PASS(guest_make(&g, ctx));
	res = guest_under(&g, g.e->rounds * 3);
	guest_free(&g);
	return res;
}

static int held_under(struct guest *g, bool stop)
{
	unsigned int q;
	pid_t pid, go;

	CHECK_PASS(vmm_begin(g, &pid));
	CHECK_PASS(held_stop(g->e));
	CHECK_PASS(writer_turn(&g->w, true));
	for (q = 0; q < QUEUES; q++) {
		int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

		while (region_inflight(g->e, g->region[q]) != DEPTH)
			CHECK(blk_now_ms() < end, "queue %u does not take all", q);
	}
	/* Its disk waits for the store, and drops the requests. */
	go = held_go(g->e, true);
	CHECK(proc_kill(pid), "the VMM does not end");
	CHECK_EQ(proc_wait(go), 0);
	for (q = 0; q < QUEUES; q++) {
		CHECK_EQ(ring_pending(&g->e->b.rings[q]), 0);
		CHECK_EQ(region_inflight(g->e, g->region[q]), DEPTH);
	}

	g->stop = stop;
	CHECK_PASS(vmm_begin(g, &pid));
	if (stop)
		CHECK_EQ(proc_wait(pid), 0);
	CHECK_PASS(writer_end(&g->w));
	for (q = 0; q < QUEUES; q++)
		CHECK_EQ(region_inflight(g->e, g->region[q]), 0);
	if (!stop)
		CHECK(proc_kill(pid), "the VMM does not end");
	return 0;
}

static int killed_held(struct env *e, bool stop)
{
	static struct guest g;
	int res;

	if (!e->slow)
		SKIP("for a store that can be held");
	CHECK_PASS(guest_make(&g, e));
	res = held_under(&g, stop);
	guest_free(&g);
	return res;
}

/* The store has all of them, and answers when the VMM is dead: none of them is used. */
static int vmm_killed_held(void *ctx)
{
	return killed_held(ctx, false);
}

/* And the next VMM stops its disk at once: what was in flight is done all the same. */
static int vmm_killed_stopped(void *ctx)
{
	return killed_held(ctx, true);
}

static int stuck_under(struct guest *g, uint32_t offset)
{
	struct env *e = g->e;
	uint8_t *buf = gmem_alloc(&e->b.mem, 2 * LEN, LEN) + offset;
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	struct blk_req r;
	pid_t pid;

	g->missing = buf - offset;
	CHECK(!madvise(g->missing, LEN, MADV_REMOVE), "%s", strerror(errno));
	*g->stuck = false;
	CHECK_PASS(vmm_begin(g, &pid));
	blk_req_init(&e->b, &r);
	blk_req_usual(&r, VIRTIO_BLK_T_IN, writer_sector(0, 0), buf, LEN);
	CHECK_OK(blk_submit(&e->b, 0, &r));
	while (!*g->stuck)
		CHECK(blk_now_ms() < end, "nobody wants the memory");
	CHECK(proc_kill(pid), "the VMM does not end");

	g->missing = NULL;
	CHECK_PASS(vmm_begin(g, &pid));
	CHECK_OK(blk_wait(&e->b, 0, &r));
	CHECK_EQ(*r.status, VIRTIO_BLK_S_OK);
	CHECK(pattern_check(buf, LEN, writer_sector(0, 0), g->w.generation[0][0]) < 0,
	      "it reads other data");
	CHECK(proc_kill(pid), "the VMM does not end");
	return 0;
}

/* What fails because the VMM is being killed has not failed: the driver hears nothing of it. */
static int vmm_killed_stuck(void *ctx)
{
	/* Read into the page, and by way of memory of the device's. */
	static const uint32_t offsets[] = { 0, 100 };
	static struct guest g;
	unsigned int i;
	int res = 0;
	pid_t pid;

	CHECK_PASS(guest_make(&g, ctx));
	CHECK_PASS(vmm_begin(&g, &pid));
	CHECK_PASS(writer_turn(&g.w, true));
	CHECK_PASS(writer_end(&g.w));
	CHECK(proc_kill(pid), "the VMM does not end");
	for (i = 0; !res && i < sizeof(offsets) / sizeof(*offsets); i++)
		res = stuck_under(&g, offsets[i]);
	guest_free(&g);
	return res;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(vmm_killed),
	KTAP_TEST(vmm_killed_held),
	KTAP_TEST(vmm_killed_stopped),
	KTAP_TEST(vmm_killed_stuck),
};

const struct ktap_suite inflight_vmm_suite = {
	.name = "VMMs that are killed",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = env_open,
	.teardown = env_close,
};
