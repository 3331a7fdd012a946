// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file says which block device it is of.
 * symbols: file_bdev bdev_fput
 */
#include <linux/blkdev.h>

struct block_device *pvio_probe(struct file *file);
struct block_device *pvio_probe(struct file *file)
{
	return file_bdev(file);
}
