// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames in UDP tunnels that somebody else is to cut to size: they come back from an interface that
 * gives back what it gets, as they were sent.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net_hook.h"
#include "net_io.h"

/* Ethernet, IPv4, UDP, VXLAN; the frame within follows. */
#define OUTER_IP	14u
#define OUTER_UDP	34u
#define INNER		50u
#define INNER_IP	(INNER + 14u)
#define INNER_TCP	(INNER + 34u)

#define GSO_SIZE	1398u
#define INNER_MAX	60000u

#ifndef VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4
#define VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4	0x20
#endif

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint16_t ip_sum(const uint8_t *ip)
{
	uint32_t sum = 0;
	unsigned int i;

	for (i = 0; i < 20; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

/* A frame of TCP with @len bytes in VXLAN, whose outer checksum is not used. */
static void fill(uint8_t *frame, uint32_t len, uint32_t nr)
{
	uint8_t *ip = frame + OUTER_IP, *udp = frame + OUTER_UDP, *vxlan = udp + 8;

	eth_fill_tcp(frame + INNER, len, nr);
	memset(frame, 0, INNER);
	memset(frame, 2, 12);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, INNER + len - OUTER_IP);
	ip[8] = 64;
	ip[9] = 17;
	ip[12] = 10;
	ip[16] = 11;
	put16(ip + 10, ip_sum(ip));
	put16(udp, 4242);
	put16(udp + 2, 4789);
	put16(udp + 4, INNER + len - OUTER_UDP);
	vxlan[0] = 8;
	vxlan[6] = 42;
}

static struct net_tunnel_hdr tunnel_header(void)
{
	return (struct net_tunnel_hdr) {
		.outer_th_offset = htole16(OUTER_UDP),
		.inner_nh_offset = htole16(INNER_IP),
	};
}

static struct virtio_net_hdr_mrg_rxbuf header(void)
{
	return (struct virtio_net_hdr_mrg_rxbuf) {
		.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4,
		.hdr.hdr_len = htole16(INNER + ETH_GSO_HDR),
		.hdr.gso_size = htole16(GSO_SIZE),
		.hdr.csum_start = htole16(INNER_TCP),
		.hdr.csum_offset = htole16(16),
	};
}

static int await_frame(struct net_env *e, struct net_frame *f)
{
	unsigned int ms;
	int res = 0;

	for (ms = 0; !res && ms < NET_HANG_LIMIT_MS; ms++) {
		res = net_rx_take(&e->rx, f);
		if (!res)
			usleep(1000);
	}
	CHECK_EQ(res, 1);
	return 0;
}

static int check_header(const struct net_frame *f)
{
	const struct virtio_net_hdr_mrg_rxbuf want = header();
	const struct net_tunnel_hdr tunnel = tunnel_header();

	CHECK_EQ(f->hdr.hdr.flags, want.hdr.flags);
	CHECK_EQ(f->hdr.hdr.gso_type, want.hdr.gso_type);
	CHECK_EQ(f->hdr.hdr.gso_size, want.hdr.gso_size);
	CHECK_EQ(f->hdr.hdr.csum_start, want.hdr.csum_start);
	CHECK_EQ(f->hdr.hdr.csum_offset, want.hdr.csum_offset);
	CHECK_EQ(f->tunnel.outer_th_offset, tunnel.outer_th_offset);
	CHECK_EQ(f->tunnel.inner_nh_offset, tunnel.inner_nh_offset);
	CHECK_EQ(f->tunnel.hash, 0);
	CHECK_EQ(f->tunnel.report, 0);
	return 0;
}

static int there_and_back(struct net_env *e, uint32_t len, uint32_t nr)
{
	const struct virtio_net_hdr_mrg_rxbuf h = header();
	uint8_t *frame = malloc(INNER + len);
	struct net_frame f;
	unsigned int ms;

	CHECK(frame, "out of memory");
	fill(frame, len, nr);
	CHECK_OK(net_rx_fill(&e->rx));
	e->tx.tunnel = tunnel_header();
	CHECK_OK(net_tx_put(&e->tx, &h, frame, INNER + len));
	net_tx_flush(&e->tx);
	CHECK_PASS(await_frame(e, &f));
	CHECK_EQ(f.len, INNER + len);
	CHECK(!memcmp(f.data, frame, INNER), "the outer headers are others");
	CHECK_EQ(eth_check_tcp(f.data + INNER, len, nr), -1);
	free(frame);
	for (ms = 0; !net_tx_reap(&e->tx) && ms < NET_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK_EQ(e->tx.posted, 0);
	return check_header(&f);
}

static int start_tunnels(struct net_env *e, uint32_t rx_room)
{
	const bool tunnels = e->opts.tunnels;
	int res;

	if (e->vhost_hdr)
		SKIP("the wire has no headers");
	if (e->wire.kind != WIRE_TAP)
		SKIP("not a tap");
	if (e->opts.without & BIT(VIRTIO_F_VERSION_1))
		SKIP("a legacy device has no tunnels");
	e->opts.tunnels = true;
	e->rx_room = rx_room;
	e->tx_room = INNER + INNER_MAX + 64;
	res = net_env_start(e);
	e->opts.tunnels = tunnels;
	e->rx_room = NET_ROOM;
	e->tx_room = NET_ROOM;
	return res;
}

static int tunnel_reflected(struct net_env *e, uint32_t rx_room)
{
	static const uint32_t lens[] = { 3000, 9000, 20011, 40000, INNER_MAX };
	unsigned int i, k;
	int hook;

	CHECK_PASS(start_tunnels(e, rx_room));
	hook = net_hook_redirect(e->w.name);
	CHECK(hook >= 0, "no program can be attached: %d", hook);
	for (k = 0; k < e->rounds; k++)
		for (i = 0; i < sizeof(lens) / sizeof(*lens); i++)
			CHECK_PASS(there_and_back(e, lens[i], k * 100 + i));
	close(hook);
	return 0;
}

static int tunnel_large_buffers(void *ctx)
{
	return tunnel_reflected(ctx, INNER + INNER_MAX + 64);
}

static int tunnel_small_buffers(void *ctx)
{
	struct net_env *e = ctx;

	if (e->opts.without & BIT(VIRTIO_NET_F_MRG_RXBUF))
		SKIP("buffers can't be merged");
	return tunnel_reflected(e, NET_ROOM);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(tunnel_large_buffers),
	KTAP_TEST(tunnel_small_buffers),
};

const struct ktap_suite net_io_tunnel_suite = {
	.name = "tunnels",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.teardown = net_env_close,
};
