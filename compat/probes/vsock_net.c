// SPDX-License-Identifier: GPL-2.0-only
/*
 * AF_VSOCK knows network namespaces.
 * symbols: vsock_find_bound_socket_net
 */
#include <net/af_vsock.h>

struct sock *pvio_probe(struct sockaddr_vm *addr, struct net *net);
struct sock *pvio_probe(struct sockaddr_vm *addr, struct net *net)
{
	return vsock_net_check_mode(net, net) ? vsock_find_bound_socket_net(addr, net) : NULL;
}
