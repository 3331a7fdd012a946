// SPDX-License-Identifier: GPL-2.0-only
/* Calls that meet I/O, signals and each other. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "blk_life.h"
#include "proc.h"

#define LEN		4096u
#define FAR_IOVA	0x7f0000000000ull
#define EXTRA_SIZE	(1 * MIB)

struct racer {
	struct env *e;
	atomic_bool stop;
	atomic_uint turns;
	int res;
	pthread_t thread;
};

static int racer_start(struct racer *r, struct env *e, void *(*fn)(void *))
{
	r->e = e;
	r->stop = false;
	r->turns = 0;
	r->res = 0;
	CHECK_EQ(pthread_create(&r->thread, NULL, fn, r), 0);
	return 0;
}

static int racer_stop(struct racer *r, const char *what)
{
	r->stop = true;
	pthread_join(r->thread, NULL);
	ktap_diag("%u %s", r->turns, what);
	CHECK(r->turns, "it never ran");
	return r->res;
}

/* One read, seen to its end by looking at the ring: nobody may be there to be called. */
static int polled_read(struct env *e)
{
	struct ring *r = &e->b.rings[0];
	size_t mark = gmem_mark(&e->b.mem);
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	unsigned int ms;

	blk_req_usual(&e->b.reqs[0], VIRTIO_BLK_T_IN, 0, buf, LEN);
	CHECK_OK(blk_queue(&e->b, 0, &e->b.reqs[0], RING_INDIRECT));
	ring_arm_call(r, 1);
	ring_publish(r);
	ring_kick(r);
	for (ms = 0; !ring_pending(r); ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "the read does not end");
		usleep(1000);
	}
	CHECK_EQ(blk_collect(&e->b, 0), 1);
	CHECK_EQ(*e->b.reqs[0].status, VIRTIO_BLK_S_OK);
	gmem_release(&e->b.mem, mark);
	return 0;
}

static void *replace_calls(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

		if (fd < 0 || vhost_set_vring_call(&r->e->b.v, 0, fd))
			r->res = KTAP_FAIL;
		/* The device keeps it for as long as it needs it; nobody else does. */
		close(fd);
		r->turns++;
	}
	return NULL;
}

/* The call eventfd replaced all the time, the old one gone at once. */
static int race_calls(void *ctx)
{
	struct env *e = ctx;
	struct racer r;
	unsigned int i;
	int res = 0;

	CHECK_PASS(env_start(e));
	CHECK_PASS(racer_start(&r, e, replace_calls));
	for (i = 0; i < e->rounds * 4 && !res; i++)
		res = polled_read(e);
	CHECK_PASS(racer_stop(&r, "call events"));
	CHECK_PASS(res);
	CHECK_PASS(env_verify_reset(e));
	return env_close(e);
}

/* Started again after a reset without saying whom to call: nobody is called. */
static int race_no_call(void *ctx)
{
	struct env *e = ctx;
	const struct vhost *v = &e->b.v;
	struct ring *r;
	unsigned int i;

	CHECK_PASS(env_start(e));
	CHECK_PASS(env_verify(e));
	r = &e->b.rings[0];
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(blk_reset(&e->b));
		ring_restart(r, i);
		CHECK_OK(vdpa_negotiate(v, e->b.features));
		CHECK_OK(vhost_set_vring_num(v, 0, r->num));
		CHECK_OK(vhost_set_vring_base(v, 0, i));
		CHECK_OK(vhost_set_vring_addr(v, 0, r->desc_iova, r->avail_iova, r->used_iova));
		CHECK_OK(vdpa_set_vring_enable(v, 0, 1));
		CHECK_OK(vdpa_driver_ok(v));
		CHECK_PASS(polled_read(e));
	}
	CHECK_PASS(env_verify_reset(e));
	return env_close(e);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void *send_signals(void *arg)
{
	struct racer *r = arg;

	while (!r->stop) {
		kill(getpid(), SIGUSR1);
		r->turns++;
		usleep(20);
	}
	return NULL;
}

