// SPDX-License-Identifier: GPL-2.0-only
/* Headers that say something: they and the frames that go with them pass as they are. */
#include <stdlib.h>
#include <unistd.h>

#include "net_io.h"

#define GSO_SIZE	1448u
#define GSO_LEN		65000u
#define GSO_ROOM	(GSO_LEN + 600)

static struct virtio_net_hdr header(uint32_t len, bool gso)
{
	struct virtio_net_hdr h = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = htole16(34),
		.csum_offset = htole16(16),
	};

	if (gso && len > GSO_SIZE + ETH_GSO_HDR) {
		h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = htole16(GSO_SIZE);
		h.hdr_len = htole16(ETH_GSO_HDR);
	}
	return h;
}

/* How much of the frame is headers is a hint, and may be another one. */
static int check_header(const struct virtio_net_hdr *got, const struct virtio_net_hdr *want)
{
	CHECK_EQ(got->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, want->flags);
	CHECK_EQ(got->gso_type, want->gso_type);
	CHECK_EQ(le16toh(got->gso_size), le16toh(want->gso_size));
	CHECK_EQ(le16toh(got->csum_start), le16toh(want->csum_start));
	CHECK_EQ(le16toh(got->csum_offset), le16toh(want->csum_offset));
	if (want->gso_type)
		CHECK(le16toh(got->hdr_len) >= le16toh(want->hdr_len), "header of %u bytes",
		      le16toh(got->hdr_len));
	return 0;
}

static int to_guest(struct net_env *e, uint32_t len, uint32_t nr, unsigned int *buffers)
{
	const struct virtio_net_hdr h = header(len, true);
	uint8_t *frame = malloc(len);
	struct net_frame f;
	unsigned int ms;
	int res = 0;

	CHECK(frame, "out of memory");
	eth_fill_tcp(frame, len, nr);
	CHECK_OK(net_rx_fill(&e->rx));
	CHECK_OK(wire_send_gso(&e->w, &h, frame, len));
	for (ms = 0; !res && ms < NET_HANG_LIMIT_MS; ms++) {
		res = net_rx_take(&e->rx, &f);
		if (!res)
			usleep(1000);
	}
	free(frame);
	CHECK_EQ(res, 1);
	CHECK_EQ(f.len, len);
	CHECK_EQ(eth_check_tcp(f.data, len, nr), -1);
	*buffers = f.buffers;
	return check_header((struct virtio_net_hdr *)&f.hdr, &h);
}

static int from_guest(struct net_env *e, uint32_t len, uint32_t nr)
{
	struct virtio_net_hdr_mrg_rxbuf h = { };
	uint8_t *frame = malloc(NET_FRAME_MAX);
	struct virtio_net_hdr got;
	unsigned int ms;
	ssize_t n = -1;
	int tci;

	CHECK(frame, "out of memory");
	h.hdr = header(len, true);
	eth_fill_tcp(frame, len, nr);
	CHECK_OK(net_tx_put(&e->tx, &h, frame, len));
	net_tx_flush(&e->tx);
	memset(frame, 0, len);
	for (ms = 0; n < 0 && ms < NET_HANG_LIMIT_MS; ms++) {
		n = wire_recv_gso(&e->w, &got, frame, NET_FRAME_MAX, &tci);
		if (n < 0)
			usleep(1000);
	}
	CHECK_EQ(n, len);
	CHECK_EQ(eth_check_tcp(frame, len, nr), -1);
	free(frame);
	for (ms = 0; !net_tx_reap(&e->tx) && ms < NET_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK_EQ(e->tx.posted, 0);
	return check_header(&got, &h.hdr);
}

/* Buffers so large that a frame of any size fits one. */
static int start_gso(struct net_env *e, uint32_t rx_room, uint32_t tx_room)
{
	int res;

	if (e->vhost_hdr)
		SKIP("the wire has no headers");
	e->rx_room = rx_room;
	e->tx_room = tx_room;
	res = net_env_start_as(e, 0, 0, true);
	e->rx_room = NET_ROOM;
	e->tx_room = NET_ROOM;
	return res;
}

static int all_lengths(struct net_env *e, bool merged)
{
	static const uint32_t lens[] = { 60, 1514, 1600, 4096, 9000, 20011, 40000, 64999, GSO_LEN };
	unsigned int i, k, buffers;

	for (k = 0; k < e->rounds; k++) {
		for (i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
			CHECK_PASS(to_guest(e, lens[i], k * 100 + i, &buffers));
			if (!merged)
				CHECK_EQ(buffers, 1);
			else if (lens[i] > 9000)
				CHECK(buffers > 5, "%u bytes in %u buffers", lens[i], buffers);
			CHECK_PASS(from_guest(e, lens[i], k * 100 + i));
		}
	}
	return 0;
}

static int gso_large_buffers(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_PASS(start_gso(e, GSO_ROOM, GSO_ROOM));
	CHECK_PASS(all_lengths(e, false));
	/* As drivers lay them out: a header, and pages. */
	e->rx.shape = SHAPE_ANY;
	e->tx.shape = SHAPE_ANY;
	return all_lengths(e, false);
}

/* 64 KiB in many buffers, each of another odd size. */
static int gso_small_buffers(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_PASS(start_gso(e, 1999, GSO_ROOM));
	if (!(e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		SKIP("buffers can't be merged");
	e->rx.min = 701;
	CHECK_PASS(all_lengths(e, true));
	if (e->n.rings[NET_RX].max_indirect)
		e->rx.shape = SHAPE_TORN;
	return all_lengths(e, true);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(gso_large_buffers),
	KTAP_TEST(gso_small_buffers),
};

const struct ktap_suite net_io_gso_suite = {
	.name = "headers",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.teardown = net_env_close,
};
