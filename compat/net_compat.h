/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_NET_H
#define _PVIO_COMPAT_NET_H

#include <linux/if_tun.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/stddef.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>

#ifndef PVIO_HAVE_ITER_DEST
#define ITER_SOURCE	WRITE
#define ITER_DEST	READ
#endif

/*
 * Where in an XDP buffer of @size bytes at @start a tap expects the header of a frame, and the room
 * that it needs besides that.
 */
#ifdef PVIO_HAVE_TUN_XDP_HDR
#define PVTUN_HDR_ROOM	offsetof(struct tun_xdp_hdr, gso)

static inline struct virtio_net_hdr *pvtun_xdp_header(void *start, u32 size)
{
	struct tun_xdp_hdr *hdr = start;

	hdr->buflen = size;
	return &hdr->gso;
}
#else
#define PVTUN_HDR_ROOM	0

static inline struct virtio_net_hdr *pvtun_xdp_header(void *start, u32 size)
{
	return start;
}
#endif

/* Of features 64 to 127: what a tap carries of UDP tunnels with segments (virtio 1.4, 5.1.3). */
#ifdef TUN_F_UDP_TUNNEL_GSO
/* Either makes the header longer. */
#define PVTUN_TUNNELS_HDR	(BIT_ULL(VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO - 64) |		\
				 BIT_ULL(VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO - 64))
#define PVTUN_TUNNELS		(PVTUN_TUNNELS_HDR |						\
				 BIT_ULL(VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM - 64) |		\
				 BIT_ULL(VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM - 64))
#else
#define PVTUN_TUNNELS_HDR	0
#define PVTUN_TUNNELS		0
#endif

/*
 * PVUBUF_OPS() makes what pvubuf_init() has called with the end of each use of pages that were
 * lent to an skb.
 */
#ifdef PVIO_HAVE_UBUF_OPS
#define PVUBUF_OPS(name, func)	static const struct ubuf_info_ops name = { .complete = func }

static inline void pvubuf_init(struct ubuf_info *ubuf, const struct ubuf_info_ops *ops)
{
	ubuf->ops = ops;
	ubuf->flags = SKBFL_ZEROCOPY_FRAG;
}
#else
struct pvubuf_ops {
	void (*callback)(struct sk_buff *skb, struct ubuf_info *ubuf, bool success);
};

#define PVUBUF_OPS(name, func)	static const struct pvubuf_ops name = { .callback = func }

static inline void pvubuf_init(struct ubuf_info *ubuf, const struct pvubuf_ops *ops)
{
	ubuf->callback = ops->callback;
	ubuf->flags = SKBFL_ZEROCOPY_FRAG;
}
#endif

/*
 * Counts for a tap what it has sent, where its counters are such; preemption disabled. A driver
 * that allocates them itself need not say which they are: a tap's have been these since before 6.1.
 */
static inline void pvtun_count_sent(struct net_device *dev, unsigned int packets,
				    unsigned int bytes)
{
#ifdef PVIO_HAVE_PCPU_STAT_TYPE
	if (dev->pcpu_stat_type != NETDEV_PCPU_STAT_TSTATS &&
	    dev->pcpu_stat_type != NETDEV_PCPU_STAT_NONE)
		return;
#endif
	if (dev->tstats)
		dev_sw_netstats_tx_add(dev, packets, bytes);
}

#endif
