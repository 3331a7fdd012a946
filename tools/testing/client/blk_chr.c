// SPDX-License-Identifier: GPL-2.0-only
/* A disk on /dev/vhost-blk, whose store the VMM hands over. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "blk.h"

#define QUEUES	4
#define NUM	256

static int set_backend(const struct blk *b, int fd)
{
	struct vhost_vring_file f = { .index = 0, .fd = fd };

	return vhost_ioctl(&b->v, VHOST_BLK_SET_BACKEND, &f);
}

static int chr_blk_own(struct blk *b)
{
	return vhost_set_owner(&b->v);
}

static int chr_blk_open(struct blk *b)
{
	return vhost_open(&b->v, b->opts.node);
}

/* The configuration is there with the store; the queues aren't, so nothing starts. */
static int chr_blk_read(struct blk *b)
{
	uint32_t len;
	int err;

	b->store_fd = open(b->opts.store, (b->opts.readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (b->store_fd < 0)
		return -errno;
	b->nqueues = b->opts.queues ? b->opts.queues : QUEUES;
	b->num = b->opts.num ? b->opts.num : NUM;
	err = vdpa_get_config_size(&b->v, &b->config_size);
	if (!err)
		err = set_backend(b, b->store_fd);
	if (!err)
		err = vhost_get_features(&b->v, &b->offered);
	len = b->config_size < sizeof(b->config) ? b->config_size : sizeof(b->config);
	if (!err)
		err = vdpa_get_config(&b->v, 0, &b->config, len);
	if (!err)
		err = set_backend(b, -1);
	return err;
}

static int chr_blk_map(struct blk *b)
{
	return vhost_set_gmem(&b->v, &b->mem);
}

static int chr_blk_unmap(struct blk *b)
{
	struct vhost_memory mem = { .nregions = 0 };

	return vhost_ioctl(&b->v, VHOST_SET_MEM_TABLE, &mem);
}

/* Without an IOTLB a ring is where this process has it. */
static int chr_blk_place(struct blk *b, unsigned int q, uint64_t desc, uint64_t avail,
			 uint64_t used)
{
	uint64_t off = b->opts.iotlb ? 0 : (uintptr_t)b->mem.va - b->mem.iova;

	return vhost_set_vring_addr(&b->v, q, desc + off, avail + off, used + off);
}

static int chr_blk_prepare(struct blk *b)
{
	char serial[VIRTIO_BLK_ID_BYTES] = { };
	unsigned int q;
	int err = vhost_set_features(&b->v, b->features);

	/* With these features it has forgotten all that it was told. */
	if (!err && b->opts.iotlb && !b->opts.iotlb_empty)
		err = vhost_map_gmem(&b->v, &b->mem);
	if (!err && b->opts.serial) {
		memcpy(serial, b->opts.serial, strnlen(b->opts.serial, sizeof(serial)));
		err = vhost_ioctl(&b->v, VHOST_BLK_SET_SERIAL, serial);
	}
	if (!err)
		err = vdpa_set_config_call(&b->v, b->config_fd);
	for (q = 0; q < b->nqueues && !err; q++)
		err = vhost_set_queue(&b->v, q, &b->rings[q], &b->mem, b->opts.iotlb,
				      ring_base(&b->rings[q]), b->error_fd);
	return err;
}

static int chr_blk_go(struct blk *b)
{
	return set_backend(b, b->store_fd);
}

static int chr_blk_reset(struct blk *b)
{
	uint64_t n;
	int err = vhost_ioctl(&b->v, VHOST_RESET_OWNER, NULL);

	if (!err)
		err = vhost_set_owner(&b->v);
	if (err)
		return err;
	while (read(b->error_fd, &n, sizeof(n)) > 0)
		;
	return chr_blk_map(b);
}

static bool chr_blk_broken(const struct blk *b)
{
	return vhost_told(b->error_fd, 0);
}

const struct blk_transport blk_chr = {
	.open = chr_blk_open,
	.own = chr_blk_own,
	.read = chr_blk_read,
	.map = chr_blk_map,
	.unmap = chr_blk_unmap,
	.place = chr_blk_place,
	.prepare = chr_blk_prepare,
	.go = chr_blk_go,
	.reset = chr_blk_reset,
	.broken = chr_blk_broken,
};
