// SPDX-License-Identifier: GPL-2.0-only
/* A disk: /dev/vhost-blk with a block device or a file behind it. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "lock.h"
#include "node.h"
#include "options.h"
#include "say.h"

/* How long a predecessor that was killed may take to let go of the disk. */
#define WAIT_TRIES	100
#define WAIT_US		100000

static struct {
	const struct options *o;
	int fd;
} blk = { .fd = -1 };

static int blk_open_once(const struct options *o, bool exclusive)
{
	int flags = (o->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	struct stat st;
	int fd;

	if (stat(o->path, &st))
		return -errno;
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return -ENOTBLK;
	/*
	 * Of a block device the kernel keeps others away: what is mounted, or a part of something.
	 */
	if (S_ISBLK(st.st_mode) && exclusive)
		flags |= O_EXCL;
	fd = open(o->path, flags);
	return fd < 0 ? -errno : fd;
}

/* Of several VMs each has a daemon, and what that one's predecessor has begun has to end. */
static int blk_await_predecessor(const struct options *o)
{
	if (o->share != SHARE_YES || !o->socket_path)
		return 0;
	return lock_take_name(blk.fd, o->socket_path);
}

/* Readers may be several, and so may those who take turns. */
static int blk_open(const struct options *o)
{
	bool alone = o->share == SHARE_NO;
	unsigned int i;
	int err = 0;

	blk.o = o;
	for (i = 0; i < WAIT_TRIES; i++) {
		if (blk.fd < 0)
			blk.fd = blk_open_once(o, alone && !o->readonly);
		err = blk.fd < 0 ? blk.fd : alone ? lock_take(blk.fd, !o->readonly) :
		      blk_await_predecessor(o);
		if (err != -EBUSY)
			break;
		usleep(WAIT_US);
	}
	if (err)
		say_err(err, "%s can't be opened%s", o->path,
			err == -EBUSY && alone ? " for this VM alone, as without --share" : "");
	return err;
}

static int blk_attach(const struct node *n)
{
	struct vhost_vring_file backend = { .index = 0, .fd = blk.fd };
	char serial[VIRTIO_BLK_ID_BYTES] = { };
	int shared = blk.o->share == SHARE_YES, workers = blk.o->workers;
	int err = 0;

	if (blk.o->serial) {
		memcpy(serial, blk.o->serial, strnlen(blk.o->serial, sizeof(serial)));
		err = node_call(n, VHOST_BLK_SET_SERIAL, serial);
	}
	if (!err && workers)
		err = node_call(n, VHOST_SET_NWORKERS, &workers);
	if (!err)
		err = node_call(n, VHOST_BLK_SET_SHARED, &shared);
	if (!err)
		err = node_call(n, VHOST_BLK_SET_BACKEND, &backend);
	if (err)
		say_err(err, "%s can't be a disk", blk.o->path);
	return err;
}

static void blk_detach(const struct node *n)
{
	struct vhost_vring_file backend = { .index = 0, .fd = -1 };

	node_call(n, VHOST_BLK_SET_BACKEND, &backend);
}

static int blk_claim(void)
{
	int err = 0;

	if (blk.o->share == SHARE_HANDOVER)
		err = lock_take(blk.fd, !blk.o->readonly);
	if (err)
		say_err(err, "%s is in use by another VM", blk.o->path);
	return err;
}

static void blk_release(void)
{
	if (blk.o->share == SHARE_HANDOVER)
		lock_drop(blk.fd);
}

static void blk_refresh(const struct node *n)
{
	int err = node_call(n, VHOST_BLK_RESIZE, NULL);

	if (err)
		say_err(err, "%s can't be measured", blk.o->path);
}

static void blk_fill_config(const struct options *o, uint8_t *config, uint32_t len)
{
	uint16_t queues = o->queues;
	size_t at = offsetof(struct virtio_blk_config, num_queues);

	if (at + sizeof(queues) > len)
		return;
	config[at] = queues & 0xff;
	config[at + 1] = queues >> 8;
}

const struct kind kind_blk = {
	.name = "blk",
	.type = "block",
	.capabilities = "\"read-only\", \"blk-file\"",
	.node = "/dev/vhost-blk",
	/* A cache mode is told once: after a restart it would be lost, and writes with it. */
	.withheld = 1ull << VIRTIO_BLK_F_CONFIG_WCE,
	.open = blk_open,
	.attach = blk_attach,
	.enable = node_enable,
	.detach = blk_detach,
	.claim = blk_claim,
	.release = blk_release,
	.refresh = blk_refresh,
	.fill_config = blk_fill_config,
};
