// SPDX-License-Identifier: GPL-2.0-only
/* Devices that are closed, or killed with their VMM: the host's sockets learn of it. */
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc.h"
#include "vsock_diag.h"
#include "vsock_life.h"

#define LANES	4u
#define ENDLESS	0x10000000000ull
#define PIECE	30000u

/* Whether that is how a connection ends whose guest has gone. */
static bool is_end(const struct vsock_env *e, int err)
{
	/* Who sends while it goes may find that there is no such guest. */
	if (err == -ENODEV)
		return e->peer;
	return !err || err == -ECONNRESET || err == -EPIPE;
}

static int pairs(struct vsock_env *e, struct vsock_pair *p)
{
	bool messages = e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET);
	unsigned int i;

	for (i = 0; i < LANES; i++) {
		uint16_t type = messages && i >= LANES / 2 ? SEQPACKET : STREAM;

		if (i % 2)
			CHECK_PASS(vsock_env_accept(e, type, GUEST_ALLOC, &p[i]));
		else
			CHECK_PASS(vsock_env_connect(e, type, GUEST_ALLOC, &p[i]));
	}
	return 0;
}

/* It says that it was reset, or that it has ended, to each who asks. */
static int expect_reset(int fd)
{
	uint8_t buf[16];
	int err;

	AWAIT_HOST(host_poll(fd, POLLIN | POLLERR | POLLHUP));
	err = host_error(fd);
	CHECK(err == -ECONNRESET, "the socket says %s", strerror(-err));
	CHECK(host_recv(fd, buf, sizeof(buf), 0) <= 0, "there is something to read");
	CHECK(host_send(fd, "x", 1, 0) < 0, "something can be sent");
	return 0;
}

/* Idle connections. */
static int end_idle(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p[LANES];
	unsigned int i;

	CHECK_PASS(pairs(e, p));
	vsock_guest_close(&e->g);
	for (i = 0; i < LANES; i++) {
		CHECK_PASS(expect_reset(p[i].fd));
		close(p[i].fd);
	}
	AWAIT_HOST(!vsock_diag_count(e->opts.dev.cid));
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

/* What had come before is there to be read. */
static int end_unread(void *ctx)
{
	static uint8_t buf[1000];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	ssize_t n;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	pattern_bytes_fill(buf, sizeof(buf), 0, e->seed);
	CHECK_EQ(vsock_conn_send(p.c, buf, sizeof(buf), 0), sizeof(buf));
	AWAIT(e, host_recv(p.fd, buf, sizeof(buf), MSG_PEEK) == sizeof(buf));
	vsock_guest_close(&e->g);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(host_recv(p.fd, buf, sizeof(buf), 0), sizeof(buf));
	CHECK_EQ(pattern_bytes_check(buf, sizeof(buf), 0, e->seed), -1);
	n = host_recv(p.fd, buf, sizeof(buf), 0);
	CHECK(n == -ECONNRESET || (e->peer && !n), "%zd", n);
	close(p.fd);
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

struct blocked {
	int fd;
	bool sends;
	ssize_t n;
	int err;
	pthread_t thread;
};

static void *block(void *arg)
{
	static const uint8_t much[2 * GUEST_ALLOC];
	struct blocked *b = arg;
	uint8_t byte;

	b->n = b->sends ? send(b->fd, much, sizeof(much), MSG_NOSIGNAL) : recv(b->fd, &byte, 1, 0);
	b->err = errno;
	return NULL;
}

/* Those who wait in a call come back. */
static int end_blocked(void *ctx)
{
	struct vsock_env *e = ctx;
	struct blocked b[2] = { };
	struct vsock_pair p;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
		b[i].fd = p.fd;
		b[i].sends = i;
		host_set_timeouts(p.fd, 10 * VSOCK_HANG_LIMIT_MS);
		CHECK_EQ(pthread_create(&b[i].thread, NULL, block, &b[i]), 0);
	}
	/* The sender has sent what there is room for, and waits. */
	AWAIT(e, p.c->received == GUEST_ALLOC);
	vsock_guest_close(&e->g);
	for (i = 0; i < 2; i++) {
		pthread_join(b[i].thread, NULL);
		CHECK(b[i].sends ? b[i].n == GUEST_ALLOC || b[i].err == ECONNRESET :
		      b[i].n < 0 && b[i].err == ECONNRESET, "%zd, %s", b[i].n, strerror(b[i].err));
		close(b[i].fd);
	}
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

/* Asked for, and not yet answered. */
static int end_connecting(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_socket(STREAM), res;

	CHECK_OK(fd);
	e->g.silent = true;
	CHECK_OK(host_set_connect_timeout(fd, 1000));
	host_set_nonblock(fd, true);
	CHECK_EQ(host_connect_socket(fd, e->opts.dev.cid, GUEST_PORT), -EINPROGRESS);
	AWAIT(e, e->g.in[VIRTIO_VSOCK_OP_REQUEST]);
	vsock_guest_close(&e->g);
	AWAIT_HOST((res = host_connected(fd)));
	CHECK(res == -ECONNRESET || res == -ETIMEDOUT, "%s", strerror(-res));
	close(fd);
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

static int close_unanswered(struct vsock_env *e, struct vsock_pair *p)
{
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, p));
	e->g.silent = true;
	close(p->fd);
	AWAIT(e, p->c->shut_host == VSOCK_SHUT_BOTH);
	return 0;
}

/*
 * Closed by the host, and the guest doesn't answer: the host gives up by itself, and says so. Or
 * the guest is gone before.
 */
static int end_unanswered(void *ctx)
{
	struct vsock_env *e = ctx;
	static struct vsock_env other;
	struct vsock_pair p, q;

	CHECK_PASS(vsock_env_neighbour(e, &other, e->opts.dev.cid + 1));
	CHECK_PASS(close_unanswered(e, &p));
	CHECK_PASS(close_unanswered(&other, &q));
	CHECK_PASS(vsock_env_close(&other));
	AWAIT(e, p.c->state == VSOCK_RESET);
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid + 1));
	e->g.silent = false;
	return vsock_env_verify(e);
}

