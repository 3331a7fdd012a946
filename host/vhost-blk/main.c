// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "blk.h"

static int __init pvblk_init(void)
{
	int err;

	if (strcmp(PVIO_LAYOUT, PVIO_VERSION))
		return -EINVAL;
	err = PVIO_VDPA ? pvblk_vdpa_init() : 0;
	if (err)
		return err;
	/* The last: whoever opens the node keeps the module from going. */
	err = pvblk_chr_init();
	if (err)
		goto err_chr;
	return 0;

err_chr:
	if (PVIO_VDPA)
		pvblk_vdpa_exit();
	return err;
}

static void __exit pvblk_exit(void)
{
	pvblk_chr_exit();
	if (PVIO_VDPA)
		pvblk_vdpa_exit();
}

module_init(pvblk_init);
module_exit(pvblk_exit);

MODULE_DESCRIPTION("pvio: block devices as virtio-blk, served by the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION(PVIO_VERSION);
MODULE_SOFTDEP("pre: vhost_vdpa");
