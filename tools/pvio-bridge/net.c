// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network: /dev/vhost-net with a tap behind it. The kernel has a device for each pair of queues;
 * to the VMM they are one, and what the tap can do is what it is offered.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "node.h"
#include "options.h"
#include "protocol.h"
#include "say.h"

/* Later than the headers of some systems. */
#ifndef TUN_F_USO4
#define TUN_F_USO4	0x20
#define TUN_F_USO6	0x40
#endif
#ifndef VIRTIO_NET_F_GUEST_USO4
#define VIRTIO_NET_F_GUEST_USO4	54
#define VIRTIO_NET_F_GUEST_USO6	55
#define VIRTIO_NET_F_HOST_USO	56
#endif

/* A tap has no more, unless somebody made its queue longer. */
#define FRAMES_MAX	4096

#define BIT(name)	(1ull << VIRTIO_NET_F_##name)

/* By what a tap gives to a guest: a guest may send the same to any tap that can. */
static const struct offload {
	unsigned int tun;
	uint64_t guest;
	uint64_t host;
} offloads[] = {
	{ TUN_F_CSUM, BIT(GUEST_CSUM), BIT(CSUM) },
	{ TUN_F_TSO4, BIT(GUEST_TSO4), BIT(HOST_TSO4) },
	{ TUN_F_TSO6, BIT(GUEST_TSO6), BIT(HOST_TSO6) },
	{ TUN_F_TSO_ECN, BIT(GUEST_ECN), BIT(HOST_ECN) },
	{ TUN_F_USO4, BIT(GUEST_USO4), 0 },
	{ TUN_F_USO6, BIT(GUEST_USO6), BIT(HOST_USO) },
};

#define NR_OFFLOADS	(sizeof(offloads) / sizeof(*offloads))
#define TUN_F_USO	(TUN_F_USO4 | TUN_F_USO6)

static struct {
	unsigned int pairs;
	int tap[QUEUES_MAX];
	unsigned int offloads;
} net;

static unsigned int all_offloads(void)
{
	unsigned int i, all = 0;

	for (i = 0; i < NR_OFFLOADS; i++)
		all |= offloads[i].tun;
	return all;
}

/* A macvtap is its node; a tap is a name, and each opening another queue of it. */
static int open_queue(const struct options *o, unsigned int pairs)
{
	bool node = strchr(o->path, '/');
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	size_t len = strlen(o->path);
	int fd;

	if (!node && len >= sizeof(ifr.ifr_name))
		return -ENAMETOOLONG;
	if (!node)
		memcpy(ifr.ifr_name, o->path, len);
	if (pairs > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	fd = open(node ? o->path : "/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	return ioctl(fd, TUNSETIFF, &ifr) ? -errno : fd;
}

static int set_offloads(unsigned int tun)
{
	unsigned int i;

	for (i = 0; i < net.pairs; i++)
		if (ioctl(net.tap[i], TUNSETOFFLOAD, tun))
			return -errno;
	return 0;
}

/* Older kernels know no UDP segments. */
static int find_offloads(void)
{
	net.offloads = all_offloads();
	if (!set_offloads(net.offloads))
		return 0;
	net.offloads &= ~TUN_F_USO;
	return set_offloads(net.offloads);
}

static int net_open(const struct options *o)
{
	unsigned int i, pairs = o->queues / kind_net.unit;
	int err = 0;

	for (i = 0; i < pairs && !err; i++) {
		net.tap[i] = open_queue(o, pairs);
		if (net.tap[i] < 0)
			err = net.tap[i];
		else
			net.pairs++;
	}
	if (!err)
		err = find_offloads();
	if (err)
		say_err(err, "%s can't be opened as a tap of %u queues%s", o->path, pairs,
			err == -EINVAL ? ": one of several has to be made with multi_queue" : "");
	return err;
}

static uint64_t net_features(void)
{
	uint64_t f = BIT(MTU) | BIT(GUEST_ANNOUNCE) | 1ull << VIRTIO_F_ANY_LAYOUT;
	unsigned int i;

	for (i = 0; i < NR_OFFLOADS; i++)
		if (net.offloads & offloads[i].tun)
			f |= offloads[i].guest | offloads[i].host;
	if (net.pairs > 1)
		f |= BIT(MQ);
	return f;
}

/* A tap gives its guest what that accepted, behind a header as long as the device's. */
static int net_accept(uint64_t features)
{
	const uint64_t merged = BIT(MRG_RXBUF) | 1ull << VIRTIO_F_VERSION_1;
	int len = features & merged ? sizeof(struct virtio_net_hdr_mrg_rxbuf) :
				      sizeof(struct virtio_net_hdr);
	unsigned int i, tun = 0;
	int err = 0;

	for (i = 0; i < NR_OFFLOADS; i++)
		if (features & offloads[i].guest)
			tun |= offloads[i].tun;
	for (i = 0; i < net.pairs && !err; i++)
		if (ioctl(net.tap[i], TUNSETVNETHDRSZ, &len))
			err = -errno;
	if (!err)
		err = set_offloads(tun);
	if (err)
		say_err(err, "the tap can't do what the VMM accepts: 0x%llx",
			(unsigned long long)features);
	return err;
}

static int net_enable(const struct node *n, unsigned int queue, int on)
{
	struct vhost_vring_file backend = { .fd = on ? net.tap[queue / n->queues] : -1 };

	return node_queue_call(n, queue, VHOST_NET_SET_BACKEND, &backend);
}

/* What one VM accepted the next one doesn't know of; nor are frames of that time for it. */
static int net_attach(const struct node *n)
{
	static char frame[65536 + ETH_HLEN + sizeof(struct virtio_net_hdr_mrg_rxbuf)];
	unsigned int i, left;
	int err = set_offloads(0);

	(void)n;
	for (i = 0; i < net.pairs && !err; i++)
		for (left = FRAMES_MAX; left && read(net.tap[i], frame, sizeof(frame)) > 0; left--)
			;
	if (err)
		say_err(err, "the tap can't be made anew");
	return err;
}

static void net_detach(const struct node *n)
{
	unsigned int queue;

	for (queue = 0; queue < n->count * n->queues; queue++)
		net_enable(n, queue, 0);
}

static const unsigned int net_ioctls[] = { TUNSETOFFLOAD, TUNSETVNETHDRSZ, 0 };

const struct kind kind_net = {
	.name = "net",
	.type = "net",
	.capabilities = "",
	.node = "/dev/vhost-net",
	.unit = 2,
	.queues = 1,
	.ioctls = net_ioctls,
	/* Nothing is in flight behind a turn, and there is nothing to configure. */
	.protocol_withheld = 1ull << VHOST_USER_PROTOCOL_F_CONFIG |
			     1ull << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD,
	/* To the kernel it says that the tap has no header. */
	.withheld = 1ull << VHOST_NET_F_VIRTIO_NET_HDR,
	.features = net_features,
	.accept = net_accept,
	.open = net_open,
	.attach = net_attach,
	.enable = net_enable,
	.detach = net_detach,
};
