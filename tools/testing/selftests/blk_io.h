/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of the good path. */
#ifndef PVIO_SELFTEST_BLK_IO_H
#define PVIO_SELFTEST_BLK_IO_H

#include "env.h"

extern const struct ktap_suite blk_io_config_suite;
extern const struct ktap_suite blk_io_readonly_suite;
extern const struct ktap_suite blk_io_frame_suite;
extern const struct ktap_suite blk_io_queue_suite;
extern const struct ktap_suite blk_io_event_suite;
extern const struct ktap_suite blk_io_state_suite;
extern const struct ktap_suite blk_io_map_suite;

#endif
