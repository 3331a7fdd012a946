// SPDX-License-Identifier: GPL-2.0-only
/* A transport that is asked whether it allows something is told for which socket. */
#include <net/af_vsock.h>

bool pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk);
bool pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk)
{
	return t->seqpacket_allow(vsk, 0) || t->stream_allow(vsk, 0, 0) ||
	       t->dgram_allow(vsk, 0, 0);
}
