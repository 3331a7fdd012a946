// SPDX-License-Identifier: GPL-2.0-only
/* Devices in more than one process, and whose work is done by whom. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blk_life.h"
#include "proc.h"

#define LEN	4096u

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS)
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

static int child_opens(struct env *e, void *arg)
{
	struct vhost v = { .fd = -1 };
	char path[64];
	int *socks = arg;

	if (vdpa_find(e->opts.name, path, sizeof(path)) || vhost_open(&v, path))
		return 1;
	return send_fd(socks[1], v.fd);
}

/* Opened by one process, which may open it, and used by another, which may not. */
static int share_passed(void *ctx)
{
	struct env *e = ctx;
	int socks[2], fd;
	pid_t pid;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks), 0);
	pid = proc_run(child_opens, e, socks);
	fd = receive_fd(socks[0]);
	CHECK(fd >= 0, "no file came: %s", strerror(-fd));
	CHECK_EQ(proc_wait(pid), 0);
	CHECK_OK(blk_adopt(&e->b, &e->opts, fd));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	CHECK_PASS(env_verify_reset(e));
	blk_close(&e->b);
	close(socks[0]);
	close(socks[1]);
	return life_goes_on(e);
}

static int submit_read(struct env *e, struct blk_req *r)
{
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);

	blk_req_init(&e->b, r);
	blk_req_usual(r, VIRTIO_BLK_T_IN, 0, buf, LEN);
	CHECK_OK(blk_submit(&e->b, 0, r));
	return 0;
}

static int child_leaves(struct env *e, void *arg)
{
	(void)e;
	(void)arg;
	return 0;
}

static int child_stays(struct env *e, void *arg)
{
	(void)arg;
	while (blk_status(&e->b))
		usleep(100);
	return 1;
}

/* A VMM that forks, as they do for helpers; the child leaves first, or has to be killed. */
static int share_forked(void *ctx)
{
	struct env *e = ctx;
	struct blk_req r;
	pid_t pid;

	CHECK_PASS(env_start(e));
	CHECK_PASS(submit_read(e, &r));
	CHECK_EQ(proc_wait(proc_run(child_leaves, e, NULL)), 0);
	CHECK_OK(blk_wait(&e->b, 0, &r));
	CHECK_PASS(env_verify(e));
	pid = proc_run(child_stays, e, NULL);
	CHECK_PASS(env_verify(e));
	CHECK(proc_kill(pid), "the child does not die");
	CHECK_PASS(env_verify(e));
	blk_close(&e->b);
	return life_goes_on(e);
}

struct heir {
	int socks[2];	/* where the child of the VMM waits for a byte, and answers with one */
};

static int say(int sock, char byte)
{
	return send(sock, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static char hear(int sock)
{
	char byte = 0;

	return recv(sock, &byte, 1, 0) == 1 ? byte : 0;
}

/* Left over with the file of a VMM that is gone. Nothing it calls may hang or crash. */
static int heir_main(struct env *e, void *arg)
{
	struct heir *h = arg;
	unsigned int q, base;

	proc_outlive_parent();
	say(h->socks[1], 'r');
	hear(h->socks[1]);
	for (q = 0; q < e->b.nqueues; q++) {
		ring_kick(&e->b.rings[q]);
		vhost_get_vring_base(&e->b.v, q, &base);
	}
	vdpa_suspend(&e->b.v);
	blk_restart(&e->b, 0);
	ring_kick(&e->b.rings[0]);
	vhost_unmap_gmem(&e->b.v, &e->b.mem);
	vhost_map_gmem(&e->b.v, &e->b.mem);
	if (vdpa_set_status(&e->b.v, 0))
		return 1;
	say(h->socks[1], 'd');
	hear(h->socks[1]);
	return 0;
}

static int child_forks_and_waits(struct env *e, void *arg)
{
	struct blk_req r[2];

	if (env_start(e) || submit_read(e, &r[0]) || proc_run(heir_main, e, arg) < 0 ||
	    submit_read(e, &r[1]))
		return 1;
	pause();
	return 0;
}

/* The VMM is killed, its child still has the device: it stays taken until that is gone as well. */
static int share_orphaned(void *ctx)
{
	struct env *e = ctx;
	struct heir h;
	struct blk other;
	unsigned int ms;
	pid_t vmm;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, h.socks), 0);
	vmm = proc_run(child_forks_and_waits, e, &h);
	CHECK_EQ(hear(h.socks[0]), 'r');
	CHECK(proc_kill(vmm), "the VMM does not die");
	CHECK_EQ(blk_open(&other, &e->opts), -EBUSY);
	CHECK_OK(say(h.socks[0], 'g'));
	CHECK_EQ(hear(h.socks[0]), 'd');
	CHECK_EQ(blk_open(&other, &e->opts), -EBUSY);
	CHECK_OK(say(h.socks[0], 'g'));
	for (ms = 0; blk_open(&other, &e->opts) == -EBUSY; ms += 10) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "the device stays taken");
		usleep(10000);
	}
	blk_close(&other);
	close(h.socks[0]);
	close(h.socks[1]);
	return life_goes_on(e);
}