/* Threads are made, and waited for, beneath a storm of signals. */
static int race_signals(void *ctx)
{
	struct env *e = ctx;
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct racer r;
	unsigned int i;
	int err = 0, res = 0;

	CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	CHECK_PASS(env_start(e));
	CHECK_PASS(racer_start(&r, e, send_signals));
	for (i = 0; i < e->rounds && !err && !res; i++) {
		err = blk_restart(&e->b, i);
		if (!err)
			res = polled_read(e);
	}
	CHECK_PASS(racer_stop(&r, "signals"));
	CHECK_OK(err);
	CHECK_PASS(res);
	CHECK_PASS(env_verify_reset(e));
	return env_close(e);
}

struct stopped {
	atomic_int child;
	atomic_int resets;
};

static int child_resets(struct env *e, void *arg)
{
	struct stopped *s = arg;

	/* Its parent may not come to say so for a while. */
	s->child = getpid();
	s->resets = 1;
	usleep(200000);
	blk_reset(&e->b);
	s->resets = 2;
	pause();
	return 0;
}

static int owner_forks(struct env *e, void *arg)
{
	struct stopped *s = arg;
	struct blk_req r;

	if (env_start(e))
		return 1;
	blk_req_init(&e->b, &r);
	blk_req_usual(&r, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	if (blk_submit(&e->b, 0, &r))
		return 1;
	if (proc_run(child_resets, e, s) < 0)
		return 1;
	pause();
	return 0;
}

/* An owner that stands still: the tools get an answer, and a reset does not wait for it. */
static int race_owner_stopped(void *ctx)
{
	struct env *e = ctx;
	struct stopped *s = (struct stopped *)vmm_report_make();
	const char *const argv[] = { "vdpa", "dev", "config", "show", e->opts.name, NULL };
	unsigned int ms;
	pid_t owner;

	CHECK(s, "out of memory");
	owner = proc_run(owner_forks, e, s);
	while (!s->resets && !proc_ended(owner))
		usleep(1000);
	CHECK(s->child > 0, "no child");
	kill(owner, SIGSTOP);
	usleep(500000);
	CHECK_EQ(proc_wait(proc_command(argv)), 0);
	for (ms = 0; s->resets != 2; ms += 10) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "the reset waits for the owner");
		usleep(10000);
	}
	kill(owner, SIGCONT);
	CHECK(proc_kill(owner), "the owner does not die");
	kill(s->child, SIGKILL);
	vmm_report_free((struct vmm_report *)s);
	for (ms = 0; blk_open(&e->b, &e->opts) == -EBUSY; ms += 10) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "the device stays taken");
		usleep(10000);
	}
	blk_close(&e->b);
	return life_goes_on(e);
}

/* A smaller size for a queue that runs, then a map that makes it look at its memory again. */
static int race_resize_and_map(void *ctx)
{
	struct env *e = ctx;
	struct gmem extra;
	unsigned int i;

	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	CHECK_PASS(env_start(e));
	for (i = 0; i < e->rounds; i++) {
		struct ring *r = &e->b.rings[0];
		uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
		unsigned int j;

		vhost_set_vring_num(&e->b.v, 0, 1u << i % 4);
		CHECK_OK(vhost_map_gmem(&e->b.v, &extra));
		for (j = 0; j < 8; j++) {
			struct blk_req req;

			blk_req_init(&e->b, &req);
			blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, LEN);
			CHECK_OK(blk_queue(&e->b, 0, &req, RING_INDIRECT));
			ring_publish(r);
			ring_kick(r);
		}
		usleep(1000);
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &extra));
		CHECK_PASS(env_verify_reset(e));
	}
	gmem_destroy(&extra);
	return env_close(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(race_calls),
	KTAP_TEST(race_no_call),
	KTAP_TEST(race_signals),
	KTAP_TEST(race_owner_stopped),
	KTAP_TEST(race_resize_and_map),
};

const struct ktap_suite blk_life_race_suite = {
	.name = "races",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
};
