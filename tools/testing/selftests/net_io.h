/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of the good path of a net device. */
#ifndef PVIO_SELFTEST_NET_IO_H
#define PVIO_SELFTEST_NET_IO_H

#include "net_env.h"

extern const struct ktap_suite net_io_frame_suite;
extern const struct ktap_suite net_io_gso_suite;
extern const struct ktap_suite net_io_tunnel_suite;
extern const struct ktap_suite net_io_flow_suite;
extern const struct ktap_suite net_io_sndbuf_suite;
extern const struct ktap_suite net_io_event_suite;
extern const struct ktap_suite net_io_empty_suite;
extern const struct ktap_suite net_io_xdp_suite;

#endif
