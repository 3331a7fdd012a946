/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of bad input for a socket device, and what they share. */
#ifndef PVIO_SELFTEST_VSOCK_BAD_H
#define PVIO_SELFTEST_VSOCK_BAD_H

#include "ioctl_bad.h"
#include "vsock_load.h"

/* An address that no test maps. */
#define BAD_IOVA	0x5555000000000ull

extern const struct ktap_suite vsock_bad_ioctl_suite;
extern const struct ktap_suite vsock_bad_running_suite;
extern const struct ktap_suite vsock_bad_header_suite;
extern const struct ktap_suite vsock_bad_state_suite;
extern const struct ktap_suite vsock_bad_chain_suite;
extern const struct ktap_suite vsock_bad_flood_suite;

/* A guest that lies, and a connection of it that has to stay as it is whatever comes beside it. */
int bad_setup(void *ctx);
int bad_teardown(void *ctx);
/* Bytes go by that connection, both ways. */
int bad_check(struct vsock_env *e);
/* After a reset of the device there is another such connection. */
int bad_restart(struct vsock_env *e);

/*
 * What was sent is used, or breaks the queue; then a reset has to heal. Returns with a device that
 * works.
 */
int bad_settle(struct vsock_env *e);
/* Sends a packet, and settles. */
int bad_send(struct vsock_env *e, const struct virtio_vsock_hdr *h, const void *data, uint32_t len);

/* A connection for lies. */
struct bad_target {
	struct vsock_pair p;
	unsigned int restarts;	/* of the device, until it was made */
};

#define BAD_NO_TARGET	{ .p = { .fd = -1 } }

/* The one that there is, or a new one where that did not stand the lies. */
int bad_target(struct vsock_env *e, uint16_t type, struct bad_target *t);
void bad_drop(struct bad_target *t);

#endif
