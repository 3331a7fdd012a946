/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_SELFTEST_WORKER_H
#define PVIO_SELFTEST_WORKER_H

#include <linux/pvio_vhost_blk.h>

#include "env.h"
#include "proc.h"

/* Workers that the owner of a device can make. */
#define WORKERS_MAX	64u
/* Numbers that there are, with those of the workers that queues have by default. */
#define NUMBERS		(WORKERS_MAX + 64u)

extern const struct ktap_suite worker_ioctl_suite;
extern const struct ktap_suite worker_move_suite;
extern const struct ktap_suite worker_poll_suite;
extern const struct ktap_suite worker_kill_suite;

#endif