/*
 * The next guest has the ports of one whose connections the host had closed, and that never
 * answered.
 */
static int end_same_ports(void *ctx)
{
	struct vsock_env *e = ctx;
	uint32_t port = e->g.next_port;
	unsigned int i;
	struct vsock_pair p;

	NEED_OURS(e, "it holds for seconds what it has closed");
	for (i = 0; i < e->rounds; i++) {
		e->g.next_port = port;
		CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
		e->g.silent = true;
		close(p.fd);
		AWAIT(e, p.c->shut_host == VSOCK_SHUT_BOTH);
		vsock_guest_close(&e->g);
		CHECK_PASS(vsock_env_start(e));
	}
	return vsock_env_verify(e);
}

static void end_loads(struct vsock_load *l)
{
	unsigned int i;

	for (i = 0; i < l->h.count; i++)
		close(l->h.ends[i].fd);
	vsock_load_destroy(l);
}

static int add_endless(struct vsock_env *e, struct vsock_load *l)
{
	struct vsock_pair p[LANES];
	unsigned int i;

	CHECK_PASS(vsock_load_init(l, e, LANES));
	l->h.lossy = true;
	l->g.lossy = true;
	CHECK_PASS(pairs(e, p));
	for (i = 0; i < LANES; i++)
		CHECK_PASS(vsock_load_add(l, &p[i], PIECE, ENDLESS, ENDLESS));
	return host_ends_start(&l->h);
}

/* Everybody sends and receives when the device is closed. */
static int end_busy(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_load l;
	unsigned int i, k;
	uint64_t until;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(add_endless(e, &l));
		for (until = 50 + i * 30; l.g.moved + l.h.moved < until;) {
			CHECK_PASS(guest_ends_turn(&l.g));
			CHECK_PASS(vsock_env_turn(e, 1));
		}
		CHECK(!*e->g.wrong, "%s", e->g.wrong);
		vsock_guest_close(&e->g);
		AWAIT_HOST(l.h.done);
		CHECK_PASS(host_ends_stop(&l.h));
		for (k = 0; k < LANES; k++)
			CHECK(is_end(e, l.h.ends[k].err), "connection %u: %s", k,
			      strerror(-l.h.ends[k].err));
		end_loads(&l);
		AWAIT_HOST(!vsock_diag_count(e->opts.dev.cid));
		CHECK_PASS(vsock_env_start(e));
	}
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(end_idle),
	KTAP_TEST(end_unread),
	KTAP_TEST(end_blocked),
	KTAP_TEST(end_connecting),
	KTAP_TEST(end_unanswered),
	KTAP_TEST(end_same_ports),
	KTAP_TEST(end_busy),
};

