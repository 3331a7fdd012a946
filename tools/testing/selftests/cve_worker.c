// SPDX-License-Identifier: GPL-2.0-only
/* Threads and events that came to their end too early, or too late. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cve.h"
#include "proc.h"

static void kick_again(void *arg)
{
	eventfd_write(*(int *)arg, 1);
}

/*
 * Something was freed while others could still find it. Here a queue is kicked all the time while
 * its device is closed; the event outlives it.
 */
static int cve_2018_14625(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds * 2; i++) {
		struct cve_thread *t;
		int kick;

		CHECK_OK(blk_open(&e->b, &e->opts));
		CHECK_OK(blk_start(&e->b));
		kick = dup(e->b.rings[0].kick_fd);
		t = cve_thread_start(kick_again, &kick);
		CHECK_PASS(env_verify_queue(e, 0, 1024));
		blk_close(&e->b);
		cve_thread_stop(t);
		close(kick);
	}
	return 0;
}

static int owner_reads(struct env *e, void *arg)
{
	int fd = *(int *)arg;
	uint8_t *buf;
	unsigned int i;

	CHECK_OK(blk_adopt(&e->b, &e->opts, fd));
	CHECK_OK(blk_start(&e->b));
	buf = gmem_alloc(&e->b.mem, CVE_LEN, CVE_LEN);
	for (i = 0; ; i++)
		CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, i % 1024 * 8, buf, CVE_LEN),
			 VIRTIO_BLK_S_OK);
}

/* Threads of the kernel work for an owner, and are none of him. */
static bool workers_are_of(pid_t owner)
{
	char path[64];
	struct dirent *d;
	unsigned int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", owner);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n > 1;
}

static bool await_workers(bool some)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

	while (!cve_workers().n == some) {
		if (blk_now_ms() > end)
			return false;
		usleep(10000);
	}
	return true;
}

/*
 * The worker of an owner that was killed stayed for as long as somebody had the device. Here we
 * have it: its threads end, and it stays the dead owner's until it is closed.
 */
static int cve_2024_42135(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;
	bool theirs;

	for (i = 0; i < e->rounds / 4 + 1; i++) {
		int fd = open(e->opts.node, O_RDWR | O_CLOEXEC);
		pid_t owner;

		CHECK(fd >= 0, "%s", e->opts.node);
		CHECK_EQ(cve_workers().n, 0);
		owner = proc_run(owner_reads, e, &fd);
		CHECK(await_workers(true), "there is no worker");
		theirs = workers_are_of(owner);
		CHECK(proc_kill(owner), "the owner does not die");
		if (!theirs) {
			close(fd);
			SKIP("workers are threads of the kernel, and go with the last descriptor");
		}
		CHECK(await_workers(false), "they stay");

		e->b.v.fd = fd;
		CHECK_EQ(vhost_ioctl(&e->b.v, VHOST_SET_OWNER, NULL), -EBUSY);
		close(fd);
	}
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	blk_close(&e->b);
	return 0;
}

/*
 * A worker was woken after it had been freed. Here a queue is kicked all the time while its worker
 * changes, and the old one is freed at once.
 */
static int cve_2025_40024(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, first, next;
	struct cve_thread *t;

	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	CHECK_OK(vhost_new_worker(&e->b.v, &first));
	CHECK_OK(vhost_attach_worker(&e->b.v, 0, first));
	t = cve_thread_start(kick_again, &e->b.rings[0].kick_fd);
	for (i = 0; i < e->rounds * 5; i++) {
		CHECK_OK(vhost_new_worker(&e->b.v, &next));
		CHECK_OK(vhost_attach_worker(&e->b.v, 0, next));
		CHECK_OK(vhost_free_worker(&e->b.v, first));
		first = next;
		CHECK_PASS(env_verify_queue(e, 0, 1024));
	}
	cve_thread_stop(t);
	CHECK_PASS(env_verify(e));
	blk_close(&e->b);
	return 0;
}

struct caller {
	struct env *e;
	unsigned long changes;
};

static void change_call(void *arg)
{
	struct caller *c = arg;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (!vhost_set_vring_call(&c->e->b.v, 0, fd))
		c->changes++;
	close(fd);
	if (c->changes % 8 == 0)
		vhost_set_vring_call(&c->e->b.v, 0, -1);
}

/*
 * An interrupt's event was freed while it could still be signalled. Here the event is exchanged
 * and closed all the time while requests end.
 */
static int cve_2024_47748(void *ctx)
{
	struct env *e = ctx;
	struct caller c = { .e = e };
	struct cve_thread *t;
	unsigned int i;

	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	t = cve_thread_start(change_call, &c);
	for (i = 0; i < e->rounds; i++)
		CHECK_PASS(env_verify_queue(e, 0, 1024));
	cve_thread_stop(t);
	ktap_diag("%lu events beside %u rounds", c.changes, i);
	CHECK(c.changes > 0, "no event was set");
	CHECK_OK(vhost_set_vring_call(&e->b.v, 0, e->b.rings[0].call_fd));
	CHECK_PASS(env_verify(e));
	blk_close(&e->b);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(cve_2018_14625),
	KTAP_TEST(cve_2024_42135),
	KTAP_TEST(cve_2025_40024),
	KTAP_TEST(cve_2024_47748),
};

const struct ktap_suite cve_worker_suite = {
	.name = "threads",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
};
