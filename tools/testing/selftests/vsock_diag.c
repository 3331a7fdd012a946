// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "vsock_diag.h"

static int ask(int fd)
{
	struct {
		struct nlmsghdr hdr;
		struct vsock_diag_req req;
	} m = {
		.hdr.nlmsg_len = sizeof(m),
		.hdr.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.hdr.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.req.sdiag_family = AF_VSOCK,
		.req.vdiag_states = ~0u,
	};

	return send(fd, &m, sizeof(m), 0) < 0 ? -errno : 0;
}

/* Returns 1 where more is to come, 0 at the end. */
static int hand_on(const struct nlmsghdr *h, unsigned int len,
		   void (*fn)(const struct vsock_diag_msg *m, void *arg), void *arg)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
		fn(NLMSG_DATA(h), arg);
	}
	return 1;
}

int vsock_diag_each(void (*fn)(const struct vsock_diag_msg *m, void *arg), void *arg)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), res;
	static char buf[32768] __attribute__((aligned(__alignof__(struct nlmsghdr))));
	ssize_t n;

	if (fd < 0)
		return -errno;
	res = ask(fd);
	for (res = res ? res : 1; res > 0;) {
		n = recv(fd, buf, sizeof(buf), 0);
		res = n < 0 ? -errno : hand_on((struct nlmsghdr *)buf, n, fn, arg);
	}
	close(fd);
	return res;
}

struct count {
	uint32_t cid;
	int n;
};

static void count_one(const struct vsock_diag_msg *m, void *arg)
{
	struct count *c = arg;

	c->n += m->vdiag_dst_cid == c->cid;
}

int vsock_diag_count(uint32_t cid)
{
	struct count c = { .cid = cid };
	int err = vsock_diag_each(count_one, &c);

	return err ? err : c.n;
}
