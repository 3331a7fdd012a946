// SPDX-License-Identifier: GPL-2.0-only
/*
 * vDPA, as new as pvio_vhost_blk needs it.
 * symbols: __vdpa_alloc_device _vdpa_register_device vdpa_mgmtdev_register file_bdev bdev_fput
 */
#include <linux/blkdev.h>
#include <linux/vdpa.h>
#include <linux/vhost_types.h>

#if !IS_ENABLED(CONFIG_VDPA)
#error "no vDPA"
#endif

u64 pvio_probe(struct vdpa_config_ops *ops, struct file *file);
u64 pvio_probe(struct vdpa_config_ops *ops, struct file *file)
{
	ops->get_backend_features = NULL;
	ops->resume = NULL;
	ops->reset_map = NULL;
	ops->bind_mm = NULL;
	if (file_bdev(file))
		bdev_fput(file);
	return BIT_ULL(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK);
}
