/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest behind a socket device, as far as its driver goes: it takes every packet that the host
 * sends, looks whether the host may send that, and answers. Whatever a test does with connections
 * is in vsock_conn.h. One thread has a guest.
 */
#ifndef PVIO_CLIENT_VSOCK_GUEST_H
#define PVIO_CLIENT_VSOCK_GUEST_H

#include <poll.h>

#include "vsock_buf.h"

#define VSOCK_HOST_CID		2u
#define VSOCK_OPS		8u
#define VSOCK_HASH		256u
#define VSOCK_LISTENERS		8u
/* Headers that are remembered. */
#define VSOCK_SEEN		256u

struct vsock_conn;

struct vsock_listener {
	bool used;
	uint32_t port;
	uint16_t type;
	uint32_t buf_alloc;	/* of the connections */
	struct vsock_conn *first, *last;	/* that nobody has accepted */
};

/* Control packets that found no room in the ring. */
struct vsock_backlog {
	struct virtio_vsock_hdr *hdrs;
	unsigned int first, end, size;
};

struct vsock_guest {
	struct vsock s;
	struct vsock_bufs rx, tx;
	struct vsock_listener listeners[VSOCK_LISTENERS];
	struct vsock_conn *conns[VSOCK_HASH];
	struct vsock_conn *sunk;	/* of this turn */
	struct vsock_backlog backlog;
	uint32_t next_port;
	bool deaf;	/* it posts no buffers */
	bool silent;	/* it answers nothing by itself */
	bool unflushed;
	uint64_t in[VSOCK_OPS], out[VSOCK_OPS];	/* packets */
	uint64_t bytes_in, bytes_out;
	struct virtio_vsock_hdr seen[VSOCK_SEEN];	/* a circle */
	uint64_t seen_end;
	char wrong[160];	/* the first thing that a host may not do */
};

/* @rx_room and @tx_room are what buffers have at most, header included. */
struct vsock_guest_opts {
	struct vsock_opts dev;
	unsigned int rx_bufs, tx_bufs;
	uint32_t rx_room, tx_room;
};

void vsock_guest_forget(struct vsock_guest *g);
/* A device without rings; vsock_start() makes it run. */
int vsock_guest_open(struct vsock_guest *g, const struct vsock_guest_opts *opts);
void vsock_guest_close(struct vsock_guest *g);
/* Another driver: it knows no connection, and the rings begin anew. */
int vsock_guest_restart(struct vsock_guest *g);

/* Returns how much there was to do, or a negative errno. */
int vsock_guest_turn(struct vsock_guest *g);
/* Waits until there may be something to do, or for one of @fds, which poll() wants, or @ms. */
int vsock_guest_wait(struct vsock_guest *g, struct pollfd *fds, unsigned int count, int ms);

/* A header of the guest that is @cid, without credit. */
struct virtio_vsock_hdr vsock_hdr(uint64_t cid, uint16_t type, uint16_t op, uint32_t port,
				  uint32_t host_port);
struct virtio_vsock_hdr vsock_guest_hdr(const struct vsock_guest *g, uint16_t type, uint16_t op,
					uint32_t port, uint32_t host_port);
/* Sends a control packet, now or as soon as there is room. */
void vsock_guest_send(struct vsock_guest *g, const struct virtio_vsock_hdr *hdr);
/* Sends any packet. Returns 0, or -ENOSPC where there is no room. */
int vsock_guest_put(struct vsock_guest *g, const struct virtio_vsock_hdr *hdr, const void *data,
		    uint32_t len);

/* Who asks for a port that nobody listens on is refused. Returns NULL where there are too many. */
struct vsock_listener *vsock_guest_listen(struct vsock_guest *g, uint16_t type, uint32_t port,
					  uint32_t buf_alloc);

/*
 * How many of the headers that came since the @since-th, and are remembered, have this operation
 * and these ports; 0 is any.
 */
unsigned int vsock_guest_saw(const struct vsock_guest *g, uint64_t since, uint16_t op,
			     uint32_t port, uint32_t host_port);

void vsock_guest_wrong(struct vsock_guest *g, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
