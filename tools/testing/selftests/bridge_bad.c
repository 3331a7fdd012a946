// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages that break the rules: who sends one gets a refusal, or loses the connection. The daemon
 * goes on, with as many descriptors as before, and serves the next VMM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_config.h>

#include "bridged.h"

#define ALL_PROTOCOL	(BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) | \
			 BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |				\
			 BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) |			\
			 BIT(VHOST_USER_PROTOCOL_F_CONFIG) |				\
			 BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD) |			\
			 BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |			\
			 BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) |		\
			 BIT(VHOST_USER_PROTOCOL_F_STATUS))

/* What comes along with a message. */
enum with {
	NONE,
	EVENT,
	MEMFD,		/* of 1 MiB */
	NULLDEV,
	PIPE,
	EIGHT,		/* events */
};

/* How a message ends. */
enum end {
	REFUSED,	/* an answer that says so */
	DROPPED,	/* the connection */
};

struct bad {
	const char *what;
	uint32_t request;
	uint32_t size;
	enum end end;
	enum with with;
	union vhost_user_payload p;
};

#define STATE(index_, num_)	{ .state = { index_, num_ } }
#define REGION(...)		{ .table = { .nregions = 1, .region = { { __VA_ARGS__ } } } }
#define INFLIGHT(...)		{ .inflight = { __VA_ARGS__ } }
#define LOG(...)		{ .log = { __VA_ARGS__ } }
#define NUMBER(value)		{ .u64 = value }
#define SIZE(field)		sizeof(((union vhost_user_payload *)0)->field)
#define TABLE_SIZE		(8 + sizeof(struct vhost_user_region))

#define NOTHING			NUMBER(0)
#define ADDR_FLAGS(value)	{ .addr = { .flags = value } }
#define REGIONS(n)		{ .table = { .nregions = n } }
#define SLOT			{ .slot = { .region = { 0, 4096, 0, 0 } } }
#define CONFIG(offset_, size_)	{ .config = { .offset = offset_, .size = size_ } }

