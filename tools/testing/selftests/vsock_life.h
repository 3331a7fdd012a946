/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of socket devices that come and go. */
#ifndef PVIO_SELFTEST_VSOCK_LIFE_H
#define PVIO_SELFTEST_VSOCK_LIFE_H

#include "vsock_load.h"

extern const struct ktap_suite vsock_life_end_suite;
extern const struct ktap_suite vsock_life_kill_suite;
extern const struct ktap_suite vsock_life_full_suite;
extern const struct ktap_suite vsock_life_run_suite;
extern const struct ktap_suite vsock_life_many_suite;
extern const struct ktap_suite vsock_life_links_suite;
extern const struct ktap_suite vsock_life_random_suite;
extern const struct ktap_suite vsock_life_space_suite;

#endif
