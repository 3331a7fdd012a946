// SPDX-License-Identifier: GPL-2.0-only
/* The store, the configuration, the serial number, the workers. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "node.h"
#include "proc.h"

#define LEN	4096u

static int set_backend(struct env *e, unsigned int index, int fd)
{
	struct vhost_vring_file f = { .index = index, .fd = fd };

	return vhost_ioctl(&e->b.v, VHOST_BLK_SET_BACKEND, &f);
}

static int try_path(struct env *e, const char *path, int flags, int want)
{
	int fd = open(path, flags | O_CLOEXEC);
	int got;

	CHECK(fd >= 0, "can't open %s", path);
	got = set_backend(e, 0, fd);
	close(fd);
	ktap_diag("%s", path);
	CHECK_EQ(got, want);
	return 0;
}

static int store_values(void *ctx)
{
	struct env *e = ctx;
	int pipes[2];

	CHECK_EQ(set_backend(e, 1, e->b.store_fd), -ENOBUFS);
	CHECK_EQ(set_backend(e, ~0u, e->b.store_fd), -ENOBUFS);
	CHECK_EQ(set_backend(e, 0, 1 << 20), -EBADF);
	CHECK_EQ(set_backend(e, 0, -2), -EBADF);
	CHECK_EQ(set_backend(e, 0, -1), 0);
	CHECK_EQ(set_backend(e, 0, e->b.v.fd), -ENOTBLK);
	CHECK_EQ(set_backend(e, 0, e->b.config_fd), -ENOTBLK);
	CHECK_PASS(try_path(e, "/dev/null", O_RDWR, -ENOTBLK));
	CHECK_PASS(try_path(e, "/tmp", O_RDONLY | O_DIRECTORY, -ENOTBLK));
	CHECK_PASS(try_path(e, "/proc/version", O_RDONLY, -EINVAL));
	CHECK_PASS(try_path(e, e->store, O_WRONLY, -EBADF));
	CHECK_PASS(try_path(e, e->store, O_PATH, -EBADF));
	CHECK_EQ(pipe2(pipes, O_CLOEXEC), 0);
	CHECK_EQ(set_backend(e, 0, pipes[0]), -ENOTBLK);
	close(pipes[0]);
	close(pipes[1]);

	CHECK_EQ(set_backend(e, 0, e->b.store_fd), 0);
	CHECK_EQ(set_backend(e, 0, e->b.store_fd), -EBUSY);
	CHECK_EQ(set_backend(e, 0, -1), 0);
	CHECK_EQ(set_backend(e, 0, -1), 0);
	return 0;
}

/* The descriptor may be closed, and used for something else. */
static int store_closed(void *ctx)
{
	struct env *e = ctx;

	CHECK_OK(blk_start(&e->b));
	CHECK_EQ(dup2(e->b.config_fd, e->b.store_fd), e->b.store_fd);
	CHECK_PASS(env_verify(e));
	return 0;
}

static int store_readonly(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	int fd;

	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify_queue(e, 0, 0));
	CHECK_OK(blk_reset(&e->b));
	fd = open(e->store, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0, "can't open the store");
	CHECK_EQ(dup2(fd, e->b.store_fd), e->b.store_fd);
	close(fd);
	ring_restart(&e->b.rings[0], 0);
	CHECK_OK(blk_start(&e->b));
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, 0, buf, LEN), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, 0, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	return 0;
}

/* Stopped and started, the rings go on where they were. */
static int store_parked(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, q, base;

	CHECK_OK(blk_start(&e->b));
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(env_verify(e));
		CHECK_EQ(set_backend(e, 0, -1), 0);
		for (q = 0; q < e->b.nqueues; q++) {
			CHECK_OK(vhost_get_vring_base(&e->b.v, q, &base));
			CHECK_EQ(base, e->b.rings[q].avail_idx);
		}
		CHECK_EQ(set_backend(e, 0, e->b.store_fd), 0);
	}
	return env_verify(e);
}

/* What is in flight when it is stopped is completed, and shown. */
static int store_parked_in_flight(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, 16 * LEN, LEN);
	struct blk_req req[16];
	unsigned int i, n, base;

	CHECK_OK(blk_start(&e->b));
	for (n = 0; n < 16; n++)
		blk_req_init(&e->b, &req[n]);
	for (i = 0; i < e->rounds; i++) {
		for (n = 0; n < 16; n++) {
			blk_req_usual(&req[n], VIRTIO_BLK_T_IN, n * 8, buf + n * LEN, LEN);
			CHECK_OK(blk_submit(&e->b, 0, &req[n]));
		}
		CHECK_EQ(set_backend(e, 0, -1), 0);
		CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
		CHECK_EQ((uint16_t)(e->b.rings[0].avail_idx - base),
			 ring_in_flight(&e->b.rings[0]) - ring_pending(&e->b.rings[0]));
		CHECK_EQ(set_backend(e, 0, e->b.store_fd), 0);
		CHECK_OK(blk_drain(&e->b, 0));
	}
	return env_verify(e);
}

