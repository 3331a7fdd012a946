// SPDX-License-Identifier: GPL-2.0-only
/* Frames of all sizes, in buffers of all kinds: each byte has to arrive, once, and in order. */
#include <stdio.h>
#include <unistd.h>

#include "net_io.h"

/* For each of the rounds, as often as there are rounds. */
#define FRAMES		2000u
#define FEW		60u

static int both_ways(struct net_env *e, unsigned int frames)
{
	struct net_load l;

	net_load_init(&l, e);
	CHECK_PASS(net_env_count(e));
	CHECK_PASS(net_load_run(&l, frames));
	CHECK_PASS(net_env_check_count(e));
	CHECK(!net_broken(&e->n, NET_RX) && !net_broken(&e->n, NET_TX), "a queue is broken");
	return 0;
}

/* Buffers as most drivers make them, as many frames as the rounds want. */
static int frame_many(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int frames = e->rounds * e->rounds * FRAMES;

	CHECK_PASS(both_ways(e, frames));
	ktap_diag("%u frames each way, kicks %llu and %llu, calls %llu and %llu", frames,
		  (unsigned long long)e->n.rings[NET_RX].kicks,
		  (unsigned long long)e->n.rings[NET_TX].kicks,
		  (unsigned long long)e->n.rings[NET_RX].calls,
		  (unsigned long long)e->n.rings[NET_TX].calls);
	return 0;
}

/* Each length there is, from addresses and a type alone on. */
static int frame_lengths(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	uint32_t len;

	for (len = ETH_MIN; len <= ETH_USUAL; len++) {
		net_load_init(&l, e);
		l.min = len;
		l.max = len;
		CHECK_PASS(net_load_run(&l, 1));
	}
	return 0;
}

static int shaped(struct net_env *e, enum shape shape)
{
	e->rx.shape = shape;
	e->tx.shape = shape;
	return both_ways(e, e->rounds * FEW);
}

/* A header with a descriptor of its own. */
static int frame_split(void *ctx)
{
	return shaped(ctx, SHAPE_SPLIT);
}

/* Both in pieces of odd sizes. */
static int frame_torn(void *ctx)
{
	return shaped(ctx, SHAPE_TORN);
}

static int frame_any_shape(void *ctx)
{
	return shaped(ctx, SHAPE_ANY);
}

/* One on its way at a time: nothing is there to carry a lost kick or call along. */
static int frame_one_by_one(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;

	net_load_init(&l, e);
	l.window = 1;
	return net_load_run(&l, e->rounds * FEW);
}

/* Each way for itself. */
static int frame_one_way(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int q;

	for (q = 0; q < NET_QUEUES; q++) {
		net_load_init(&l, e);
		l.way[!q] = false;
		CHECK_PASS(net_load_run(&l, e->rounds * FEW * 4));
	}
	return 0;
}

/* A ring whose index goes around its end, and around that of 16 bits. */
static int frame_wrap(void *ctx)
{
	struct net_env *e = ctx;
	int res;

	CHECK_PASS(net_env_close(e));
	e->opts.base = 65530;
	res = net_env_start(e);
	e->opts.base = 0;
	CHECK_PASS(res);
	return both_ways(e, 600);
}

static int frame_small_ring(void *ctx)
{
	struct net_env *e = ctx;
	uint16_t num = e->opts.num;
	int res = 0;

	/* A mergeable frame needs no more than one buffer here. */
	for (e->opts.num = 1; e->opts.num <= 16 && !res; e->opts.num *= 4) {
		CHECK_PASS(net_env_close(e));
		res = net_env_start(e);
		if (!res)
			res = both_ways(e, 200);
	}
	e->opts.num = num;
	return res;
}

/* Frames of 9000 bytes. */
static int frame_jumbo(void *ctx)
{
	struct net_env *e = ctx;
	const uint32_t room = 9300;
	struct net_load l;
	int res;

	CHECK_PASS(net_env_close(e));
	e->rx_room = room;
	e->tx_room = room;
	e->wire.mtu = 9000;
	res = net_env_start(e);
	e->rx_room = NET_ROOM;
	e->tx_room = NET_ROOM;
	e->wire.mtu = 0;
	CHECK_PASS(res);
	net_load_init(&l, e);
	l.max = 9014;
	CHECK_PASS(net_load_run(&l, e->rounds * FEW));
	e->rx.shape = SHAPE_ANY;
	e->tx.shape = SHAPE_ANY;
	net_load_init(&l, e);
	l.max = 9014;
	return net_load_run(&l, e->rounds * FEW);
}

