// SPDX-License-Identifier: GPL-2.0-only
/* Packets that are what they should be, and come when they should not. */
#include <stdlib.h>
#include <unistd.h>

#include "vsock_bad.h"

/* How long nothing may happen where nothing is to. */
#define STILL_MS	20
#define NOBODY		999u
#define ROOM		10000u

/* Sends it; the answer is a reset, or there is none. */
static int expect_reset(struct vsock_env *e, const struct virtio_vsock_hdr *h, const void *data,
			uint32_t len, bool wanted)
{
	uint32_t port = le32toh(h->src_port), host_port = le32toh(h->dst_port);
	uint64_t since = e->g.seen_end;

	CHECK_PASS(bad_send(e, h, data, len));
	if (wanted)
		AWAIT(e, vsock_guest_saw(&e->g, since, VIRTIO_VSOCK_OP_RST, port, host_port));
	else
		CHECK_PASS(vsock_env_idle(e, STILL_MS));
	CHECK_EQ(vsock_guest_saw(&e->g, since, 0, port, host_port), wanted);
	return 0;
}

static int unknown(struct vsock_env *e, uint16_t type, uint32_t host_port, bool request)
{
	struct virtio_vsock_hdr h;
	uint16_t op;

	for (op = 1; op < VSOCK_OPS; op++) {
		uint32_t len = op == VIRTIO_VSOCK_OP_RW ? 4 : 0;

		if (op == VIRTIO_VSOCK_OP_REQUEST && !request)
			continue;
		h = vsock_guest_hdr(&e->g, type, op, NOBODY, host_port);
		h.len = htole32(len);
		h.buf_alloc = htole32(GUEST_ALLOC);
		CHECK_PASS(expect_reset(e, &h, "lost", len, op != VIRTIO_VSOCK_OP_RST));
	}
	return bad_check(e);
}

/* Of connections that nobody has. */
static int state_unknown(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int i;
	int fd;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(unknown(e, STREAM, NOBODY, true));
		CHECK_PASS(unknown(e, SEQPACKET, NOBODY, true));
	}
	/* Somebody listens, and hears requests alone. */
	fd = host_listen(STREAM, HOST_PORT, 1);
	CHECK_OK(fd);
	CHECK_PASS(unknown(e, STREAM, HOST_PORT, false));
	CHECK_PASS(unknown(e, SEQPACKET, HOST_PORT, true));
	CHECK_EQ(host_accept(fd), -EAGAIN);
	close(fd);
	return 0;
}

/* Neither streams nor messages. */
static int state_no_type(void *ctx)
{
	static const uint16_t types[] = { 0, 3, 0x8000, 0xffff };
	struct vsock_env *e = ctx;
	struct virtio_vsock_hdr h;
	unsigned int i;
	int fd = host_listen(STREAM, HOST_PORT, 1);

	CHECK_OK(fd);
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		h = vsock_guest_hdr(&e->g, types[i], VIRTIO_VSOCK_OP_REQUEST, NOBODY, HOST_PORT);
		CHECK_PASS(expect_reset(e, &h, NULL, 0, true));
	}
	CHECK_EQ(host_accept(fd), -EAGAIN);
	close(fd);
	return bad_check(e);
}

/* It goes on as it was, or it has ended; nothing between. */
static int sound_or_over(struct vsock_env *e, struct bad_target *t)
{
	static uint8_t buf[64];
	ssize_t n;

	if (host_send(t->p.fd, "1234", 4, 0) == 4 && t->p.c->state == VSOCK_OPEN) {
		AWAIT(e, t->p.c->len >= 4 || t->p.c->state != VSOCK_OPEN);
		if (t->p.c->state == VSOCK_OPEN)
			return 0;
	}
	AWAIT(e, (n = host_recv(t->p.fd, buf, sizeof(buf), 0)) != -EAGAIN);
	CHECK(n <= 0, "%zd bytes out of nowhere", n);
	return 0;
}

/* Answers that nobody waits for, and a request for what there is already. */
static int state_again(void *ctx)
{
	static const uint16_t ops[] = { VIRTIO_VSOCK_OP_RESPONSE, VIRTIO_VSOCK_OP_REQUEST };
	struct vsock_env *e = ctx;
	struct bad_target t = BAD_NO_TARGET;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct virtio_vsock_hdr h;

		CHECK_PASS(bad_target(e, STREAM, &t));
		h = vsock_guest_hdr(&e->g, STREAM, ops[i], t.p.c->port, t.p.c->host_port);
		h.buf_alloc = htole32(GUEST_ALLOC);
		CHECK_PASS(bad_send(e, &h, NULL, 0));
		CHECK_PASS(sound_or_over(e, &t));
		CHECK_PASS(bad_check(e));
	}
	bad_drop(&t);
	return 0;
}

