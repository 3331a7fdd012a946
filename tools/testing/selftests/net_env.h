/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of net devices share: the command line, a device with a wire, traffic. */
#ifndef PVIO_SELFTEST_NET_ENV_H
#define PVIO_SELFTEST_NET_ENV_H

#include <pthread.h>
#include <stdatomic.h>

#include "eth.h"
#include "ktap.h"
#include "net_buf.h"
#include "ring_scribble.h"
#include "wire.h"

#define MIB		(1024u * 1024u)
#define PAGE		4096u
#define NET_BUFS	128u
/* A usual frame with its header. */
#define NET_ROOM	1552u
/* Frames that a check sends. */
#define NET_VERIFY	16u

/* For tests of what the kernel's own vhost-net has not, or has otherwise. */
#define NEED_OURS(e)							\
	do {								\
		if ((e)->peer)						\
			SKIP("the peer has it otherwise");		\
	} while (0)

#define EXPECT(e, want, request, arg)					\
	CHECK_EQ(vhost_ioctl(&(e)->n.v, request, arg), want)

struct net_env {
	struct net n;
	struct wire w;
	struct net_bufs rx, tx;
	struct net_opts opts;
	struct wire_opts wire;
	uint32_t rx_room;	/* of a receive buffer */
	uint32_t tx_room;
	bool peer;		/* the node is that of the kernel's own module */
	bool vhost_hdr;		/* the device makes the headers */
	const char *only;
	uint64_t seed;
	unsigned int rounds;
	uint32_t nr_in, nr_out;	/* of the next frame */
	unsigned long long counted;	/* by the tap, when the guest had @taken */
	unsigned long long taken;
};

/* Exits with a message when the command line is wrong. */
void net_env_parse(struct net_env *e, int argc, char **argv);

/* Fixtures for ktap suites whose context is a struct net_env. */
int net_env_open(void *ctx);	/* a wire and a device without rings */
int net_env_start(void *ctx);	/* a device that runs */
int net_env_close(void *ctx);
/* A device that runs, with other features or another wire than the command line says. */
int net_env_start_as(struct net_env *e, uint64_t with, uint64_t without, bool gso);

/* A frame for the guest, and the guest's wait for the next one, which has to be this one. */
int net_env_send(struct net_env *e, uint32_t len, uint32_t nr);
int net_env_expect(struct net_env *e, uint32_t nr, unsigned int *buffers);

/*
 * A tap counts as sent what the guest gets: from one call on to the other, between which the guest
 * takes all that it gets. Others count nothing.
 */
int net_env_count(struct net_env *e);
int net_env_check_count(struct net_env *e);

/* A reset, rings afresh. */
int net_env_restart(struct net_env *e);

/* Frames go through a queue, or through both; those of earlier tests may come before them. */
int net_env_verify_queue(struct net_env *e, unsigned int q);
int net_env_verify(struct net_env *e);
/* A reset heals: after it both queues work. */
int net_env_verify_reset(struct net_env *e);

/* The driver changes what it shares, by the seed. Returns 0 or a negative errno. */
int net_env_scribble(struct net_env *e, struct ring_scribbler *s, unsigned int targets);

/*
 * Traffic in both ways, whose frames have to arrive whole, each once and in order; none may be
 * lost, unless said so.
 */
struct net_load {
	struct net_env *e;
	struct prng prng;
	uint32_t min, max;	/* lengths of frames */
	unsigned int window;	/* frames on their way */
	bool lossy;
	bool overtakes;		/* frames may come behind later ones */
	bool stale[NET_QUEUES];	/* frames of before may come first */
	bool way[NET_QUEUES];	/* that are used */
	uint32_t want[NET_QUEUES];	/* up to which number is sent */
	uint32_t sent[NET_QUEUES];	/* number of the next frame */
	uint32_t got[NET_QUEUES];	/* number of the next one that may arrive */
	uint32_t lost[NET_QUEUES];	/* frames before that are not waited for */
	uint64_t early[NET_QUEUES];	/* those from @got on that arrived before it */
	uint8_t *buf;
	atomic_ulong frames;	/* that arrived */
	atomic_bool stop;
	int res;
	pthread_t thread;
};

void net_load_init(struct net_load *l, struct net_env *e);
/* So many frames each way. */
int net_load_run(struct net_load *l, unsigned int frames);
/* In a thread, until it is stopped. */
int net_load_start(struct net_load *l);
/* Waits until so many more frames have arrived. */
int net_load_await(struct net_load *l, unsigned int frames);
/* Returns what went wrong first. */
int net_load_stop(struct net_load *l);

#endif
