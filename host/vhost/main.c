// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "worker.h"

static int __init pvio_vhost_init(void)
{
	return pvworker_init();
}

static void __exit pvio_vhost_exit(void)
{
	pvworker_exit();
}

module_init(pvio_vhost_init);
module_exit(pvio_vhost_exit);

MODULE_DESCRIPTION("pvio: ring engine for in-kernel virtio backends");
MODULE_LICENSE("GPL");
