// SPDX-License-Identifier: GPL-2.0-only
/* Messages that are wrong, one thing at a time and all at once. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

static struct nl n;
static uint32_t own;

static int setup(void *ctx)
{
	CHECK_PASS(env_start(ctx));
	CHECK_OK(nl_open(&n));
	own = netlink_own_id(&n);
	CHECK(own, "the device is not there");
	return 0;
}

static int teardown(void *ctx)
{
	int res = netlink_works(&n, own);

	nl_close(&n);
	env_close(ctx);
	return res;
}

/* Several errors are right for what is no valid message. */
static bool invalid(int err)
{
	return err == -EINVAL || err == -ERANGE;
}

static int bad_id(void *ctx)
{
	const uint32_t ids[] = { 0, own + 1000000, 0x7fffffff, 0x80000000, 0xffffffff };
	struct nl_answer a;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		CHECK_EQ(nl_get(&n, ids[i], &a), -ENOENT);
		CHECK(n.explained, "id 0x%x was refused without a word", ids[i]);
	}
	return 0;
}

static int bad_no_id(void *ctx)
{
	struct nl_msg m;

	(void)ctx;
	nl_begin(&n, &m, PVIO_CMD_DEV_GET, 0);
	CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EINVAL);
	CHECK(n.explained, "it was refused without a word");
	return 0;
}

static int bad_attribute(void *ctx)
{
	static const uint16_t types[] = {
		PVIO_A_DEV_NAME, PVIO_A_DEV_FEATURES, PVIO_A_DEV_MAX + 1, 100, 0x3fff,
		PVIO_A_DEV_ID | NLA_F_NESTED,
	};
	struct nl_msg m;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		nl_begin(&n, &m, PVIO_CMD_DEV_GET, 0);
		nl_put_u32(&m, PVIO_A_DEV_ID, own);
		nl_put_u32(&m, types[i], own);
		CHECK(invalid(nl_talk(&n, &m, NULL, NULL)), "type 0x%x is taken", types[i]);
	}
	return 0;
}

static int bad_length(void *ctx)
{
	static const uint16_t lens[] = { 0, 1, 2, 3, 5, 8, 64 };
	const uint8_t data[64] = { own };
	struct nl_msg m;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		nl_begin(&n, &m, PVIO_CMD_DEV_GET, 0);
		nl_put(&m, PVIO_A_DEV_ID, data, lens[i]);
		CHECK(invalid(nl_talk(&n, &m, NULL, NULL)), "an id of %u bytes is taken",
		      lens[i]);
	}
	return 0;
}

/* An attribute that claims to be longer or shorter than the message has room for. */
static int bad_attribute_header(void *ctx)
{
	static const uint16_t lens[] = { 0, 1, 3, 9, 12, 1000, 0xffff };
	struct nl_msg m;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
		struct nlattr *attr;

		nl_begin(&n, &m, PVIO_CMD_DEV_GET, 0);
		attr = (void *)(m.raw + m.hdr.nlmsg_len);
		nl_put_u32(&m, PVIO_A_DEV_ID, own);
		attr->nla_len = lens[i];
		CHECK(invalid(nl_talk(&n, &m, NULL, NULL)), "an attribute of %u bytes is taken",
		      lens[i]);
	}
	return 0;
}

/* Cut off at each byte. What has no whole header the kernel passes over. */
static int bad_truncated(void *ctx)
{
	struct nl_answer a;
	struct nl_msg m;
	uint32_t len, whole;

	(void)ctx;
	nl_begin(&n, &m, PVIO_CMD_DEV_GET, 0);
	nl_put_u32(&m, PVIO_A_DEV_ID, own);
	whole = m.hdr.nlmsg_len;
	for (len = NLMSG_HDRLEN; len < whole; len++) {
		m.hdr.nlmsg_len = len;
		m.hdr.nlmsg_seq = ++n.seq;
		CHECK(invalid(nl_talk(&n, &m, NULL, NULL)), "%u bytes of %u are enough", len,
		      whole);
	}
	/* It says that it is longer than what was sent. */
	m.hdr.nlmsg_len = whole + 64;
	CHECK(send(n.fd, &m, whole, 0) == (ssize_t)whole, "not sent");
	CHECK_OK(nl_get(&n, own, &a));
	return 0;
}

