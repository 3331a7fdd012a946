// SPDX-License-Identifier: GPL-2.0-only
/* A device that hands over to another one under traffic: no frame is lost, and none comes twice. */
#include <unistd.h>

#include "net_life.h"

static int moved(struct net_env *e, struct net_load *l, unsigned int moves)
{
	unsigned int i;
	int res = 0;

	CHECK_PASS(net_load_start(l));
	for (i = 0; i < moves && !res; i++) {
		res = net_load_await(l, prng_range(&l->prng, 0, LIFE_FRAMES));
		if (!res)
			res = net_move(&e->n);
	}
	CHECK_PASS(net_load_stop(l));
	CHECK_OK(res);
	ktap_diag("%u moves, %lu frames", moves, (unsigned long)l->frames);
	return net_env_verify(e);
}

static int move_busy(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;

	net_load_init(&l, e);
	return moved(e, &l, e->rounds * 4);
}

/* Chains of any kind, and frames that lie in several buffers: all of one frame, or none. */
static int move_merged(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;

	e->rx.shape = SHAPE_ANY;
	e->tx.shape = SHAPE_ANY;
	if (e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF))
		e->rx.min = 200;
	if (e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF))
		e->rx.max = 900;
	net_load_init(&l, e);
	return moved(e, &l, e->rounds * 2);
}

/* Short of buffers all the time. */
static int move_starved(void *ctx)
{
	struct net_env *e = ctx;
	uint16_t num = e->opts.num;
	struct net_load l;
	int res;

	CHECK_PASS(net_env_close(e));
	e->opts.num = 4;
	res = net_env_start(e);
	e->opts.num = num;
	CHECK_PASS(res);
	net_load_init(&l, e);
	return moved(e, &l, e->rounds * 2);
}

/* Said without anything going on, the base is where the ring is. */
static int move_idle(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int q, i, base;

	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(net_env_verify(e));
		for (q = 0; q < NET_QUEUES; q++) {
			const struct ring *r = &e->n.rings[q];

			CHECK_OK(net_attach(&e->n, q, -1));
			CHECK_OK(vhost_get_vring_base(&e->n.v, q, &base));
			/* There are buffers that it has not used; nothing is left to be sent. */
			CHECK_EQ(base, ring_device_base(r));
			CHECK_OK(net_attach(&e->n, q, e->w.backend));
		}
		CHECK_OK(net_move(&e->n));
	}
	return net_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(move_busy),
	KTAP_TEST(move_merged),
	KTAP_TEST(move_starved),
	KTAP_TEST(move_idle),
};

const struct ktap_suite net_life_move_suite = {
	.name = "devices that hand over",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = net_env_start,
	.teardown = net_env_close,
};
