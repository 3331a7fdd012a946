// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>
#include <linux/sockios.h>
#include <linux/virtio_vsock.h>

#include "vsock_host.h"

/*
 * Nothing is to fail because a machine is slow. The kernel keeps a socket that didn't wait for its
 * connection for as long as that, and the transport's module with it.
 */
#define CONNECT_MS	15000

static struct sockaddr_vm address(uint32_t cid, uint32_t port)
{
	return (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
}

int host_socket(uint16_t type)
{
	int kind = type == VIRTIO_VSOCK_TYPE_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
	int fd = socket(AF_VSOCK, kind | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int fail(int fd)
{
	int err = -errno;

	close(fd);
	return err;
}

int host_listen(uint16_t type, uint32_t port, int backlog)
{
	const struct sockaddr_vm a = address(VMADDR_CID_ANY, port);
	int fd = host_socket(type);

	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) || listen(fd, backlog))
		return fail(fd);
	host_set_nonblock(fd, true);
	return fd;
}

int host_connect_socket(int fd, uint32_t cid, uint32_t port)
{
	const struct sockaddr_vm a = address(cid, port);

	return connect(fd, (const struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

int host_connect(uint16_t type, uint32_t cid, uint32_t port)
{
	int fd = host_socket(type), err;

	if (fd < 0)
		return fd;
	host_set_connect_timeout(fd, CONNECT_MS);
	host_set_nonblock(fd, true);
	err = host_connect_socket(fd, cid, port);
	if (!err || err == -EINPROGRESS)
		return fd;
	close(fd);
	return err;
}

int host_connected(int fd)
{
	struct sockaddr_vm a;
	socklen_t len = sizeof(a);
	int err = host_error(fd);

	return err ? err : !getpeername(fd, (struct sockaddr *)&a, &len);
}

int host_accept(int fd)
{
	int one = accept(fd, NULL, NULL);

	return one < 0 ? -errno : one;
}

void host_set_nonblock(int fd, bool nonblock)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, nonblock ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

static struct timeval in_ms(unsigned int ms)
{
	return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

void host_set_timeouts(int fd, unsigned int ms)
{
	const struct timeval tv = in_ms(ms);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

int host_set_connect_timeout(int fd, unsigned int ms)
{
	const struct timeval tv = in_ms(ms);

	return setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &tv, sizeof(tv)) ?
		-errno : 0;
}

int host_set_buffer(int fd, int option, uint64_t bytes)
{
	return setsockopt(fd, AF_VSOCK, option, &bytes, sizeof(bytes)) ? -errno : 0;
}

int host_get_buffer(int fd, int option, uint64_t *bytes)
{
	socklen_t len = sizeof(*bytes);

	return getsockopt(fd, AF_VSOCK, option, bytes, &len) ? -errno : 0;
}

int host_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	return -err;
}

short host_poll(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) > 0 ? p.revents : 0;
}

ssize_t host_send(int fd, const void *data, size_t len, int flags)
{
	ssize_t n = send(fd, data, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

ssize_t host_recv(int fd, void *buf, size_t len, int flags)
{
	ssize_t n = recv(fd, buf, len, flags | MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

ssize_t host_recv_message(int fd, void *buf, size_t len, int *flags)
{
	struct iovec iov = { buf, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = recvmsg(fd, &m, *flags | MSG_DONTWAIT);

	*flags = m.msg_flags;
	return n < 0 ? -errno : n;
}

int host_unsent(int fd, int *bytes)
{
	if (!ioctl(fd, SIOCOUTQ, bytes))
		return 0;
	return errno == ENOTTY ? -EOPNOTSUPP : -errno;
}