static int serial_number(void *ctx)
{
	struct env *e = ctx;
	char serial[VIRTIO_BLK_ID_BYTES] = "no zero at the end!!";
	char *got = gmem_alloc(&e->b.mem, 32, 16);

	CHECK_OK(blk_start(&e->b));
	EXPECT(e, 0, VHOST_BLK_SET_SERIAL, serial);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_ID, 0, got, sizeof(serial)), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(got, serial, sizeof(serial)), "it says %.20s", got);
	memset(serial, 'x', 3);
	EXPECT(e, 0, VHOST_BLK_SET_SERIAL, serial);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_ID, 0, got, sizeof(serial)), VIRTIO_BLK_S_OK);
	CHECK(!memcmp(got, serial, sizeof(serial)), "it says %.20s", got);
	return 0;
}

static int set_lifetime(struct env *e, uint16_t pre_eol, uint16_t a, uint16_t b, uint16_t rest)
{
	const struct vhost_blk_lifetime l = { pre_eol, a, b, rest };

	return vhost_ioctl(&e->b.v, VHOST_BLK_SET_LIFETIME, (void *)&l);
}

static int check_lifetime(struct env *e, uint8_t pre_eol, uint8_t a, uint8_t b)
{
	uint8_t *got = gmem_alloc(&e->b.mem, 8, 8);

	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_LIFETIME, 0, got, 6), VIRTIO_BLK_S_OK);
	CHECK_EQ(got[0], pre_eol);
	CHECK_EQ(got[2], a);
	CHECK_EQ(got[4], b);
	return 0;
}

static int lifetime(void *ctx)
{
	struct env *e = ctx;

	CHECK_EQ(set_lifetime(e, 4, 0, 0, 0), -EINVAL);
	CHECK_EQ(set_lifetime(e, 0, 12, 0, 0), -EINVAL);
	CHECK_EQ(set_lifetime(e, 0, 0, 12, 0), -EINVAL);
	CHECK_EQ(set_lifetime(e, 0, 0, 0, 1), -EINVAL);
	CHECK_EQ(set_lifetime(e, 3, 11, 0, 0), 0);
	/* It is offered now; the client looked before. */
	e->b.features |= BIT(VIRTIO_BLK_F_LIFETIME);
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(check_lifetime(e, 3, 11, 0));
	CHECK_EQ(set_lifetime(e, 1, 2, 3, 0), 0);
	return check_lifetime(e, 1, 2, 3);
}

static int lifetime_late(void *ctx)
{
	struct env *e = ctx;
	uint8_t *got = gmem_alloc(&e->b.mem, 8, 8);

	CHECK_OK(blk_start(&e->b));
	CHECK_EQ(set_lifetime(e, 1, 2, 3, 0), -EBUSY);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_GET_LIFETIME, 0, got, 6), VIRTIO_BLK_S_UNSUPP);
	return 0;
}

static int config_part(struct env *e, unsigned long request, uint32_t off, uint32_t len)
{
	uint8_t room[sizeof(struct vhost_vdpa_config) + 256] = { 0 };
	struct vhost_vdpa_config *part = (void *)room;

	part->off = off;
	part->len = len;
	return vhost_ioctl(&e->b.v, request, part);
}

static int config_bounds(void *ctx)
{
	struct env *e = ctx;
	uint32_t size = 0, off;

	EXPECT(e, 0, VHOST_VDPA_GET_CONFIG_SIZE, &size);
	CHECK(size >= offsetof(struct virtio_blk_config, write_zeroes_may_unmap), "size %u", size);
	CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, 0, size), -ENXIO);
	CHECK_EQ(config_part(e, VHOST_VDPA_SET_CONFIG, 0, size), -ENXIO);
	CHECK_OK(blk_start(&e->b));
	for (off = 0; off < size; off++) {
		CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, off, size - off), 0);
		CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, off, size - off + 1), -EINVAL);
		CHECK_EQ(config_part(e, VHOST_VDPA_SET_CONFIG, off, size - off + 1), -EINVAL);
		CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, off, 0), -EINVAL);
	}
	CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, size, 1), -EINVAL);
	CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, ~0u, 1), -EINVAL);
	CHECK_EQ(config_part(e, VHOST_VDPA_GET_CONFIG, 1, ~0u), -EINVAL);
	return 0;
}

