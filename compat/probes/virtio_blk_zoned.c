// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's headers know zoned disks. */
#include <linux/virtio_blk.h>

int pvio_probe(const struct virtio_blk_config *config);
int pvio_probe(const struct virtio_blk_config *config)
{
	return config->zoned.model == VIRTIO_BLK_Z_HM;
}
