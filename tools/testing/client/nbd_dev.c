// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/nbd.h>

#include "nbd_dev.h"

static int dev_ioctl(struct nbd_dev *d, unsigned long request, unsigned long arg)
{
	return ioctl(d->fd, request, arg) < 0 ? -errno : 0;
}

int nbd_dev_open(struct nbd_dev *d, const char *path)
{
	int err;

	d->mine = false;
	d->end_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (d->end_fd < 0)
		return -errno;
	/* A kernel may refuse to mount what somebody else has open for writing. */
	d->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (d->fd >= 0)
		return 0;
	err = -errno;
	close(d->end_fd);
	return err;
}

void nbd_dev_close(struct nbd_dev *d)
{
	/* Not the streams of another server. */
	if (d->mine)
		dev_ioctl(d, NBD_CLEAR_SOCK, 0);
	close(d->fd);
	close(d->end_fd);
}

int nbd_dev_add(struct nbd_dev *d, int sock)
{
	int err = dev_ioctl(d, NBD_SET_SOCK, sock);

	if (!err)
		d->mine = true;
	return err;
}

int nbd_dev_set(struct nbd_dev *d, uint64_t size, uint32_t block_size, uint32_t flags,
		unsigned int timeout_s)
{
	int err = dev_ioctl(d, NBD_SET_BLKSIZE, block_size);

	if (!err)
		err = dev_ioctl(d, NBD_SET_SIZE, size);
	if (!err)
		err = dev_ioctl(d, NBD_SET_FLAGS, flags);
	return err ? err : dev_ioctl(d, NBD_SET_TIMEOUT, timeout_s);
}

/* In the kernel for as long as there is a disk. */
static void *run(void *arg)
{
	struct nbd_dev *d = arg;

	d->result = dev_ioctl(d, NBD_DO_IT, 0);
	eventfd_write(d->end_fd, 1);
	return NULL;
}

int nbd_dev_start(struct nbd_dev *d)
{
	return -pthread_create(&d->thread, NULL, run, d);
}

int nbd_dev_wait(struct nbd_dev *d)
{
	pthread_join(d->thread, NULL);
	return d->result;
}

int nbd_dev_resize(struct nbd_dev *d, uint64_t size)
{
	return dev_ioctl(d, NBD_SET_SIZE, size);
}

int nbd_dev_disconnect(struct nbd_dev *d)
{
	int err = fsync(d->fd) < 0 ? -errno : 0;
	int said = dev_ioctl(d, NBD_DISCONNECT, 0);

	return err ? err : said;
}