/* The same request twice makes no two connections. */
static int state_request_twice(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_listen(STREAM, HOST_PORT, 4), one;
	struct virtio_vsock_hdr h =
		vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_REQUEST, NOBODY, HOST_PORT);
	uint64_t since = e->g.seen_end;

	CHECK_OK(fd);
	h.buf_alloc = htole32(GUEST_ALLOC);
	e->g.silent = true;
	CHECK_OK(vsock_guest_put(&e->g, &h, NULL, 0));
	CHECK_OK(vsock_guest_put(&e->g, &h, NULL, 0));
	CHECK_PASS(bad_settle(e));
	AWAIT(e, vsock_guest_saw(&e->g, since, VIRTIO_VSOCK_OP_RESPONSE, NOBODY, HOST_PORT));
	AWAIT(e, (one = host_accept(fd)) != -EAGAIN);
	CHECK_OK(one);
	CHECK_PASS(vsock_env_idle(e, STILL_MS));
	CHECK_EQ(host_accept(fd), -EAGAIN);
	e->g.silent = false;
	close(one);
	close(fd);
	return bad_check(e);
}

/* Data behind the end of it is lost, or read; and then there is the end. */
static int state_behind_shutdown(void *ctx)
{
	struct vsock_env *e = ctx;
	struct bad_target t = BAD_NO_TARGET;
	static uint8_t buf[64];
	ssize_t n;

	CHECK_PASS(bad_target(e, STREAM, &t));
	vsock_conn_shutdown(t.p.c, VIRTIO_VSOCK_SHUTDOWN_SEND);
	CHECK_OK(vsock_conn_put(t.p.c, "behind", 6, 0));
	CHECK_PASS(bad_settle(e));
	do {
		AWAIT(e, (n = host_recv(t.p.fd, buf, sizeof(buf), 0)) != -EAGAIN);
		CHECK(n == 0 || n == 6 || n == -ECONNRESET, "%zd", n);
	} while (n > 0);
	bad_drop(&t);
	return bad_check(e);
}

/* After its end a connection is one that nobody has. */
static int state_behind_end(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct bad_target t = BAD_NO_TARGET;
		struct virtio_vsock_hdr h;
		uint64_t since;

		CHECK_PASS(bad_target(e, STREAM, &t));
		h = vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_RW, t.p.c->port,
				    t.p.c->host_port);
		h.len = htole32(6);
		if (i)
			vsock_conn_reset(t.p.c);
		else
			vsock_conn_shutdown(t.p.c, VSOCK_SHUT_BOTH);
		CHECK_PASS(bad_settle(e));
		AWAIT(e, host_send(t.p.fd, "x", 1, 0) < 0);
		/* That is answered as well. */
		if (!i)
			AWAIT(e, t.p.c->state == VSOCK_RESET);
		since = e->g.seen_end;
		CHECK_PASS(bad_send(e, &h, "behind", 6));
		AWAIT(e, vsock_guest_saw(&e->g, since, VIRTIO_VSOCK_OP_RST, t.p.c->port,
					 t.p.c->host_port));
		bad_drop(&t);
	}
	return bad_check(e);
}

/* The host waits for a response, and gets something else. */
static int state_no_response(void *ctx)
{
	static const uint16_t ops[] = {
		VIRTIO_VSOCK_OP_REQUEST, VIRTIO_VSOCK_OP_SHUTDOWN, VIRTIO_VSOCK_OP_RW,
		VIRTIO_VSOCK_OP_CREDIT_UPDATE, VIRTIO_VSOCK_OP_CREDIT_REQUEST,
	};
	struct vsock_env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
		uint32_t len = ops[i] == VIRTIO_VSOCK_OP_RW ? 5 : 0;
		struct virtio_vsock_hdr h;
		uint64_t since = e->g.seen_end;
		int fd, res = 0;

		e->g.silent = true;
		fd = host_connect(STREAM, e->opts.dev.cid, GUEST_PORT);
		CHECK_OK(fd);
		AWAIT(e, vsock_guest_saw(&e->g, since, VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, 0));
		h = e->g.seen[(e->g.seen_end - 1) % VSOCK_SEEN];
		h = vsock_guest_hdr(&e->g, STREAM, ops[i], GUEST_PORT, le32toh(h.src_port));
		h.len = htole32(len);
		h.flags = htole32(ops[i] == VIRTIO_VSOCK_OP_SHUTDOWN ? VSOCK_SHUT_BOTH : 0);
		CHECK_PASS(bad_send(e, &h, "early", len));
		AWAIT(e, (res = host_connected(fd)));
		CHECK(res < 0, "connected by operation %u", ops[i]);
		close(fd);
		e->g.silent = false;
	}
	return bad_check(e);
}