/* Nothing but the cache mode can be written, and that by who negotiated it. */
static int config_write(void *ctx)
{
	struct virtio_blk_config before, after;
	uint32_t size = sizeof(before);
	uint8_t junk[sizeof(before)], wce;
	struct env *e = ctx;

	if (size > e->b.config_size)
		size = e->b.config_size;
	CHECK_OK(blk_start(&e->b));
	CHECK_OK(vdpa_get_config(&e->b.v, 0, &before, size));
	CHECK_EQ(before.wce, 1);
	memset(junk, 0xff, sizeof(junk));
	CHECK_OK(vdpa_set_config(&e->b.v, 0, junk, size));
	CHECK_OK(vdpa_get_config(&e->b.v, 0, &after, size));
	CHECK(!memcmp(&before, &after, size), "the configuration has changed");
	for (wce = 0; wce < 2; wce++) {
		CHECK_OK(vdpa_set_config(&e->b.v, offsetof(struct virtio_blk_config, wce), &wce,
					 1));
		CHECK_OK(vdpa_get_config(&e->b.v, 0, &after, size));
		CHECK_EQ(after.wce, wce);
		CHECK_PASS(env_verify(e));
	}
	return 0;
}

/* The store grows and shrinks beneath a disk that is in use. */
static int resized(void *ctx)
{
	struct env *e = ctx;
	uint64_t before = blk_capacity(&e->b), grown = before + 2048, now;
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	struct pollfd p = { .fd = e->b.config_fd, .events = POLLIN };
	uint64_t n;

	if (!env_store_is_file(e))
		SKIP("the store has its size");
	EXPECT(e, -ENXIO, VHOST_BLK_RESIZE, NULL);
	CHECK_OK(blk_start(&e->b));
	EXPECT(e, 0, VHOST_BLK_RESIZE, NULL);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(truncate(e->store, grown * SECTOR_SIZE), 0);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, before, buf, LEN), VIRTIO_BLK_S_IOERR);
	EXPECT(e, 0, VHOST_BLK_RESIZE, NULL);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(e->b.config_fd, &n, sizeof(n)), sizeof(n));
	CHECK_OK(vdpa_get_config(&e->b.v, 0, &now, sizeof(now)));
	CHECK_EQ(le64toh(now), grown);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, grown - LEN / SECTOR_SIZE, buf, LEN),
		 VIRTIO_BLK_S_OK);

	/* Until the disk is told, what is cut off reads as zeroes. */
	CHECK_EQ(truncate(e->store, before * SECTOR_SIZE), 0);
	memset(buf, 1, LEN);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, before, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK(bytes_check(buf, LEN, 0) < 0, "not zeroes");
	EXPECT(e, 0, VHOST_BLK_RESIZE, NULL);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, before, buf, LEN), VIRTIO_BLK_S_IOERR);
	return env_verify(e);
}

static int config_event(void *ctx)
{
	struct env *e = ctx;
	int fds[2] = { -1, 1 << 20 };

	EXPECT(e, 0, VHOST_VDPA_SET_CONFIG_CALL, &fds[0]);
	EXPECT(e, -EBADF, VHOST_VDPA_SET_CONFIG_CALL, &fds[1]);
	EXPECT(e, -EINVAL, VHOST_VDPA_SET_CONFIG_CALL, &e->b.v.fd);
	EXPECT(e, 0, VHOST_VDPA_SET_CONFIG_CALL, &e->b.config_fd);
	return 0;
}

/* Threads of this process that serve queues. */
static unsigned int workers(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	unsigned int n = 0;

	while (dir && (d = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", d->d_name);
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f))
			n += !strncmp(name, "pv", 2) && isdigit(name[2]);
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return n;
}

static int await_workers(unsigned int want)
{
	unsigned int ms;

	for (ms = 0; workers() != want && ms < BLK_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK_EQ(workers(), want);
	return 0;
}

static int workers_number(void *ctx)
{
	static const int bad[] = { 0, -1, 65, 1 << 30, -2147483647 };
	/* Before vhost tasks a worker is a thread of the kernel. */
	bool ours;
	struct env *e = ctx;
	unsigned int i;
	int n;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		n = bad[i];
		EXPECT(e, -EINVAL, VHOST_SET_NWORKERS, &n);
	}
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	ours = workers();
	for (n = 1; n <= 8; n++) {
		CHECK_OK(blk_reset(&e->b));
		for (i = 0; i < e->b.nqueues; i++)
			ring_restart(&e->b.rings[i], 0);
		EXPECT(e, 0, VHOST_SET_NWORKERS, &n);
		CHECK_OK(blk_start(&e->b));
		CHECK_PASS(env_verify(e));
		if (ours)
			CHECK_PASS(await_workers(n < (int)e->b.nqueues ? n : (int)e->b.nqueues));
	}
	CHECK_OK(blk_reset(&e->b));
	return ours ? await_workers(0) : 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(store_values),
	KTAP_TEST(store_closed),
	KTAP_TEST(store_readonly),
	KTAP_TEST(store_parked),
	KTAP_TEST(store_parked_in_flight),
	KTAP_TEST(serial_number),
	KTAP_TEST(lifetime),
	KTAP_TEST(lifetime_late),
	KTAP_TEST(config_bounds),
	KTAP_TEST(config_write),
	KTAP_TEST(config_event),
	KTAP_TEST(resized),
	KTAP_TEST(workers_number),
};

const struct ktap_suite node_store_suite = {
	.name = "the store",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = env_open,
	.teardown = env_close,
};
