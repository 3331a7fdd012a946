/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_BLKDEV_H
#define _PVIO_COMPAT_BLKDEV_H

#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/pagemap.h>

#ifndef PVIO_HAVE_FILE_BDEV
#define file_bdev(file)		I_BDEV((file)->f_mapping->host)
#endif

/* Where a file can't say it its file system does. */
#ifndef PVIO_HAVE_MAPPING_STABLE_WRITES
#define mapping_stable_writes(mapping)					\
	((mapping)->host->i_sb->s_iflags & SB_I_STABLE_WRITES)
#endif

/* Those that take writes anywhere are used as if they had no zones. */
#ifdef PVIO_HAVE_ZONED_MODEL
#define bdev_is_zoned(bdev)	(bdev_zoned_model(bdev) == BLK_ZONED_HM)
#endif

#ifdef PVIO_HAVE_ZONE_MGMT_GFP
#define blkdev_zone_mgmt(bdev, op, sector, nr)				\
	blkdev_zone_mgmt(bdev, op, sector, nr, GFP_NOIO)
#endif

#ifndef PVIO_HAVE_ZONES
#define blkdev_zone_mgmt(bdev, op, sector, nr)	(-EOPNOTSUPP)
#define blkdev_report_zones(bdev, sector, nr, cb, data)			\
	((void)(cb), (void)(data), -EOPNOTSUPP)
#endif

#endif
