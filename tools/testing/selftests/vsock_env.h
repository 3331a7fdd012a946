/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of socket devices share: the command line, a guest, pairs of connected ends. */
#ifndef PVIO_SELFTEST_VSOCK_ENV_H
#define PVIO_SELFTEST_VSOCK_ENV_H

#include <stdatomic.h>
#include <unistd.h>

#include "ktap.h"
#include "ring_scribble.h"
#include "vsock_conn.h"
#include "vsock_host.h"

#define KIB		1024u
#define MIB		(1024u * 1024u)
#define PAGE		4096u
/* Ports that nobody else has. */
#define GUEST_PORT	1234u
#define HOST_PORT	4321u
/* What a guest has room for, for each connection, where a test doesn't say otherwise. */
#define GUEST_ALLOC	(256u * KIB)
#define STREAM		VIRTIO_VSOCK_TYPE_STREAM
#define SEQPACKET	VIRTIO_VSOCK_TYPE_SEQPACKET

/* For tests of what the kernel's own vhost-vsock has not, or has wrong; @why says what. */
#define NEED_OURS(e, why)						\
	do {								\
		if ((e)->peer)						\
			SKIP("the peer: " why);				\
	} while (0)

#define EXPECT(e, want, request, arg)					\
	CHECK_EQ(vhost_ioctl(&(e)->g.s.v, request, arg), want)

/* The guest goes on until @cond. */
#define AWAIT(e, cond)							\
	do {								\
		int64_t end_ = vsock_now_ms() + VSOCK_HANG_LIMIT_MS;	\
									\
		while (!(cond)) {					\
			if (vsock_now_ms() >= end_)			\
				vsock_env_dump(e);			\
			CHECK(vsock_now_ms() < end_, "it waits for ever: %s", #cond); \
			CHECK_PASS(vsock_env_turn(e, 10));		\
		}							\
	} while (0)

/* No guest is needed for that. */
#define AWAIT_HOST(cond)						\
	do {								\
		int64_t end_ = vsock_now_ms() + VSOCK_HANG_LIMIT_MS;	\
									\
		while (!(cond)) {					\
			CHECK(vsock_now_ms() < end_, "it waits for ever: %s", #cond); \
			usleep(1000);					\
		}							\
	} while (0)

struct vsock_env {
	struct vsock_guest g;
	struct vsock_guest_opts opts;
	bool peer;		/* the node is that of the kernel's own module */
	bool hostile;		/* the guest is: what it is told may be nonsense */
	const char *only;
	uint64_t seed;
	unsigned int rounds;
	uint64_t bytes;		/* of each of many connections, each way */
};

/* A connection's two ends. */
struct vsock_pair {
	int fd;
	struct vsock_conn *c;
};

/* Exits with a message when the command line is wrong. */
void vsock_env_parse(struct vsock_env *e, int argc, char **argv);

/* Fixtures for ktap suites whose context is a struct vsock_env; each test has a CID of its own. */
int vsock_env_setup(void *ctx);		/* a device that runs */
int vsock_env_setup_open(void *ctx);	/* one without rings */
/* Fails where the host has told the guest something that it may not. */
int vsock_env_close(void *ctx);
/* A device with the same CID. */
int vsock_env_open(struct vsock_env *e);
int vsock_env_start(struct vsock_env *e);
/* Another device in its place, with other features than the command line says. */
int vsock_env_restart_as(struct vsock_env *e, uint64_t with, uint64_t without);
/* Or with other buffers. */
int vsock_env_restart_sized(struct vsock_env *e, const struct vsock_guest_opts *sizes);
int vsock_env_restart_with(struct vsock_env *e, unsigned int rx_bufs, uint32_t rx_room);
/* Another guest beside, with this CID, to be closed by vsock_guest_close(). */
int vsock_env_neighbour(const struct vsock_env *e, struct vsock_env *other, uint64_t cid);

/* What the host has said last, for those who look for the reason of something. */
void vsock_env_dump(const struct vsock_env *e);

/* The guest does what there is to do, and waits up to @ms for more. */
int vsock_env_turn(struct vsock_env *e, int ms);
/* It goes on for so long. */
int vsock_env_idle(struct vsock_env *e, int ms);
/* It goes on until @fn, in a thread, returns what this returns. */
int vsock_env_beside(struct vsock_env *e, int (*fn)(void *arg), void *arg);

/* The host connects to the guest; @type is that of packets. */
int vsock_env_connect(struct vsock_env *e, uint16_t type, uint32_t buf_alloc,
		      struct vsock_pair *p);
/* The guest connects to the host. */
int vsock_env_accept(struct vsock_env *e, uint16_t type, uint32_t buf_alloc, struct vsock_pair *p);
/* By a socket that listens on HOST_PORT, and has its own settings. */
int vsock_env_accept_on(struct vsock_env *e, uint16_t type, uint32_t buf_alloc, int fd,
			struct vsock_pair *p);
/* Both ends close, and both know. */
int vsock_env_end(struct vsock_env *e, struct vsock_pair *p);

/* New connections, both ways, carry data both ways. */
int vsock_env_verify(struct vsock_env *e);
/* The same after a reset, which heals. */
int vsock_env_verify_reset(struct vsock_env *e);

#endif
