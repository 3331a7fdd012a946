/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of bad input for a net device, and what they share. */
#ifndef PVIO_SELFTEST_NET_BAD_H
#define PVIO_SELFTEST_NET_BAD_H

#include "ioctl_bad.h"
#include "net_env.h"

/* An address that no test maps. */
#define BAD_IOVA	0x5555000000000ull

extern const struct ktap_suite net_bad_ioctl_suite;
extern const struct ktap_suite net_bad_chain_suite;
extern const struct ktap_suite net_bad_ring_suite;
extern const struct ktap_suite net_bad_generic_suite;
extern const struct ktap_suite net_bad_packed_suite;
extern const struct ktap_suite net_bad_header_suite;
extern const struct ktap_suite net_bad_change_suite;

/* Has the device look at what is in a queue: a kick, and a frame for the guest. */
int bad_provoke(struct net_env *e, unsigned int q);
/*
 * The queue was given something that breaks it: the device has to say so, the queue has to stand
 * still, the other one has to go on, and a reset has to heal.
 */
int bad_expect_broken(struct net_env *e, unsigned int q);
/*
 * For what may also count as a chain that is used without effect: one of both. Returns with a
 * device that works.
 */
int bad_expect_any(struct net_env *e, unsigned int q);
/* Takes all frames that have reached the wire, whatever they are. */
void bad_drain_wire(struct net_env *e);

#endif
