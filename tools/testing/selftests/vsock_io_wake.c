// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who sleeps until something happens to a socket is woken by it: by each thing that a guest can
 * do, whichever way he sleeps. Nobody looks in between.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "vsock_io.h"

#define ROOM	10000u
/* So that who is to sleep does. */
#define ASLEEP_MS	30

struct sleeper {
	int fd;
	short events;
	int (*wait)(struct sleeper *s);
	int res;	/* what there is, or a negative errno */
	atomic_bool up;
	pthread_t thread;
};

static int wait_poll(struct sleeper *s)
{
	struct pollfd p = { .fd = s->fd, .events = s->events };

	return poll(&p, 1, -1) < 0 ? -errno : p.revents;
}

static int wait_epoll_as(struct sleeper *s, uint32_t how)
{
	struct epoll_event ev = { .events = s->events | how };
	int fd = epoll_create1(0), res;

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, s->fd, &ev))
		return -errno;
	res = epoll_wait(fd, &ev, 1, -1) < 0 ? -errno : (int)ev.events;
	close(fd);
	return res;
}

static int wait_epoll(struct sleeper *s)
{
	return wait_epoll_as(s, 0);
}

static int wait_edge(struct sleeper *s)
{
	return wait_epoll_as(s, EPOLLET);
}

static int (*const waits[])(struct sleeper *s) = { wait_poll, wait_epoll, wait_edge };

static void *sleeps(void *arg)
{
	struct sleeper *s = arg;

	s->res = s->wait(s);
	s->up = true;
	return NULL;
}

static int fall_asleep(struct vsock_env *e, struct sleeper *s)
{
	s->up = false;
	CHECK_EQ(pthread_create(&s->thread, NULL, sleeps, s), 0);
	CHECK_PASS(vsock_env_idle(e, ASLEEP_MS));
	CHECK(!s->up, "it does not sleep: %x", s->res);
	return 0;
}

static int woken(struct vsock_env *e, struct sleeper *s)
{
	AWAIT(e, s->up);
	CHECK_EQ(pthread_join(s->thread, NULL), 0);
	return 0;
}

static int by_data(struct vsock_env *e, struct vsock_pair *p)
{
	CHECK_EQ(vsock_conn_send(p->c, "x", 1, 0), 1);
	return vsock_env_turn(e, 0);
}

static int by_credit(struct vsock_env *e, struct vsock_pair *p)
{
	vsock_conn_set_alloc(p->c, 2 * ROOM);
	return vsock_env_turn(e, 0);
}

static int by_half(struct vsock_env *e, struct vsock_pair *p)
{
	vsock_conn_shutdown(p->c, VIRTIO_VSOCK_SHUTDOWN_SEND);
	return vsock_env_turn(e, 0);
}

static int by_both(struct vsock_env *e, struct vsock_pair *p)
{
	vsock_conn_shutdown(p->c, VSOCK_SHUT_BOTH);
	return vsock_env_turn(e, 0);
}

static int by_reset(struct vsock_env *e, struct vsock_pair *p)
{
	vsock_conn_reset(p->c);
	return vsock_env_turn(e, 0);
}

static int by_another_driver(struct vsock_env *e, struct vsock_pair *p)
{
	(void)p;
	CHECK_OK(vsock_guest_restart(&e->g));
	return 0;
}

static const struct {
	const char *what;
	int (*act)(struct vsock_env *e, struct vsock_pair *p);
	short events;
	short want;
	bool full;	/* as much as there is room for was sent before */
} things[] = {
	{ "data", by_data, POLLIN, POLLIN, false },
	{ "credit", by_credit, POLLOUT, POLLOUT, true },
	{ "the end of what comes", by_half, POLLIN | POLLRDHUP, POLLRDHUP, false },
	{ "the end of both halves", by_both, POLLIN | POLLRDHUP, POLLIN | POLLRDHUP, false },
	{ "the end, for a sender", by_both, POLLOUT, POLLOUT, true },
	{ "a reset", by_reset, POLLIN, POLLIN, false },
	{ "another driver", by_another_driver, POLLIN, POLLERR, false },
};

#define NR_THINGS	(sizeof(things) / sizeof(*things))

