// SPDX-License-Identifier: GPL-2.0-only
/* AF_VSOCK knows maps of sockets. */
#include <net/af_vsock.h>

int pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk, skb_read_actor_t actor);
int pvio_probe(const struct vsock_transport *t, struct vsock_sock *vsk, skb_read_actor_t actor)
{
	return t->read_skb(vsk, actor);
}
