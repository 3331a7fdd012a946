// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMMs that go while the network has frames of theirs: what is the VMM's alone keeps nobody, and
 * the frames arrive as they were.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net_zcopy.h"
#include "proc.h"

#define MODULE	"/sys/module/pvio_vhost_net/refcnt"

/* How long something that isn't to happen has to happen. */
#define STILL_US	200000

/* What a VMM tells, and what it does when its frames are on their way. */
struct victim {
	struct net_env *e;
	int (*then)(struct net_env *e);
	atomic_int started;	/* 1 + how that ended */
};

static int module_refs(void)
{
	FILE *f = fopen(MODULE, "re");
	int refs = -1;

	if (f && fscanf(f, "%d", &refs) != 1)
		refs = -1;
	if (f)
		fclose(f);
	return refs;
}

static int await_refs(int refs)
{
	unsigned int ms;

	for (ms = 0; module_refs() != refs && ms < NET_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK_EQ(module_refs(), refs);
	return 0;
}

static int start_all(struct net_env *e)
{
	CHECK_PASS(zcopy_start(e));
	CHECK_PASS(zcopy_put_all(e));
	return zcopy_await_in_flight(e, ZCOPY_NR);
}

static int victim_main(struct env *none, void *arg)
{
	struct victim *v = arg;
	int res = start_all(v->e);

	(void)none;
	v->started = 1 + res;
	CHECK_PASS(res);
	return v->then(v->e);
}

/* Starts a VMM whose frames wait in the plug. */
static int run(struct victim *v, pid_t *pid)
{
	unsigned int ms;

	v->started = 0;
	*pid = proc_run(victim_main, NULL, v);
	CHECK(*pid > 0, "no process");
	for (ms = 0; !v->started && ms < NET_HANG_LIMIT_MS && !proc_ended(*pid); ms++)
		usleep(1000);
	if (v->started == 1)
		return zcopy_listen();
	proc_kill(*pid);
	CHECK(v->started, "it doesn't start");
	return v->started - 1;
}

static struct victim *victim_make(struct net_env *e, int (*then)(struct net_env *e))
{
	struct victim *v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (v == MAP_FAILED)
		return NULL;
	v->e = e;
	v->then = then;
	e->opts.own_memory = true;
	return v;
}

static int sleeps(struct net_env *e)
{
	(void)e;
	while (pause() < 0)
		;
	return 0;
}

static int exits(struct net_env *e)
{
	(void)e;
	return 0;
}

/* These wait for the frames. */
static int detaches(struct net_env *e)
{
	return net_attach(&e->n, NET_TX, -1);
}

static int resets(struct net_env *e)
{
	return vhost_ioctl(&e->n.v, VHOST_RESET_OWNER, NULL);
}

static int closes(struct net_env *e)
{
	vhost_close(&e->n.v);
	return 0;
}

/* It is gone before its frames are; these are the module's until then, and whole. */
static int goes(struct net_env *e, int (*then)(struct net_env *e), bool by_itself)
{
	struct victim *v = victim_make(e, then);
	int refs = module_refs();
	pid_t pid;

	CHECK(v, "out of memory");
	CHECK(refs >= 0, "the module is not there");
	CHECK_PASS(run(v, &pid));
	usleep(STILL_US);
	if (by_itself)
		CHECK_EQ(proc_wait(pid), 0);
	else
		CHECK(proc_kill(pid), "it doesn't die while its frames are on their way");
	CHECK_EQ(module_refs(), refs + ZCOPY_NR);
	CHECK_PASS(zcopy_release());
	CHECK_PASS(zcopy_take_all(-1));
	CHECK_PASS(await_refs(refs));
	munmap(v, sizeof(*v));
	return 0;
}

static int zcopy_killed(void *ctx)
{
	return goes(ctx, sleeps, false);
}

static int zcopy_exited(void *ctx)
{
	return goes(ctx, exits, true);
}

static int zcopy_killed_detaching(void *ctx)
{
	return goes(ctx, detaches, false);
}

static int zcopy_killed_resetting(void *ctx)
{
	return goes(ctx, resets, false);
}

static int zcopy_killed_closing(void *ctx)
{
	return goes(ctx, closes, false);
}

/* The frames end just when it is killed. */
static int zcopy_killed_racing(void *ctx)
{
	struct net_env *e = ctx;
	struct victim *v = victim_make(e, sleeps);
	int refs = module_refs();
	unsigned int i;
	pid_t pid, other;

	CHECK(v, "out of memory");
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(run(v, &pid));
		fflush(NULL);
		other = fork();
		if (!other)
			_exit(zcopy_release() ? 1 : 0);
		usleep(i % 8 * 2000);
		CHECK(proc_kill(pid), "it doesn't die");
		CHECK_EQ(proc_wait(other), 0);
		CHECK_PASS(zcopy_take_all(-1));
		CHECK_PASS(await_refs(refs));
		zcopy_end(e);
	}
	munmap(v, sizeof(*v));
	return 0;
}

/* In memory that others have as well the guest may live on, so that this is waited for. */
static int zcopy_killed_shared(void *ctx)
{
	struct net_env *e = ctx;
	struct victim *v = victim_make(e, sleeps);
	int refs = module_refs();
	pid_t pid;

	CHECK(v, "out of memory");
	e->opts.own_memory = false;
	CHECK_PASS(run(v, &pid));
	kill(pid, SIGKILL);
	usleep(STILL_US);
	CHECK(!proc_ended(pid), "it is gone before its frames are");
	CHECK_PASS(zcopy_release());
	CHECK_PASS(zcopy_take_all(-1));
	CHECK(proc_kill(pid), "it doesn't die");
	CHECK_PASS(await_refs(refs));
	munmap(v, sizeof(*v));
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(zcopy_killed),
	KTAP_TEST(zcopy_exited),
	KTAP_TEST(zcopy_killed_detaching),
	KTAP_TEST(zcopy_killed_resetting),
	KTAP_TEST(zcopy_killed_closing),
	KTAP_TEST(zcopy_killed_racing),
	KTAP_TEST(zcopy_killed_shared),
};

const struct ktap_suite net_zcopy_kill_suite = {
	.name = "without a copy, VMMs that go",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.teardown = zcopy_end,
};
