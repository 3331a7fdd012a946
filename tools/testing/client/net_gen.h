/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames from within the kernel: its packet generator, which gives them to an interface to send.
 * There is one generator; it has a thread on each CPU, of which the last CPU's is used.
 */
#ifndef PVIO_CLIENT_NET_GEN_H
#define PVIO_CLIENT_NET_GEN_H

#include <pthread.h>
#include <stdbool.h>

#define NET_GEN_ENDLESS	0u

struct net_gen {
	pthread_t thread;
	int wanted;	/* eventfd */
	int control;
	int err;	/* of the thread */
	bool running;
};

/*
 * Frames of @len bytes for @ifname, @count each time. @whole: nothing runs between the first and
 * the last of them. Return 0 or a negative errno.
 */
int net_gen_open(struct net_gen *g, const char *ifname, unsigned int len, unsigned int count,
		 bool whole);
/* Begins, and comes back at once. */
int net_gen_go(struct net_gen *g);
/* Also ends what is endless. */
void net_gen_close(struct net_gen *g);

#endif
