// SPDX-License-Identifier: GPL-2.0-only
/* Several openers, several threads, and owners that die. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "node.h"
#include "proc.h"

#define THREADS	8u
#define LEN	4096u

struct caller {
	struct env *e;
	struct prng prng;
	unsigned int nr;
	int fds[4];
	atomic_bool *stop;
	unsigned long calls;
	unsigned long refused;
	int res;
	pthread_t thread;
};

static void random_call(struct caller *c)
{
	static const unsigned long requests[] = {
		VHOST_SET_OWNER, VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE,
		VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR, VHOST_BLK_SET_BACKEND, VHOST_BLK_SET_SERIAL,
		VHOST_SET_NWORKERS, VHOST_VDPA_GET_CONFIG, VHOST_VDPA_SET_CONFIG,
		VHOST_VDPA_SET_CONFIG_CALL, VHOST_RESET_OWNER, VHOST_NEW_WORKER,
		VHOST_FREE_WORKER, VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER,
		VHOST_SET_VRING_BUSYLOOP_TIMEOUT, VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_FEATURES_ARRAY, VHOST_SET_FEATURES_ARRAY,
	};
	struct env *e = c->e;
	union {
		uint64_t raw[16];
		struct vhost_vring_state state;
		struct vhost_vring_file file;
		struct vhost_vring_addr addr;
	} arg;
	unsigned int i = prng_range(&c->prng, 0, sizeof(requests) / sizeof(*requests) - 1);
	const struct ring *r = &e->b.rings[prng_range(&c->prng, 0, e->b.nqueues - 1)];
	unsigned long request = requests[i];

	for (i = 0; i < 16; i++)
		arg.raw[i] = prng_next(&c->prng);
	arg.state.index = prng_range(&c->prng, 0, e->b.nqueues);
	if (request == VHOST_GET_FEATURES_ARRAY || request == VHOST_SET_FEATURES_ARRAY)
		arg.raw[0] = prng_range(&c->prng, 0, 15);
	if (request == VHOST_ATTACH_VRING_WORKER || request == VHOST_SET_VRING_BUSYLOOP_TIMEOUT)
		arg.state.num = prng_range(&c->prng, 0, 15);
	if (request == VHOST_SET_VRING_NUM || request == VHOST_SET_VRING_BASE)
		arg.state.num = prng_range(&c->prng, 0, 512);
	if (_IOC_SIZE(request) == sizeof(arg.file))
		arg.file.fd = c->fds[prng_range(&c->prng, 0, 3)];
	if (request == VHOST_BLK_SET_BACKEND)
		arg.file.index = 0;
	if (request == VHOST_SET_VRING_ADDR)
		arg.addr = (struct vhost_vring_addr){
			.index = arg.state.index,
			.desc_user_addr = (uintptr_t)r->desc,
			.avail_user_addr = (uintptr_t)r->avail,
			.used_user_addr = (uintptr_t)r->used,
		};
	if (request == VHOST_SET_MEM_TABLE) {
		memset(&arg, 0, sizeof(arg));
		arg.raw[0] = 1;
		arg.raw[1] = e->b.mem.iova;
		arg.raw[2] = prng_range(&c->prng, 0, e->b.mem.size);
		arg.raw[3] = (uintptr_t)e->b.mem.va;
	}
	c->calls++;
	if (vhost_ioctl(&e->b.v, request, &arg))
		c->refused++;
	ring_kick(&e->b.rings[0]);
}

static void *call_at_random(void *arg)
{
	struct caller *c = arg;

	while (!atomic_load(c->stop))
		random_call(c);
	return NULL;
}

/* Any call at any moment from eight threads, and then everything works. */
static int threads_random(void *ctx)
{
	struct caller callers[THREADS] = { 0 };
	unsigned long calls = 0, refused = 0;
	atomic_bool stop = false;
	struct env *e = ctx;
	unsigned int i;

	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	for (i = 0; i < THREADS; i++) {
		struct caller *c = &callers[i];

		c->e = e;
		c->stop = &stop;
		c->prng.state = e->seed * 1000 + i;
		c->fds[0] = e->b.store_fd;
		c->fds[1] = e->b.rings[0].call_fd;
		c->fds[2] = e->b.rings[0].kick_fd;
		c->fds[3] = -1;
		CHECK_EQ(pthread_create(&c->thread, NULL, call_at_random, c), 0);
	}
	usleep(e->rounds * 200000);
	stop = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		calls += callers[i].calls;
		refused += callers[i].refused;
	}
	ktap_diag("%lu calls, %lu refused", calls, refused);
	CHECK(calls > THREADS && refused < calls, "no call succeeded");

	/* Whoever was last may have left it with an owner or without. */
	vhost_set_owner(&e->b.v);
	for (i = 0; i < e->b.nqueues; i++)
		ring_restart(&e->b.rings[i], 0);
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(blk_start(&e->b));
	return env_verify(e);
}

