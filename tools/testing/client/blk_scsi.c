// SPDX-License-Identifier: GPL-2.0-only
/* Not a virtio disk, but the kernel's own vhost-scsi: its request queues are those of the disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk.h"

#define NUM		256
#define FIRST_QUEUE	2	/* behind those for control and events */

static int scsi_blk_open(struct blk *b)
{
	return vhost_open(&b->v, "/dev/vhost-scsi");
}

static int scsi_blk_own(struct blk *b)
{
	return vhost_set_owner(&b->v);
}

/* The capacity is that of the store behind the target; features of SCSI aren't wanted. */
static int scsi_blk_read(struct blk *b)
{
	int err = vhost_get_features(&b->v, &b->offered);
	off_t size;

	b->store_fd = open(b->opts.store, O_RDONLY | O_CLOEXEC);
	if (b->store_fd < 0)
		return -errno;
	size = lseek(b->store_fd, 0, SEEK_END);
	if (size < 0)
		return -errno;
	b->config.capacity = htole64(size / 512);
	b->offered &= BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
		      BIT(VIRTIO_RING_F_EVENT_IDX);
	b->nqueues = b->opts.queues ? b->opts.queues : 1;
	b->num = b->opts.num ? b->opts.num : NUM;
	return err;
}

static int scsi_blk_map(struct blk *b)
{
	return blk_chr.map(b);
}

static int scsi_blk_unmap(struct blk *b)
{
	return blk_chr.unmap(b);
}

static int scsi_blk_place(struct blk *b, unsigned int q, uint64_t desc, uint64_t avail,
			  uint64_t used)
{
	return blk_chr.place(b, FIRST_QUEUE + q, desc, avail, used);
}

static int set_vring(struct blk *b, unsigned int q)
{
	const struct ring *r = &b->rings[q];
	int err = vhost_set_vring_num(&b->v, FIRST_QUEUE + q, r->num);

	if (!err)
		err = vhost_set_vring_base(&b->v, FIRST_QUEUE + q, r->avail_idx);
	if (!err)
		err = scsi_blk_place(b, q, r->desc_iova, r->avail_iova, r->used_iova);
	if (!err)
		err = vhost_set_vring_kick(&b->v, FIRST_QUEUE + q, r->kick_fd);
	return err ? err : vhost_set_vring_call(&b->v, FIRST_QUEUE + q, r->call_fd);
}

static int scsi_blk_prepare(struct blk *b)
{
	int err = vhost_set_features(&b->v, b->features);
	unsigned int q;

	for (q = 0; q < b->nqueues && !err; q++)
		err = set_vring(b, q);
	return err;
}

static int set_endpoint(struct blk *b, unsigned long request)
{
	struct vhost_scsi_target t = { .vhost_tpgt = 1 };

	memcpy(t.vhost_wwpn, b->opts.wwpn, strnlen(b->opts.wwpn, sizeof(t.vhost_wwpn) - 1));
	return vhost_ioctl(&b->v, request, &t);
}

static int scsi_blk_go(struct blk *b)
{
	return set_endpoint(b, VHOST_SCSI_SET_ENDPOINT);
}

static int scsi_blk_reset(struct blk *b)
{
	return set_endpoint(b, VHOST_SCSI_CLEAR_ENDPOINT);
}

static bool scsi_blk_broken(const struct blk *b)
{
	(void)b;
	return false;
}

const struct blk_transport blk_scsi = {
	.open = scsi_blk_open,
	.own = scsi_blk_own,
	.read = scsi_blk_read,
	.map = scsi_blk_map,
	.unmap = scsi_blk_unmap,
	.place = scsi_blk_place,
	.prepare = scsi_blk_prepare,
	.go = scsi_blk_go,
	.reset = scsi_blk_reset,
	.broken = scsi_blk_broken,
};
