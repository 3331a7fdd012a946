// SPDX-License-Identifier: GPL-2.0-only
/* There are zoned devices that take writes anywhere. */
#include <linux/blkdev.h>

bool pvio_probe(struct block_device *bdev);
bool pvio_probe(struct block_device *bdev)
{
	return bdev_zoned_model(bdev) == BLK_ZONED_HA;
}
