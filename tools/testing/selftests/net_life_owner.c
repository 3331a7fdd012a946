// SPDX-License-Identifier: GPL-2.0-only
/* Owners that reset, close, change memory and rings, and die. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "callers.h"
#include "net_life.h"
#include "proc.h"

/* A reset in the middle of everything. */
static int owner_reset(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		net_load_init(&l, e);
		l.lossy = true;
		CHECK_PASS(net_load_start(&l));
		CHECK_PASS(net_load_await(&l, i % 7 * 10));
		CHECK_OK(net_reset(&e->n));
		CHECK_PASS(net_load_stop(&l));
		CHECK_PASS(net_env_verify_reset(e));
	}
	return 0;
}

/* The device is closed in the middle; the wire stays, and the next device has it. */
static int owner_closes(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		net_load_init(&l, e);
		l.lossy = true;
		CHECK_PASS(net_load_start(&l));
		CHECK_PASS(net_load_await(&l, i % 7 * 10));
		vhost_close(&e->n.v);
		CHECK_PASS(net_load_stop(&l));
		CHECK_OK(vhost_open(&e->n.v, e->opts.node));
		CHECK_OK(vhost_set_owner(&e->n.v));
		ring_restart(&e->n.rings[NET_RX], 0);
		ring_restart(&e->n.rings[NET_TX], 0);
		net_bufs_forget(&e->rx);
		net_bufs_forget(&e->tx);
		CHECK_OK(net_start(&e->n, e->w.backend));
		CHECK_PASS(net_env_verify(e));
	}
	return 0;
}

/* The same memory, in one piece or in several, and more of it that comes and goes. */
static int set_memory(struct net_env *e, unsigned int pieces, void *more)
{
	struct vhost_memory *m = calloc(1, sizeof(*m) + (pieces + 1) * sizeof(m->regions[0]));
	size_t at = 0, size = (e->n.mem.size / pieces) & ~(PAGE - 1ul);
	unsigned int i;
	int err;

	if (!m)
		return -ENOMEM;
	for (i = 0; i < pieces; i++, at += size)
		m->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = e->n.mem.iova + at,
			.memory_size = i + 1 < pieces ? size : e->n.mem.size - at,
			.userspace_addr = (uintptr_t)e->n.mem.va + at,
		};
	if (more)
		m->regions[i++] = (struct vhost_memory_region){
			.guest_phys_addr = e->n.mem.iova + 0x100000000ull,
			.memory_size = MIB,
			.userspace_addr = (uintptr_t)more,
		};
	m->nregions = i;
	err = vhost_ioctl(&e->n.v, VHOST_SET_MEM_TABLE, m);
	free(m);
	return err;
}

static int owner_memory(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;
	void *more;
	int res = 0;

	/* A buffer that lies in two pieces is as good as any. */
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds * 10 && !res; i++) {
		more = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		res = net_load_await(&l, LIFE_FRAMES / 3);
		if (!res)
			res = set_memory(e, 1 + i % 5, more);
		if (!res)
			res = set_memory(e, 1 + i % 3, NULL);
		munmap(more, MIB);
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_OK(res);
	return net_env_verify(e);
}

/* A queue gets another ring, of another size. */
static int resize(struct net_env *e, unsigned int q, uint16_t num)
{
	struct ring *r = &e->n.rings[q];
	const struct ring_features features = {
		.event_idx = r->event_idx, .packed = r->packed, .in_order = r->in_order,
	};
	uint16_t max_indirect = r->max_indirect;
	unsigned int base;

	CHECK_OK(net_attach(&e->n, q, -1));
	CHECK_OK(vhost_get_vring_base(&e->n.v, q, &base));
	ring_destroy(r);
	CHECK_OK(ring_init(r, &e->n.mem, num, max_indirect, &features, 0));
	net_bufs_forget(q == NET_RX ? &e->rx : &e->tx);
	CHECK_OK(net_set_vring(&e->n, q, ring_base(r)));
	CHECK_OK(net_attach(&e->n, q, e->w.backend));
	return 0;
}

/* At first one by one, and then both with the memory of those before. */
static int owner_resizes(void *ctx)
{
	static const uint16_t nums[] = { 64, 256, 2, 128, 1024, 1, 32 };
	struct net_env *e = ctx;
	size_t mark = gmem_mark(&e->n.mem);
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		CHECK_PASS(resize(e, q, 16));
		CHECK_PASS(net_env_verify(e));
	}
	for (i = 0; i < sizeof(nums) / sizeof(*nums); i++) {
		for (q = 0; q < NET_QUEUES; q++)
			CHECK_OK(net_attach(&e->n, q, -1));
		gmem_release(&e->n.mem, mark);
		for (q = 0; q < NET_QUEUES; q++)
			CHECK_PASS(resize(e, q, nums[i]));
		CHECK_PASS(net_env_verify(e));
	}
	return 0;
}

