/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_GENETLINK_H
#define _PVIO_COMPAT_GENETLINK_H

#include <net/genetlink.h>

/* Where a group can't ask for a capability by this name it asks by the older one. */
#ifndef GENL_MCAST_CAP_NET_ADMIN
#define GENL_MCAST_CAP_NET_ADMIN	GENL_UNS_ADMIN_PERM
#endif

#endif
