// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "dev.h"
#include "netlink.h"
#include "worker.h"

const char PVIO_LAYOUT[] = PVIO_VERSION;
EXPORT_SYMBOL_GPL(PVIO_LAYOUT);

static int __init pvio_vhost_init(void)
{
	int err;

	err = pvworker_init();
	if (err)
		return err;
	err = pvnetlink_init();
	if (err)
		goto err_netlink;
	return 0;

err_netlink:
	pvworker_exit();
	return err;
}

static void __exit pvio_vhost_exit(void)
{
	pvnetlink_exit();
	pvworker_exit();
}

module_init(pvio_vhost_init);
module_exit(pvio_vhost_exit);

MODULE_DESCRIPTION("pvio: ring engine for in-kernel virtio backends");
MODULE_LICENSE("GPL");
MODULE_VERSION(PVIO_VERSION);
