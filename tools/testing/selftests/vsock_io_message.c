// SPDX-License-Identifier: GPL-2.0-only
/* Messages: their borders, their marks, and what they are made of. */
#include <stdlib.h>
#include <unistd.h>

#include "vsock_io.h"

#define LANES	4u
#define LONGEST	40000u

static int message_setup(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_setup(e));
	if (e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET))
		return 0;
	CHECK_PASS(vsock_env_close(e));
	SKIP("it knows no messages");
}

static int message_sizes(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_connect(e, SEQPACKET, GUEST_ALLOC, &p));
	for (i = 0; i < io_nr_sizes; i++)
		CHECK_PASS(io_to_guest(e, &p, io_sizes[i]));
	for (i = 0; i < io_nr_sizes; i++)
		CHECK_PASS(io_to_host(e, &p, io_sizes[i]));
	return vsock_env_end(e, &p);
}

static int lanes(struct vsock_env *e, uint32_t max, uint64_t messages)
{
	struct vsock_pair p[LANES];
	struct vsock_load l;
	unsigned int i;

	CHECK_PASS(vsock_load_init(&l, e, LANES));
	for (i = 0; i < LANES; i++) {
		if (i % 2)
			CHECK_PASS(vsock_env_accept(e, SEQPACKET, GUEST_ALLOC, &p[i]));
		else
			CHECK_PASS(vsock_env_connect(e, SEQPACKET, GUEST_ALLOC, &p[i]));
		CHECK_PASS(vsock_load_add(&l, &p[i], max, messages, messages));
	}
	CHECK_PASS(vsock_load_run(&l));
	vsock_load_destroy(&l);
	for (i = 0; i < LANES; i++)
		CHECK_PASS(vsock_env_end(e, &p[i]));
	return 0;
}

static int message_several(void *ctx)
{
	return lanes(ctx, LONGEST, 30);
}

static int message_short(void *ctx)
{
	return lanes(ctx, 80, 300);
}

static int message_any_shape(void *ctx)
{
	struct vsock_env *e = ctx;

	e->g.rx.shape = SHAPE_ANY;
	e->g.tx.shape = SHAPE_ANY;
	e->g.rx.min = VSOCK_HDR_LEN + 100;
	CHECK_OK(vsock_guest_restart(&e->g));
	return lanes(e, LONGEST, 30);
}

static int message_largest_buffers(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_restart_with(e, 8, VSOCK_HDR_LEN + VSOCK_DATA_MAX));
	return lanes(e, 200000, 20);
}

/* A message with so many packets, whatever their lengths, and perhaps its mark. */
static int put_in_pieces(struct vsock_env *e, struct vsock_conn *c, const uint8_t *data,
			 uint32_t len, unsigned int pieces, bool eor)
{
	uint32_t flags = VIRTIO_VSOCK_SEQ_EOM | (eor ? VIRTIO_VSOCK_SEQ_EOR : 0), n;

	for (; pieces; pieces--) {
		n = len / pieces;
		while (vsock_conn_put(c, data, n, pieces > 1 ? 0 : flags))
			CHECK_PASS(vsock_env_turn(e, 5));
		data += n;
		len -= n;
	}
	return vsock_env_turn(e, 0);
}

static int await_message(struct vsock_env *e, int fd, uint8_t *buf, size_t room, ssize_t want,
			 int flags, int want_flags)
{
	int now = 0;
	ssize_t n;

	AWAIT(e, (now = flags, n = host_recv_message(fd, buf, room, &now)) != -EAGAIN);
	CHECK_EQ(n, want);
	CHECK_EQ(now & (MSG_EOR | MSG_TRUNC), want_flags);
	return 0;
}

