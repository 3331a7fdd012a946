// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "genl.h"
#include "pvioctl.h"

#define ATTRS_MAX	64

struct attrs {
	uint16_t max;
	const struct nlattr *by_type[ATTRS_MAX];
};

struct answer {
	struct genl *g;
	uint16_t max;
	void (*fn)(const struct nlattr *const *attrs, void *arg);
	void *arg;
	const char *why;
};

static int take_attr(const struct nlattr *attr, void *arg)
{
	struct attrs *a = arg;
	uint16_t type = mnl_attr_get_type(attr);

	if (type <= a->max && type < ATTRS_MAX)
		a->by_type[type] = attr;
	return MNL_CB_OK;
}

static int take_message(const struct nlmsghdr *msg, void *arg)
{
	struct answer *answer = arg;
	struct attrs a = { .max = answer->max };

	mnl_attr_parse(msg, sizeof(struct genlmsghdr), take_attr, &a);
	if (answer->fn)
		answer->fn(a.by_type, answer->arg);
	return MNL_CB_OK;
}

static int take_ext_attr(const struct nlattr *attr, void *arg)
{
	struct answer *answer = arg;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
		answer->why = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

static int take_error(const struct nlmsghdr *msg, void *arg)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(msg);
	size_t off = sizeof(*err);

	if (msg->nlmsg_flags & NLM_F_ACK_TLVS) {
		if (!(msg->nlmsg_flags & NLM_F_CAPPED))
			off += mnl_nlmsg_get_payload_len(&err->msg);
		mnl_attr_parse(msg, MNL_ALIGN(off), take_ext_attr, arg);
	}
	if (!err->error)
		return MNL_CB_STOP;
	errno = -err->error;
	return MNL_CB_ERROR;
}

int genl_do(struct genl *g, struct nlmsghdr *req, uint16_t max,
	    void (*fn)(const struct nlattr *const *attrs, void *arg), void *arg,
	    const char **why)
{
	static const mnl_cb_t control[] = { [NLMSG_ERROR] = take_error };
	struct answer answer = { .g = g, .max = max, .fn = fn, .arg = arg, .why = "" };
	uint32_t seq = req->nlmsg_seq;
	ssize_t n;
	int res;

	*why = "";
	if (mnl_socket_sendto(g->sock, req, req->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(g->sock, g->buf, sizeof(g->buf));
		if (n < 0)
			return -errno;
		res = mnl_cb_run2(g->buf, n, seq, mnl_socket_get_portid(g->sock), take_message,
				  &answer, control, sizeof(control) / sizeof(*control));
	} while (res > 0);
	*why = answer.why;
	return res < 0 ? -errno : 0;
}

struct nlmsghdr *genl_request(struct genl *g, uint8_t cmd, uint16_t flags)
{
	struct nlmsghdr *req = mnl_nlmsg_put_header(g->buf);
	struct genlmsghdr *hdr;

	req->nlmsg_type = g->family;
	req->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	req->nlmsg_seq = ++g->seq;
	hdr = mnl_nlmsg_put_extra_header(req, sizeof(*hdr));
	hdr->cmd = cmd;
	hdr->version = 1;
	return req;
}

static void take_family(const struct nlattr *const *attrs, void *arg)
{
	struct genl *g = arg;

	if (attrs[CTRL_ATTR_FAMILY_ID])
		g->family = mnl_attr_get_u16(attrs[CTRL_ATTR_FAMILY_ID]);
}

int genl_open(struct genl *g, const char *family)
{
	struct nlmsghdr *req;
	const char *why;
	int on = 1, err;

	g->seq = time(NULL);
	g->sock = mnl_socket_open(NETLINK_GENERIC);
	if (!g->sock)
		return -errno;
	if (mnl_socket_bind(g->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		genl_close(g);
		return err;
	}
	mnl_socket_setsockopt(g->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(g->sock, NETLINK_CAP_ACK, &on, sizeof(on));

	g->family = GENL_ID_CTRL;
	req = genl_request(g, CTRL_CMD_GETFAMILY, 0);
	mnl_attr_put_strz(req, CTRL_ATTR_FAMILY_NAME, family);
	err = genl_do(g, req, CTRL_ATTR_MAX, take_family, g, &why);
	if (err)
		genl_close(g);
	return err;
}

void genl_close(struct genl *g)
{
	mnl_socket_close(g->sock);
	g->sock = NULL;
}
