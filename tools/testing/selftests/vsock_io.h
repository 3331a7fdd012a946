/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of the good path of a socket device, and what they share. */
#ifndef PVIO_SELFTEST_VSOCK_IO_H
#define PVIO_SELFTEST_VSOCK_IO_H

#include "vsock_load.h"

extern const struct ktap_suite vsock_io_connect_suite;
extern const struct ktap_suite vsock_io_stream_suite;
extern const struct ktap_suite vsock_io_message_suite;
extern const struct ktap_suite vsock_io_credit_suite;
extern const struct ktap_suite vsock_io_shut_suite;
extern const struct ktap_suite vsock_io_option_suite;
extern const struct ktap_suite vsock_io_watch_suite;
extern const struct ktap_suite vsock_io_map_suite;
extern const struct ktap_suite vsock_io_wake_suite;

/* Messages can be negotiated away, and then there are none. */
#define NEED_MESSAGES(e)						\
	do {								\
		if (!((e)->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET))) \
			SKIP("it knows no messages");			\
	} while (0)

/* So many bytes, or a message of that length, one way; whatever that takes. */
int io_to_guest(struct vsock_env *e, const struct vsock_pair *p, uint32_t len);
int io_to_host(struct vsock_env *e, const struct vsock_pair *p, uint32_t len);
/* All that the host can send now, up to @most. */
int io_fill(const struct vsock_pair *p, uint32_t most, uint32_t *sent);
/* Lengths at which something changes. */
extern const uint32_t io_sizes[];
extern const unsigned int io_nr_sizes;

#endif
