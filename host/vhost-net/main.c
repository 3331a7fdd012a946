// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "net.h"

static int __init pvnet_init(void)
{
	int err;

	if (strcmp(PVIO_LAYOUT, PVIO_VERSION))
		return -EINVAL;
	err = pvnet_count_init();
	if (err)
		return err;
	/* The last: whoever opens the node keeps the module from going. */
	err = pvnet_chr_init();
	if (err)
		pvnet_count_exit();
	return err;
}

static void __exit pvnet_exit(void)
{
	pvnet_chr_exit();
	pvnet_count_exit();
	pvnet_zcopy_exit();
}

module_init(pvnet_init);
module_exit(pvnet_exit);

MODULE_DESCRIPTION("pvio: /dev/vhost-net, taps and packet sockets as virtio-net, served by the kernel");
MODULE_LICENSE("GPL");
MODULE_VERSION(PVIO_VERSION);
