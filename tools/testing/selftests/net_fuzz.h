/* SPDX-License-Identifier: GPL-2.0-only */
/* A driver and a VMM of a network that do anything at all, as a seed says. */
#ifndef PVIO_SELFTEST_NET_FUZZ_H
#define PVIO_SELFTEST_NET_FUZZ_H

#include "net_env.h"
#include "node_fuzz.h"

/**
 * struct net_fuzz - one opening of the device
 * @n: what is the same for all nodes
 * @e: the device, and an interface that is there for all rounds
 * @s: the driver that scribbles, in a thread of its own
 * @other: another queue of the same tap
 */
struct net_fuzz {
	struct node_fuzz n;
	struct net_env *e;
	struct ring_scribbler s;
	int other;
};

extern const struct node_fuzz_kind net_fuzz_kind;

#endif
