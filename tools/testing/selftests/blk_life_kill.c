// SPDX-License-Identifier: GPL-2.0-only
/* VMMs that die, and devices that are removed beneath them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_life.h"
#include "proc.h"

#define ROUNDS(e)	((e)->rounds / 2 + 1)

/* What was acknowledged is on the store, past every cache of the backend. */
static int check_acked(struct env *e, const struct vmm_report *r)
{
	unsigned int n, checked = 0;

	for (n = 0; n < VMM_WRITES; n++) {
		if (!r->done[n])
			continue;
		CHECK_PASS(env_store_check(e, n * 8, VMM_LEN, r->generation));
		checked++;
	}
	ktap_diag("%u submitted, %u acknowledged, %u blocks compared", r->submitted, r->acked,
		  checked);
	return 0;
}

static int kill_in_flight(void *ctx)
{
	struct env *e = ctx;
	struct vmm_report *r = vmm_report_make();
	struct prng prng = { e->seed };
	unsigned int i, ms, acked = 0;
	pid_t pid;

	CHECK(r, "out of memory");
	for (i = 0; i < ROUNDS(e); i++) {
		pid = vmm_run(e, r);
		CHECK(pid > 0, "no VMM: %d", pid);
		usleep(prng_range(&prng, 0, 1000000));
		/* Once at least it has to be told of a write before it dies. */
		for (ms = 0; !i && !r->acked && ms < BLK_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK(proc_kill(pid), "the VMM does not die");
		acked += r->acked;
		CHECK_PASS(check_acked(e, r));
		CHECK_PASS(life_goes_on(e));
	}
	CHECK(acked, "no write was ever acknowledged");
	vmm_report_free(r);
	return 0;
}

static int submit_reads(struct env *e, struct blk_req *reqs, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		uint8_t *buf = gmem_alloc(&e->b.mem, 8192, 4096);

		blk_req_init(&e->b, &reqs[i]);
		/* Every other one is not aligned, and takes another way through the backend. */
		blk_req_usual(&reqs[i], VIRTIO_BLK_T_IN, i * 8, buf + i % 2 * 100, 4096);
		CHECK_OK(blk_submit(&e->b, i % e->b.nqueues, &reqs[i]));
	}
	return 0;
}

static int child_resets(struct env *e, void *arg)
{
	struct vmm_report *r = arg;
	struct blk_req reqs[8];

	if (env_start(e))
		return 1;
	for (;;) {
		size_t mark = gmem_mark(&e->b.mem);

		if (submit_reads(e, reqs, 8))
			return 1;
		r->running = 1;
		if (blk_restart(&e->b, 0))
			return 1;
		gmem_release(&e->b.mem, mark);
	}
}

static int child_suspends(struct env *e, void *arg)
{
	struct vmm_report *r = arg;
	struct blk_req reqs[8];

	if (env_start(e) || submit_reads(e, reqs, 8))
		return 1;
	r->running = 1;
	vdpa_suspend(&e->b.v);
	pause();
	return 0;
}

static void *close_thread(void *arg)
{
	vhost_close(arg);
	return NULL;
}

/* Closes in one thread what it uses in another. */
static int child_closes(struct env *e, void *arg)
{
	struct vmm_report *r = arg;
	struct blk_req reqs[8];
	pthread_t thread;

	if (env_start(e) || submit_reads(e, reqs, 8))
		return 1;
	pthread_create(&thread, NULL, close_thread, &e->b.v);
	r->running = 1;
	for (;;)
		blk_status(&e->b);
}

static int kill_child(struct env *e, int (*fn)(struct env *e, void *arg))
{
	struct vmm_report *r = vmm_report_make();
	struct prng prng = { e->seed };
	unsigned int i;

	CHECK(r, "out of memory");
	for (i = 0; i < ROUNDS(e); i++) {
		pid_t pid;

		r->running = 0;
		pid = proc_run(fn, e, r);
		while (!r->running && !proc_ended(pid))
			usleep(1000);
		CHECK(!proc_ended(pid), "the VMM ended by itself");
		usleep(prng_range(&prng, 0, 500000));
		CHECK(proc_kill(pid), "the VMM does not die");
		CHECK_PASS(life_goes_on(e));
	}
	vmm_report_free(r);
	return 0;
}

static int kill_in_reset(void *ctx)
{
	return kill_child(ctx, child_resets);
}

static int kill_in_suspend(void *ctx)
{
	return kill_child(ctx, child_suspends);
}

static int kill_in_close(void *ctx)
{
	return kill_child(ctx, child_closes);
}

/* Exits without a word, its requests in flight. */
static int child_exits(struct env *e, void *arg)
{
	struct blk_req reqs[8];

	(void)arg;
	return env_start(e) || submit_reads(e, reqs, 8);
}

