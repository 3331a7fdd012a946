// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "message.h"

void message_clear(struct message *m)
{
	unsigned int i;

	for (i = 0; i < m->nfds; i++)
		if (m->fd[i] >= 0)
			close(m->fd[i]);
	m->nfds = 0;
	m->got = 0;
}

int message_take_fd(struct message *m, unsigned int i)
{
	int fd = m->fd[i];

	m->fd[i] = -1;
	return fd;
}

/* More than there is room for is too much; they are closed with the message. */
static int take_fds(struct message *m, struct msghdr *msg)
{
	const struct cmsghdr *c;
	int err = msg->msg_flags & MSG_CTRUNC ? -EBADMSG : 0;
	size_t n, i;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, (struct cmsghdr *)c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (m->nfds < VHOST_USER_TABLE_MAX) {
				m->fd[m->nfds++] = fd;
			} else {
				close(fd);
				err = -EBADMSG;
			}
		}
	}
	return err;
}

static int receive_part(struct message *m, int sock, void *to, size_t len)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int) * VHOST_USER_TABLE_MAX)];
	} control;
	struct iovec iov = { .iov_base = to, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int err;

	do {
		n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	err = take_fds(m, &msg);
	if (err)
		return err;
	if (!n)
		return -ECONNRESET;
	m->got += (size_t)n;
	return (size_t)n == len;
}

int message_receive(struct message *m, int sock)
{
	size_t head = sizeof(m->head), at;
	int ret;

	if (m->got < head) {
		ret = receive_part(m, sock, (char *)&m->head + m->got, head - m->got);
		if (ret <= 0)
			return ret;
		if (m->head.size > sizeof(m->payload))
			return -EBADMSG;
		/* What is not sent reads as zero. */
		memset(&m->payload, 0, sizeof(m->payload));
	}
	at = m->got - head;
	if (at == m->head.size)
		return 1;
	return receive_part(m, sock, (char *)&m->payload + at, m->head.size - at);
}

int message_send(int sock, const struct vhost_user_header *head, const void *payload, int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { };
	struct iovec iov[] = {
		{ .iov_base = (void *)head, .iov_len = sizeof(*head) },
		{ .iov_base = (void *)payload, .iov_len = head->size },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == sizeof(*head) + head->size ? 0 : -EAGAIN;
}
