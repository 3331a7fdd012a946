// SPDX-License-Identifier: GPL-2.0-only
/* A transport is asked which contexts it leads to. */
#include <net/af_vsock.h>

bool pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk);
bool pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk)
{
	return t->has_remote_cid(vsk, 0);
}
