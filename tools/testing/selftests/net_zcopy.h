/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that are sent without a copy: chains are in flight until the network lets go of them.
 * What goes into the tap comes out at the end of a veth pair, which has a plug in its queue.
 */
#ifndef PVIO_SELFTEST_NET_ZCOPY_H
#define PVIO_SELFTEST_NET_ZCOPY_H

#include "net_env.h"

#define ZCOPY_NR	20u
#define ZCOPY_LEN	20000u

/* A device that runs, the tap behind it, and the plug, which holds. */
int zcopy_start(struct net_env *e);
/* A teardown: with the plug goes what the device would wait for. */
int zcopy_end(void *ctx);
/* Who didn't start it hears what comes out of the pair. */
int zcopy_listen(void);
/* The plug lets everything through. */
int zcopy_release(void);

/* As many frames as ZCOPY_NR. */
int zcopy_put_all(struct net_env *e);
int zcopy_in_flight(struct net_env *e);
int zcopy_await_in_flight(struct net_env *e, int n);
/* Their chains come back, each once. */
int zcopy_await_done(struct net_env *e);
/* The frames arrive, each once; @changed: the last byte of each is that, or as it was if -1. */
int zcopy_take_all(int changed);

extern const struct ktap_suite net_zcopy_kill_suite;

#endif