static int one_thing(struct vsock_env *e, unsigned int i, int (*wait)(struct sleeper *s))
{
	struct sleeper s = { .events = things[i].events, .wait = wait };
	struct vsock_pair p;
	uint32_t sent;

	CHECK_PASS(vsock_env_accept(e, STREAM, ROOM, &p));
	p.c->by_hand = true;
	s.fd = p.fd;
	if (things[i].full) {
		CHECK_PASS(io_fill(&p, 2 * ROOM, &sent));
		AWAIT(e, p.c->received == sent);
	}
	/* What is there already is no news to who waits for edges. */
	CHECK(!host_poll(p.fd, things[i].events), "%s: it is there already", things[i].what);
	CHECK_PASS(fall_asleep(e, &s));
	CHECK_PASS(things[i].act(e, &p));
	CHECK_PASS(woken(e, &s));
	CHECK(s.res >= 0 && (s.res & things[i].want) == things[i].want,
	      "%s: %x, not %x", things[i].what, s.res, things[i].want);
	close(p.fd);
	return 0;
}

static int wake_things(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int i, k;

	for (i = 0; i < NR_THINGS; i++)
		for (k = 0; k < sizeof(waits) / sizeof(*waits); k++)
			CHECK_PASS(one_thing(e, i, waits[k]));
	return 0;
}

static int wait_accept(struct sleeper *s)
{
	int fd = accept(s->fd, NULL, NULL);

	return fd < 0 ? -errno : fd;
}

/* Who waits for somebody to connect. */
static int wake_accept(void *ctx)
{
	struct vsock_env *e = ctx;
	struct sleeper s = { .events = POLLIN };
	struct vsock_conn *c;
	unsigned int k;
	int fd;

	for (k = 0; k <= sizeof(waits) / sizeof(*waits); k++) {
		s.wait = k ? waits[k - 1] : wait_accept;
		s.fd = host_listen(STREAM, HOST_PORT, 1);
		CHECK_OK(s.fd);
		host_set_nonblock(s.fd, false);
		CHECK_PASS(fall_asleep(e, &s));
		c = vsock_connect(&e->g, STREAM, HOST_PORT, ROOM);
		CHECK_PASS(woken(e, &s));
		CHECK_OK(s.res);
		fd = k ? host_accept(s.fd) : s.res;
		CHECK_OK(fd);
		AWAIT(e, c->state == VSOCK_OPEN);
		close(fd);
		close(s.fd);
	}
	return 0;
}

static int wait_recv(struct sleeper *s)
{
	char byte;
	ssize_t n = recv(s->fd, &byte, 1, 0);

	return n < 0 ? -errno : (int)n;
}

static int wait_send(struct sleeper *s)
{
	static const uint8_t data[ROOM];
	ssize_t n = send(s->fd, data, sizeof(data), MSG_NOSIGNAL);

	return n < 0 ? -errno : (int)n;
}

static void nothing(int sig)
{
	(void)sig;
}

/* A signal ends the wait, and nothing else. */
static int wake_signal(void *ctx)
{
	static int (*const calls[])(struct sleeper *s) = { wait_recv, wait_send };
	const struct sigaction act = { .sa_handler = nothing };
	struct vsock_env *e = ctx;
	struct sleeper s = { };
	uint8_t room[ROOM];
	struct vsock_pair p;
	unsigned int k;
	uint32_t sent;

	CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	for (k = 0; k < 2; k++) {
		CHECK_PASS(vsock_env_connect(e, STREAM, ROOM, &p));
		p.c->by_hand = true;
		CHECK_PASS(io_fill(&p, 2 * ROOM, &sent));
		CHECK_EQ(sent, ROOM);
		host_set_nonblock(p.fd, false);
		host_set_timeouts(p.fd, 10 * VSOCK_HANG_LIMIT_MS);
		s.fd = p.fd;
		s.wait = calls[k];
		CHECK_PASS(fall_asleep(e, &s));
		CHECK_EQ(pthread_kill(s.thread, SIGUSR1), 0);
		CHECK_PASS(woken(e, &s));
		CHECK_EQ(s.res, -EINTR);
		AWAIT(e, p.c->received == ROOM);
		CHECK_EQ(vsock_conn_recv(p.c, room, ROOM, NULL), ROOM);
		p.c->by_hand = false;
		vsock_conn_tell(p.c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
		CHECK_PASS(vsock_load_pair(e, &p, ROOM, 10 * ROOM, 10 * ROOM));
		CHECK_PASS(vsock_env_end(e, &p));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(wake_things),
	KTAP_TEST(wake_accept),
	KTAP_TEST(wake_signal),
};

const struct ktap_suite vsock_io_wake_suite = {
	.name = "wake",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
