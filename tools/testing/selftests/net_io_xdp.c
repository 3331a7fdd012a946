// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames that a tap's XDP program gives back: they come as XDP frames, with no header of their own
 * and without saying which interface they are of, and are the tap's to count.
 */
#include <string.h>
#include <unistd.h>

#include "net_hook.h"
#include "net_io.h"

/* More than the kernel takes at once, and than it writes without asking the tap. */
#define FRAMES		300u

static int expect_back(struct net_env *e, uint32_t nr, uint32_t len)
{
	static const struct virtio_net_hdr none;
	struct net_frame f;
	unsigned int ms;
	int res = 0;

	for (ms = 0; !res && ms < NET_HANG_LIMIT_MS; ms++) {
		CHECK(net_tx_reap(&e->tx) >= 0, "a frame was sent wrongly");
		res = net_rx_take(&e->rx, &f);
		if (!res)
			usleep(1000);
	}
	CHECK_EQ(res, 1);
	CHECK_EQ(f.len, len);
	CHECK_EQ(eth_check(f.data, f.len, ETH_FROM_GUEST), nr);
	CHECK(!memcmp(&f.hdr.hdr, &none, sizeof(none)), "frame %u has a header that says something",
	      nr);
	return 0;
}

/* @burst at a time, of all lengths. */
static int bounce(struct net_env *e, unsigned int burst)
{
	unsigned long long packets, bytes, packets_before, bytes_before, len_all = 0;
	uint32_t len[NET_BUFS];
	uint8_t buf[ETH_USUAL];
	unsigned int i, n, nr;

	CHECK_OK(wire_sent(&e->w, &packets_before, &bytes_before));
	for (nr = 0; nr < FRAMES; nr += n) {
		n = burst < FRAMES - nr ? burst : FRAMES - nr;
		CHECK_OK(net_rx_fill(&e->rx));
		for (i = 0; i < n; i++) {
			len[i] = ETH_MIN + (nr + i) * 5;
			len_all += len[i];
			eth_fill(buf, len[i], ETH_FROM_GUEST, nr + i);
			CHECK_OK(net_tx_put(&e->tx, NULL, buf, len[i]));
		}
		net_tx_flush(&e->tx);
		for (i = 0; i < n; i++)
			CHECK_PASS(expect_back(e, nr + i, len[i]));
	}
	CHECK_OK(wire_sent(&e->w, &packets, &bytes));
	CHECK_EQ(packets - packets_before, FRAMES);
	/* The tap counts its header along. */
	CHECK_EQ(bytes - bytes_before, len_all + FRAMES * e->wire.hdr_len);
	return 0;
}

static int bounces(struct net_env *e)
{
	int hook = net_hook_xdp(e->w.name, XDP_TX), res;

	if (hook < 0)
		SKIP("this kernel has no XDP programs (%s)", strerror(-hook));
	res = bounce(e, 1);
	if (!res)
		res = bounce(e, 8);
	close(hook);
	return res;
}

/* No frame has said which interface it is. */
static int xdp_alone(void *ctx)
{
	struct net_env *e = ctx;

	if (e->wire.kind != WIRE_TAP)
		SKIP("taps alone have such frames");
	CHECK_PASS(bounces(e));
	return net_env_verify(e);
}

/* Others did; then another tap has gone, and it might have been this one. */
static int xdp_behind_others(void *ctx)
{
	struct net_env *e = ctx;

	if (e->wire.kind != WIRE_TAP)
		SKIP("taps alone have such frames");
	CHECK_PASS(net_env_verify(e));
	CHECK_PASS(bounces(e));
	CHECK_OK(wire_run("ip tuntap add gone0 mode tap"));
	CHECK_OK(wire_run("ip link del gone0"));
	CHECK_PASS(bounces(e));
	CHECK_PASS(net_env_verify(e));
	CHECK_PASS(bounces(e));
	return net_env_verify(e);
}

/* In buffers of which most frames need several. */
static int xdp_in_pieces(void *ctx)
{
	struct net_env *e = ctx;
	int res;

	if (e->wire.kind != WIRE_TAP)
		SKIP("taps alone have such frames");
	if (!(e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		SKIP("buffers are not merged");
	CHECK_PASS(net_env_verify(e));
	CHECK_PASS(net_env_restart(e));
	e->rx.min = 100;
	e->rx.max = 200;
	CHECK_PASS(net_env_verify(e));
	res = bounces(e);
	e->rx.min = NET_ROOM;
	e->rx.max = NET_ROOM;
	return res;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(xdp_alone),
	KTAP_TEST(xdp_behind_others),
	KTAP_TEST(xdp_in_pieces),
};

const struct ktap_suite net_io_xdp_suite = {
	.name = "frames that an XDP program gives back",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = net_env_start,
	.teardown = net_env_close,
};
