/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest, a VMM, and sockets of the host that do anything at all, as a seed says. */
#ifndef PVIO_SELFTEST_VSOCK_FUZZ_H
#define PVIO_SELFTEST_VSOCK_FUZZ_H

#include "node_fuzz.h"
#include "vsock_env.h"

#define FUZZ_SOCKETS	8u

/**
 * struct vsock_fuzz - one opening of the device
 * @n: what is the same for all nodes
 * @e: the device
 * @s: the driver that scribbles, in a thread of its own
 * @listeners: of the host, for streams and for messages; they are there for all rounds
 * @sockets: others of the host, or -1; who takes one out closes it
 */
struct vsock_fuzz {
	struct node_fuzz n;
	struct vsock_env *e;
	struct ring_scribbler s;
	const int *listeners;
	atomic_int sockets[FUZZ_SOCKETS];
};

extern const struct node_fuzz_kind vsock_fuzz_kind;

/* Puts a socket in a place of those, and closes what was there. */
void vsock_fuzz_keep(struct vsock_fuzz *f, struct prng *p, int fd);

#endif
