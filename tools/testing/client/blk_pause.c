// SPDX-License-Identifier: GPL-2.0-only
/*
 * blk_pause DISK|SOCKET - what a guest sees of a back-end that is replaced: reads 4 KiB every
 * 200 ms, tells of each read that took longer than 50 ms how many milliseconds it took, and now
 * and then that it is still there. It ends where a read fails, or finds other data than before. On
 * a vhost-user back-end's socket it is the VMM, too, and connects anew every 100 ms to one that is
 * gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kept.h"

#define BLOCK		4096u
#define BLOCKS		32u
#define SECTORS		(BLOCK / 512)
#define EVERY_MS	200
#define AGAIN_MS	100
#define TOLD_MS		50
#define ALIVE_MS	2000
#define RING_MEMORY	(4ul << 20)

struct disk {
	/* 0 or a negative errno. */
	int (*open)(struct disk *d, const char *path);
	int (*read)(struct disk *d, unsigned int block);
	int (*rest)(struct disk *d);
	uint8_t *buf;
	int fd;
	struct blk b;
	struct blk_req r;
	struct kept kept;
};

static int file_open(struct disk *d, const char *path)
{
	d->buf = aligned_alloc(BLOCK, BLOCK);
	d->fd = open(path, O_RDONLY | O_DIRECT);
	if (!d->buf)
		return -ENOMEM;
	return d->fd < 0 ? -errno : 0;
}

static int file_read(struct disk *d, unsigned int block)
{
	ssize_t n = pread(d->fd, d->buf, BLOCK, (off_t)block * BLOCK);

	if (n < 0)
		return -errno;
	return n == (ssize_t)BLOCK ? 0 : -ENODATA;
}

static int file_rest(struct disk *d)
{
	(void)d;
	usleep(EVERY_MS * 1000);
	return 0;
}

static int ring_open(struct disk *d, const char *path)
{
	struct blk_opts opts = {
		.socket = path,
		.kind = GMEM_SHARED,
		.mem_size = RING_MEMORY,
		.queues = 1,
	};
	int err = blk_open(&d->b, &opts);

	if (err)
		return err;
	err = kept_start(&d->kept, &d->b);
	blk_req_init(&d->b, &d->r);
	d->buf = gmem_alloc(&d->b.mem, BLOCK, BLOCK);
	return err;
}

/* The back-end is gone: nothing else happens on that socket. */
static int connect_anew(struct disk *d)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	int err;

	while ((err = kept_again(&d->kept)) && blk_now_ms() < end)
		usleep(AGAIN_MS * 1000);
	return err;
}

static int ring_read(struct disk *d, unsigned int block)
{
	struct ring *ring = &d->b.rings[0];
	struct pollfd fds[] = {
		{ .fd = ring->call_fd, .events = POLLIN },
		{ .events = POLLIN },
	};
	int err;

	blk_req_usual(&d->r, VIRTIO_BLK_T_IN, (uint64_t)block * SECTORS, d->buf, BLOCK);
	err = blk_submit(&d->b, 0, &d->r);
	while (!err && !d->r.done) {
		ring_take_calls(ring);
		ring_arm_call(ring, 1);
		fds[1].fd = d->b.v.fd;
		if (!ring_pending(ring) && !poll(fds, 2, BLK_HANG_LIMIT_MS))
			return -ETIMEDOUT;
		if (fds[1].revents)
			err = connect_anew(d);
		fds[1].revents = 0;
		if (!err && blk_collect(&d->b, 0) < 0)
			err = -EBADMSG;
	}
	if (err)
		return err;
	return *(volatile uint8_t *)d->r.status == VIRTIO_BLK_S_OK ? 0 : -EIO;
}

/* A back-end that goes meanwhile is met by the next read, at once: no pause is slept through. */
static int ring_rest(struct disk *d)
{
	struct pollfd p = { .fd = d->b.v.fd, .events = POLLIN };

	poll(&p, 1, EVERY_MS);
	return 0;
}

static int check(const struct disk *d, unsigned int turn)
{
	static uint8_t before[BLOCKS][BLOCK];
	uint8_t *was = before[turn % BLOCKS];

	if (turn < BLOCKS)
		memcpy(was, d->buf, BLOCK);
	return memcmp(was, d->buf, BLOCK) ? -EUCLEAN : 0;
}

static int watch(struct disk *d)
{
	int64_t said = 0, since, end;
	unsigned int i;
	int err = 0;

	for (i = 0; !err; i++) {
		since = blk_now_ms();
		err = d->read(d, i % BLOCKS);
		end = blk_now_ms();
		if (!err)
			err = check(d, i);
		if (end - since > TOLD_MS)
			printf("PVIO-GUEST-TOOK %lld\n", (long long)(end - since));
		if (end - said > ALIVE_MS) {
			printf("PVIO-GUEST-ALIVE %u\n", i);
			said = end;
		}
		fflush(stdout);
		if (!err)
			err = d->rest(d);
	}
	printf("PVIO-GUEST-LOST %s\n", strerror(-err));
	return err;
}

int main(int argc, char **argv)
{
	static struct disk file = { .open = file_open, .read = file_read, .rest = file_rest };
	static struct disk ring = { .open = ring_open, .read = ring_read, .rest = ring_rest };
	struct disk *d = &file;
	struct stat st;
	int err;

	if (argc != 2 || stat(argv[1], &st)) {
		fprintf(stderr, "usage: blk_pause DISK|SOCKET\n");
		return 2;
	}
	if (S_ISSOCK(st.st_mode))
		d = &ring;
	err = d->open(d, argv[1]);
	if (err) {
		fprintf(stderr, "blk_pause: %s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	return watch(d) ? 1 : 0;
}
