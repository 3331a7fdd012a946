// SPDX-License-Identifier: GPL-2.0-only
/* Who manages zones says how memory is got. */
#include <linux/blkdev.h>

int pvio_probe(struct block_device *bdev);
int pvio_probe(struct block_device *bdev)
{
	return blkdev_zone_mgmt(bdev, REQ_OP_ZONE_RESET, 0, 0, GFP_KERNEL);
}
