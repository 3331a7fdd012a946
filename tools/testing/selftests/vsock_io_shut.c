// SPDX-License-Identifier: GPL-2.0-only
/* One half of a connection ends, or both do; what was sent before that arrives. */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "vsock_io.h"

#define MUCH	100000u
#define FEW	1000u
#define RCV	VIRTIO_VSOCK_SHUTDOWN_RCV
#define SEND	VIRTIO_VSOCK_SHUTDOWN_SEND

/* The guest has what the host sent, and then the end. */
static int guest_reads_to_end(struct vsock_env *e, struct vsock_conn *c, uint32_t want)
{
	static uint8_t buf[MUCH];
	uint32_t got = 0;
	int64_t n;

	while (got < want) {
		AWAIT(e, (n = vsock_conn_recv(c, buf, sizeof(buf), NULL)) != -EAGAIN);
		CHECK(n > 0, "%u of %u bytes, then %lld", got, want, (long long)n);
		CHECK_EQ(pattern_bytes_check(buf, n, got, want), -1);
		got += n;
	}
	AWAIT(e, (n = vsock_conn_recv(c, buf, sizeof(buf), NULL)) != -EAGAIN);
	CHECK_EQ(n, 0);
	return 0;
}

static int host_reads_to_end(struct vsock_env *e, int fd, uint32_t want)
{
	static uint8_t buf[MUCH];
	uint32_t got = 0;
	ssize_t n;

	do {
		AWAIT(e, (n = host_recv(fd, buf, sizeof(buf), 0)) != -EAGAIN);
		CHECK(n >= 0, "%u of %u bytes, then %s", got, want, strerror(-n));
		CHECK_EQ(pattern_bytes_check(buf, n, got, want), -1);
		got += n;
	} while (n);
	CHECK_EQ(got, want);
	return 0;
}

static int host_sends(int fd, uint32_t len)
{
	static uint8_t buf[MUCH];

	pattern_bytes_fill(buf, len, 0, len);
	CHECK_EQ(host_send(fd, buf, len, 0), len);
	return 0;
}

static int guest_sends(struct vsock_env *e, struct vsock_conn *c, uint32_t len)
{
	static uint8_t buf[MUCH];
	uint32_t sent = 0;

	pattern_bytes_fill(buf, len, 0, len);
	while (sent < len) {
		int64_t n = vsock_conn_send(c, buf + sent, len - sent, 0);

		CHECK(n >= 0, "%lld", (long long)n);
		sent += n;
		CHECK_PASS(vsock_env_turn(e, sent < len ? 5 : 0));
	}
	return 0;
}

/* The host says that it sends no more: it may still receive. */
static int shut_write(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(host_sends(p.fd, MUCH));
	CHECK_EQ(shutdown(p.fd, SHUT_WR), 0);
	CHECK_EQ(host_send(p.fd, "x", 1, 0), -EPIPE);
	CHECK_PASS(guest_reads_to_end(e, p.c, MUCH));
	CHECK_EQ(p.c->shut_host, SEND);
	CHECK_EQ(p.c->state, VSOCK_OPEN);
	CHECK_PASS(io_to_host(e, &p, MUCH));
	return vsock_env_end(e, &p);
}

/* Or that it receives no more: it may still send. */
static int shut_read(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	char byte;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_EQ(shutdown(p.fd, SHUT_RD), 0);
	CHECK_EQ(host_recv(p.fd, &byte, 1, 0), 0);
	AWAIT(e, p.c->shut_host == RCV);
	CHECK_EQ(vsock_conn_send(p.c, "x", 1, 0), -EPIPE);
	CHECK_PASS(io_to_guest(e, &p, MUCH));
	return vsock_env_end(e, &p);
}

static int shut_both(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	char byte;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(host_sends(p.fd, MUCH));
	CHECK_EQ(shutdown(p.fd, SHUT_RDWR), 0);
	CHECK_PASS(guest_reads_to_end(e, p.c, MUCH));
	AWAIT(e, p.c->state >= VSOCK_RESET);
	CHECK_EQ(host_recv(p.fd, &byte, 1, 0), 0);
	CHECK_EQ(host_send(p.fd, "x", 1, 0), -EPIPE);
	return vsock_env_end(e, &p);
}

