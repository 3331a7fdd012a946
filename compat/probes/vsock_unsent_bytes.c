// SPDX-License-Identifier: GPL-2.0-only
/* A transport is asked how much of a socket is not sent yet. */
#include <net/af_vsock.h>

ssize_t pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk);
ssize_t pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk)
{
	return t->unsent_bytes(vsk);
}
