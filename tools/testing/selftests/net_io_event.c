// SPDX-License-Identifier: GPL-2.0-only
/* Calls: none too few, and none where the driver asked for none. */
#include <poll.h>
#include <unistd.h>

#include "net_io.h"

#define BURST	8u

/* Shows the device so many frames, or has it receive them. */
static int burst(struct net_env *e, unsigned int q, unsigned int n)
{
	uint8_t buf[ETH_USUAL];
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (q == NET_RX) {
			eth_fill(buf, 100, ETH_TO_GUEST, e->nr_in++);
			CHECK_OK(wire_send(&e->w, buf, 100));
		} else {
			eth_fill(buf, 100, ETH_FROM_GUEST, e->nr_out++);
			CHECK_OK(net_tx_put(&e->tx, NULL, buf, 100));
		}
	}
	if (q == NET_TX)
		net_tx_flush(&e->tx);
	return 0;
}

/* By looking at the ring alone. */
static int await_used(struct net_env *e, unsigned int q, unsigned int n)
{
	unsigned int ms;

	for (ms = 0; ring_pending(&e->n.rings[q]) < n; ms++) {
		CHECK(ms < NET_HANG_LIMIT_MS, "%u of %u used", ring_pending(&e->n.rings[q]), n);
		usleep(1000);
	}
	return 0;
}

static int collect(struct net_env *e, unsigned int q)
{
	struct net_frame f;
	int n = 0;

	if (q == NET_TX) {
		CHECK_OK(net_tx_reap(&e->tx));
		return 0;
	}
	while ((n = net_rx_take(&e->rx, &f)) > 0)
		CHECK(eth_check(f.data, f.len, ETH_TO_GUEST) >= 0, "a wrong frame");
	CHECK_EQ(n, 0);
	return 0;
}

static int await_call(struct net_env *e, unsigned int q, uint64_t *calls)
{
	unsigned int ms;

	*calls = ring_take_calls(&e->n.rings[q]);
	for (ms = 0; !*calls && ms < NET_HANG_LIMIT_MS; ms++) {
		usleep(1000);
		*calls = ring_take_calls(&e->n.rings[q]);
	}
	CHECK(*calls, "queue %u: no call came", q);
	return 0;
}

/* A last frame with a call: once it has come, no earlier one can still be on its way. */
static int calls_after_one_more(struct net_env *e, unsigned int q, uint64_t *calls)
{
	ring_arm_call(&e->n.rings[q], 1);
	CHECK_PASS(burst(e, q, 1));
	CHECK_PASS(await_used(e, q, 1));
	CHECK_PASS(await_call(e, q, calls));
	return collect(e, q);
}

/* A device may make its very first call unasked; then all is taken of what came before. */
static int settle(struct net_env *e, unsigned int q)
{
	uint64_t calls;

	if (q == NET_RX)
		CHECK_OK(net_rx_fill(&e->rx));
	CHECK_PASS(calls_after_one_more(e, q, &calls));
	return calls_after_one_more(e, q, &calls);
}

static int suppressed(struct net_env *e, unsigned int q)
{
	uint64_t calls;

	CHECK_PASS(settle(e, q));
	ring_suppress_calls(&e->n.rings[q]);
	CHECK_PASS(burst(e, q, BURST));
	CHECK_PASS(await_used(e, q, BURST));
	CHECK_PASS(collect(e, q));
	CHECK_PASS(calls_after_one_more(e, q, &calls));
	CHECK_EQ(calls, 1);
	return 0;
}

static int event_suppressed_rx(void *ctx)
{
	return suppressed(ctx, NET_RX);
}

static int event_suppressed_tx(void *ctx)
{
	return suppressed(ctx, NET_TX);
}

/* A call when the index passes the one that the driver named, and no earlier. */
static int event_threshold(void *ctx)
{
	struct net_env *e = ctx;
	struct ring *r = &e->n.rings[NET_RX];
	uint64_t calls;

	if (!r->event_idx)
		SKIP("there is no event index");
	CHECK_PASS(settle(e, NET_RX));
	ring_arm_call(r, BURST);
	CHECK_PASS(burst(e, NET_RX, BURST - 1));
	CHECK_PASS(await_used(e, NET_RX, BURST - 1));
	usleep(20000);
	CHECK_EQ(ring_take_calls(r), 0);
	CHECK_PASS(burst(e, NET_RX, 1));
	CHECK_PASS(await_used(e, NET_RX, BURST));
	CHECK_PASS(await_call(e, NET_RX, &calls));
	CHECK_EQ(calls, 1);
	return collect(e, NET_RX);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(event_suppressed_rx),
	KTAP_TEST(event_suppressed_tx),
	KTAP_TEST(event_threshold),
};

const struct ktap_suite net_io_event_suite = {
	.name = "calls",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = net_env_start,
	.teardown = net_env_close,
};

/* Asked for none, the device makes one nonetheless when it has used all that there was. */
static int event_on_empty(void *ctx)
{
	const uint64_t on_empty = BIT(VIRTIO_F_NOTIFY_ON_EMPTY);
	struct net_env *e = ctx;
	uint64_t calls;

	if (e->opts.with & BIT(VIRTIO_F_RING_PACKED))
		SKIP("for split rings");
	CHECK_PASS(net_env_start_as(e, on_empty, BIT(VIRTIO_RING_F_EVENT_IDX), false));
	CHECK_OK(net_rx_post(&e->rx, 3 + BURST));
	ring_suppress_calls(&e->n.rings[NET_RX]);
	CHECK_PASS(burst(e, NET_RX, BURST));
	CHECK_PASS(await_used(e, NET_RX, BURST));
	usleep(20000);
	CHECK_EQ(ring_take_calls(&e->n.rings[NET_RX]), 0);
	CHECK_PASS(burst(e, NET_RX, 3));
	CHECK_PASS(await_used(e, NET_RX, BURST + 3));
	CHECK_PASS(await_call(e, NET_RX, &calls));
	CHECK_PASS(collect(e, NET_RX));

	ring_suppress_calls(&e->n.rings[NET_TX]);
	CHECK_PASS(burst(e, NET_TX, BURST));
	CHECK_PASS(await_used(e, NET_TX, BURST));
	CHECK_PASS(await_call(e, NET_TX, &calls));
	return collect(e, NET_TX);
}

static const struct ktap_test empty_tests[] = {
	KTAP_TEST(event_on_empty),
};

const struct ktap_suite net_io_empty_suite = {
	.name = "calls for empty rings",
	.tests = empty_tests,
	.count = sizeof(empty_tests) / sizeof(*empty_tests),
	.limit = 120,
	.teardown = net_env_close,
};
