// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring client's server of the network block device protocol, by a peer that the kernel's nbd
 * module is not: slow, rude, wrong.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "env.h"
#include "nbd_serve.h"

#define LEN	8192u
#define ROOM	(1u * MIB)
#define FIRST	2048u	/* the sector that tests write to */

struct peer {
	struct env e;	/* the first: what fixtures know */
	struct nbd_server server;
	int sock;
	uint8_t buf[2 * MIB];
};

static int peer_start(void *ctx)
{
	const struct nbd_conf conf = { .depth = 16, .buffers = ROOM, .hang_ms = BLK_HANG_LIMIT_MS };
	struct timeval limit = { .tv_sec = BLK_HANG_LIMIT_MS / 1000 };
	struct peer *p = ctx;
	int sv[2];

	CHECK_PASS(env_start(&p->e));
	CHECK_OK(nbd_serve_init(&p->server, &p->e.b, &conf));
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
	CHECK_EQ(setsockopt(sv[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
	p->sock = sv[0];
	CHECK_OK(nbd_serve(&p->server, 0, sv[1]));
	return 0;
}

static void hang_up(struct peer *p)
{
	if (p->sock >= 0)
		close(p->sock);
	p->sock = -1;
}

static int peer_end(void *ctx)
{
	struct peer *p = ctx;

	hang_up(p);
	nbd_serve_wait(&p->server);
	nbd_serve_exit(&p->server);
	return env_close(&p->e);
}

static int say(struct peer *p, const void *data, size_t len)
{
	CHECK_EQ(send(p->sock, data, len, MSG_NOSIGNAL), len);
	return 0;
}

static struct nbd_request command(uint32_t type, uint64_t cookie, uint64_t from, uint32_t len)
{
	return (struct nbd_request){
		.magic = htobe32(NBD_REQUEST_MAGIC),
		.type = htobe32(type),
		.cookie = cookie,
		.from = htobe64(from),
		.len = htobe32(len),
	};
}

static int ask(struct peer *p, uint32_t type, uint64_t cookie, uint64_t from, uint32_t len)
{
	struct nbd_request r = command(type, cookie, from, len);

	return say(p, &r, sizeof(r));
}

static int hear(struct peer *p, void *buf, size_t len)
{
	CHECK_EQ(recv(p->sock, buf, len, MSG_WAITALL), len);
	return 0;
}

/* The next answer is to @cookie, with @error. */
static int answer(struct peer *p, uint64_t cookie, uint32_t error)
{
	struct nbd_reply r;

	CHECK_PASS(hear(p, &r, sizeof(r)));
	CHECK_EQ(be32toh(r.magic), NBD_REPLY_MAGIC);
	CHECK_EQ(r.cookie, cookie);
	CHECK_EQ(be32toh(r.error), error);
	return 0;
}

static int silence(struct peer *p)
{
	uint8_t byte;

	CHECK_EQ(recv(p->sock, &byte, 1, 0), 0);
	return 0;
}

static int ended(struct peer *p, int want)
{
	CHECK_EQ(nbd_serve_wait(&p->server), want);
	return 0;
}

static int write_sectors(struct peer *p, uint64_t cookie, uint64_t sector, uint64_t generation)
{
	pattern_fill(p->buf, LEN, sector, generation);
	CHECK_PASS(ask(p, NBD_CMD_WRITE, cookie, sector * SECTOR_SIZE, LEN));
	return say(p, p->buf, LEN);
}

static int read_sectors(struct peer *p, uint64_t cookie, uint64_t sector, uint64_t generation)
{
	CHECK_PASS(ask(p, NBD_CMD_READ, cookie, sector * SECTOR_SIZE, LEN));
	CHECK_PASS(answer(p, cookie, 0));
	CHECK_PASS(hear(p, p->buf, LEN));
	CHECK(pattern_check(p->buf, LEN, sector, generation) < 0, "other data");
	return 0;
}

/* The stream still carries commands. */
static int works(struct peer *p)
{
	static uint64_t generation = 1000;

	generation++;
	CHECK_PASS(write_sectors(p, 77, FIRST, generation));
	CHECK_PASS(answer(p, 77, 0));
	return read_sectors(p, 78, FIRST, generation);
}

static int stream_bytes(void *ctx)
{
	struct nbd_request r = command(NBD_CMD_WRITE | NBD_CMD_FLAG_FUA, 1,
				       FIRST * SECTOR_SIZE, LEN);
	struct peer *p = ctx;
	unsigned int i;

	pattern_fill(p->buf, LEN, FIRST, 1);
	for (i = 0; i < sizeof(r); i++)
		CHECK_PASS(say(p, (char *)&r + i, 1));
	for (i = 0; i < LEN; i += 64)
		CHECK_PASS(say(p, p->buf + i, 64));
	CHECK_PASS(answer(p, 1, 0));
	CHECK_PASS(env_store_check(&p->e, FIRST, LEN, 1));
	return read_sectors(p, 2, FIRST, 1);
}

static int stream_cut_header(void *ctx)
{
	struct nbd_request r = command(NBD_CMD_READ, 1, 0, LEN);
	struct peer *p = ctx;

	CHECK_PASS(works(p));
	CHECK_PASS(say(p, &r, sizeof(r) - 1));
	hang_up(p);
	return ended(p, -EPIPE);
}

/* Half of the data is not written. */
static int stream_cut_data(void *ctx)
{
	struct peer *p = ctx;

	CHECK_PASS(write_sectors(p, 1, FIRST, 2));
	CHECK_PASS(answer(p, 1, 0));
	pattern_fill(p->buf, LEN, FIRST, 3);
	CHECK_PASS(ask(p, NBD_CMD_WRITE, 2, FIRST * SECTOR_SIZE, LEN));
	CHECK_PASS(say(p, p->buf, LEN / 2));
	hang_up(p);
	CHECK_PASS(ended(p, -EPIPE));
	return env_store_check(&p->e, FIRST, LEN, 2);
}

static int stream_magic(void *ctx)
{
	struct nbd_request r = command(NBD_CMD_READ, 1, 0, LEN);
	struct peer *p = ctx;

	CHECK_PASS(works(p));
	r.magic ^= 1;
	CHECK_PASS(say(p, &r, sizeof(r)));
	CHECK_PASS(silence(p));
	return ended(p, -EPROTO);
}

/* What was asked before is answered, what comes behind is not done. */
static int stream_disconnect(void *ctx)
{
	struct peer *p = ctx;
	unsigned int i;

	for (i = 0; i < 12; i++)
		CHECK_PASS(write_sectors(p, 5, FIRST + i * 16, 4));
	CHECK_PASS(ask(p, NBD_CMD_DISC, 6, 0, 0));
	CHECK_PASS(ask(p, NBD_CMD_READ, 7, 0, LEN));
	for (i = 0; i < 12; i++)
		CHECK_PASS(answer(p, 5, 0));
	CHECK_EQ(nbd_serve_wait(&p->server), 0);
	for (i = 0; i < 12; i++)
		CHECK_PASS(env_store_check(&p->e, FIRST + i * 16, LEN, 4));
	return 0;
}

/* A peer that has nothing more to say, but listens. */
static int stream_half_closed(void *ctx)
{
	struct peer *p = ctx;

	CHECK_PASS(works(p));
	CHECK_PASS(ask(p, NBD_CMD_READ, 1, 0, LEN));
	CHECK_EQ(shutdown(p->sock, SHUT_WR), 0);
	CHECK_PASS(answer(p, 1, 0));
	CHECK_PASS(hear(p, p->buf, LEN));
	CHECK_PASS(silence(p));
	return ended(p, -EPIPE);
}

static int stream_not_read(void *ctx)
{
	struct peer *p = ctx;
	unsigned int i;

	for (i = 0; i < 8; i++)
		CHECK_PASS(ask(p, NBD_CMD_READ, i, 0, 8 * NBD_PIECE));
	hang_up(p);
	return ended(p, -EPIPE);
}

struct wrong {
	uint32_t type;
	uint64_t from;
	uint32_t len;
	uint32_t error;
};

static int stream_wrong(void *ctx)
{
	struct peer *p = ctx;
	uint64_t end = blk_capacity(&p->e.b) * SECTOR_SIZE;
	const struct wrong wrongs[] = {
		{ 5, 0, LEN, EINVAL },
		{ 0xffff, 0, LEN, EINVAL },
		{ NBD_CMD_READ, 0, 0, EINVAL },
		{ NBD_CMD_READ, 0, 100, EINVAL },
		{ NBD_CMD_READ, 1, LEN, EINVAL },
		{ NBD_CMD_READ, 0, ROOM + SECTOR_SIZE, EINVAL },
		{ NBD_CMD_READ, 0, ~0u & ~511u, EINVAL },
		{ NBD_CMD_READ, end, LEN, EIO },
		{ NBD_CMD_READ, end - LEN / 2, LEN, EIO },
		{ NBD_CMD_READ, ~0ull << 9, LEN, EIO },
		{ NBD_CMD_FLUSH, 0, LEN, EINVAL },
		{ NBD_CMD_TRIM, 0, 0, EINVAL },
		{ NBD_CMD_WRITE_ZEROES, end, LEN, EIO },
	};
	unsigned int i;

	for (i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		const struct wrong *w = &wrongs[i];

		ktap_diag("command %u, %llu, %u", w->type, (unsigned long long)w->from, w->len);
		CHECK_PASS(ask(p, w->type, i, w->from, w->len));
		CHECK_PASS(answer(p, i, w->error));
	}
	return works(p);
}

/* Data that there is no room for is passed over. */
static int stream_too_large(void *ctx)
{
	struct peer *p = ctx;

	CHECK_PASS(ask(p, NBD_CMD_WRITE, 1, 0, ROOM + LEN));
	CHECK_PASS(say(p, p->buf, ROOM + LEN));
	CHECK_PASS(answer(p, 1, EINVAL));
	CHECK_PASS(ask(p, NBD_CMD_WRITE, 2, 0, 100));
	CHECK_PASS(say(p, p->buf, 100));
	CHECK_PASS(answer(p, 2, EINVAL));
	return works(p);
}

/* As much as there is room for, and more than a request to the device holds. */
static int stream_largest(void *ctx)
{
	struct peer *p = ctx;

	pattern_fill(p->buf, ROOM, FIRST, 5);
	CHECK_PASS(ask(p, NBD_CMD_WRITE | NBD_CMD_FLAG_FUA, 1, FIRST * SECTOR_SIZE, ROOM));
	CHECK_PASS(say(p, p->buf, ROOM));
	CHECK_PASS(answer(p, 1, 0));
	CHECK_PASS(env_store_check(&p->e, FIRST, ROOM, 5));
	memset(p->buf, 0, ROOM);
	CHECK_PASS(ask(p, NBD_CMD_READ, 2, FIRST * SECTOR_SIZE, ROOM));
	CHECK_PASS(answer(p, 2, 0));
	CHECK_PASS(hear(p, p->buf, ROOM));
	CHECK(pattern_check(p->buf, ROOM, FIRST, 5) < 0, "other data");
	return 0;
}

static int reads_zero(struct peer *p, uint64_t sector)
{
	CHECK_OK(env_store_read(&p->e, sector, p->buf, LEN));
	CHECK(bytes_check(p->buf, LEN, 0) < 0, "sector %llu is not zeroed",
	      (unsigned long long)sector);
	return 0;
}

static int zeroes(struct peer *p, uint64_t cookie, uint32_t flags)
{
	const uint32_t len = 16 * MIB;
	const uint64_t end = FIRST + len / SECTOR_SIZE, last = end - LEN / SECTOR_SIZE;
	const uint64_t where[] = { FIRST, last, end };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		CHECK_PASS(write_sectors(p, cookie, where[i], cookie));
		CHECK_PASS(answer(p, cookie, 0));
	}
	CHECK_PASS(ask(p, NBD_CMD_WRITE_ZEROES | flags, cookie, FIRST * SECTOR_SIZE, len));
	CHECK_PASS(answer(p, cookie, 0));
	CHECK_PASS(reads_zero(p, FIRST));
	CHECK_PASS(reads_zero(p, last));
	return env_store_check(&p->e, end, LEN, cookie);
}

/* More than a range, or a request, of the device may have. */
static int stream_zeroes(void *ctx)
{
	struct peer *p = ctx;

	if (!(nbd_flags(&p->e.b) & NBD_FLAG_SEND_WRITE_ZEROES))
		SKIP("the disk writes no zeroes");
	CHECK_PASS(zeroes(p, 1, 0));
	CHECK_PASS(zeroes(p, 2, NBD_CMD_FLAG_NO_HOLE));
	return zeroes(p, 3, NBD_CMD_FLAG_FUA);
}

static int stream_trim(void *ctx)
{
	struct peer *p = ctx;
	bool can = nbd_flags(&p->e.b) & NBD_FLAG_SEND_TRIM;

	CHECK_PASS(ask(p, NBD_CMD_TRIM, 1, FIRST * SECTOR_SIZE, 16 * MIB));
	CHECK_PASS(answer(p, 1, can ? 0 : EOPNOTSUPP));
	return works(p);
}

#define FLOOD	1500u

static void *flood(void *arg)
{
	struct peer *p = arg;
	uint64_t i;

	for (i = 0; i < FLOOD; i++)
		if (ask(p, NBD_CMD_READ, i, (FIRST + i % 16 * 16) * SECTOR_SIZE, LEN))
			break;
	return (void *)(uintptr_t)(i != FLOOD);
}

/* Far more than there is room for, while answers are read late: each is answered once. */
static int stream_flood(void *ctx)
{
	static uint8_t seen[FLOOD];
	struct peer *p = ctx;
	struct nbd_reply r;
	pthread_t thread;
	unsigned int i;
	void *failed;

	for (i = 0; i < 16; i++) {
		CHECK_PASS(write_sectors(p, i, FIRST + i * 16, 6));
		CHECK_PASS(answer(p, i, 0));
	}
	memset(seen, 0, sizeof(seen));
	CHECK_EQ(pthread_create(&thread, NULL, flood, p), 0);
	usleep(300000);
	for (i = 0; i < FLOOD; i++) {
		CHECK_PASS(hear(p, &r, sizeof(r)));
		CHECK_EQ(r.error, 0);
		CHECK(r.cookie < FLOOD && !seen[r.cookie]++, "answer to %llu",
		      (unsigned long long)r.cookie);
		CHECK_PASS(hear(p, p->buf, LEN));
		CHECK(pattern_check(p->buf, LEN, FIRST + r.cookie % 16 * 16, 6) < 0, "other data");
	}
	CHECK_EQ(pthread_join(thread, &failed), 0);
	CHECK(!failed, "not all were sent");
	return works(p);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(stream_bytes),
	KTAP_TEST(stream_cut_header),
	KTAP_TEST(stream_cut_data),
	KTAP_TEST(stream_magic),
	KTAP_TEST(stream_disconnect),
	KTAP_TEST(stream_half_closed),
	KTAP_TEST(stream_not_read),
	KTAP_TEST(stream_wrong),
	KTAP_TEST(stream_too_large),
	KTAP_TEST(stream_largest),
	KTAP_TEST(stream_zeroes),
	KTAP_TEST(stream_trim),
	KTAP_TEST(stream_flood),
};

int main(int argc, char **argv)
{
	static struct peer p;
	const struct ktap_suite suite = {
		.name = "streams of the network block device protocol",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 240,
		.setup = peer_start,
		.teardown = peer_end,
	};

	env_parse(&p.e, argc, argv);
	return ktap_run(&suite, 1, p.e.only, &p);
}
