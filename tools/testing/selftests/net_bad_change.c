// SPDX-License-Identifier: GPL-2.0-only
/* Memory that changes while the device looks at it: any frame may come of that, but no harm. */
#include <unistd.h>

#include "net_bad.h"

/* Frames both ways, whatever comes of them. */
static void push(struct net_env *e)
{
	uint8_t buf[ETH_USUAL];
	struct net_frame f;
	unsigned int i;

	net_rx_fill(&e->rx);
	for (i = 0; i < 16; i++) {
		eth_fill_tcp(buf, 200 + i * 80, i);
		wire_send(&e->w, buf, 200 + i * 80);
		net_tx_put(&e->tx, NULL, buf, 200 + i * 80);
	}
	net_tx_flush(&e->tx);
	for (i = 0; i < 32 && net_rx_take(&e->rx, &f); i++)
		;
	net_tx_reap(&e->tx);
	bad_drain_wire(e);
}

/* What was sent before is still there: takes it. */
static int settle(struct net_env *e)
{
	struct net_frame f;
	unsigned int quiet;

	CHECK_PASS(net_env_restart(e));
	for (quiet = 0; quiet < 50; quiet++) {
		CHECK_OK(net_rx_fill(&e->rx));
		while (net_rx_take(&e->rx, &f) > 0)
			quiet = 0;
		usleep(1000);
	}
	bad_drain_wire(e);
	return 0;
}

static int change(struct net_env *e, unsigned int targets, bool may_break)
{
	struct ring_scribbler s;
	unsigned int i, resets = 0, bad;

	CHECK_OK(net_env_scribble(e, &s, targets));
	for (i = 0; i < e->rounds * 40; i++) {
		push(e);
		bad = e->n.rings[NET_RX].lied || e->n.rings[NET_TX].lied ||
		      net_broken(&e->n, NET_RX) || net_broken(&e->n, NET_TX);
		if (!bad && i % 40)
			continue;
		resets++;
		if (net_env_restart(e))
			break;
		if (bad && !may_break)
			break;
	}
	ktap_diag("%lu strokes, %u resets", ring_scribble_stop(&s), resets);
	CHECK_EQ(i, e->rounds * 40);
	CHECK_PASS(settle(e));
	return net_env_verify_reset(e);
}

static int change_frames(void *ctx)
{
	struct net_env *e = ctx;

	/* The peer tries some frames for ever, and a reset waits for it. */
	NEED_OURS(e);
	return change(e, SCRIBBLE_BUFFERS, false);
}

static int change_descs(void *ctx)
{
	struct net_env *e = ctx;

	NEED_OURS(e);
	return change(e, SCRIBBLE_DESCS, true);
}

static int change_all(void *ctx)
{
	struct net_env *e = ctx;

	NEED_OURS(e);
	return change(e, SCRIBBLE_BUFFERS | SCRIBBLE_DESCS | SCRIBBLE_INDICES, true);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(change_frames),
	KTAP_TEST(change_descs),
	KTAP_TEST(change_all),
};

const struct ktap_suite net_bad_change_suite = {
	.name = "memory that changes",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = net_env_start,
	.teardown = net_env_close,
};
