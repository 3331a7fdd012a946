// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers that change while their queues run: a kick or a frame that gets lost on the way is
 * traffic that stops for good.
 */
#include <unistd.h>

#include "net_life.h"

#define WORKERS	3u

static int move_one(struct net_env *e, struct prng *prng, unsigned int *ids)
{
	unsigned int i = prng_range(prng, 0, WORKERS - 1), now;
	unsigned int q = prng_range(prng, 0, NET_QUEUES - 1);
	int err;

	CHECK_OK(vhost_attach_worker(&e->n.v, q, ids[i]));
	CHECK_OK(vhost_get_worker(&e->n.v, q, &now));
	CHECK_EQ(now, ids[i]);
	i = prng_range(prng, 0, WORKERS - 1);
	err = vhost_free_worker(&e->n.v, ids[i]);
	if (err != -EBUSY) {
		CHECK_OK(err);
		CHECK_OK(vhost_new_worker(&e->n.v, &ids[i]));
	}
	return 0;
}

static int under_load(struct net_env *e, unsigned int rounds)
{
	unsigned int ids[WORKERS], i;
	struct prng prng = { e->seed };
	struct net_load l;
	int res = 0;

	for (i = 0; i < WORKERS; i++)
		CHECK_OK(vhost_new_worker(&e->n.v, &ids[i]));
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < rounds && !res; i++) {
		res = move_one(e, &prng, ids);
		if (!res)
			res = net_load_await(&l, prng_range(&prng, 0, 20));
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_PASS(res);
	ktap_diag("%u changes, %lu frames", rounds, (unsigned long)l.frames);
	return net_env_verify(e);
}

static int worker_moved(void *ctx)
{
	struct net_env *e = ctx;

	NEED_OURS(e);
	return under_load(e, e->rounds * 10);
}

static int worker_moved_polling(void *ctx)
{
	struct net_env *e = ctx;

	NEED_OURS(e);
	CHECK_OK(vhost_set_busyloop(&e->n.v, NET_RX, 500));
	CHECK_OK(vhost_set_busyloop(&e->n.v, NET_TX, 100));
	return under_load(e, e->rounds * 5);
}

/* An owner that looks at its rings all the time still answers, and is told all. */
static int worker_polling(void *ctx)
{
	static const unsigned int us[][2] = { { 50, 0 }, { 0, 50 }, { 2000, 2000 }, { 0, 0 } };
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;
	int res = 0;

	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds * 2 && !res; i++) {
		res = vhost_set_busyloop(&e->n.v, NET_RX, us[i % 4][0]);
		if (!res)
			res = vhost_set_busyloop(&e->n.v, NET_TX, us[i % 4][1]);
		if (!res)
			res = net_load_await(&l, LIFE_FRAMES);
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_OK(res);
	return net_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(worker_moved),
	KTAP_TEST(worker_moved_polling),
	KTAP_TEST(worker_polling),
};

const struct ktap_suite net_life_worker_suite = {
	.name = "workers that change",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = net_env_start,
	.teardown = net_env_close,
};