/* Several of them wait, and each comes by itself. */
static int message_borders(void *ctx)
{
	static const uint32_t lens[] = { 1, 5000, 1, 1, 130, 20000, 3 };
	const unsigned int count = sizeof(lens) / sizeof(*lens);
	static uint8_t out[20000], in[30000];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;
	bool eor;

	CHECK_PASS(vsock_env_accept(e, SEQPACKET, GUEST_ALLOC, &p));
	for (i = 0; i < count; i++) {
		pattern_bytes_fill(out, lens[i], 0, i);
		CHECK_PASS(put_in_pieces(e, p.c, out, lens[i], 1, i % 2));
		CHECK_EQ(host_send(p.fd, out, lens[i], i % 3 ? MSG_EOR : 0), lens[i]);
	}
	for (i = 0; i < count; i++) {
		CHECK_PASS(await_message(e, p.fd, in, sizeof(in), lens[i], 0,
					 i % 2 ? MSG_EOR : 0));
		CHECK_EQ(pattern_bytes_check(in, lens[i], 0, i), -1);
		AWAIT(e, p.c->nr_ends);
		CHECK_EQ(vsock_conn_recv(p.c, in, sizeof(in), &eor), lens[i]);
		CHECK_EQ(eor, !!(i % 3));
		CHECK_EQ(pattern_bytes_check(in, lens[i], 0, i), -1);
	}
	CHECK_EQ(host_recv(p.fd, in, sizeof(in), 0), -EAGAIN);
	return vsock_env_end(e, &p);
}

/* Of so many small ones, and others between them, the host keeps each, in little memory. */
static int message_unread(void *ctx)
{
	static const uint32_t lens[] = { 1, 1, 1025, 1, 2, 1024, 3000, 1, 700, 700, 700, 5000, 17 };
	const unsigned int kinds = sizeof(lens) / sizeof(*lens);
	static uint8_t out[5000], in[6000];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i, sent = 0;

	NEED_OURS(e, "not every kernel counts what a message takes beside its bytes");
	CHECK_PASS(vsock_env_connect(e, SEQPACKET, GUEST_ALLOC, &p));
	while (vsock_conn_space(p.c) > sizeof(out)) {
		uint32_t len = sent < 5000 ? 1 : lens[sent % kinds];

		pattern_bytes_fill(out, len, 0, sent);
		CHECK_PASS(put_in_pieces(e, p.c, out, len, len > 1 ? 1 + sent % 3 : 1, sent % 2));
		sent++;
	}
	CHECK_PASS(vsock_env_idle(e, 20));
	for (i = 0; i < sent; i++) {
		uint32_t len = i < 5000 ? 1 : lens[i % kinds];

		CHECK_PASS(await_message(e, p.fd, in, sizeof(in), len, 0, i % 2 ? MSG_EOR : 0));
		CHECK_EQ(pattern_bytes_check(in, len, 0, i), -1);
	}
	ktap_diag("%u messages", sent);
	CHECK_EQ(host_recv(p.fd, in, sizeof(in), 0), -EAGAIN);
	return vsock_env_end(e, &p);
}

/* Many packets are one message; there is none before the last of them. */
static int message_pieces(void *ctx)
{
	static const unsigned int pieces[] = { 1, 2, 3, 7, 30, 250 };
	static uint8_t out[4000], in[5000];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_connect(e, SEQPACKET, GUEST_ALLOC, &p));
	for (i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		pattern_bytes_fill(out, sizeof(out), 0, i);
		CHECK_OK(vsock_conn_put(p.c, out, 100, 0));
		CHECK_PASS(vsock_env_idle(e, 20));
		CHECK_EQ(host_recv(p.fd, in, sizeof(in), 0), -EAGAIN);
		CHECK_PASS(put_in_pieces(e, p.c, out + 100, sizeof(out) - 100, pieces[i], i % 2));
		CHECK_PASS(await_message(e, p.fd, in, sizeof(in), sizeof(out), 0,
					 i % 2 ? MSG_EOR : 0));
		CHECK_EQ(pattern_bytes_check(in, sizeof(out), 0, i), -1);
	}
	return vsock_env_end(e, &p);
}

