// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "internal.h"

const char PVVS_LAYOUT[] = PVIO_VERSION;
EXPORT_SYMBOL_GPL(PVVS_LAYOUT);

static int __init pvvs_module_init(void)
{
	return pvvs_orphans_init();
}
module_init(pvvs_module_init);

static void __exit pvvs_module_exit(void)
{
	pvvs_orphans_exit();
}
module_exit(pvvs_module_exit);

MODULE_DESCRIPTION("pvio: the protocol of virtio-vsock, for both its sides");
MODULE_LICENSE("GPL");
MODULE_VERSION(PVIO_VERSION);
