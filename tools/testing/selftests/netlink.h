/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_SELFTEST_NETLINK_H
#define PVIO_SELFTEST_NETLINK_H

#include "env.h"
#include "nl.h"

/* A /dev/vhost-blk beside the device of the test; there is one on every kernel. */
#define NODE		"/dev/vhost-blk"

extern const struct ktap_suite netlink_get_suite;
extern const struct ktap_suite netlink_bad_suite;
extern const struct ktap_suite netlink_event_suite;
extern const struct ktap_suite netlink_who_suite;
extern const struct ktap_suite netlink_many_suite;

/* The id of the device of the test, which runs: the one this process owns. 0: not found. */
uint32_t netlink_own_id(struct nl *n);
/* The family answers as it should. */
int netlink_works(struct nl *n, uint32_t own);

#endif
