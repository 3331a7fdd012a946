// SPDX-License-Identifier: GPL-2.0-only
/* Rings and sockets that are full or empty: frames wait, and are not lost. */
#include <unistd.h>

#include "net_io.h"

#define BACKLOG		96u
#define SNDBUF		16384
/* How long nothing may happen where nothing can. */
#define STILL_US	50000

static int expect_still(struct net_env *e)
{
	usleep(STILL_US);
	CHECK_EQ(ring_pending(&e->n.rings[NET_RX]), 0);
	return 0;
}

/* Frames come before there are buffers, and wait; then as many as there are buffers for. */
static int flow_no_buffers(void *ctx)
{
	struct net_env *e = ctx;
	uint32_t sent, got = 0, now;
	unsigned int i;

	CHECK_PASS(net_env_count(e));
	for (sent = 0; sent < BACKLOG; sent++)
		CHECK_PASS(net_env_send(e, ETH_MIN + sent, sent));
	CHECK_PASS(expect_still(e));
	for (i = 0; got < sent; i++) {
		now = i % 5 + 1 < sent - got ? i % 5 + 1 : sent - got;
		CHECK_OK(net_rx_post(&e->rx, now));
		while (now--)
			CHECK_PASS(net_env_expect(e, got++, NULL));
	}
	CHECK_PASS(expect_still(e));
	CHECK_PASS(net_env_check_count(e));
	e->nr_in = sent;
	return net_env_verify(e);
}

/* A frame that the next buffer can't hold is lost, and it alone: the buffer takes the next one. */
static int flow_short_buffer(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	if (e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF))
		SKIP("buffers are merged");
	CHECK_PASS(net_env_count(e));
	for (i = 0; i < e->rounds; i++) {
		e->rx.min = 100;
		e->rx.max = 100;
		CHECK_OK(net_rx_post(&e->rx, 1));
		CHECK_PASS(net_env_send(e, ETH_USUAL, 2 * i));
		CHECK_PASS(net_env_send(e, 60, 2 * i + 1));
		CHECK_PASS(net_env_expect(e, 2 * i + 1, NULL));
	}
	/* From a tap without headers the peer receives a byte of what it wants to lose. */
	if (!e->peer)
		CHECK_PASS(net_env_check_count(e));
	e->rx.min = NET_ROOM;
	e->rx.max = NET_ROOM;
	e->nr_in = 2 * i;
	return net_env_verify(e);
}

