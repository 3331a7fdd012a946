// SPDX-License-Identifier: GPL-2.0-only
/* Headers that lie: the frame is lost, or sent for what it is; nothing else happens. */
#include <stdlib.h>
#include <unistd.h>

#include "net_bad.h"

#define FRAME_LEN	400u

/* Shows one, and waits for its end. */
static int send_with(struct net_env *e, const struct virtio_net_hdr_mrg_rxbuf *h, uint32_t len)
{
	uint8_t buf[ETH_USUAL];
	unsigned int ms;

	eth_fill_tcp(buf, ETH_USUAL, 0);
	CHECK_OK(net_tx_put(&e->tx, h, buf, len));
	net_tx_flush(&e->tx);
	for (ms = 0; e->tx.posted && ms < NET_HANG_LIMIT_MS; ms++) {
		CHECK_OK(net_tx_reap(&e->tx));
		usleep(ms < 20 ? 100 : 1000);
	}
	CHECK(!e->tx.posted, "flags 0x%x, type 0x%x, %u of headers, size %u, sum %u + %u, of %u",
	      h->hdr.flags, h->hdr.gso_type, le16toh(h->hdr.hdr_len), le16toh(h->hdr.gso_size),
	      le16toh(h->hdr.csum_start), le16toh(h->hdr.csum_offset), len);
	CHECK(!net_broken(&e->n, NET_TX), "the queue is broken");
	bad_drain_wire(e);
	return 0;
}

static int one_field(struct net_env *e, unsigned int at, uint64_t value, unsigned int size)
{
	struct virtio_net_hdr_mrg_rxbuf h = {
		.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr.gso_size = htole16(100),
		.hdr.hdr_len = htole16(ETH_GSO_HDR),
		.hdr.csum_start = htole16(34),
		.hdr.csum_offset = htole16(16),
	};

	memcpy((uint8_t *)&h + at, &value, size);
	CHECK_PASS(send_with(e, &h, FRAME_LEN));
	return send_with(e, &h, ETH_MIN);
}

/* Each field for itself, with each value at its borders. */
static int header_fields(void *ctx)
{
	static const uint16_t values[] = {
		0, 1, 13, 14, 33, 34, 53, 54, 55, FRAME_LEN - 1, FRAME_LEN, FRAME_LEN + 1, 0x7fff,
		0x8000, 0xfff0, 0xffff,
	};
	struct net_env *e = ctx;
	unsigned int i, at;

	/* The peer tries some of them for ever. */
	NEED_OURS(e);
	for (i = 0; i < 256; i += i < 16 ? 1 : 15) {
		CHECK_PASS(one_field(e, 0, i, 1));
		CHECK_PASS(one_field(e, 1, i, 1));
	}
	for (at = 2; at < sizeof(struct virtio_net_hdr); at += 2)
		for (i = 0; i < sizeof(values) / sizeof(*values); i++)
			CHECK_PASS(one_field(e, at, htole16(values[i]), 2));
	return net_env_verify(e);
}

/* What the peer drops as well. */
static int header_types(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	for (i = 0; i < 256; i++) {
		struct virtio_net_hdr_mrg_rxbuf h = {
			.hdr.gso_type = i, .hdr.gso_size = htole16(i & 1 ? 100 : 0),
		};

		CHECK_PASS(send_with(e, &h, FRAME_LEN));
	}
	return net_env_verify(e);
}

static int header_random(void *ctx)
{
	struct net_env *e = ctx;
	struct prng prng = { e->seed };
	unsigned int i, k;

	NEED_OURS(e);
	for (i = 0; i < e->rounds * 50; i++) {
		struct virtio_net_hdr_mrg_rxbuf h;
		uint8_t *p = (uint8_t *)&h;

		for (k = 0; k < sizeof(h); k++)
			p[k] = prng_chance(&prng, 50) ? prng_next(&prng) :
							prng_range(&prng, 0, 5);
		CHECK_PASS(send_with(e, &h, prng_range(&prng, 1, ETH_USUAL)));
	}
	return net_env_verify(e);
}

/* A frame that is shorter than the addresses: no network takes it. */
static int header_short_frames(void *ctx)
{
	const struct virtio_net_hdr_mrg_rxbuf none = { };
	struct net_env *e = ctx;
	uint32_t len;

	for (len = 1; len < ETH_MIN; len++)
		CHECK_PASS(send_with(e, &none, len));
	CHECK_PASS(net_env_verify(e));
	for (len = 1; len < ETH_MIN; len++) {
		CHECK_PASS(send_with(e, &none, len));
		CHECK_PASS(net_env_verify_queue(e, NET_TX));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(header_fields),
	KTAP_TEST(header_types),
	KTAP_TEST(header_random),
	KTAP_TEST(header_short_frames),
};

const struct ktap_suite net_bad_header_suite = {
	.name = "headers that lie",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = net_env_start,
	.teardown = net_env_close,
};
