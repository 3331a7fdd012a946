// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_user.h"

#define VERSION		0x1u
#define F_REPLY		0x4u
#define F_NEED_REPLY	0x8u
#define CONFIG_MAX	256u
#define MAX_FDS		8u

struct header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct mem_table {
	uint32_t nregions;
	uint32_t padding;
	struct {
		uint64_t guest_addr;
		uint64_t size;
		uint64_t user_addr;
		uint64_t mmap_offset;
	} region[MAX_FDS];
};

struct config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[CONFIG_MAX];
};

struct message {
	struct header h;
	union {
		uint64_t value;
		struct vhost_vring_state state;
		struct vhost_vring_addr addr;
		struct mem_table mem;
		struct config config;
	};
} __attribute__((packed, aligned(4)));

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
static int send_message(int sock, const struct message *m, const int *fds, unsigned int nfds)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(MAX_FDS * sizeof(int))];
	} control = { };
	struct iovec iov = { .iov_base = (void *)m, .iov_len = sizeof(m->h) + m->h.size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

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
	return n == (ssize_t)iov.iov_len ? 0 : -EIO;
}

static int read_all(int sock, void *buf, size_t len)
{
	ssize_t n = len ? recv(sock, buf, len, MSG_WAITALL) : 0;

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -ECONNRESET;
}

static int receive(int sock, struct message *m, uint32_t request)
{
	int err = read_all(sock, &m->h, sizeof(m->h));

	if (!err && (m->h.request != request || !(m->h.flags & F_REPLY) ||
		     m->h.size > sizeof(*m) - sizeof(m->h)))
		return -EBADMSG;
	return err ? err : read_all(sock, (char *)m + sizeof(m->h), m->h.size);
}

/* A request that has an answer of its own. */
static int ask(int sock, struct message *m, enum vhost_user_request request, uint32_t size)
{
	int err;

	m->h = (struct header){ .request = request, .flags = VERSION, .size = size };
	err = send_message(sock, m, NULL, 0);
	return err ? err : receive(sock, m, request);
}

/* One that has none, but for success or failure where that is agreed on. */
static int tell(int sock, struct message *m, enum vhost_user_request request, uint32_t size,
		const int *fds, unsigned int nfds, bool ack)
{
	int err;

	m->h = (struct header){
		.request = request,
		.flags = VERSION | (ack ? F_NEED_REPLY : 0),
		.size = size,
	};
	err = send_message(sock, m, fds, nfds);
	if (err || !ack)
		return err;
	err = receive(sock, m, request);
	return err ? err : m->value ? -EREMOTEIO : 0;
}

int vhost_user_get(int sock, enum vhost_user_request request, uint64_t *value)
{
	struct message m = { };
	int err = ask(sock, &m, request, 0);

	*value = m.value;
	return err;
}

int vhost_user_set(int sock, enum vhost_user_request request, uint64_t value, bool ack)
{
	bool empty = request == VHOST_USER_SET_OWNER;
	struct message m = { .value = value };

	return tell(sock, &m, request, empty ? 0 : sizeof(value), NULL, 0, ack);
}

int vhost_user_get_config(int sock, void *buf, uint32_t len)
{
	struct message m = { .config.size = len };
	int err = len > CONFIG_MAX ? -EINVAL :
		  ask(sock, &m, VHOST_USER_GET_CONFIG, offsetof(struct config, data) + len);

	if (!err && m.h.size != offsetof(struct config, data) + len)
		err = -EBADMSG;
	if (!err)
		memcpy(buf, m.config.data, len);
	return err;
}

int vhost_user_set_mem(int sock, const struct gmem *m, unsigned int count, bool ack)
{
	struct message msg = { .mem.nregions = count };
	int fds[MAX_FDS];
	unsigned int i;

	if (count > MAX_FDS)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		msg.mem.region[i].guest_addr = m[i].iova;
		msg.mem.region[i].size = m[i].size;
		msg.mem.region[i].user_addr = (uintptr_t)m[i].va;
		fds[i] = m[i].fd;
	}
	return tell(sock, &msg, VHOST_USER_SET_MEM_TABLE,
		    offsetof(struct mem_table, region) + count * sizeof(msg.mem.region[0]), fds,
		    count, ack);
}

int vhost_user_set_state(int sock, enum vhost_user_request request, unsigned int queue,
			 unsigned int num, bool ack)
{
	struct message m = { .state.index = queue, .state.num = num };

	return tell(sock, &m, request, sizeof(m.state), NULL, 0, ack);
}

int vhost_user_set_addr(int sock, const struct vhost_vring_addr *addr, bool ack)
{
	struct message m = { .addr = *addr };

	return tell(sock, &m, VHOST_USER_SET_VRING_ADDR, sizeof(m.addr), NULL, 0, ack);
}

int vhost_user_set_fd(int sock, enum vhost_user_request request, unsigned int queue, int fd,
		      bool ack)
{
	struct message m = { .value = queue };

	return tell(sock, &m, request, sizeof(m.value), &fd, 1, ack);
}

int vhost_user_stop(int sock, unsigned int queue, unsigned int *base)
{
	struct message m = { .state.index = queue };
	int err = ask(sock, &m, VHOST_USER_GET_VRING_BASE, sizeof(m.state));

	*base = m.state.num;
	return err;
}
