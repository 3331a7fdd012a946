// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel has AF_VSOCK, and transports may be added to it.
 * symbols: vsock_core_register vsock_create_connected vsock_enqueue_accept
 */
#include <net/af_vsock.h>

int pvio_probe(const struct vsock_transport *t);
int pvio_probe(const struct vsock_transport *t)
{
	return !!t->seqpacket_allow;
}