/* In two steps, in either order. */
static int shut_halves(void *ctx)
{
	static const int how[][2] = { { SHUT_RD, SHUT_WR }, { SHUT_WR, SHUT_RD } };
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
		CHECK_EQ(shutdown(p.fd, how[i][0]), 0);
		AWAIT(e, p.c->shut_host);
		CHECK_EQ(p.c->state, VSOCK_OPEN);
		CHECK_EQ(shutdown(p.fd, how[i][1]), 0);
		AWAIT(e, p.c->shut_host == VSOCK_SHUT_BOTH);
		AWAIT(e, p.c->state >= VSOCK_RESET);
		CHECK_PASS(vsock_env_end(e, &p));
	}
	return 0;
}

/* The guest sends no more: the host reads what there is, and then the end; it may send. */
static int shut_guest_write(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(guest_sends(e, p.c, MUCH));
	vsock_conn_shutdown(p.c, SEND);
	CHECK_PASS(host_reads_to_end(e, p.fd, MUCH));
	CHECK(host_poll(p.fd, POLLRDHUP), "the end isn't told");
	CHECK_PASS(io_to_guest(e, &p, MUCH));
	return vsock_env_end(e, &p);
}

/* The guest receives no more. */
static int shut_guest_read(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	vsock_conn_shutdown(p.c, RCV);
	AWAIT(e, host_send(p.fd, "x", 1, 0) == -EPIPE);
	CHECK_PASS(io_to_host(e, &p, MUCH));
	return vsock_env_end(e, &p);
}

/* Neither, with data that the host has yet to read. */
static int shut_guest_both(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(guest_sends(e, p.c, MUCH));
	vsock_conn_shutdown(p.c, VSOCK_SHUT_BOTH);
	AWAIT(e, host_send(p.fd, "x", 1, 0) < 0);
	CHECK_PASS(host_reads_to_end(e, p.fd, MUCH));
	return vsock_env_end(e, &p);
}

/* Or at once: that is a reset, and yet what came before it is there to be read. */
static int shut_guest_reset(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(guest_sends(e, p.c, MUCH));
	vsock_conn_reset(p.c);
	AWAIT(e, host_send(p.fd, "x", 1, 0) < 0);
	CHECK_PASS(host_reads_to_end(e, p.fd, MUCH));
	return vsock_env_end(e, &p);
}

static void guest_ends(struct vsock_conn *c, uint32_t flags)
{
	if (flags)
		vsock_conn_shutdown(c, flags);
	else
		vsock_conn_reset(c);
}

/*
 * Who waits for room hears that there will be none, even where something was left to read when the
 * guest said so.
 */
static int shut_full(void *ctx)
{
	static const uint32_t ends[] = { RCV, RCV | SEND, 0 };
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;
	uint32_t sent;

	NEED_OURS(e, "there it waits for ever");
	for (i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		CHECK_PASS(vsock_env_connect(e, STREAM, FEW, &p));
		p.c->by_hand = true;
		CHECK_PASS(io_fill(&p, 2 * FEW, &sent));
		CHECK_EQ(sent, FEW);
		CHECK_PASS(guest_sends(e, p.c, FEW));
		AWAIT(e, host_poll(p.fd, POLLIN));
		CHECK_EQ(host_poll(p.fd, POLLOUT), 0);
		guest_ends(p.c, ends[i]);
		AWAIT(e, host_poll(p.fd, POLLOUT) == POLLOUT);
		if (ends[i] != RCV)
			CHECK_PASS(host_reads_to_end(e, p.fd, FEW));
		CHECK_EQ(host_poll(p.fd, POLLOUT), POLLOUT);
		CHECK_EQ(host_send(p.fd, "x", 1, 0), -EPIPE);
		p.c->by_hand = false;
		CHECK_PASS(vsock_env_end(e, &p));
	}
	return 0;
}

