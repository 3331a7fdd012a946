/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM and its guest's virtio-net driver in one, on /dev/vhost-net. Calls return 0 or a negative
 * errno where nothing else is said. Queues are independent, one thread each; what changes the
 * device may be called beside them.
 */
#ifndef PVIO_SELFTEST_NET_H
#define PVIO_SELFTEST_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>

#include "gmem.h"
#include "ring.h"
#include "shape.h"
#include "vhost.h"

#ifndef BIT
#define BIT(n)			(1ull << (n))
#endif
/* Generous: the machine is emulated, the kernel full of checks. */
#define NET_HANG_LIMIT_MS	60000
/* Where guest memory is for the driver. */
#define NET_GUEST_IOVA		0x100000000ull

enum net_queue {
	NET_RX,
	NET_TX,
	NET_QUEUES,
};

/* Segmentation of what is in UDP tunnels, both ways: features 65 to 68. */
#define NET_TUNNELS		(0xfull << 1)

/* Behind the header that there always is, with VERSION_1: where headers of a tunnel are. */
struct net_tunnel_hdr {
	uint32_t hash;
	uint16_t report;
	uint16_t padding;
	uint16_t outer_th_offset;
	uint16_t inner_nh_offset;
};

struct net_opts {
	const char *node;
	uint16_t num;		/* entries of a ring */
	uint16_t base;		/* index at which the rings start */
	size_t mem_size;
	uint64_t with;		/* features to acknowledge beside the usual ones */
	uint64_t without;	/* features not to acknowledge */
	bool tunnels;		/* those of UDP tunnels are */
	bool iotlb;		/* addresses are mapped by messages */
	bool iotlb_empty;	/* and nothing is mapped at the start */
	bool own_memory;	/* nobody else could have the guest's memory as well */
};

struct net {
	struct vhost v;
	struct gmem mem;
	struct net_opts opts;
	uint64_t offered;
	uint64_t features;
	uint32_t hdr_len;	/* of the header before each frame */
	struct ring rings[NET_QUEUES];
	int error_fd[NET_QUEUES];	/* tells that the queue is broken */
	int backend;		/* what net_start() was given */
};

/* Opens the device and places the rings in memory, but sets nothing of it. */
int net_open(struct net *n, const struct net_opts *opts);
void net_close(struct net *n);

/* Features, memory, rings: all but the backend. */
int net_prepare(struct net *n);
/* A backend for a queue; -1: none. */
int net_attach(const struct net *n, unsigned int q, int fd);
/* Prepares, and attaches both queues to @fd. */
int net_start(struct net *n, int fd);
/* The device forgets all; then as it was opened. */
int net_reset(struct net *n);
/* Reset, rings afresh, start with the backend that it had. */
int net_restart(struct net *n);

int net_set_memory(const struct net *n);
/* Says where a queue's ring is, in the device's addresses. */
int net_place(const struct net *n, unsigned int q);
/* Size, base, place, and all eventfds of a ring. */
int net_set_vring(const struct net *n, unsigned int q, unsigned int base);

/*
 * Another device takes over what this one has, where it stopped; with nothing in flight that is
 * not in the rings. The first is closed.
 */
int net_move(struct net *n);

bool net_broken(const struct net *n, unsigned int q);
bool net_wait_broken(const struct net *n, unsigned int q);

/* Of a clock that nobody sets. */
int64_t net_now_ms(void);

#endif