static int bad_command(void *ctx)
{
	static const uint8_t cmds[] = {
		0, PVIO_CMD_DEV_ADD_NTF, PVIO_CMD_DEV_DEL_NTF, PVIO_CMD_DEV_CHANGE_NTF,
		PVIO_CMD_QUEUE_BROKEN_NTF, PVIO_CMD_MAX + 1, 255,
	};
	struct nl_msg m;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		nl_begin(&n, &m, cmds[i], 0);
		CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EOPNOTSUPP);
		CHECK_EQ(nl_dump(&n, cmds[i], NULL, NULL), -EOPNOTSUPP);
	}
	nl_begin(&n, &m, PVIO_CMD_QUEUE_GET, 0);
	CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EOPNOTSUPP);
	return 0;
}

/*
 * A filter that there isn't may not be taken for one that matched everything. Not every kernel
 * hands on words when a dump is refused.
 */
static int bad_dump(void *ctx)
{
	static const uint8_t cmds[] = { PVIO_CMD_DEV_GET, PVIO_CMD_QUEUE_GET };
	struct nl_msg m;
	unsigned int i;

	(void)ctx;
	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		nl_begin(&n, &m, cmds[i], NLM_F_DUMP);
		nl_put_u32(&m, PVIO_A_DEV_ID, own);
		CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EINVAL);
		nl_begin(&n, &m, cmds[i], NLM_F_DUMP);
		nl_put_u32(&m, 20, own);
		CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EINVAL);
	}
	return 0;
}

static int bad_reserved(void *ctx)
{
	struct nl_answer a;
	struct nl_msg m;

	(void)ctx;
	nl_begin(&n, &m, PVIO_CMD_DEV_GET, 0);
	nl_put_u32(&m, PVIO_A_DEV_ID, own);
	nl_genl(&m)->reserved = 1;
	CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EINVAL);
	nl_begin(&n, &m, PVIO_CMD_DEV_GET, NLM_F_ATOMIC);
	nl_put_u32(&m, PVIO_A_DEV_ID, own);
	CHECK_EQ(nl_talk(&n, &m, NULL, NULL), -EINVAL);
	CHECK_OK(nl_get(&n, own, &a));
	return 0;
}

/* Rubbish with a header that brings it to the family, or nearly so. */
static int bad_random(void *ctx)
{
	struct env *e = ctx;
	struct prng prng = { .state = e->seed };
	unsigned int i, j, answered = 0;
	struct nl_msg m;

	for (i = 0; i < e->rounds * 200; i++) {
		unsigned int len = prng_range(&prng, NLMSG_HDRLEN, sizeof(m.raw));
		uint16_t flags = prng_next(&prng);

		nl_begin(&n, &m, prng_range(&prng, 0, PVIO_CMD_MAX + 1),
			 prng_range(&prng, 0, 1) ? flags : flags & NLM_F_DUMP);
		for (j = m.hdr.nlmsg_len; j < sizeof(m.raw); j++)
			m.raw[j] = prng_range(&prng, 0, 3) ? prng_range(&prng, 0, 12) :
							     prng_next(&prng);
		m.hdr.nlmsg_len = prng_range(&prng, 0, 3) ? len : NLMSG_HDRLEN + GENL_HDRLEN;
		m.hdr.nlmsg_flags |= NLM_F_ACK | NLM_F_REQUEST;
		answered += nl_talk(&n, &m, NULL, NULL) != -ETIMEDOUT;
	}
	ktap_diag("%u messages, %u answered", i, answered);
	CHECK_EQ(answered, i);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(bad_id),
	KTAP_TEST(bad_no_id),
	KTAP_TEST(bad_attribute),
	KTAP_TEST(bad_length),
	KTAP_TEST(bad_attribute_header),
	KTAP_TEST(bad_truncated),
	KTAP_TEST(bad_command),
	KTAP_TEST(bad_dump),
	KTAP_TEST(bad_reserved),
	KTAP_TEST(bad_random),
};

const struct ktap_suite netlink_bad_suite = {
	.name = "bad",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = setup,
	.teardown = teardown,
};
