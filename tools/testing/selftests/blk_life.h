/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The suites of beginnings and ends; they want a slow store, so that there is always I/O in
 * flight.
 */
#ifndef PVIO_SELFTEST_BLK_LIFE_H
#define PVIO_SELFTEST_BLK_LIFE_H

#include "env.h"

extern const struct ktap_suite blk_life_kill_suite;
extern const struct ktap_suite blk_life_share_suite;
extern const struct ktap_suite blk_life_memory_suite;
extern const struct ktap_suite blk_life_race_suite;

/* A new VMM can open the device, and all works. */
int life_goes_on(struct env *e);

#endif
