// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever can fail within a call fails once, each in its turn: the call does as it is told, or
 * refuses and has done nothing. Needs a kernel with fault injection.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "faults.h"

#define LEN		4096u
#define FAR_IOVA	0x7f0000000000ull
#define EXTRA_SIZE	(64u * 1024)
#define DISK		"/sys/kernel/config/pvio_blk/faulty"
#define DISK_STORE	"/dev/nullextra"
/* The first queue has work to do when the start is asked for; then a queue can't be had. */
static int start_once(struct env *e, struct faults *f)
{
	struct ring *r;
	struct blk_req req;
	uint8_t status, *buf;

	CHECK_PASS(env_open(e));
	CHECK_OK(blk_prepare(&e->b));
	r = &e->b.rings[0];
	buf = gmem_alloc(&e->b.mem, LEN, LEN);
	blk_req_init(&e->b, &req);
	blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, LEN);
	CHECK_OK(blk_queue(&e->b, 0, &req, RING_INDIRECT));
	ring_publish(r);
	ring_kick(r);

	status = blk_status(&e->b) | VIRTIO_CONFIG_S_DRIVER_OK;
	faults_begin(f);
	faults_end(f, vdpa_set_status(&e->b.v, status));
	if (!(blk_status(&e->b) & VIRTIO_CONFIG_S_DRIVER_OK)) {
		f->refused++;
		usleep(1000);
		CHECK(!ring_pending(r), "a device that did not start has done something");
		CHECK_OK(vdpa_driver_ok(&e->b.v));
	}
	CHECK_OK(blk_wait(&e->b, 0, &req));
	CHECK_EQ(*req.status, VIRTIO_BLK_S_OK);
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

static int fault_start(void *ctx)
{
	struct faults f;

	CHECK_PASS(faults_open(&f));
	do {
		CHECK_PASS(start_once(ctx, &f));
	} while (faults_next(&f));
	return faults_close(&f, "a start");
}

/* More memory, which can't be taken over: the queues break, or go on; a reset heals. */
static int map_once(struct env *e, struct gmem *extra, struct faults *f)
{
	CHECK_PASS(env_start(e));
	faults_begin(f);
	if (faults_end(f, vhost_map_gmem(&e->b.v, extra))) {
		f->refused++;
		CHECK_OK(vhost_map_gmem(&e->b.v, extra));
		CHECK_PASS(env_verify_reset(e));
	}
	CHECK_PASS(env_verify(e));
	CHECK_OK(vhost_unmap_gmem(&e->b.v, extra));
	return env_close(e);
}

static int fault_map(void *ctx)
{
	struct env *e = ctx;
	struct faults f;
	struct gmem extra;

	CHECK_PASS(faults_open(&f));
	CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
	do {
		CHECK_PASS(map_once(e, &extra, &f));
	} while (faults_next(&f));
	gmem_destroy(&extra);
	return faults_close(&f, "a map");
}

static int fault_call(void *ctx)
{
	struct env *e = ctx;
	struct faults f;

	CHECK_PASS(faults_open(&f));
	CHECK_PASS(env_start(e));
	do {
		const struct ring *r = &e->b.rings[0];

		faults_begin(&f);
		if (faults_end(&f, vhost_set_vring_call(&e->b.v, 0, r->call_fd))) {
			f.refused++;
			CHECK_OK(vhost_set_vring_call(&e->b.v, 0, r->call_fd));
		}
		CHECK_PASS(env_verify(e));
	} while (faults_next(&f));
	CHECK_PASS(env_close(e));
	return faults_close(&f, "a call event");
}

static int write_path(void)
{
	int fd = open(DISK "/path", O_WRONLY | O_CLOEXEC);
	int err = fd < 0 ? -errno : 0;

	if (!err && write(fd, DISK_STORE, sizeof(DISK_STORE) - 1) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int disk_once(struct faults *f)
{
	faults_begin(f);
	if (faults_end(f, mkdir(DISK, 0755))) {
		f->refused++;
		CHECK_OK(mkdir(DISK, 0755) ? -errno : 0);
	}
	CHECK_OK(rmdir(DISK) ? -errno : 0);
	return 0;
}

static int path_once(struct faults *f)
{
	CHECK_OK(mkdir(DISK, 0755) ? -errno : 0);
	faults_begin(f);
	if (faults_end(f, write_path())) {
		f->refused++;
		CHECK_OK(write_path());
	}
	CHECK_OK(rmdir(DISK) ? -errno : 0);
	return 0;
}

static int fault_configfs(void *ctx)
{
	struct faults f;

	(void)ctx;
	CHECK_PASS(faults_open(&f));
	do {
		CHECK_PASS(disk_once(&f));
	} while (faults_next(&f));
	CHECK_PASS(faults_close(&f, "a disk"));
	CHECK_PASS(faults_open(&f));
	do {
		CHECK_PASS(path_once(&f));
	} while (faults_next(&f));
	return faults_close(&f, "a path");
}

static const struct ktap_test tests[] = {
	KTAP_TEST(fault_start),
	KTAP_TEST(fault_map),
	KTAP_TEST(fault_call),
	KTAP_TEST(fault_configfs),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "faults",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 900,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
