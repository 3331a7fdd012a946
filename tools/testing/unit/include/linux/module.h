/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_MODULE_H
#define _UNIT_LINUX_MODULE_H

#include <linux/export.h>

#define MODULE_LICENSE(text)		struct module
#define MODULE_DESCRIPTION(text)	struct module

#endif