static int child_starts(struct env *e, void *arg)
{
	(void)arg;
	return vdpa_driver_ok(&e->b.v) ? 1 : 0;
}

/* DRIVER_OK from a process that is not the owner, and ends at once. */
static int share_started_elsewhere(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(env_open(e));
	CHECK_OK(blk_prepare(&e->b));
	proc_wait(proc_run(child_starts, e, NULL));
	ring_kick(&e->b.rings[0]);
	CHECK_PASS(env_verify_reset(e));
	blk_close(&e->b);
	return life_goes_on(e);
}

/* Who works is a thread of the VMM: it counts there, and goes with it. */
static int share_worker(void *ctx)
{
	struct env *e = ctx;
	unsigned int before = proc_threads(), ms;

	CHECK_PASS(env_open(e));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	CHECK(proc_threads() > before, "no thread of the VMM does the work");
	ktap_diag("%u queues, %u threads", e->b.nqueues, proc_threads() - before);
	CHECK(proc_threads() - before <= e->b.nqueues + 1, "more threads than queues");
	blk_close(&e->b);
	for (ms = 0; proc_threads() > before; ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS, "%u threads are left", proc_threads() - before);
		usleep(1000);
	}
	return 0;
}

/* Without privileges, and without the right to one more thread. */
static int child_has_no_threads(struct env *e, void *arg)
{
	struct vhost v = { .fd = -1 };
	char path[64];
	uint8_t *buf;
	int err;

	(void)arg;
	if (vdpa_find(e->opts.name, path, sizeof(path)) || vhost_open(&v, path))
		return 1;
	setrlimit(RLIMIT_NPROC, &(struct rlimit){ 1, 1 });
	if (setgid(65534) || setuid(65534))
		return 1;
	err = blk_adopt(&e->b, &e->opts, v.fd);
	if (!err)
		err = blk_start(&e->b);
	if (!err) {
		buf = gmem_alloc(&e->b.mem, LEN, LEN);
		err = blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, 0, buf, LEN);
	}
	ktap_diag("without threads: %s", strerror(-err));
	return err == -ETIMEDOUT;
}

/* It works there or it fails, but it does not hang. */
static int share_no_threads(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < 3; i++)
		CHECK_EQ(proc_wait(proc_run(child_has_no_threads, e, NULL)), 0);
	return life_goes_on(e);
}

/* Opened and closed over and over, at every stage. */
static int share_open_close(void *ctx)
{
	struct env *e = ctx;
	struct blk_req r[4];
	unsigned int i, j;

	for (i = 0; i < e->rounds * 4; i++) {
		CHECK_PASS(env_open(e));
		if (i % 4 > 0)
			CHECK_OK(blk_prepare(&e->b));
		if (i % 4 > 1)
			CHECK_OK(vdpa_driver_ok(&e->b.v));
		for (j = 0; j < 4 && i % 4 == 3; j++)
			CHECK_PASS(submit_read(e, &r[j]));
		blk_close(&e->b);
	}
	return life_goes_on(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(share_passed),
	KTAP_TEST(share_forked),
	KTAP_TEST(share_orphaned),
	KTAP_TEST(share_started_elsewhere),
	KTAP_TEST(share_worker),
	KTAP_TEST(share_no_threads),
	KTAP_TEST(share_open_close),
};

const struct ktap_suite blk_life_share_suite = {
	.name = "processes",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
};