static void fill_own(void *ctx, unsigned long request, struct prng *p, union caller_arg *arg)
{
	const struct net_env *e = ctx;

	if (request == VHOST_NET_SET_BACKEND || prng_chance(p, 10))
		arg->file.fd = prng_chance(p, 60) ? e->w.backend : -1;
}

/* Any call at any moment from several threads, with frames about; and then everything works. */
static int owner_random(void *ctx)
{
	static const unsigned long own[] = {
		VHOST_NET_SET_BACKEND, VHOST_NET_SET_BACKEND, VHOST_NET_SET_BACKEND,
	};
	struct net_env *e = ctx;
	const struct callers_opts opts = {
		.v = &e->n.v, .rings = e->n.rings, .queues = NET_QUEUES, .mem = &e->n.mem,
		.offered = e->n.offered, .seed = e->seed, .own = own, .own_count = 3,
		.fill = fill_own, .ctx = e,
	};
	uint8_t buf[ETH_USUAL] = { };
	unsigned long calls, refused;
	struct callers callers;
	unsigned int i;

	CHECK_OK(callers_start(&callers, &opts));
	for (i = 0; i < e->rounds * 200; i++) {
		eth_fill(buf, 200, ETH_TO_GUEST, e->nr_in++);
		wire_send(&e->w, buf, 200);
		net_rx_fill(&e->rx);
		net_tx_put(&e->tx, NULL, buf, 200);
		net_tx_flush(&e->tx);
		usleep(1000);
	}
	callers_stop(&callers, &calls, &refused);
	ktap_diag("%lu calls, %lu refused", calls, refused);
	CHECK(calls > CALLERS && refused < calls, "no call succeeded");

	/* Whoever was last may have left it with an owner or without. */
	vhost_set_owner(&e->n.v);
	while (wire_recv(&e->w, buf, sizeof(buf)) >= 0)
		;
	CHECK_PASS(net_env_restart(e));
	/* Its own polling goes with a reset, and else does no harm. */
	return net_env_verify_reset(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(owner_reset),
	KTAP_TEST(owner_closes),
	KTAP_TEST(owner_memory),
	KTAP_TEST(owner_resizes),
	KTAP_TEST(owner_random),
};

const struct ktap_suite net_life_owner_suite = {
	.name = "owners that change their mind",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = net_env_start,
	.teardown = net_env_close,
};

struct report {
	atomic_uint running;
	char name[IFNAMSIZ];
};

static int victim(struct env *none, void *arg)
{
	struct net_env *e = ((void **)arg)[0];
	struct report *r = ((void **)arg)[1];
	struct net_load l;

	(void)none;
	CHECK_PASS(net_env_start(e));
	memcpy(r->name, e->w.name, sizeof(r->name));
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (;;) {
		CHECK_PASS(net_load_await(&l, 10));
		r->running++;
	}
}

/* Killed at any moment it is gone, and what it had with it. */
static int owner_killed(void *ctx)
{
	struct report *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *arg[] = { ctx, r };
	struct net_env *e = ctx;
	unsigned int i, ms;
	pid_t pid;

	CHECK(r != MAP_FAILED, "out of memory");
	for (i = 0; i < e->rounds / 2 + 2; i++) {
		r->running = 0;
		pid = proc_run(victim, NULL, arg);
		CHECK(pid > 0, "no process");
		for (ms = 0; r->running < 1 + i && ms < NET_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK(r->running, "it moves no frame");
		CHECK(proc_kill(pid), "it does not die");
		if (e->wire.kind != WIRE_TAP) {
			wire_run("ip link del %s", r->name);
			continue;
		}
		for (ms = 0; if_nametoindex(r->name) && ms < NET_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK(!if_nametoindex(r->name), "its interface stays");
	}
	munmap(r, sizeof(*r));
	CHECK_PASS(net_env_start(e));
	CHECK_PASS(net_env_verify(e));
	return net_env_close(e);
}

static const struct ktap_test kill_tests[] = {
	KTAP_TEST(owner_killed),
};

const struct ktap_suite net_life_kill_suite = {
	.name = "owners that are killed",
	.tests = kill_tests,
	.count = sizeof(kill_tests) / sizeof(*kill_tests),
	.limit = 240,
};
