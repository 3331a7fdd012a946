// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tap counts what it hands out. What it doesn't see is counted for it here. A frame says which
 * interface it is of, but not whether that is still there: one that was taken out of a tap's ring
 * and put back may be older than the interface's end.
 */
#include <linux/hash.h>
#include <linux/if_tun.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/skbuff.h>
#include <linux/string.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "net_compat.h"
#include "net.h"

#define PVNET_GONE_BITS	8

/* Taps that have gone, by where they were: whose tap was elsewhere needs not look for it anew. */
static atomic_t pvnet_gone[1 << PVNET_GONE_BITS];

static atomic_t *pvnet_gone_at(const struct net_device *dev)
{
	return &pvnet_gone[hash_ptr(dev, PVNET_GONE_BITS)];
}

/* What is where one was may have counters of another kind. */
static bool pvnet_is_tap(const struct net_device *dev)
{
	return dev->rtnl_link_ops && !strcmp(dev->rtnl_link_ops->kind, "tun");
}

/*
 * Called under the RTNL when the interface can't be found any more, and before RCU readers are
 * waited for and it is freed.
 */
static int pvnet_netdev_event(struct notifier_block *nb, unsigned long event,
			      void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);

	if (event == NETDEV_UNREGISTER && pvnet_is_tap(dev))
		atomic_inc(pvnet_gone_at(dev));
	return NOTIFY_DONE;
}

static struct notifier_block pvnet_netdev_notifier = {
	.notifier_call = pvnet_netdev_event,
};

static bool pvnet_is_listed(const struct net_device *dev)
{
	struct net_device *d;
	struct net *net;

	for_each_net_rcu(net)
		for_each_netdev_rcu(net, d)
			if (d == dev)
				return pvnet_is_tap(d);
	return false;
}

/*
 * Remembers @dev if it is an interface, and it is one then until the RCU read section ends. If it
 * has not gone since it was found, it is: one that goes later waits for the end of the section.
 */
static void pvnet_count_set(struct pvnet_rx *rx, struct net_device *dev)
{
	int gone = atomic_read_acquire(pvnet_gone_at(dev));

	if (likely(dev == rx->dev && gone == rx->gone))
		return;
	rx->dev = dev && pvnet_is_listed(dev) ? dev : NULL;
	rx->gone = gone;
}

/**
 * pvnet_count_knows() - is it known which interface a tap's ring is of
 * @rx: what was taken out of the ring
 *
 * A tap has another interface only when the one before has gone.
 *
 * Context: worker, in an RCU read section, until the end of which it holds.
 * Return: true if it is.
 */
bool pvnet_count_knows(const struct pvnet_rx *rx)
{
	return rx->dev && atomic_read_acquire(pvnet_gone_at(rx->dev)) == rx->gone;
}

/**
 * pvnet_count_look() - find out which interface a tap's ring is of
 * @rx: what was taken out of the ring
 *
 * Context: worker, in the RCU read section in which it was.
 */
void pvnet_count_look(struct pvnet_rx *rx)
{
	unsigned int i = rx->n;

	/* The last one: those that were put back come first, and may be of another interface. */
	while (i--) {
		const struct pvnet_frame *f = &rx->frame[i];
		const struct sk_buff *skb = f->ptr;

		if (!f->plain || unlikely(tun_is_xdp_frame(f->ptr)))
			continue;
		if (unlikely(skb->dev != rx->dev))
			pvnet_count(rx);
		pvnet_count_set(rx, skb->dev);
		return;
	}
}

/**
 * pvnet_count() - count the plain frames that the driver was given
 * @rx: their numbers, which are 0 then
 *
 * One that was discarded isn't counted, nor is one before the driver gets it: it may go back to
 * the tap, and come again.
 *
 * Context: worker.
 */
void pvnet_count(struct pvnet_rx *rx)
{
	rcu_read_lock();
	pvnet_count_set(rx, rx->dev);
	if (rx->dev) {
		preempt_disable();
		pvtun_count_sent(rx->dev, rx->given, rx->given_bytes);
		preempt_enable();
	}
	rcu_read_unlock();
	rx->given = 0;
	rx->given_bytes = 0;
}

/**
 * pvnet_count_init() - begin to look at which interfaces go
 *
 * Return: 0 or a negative error.
 */
int pvnet_count_init(void)
{
	return register_netdevice_notifier(&pvnet_netdev_notifier);
}

/**
 * pvnet_count_exit() - undo pvnet_count_init()
 */
void pvnet_count_exit(void)
{
	unregister_netdevice_notifier(&pvnet_netdev_notifier);
}
