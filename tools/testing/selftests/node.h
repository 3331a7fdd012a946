/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_SELFTEST_NODE_H
#define PVIO_SELFTEST_NODE_H

#include <linux/pvio_vhost.h>
#include <linux/pvio_vhost_blk.h>

#include "env.h"

/* A call on the device of a test, and what it has to return. */
#define EXPECT(e, want, request, arg)					\
	CHECK_EQ(vhost_ioctl(&(e)->b.v, request, arg), want)

extern const struct ktap_suite node_generic_suite;
extern const struct ktap_suite node_vring_suite;
extern const struct ktap_suite node_store_suite;
extern const struct ktap_suite node_life_suite;
extern const struct ktap_suite node_enable_suite;

/* An address that no process has. */
#define KERNEL_ADDRESS	0xffff888000000000ull

#endif