/* Buffers of any size at all, so that frames lie in several, and no frame fits one exactly. */
static int frame_merged(void *ctx)
{
	static const uint32_t sizes[][2] = { { 60, 300 }, { 129, 129 }, { 100, 1500 } };
	struct net_env *e = ctx;
	unsigned int i;

	if (!(e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		SKIP("buffers can't be merged");
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		e->rx.min = sizes[i][0];
		e->rx.max = sizes[i][1];
		CHECK_PASS(both_ways(e, e->rounds * FEW));
		/* What is posted is of the sizes before. */
		CHECK_PASS(net_env_restart(e));
	}
	e->rx.shape = SHAPE_ANY;
	return both_ways(e, e->rounds * FEW);
}

/* A device that runs is told the same once more, and goes on. */
static int frame_attach_again(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int q, i;

	for (i = 0; i < 10; i++) {
		for (q = 0; q < NET_QUEUES; q++)
			CHECK_OK(net_attach(&e->n, q, e->w.backend));
		CHECK_PASS(both_ways(e, 50));
	}
	return 0;
}

/* A tag that is in the frame is data; one that the kernel keeps elsewhere is put there. */
static int frame_vlan(void *ctx)
{
	static const uint8_t tag[] = { 0x81, 0x00, 0x00, 0x05 };
	struct net_env *e = ctx;
	uint8_t buf[ETH_USUAL + 4], plain[ETH_USUAL], seen[ETH_USUAL + 100];
	struct virtio_net_hdr hdr;
	struct wire tagged = e->w;
	struct net_frame f;
	unsigned int i, ms;
	int tci = -1, res;
	ssize_t n = -1;

	if (e->wire.kind == WIRE_PACKET)
		SKIP("a packet socket keeps the tags to itself");
	if (wire_run("ip link add link %s name %s.5 type vlan id 5", e->w.far, e->w.far))
		SKIP("this kernel has no VLANs");
	CHECK_OK(wire_run("ip link set %s.5 up", e->w.far));
	snprintf(tagged.far, sizeof(tagged.far), "%.10s.5", e->w.far);
	tagged.sock = wire_socket(tagged.far, false);
	CHECK_OK(tagged.sock);
	CHECK_OK(net_rx_fill(&e->rx));
	for (i = 0; i < 20; i++) {
		uint32_t len = i % 2 ? ETH_USUAL : ETH_MIN + 2 + i;

		eth_fill(plain, len, ETH_TO_GUEST, i);
		memcpy(buf, plain, 12);
		memcpy(buf + 12, tag, 4);
		memcpy(buf + 16, plain + 12, len - 12);
		if (i < 10)
			CHECK_OK(wire_send(&tagged, plain, len));
		else
			CHECK_OK(wire_send(&e->w, buf, len + 4));
		for (ms = 0; !(res = net_rx_take(&e->rx, &f)) && ms < NET_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK_EQ(res, 1);
		CHECK_EQ(f.len, len + 4);
		CHECK(!memcmp(f.data, buf, len + 4), "frame %u is another one", i);

		eth_fill(plain, len, ETH_FROM_GUEST, i);
		memcpy(buf, plain, 12);
		memcpy(buf + 16, plain + 12, len - 12);
		CHECK_OK(net_tx_put(&e->tx, NULL, buf, len + 4));
		net_tx_flush(&e->tx);
		for (ms = 0; (n = wire_recv_gso(&e->w, &hdr, seen, sizeof(seen), &tci)) < 0 &&
		     ms < NET_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK_EQ(n, len);
		CHECK_EQ(tci, 5);
		CHECK_EQ(eth_check(seen, len, ETH_FROM_GUEST), i);
		net_rx_fill(&e->rx);
	}
	close(tagged.sock);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(frame_many),
	KTAP_TEST(frame_lengths),
	KTAP_TEST(frame_split),
	KTAP_TEST(frame_torn),
	KTAP_TEST(frame_any_shape),
	KTAP_TEST(frame_one_by_one),
	KTAP_TEST(frame_one_way),
	KTAP_TEST(frame_wrap),
	KTAP_TEST(frame_small_ring),
	KTAP_TEST(frame_jumbo),
	KTAP_TEST(frame_merged),
	KTAP_TEST(frame_attach_again),
	KTAP_TEST(frame_vlan),
};

const struct ktap_suite net_io_frame_suite = {
	.name = "frames",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = net_env_start,
	.teardown = net_env_close,
};