/* A frame waits for the last of the buffers that it needs. */
static int flow_few_buffers(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i, buffers;

	if (!(e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		SKIP("buffers are not merged");
	for (i = 0; i < e->rounds; i++) {
		e->rx.min = 100;
		e->rx.max = 100;
		CHECK_OK(net_rx_post(&e->rx, 3));
		CHECK_PASS(net_env_send(e, 1000, 2 * i));
		CHECK_PASS(net_env_send(e, 60, 2 * i + 1));
		if (i < 3)
			CHECK_PASS(expect_still(e));
		CHECK_OK(net_rx_post(&e->rx, 9));
		CHECK_PASS(net_env_expect(e, 2 * i, &buffers));
		CHECK_EQ(buffers, (1000 + e->n.hdr_len + 99) / 100);
		CHECK_PASS(net_env_expect(e, 2 * i + 1, &buffers));
		CHECK_EQ(buffers, 1);
	}
	e->rx.min = NET_ROOM;
	e->rx.max = NET_ROOM;
	e->nr_in = 2 * i;
	return net_env_verify(e);
}

/* A frame for which more buffers are needed than are gathered: it is lost, and it alone. */
static int flow_too_many_buffers(void *ctx)
{
	struct net_env *e = ctx;
	uint8_t buf[9000];
	unsigned int i;
	int res;

	NEED_OURS(e);
	if (!(e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		SKIP("buffers are not merged");
	CHECK_PASS(net_env_close(e));
	e->wire.mtu = 9000;
	res = net_env_start(e);
	e->wire.mtu = 0;
	CHECK_PASS(res);
	e->rx.min = 100;
	e->rx.max = 100;
	CHECK_PASS(net_env_count(e));
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(net_rx_fill(&e->rx));
		eth_fill(buf, sizeof(buf), ETH_TO_GUEST, 2 * i);
		CHECK_OK(wire_send(&e->w, buf, sizeof(buf)));
		CHECK_PASS(net_env_send(e, 60, 2 * i + 1));
		CHECK_PASS(net_env_expect(e, 2 * i + 1, NULL));
	}
	CHECK_PASS(net_env_check_count(e));
	CHECK_PASS(net_env_restart(e));
	e->rx.min = NET_ROOM;
	e->rx.max = NET_ROOM;
	e->nr_in = 2 * i;
	return net_env_verify(e);
}

/* Nothing can be received: what is sent goes on. */
static int flow_transmit_alone(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	for (i = 0; i < BACKLOG; i++)
		CHECK_PASS(net_env_send(e, ETH_USUAL, i));
	e->nr_in = i;
	CHECK_PASS(net_env_verify_queue(e, NET_TX));
	CHECK_PASS(expect_still(e));
	return net_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(flow_no_buffers),
	KTAP_TEST(flow_short_buffer),
	KTAP_TEST(flow_few_buffers),
	KTAP_TEST(flow_too_many_buffers),
	KTAP_TEST(flow_transmit_alone),
};

const struct ktap_suite net_io_flow_suite = {
	.name = "rings that are full or empty",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = net_env_start,
	.teardown = net_env_close,
};

/* As many as there are buffers; of every second one the length is another. */
static int put_all(struct net_env *e, uint32_t len, uint32_t other)
{
	uint8_t buf[ETH_USUAL];
	unsigned int i;

	for (i = 0; i < NET_BUFS; i++) {
		eth_fill(buf, i % 2 ? other : len, ETH_FROM_GUEST, i);
		CHECK_OK(net_tx_put(&e->tx, NULL, buf, i % 2 ? other : len));
	}
	net_tx_flush(&e->tx);
	return 0;
}

/* The device stops, before it has taken all, and none has got past the plug. */
static int expect_stopped(struct net_env *e)
{
	unsigned int ms, used, again = 0;
	uint8_t buf[ETH_USUAL];

	for (ms = 0, used = 0; again < 10; ms++) {
		again = ring_pending(&e->n.rings[NET_TX]) == used ? again + !!used : 0;
		used = ring_pending(&e->n.rings[NET_TX]);
		CHECK(ms < NET_HANG_LIMIT_MS / 5, "no frame is taken at all");
		usleep(5000);
	}
	CHECK(used < NET_BUFS, "all is taken, beyond the room that there is");
	CHECK(wire_recv(&e->w, buf, sizeof(buf)) == -EAGAIN, "a frame got past the plug");
	ktap_diag("%u of %u frames before it stopped", used, NET_BUFS);
	return 0;
}

/* Each @step-th frame, of this length, once. */
static int take_all(struct net_env *e, uint32_t len, unsigned int step)
{
	bool seen[NET_BUFS] = { };
	uint8_t buf[ETH_USUAL];
	unsigned int i, ms;
	ssize_t n;
	int64_t nr;

	for (i = 0; i < NET_BUFS; i += step) {
		for (n = -1, ms = 0; n < 0 && ms < NET_HANG_LIMIT_MS; ms++) {
			n = wire_recv(&e->w, buf, sizeof(buf));
			if (n < 0)
				usleep(1000);
		}
		CHECK_EQ(n, len);
		nr = eth_check(buf, n, ETH_FROM_GUEST);
		/* Those that the plug held, and others, may come by different CPUs. */
		CHECK(nr >= 0 && nr < NET_BUFS && !(nr % step) && !seen[nr],
		      "frame %lld again, or at all", (long long)nr);
		seen[nr] = true;
	}
	e->nr_out = NET_BUFS;
	return 0;
}

static int release(struct net_env *e)
{
	CHECK_OK(wire_run("tc qdisc change dev %s root plug release_indefinite", e->w.name));
	return 0;
}

/* The network takes nothing for a while: what the socket has no room for stays in the ring. */
static int flow_sndbuf(void *ctx)
{
	struct net_env *e = ctx;
	const struct wire_opts wire = e->wire;
	int res;

	e->wire.kind = WIRE_MACVTAP;
	res = net_env_start(e);
	e->wire = wire;
	CHECK_PASS(res);
	if (wire_run("tc qdisc add dev %s root plug limit 1000000", e->w.name))
		SKIP("this kernel has no such queue");
	CHECK_OK(wire_sndbuf(&e->w, SNDBUF));
	CHECK_PASS(put_all(e, ETH_USUAL, ETH_USUAL));
	CHECK_PASS(expect_stopped(e));
	CHECK_PASS(release(e));
	CHECK_PASS(take_all(e, ETH_USUAL, 1));
	return net_env_verify(e);
}

/* A packet socket, which goes by a queue that has this much room. */
static int start_queued(struct net_env *e, unsigned int room)
{
	if (e->wire.kind != WIRE_PACKET)
		SKIP("for packet sockets");
	CHECK_PASS(net_env_start(e));
	if (wire_run("tc qdisc add dev %s root plug limit %u", e->w.name, room))
		SKIP("this kernel has no such queue");
	CHECK_OK(wire_queued(&e->w));
	return 0;
}

/* Not the socket is full but the interface's queue, which refuses frames: these stay as well. */
static int flow_qdisc_full(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_PASS(start_queued(e, SNDBUF));
	CHECK_PASS(put_all(e, ETH_USUAL, ETH_USUAL));
	CHECK_PASS(expect_stopped(e));
	CHECK_PASS(release(e));
	CHECK_PASS(take_all(e, ETH_USUAL, 1));
	return net_env_verify(e);
}

/* Frames that the queue never takes: they are lost, and keep no others from going. */
static int flow_qdisc_refuses(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int ms;
	int n = 0, got;

	NEED_OURS(e);
	CHECK_PASS(start_queued(e, ETH_USUAL - 1));
	CHECK_PASS(release(e));
	CHECK_PASS(put_all(e, 60, ETH_USUAL));
	CHECK_PASS(take_all(e, 60, 2));
	for (ms = 0; n < (int)NET_BUFS && ms < NET_HANG_LIMIT_MS; ms++) {
		got = net_tx_reap(&e->tx);
		CHECK(got >= 0, "reaped: %d", got);
		n += got;
		usleep(1000);
	}
	CHECK_EQ(n, NET_BUFS);
	CHECK_OK(wire_run("tc qdisc del dev %s root", e->w.name));
	return net_env_verify(e);
}

static const struct ktap_test sndbuf_tests[] = {
	KTAP_TEST(flow_sndbuf),
	KTAP_TEST(flow_qdisc_full),
	KTAP_TEST(flow_qdisc_refuses),
};

const struct ktap_suite net_io_sndbuf_suite = {
	.name = "networks that are full",
	.tests = sndbuf_tests,
	.count = sizeof(sndbuf_tests) / sizeof(*sndbuf_tests),
	.limit = 180,
	.teardown = net_env_close,
};
