// SPDX-License-Identifier: GPL-2.0-only
/* Sockets that are busy when their peer goes, and by then may be on their way to another one. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "pattern.h"
#include "vsock_life.h"

#define GUESTS		2u
#define NAMES		2u
#define WANDERERS	3u
#define NOBODY		777u
#define PATIENCE_MS	20u
/* Peers that sockets lose, in each round. */
#define LOSSES		10u

static struct vsock_env other;

struct guest {
	const struct vsock *s;
	uint64_t cid[NAMES];
	pthread_t thread;
	int err;
	unsigned long moves;
};

struct wanderer {
	int fd;
	struct prng prng;
	pthread_t goer, looker;
	atomic_ulong attempts, resets;
};

static struct guest guests[GUESTS];
static struct wanderer wanderers[WANDERERS];
static atomic_bool stop;

/* Whoever is connected, or about to be, loses the peer with its name. */
static void *guest_moves(void *arg)
{
	struct guest *g = arg;

	while (!stop && !g->err)
		g->err = vsock_set_cid(g->s, g->cid[++g->moves % NAMES]);
	return NULL;
}

static void *wanderer_goes(void *arg)
{
	struct wanderer *w = arg;

	while (!stop) {
		const struct guest *g = &guests[prng_range(&w->prng, 0, GUESTS - 1)];
		uint32_t cid = g->cid[prng_range(&w->prng, 0, NAMES - 1)];

		host_set_connect_timeout(w->fd, PATIENCE_MS);
		w->resets += host_connect_socket(w->fd, cid, NOBODY) == -ECONNRESET;
		w->attempts++;
	}
	return NULL;
}

/* Has the socket be busy as often as it can. */
static void *wanderer_looks(void *arg)
{
	const struct wanderer *w = arg;
	uint64_t size;
	char byte;

	while (!stop) {
		host_get_buffer(w->fd, SO_VM_SOCKETS_BUFFER_SIZE, &size);
		host_recv(w->fd, &byte, 1, 0);
		host_poll(w->fd, POLLIN | POLLOUT);
	}
	return NULL;
}

static int wanderers_start(struct vsock_env *e)
{
	unsigned int i;

	for (i = 0; i < WANDERERS; i++) {
		struct wanderer *w = &wanderers[i];

		w->prng.state = e->seed + i;
		w->attempts = 0;
		w->resets = 0;
		w->fd = host_socket(STREAM);
		CHECK_OK(w->fd);
		host_set_nonblock(w->fd, false);
		CHECK_EQ(pthread_create(&w->goer, NULL, wanderer_goes, w), 0);
		CHECK_EQ(pthread_create(&w->looker, NULL, wanderer_looks, w), 0);
	}
	return 0;
}

static int guests_start(struct vsock_env *e)
{
	const struct vsock_env *const envs[GUESTS] = { e, &other };
	unsigned int i;

	for (i = 0; i < GUESTS; i++) {
		uint64_t cid = envs[i]->opts.dev.cid;

		guests[i] = (struct guest){ .s = &envs[i]->g.s, .cid = { cid, cid + 10 } };
		CHECK_EQ(pthread_create(&guests[i].thread, NULL, guest_moves, &guests[i]), 0);
	}
	return 0;
}

static unsigned long all_resets(void)
{
	unsigned long n = 0;
	unsigned int i;

	for (i = 0; i < WANDERERS; i++)
		n += wanderers[i].resets;
	return n;
}

static int all_end(void)
{
	unsigned long attempts = 0;
	unsigned int i;

	stop = true;
	for (i = 0; i < GUESTS; i++) {
		pthread_join(guests[i].thread, NULL);
		CHECK_OK(guests[i].err);
		CHECK_OK(vsock_set_cid(guests[i].s, guests[i].cid[0]));
	}
	for (i = 0; i < WANDERERS; i++) {
		pthread_join(wanderers[i].goer, NULL);
		pthread_join(wanderers[i].looker, NULL);
		close(wanderers[i].fd);
		attempts += wanderers[i].attempts;
	}
	ktap_diag("%lu attempts, %lu reset, names changed %lu and %lu times", attempts,
		  all_resets(), guests[0].moves, guests[1].moves);
	return 0;
}

static int links_by_turns(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_neighbour(e, &other, e->opts.dev.cid + 1));
	e->hostile = true;
	other.hostile = true;
	stop = false;
	CHECK_PASS(guests_start(e));
	CHECK_PASS(wanderers_start(e));
	AWAIT_HOST(all_resets() >= LOSSES * e->rounds);
	CHECK_PASS(all_end());
	CHECK_PASS(vsock_env_verify(&other));
	CHECK_PASS(vsock_env_close(&other));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(links_by_turns),
};

const struct ktap_suite vsock_life_links_suite = {
	.name = "peers that go by turns",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
