// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blk.h"
#include "nl.h"

static void parse(struct nl_answer *a, const void *data, size_t len)
{
	const struct nlattr *attr = data;

	memset(a->attr, 0, sizeof(a->attr));
	while (len >= NLA_HDRLEN && attr->nla_len >= NLA_HDRLEN && attr->nla_len <= len) {
		unsigned int type = attr->nla_type & NLA_TYPE_MASK;
		size_t step = NLA_ALIGN(attr->nla_len);

		if (type < NL_ATTRS)
			a->attr[type] = (struct nl_attr){
				.data = (const char *)attr + NLA_HDRLEN,
				.len = attr->nla_len - NLA_HDRLEN,
			};
		if (step >= len)
			break;
		len -= step;
		attr = (const void *)((const char *)attr + step);
	}
}

static void parse_message(struct nl_answer *a, const struct nlmsghdr *h)
{
	const struct genlmsghdr *genl = NLMSG_DATA(h);

	a->cmd = genl->cmd;
	parse(a, (const char *)genl + GENL_HDRLEN, h->nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN);
}

uint32_t nl_u32(const struct nl_answer *a, unsigned int type)
{
	uint32_t value = 0;

	if (a->attr[type].data && a->attr[type].len == sizeof(value))
		memcpy(&value, a->attr[type].data, sizeof(value));
	return value;
}

uint64_t nl_u64(const struct nl_answer *a, unsigned int type)
{
	uint64_t value = 0;

	if (a->attr[type].data && a->attr[type].len == sizeof(value))
		memcpy(&value, a->attr[type].data, sizeof(value));
	return value;
}

const char *nl_str(const struct nl_answer *a, unsigned int type)
{
	const char *s = a->attr[type].data;

	return s && a->attr[type].len && !s[a->attr[type].len - 1] ? s : "";
}

void nl_nested(const struct nl_answer *a, unsigned int type, struct nl_answer *inner)
{
	parse(inner, a->attr[type].data, a->attr[type].len);
}

struct genlmsghdr *nl_genl(struct nl_msg *m)
{
	return NLMSG_DATA(&m->hdr);
}

void nl_begin(struct nl *n, struct nl_msg *m, uint8_t cmd, uint16_t flags)
{
	memset(m, 0, sizeof(*m));
	m->hdr.nlmsg_len = NLMSG_HDRLEN + GENL_HDRLEN;
	m->hdr.nlmsg_type = n->family;
	m->hdr.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	m->hdr.nlmsg_seq = ++n->seq;
	nl_genl(m)->cmd = cmd;
	nl_genl(m)->version = PVIO_FAMILY_VERSION;
}

void nl_put(struct nl_msg *m, uint16_t type, const void *data, uint16_t len)
{
	struct nlattr *attr = (void *)(m->raw + NLMSG_ALIGN(m->hdr.nlmsg_len));

	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)attr + NLA_HDRLEN, data, len);
	m->hdr.nlmsg_len = NLMSG_ALIGN(m->hdr.nlmsg_len) + NLA_ALIGN(attr->nla_len);
}

void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t value)
{
	nl_put(m, type, &value, sizeof(value));
}

int nl_send(struct nl *n, const struct nl_msg *m)
{
	return send(n->fd, m, m->hdr.nlmsg_len, 0) < 0 ? -errno : 0;
}

static int take_error(struct nl *n, const struct nlmsghdr *h)
{
	const struct nlmsgerr *err = NLMSG_DATA(h);

	n->explained = h->nlmsg_flags & NLM_F_ACK_TLVS;
	return err->error;
}

/* Returns 1 to go on. */
static int take(struct nl *n, const struct nlmsghdr *h, uint32_t seq,
		int (*fn)(const struct nl_answer *answer, void *arg), void *arg)
{
	struct nl_answer answer;
	int res;

	if (h->nlmsg_seq != seq)
		return 1;
	if (h->nlmsg_type == NLMSG_ERROR)
		return take_error(n, h);
	if (h->nlmsg_type == NLMSG_DONE)
		return 0;
	parse_message(&answer, h);
	res = fn ? fn(&answer, arg) : 0;
	return res ? res : 1;
}