/* A guest speaks for another one: nobody hears it. */
static int state_other_guest(void *ctx)
{
	struct vsock_env *e = ctx;
	static struct vsock_env other;
	struct vsock_pair p;
	uint16_t op;
	char byte;

	CHECK_PASS(vsock_env_neighbour(e, &other, e->opts.dev.cid + 1));
	CHECK_PASS(vsock_env_connect(&other, STREAM, GUEST_ALLOC, &p));
	for (op = 1; op < VSOCK_OPS; op++) {
		struct virtio_vsock_hdr h =
			vsock_guest_hdr(&other.g, STREAM, op, p.c->port, p.c->host_port);

		h.len = htole32(op == VIRTIO_VSOCK_OP_RW ? 6 : 0);
		h.flags = htole32(op == VIRTIO_VSOCK_OP_SHUTDOWN ? VSOCK_SHUT_BOTH : 0);
		CHECK_PASS(bad_send(e, &h, "forged", op == VIRTIO_VSOCK_OP_RW ? 6 : 0));
		/*
		 * Nor as itself, to the other one's ports; not every kernel's own looks who it is.
		 */
		h.src_cid = htole64(e->opts.dev.cid);
		if (!e->peer)
			CHECK_PASS(bad_send(e, &h, "forged", op == VIRTIO_VSOCK_OP_RW ? 6 : 0));
		CHECK_EQ(host_recv(p.fd, &byte, 1, 0), -EAGAIN);
	}
	CHECK_PASS(vsock_load_pair(&other, &p, 1000, 10000, 10000));
	CHECK_PASS(vsock_env_end(&other, &p));
	CHECK_PASS(vsock_env_close(&other));
	return bad_check(e);
}

/* More than the host has room for: what it takes is whole, and then the connection ends. */
static int overrun(struct vsock_env *e, uint16_t type)
{
	static uint8_t out[4 * ROOM], in[4 * ROOM];
	int fd = host_listen(type, HOST_PORT, 1);
	struct bad_target t = BAD_NO_TARGET;
	uint32_t at, got = 0;
	ssize_t n;

	CHECK_OK(fd);
	CHECK_OK(host_set_buffer(fd, SO_VM_SOCKETS_BUFFER_SIZE, ROOM));
	CHECK_PASS(vsock_env_accept_on(e, type, GUEST_ALLOC, fd, &t.p));
	close(fd);
	CHECK_EQ(t.p.c->peer_alloc, ROOM);
	pattern_bytes_fill(out, sizeof(out), 0, e->seed);
	for (at = 0; at < sizeof(out); at += ROOM / 4)
		CHECK_OK(vsock_conn_put(t.p.c, out + at, ROOM / 4, 0));
	CHECK_PASS(bad_settle(e));
	AWAIT(e, t.p.c->state == VSOCK_RESET);
	while ((n = host_recv(t.p.fd, in + got, sizeof(in) - got, 0)) > 0)
		got += n;
	CHECK(n != -EAGAIN, "it has not ended");
	CHECK(got <= ROOM, "%u bytes", got);
	CHECK_EQ(pattern_bytes_check(in, got, 0, e->seed), -1);
	bad_drop(&t);
	return bad_check(e);
}

static int state_overrun(void *ctx)
{
	return overrun(ctx, STREAM);
}

/* A message that has no end is no exception. */
static int state_overrun_message(void *ctx)
{
	struct vsock_env *e = ctx;

	if (!(e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET)))
		SKIP("it knows no messages");
	return overrun(e, SEQPACKET);
}

/* What credit a guest claims to have is its own affair: the host ends up waiting, or not. */
static int state_credit(void *ctx)
{
	static const uint32_t allocs[] = { 0, 1, 4096, INT32_MAX, 0x80000000, UINT32_MAX };
	static const uint32_t fwds[] = { 0, 1, 100, 8192, INT32_MAX, 0x80000000, UINT32_MAX };
	static uint8_t data[64 * KIB];
	struct vsock_env *e = ctx;
	struct bad_target t = BAD_NO_TARGET;
	unsigned int i, k;

	for (i = 0; i < sizeof(allocs) / sizeof(*allocs); i++) {
		for (k = 0; k < sizeof(fwds) / sizeof(*fwds); k++) {
			struct virtio_vsock_hdr h;
			ssize_t n;

			CHECK_PASS(bad_target(e, STREAM, &t));
			t.p.c->sink = true;
			h = vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_CREDIT_UPDATE,
					    t.p.c->port, t.p.c->host_port);
			h.buf_alloc = htole32(allocs[i]);
			h.fwd_cnt = htole32(fwds[k]);
			CHECK_PASS(bad_send(e, &h, NULL, 0));
			n = host_send(t.p.fd, data, sizeof(data), 0);
			CHECK(n != 0 && n <= (ssize_t)sizeof(data), "%zd", n);
		}
		CHECK_PASS(bad_check(e));
	}
	bad_drop(&t);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(state_unknown),
	KTAP_TEST(state_no_type),
	KTAP_TEST(state_again),
	KTAP_TEST(state_request_twice),
	KTAP_TEST(state_behind_shutdown),
	KTAP_TEST(state_behind_end),
	KTAP_TEST(state_no_response),
	KTAP_TEST(state_other_guest),
	KTAP_TEST(state_overrun),
	KTAP_TEST(state_overrun_message),
	KTAP_TEST(state_credit),
};

const struct ktap_suite vsock_bad_state_suite = {
	.name = "packets at the wrong time",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = bad_setup,
	.teardown = bad_teardown,
};
