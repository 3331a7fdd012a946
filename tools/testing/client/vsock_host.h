/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's sockets. Calls return 0, or a file descriptor, or a negative errno. */
#ifndef PVIO_CLIENT_VSOCK_HOST_H
#define PVIO_CLIENT_VSOCK_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <linux/vm_sockets.h>

/* @type is that of packets. */
int host_socket(uint16_t type);
/* A socket that listens. */
int host_listen(uint16_t type, uint32_t port, int backlog);
/* A socket that is about to be connected; host_connected() tells when. */
int host_connect(uint16_t type, uint32_t cid, uint32_t port);
/* The same of a socket that there is already, as it is: it may wait. */
int host_connect_socket(int fd, uint32_t cid, uint32_t port);
/* 0 while it isn't, 1 or a negative errno. */
int host_connected(int fd);
/* -EAGAIN where there is none. */
int host_accept(int fd);

void host_set_nonblock(int fd, bool nonblock);
/* How long a call waits at most. */
void host_set_timeouts(int fd, unsigned int ms);
int host_set_connect_timeout(int fd, unsigned int ms);
int host_set_buffer(int fd, int option, uint64_t bytes);
int host_get_buffer(int fd, int option, uint64_t *bytes);
/* What the socket has to say, once. */
int host_error(int fd);
/* Which of @events there are. */
short host_poll(int fd, short events);

/* Don't wait. Return a length or a negative errno. */
ssize_t host_send(int fd, const void *data, size_t len, int flags);
ssize_t host_recv(int fd, void *buf, size_t len, int flags);
/* A message; @flags are those that come with it. */
ssize_t host_recv_message(int fd, void *buf, size_t len, int *flags);
/* Bytes that are not yet with the guest; -EOPNOTSUPP where the kernel doesn't know. */
int host_unsent(int fd, int *bytes);

#endif