int nl_talk(struct nl *n, struct nl_msg *m,
	    int (*fn)(const struct nl_answer *answer, void *arg), void *arg)
{
	uint32_t seq = m->hdr.nlmsg_seq;
	int res = nl_send(n, m);

	n->explained = false;
	if (res)
		return res;
	for (res = 1; res == 1;) {
		struct nlmsghdr *h = (void *)n->buf;
		ssize_t len;

		if (n->pause)
			n->pause(n->pause_arg);
		len = recv(n->fd, n->buf, sizeof(n->buf), 0);
		if (len < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		for (; res == 1 && NLMSG_OK(h, len); h = NLMSG_NEXT(h, len))
			res = take(n, h, seq, fn, arg);
	}
	return res;
}

int nl_dump(struct nl *n, uint8_t cmd, int (*fn)(const struct nl_answer *answer, void *arg),
	    void *arg)
{
	struct nl_msg m;

	nl_begin(n, &m, cmd, NLM_F_DUMP);
	return nl_talk(n, &m, fn, arg);
}

/* The acknowledgment comes in a message of its own, and its buffer is the same. */
static int copy_answer(const struct nl_answer *answer, void *arg)
{
	struct nl_answer *to = arg;

	*to = *answer;
	return 2;
}

int nl_get(struct nl *n, uint32_t id, struct nl_answer *answer)
{
	struct nl_msg m;
	int res;

	nl_begin(n, &m, PVIO_CMD_DEV_GET, 0);
	m.hdr.nlmsg_flags &= ~NLM_F_ACK;
	nl_put_u32(&m, PVIO_A_DEV_ID, id);
	res = nl_talk(n, &m, copy_answer, answer);
	return res == 2 ? 0 : res;
}

static int take_family(const struct nl_answer *answer, void *arg)
{
	struct nl_answer groups, group;
	struct nl *n = arg;
	unsigned int i;

	memcpy(&n->family, answer->attr[CTRL_ATTR_FAMILY_ID].data, sizeof(n->family));
	nl_nested(answer, CTRL_ATTR_MCAST_GROUPS, &groups);
	for (i = 0; i < NL_ATTRS; i++) {
		nl_nested(&groups, i, &group);
		if (!strcmp(nl_str(&group, CTRL_ATTR_MCAST_GRP_NAME), PVIO_MCGRP_EVENTS))
			n->group = nl_u32(&group, CTRL_ATTR_MCAST_GRP_ID);
	}
	return 0;
}

int nl_open(struct nl *n)
{
	struct timeval limit = { .tv_sec = BLK_HANG_LIMIT_MS / 1000 };
	struct nl_msg m;
	int on = 1, res;

	memset(n, 0, sizeof(*n));
	n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (n->fd < 0)
		return -errno;
	setsockopt(n->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(n->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	n->family = GENL_ID_CTRL;
	nl_begin(n, &m, CTRL_CMD_GETFAMILY, 0);
	nl_put(&m, CTRL_ATTR_FAMILY_NAME, PVIO_FAMILY_NAME, sizeof(PVIO_FAMILY_NAME));
	res = nl_talk(n, &m, take_family, n);
	if (res)
		nl_close(n);
	return res;
}

void nl_close(struct nl *n)
{
	close(n->fd);
	n->fd = -1;
}

int nl_join(struct nl *n)
{
	int group = n->group;

	return setsockopt(n->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ?
	       -errno : 0;
}

int nl_event(struct nl *n, struct nl_answer *event, int timeout_ms)
{
	struct pollfd p = { .fd = n->fd, .events = POLLIN };
	struct nlmsghdr *h = (void *)n->buf;
	ssize_t len;

	if (poll(&p, 1, timeout_ms) <= 0)
		return -EAGAIN;
	len = recv(n->fd, n->buf, sizeof(n->buf), 0);
	if (len < 0)
		return -errno;
	if (!NLMSG_OK(h, len) || h->nlmsg_type != n->family)
		return -EBADMSG;
	parse_message(event, h);
	return 0;
}