static const struct bad bads[] = {
	{ "no message", 0, 0, DROPPED, NONE, NOTHING },
	{ "unknown message", 41, 0, DROPPED, NONE, NOTHING },
	{ "a number that is none", ~0u, 0, DROPPED, NONE, NOTHING },
	{ "postcopy", 28, 0, DROPPED, NONE, NOTHING },
	{ "endless", VHOST_USER_SET_FEATURES, ~0u, DROPPED, NONE, NOTHING },
	{ "too long", VHOST_USER_SET_FEATURES, 16, DROPPED, NONE, NOTHING },
	{ "too short", VHOST_USER_SET_FEATURES, 4, DROPPED, NONE, NOTHING },
	{ "nothing to set", VHOST_USER_SET_VRING_NUM, 0, DROPPED, NONE, NOTHING },
	{ "a descriptor too many", VHOST_USER_SET_FEATURES, 8, DROPPED, EVENT, NOTHING },
	{ "eight too many", VHOST_USER_GET_FEATURES, 0, DROPPED, EIGHT, NOTHING },
	{ "a descriptor too few", VHOST_USER_ADD_MEM_REG, SIZE(slot), DROPPED, NONE, NOTHING },
	{ "features", VHOST_USER_SET_FEATURES, 8, REFUSED, NONE, NUMBER(~0ull) },
	{ "IOTLB", VHOST_USER_SET_FEATURES, 8, REFUSED,
	  NONE, NUMBER(BIT(VIRTIO_F_ACCESS_PLATFORM)) },
	{ "protocol", VHOST_USER_SET_PROTOCOL_FEATURES, 8, REFUSED, NONE, NUMBER(BIT(40)) },
	{ "queue", VHOST_USER_SET_VRING_NUM, 8, REFUSED, NONE, STATE(BRIDGE_QUEUES, 64) },
	{ "last queue", VHOST_USER_SET_VRING_BASE, 8, REFUSED, NONE, STATE(~0u, 0) },
	{ "stopped queue", VHOST_USER_GET_VRING_BASE, 8, DROPPED, NONE, STATE(64, 0) },
	{ "no entries", VHOST_USER_SET_VRING_NUM, 8, REFUSED, NONE, STATE(0, 0) },
	{ "entries", VHOST_USER_SET_VRING_NUM, 8, REFUSED, NONE, STATE(0, 32769) },
	{ "enable", VHOST_USER_SET_VRING_ENABLE, 8, REFUSED, NONE, STATE(0, 2) },
	{ "flags", VHOST_USER_SET_VRING_ADDR, SIZE(addr), REFUSED, NONE, ADDR_FLAGS(2) },
	{ "polling", VHOST_USER_SET_VRING_KICK, 8, REFUSED, NONE, NUMBER(VHOST_USER_VRING_NOFD) },
	{ "no event, and one", VHOST_USER_SET_VRING_KICK, 8, REFUSED,
	  EVENT, NUMBER(VHOST_USER_VRING_NOFD) },
	{ "event without one", VHOST_USER_SET_VRING_CALL, 8, REFUSED, NONE, NOTHING },
	{ "two events", VHOST_USER_SET_VRING_CALL, 8, REFUSED, EIGHT, NOTHING },
	{ "event of no queue", VHOST_USER_SET_VRING_CALL, 8, REFUSED, EVENT, NUMBER(255) },
	{ "flags of an event", VHOST_USER_SET_VRING_ERR, 8, REFUSED, EVENT, NUMBER(0x200) },
	{ "a pipe for kicks", VHOST_USER_SET_VRING_KICK, 8, REFUSED, PIPE, NOTHING },
	{ "memory for calls", VHOST_USER_SET_VRING_CALL, 8, REFUSED, MEMFD, NOTHING },
	{ "a pipe for the log's event", VHOST_USER_SET_LOG_FD, 0, REFUSED, PIPE, NOTHING },
	{ "regions", VHOST_USER_SET_MEM_TABLE, SIZE(table), REFUSED, EIGHT, REGIONS(9) },
	{ "a million regions", VHOST_USER_SET_MEM_TABLE, 8, REFUSED, MEMFD, REGIONS(1000000) },
	{ "region that isn't sent", VHOST_USER_SET_MEM_TABLE, 8, REFUSED,
	  MEMFD, REGION(0, 4096, 0, 0) },
	{ "empty region", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  MEMFD, REGION(0, 0, 0, 0) },
	{ "region behind the file", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  MEMFD, REGION(0, 4096, 0, 1 << 20) },
	{ "region longer than the file", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  MEMFD, REGION(0, 2 << 20, 0, 0) },
	{ "region around the end", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  MEMFD, REGION(~0ull - 4095, 8192, 0, 0) },
	{ "addresses around the end", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  MEMFD, REGION(0, 8192, ~0ull - 4095, 0) },
	{ "offset around the end", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  MEMFD, REGION(0, 8192, 0, ~0ull - 4095) },
	{ "endless region of a device", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  NULLDEV, REGION(0, ~0ull - 4096, 0, 0) },
	{ "events as memory", VHOST_USER_SET_MEM_TABLE, TABLE_SIZE, REFUSED,
	  EVENT, REGION(0, 4096, 0, 0) },
	{ "slot of an event", VHOST_USER_ADD_MEM_REG, SIZE(slot), REFUSED, EVENT, SLOT },
	{ "slot that isn't there", VHOST_USER_REM_MEM_REG, SIZE(slot), REFUSED, NONE, SLOT },
	{ "log behind the file", VHOST_USER_SET_LOG_BASE, SIZE(log), DROPPED,
	  MEMFD, LOG(4096, 1 << 20) },
	{ "endless log", VHOST_USER_SET_LOG_BASE, SIZE(log), DROPPED, MEMFD, LOG(~0ull, 0) },
	{ "log of an event", VHOST_USER_SET_LOG_BASE, SIZE(log), DROPPED, EVENT, LOG(4096, 0) },
	{ "empty log", VHOST_USER_SET_LOG_BASE, SIZE(log), DROPPED, MEMFD, LOG(0, 0) },
	{ "in-flight memory of too many", VHOST_USER_GET_INFLIGHT_FD, SIZE(inflight), DROPPED,
	  NONE, INFLIGHT(0, 0, BRIDGE_QUEUES + 1, 64) },
	{ "in-flight memory of none", VHOST_USER_GET_INFLIGHT_FD, SIZE(inflight), DROPPED,
	  NONE, INFLIGHT(0, 0, 0, 64) },
	{ "in-flight memory of no entries", VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), REFUSED,
	  MEMFD, INFLIGHT(4096, 0, 1, 0) },
	{ "in-flight memory beyond", VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), REFUSED,
	  MEMFD, INFLIGHT(4096, 1 << 20, 1, 64) },
	{ "in-flight memory around the end", VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), REFUSED,
	  MEMFD, INFLIGHT(8192, ~0ull - 4095, 1, 64) },
	{ "endless in-flight memory", VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), REFUSED, NULLDEV,
	  INFLIGHT(1ull << 40, 0, 1, 64) },
	{ "in-flight memory, misaligned", VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), REFUSED,
	  MEMFD, INFLIGHT(4096, 4, 1, 64) },
	{ "in-flight memory of an event", VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), REFUSED,
	  EVENT, INFLIGHT(4096, 0, 1, 64) },
	{ "configuration to be read beyond", VHOST_USER_SET_CONFIG, 12 + 8, REFUSED,
	  NONE, CONFIG(252, 8) },
	{ "configuration of another length", VHOST_USER_SET_CONFIG, 12 + 8, REFUSED,
	  NONE, CONFIG(0, 4) },
	{ "capacity", VHOST_USER_SET_CONFIG, 12 + 8, REFUSED, NONE, CONFIG(0, 8) },
	{ "status", VHOST_USER_SET_STATUS, 8, REFUSED, NONE, NUMBER(256) },
};

