/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connections of a guest, streams and messages: states, credit and data as the specification has
 * them. Calls return at once; what comes of them shows after vsock_guest_turn().
 */
#ifndef PVIO_CLIENT_VSOCK_CONN_H
#define PVIO_CLIENT_VSOCK_CONN_H

#include "vsock_guest.h"

#define VSOCK_SHUT_BOTH		(VIRTIO_VSOCK_SHUTDOWN_RCV | VIRTIO_VSOCK_SHUTDOWN_SEND)

enum vsock_state {
	VSOCK_ASKED,	/* nothing has come yet */
	VSOCK_OPEN,
	VSOCK_RESET,	/* by the host */
	VSOCK_CLOSED,	/* by the guest */
};

/* Where a message ends in what was received. */
struct vsock_end {
	uint64_t at;
	bool eor;
};

struct vsock_conn {
	struct vsock_guest *g;
	struct vsock_conn *next;	/* of the same hash */
	struct vsock_conn *next_accept;
	uint16_t type;
	enum vsock_state state;
	bool replaced;		/* the host uses its port for another one */
	uint32_t port;
	uint32_t host_port;
	/* What the host may send. */
	uint32_t buf_alloc;
	uint32_t most_alloc;	/* that it was told of */
	uint32_t fwd_cnt;
	uint32_t told_cnt;	/* of @fwd_cnt, what it was told of */
	uint32_t rx_cnt;
	bool by_hand;		/* nothing is told by itself */
	bool late;		/* nor as long as the host knows of room for a packet */
	bool sink;		/* what comes is taken at once, and not looked at */
	bool sunk;		/* in this turn */
	struct vsock_conn *next_sunk;
	/* What it may be sent. */
	bool capped;		/* no more at a time than @buf_alloc either */
	uint32_t tx_cnt;
	uint32_t peer_alloc;
	uint32_t peer_fwd;
	uint32_t shut_host, shut_guest;
	/* Received, and not taken. */
	uint8_t *data;
	size_t start, len, size;
	uint64_t received;	/* in all */
	struct vsock_end *ends;
	unsigned int first_end, nr_ends, size_ends;
	uint64_t updates_in, updates_out;	/* packets that say nothing but credit */
};

struct vsock_conn *vsock_conn_find(struct vsock_guest *g, uint32_t port, uint32_t host_port);
/* Asks the host for a connection. */
struct vsock_conn *vsock_connect(struct vsock_guest *g, uint16_t type, uint32_t host_port,
				 uint32_t buf_alloc);
/* One that was asked for and answered, or NULL. */
struct vsock_conn *vsock_accept(struct vsock_listener *l);
/* Forgets it without a word. */
void vsock_conn_free(struct vsock_conn *c);
void vsock_conn_free_all(struct vsock_guest *g);

/* Bytes that the host has room for. */
uint32_t vsock_conn_space(const struct vsock_conn *c);
/*
 * Sends as much as credit, ring and buffers allow, in packets of any size; @flags are for the last
 * one, and for that alone, where all of it was sent. Returns how many bytes were, or a negative
 * errno: -EPIPE where that is no longer possible.
 */
int64_t vsock_conn_send(struct vsock_conn *c, const void *data, size_t len, uint32_t flags);
/* One packet of up to @len bytes, whatever the credit. */
int vsock_conn_put(struct vsock_conn *c, const void *data, uint32_t len, uint32_t flags);
/*
 * Takes what has come, of a message no more than that; @eor may be NULL. Returns the length,
 * -EAGAIN where nothing is there yet, or 0 where nothing will ever come. A message has to fit.
 */
int64_t vsock_conn_recv(struct vsock_conn *c, void *buf, size_t len, bool *eor);

/* A packet of this connection without data. */
void vsock_conn_tell(struct vsock_conn *c, uint16_t op, uint32_t flags);
/* Another size of buffer, told at once. */
void vsock_conn_set_alloc(struct vsock_conn *c, uint32_t buf_alloc);
/* Flags are those of VIRTIO_VSOCK_OP_SHUTDOWN. */
void vsock_conn_shutdown(struct vsock_conn *c, uint32_t flags);
void vsock_conn_reset(struct vsock_conn *c);

/* For the guest: a packet of the host, of a connection that there is or is not yet. */
void vsock_conn_packet(struct vsock_guest *g, const struct vsock_pkt *p);
/* For the guest: the end of a turn, for those that have sunk something. */
void vsock_conn_turned(struct vsock_conn *c);

#endif