/* What the reader has no room for is lost, and the next message is whole. */
static int message_truncated(void *ctx)
{
	static uint8_t out[10000], in[10000];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_accept(e, SEQPACKET, GUEST_ALLOC, &p));
	for (i = 0; i < 4; i++) {
		pattern_bytes_fill(out, sizeof(out), 0, i);
		CHECK_PASS(put_in_pieces(e, p.c, out, sizeof(out), 1 + i, i % 2));
	}
	CHECK_PASS(await_message(e, p.fd, in, 10, 10, 0, MSG_TRUNC));
	CHECK_EQ(pattern_bytes_check(in, 10, 0, 0), -1);
	CHECK_PASS(await_message(e, p.fd, in, 9999, sizeof(out), MSG_TRUNC, MSG_TRUNC | MSG_EOR));
	CHECK_EQ(pattern_bytes_check(in, 9999, 0, 1), -1);
	CHECK_PASS(await_message(e, p.fd, in, 5001, 5001, 0, MSG_TRUNC));
	CHECK_EQ(pattern_bytes_check(in, 5001, 0, 2), -1);
	CHECK_PASS(await_message(e, p.fd, in, sizeof(in), sizeof(out), 0, MSG_EOR));
	CHECK_EQ(pattern_bytes_check(in, sizeof(in), 0, 3), -1);
	/* All of it counts as read. */
	CHECK_PASS(io_to_host(e, &p, GUEST_ALLOC));
	return vsock_env_end(e, &p);
}

/* More than the guest has room for at all. */
static int message_too_long(void *ctx)
{
	static uint8_t out[20001];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	ssize_t n;

	CHECK_PASS(vsock_env_connect(e, SEQPACKET, 20000, &p));
	n = host_send(p.fd, out, sizeof(out), 0);
	/* Whatever a transport says, not every AF_VSOCK hands it on. */
	CHECK(n == -EMSGSIZE || n == -ENOMEM, "%zd", n);
	CHECK_PASS(io_to_guest(e, &p, 20000));
	return vsock_env_end(e, &p);
}

static int message_peek(void *ctx)
{
	static uint8_t out[9000], in[9000];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	ssize_t n;

	CHECK_PASS(vsock_env_accept(e, SEQPACKET, GUEST_ALLOC, &p));
	pattern_bytes_fill(out, sizeof(out), 0, e->seed);
	CHECK_PASS(put_in_pieces(e, p.c, out, 1, 1, false));
	AWAIT(e, (n = host_recv(p.fd, in, 1, MSG_PEEK)) != -EAGAIN);
	if (n == -EOPNOTSUPP && e->peer)
		SKIP("the peer: no message can be peeked at on this kernel");
	CHECK_EQ(host_recv(p.fd, in, 1, 0), 1);
	CHECK_PASS(put_in_pieces(e, p.c, out, sizeof(out), 3, true));
	CHECK_PASS(put_in_pieces(e, p.c, out, 10, 1, false));
	CHECK_PASS(await_message(e, p.fd, in, 100, 100, MSG_PEEK, MSG_EOR | MSG_TRUNC));
	CHECK_EQ(pattern_bytes_check(in, 100, 0, e->seed), -1);
	CHECK_PASS(await_message(e, p.fd, in, sizeof(in), sizeof(out), MSG_PEEK, MSG_EOR));
	CHECK_EQ(pattern_bytes_check(in, sizeof(out), 0, e->seed), -1);
	CHECK_PASS(await_message(e, p.fd, in, sizeof(in), sizeof(out), 0, MSG_EOR));
	CHECK_EQ(pattern_bytes_check(in, sizeof(out), 0, e->seed), -1);
	CHECK_PASS(await_message(e, p.fd, in, sizeof(in), 10, 0, 0));
	return vsock_env_end(e, &p);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(message_sizes),
	KTAP_TEST(message_several),
	KTAP_TEST(message_short),
	KTAP_TEST(message_any_shape),
	KTAP_TEST(message_largest_buffers),
	KTAP_TEST(message_borders),
	KTAP_TEST(message_unread),
	KTAP_TEST(message_pieces),
	KTAP_TEST(message_truncated),
	KTAP_TEST(message_too_long),
	KTAP_TEST(message_peek),
};

const struct ktap_suite vsock_io_message_suite = {
	.name = "messages",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = message_setup,
	.teardown = vsock_env_close,
};
