// SPDX-License-Identifier: GPL-2.0-only
/* symbols: file_bdev */
#include <linux/blkdev.h>

struct block_device *pvio_probe(struct file *file);
struct block_device *pvio_probe(struct file *file)
{
	return file_bdev(file);
}
