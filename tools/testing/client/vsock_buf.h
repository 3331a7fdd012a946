/* SPDX-License-Identifier: GPL-2.0-only */
/* Buffers of a socket device: those that wait for packets, and those that hold packets to send. */
#ifndef PVIO_CLIENT_VSOCK_BUF_H
#define PVIO_CLIENT_VSOCK_BUF_H

#include "vsock.h"

#define VSOCK_HDR_LEN	((uint32_t)sizeof(struct virtio_vsock_hdr))
/* Data of a packet: no peer takes more. */
#define VSOCK_DATA_MAX	65536u

struct vsock_buf {
	struct vsock_buf *next;	/* that is free */
	uint8_t *va;
	uint32_t len;		/* that was posted */
};

/* The buffers of one ring. */
struct vsock_bufs {
	struct vsock *s;
	unsigned int q;
	enum shape shape;
	uint32_t min, max;	/* bytes that a receive buffer has, header included */
	unsigned int count;
	struct vsock_buf *bufs;
	struct vsock_buf *free;
	struct vsock_buf *held;	/* of the packet that was taken last */
	unsigned int posted;
	struct prng prng;
};

struct vsock_pkt {
	struct virtio_vsock_hdr hdr;
	const uint8_t *data;	/* until the next one is taken */
	uint32_t len;		/* of the data, by what the device has used */
	uint32_t room;		/* that there was for data */
};

/* @room is the most that a buffer may have. */
int vsock_bufs_init(struct vsock_bufs *b, struct vsock *s, unsigned int q, unsigned int count,
		    uint32_t room);
void vsock_bufs_destroy(struct vsock_bufs *b);
/* After a reset of the ring: nothing is posted. */
void vsock_bufs_forget(struct vsock_bufs *b);

/* Posts so many at most, as far as there are buffers and room, and tells the device. */
int vsock_rx_post(struct vsock_bufs *b, unsigned int count);
/*
 * Takes a packet. Returns 1, 0 where there is none, or -EBADMSG for what a device may not do:
 * a buffer that is not one, or that was written behind its end, or no whole header.
 */
int vsock_rx_take(struct vsock_bufs *b, struct vsock_pkt *p);

/*
 * Adds a packet to the ring, whatever the header says of its length; vsock_tx_flush() tells the
 * device. Returns 0, or -ENOSPC where ring or buffers are full.
 */
int vsock_tx_put(struct vsock_bufs *b, const struct virtio_vsock_hdr *hdr, const void *data,
		 uint32_t len);
void vsock_tx_flush(struct vsock_bufs *b);
/* Takes back what the device has used. Returns how many, or -EBADMSG. */
int vsock_tx_reap(struct vsock_bufs *b);

#endif
