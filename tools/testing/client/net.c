// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

static const uint64_t wanted_features =
	BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
	BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_NET_F_MRG_RXBUF);

int64_t net_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static int make_rings(struct net *n)
{
	bool indirect = n->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	const struct ring_features features = vhost_ring_features(n->features);
	unsigned int q;
	int err = 0;

	for (q = 0; q < NET_QUEUES && !err; q++)
		err = ring_init(&n->rings[q], &n->mem, n->opts.num, indirect ? SHAPE_MAX_SEGS : 0,
				&features, n->opts.base);
	return err;
}

/* The rings and their tables come on top of what the test asked for. */
static size_t memory_size(const struct net *n)
{
	size_t rings = (size_t)NET_QUEUES * n->opts.num * (SHAPE_MAX_SEGS + 4) * 16;

	return (n->opts.mem_size + rings + 0xffff) & ~(size_t)0xffff;
}

static int offers_tunnels(const struct net *n)
{
	uint64_t words[VHOST_FEATURE_WORDS];
	int err = vhost_get_feature_words(&n->v, words, VHOST_FEATURE_WORDS);

	if (err)
		return err;
	return (words[1] & NET_TUNNELS) == NET_TUNNELS ? 0 : -EOPNOTSUPP;
}

static int set_features(const struct net *n)
{
	const uint64_t words[VHOST_FEATURE_WORDS] = { n->features, NET_TUNNELS };

	return n->opts.tunnels ? vhost_set_feature_words(&n->v, words, VHOST_FEATURE_WORDS) :
				 vhost_set_features(&n->v, n->features);
}

static int open_rest(struct net *n)
{
	const uint64_t long_header = BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF);
	unsigned int q;
	int err = vhost_set_owner(&n->v);

	if (!err)
		err = vhost_get_features(&n->v, &n->offered);
	if (!err && n->opts.tunnels)
		err = offers_tunnels(n);
	if (!err)
		err = gmem_create(&n->mem, n->opts.own_memory ? GMEM_PRIVATE : GMEM_SHARED,
				  NET_GUEST_IOVA, memory_size(n));
	if (err)
		return err;
	n->features = n->offered & (wanted_features | n->opts.with) & ~n->opts.without;
	if (!n->opts.iotlb)
		n->features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	if (n->opts.with & ~n->features)
		return -EOPNOTSUPP;
	n->hdr_len = n->features & long_header ? sizeof(struct virtio_net_hdr_mrg_rxbuf) :
						 sizeof(struct virtio_net_hdr);
	if (n->opts.tunnels)
		n->hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf) +
			     sizeof(struct net_tunnel_hdr);
	for (q = 0; q < NET_QUEUES; q++) {
		n->error_fd[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (n->error_fd[q] < 0)
			return -errno;
	}
	return make_rings(n);
}

int net_open(struct net *n, const struct net_opts *opts)
{
	int err;

	memset(n, 0, sizeof(*n));
	n->opts = *opts;
	n->mem.fd = -1;
	n->backend = -1;
	n->error_fd[NET_RX] = -1;
	n->error_fd[NET_TX] = -1;
	err = vhost_open(&n->v, opts->node);
	if (!err)
		err = open_rest(n);
	if (err)
		net_close(n);
	return err;
}

void net_close(struct net *n)
{
	unsigned int q;

	vhost_close(&n->v);
	for (q = 0; q < NET_QUEUES; q++) {
		ring_destroy(&n->rings[q]);
		if (n->error_fd[q] >= 0)
			close(n->error_fd[q]);
		n->error_fd[q] = -1;
	}
	gmem_destroy(&n->mem);
}

int net_set_memory(const struct net *n)
{
	return vhost_set_gmem(&n->v, &n->mem);
}

int net_place(const struct net *n, unsigned int q)
{
	return vhost_place_ring(&n->v, q, &n->rings[q], &n->mem, n->opts.iotlb);
}

int net_set_vring(const struct net *n, unsigned int q, unsigned int base)
{
	return vhost_set_queue(&n->v, q, &n->rings[q], &n->mem, n->opts.iotlb, base,
			       n->error_fd[q]);
}

static int prepare_at(struct net *n, const unsigned int *bases)
{
	unsigned int q;
	int err = set_features(n);

	if (!err)
		err = vhost_ack_backend_features(&n->v, BIT(VHOST_BACKEND_F_IOTLB_MSG_V2));
	if (!err)
		err = net_set_memory(n);
	if (!err && n->opts.iotlb && !n->opts.iotlb_empty)
		err = vhost_map_gmem(&n->v, &n->mem);
	for (q = 0; q < NET_QUEUES && !err; q++)
		err = net_set_vring(n, q, bases[q]);
	return err;
}

int net_prepare(struct net *n)
{
	const unsigned int bases[NET_QUEUES] = {
		ring_base(&n->rings[NET_RX]), ring_base(&n->rings[NET_TX]),
	};

	return prepare_at(n, bases);
}

int net_attach(const struct net *n, unsigned int q, int fd)
{
	struct vhost_vring_file f = { .index = q, .fd = fd };

	return vhost_ioctl(&n->v, VHOST_NET_SET_BACKEND, &f);
}

static int attach_both(struct net *n, int fd)
{
	int err = net_attach(n, NET_RX, fd);

	return err ? err : net_attach(n, NET_TX, fd);
}

int net_start(struct net *n, int fd)
{
	int err = net_prepare(n);

	n->backend = fd;
	return err ? err : attach_both(n, fd);
}

int net_reset(struct net *n)
{
	unsigned int q;
	eventfd_t told;
	int err = vhost_ioctl(&n->v, VHOST_RESET_OWNER, NULL);

	for (q = 0; q < NET_QUEUES; q++)
		eventfd_read(n->error_fd[q], &told);
	return err ? err : vhost_set_owner(&n->v);
}

int net_restart(struct net *n)
{
	unsigned int q;
	int err = net_reset(n);

	for (q = 0; q < NET_QUEUES; q++)
		ring_restart(&n->rings[q], 0);
	return err ? err : net_start(n, n->backend);
}

int net_move(struct net *n)
{
	unsigned int bases[NET_QUEUES], q;
	struct vhost old = n->v;
	int err = attach_both(n, -1);

	for (q = 0; q < NET_QUEUES && !err; q++)
		err = vhost_get_vring_base(&old, q, &bases[q]);
	if (err)
		return err;
	err = vhost_open(&n->v, n->opts.node);
	if (err) {
		n->v = old;
		return err;
	}
	err = vhost_set_owner(&n->v);
	if (!err)
		err = prepare_at(n, bases);
	if (!err)
		err = attach_both(n, n->backend);
	vhost_close(&old);
	return err;
}

bool net_broken(const struct net *n, unsigned int q)
{
	return vhost_told(n->error_fd[q], 0);
}

bool net_wait_broken(const struct net *n, unsigned int q)
{
	return vhost_told(n->error_fd[q], NET_HANG_LIMIT_MS);
}
