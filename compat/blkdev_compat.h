/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_BLKDEV_H
#define _PVIO_COMPAT_BLKDEV_H

#include <linux/blkdev.h>
#include <linux/fs.h>

#ifndef PVIO_HAVE_FILE_BDEV
#define file_bdev(file)		I_BDEV((file)->f_mapping->host)
#endif

#endif
