// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_user.h"

int vhost_user_connect(const char *path, int *sock)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int err;

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path) + 1);
	*sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*sock < 0)
		return -errno;
	if (!connect(*sock, (struct sockaddr *)&a, sizeof(a)))
		return 0;
	err = -errno;
	close(*sock);
	*sock = -1;
	return err;
}

/* File descriptors go with the first byte. */
int vhost_user_send(int sock, const struct vhost_user_header *head, const void *payload,
		    const int *fds, unsigned int nfds)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(VHOST_USER_TABLE_MAX * sizeof(int))];
	} control = { };
	struct iovec iov[] = {
		{ .iov_base = (void *)head, .iov_len = sizeof(*head) },
		{ .iov_base = (void *)payload, .iov_len = payload ? head->size : 0 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (nfds > VHOST_USER_TABLE_MAX)
		return -E2BIG;
	if (nfds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(*fds));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(nfds * sizeof(*fds));
		memcpy(CMSG_DATA(&control.h), fds, nfds * sizeof(*fds));
	}
	n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return n == (ssize_t)(iov[0].iov_len + iov[1].iov_len) ? 0 : -EIO;
}

static int read_all(int sock, void *buf, size_t len, int *fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { };
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = len ? recvmsg(sock, &msg, MSG_WAITALL | MSG_CMSG_CLOEXEC) : 0;
	const struct cmsghdr *c;
	int got;

	if (n < 0)
		return -errno;
	c = len ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&got, CMSG_DATA(c), sizeof(got));
		if (fd)
			*fd = got;
		else
			close(got);
	}
	return n == (ssize_t)len ? 0 : -ECONNRESET;
}

int vhost_user_receive(int sock, struct vhost_user_header *head, void *payload, uint32_t size,
		       int *fd)
{
	int err;

	if (fd)
		*fd = -1;
	err = read_all(sock, head, sizeof(*head), fd);
	if (!err && head->size > size)
		return -EBADMSG;
	return err ? err : read_all(sock, payload, head->size, NULL);
}

static int receive_answer(int sock, uint32_t request, void *payload, uint32_t size, int *fd)
{
	struct vhost_user_header head;
	int err = vhost_user_receive(sock, &head, payload, size, fd);

	if (!err && (head.request != request || !(head.flags & VHOST_USER_REPLY) ||
		     head.size != size))
		return -EBADMSG;
	return err;
}

int vhost_user_ask(int sock, enum vhost_user_request request, void *payload, uint32_t size,
		   uint32_t answers, int *fd)
{
	const struct vhost_user_header head = { request, VHOST_USER_VERSION, size };
	int err = vhost_user_send(sock, &head, payload, NULL, 0);

	return err ? err : receive_answer(sock, request, payload, answers, fd);
}

int vhost_user_tell(int sock, enum vhost_user_request request, const void *payload, uint32_t size,
		    const int *fds, unsigned int nfds, bool ack)
{
	const struct vhost_user_header head = {
		request, VHOST_USER_VERSION | (ack ? VHOST_USER_NEED_REPLY : 0), size
	};
	uint64_t answer;
	int err = vhost_user_send(sock, &head, payload, fds, nfds);

	if (err || !ack)
		return err;
	err = receive_answer(sock, request, &answer, sizeof(answer), NULL);
	return err ? err : answer ? -EREMOTEIO : 0;
}

int vhost_user_get(int sock, enum vhost_user_request request, uint64_t *value)
{
	return vhost_user_ask(sock, request, value, 0, sizeof(*value), NULL);
}

int vhost_user_set(int sock, enum vhost_user_request request, uint64_t value, bool ack)
{
	bool empty = request == VHOST_USER_SET_OWNER || request == VHOST_USER_RESET_DEVICE;

	return vhost_user_tell(sock, request, &value, empty ? 0 : sizeof(value), NULL, 0, ack);
}

int vhost_user_get_config(int sock, void *buf, uint32_t len)
{
	struct vhost_user_config c = { .size = len };
	uint32_t size = VHOST_USER_CONFIG_HEAD + len;
	int err = len > VHOST_USER_CONFIG_MAX ? -EINVAL :
		  vhost_user_ask(sock, VHOST_USER_GET_CONFIG, &c, size, size, NULL);

	if (!err)
		memcpy(buf, c.data, len);
	return err;
}

