// SPDX-License-Identifier: GPL-2.0-only
/* An interface says which kind of counters it has. */
#include <linux/netdevice.h>

bool pvio_probe(const struct net_device *dev);
bool pvio_probe(const struct net_device *dev)
{
	return dev->pcpu_stat_type == NETDEV_PCPU_STAT_TSTATS;
}