static int with_fds(enum with with, int *fds)
{
	int pipes[2];
	unsigned int i;

	switch (with) {
	case NONE:
		return 0;
	case EVENT:
		fds[0] = eventfd(0, EFD_CLOEXEC);
		return 1;
	case MEMFD:
		fds[0] = memfd_create("bad", MFD_CLOEXEC);
		return ftruncate(fds[0], 1 << 20) ? 0 : 1;
	case NULLDEV:
		fds[0] = open("/dev/zero", O_RDWR | O_CLOEXEC);
		return 1;
	case PIPE:
		if (pipe2(pipes, O_CLOEXEC))
			return 0;
		fds[0] = pipes[1];
		close(pipes[0]);
		return 1;
	case EIGHT:
		for (i = 0; i < VHOST_USER_TABLE_MAX; i++)
			fds[i] = eventfd(0, EFD_CLOEXEC);
	}
	return VHOST_USER_TABLE_MAX;
}

/* A VMM that has said what it wants, and nothing more. */
static int bad_connect(int *sock, uint64_t protocol)
{
	CHECK_OK(vhost_user_connect(bridge_common.socket, sock));
	CHECK_OK(vhost_user_set(*sock, VHOST_USER_SET_OWNER, 0, false));
	CHECK_OK(vhost_user_set(*sock, VHOST_USER_SET_PROTOCOL_FEATURES, protocol, false));
	return 0;
}

static bool dropped(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char c;

	return poll(&p, 1, BLK_HANG_LIMIT_MS) > 0 && recv(sock, &c, 1, MSG_DONTWAIT) <= 0;
}

static int bad_send(int sock, const struct bad *bad, uint32_t flags)
{
	struct vhost_user_header head = { bad->request, flags, bad->size };
	int fds[VHOST_USER_TABLE_MAX], i, n = with_fds(bad->with, fds), err;
	const void *payload = bad->size && bad->size <= sizeof(bad->p) ? &bad->p : NULL;

	err = vhost_user_send(sock, &head, payload, fds, n);
	for (i = 0; i < n; i++)
		close(fds[i]);
	return err;
}

static int bad_one(const struct bad *bad)
{
	struct vhost_user_header head;
	uint64_t answer = 0;
	int sock;

	ktap_diag("%s", bad->what);
	CHECK_PASS(bad_connect(&sock, ALL_PROTOCOL));
	CHECK_OK(bad_send(sock, bad, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY));
	if (bad->end == REFUSED) {
		CHECK_OK(vhost_user_receive(sock, &head, &answer, sizeof(answer), NULL));
		CHECK_EQ(head.request, bad->request);
		CHECK_EQ(head.flags, VHOST_USER_VERSION | VHOST_USER_REPLY);
		CHECK_EQ(answer, 1);
		CHECK_OK(vhost_user_get(sock, VHOST_USER_GET_FEATURES, &answer));
	} else {
		CHECK(dropped(sock), "it is answered");
	}
	close(sock);
	return 0;
}

static int works(struct env *e)
{
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	blk_close(&e->b);
	return 0;
}

static int fds_become(unsigned int n)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

	while (bridged_fds(&bridge_common) != n) {
		CHECK(blk_now_ms() < end, "%u descriptors, not %u", bridged_fds(&bridge_common), n);
		usleep(1000);
	}
	return 0;
}

static int bad_messages(void *ctx)
{
	struct env *e = ctx;
	unsigned int i, fds;

	CHECK_PASS(works(e));
	fds = bridged_fds(&bridge_common);
	for (i = 0; i < sizeof(bads) / sizeof(*bads); i++)
		CHECK_PASS(bad_one(&bads[i]));
	CHECK_PASS(works(e));
	return fds_become(fds);
}

/* Without a word about answers, a refusal is the end of the connection. */
static int bad_unanswered(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;
	int sock;

	for (i = 0; i < sizeof(bads) / sizeof(*bads); i++) {
		ktap_diag("%s", bads[i].what);
		CHECK_PASS(bad_connect(&sock, ALL_PROTOCOL));
		CHECK_OK(bad_send(sock, &bads[i], VHOST_USER_VERSION));
		CHECK(dropped(sock), "it stays");
		close(sock);
	}
	return works(e);
}

