/* SPDX-License-Identifier: GPL-2.0-only */
/* Buffers of a net device: those that wait for frames, and those that hold frames to be sent. */
#ifndef PVIO_SELFTEST_NET_BUF_H
#define PVIO_SELFTEST_NET_BUF_H

#include "net.h"
#include "shape.h"

#define NET_FRAME_MAX	(65536u + 64)

struct net_buf {
	struct net_buf *next;	/* that is free */
	uint8_t *va;
	uint32_t len;		/* that was posted */
};

/* The buffers of one ring. */
struct net_bufs {
	struct net *n;
	unsigned int q;
	enum shape shape;
	uint32_t min, max;	/* bytes that a receive buffer has, header included */
	unsigned int count;
	struct net_buf *bufs;
	struct net_buf *free;
	unsigned int posted;
	struct prng prng;
	uint8_t *linear;	/* the last frame received */
	unsigned long long taken;	/* frames received */
	struct net_tunnel_hdr tunnel;	/* of frames to send, where the header has it */
};

struct net_frame {
	struct virtio_net_hdr_mrg_rxbuf hdr;	/* 0 where there is less of it */
	struct net_tunnel_hdr tunnel;	/* likewise */
	const uint8_t *data;	/* until the next one is taken */
	uint32_t len;
	unsigned int buffers;
};

/* @room is the most that a buffer may have. */
int net_bufs_init(struct net_bufs *b, struct net *n, unsigned int q, unsigned int count,
		  uint32_t room);
void net_bufs_destroy(struct net_bufs *b);
/* After a reset of the ring: nothing is posted. */
void net_bufs_forget(struct net_bufs *b);

/* Posts what is free and finds room, and tells the device. */
int net_rx_fill(struct net_bufs *b);
/* Posts so many at most. */
int net_rx_post(struct net_bufs *b, unsigned int count);
/*
 * Takes a frame, all of its buffers. Returns 1, 0 where there is none, or -EBADMSG for what a
 * device may not do.
 */
int net_rx_take(struct net_bufs *b, struct net_frame *f);

/*
 * Adds a frame to the ring; net_tx_flush() tells the device. Returns 0, or -ENOSPC where ring or
 * buffers are full. @hdr of NULL is one of zeroes.
 */
int net_tx_put(struct net_bufs *b, const struct virtio_net_hdr_mrg_rxbuf *hdr, const void *data,
	       uint32_t len);
void net_tx_flush(struct net_bufs *b);
/* Takes back what the device has sent. Returns how many, or -EBADMSG. */
int net_tx_reap(struct net_bufs *b);

#endif