static int kill_by_exit(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < ROUNDS(e); i++) {
		CHECK_EQ(proc_wait(proc_run(child_exits, e, NULL)), 0);
		CHECK_PASS(life_goes_on(e));
	}
	return 0;
}

/* Becomes another program, which inherits the device or does not. */
static int child_execs(struct env *e, void *arg)
{
	struct blk_req reqs[8];

	if (env_start(e) || submit_reads(e, reqs, 8))
		return 1;
	if (arg)
		fcntl(e->b.v.fd, F_SETFD, 0);
	execlp("sleep", "sleep", "1", NULL);
	return 1;
}

static int kill_by_exec(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		CHECK_EQ(proc_wait(proc_run(child_execs, e, i % 2 ? e : NULL)), 0);
		CHECK_PASS(life_goes_on(e));
	}
	return 0;
}

/* Stopped for a while, as by a debugger, and continued. */
static int kill_stopped(void *ctx)
{
	struct env *e = ctx;
	struct vmm_report *r = vmm_report_make();
	unsigned int acked, ms;
	pid_t pid;

	CHECK(r, "out of memory");
	pid = vmm_run(e, r);
	CHECK(pid > 0, "no VMM: %d", pid);
	kill(pid, SIGSTOP);
	usleep(700000);
	acked = r->acked;
	kill(pid, SIGCONT);
	for (ms = 0; r->acked == acked && ms < BLK_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK(r->acked > acked, "it did not go on");
	kill(pid, SIGSTOP);
	CHECK(proc_kill(pid), "the VMM does not die");
	CHECK_PASS(check_acked(e, r));
	vmm_report_free(r);
	return life_goes_on(e);
}

static pid_t run_del(struct env *e)
{
	const char *const argv[] = { "vdpa", "dev", "del", e->opts.name, NULL };

	return proc_command(argv);
}

static int run_add(struct env *e)
{
	const char *const argv[] = { "vdpa", "dev", "add", "name", e->opts.name, "mgmtdev",
		"pvio_vhost_blk", NULL };
	char path[64];

	CHECK_EQ(proc_wait(proc_command(argv)), 0);
	CHECK_OK(vdpa_find(e->opts.name, path, sizeof(path)));
	return 0;
}

/* After the removal there is no such device; it can be made again. */
static int check_removed(struct env *e, pid_t del)
{
	char path[64];

	CHECK_EQ(proc_wait(del), 0);
	CHECK(vdpa_find(e->opts.name, path, sizeof(path)) < 0, "%s is still there", path);
	CHECK_PASS(run_add(e));
	return life_goes_on(e);
}

/* "vdpa dev del" waits for the VMM to close; until then the disk works. */
static int del_while_open(void *ctx)
{
	struct env *e = ctx;
	struct blk_req reqs[8];
	unsigned int i;
	pid_t del;

	CHECK_PASS(env_start(e));
	CHECK_PASS(submit_reads(e, reqs, 8));
	del = run_del(e);
	CHECK(del > 0, "fork: %d", del);
	sleep(2);
	CHECK(!proc_ended(del), "it did not wait");
	for (i = 0; i < 8; i++) {
		CHECK_OK(blk_wait(&e->b, i % e->b.nqueues, &reqs[i]));
		CHECK_EQ(*reqs[i].status, VIRTIO_BLK_S_OK);
	}
	CHECK_PASS(env_verify(e));
	CHECK_PASS(env_verify_reset(e));
	CHECK_PASS(submit_reads(e, reqs, 8));
	CHECK(!proc_ended(del), "it did not wait");
	blk_close(&e->b);
	return check_removed(e, del);
}

static int del_and_kill(void *ctx)
{
	struct env *e = ctx;
	struct vmm_report *r = vmm_report_make();
	pid_t vmm, del;

	CHECK(r, "out of memory");
	vmm = vmm_run(e, r);
	CHECK(vmm > 0, "no VMM: %d", vmm);
	del = run_del(e);
	sleep(2);
	CHECK(!proc_ended(del), "it did not wait");
	CHECK(proc_kill(vmm), "the VMM does not die");
	CHECK_PASS(check_acked(e, r));
	vmm_report_free(r);
	return check_removed(e, del);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(kill_in_flight),
	KTAP_TEST(kill_in_reset),
	KTAP_TEST(kill_in_suspend),
	KTAP_TEST(kill_in_close),
	KTAP_TEST(kill_by_exit),
	KTAP_TEST(kill_by_exec),
	KTAP_TEST(kill_stopped),
	KTAP_TEST(del_while_open),
	KTAP_TEST(del_and_kill),
};

const struct ktap_suite blk_life_kill_suite = {
	.name = "death",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
};