const struct ktap_suite vsock_life_end_suite = {
	.name = "devices that end",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};

/* In a process of its own: a guest that answers everybody, and sends and receives for ever. */
static int victim(struct env *none, void *arg)
{
	static struct guest_ends g = { .lossy = true };
	static struct guest_end ends[LANES];
	struct vsock_env *e = arg;
	struct flow_opts opts = { .max = PIECE, .out = ENDLESS, .in = ENDLESS };
	struct vsock_listener *l;

	(void)none;
	CHECK_PASS(vsock_env_start(e));
	l = vsock_guest_listen(&e->g, STREAM, GUEST_PORT, GUEST_ALLOC);
	g.ends = ends;
	g.buf = malloc(MIB);
	for (;;) {
		struct vsock_conn *c = vsock_accept(l);

		if (c && g.count < LANES) {
			opts.id = 900;
			ends[g.count].c = c;
			CHECK_OK(flow_init(&ends[g.count++].f, &opts));
		}
		CHECK_PASS(guest_ends_turn(&g));
		CHECK_PASS(vsock_env_turn(e, 1));
	}
}

/* The VMM may not be there yet. */
static int await_connection(uint32_t cid, int *fd)
{
	int res = 0;

	AWAIT_HOST((*fd = host_connect(STREAM, cid, GUEST_PORT)) != -ENODEV &&
		   *fd != -EHOSTUNREACH);
	CHECK_OK(*fd);
	AWAIT_HOST((res = host_connected(*fd)));
	CHECK_EQ(res, 1);
	host_set_nonblock(*fd, false);
	return 0;
}

static int kill_once(struct vsock_env *e, unsigned long until)
{
	static struct host_end ends[LANES];
	struct host_ends h = { .ends = ends, .count = LANES, .lossy = true };
	struct flow_opts opts = {
		.id = 900, .of_host = true, .max = PIECE, .out = ENDLESS, .in = ENDLESS,
	};
	pid_t pid = proc_run(victim, NULL, e);
	unsigned int i;

	CHECK(pid > 0, "no process");
	for (i = 0; i < LANES; i++) {
		ends[i] = (struct host_end){ };
		CHECK_PASS(await_connection(e->opts.dev.cid, &ends[i].fd));
		CHECK_OK(flow_init(&ends[i].f, &opts));
	}
	CHECK_PASS(host_ends_start(&h));
	AWAIT_HOST(h.moved >= until);
	CHECK(proc_kill(pid), "it does not die");
	AWAIT_HOST(h.done);
	CHECK_PASS(host_ends_stop(&h));
	for (i = 0; i < LANES; i++) {
		CHECK(is_end(e, ends[i].err), "connection %u: %s", i, strerror(-ends[i].err));
		close(ends[i].fd);
		flow_destroy(&ends[i].f);
	}
	AWAIT_HOST(!vsock_diag_count(e->opts.dev.cid));
	return 0;
}

/* Killed at any moment it is gone, and its peers know; the next one has its CID. */
static int end_killed(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int i;

	CHECK_PASS(vsock_env_setup(e));
	CHECK_PASS(vsock_env_close(e));
	for (i = 0; i < e->rounds; i++)
		CHECK_PASS(kill_once(e, 1 + i * 40));
	CHECK_PASS(vsock_env_start(e));
	CHECK_PASS(vsock_env_verify(e));
	return vsock_env_close(e);
}

static const struct ktap_test kill_tests[] = {
	KTAP_TEST(end_killed),
};

const struct ktap_suite vsock_life_kill_suite = {
	.name = "VMMs that are killed",
	.tests = kill_tests,
	.count = sizeof(kill_tests) / sizeof(*kill_tests),
	.limit = 240,
};
