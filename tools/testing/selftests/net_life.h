/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of net devices whose backends, owners, places and workers change under traffic. */
#ifndef PVIO_SELFTEST_NET_LIFE_H
#define PVIO_SELFTEST_NET_LIFE_H

#include "net_env.h"

/* Frames between two changes. */
#define LIFE_FRAMES	30u

extern const struct ktap_suite net_life_backend_suite;
extern const struct ktap_suite net_life_owner_suite;
extern const struct ktap_suite net_life_kill_suite;
extern const struct ktap_suite net_life_move_suite;
extern const struct ktap_suite net_life_worker_suite;

#endif
