// SPDX-License-Identifier: GPL-2.0-only
/* What a descriptor of the VMM stands for: taps, macvtaps and ipvtaps, packet sockets. */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/if_tap.h>
#include <linux/if_tun.h>
#include <linux/net.h>
#include <net/sock.h>

#include "net.h"

static int pvnet_backend_packet(struct pvnet_backend *be, struct socket *sock)
{
	/* Each family has addresses of its own, which nobody checks here. */
	if (sock->sk->sk_family != AF_PACKET)
		return -EPFNOSUPPORT;
	if (sock->sk->sk_type != SOCK_RAW)
		return -ESOCKTNOSUPPORT;

	be->kind = PVNET_PACKET;
	be->sock = sock;
	be->ring = NULL;
	return 0;
}

static int pvnet_backend_find(struct pvnet_backend *be, struct file *file)
{
	struct socket *sock = sock_from_file(file);

	if (sock)
		return pvnet_backend_packet(be, sock);

	be->kind = PVNET_TAP;
	be->sock = tun_get_socket(file);
	be->ring = tun_get_tx_ring(file);
	if (!IS_ERR(be->sock) && !IS_ERR(be->ring))
		return 0;

	be->kind = PVNET_MACVTAP;
	be->sock = tap_get_socket(file);
	be->ring = tap_get_ptr_ring(file);
	return IS_ERR(be->sock) || IS_ERR(be->ring) ? -ENOTSOCK : 0;
}

/**
 * pvnet_backend_get() - find what a descriptor stands for
 * @be: gets it, with a reference
 * @fd: a descriptor of the calling process
 *
 * Context: a system call; may sleep.
 * Return: 0; -EBADF where there is no such descriptor, -ENOTSOCK where it is none of
 * the kinds that are known, -EPFNOSUPPORT or -ESOCKTNOSUPPORT for other sockets.
 */
int pvnet_backend_get(struct pvnet_backend *be, int fd)
{
	struct file *file = fget(fd);
	int err;

	if (!file)
		return -EBADF;
	err = pvnet_backend_find(be, file);
	if (err)
		fput(file);
	else
		be->file = file;
	return err;
}

/**
 * pvnet_backend_put() - let go of a backend
 * @be: the backend; none is allowed
 */
void pvnet_backend_put(struct pvnet_backend *be)
{
	if (be->file)
		fput(be->file);
	*be = (struct pvnet_backend) { };
}