static void *use_own_device(void *arg)
{
	struct caller *c = arg;
	struct env own = *c->e;
	unsigned int i;

	for (i = 0; i < own.rounds && !c->res; i++) {
		uint8_t *out, *in;
		uint64_t sector = (c->nr + 1) * 1024;

		c->res = blk_open(&own.b, &own.opts);
		if (c->res)
			break;
		out = gmem_alloc(&own.b.mem, LEN, LEN);
		in = gmem_alloc(&own.b.mem, LEN, LEN);
		pattern_fill(out, LEN, sector, i + 1);
		c->res = blk_start(&own.b);
		if (!c->res)
			c->res = blk_rw(&own.b, 0, VIRTIO_BLK_T_OUT, sector, out, LEN);
		if (!c->res)
			c->res = blk_rw(&own.b, own.b.nqueues - 1, VIRTIO_BLK_T_IN, sector, in,
					LEN);
		if (!c->res && pattern_check(in, LEN, sector, i + 1) >= 0)
			c->res = -EILSEQ;
		blk_close(&own.b);
		c->calls++;
	}
	return NULL;
}

/* Eight disks on one store, opened, used and closed at once. */
static int openers(void *ctx)
{
	struct caller callers[THREADS] = { 0 };
	struct env *e = ctx;
	unsigned int i;

	if (env_store_is_file(e))
		SKIP("a file has one disk");
	for (i = 0; i < THREADS; i++) {
		callers[i].e = e;
		callers[i].nr = i;
		CHECK_EQ(pthread_create(&callers[i].thread, NULL, use_own_device, &callers[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(callers[i].thread, NULL);
	for (i = 0; i < THREADS; i++) {
		CHECK_EQ(callers[i].res, 0);
		CHECK_EQ(callers[i].calls, e->rounds);
	}
	return 0;
}

static int child_sleeps(struct env *e, void *arg)
{
	(void)e;
	(void)arg;
	proc_outlive_parent();
	pause();
	return 0;
}

/* Tells its child's number, and reads for ever. */
static int owner_with_child(struct env *e, void *arg)
{
	atomic_uint *child = arg;
	uint8_t *buf;
	unsigned int i;

	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_PASS(env_start_when_free(e));
	buf = gmem_alloc(&e->b.mem, LEN, LEN);
	for (i = 0; ; i++) {
		CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, i % 1024 * 8, buf, LEN),
			 VIRTIO_BLK_S_OK);
		if (i == 10)
			*child = proc_run(child_sleeps, e, NULL);
	}
}

/* The owner dies while a child of it has the device: that one closes it in the end. */
static int owner_killed(void *ctx)
{
	struct vmm_report *r = vmm_report_make();
	struct env *e = ctx;
	unsigned int i, ms;
	pid_t owner;

	CHECK(r, "out of memory");
	for (i = 0; i < e->rounds / 2 + 1; i++) {
		r->running = 0;
		owner = proc_run(owner_with_child, e, &r->running);
		CHECK(owner > 0, "no process");
		for (ms = 0; !r->running && ms < BLK_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK(r->running, "it has no child");
		usleep(20000);
		CHECK(proc_kill(owner), "the owner does not die");
		kill(r->running, SIGKILL);
	}
	vmm_report_free(r);
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_PASS(env_start_when_free(e));
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

/* Killed with requests in flight: what was acknowledged is on the store. */
static int owner_killed_writing(void *ctx)
{
	struct env *e = ctx;
	struct vmm_report *r = vmm_report_make();
	struct prng prng = { e->seed };
	unsigned int i, n, checked = 0;
	pid_t pid;

	CHECK(r, "out of memory");
	for (i = 0; i < e->rounds / 2 + 1; i++) {
		pid = vmm_run(e, r);
		CHECK(pid > 0, "no VMM: %d", pid);
		usleep(prng_range(&prng, 0, 300000));
		CHECK(proc_kill(pid), "the VMM does not die");
		for (n = 0; n < VMM_WRITES; n++) {
			if (!r->done[n])
				continue;
			CHECK_PASS(env_store_check(e, n * 8, VMM_LEN, r->generation));
			checked++;
		}
	}
	ktap_diag("%u acknowledged blocks found", checked);
	CHECK(checked, "no write was ever acknowledged");
	vmm_report_free(r);
	return 0;
}

static int threads_random_open(void *ctx)
{
	struct env *e = ctx;
	int res;

	CHECK_PASS(env_open(e));
	res = threads_random(e);
	env_close(e);
	return res;
}

static const struct ktap_test tests[] = {
	{ "threads_random", threads_random_open },
	KTAP_TEST(openers),
	KTAP_TEST(owner_killed),
	KTAP_TEST(owner_killed_writing),
};

const struct ktap_suite node_life_suite = {
	.name = "life",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
};
