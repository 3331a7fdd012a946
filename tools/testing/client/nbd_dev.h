/* SPDX-License-Identifier: GPL-2.0-only */
/* A device of the kernel's nbd module, by its ioctls. Calls return 0 or a negative errno. */
#ifndef PVIO_SELFTEST_NBD_DEV_H
#define PVIO_SELFTEST_NBD_DEV_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct nbd_dev {
	int fd;
	int end_fd;	/* an eventfd: the kernel has let go of the streams */
	bool mine;	/* it has streams of this process */
	int result;	/* of that */
	pthread_t thread;
};

int nbd_dev_open(struct nbd_dev *d, const char *path);
void nbd_dev_close(struct nbd_dev *d);

/* The kernel's end of a stream; the caller may close @sock. */
int nbd_dev_add(struct nbd_dev *d, int sock);
int nbd_dev_set(struct nbd_dev *d, uint64_t size, uint32_t block_size, uint32_t flags,
		unsigned int timeout_s);
/* The disk is there from now on, until @end_fd tells that it isn't. */
int nbd_dev_start(struct nbd_dev *d);
int nbd_dev_wait(struct nbd_dev *d);
int nbd_dev_resize(struct nbd_dev *d, uint64_t size);
/* Writes back what the page cache has, and tells the streams to end. */
int nbd_dev_disconnect(struct nbd_dev *d);

#endif
