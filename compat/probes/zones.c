// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zoned block devices are configured.
 * symbols: blkdev_report_zones blkdev_zone_mgmt
 */
#include <linux/blkdev.h>

int pvio_probe(struct block_device *bdev);
int pvio_probe(struct block_device *bdev)
{
	return blkdev_report_zones(bdev, 0, BLK_ALL_ZONES, NULL, NULL);
}
