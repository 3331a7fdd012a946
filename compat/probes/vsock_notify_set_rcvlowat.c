// SPDX-License-Identifier: GPL-2.0-only
/* A transport is told of SO_RCVLOWAT before it is set. */
#include <net/af_vsock.h>

int pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk);
int pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk)
{
	return t->notify_set_rcvlowat(vsk, 1);
}
