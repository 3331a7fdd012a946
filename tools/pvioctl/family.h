/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family "pvio". */
#ifndef PVIOCTL_FAMILY_H
#define PVIOCTL_FAMILY_H

#include <linux/pvio.h>

#include "genl.h"

/* Calls return 0 or -errno; *@why says more about an error, if there is more to say. */
int family_open(const char **why);
/* Opens it if need be, and calls @fn for each answer with its attributes by type, up to @max. */
int family_dump(uint8_t cmd, uint16_t max,
		void (*fn)(const struct nlattr *const *attrs, void *arg), void *arg,
		const char **why);

#endif
