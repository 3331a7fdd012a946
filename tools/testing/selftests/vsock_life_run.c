// SPDX-License-Identifier: GPL-2.0-only
/* Devices that stop and go on, get another driver, or hand over to another device. */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "held.h"
#include "vsock_diag.h"
#include "vsock_life.h"

#define PIECE	30000u
#define BYTES	(256u * KIB)

/* Stopped and started again, a device goes on where it was; what waits meanwhile is not lost. */
static int run_pause(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	struct vsock_load l;
	unsigned int i;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(vsock_load_init(&l, e, 1));
	CHECK_PASS(vsock_load_add(&l, &p, PIECE, BYTES, BYTES));
	CHECK_PASS(host_ends_start(&l.h));
	for (i = 0; !l.h.done || !guest_ends_done(&l.g); i++) {
		CHECK_PASS(guest_ends_turn(&l.g));
		CHECK_PASS(vsock_env_turn(e, 5));
		if (i % 8 || i / 8 >= e->rounds)
			continue;
		CHECK_OK(vsock_set_running(&e->g.s, 0));
		if (i % 16)
			CHECK_PASS(vsock_env_turn(e, 5));
		CHECK_OK(vsock_set_running(&e->g.s, 1));
	}
	CHECK_PASS(host_ends_stop(&l.h));
	vsock_load_destroy(&l);
	CHECK_PASS(vsock_env_end(e, &p));
	return vsock_env_verify(e);
}

/* Sent while the device stands still, it is there when it runs. */
static int run_pause_sends(void *ctx)
{
	static uint8_t buf[PIECE];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	ssize_t n;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_OK(vsock_set_running(&e->g.s, 0));
	n = host_send(p.fd, buf, sizeof(buf), 0);
	CHECK(n == sizeof(buf) || (e->peer && n == -EHOSTUNREACH), "%zd", n);
	CHECK_PASS(vsock_env_idle(e, 20));
	CHECK_EQ(p.c->received, 0);
	CHECK_OK(vsock_set_running(&e->g.s, 1));
	if (n > 0)
		AWAIT(e, p.c->received == sizeof(buf));
	CHECK_PASS(vsock_env_end(e, &p));
	return vsock_env_verify(e);
}

/* A driver that knows of nothing comes after one with connections, of which it says that. */
static int run_other_driver(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p[2];
	unsigned int i, k;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p[0]));
		CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p[1]));
		CHECK(host_send(p[0].fd, "lost", 4, 0) == 4, "it can't be sent");
		CHECK_OK(vsock_guest_restart(&e->g));
		CHECK_PASS(vsock_env_verify(e));
		for (k = 0; k < 2; k++) {
			AWAIT(e, host_send(p[k].fd, "x", 1, 0) < 0);
			close(p[k].fd);
		}
		AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	}
	return 0;
}

/*
 * Another device takes over rings and CID, as after a migration: the old connections are at
 * their end, and the driver can make new ones.
 */
static int run_moved(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
		CHECK_PASS(vsock_load_pair(e, &p, PIECE, BYTES / 8, BYTES / 8));
		CHECK_PASS(vsock_env_idle(e, 5));
		CHECK_OK(vsock_move(&e->g.s));
		AWAIT(e, host_poll(p.fd, POLLERR));
		CHECK_EQ(host_error(p.fd), -ECONNRESET);
		close(p.fd);
		vsock_conn_free(p.c);
		CHECK_PASS(vsock_env_verify(e));
	}
	return 0;
}

/* Under traffic: each connection ends, or is whole; the rings go on. */
static int run_moved_busy(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	struct vsock_load l;
	unsigned int i, turns;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(vsock_load_init(&l, e, 1));
		CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
		CHECK_PASS(vsock_load_add(&l, &p, PIECE, 1ull << 40, 1ull << 40));
		l.h.lossy = true;
		l.g.lossy = true;
		CHECK_PASS(host_ends_start(&l.h));
		for (turns = 0; turns < 5 + i; turns++) {
			CHECK_PASS(guest_ends_turn(&l.g));
			CHECK_PASS(vsock_env_turn(e, 2));
		}
		CHECK_OK(vsock_move(&e->g.s));
		AWAIT(e, l.h.done);
		CHECK_PASS(host_ends_stop(&l.h));
		vsock_load_destroy(&l);
		close(p.fd);
		vsock_conn_free(p.c);
		CHECK_PASS(vsock_env_verify(e));
	}
	return 0;
}

/* A CID goes from one device to the next, again and again. */
static int run_cid_again(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds * 2; i++) {
		struct vsock_pair p;

		CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
		vsock_guest_close(&e->g);
		CHECK_PASS(vsock_env_start(e));
		CHECK_PASS(vsock_env_verify(e));
		CHECK(host_send(p.fd, "x", 1, 0) < 0, "the old connection is there");
		close(p.fd);
	}
	return 0;
}

struct stuck {
	int fd;
	void *arg;
	pthread_t thread;
};

static void *get_stuck(void *arg)
{
	struct stuck *s = arg;

	setsockopt(s->fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, s->arg, sizeof(uint64_t));
	return NULL;
}

/*
 * A user of the host's waits for ever for a page of his, with his socket locked. The VMM begins
 * anew, and others of the guest's sockets are told, and work, as if he was not there.
 */
static int run_beside_stuck(void *ctx)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	struct vsock_env *e = ctx;
	struct vsock_pair p[2];
	struct stuck s;
	unsigned int i;
	int uffd;

	NEED_OURS(e, "the device waits for whoever is stuck");
	for (i = 0; i < 2; i++)
		CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p[i]));
	s.fd = p[0].fd;
	s.arg = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(s.arg != MAP_FAILED, "out of memory");
	uffd = held_memory(s.arg, page);
	CHECK_OK(uffd);
	CHECK_EQ(pthread_create(&s.thread, NULL, get_stuck, &s), 0);
	CHECK_PASS(held_memory_wanted(uffd));
	CHECK_OK(vsock_guest_restart(&e->g));
	AWAIT(e, host_error(p[1].fd) == -ECONNRESET);
	CHECK_PASS(vsock_env_verify(e));
	vsock_guest_close(&e->g);
	CHECK_PASS(vsock_env_start(e));
	CHECK_PASS(vsock_env_verify(e));
	/* Who waits goes on when nobody holds the memory any more. */
	close(uffd);
	pthread_join(s.thread, NULL);
	AWAIT(e, host_error(p[0].fd) == -ECONNRESET);
	for (i = 0; i < 2; i++)
		close(p[i].fd);
	munmap(s.arg, page);
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(run_pause),
	KTAP_TEST(run_pause_sends),
	KTAP_TEST(run_other_driver),
	KTAP_TEST(run_moved),
	KTAP_TEST(run_moved_busy),
	KTAP_TEST(run_cid_again),
	KTAP_TEST(run_beside_stuck),
};

const struct ktap_suite vsock_life_run_suite = {
	.name = "devices that stop and go on",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
