/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM and its guest's virtio-vsock device in one, on /dev/vhost-vsock: its two queues, without
 * that for events, which VMMs serve themselves. Calls return 0 or a negative errno where nothing
 * else is said.
 */
#ifndef PVIO_CLIENT_VSOCK_H
#define PVIO_CLIENT_VSOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/virtio_config.h>
#include <linux/virtio_vsock.h>

#include "gmem.h"
#include "ring.h"
#include "shape.h"
#include "vhost.h"

#ifndef BIT
#define BIT(n)			(1ull << (n))
#endif
#ifndef VIRTIO_VSOCK_F_STREAM
#define VIRTIO_VSOCK_F_STREAM	0
#endif
#ifndef VIRTIO_VSOCK_F_NO_IMPLIED_STREAM
#define VIRTIO_VSOCK_F_NO_IMPLIED_STREAM	2
#endif
#ifndef VIRTIO_F_RING_RESET
#define VIRTIO_F_RING_RESET	40
#endif

/* Generous: the machine is emulated, the kernel full of checks. */
#define VSOCK_HANG_LIMIT_MS	60000
/* Where guest memory is for the driver. */
#define VSOCK_GUEST_IOVA	0x100000000ull

enum vsock_queue {
	VSOCK_RX,
	VSOCK_TX,
	VSOCK_QUEUES,
};

struct vsock_opts {
	const char *node;
	uint64_t cid;
	uint16_t num;		/* entries of a ring */
	uint16_t base;		/* index at which the rings start */
	size_t mem_size;
	uint64_t with;		/* features to acknowledge beside the usual ones */
	uint64_t without;	/* features not to acknowledge */
	bool iotlb;		/* addresses are mapped by messages */
	bool iotlb_empty;	/* and nothing is mapped at the start */
};

struct vsock {
	struct vhost v;
	struct gmem mem;
	struct vsock_opts opts;
	uint64_t offered;
	uint64_t features;
	struct ring rings[VSOCK_QUEUES];
	int error_fd[VSOCK_QUEUES];	/* tells that the queue is broken */
};

/* As if it had been closed. */
void vsock_forget(struct vsock *s);
/* Opens the device and places the rings in memory, but sets nothing of it. */
int vsock_open(struct vsock *s, const struct vsock_opts *opts);
void vsock_close(struct vsock *s);

/* Features, memory, rings. */
int vsock_prepare(struct vsock *s);
int vsock_set_cid(const struct vsock *s, uint64_t cid);
/* Kicks, when it has begun: what was kicked before nobody may have heard. */
int vsock_set_running(struct vsock *s, int running);
/* Prepares, takes the CID of the options, and runs. */
int vsock_start(struct vsock *s);
/* What becomes of a driver's reset: it stands still, and forgets what went wrong. */
int vsock_stop(struct vsock *s);
/* Stop, rings afresh, start. */
int vsock_restart(struct vsock *s);
/*
 * Another device takes over what this one has, where it stopped, and the CID; with nothing in
 * flight that is not in the rings. The first is closed.
 */
int vsock_move(struct vsock *s);

/* Says where a queue's ring is, in the device's addresses. */
int vsock_place(const struct vsock *s, unsigned int q);
/* Size, base, place, and all eventfds of a ring. */
int vsock_set_vring(const struct vsock *s, unsigned int q, unsigned int base);

bool vsock_broken(const struct vsock *s, unsigned int q);
bool vsock_wait_broken(const struct vsock *s, unsigned int q);

/* Of a clock that nobody sets. */
int64_t vsock_now_ms(void);

#endif
