// SPDX-License-Identifier: GPL-2.0-only
/* A disk as a vDPA device that is bound to vhost_vdpa. */
#include <string.h>

#include "blk.h"

static const uint64_t wanted_backend_features =
	BIT(VHOST_BACKEND_F_IOTLB_MSG_V2) | BIT(VHOST_BACKEND_F_IOTLB_BATCH) |
	BIT(VHOST_BACKEND_F_IOTLB_ASID) | BIT(VHOST_BACKEND_F_SUSPEND) |
	BIT(VHOST_BACKEND_F_RESUME) | BIT(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK) |
	BIT(VHOST_BACKEND_F_IOTLB_PERSIST);

static int vdpa_blk_own(struct blk *b)
{
	return vhost_set_owner(&b->v);
}

static int vdpa_blk_open(struct blk *b)
{
	char path[64];
	int err = vdpa_find(b->opts.name, path, sizeof(path));

	return err ? err : vhost_open(&b->v, path);
}

static int vdpa_blk_read(struct blk *b)
{
	uint32_t count, len;
	int err = vhost_ack_backend_features(&b->v, wanted_backend_features);

	if (!err)
		err = vhost_get_features(&b->v, &b->offered);
	if (!err)
		err = vdpa_get_vqs_count(&b->v, &count);
	if (!err)
		err = vdpa_get_vring_num(&b->v, &b->num);
	if (!err)
		err = vdpa_get_config_size(&b->v, &b->config_size);
	if (err)
		return err;
	len = b->config_size < sizeof(b->config) ? b->config_size : sizeof(b->config);
	b->nqueues = b->opts.queues && b->opts.queues < count ? b->opts.queues : count;
	if (b->opts.num)
		b->num = b->opts.num;
	return vdpa_get_config(&b->v, 0, &b->config, len);
}

static int vdpa_blk_map(struct blk *b)
{
	return vhost_map_gmem(&b->v, &b->mem);
}

static int vdpa_blk_unmap(struct blk *b)
{
	return vhost_unmap_gmem(&b->v, &b->mem);
}

static int vdpa_blk_place(struct blk *b, unsigned int q, uint64_t desc, uint64_t avail,
			  uint64_t used)
{
	return vhost_set_vring_addr(&b->v, q, desc, avail, used);
}

/* A reset forgets whom to notify, so this comes with every start. */
static int vdpa_blk_prepare(struct blk *b)
{
	unsigned int q;
	int err = vdpa_negotiate(&b->v, b->features);

	if (!err)
		err = vdpa_set_config_call(&b->v, b->config_fd);
	for (q = 0; q < b->nqueues && !err; q++)
		err = vhost_set_vring(&b->v, q, &b->rings[q]);
	for (q = 0; q < b->nqueues && !err; q++)
		err = vdpa_set_vring_enable(&b->v, q, 1);
	return err;
}

static int vdpa_blk_go(struct blk *b)
{
	return vdpa_driver_ok(&b->v);
}

static int vdpa_blk_reset(struct blk *b)
{
	int err = vdpa_set_status(&b->v, 0);

	if (err || b->v.backend_features & BIT(VHOST_BACKEND_F_IOTLB_PERSIST))
		return err;
	/* The device may have forgotten its map, vhost-vdpa has not. */
	err = vhost_unmap_gmem(&b->v, &b->mem);
	return err ? err : vhost_map_gmem(&b->v, &b->mem);
}

static bool vdpa_blk_broken(const struct blk *b)
{
	return blk_status(b) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

uint8_t blk_status(const struct blk *b)
{
	uint8_t status = 0;

	if (vdpa_get_status(&b->v, &status))
		return 0;
	return status;
}

const struct blk_transport blk_vdpa = {
	.open = vdpa_blk_open,
	.own = vdpa_blk_own,
	.read = vdpa_blk_read,
	.map = vdpa_blk_map,
	.unmap = vdpa_blk_unmap,
	.place = vdpa_blk_place,
	.prepare = vdpa_blk_prepare,
	.go = vdpa_blk_go,
	.reset = vdpa_blk_reset,
	.broken = vdpa_blk_broken,
};
