/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Traffic over many connections at once, both ways, whose content is looked at. The host's ends
 * have a thread; those of the guest are served between its turns.
 */
#ifndef PVIO_SELFTEST_VSOCK_LOAD_H
#define PVIO_SELFTEST_VSOCK_LOAD_H

#include <pthread.h>

#include "flow.h"
#include "vsock_env.h"

struct host_end {
	int fd;
	struct flow f;
	int err;	/* that ended it before its time */
	bool ended;
};

struct host_ends {
	struct host_end *ends;
	unsigned int count;
	bool lossy;	/* connections may end before their time */
	atomic_bool stop;
	atomic_bool done;
	atomic_ulong moved;	/* pieces, both ways */
	int res;
	uint8_t *buf;
	pthread_t thread;
};

struct guest_end {
	struct vsock_conn *c;
	struct flow f;
	bool ended;
};

struct guest_ends {
	struct guest_end *ends;
	unsigned int count;
	bool lossy;
	unsigned long moved;
	uint8_t *buf;
};

/* All of them in a thread, until they have ended or are to stop. */
int host_ends_start(struct host_ends *h);
/* Returns what went wrong first. */
int host_ends_stop(struct host_ends *h);
/* What can be done now. */
int guest_ends_turn(struct guest_ends *g);
bool guest_ends_done(const struct guest_ends *g);

struct vsock_load {
	struct vsock_env *e;
	struct host_ends h;
	struct guest_ends g;
	unsigned int most;
};

/* Of @most connections. */
int vsock_load_init(struct vsock_load *l, struct vsock_env *e, unsigned int most);
/* What a connection is to carry. */
int vsock_load_add(struct vsock_load *l, const struct vsock_pair *p, uint32_t max,
		   uint64_t to_guest, uint64_t from_guest);
/* Until everything has arrived. */
int vsock_load_run(struct vsock_load *l);
void vsock_load_destroy(struct vsock_load *l);

/* One connection, by itself. */
int vsock_load_pair(struct vsock_env *e, const struct vsock_pair *p, uint32_t max,
		    uint64_t to_guest, uint64_t from_guest);

#endif
