// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

#include "vsock_host.h"

static int __init pvhvs_init(void)
{
	int err;

	if (strcmp(PVIO_LAYOUT, PVIO_VERSION) || strcmp(PVVS_LAYOUT, PVIO_VERSION))
		return -EINVAL;
	err = pvhvs_transport_init();
	if (err)
		return err;
	/* The last: whoever opens the node keeps the module from going. */
	err = pvhvs_chr_init();
	if (err)
		pvhvs_transport_exit();
	return err;
}

static void __exit pvhvs_exit(void)
{
	pvhvs_chr_exit();
	pvhvs_transport_exit();
}

module_init(pvhvs_init);
module_exit(pvhvs_exit);

MODULE_DESCRIPTION("pvio: /dev/vhost-vsock, sockets between guests and the host");
MODULE_LICENSE("GPL");
MODULE_VERSION(PVIO_VERSION);
