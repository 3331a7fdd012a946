// SPDX-License-Identifier: GPL-2.0-only
#include <linux/module.h>

MODULE_DESCRIPTION("pvio: ring engine for in-kernel virtio backends");
MODULE_LICENSE("GPL");