/* Sent and closed, without a pause: nothing of it is lost. */
static int shut_close(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		if (i % 2)
			CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
		else
			CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
		CHECK_PASS(host_sends(p.fd, MUCH - i));
		close(p.fd);
		CHECK_PASS(guest_reads_to_end(e, p.c, MUCH - i));
		AWAIT(e, p.c->state >= VSOCK_RESET);
		vsock_conn_free(p.c);
	}
	return 0;
}

/* The host closes without having read what there was. */
static int shut_unread(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(guest_sends(e, p.c, MUCH));
	AWAIT(e, host_poll(p.fd, POLLIN));
	CHECK_PASS(vsock_env_end(e, &p));
	return vsock_env_verify(e);
}

struct lingering {
	int fd;
	atomic_bool done;
};

static void *close_slowly(void *arg)
{
	struct lingering *l = arg;

	close(l->fd);
	l->done = true;
	return NULL;
}

/* With SO_LINGER close() doesn't come back before the guest has all there is for it. */
static int shut_linger(void *ctx)
{
	const struct linger l = { .l_onoff = 1, .l_linger = VSOCK_HANG_LIMIT_MS / 1000 };
	struct vsock_env *e = ctx;
	struct lingering closing = { };
	struct vsock_pair p;
	pthread_t thread;

	/* Less than that is in the buffers that it has posted already. */
	CHECK_PASS(vsock_env_restart_with(e, 8, MUCH / 16));
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_EQ(setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	e->g.deaf = true;
	CHECK_PASS(host_sends(p.fd, MUCH));
	closing.fd = p.fd;
	CHECK_EQ(pthread_create(&thread, NULL, close_slowly, &closing), 0);
	CHECK_PASS(vsock_env_idle(e, 50));
	CHECK(!closing.done, "nobody has waited");
	e->g.deaf = false;
	AWAIT(e, closing.done);
	pthread_join(thread, NULL);
	return guest_reads_to_end(e, p.c, MUCH);
}

/*
 * The guest has closed, and has another connection by the same ports, before the host's program
 * has read what the first one brought: nothing that it does there is of the second one.
 */
static int shut_ports_again(void *ctx)
{
	static uint8_t buf[MUCH];
	struct vsock_env *e = ctx;
	struct vsock_pair old, p;
	uint32_t port;

	NEED_OURS(e, "other kernels go on sending by ports that may be another's");
	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &old));
	CHECK_PASS(guest_sends(e, old.c, MUCH));
	AWAIT(e, host_recv(old.fd, buf, MUCH, MSG_PEEK) == MUCH);
	vsock_conn_shutdown(old.c, RCV | SEND);
	AWAIT(e, old.c->state == VSOCK_RESET);
	port = old.c->port;
	vsock_conn_free(old.c);
	e->g.next_port = port;
	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_EQ(p.c->port, port);
	CHECK_PASS(host_reads_to_end(e, old.fd, MUCH));
	host_poll(old.fd, POLLIN | POLLOUT);
	shutdown(old.fd, SHUT_RDWR);
	close(old.fd);
	CHECK_PASS(vsock_env_idle(e, 20));
	CHECK_EQ(p.c->state, VSOCK_OPEN);
	CHECK_EQ(p.c->shut_host, 0);
	CHECK_EQ(p.c->updates_in, 0);
	CHECK_EQ(p.c->peer_fwd, 0);
	CHECK_PASS(vsock_load_pair(e, &p, 10000, MUCH, MUCH));
	return vsock_env_end(e, &p);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(shut_write),
	KTAP_TEST(shut_read),
	KTAP_TEST(shut_both),
	KTAP_TEST(shut_halves),
	KTAP_TEST(shut_guest_write),
	KTAP_TEST(shut_guest_read),
	KTAP_TEST(shut_guest_both),
	KTAP_TEST(shut_guest_reset),
	KTAP_TEST(shut_full),
	KTAP_TEST(shut_close),
	KTAP_TEST(shut_unread),
	KTAP_TEST(shut_linger),
	KTAP_TEST(shut_ports_again),
};

const struct ktap_suite vsock_io_shut_suite = {
	.name = "ends",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