int vhost_user_set_config(int sock, uint32_t offset, const void *buf, uint32_t len, uint32_t flags,
			  bool ack)
{
	struct vhost_user_config c = { .offset = offset, .size = len, .flags = flags };

	if (len > VHOST_USER_CONFIG_MAX)
		return -EINVAL;
	memcpy(c.data, buf, len);
	return vhost_user_tell(sock, VHOST_USER_SET_CONFIG, &c, VHOST_USER_CONFIG_HEAD + len, NULL,
			       0, ack);
}

static struct vhost_user_region region_of(const struct gmem *m)
{
	return (struct vhost_user_region){
		.guest_addr = m->iova,
		.size = m->size,
		.user_addr = (uintptr_t)m->va,
	};
}

int vhost_user_set_mem(int sock, const struct gmem *m, unsigned int count, bool ack)
{
	struct vhost_user_table t = { .nregions = count };
	int fds[VHOST_USER_TABLE_MAX];
	unsigned int i;

	if (count > VHOST_USER_TABLE_MAX)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		t.region[i] = region_of(&m[i]);
		fds[i] = m[i].fd;
	}
	return vhost_user_tell(sock, VHOST_USER_SET_MEM_TABLE, &t,
			       offsetof(struct vhost_user_table, region[count]), fds, count, ack);
}

int vhost_user_slot(int sock, enum vhost_user_request request, const struct gmem *m, bool ack)
{
	struct vhost_user_slot slot = { .region = region_of(m) };

	return vhost_user_tell(sock, request, &slot, sizeof(slot), &m->fd,
			       request == VHOST_USER_ADD_MEM_REG, ack);
}

int vhost_user_set_state(int sock, enum vhost_user_request request, unsigned int queue,
			 unsigned int num, bool ack)
{
	const struct vhost_vring_state s = { .index = queue, .num = num };

	return vhost_user_tell(sock, request, &s, sizeof(s), NULL, 0, ack);
}

int vhost_user_set_addr(int sock, const struct vhost_vring_addr *addr, bool ack)
{
	return vhost_user_tell(sock, VHOST_USER_SET_VRING_ADDR, addr, sizeof(*addr), NULL, 0, ack);
}

int vhost_user_set_fd(int sock, enum vhost_user_request request, unsigned int queue, int fd,
		      bool ack)
{
	const uint64_t v = queue | (fd < 0 ? VHOST_USER_VRING_NOFD : 0);

	return vhost_user_tell(sock, request, &v, sizeof(v), &fd, fd >= 0, ack);
}

int vhost_user_stop(int sock, unsigned int queue, unsigned int *base)
{
	struct vhost_vring_state s = { .index = queue };
	int err = vhost_user_ask(sock, VHOST_USER_GET_VRING_BASE, &s, sizeof(s), sizeof(s), NULL);

	*base = s.num;
	return err;
}

int vhost_user_get_inflight(int sock, struct vhost_user_inflight *desc, int *fd)
{
	return vhost_user_ask(sock, VHOST_USER_GET_INFLIGHT_FD, desc, sizeof(*desc), sizeof(*desc),
			      fd);
}

int vhost_user_set_inflight(int sock, const struct vhost_user_inflight *desc, int fd, bool ack)
{
	return vhost_user_tell(sock, VHOST_USER_SET_INFLIGHT_FD, desc, sizeof(*desc), &fd, 1, ack);
}

int vhost_user_set_log(int sock, uint64_t size, uint64_t offset, int fd)
{
	const struct vhost_user_header head = {
		VHOST_USER_SET_LOG_BASE, VHOST_USER_VERSION, sizeof(struct vhost_user_log)
	};
	const struct vhost_user_log l = { .mmap_size = size, .mmap_offset = offset };
	uint64_t answer;
	int err = vhost_user_send(sock, &head, &l, &fd, 1);

	return err ? err : receive_answer(sock, head.request, &answer, sizeof(answer), NULL);
}