/* Of another version, or what is an answer. */
static int bad_flags(void *ctx)
{
	static const uint32_t flags[] = {
		0, 2, 3, VHOST_USER_VERSION | VHOST_USER_REPLY,
		VHOST_USER_VERSION | VHOST_USER_REPLY | VHOST_USER_NEED_REPLY,
	};
	static const struct bad question = { .request = VHOST_USER_GET_FEATURES };
	unsigned int i;
	int sock;

	for (i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		CHECK_PASS(bad_connect(&sock, ALL_PROTOCOL));
		CHECK_OK(bad_send(sock, &question, flags[i]));
		CHECK(dropped(sock), "flags 0x%x are answered", flags[i]);
		close(sock);
	}
	return works(ctx);
}

/* What was not agreed on is not there. */
static int bad_not_agreed(void *ctx)
{
	static const struct {
		uint32_t request, size;
		enum with with;
	} gated[] = {
		{ VHOST_USER_GET_QUEUE_NUM, 0, NONE },
		{ VHOST_USER_SET_LOG_BASE, SIZE(log), MEMFD },
		{ VHOST_USER_SET_BACKEND_REQ_FD, 0, EVENT },
		{ VHOST_USER_GET_CONFIG, 12, NONE },
		{ VHOST_USER_SET_CONFIG, 13, NONE },
		{ VHOST_USER_GET_INFLIGHT_FD, SIZE(inflight), NONE },
		{ VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), MEMFD },
		{ VHOST_USER_RESET_DEVICE, 0, NONE },
		{ VHOST_USER_GET_MAX_MEM_SLOTS, 0, NONE },
		{ VHOST_USER_ADD_MEM_REG, SIZE(slot), MEMFD },
		{ VHOST_USER_REM_MEM_REG, SIZE(slot), NONE },
		{ VHOST_USER_SET_STATUS, 8, NONE },
		{ VHOST_USER_GET_STATUS, 0, NONE },
	};
	struct env *e = ctx;
	unsigned int i;
	int sock;

	for (i = 0; i < sizeof(gated) / sizeof(*gated); i++) {
		const struct bad bad = {
			.request = gated[i].request, .size = gated[i].size, .with = gated[i].with,
		};

		ktap_diag("message %u", bad.request);
		CHECK_PASS(bad_connect(&sock, 0));
		CHECK_OK(bad_send(sock, &bad, VHOST_USER_VERSION));
		CHECK(dropped(sock), "it is answered");
		close(sock);
	}
	return works(e);
}

/* Messages in pieces, messages that never end, many at once, and descriptors without one. */
static int bad_pieces(void *ctx)
{
	const struct vhost_user_header head = { VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0 };
	struct vhost_user_header answer;
	struct env *e = ctx;
	uint64_t features;
	unsigned int i, n;
	int sock;

	CHECK_PASS(bad_connect(&sock, ALL_PROTOCOL));
	for (i = 0; i < sizeof(head); i++) {
		CHECK_EQ(send(sock, (const char *)&head + i, 1, MSG_NOSIGNAL), 1);
		usleep(1000);
	}
	CHECK_OK(vhost_user_receive(sock, &answer, &features, sizeof(features), NULL));
	for (i = 0; i < 100; i++)
		CHECK_OK(vhost_user_send(sock, &head, NULL, NULL, 0));
	for (i = 0; i < 100; i++)
		CHECK_OK(vhost_user_receive(sock, &answer, &features, sizeof(features), NULL));
	close(sock);

	for (n = 1; n < sizeof(head) + 4; n++) {
		struct {
			struct vhost_user_header head;
			uint64_t value;
		} m = { { VHOST_USER_SET_FEATURES, VHOST_USER_VERSION, 8 }, 0 };

		CHECK_PASS(bad_connect(&sock, ALL_PROTOCOL));
		CHECK_EQ(send(sock, &m, n, MSG_NOSIGNAL), (ssize_t)n);
		close(sock);
	}
	return works(e);
}

/* Who asks and doesn't read is not waited for. */
static int bad_reader(void *ctx)
{
	const struct vhost_user_header head = { VHOST_USER_GET_FEATURES, VHOST_USER_VERSION, 0 };
	struct env *e = ctx;
	unsigned int i;
	int sock;

	CHECK_PASS(bad_connect(&sock, ALL_PROTOCOL));
	for (i = 0; i < 1000000; i++)
		if (send(sock, &head, sizeof(head), MSG_NOSIGNAL) != sizeof(head))
			break;
	ktap_diag("%u questions", i);
	CHECK(i < 1000000, "it goes on");
	close(sock);
	return works(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(bad_messages),
	KTAP_TEST(bad_unanswered),
	KTAP_TEST(bad_flags),
	KTAP_TEST(bad_not_agreed),
	KTAP_TEST(bad_pieces),
	KTAP_TEST(bad_reader),
};

const struct ktap_suite bridge_bad_suite = {
	.name = "messages that break the rules",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
};
