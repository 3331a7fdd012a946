// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>

#include "net_hook.h"
#include "net_zcopy.h"

#define ROOM		(ZCOPY_LEN + 64)

struct plug {
	int hook;
	int sock;
};

static struct plug plug = { .hook = -1, .sock = -1 };

int zcopy_listen(void)
{
	plug.sock = wire_socket("far0", true);
	CHECK(plug.sock >= 0, "no socket: %d", plug.sock);
	return 0;
}

/* Before Linux 6.6 there is no simpler way. */
static int redirect_by_tc(const char *name)
{
	int err = wire_run("tc qdisc add dev %s clsact", name);

	return err ? err :
	       wire_run("tc filter add dev %s ingress %s", name,
			"matchall action mirred egress redirect dev out0");
}

static int plug_make(struct net_env *e)
{
	CHECK_OK(wire_run("ip link add out0 type veth peer name far0"));
	CHECK_OK(wire_run("ip link set out0 up && ip link set far0 up"));
	if (wire_run("tc qdisc add dev out0 root plug limit 10000000"))
		SKIP("this kernel has no such queue");
	CHECK_PASS(zcopy_listen());
	plug.hook = net_hook_redirect_to(e->w.name, "out0");
	CHECK(plug.hook >= 0 || plug.hook == -EINVAL, "no program can be attached: %d", plug.hook);
	if (plug.hook < 0 && redirect_by_tc(e->w.name))
		SKIP("this kernel can't redirect");
	return 0;
}

int zcopy_release(void)
{
	CHECK_OK(wire_run("tc qdisc change dev out0 root plug release_indefinite"));
	return 0;
}

int zcopy_start(struct net_env *e)
{
	int res;

	if (e->vhost_hdr)
		SKIP("the wire has no headers");
	if (e->wire.kind != WIRE_TAP)
		SKIP("not a tap");
	e->rx_room = ROOM;
	e->tx_room = ROOM;
	e->wire.gso = true;
	res = net_env_start(e);
	e->rx_room = NET_ROOM;
	e->tx_room = NET_ROOM;
	e->wire.gso = false;
	CHECK_PASS(res);
	/* Who looks at frames on their way has them copied. */
	close(e->w.sock);
	e->w.sock = -1;
	return plug_make(e);
}

int zcopy_end(void *ctx)
{
	if (plug.hook >= 0)
		close(plug.hook);
	if (plug.sock >= 0)
		close(plug.sock);
	plug.hook = -1;
	plug.sock = -1;
	/* With the plug goes what the device would wait for. */
	wire_run("ip link del out0");
	return net_env_close(ctx);
}

static int put(struct net_env *e, uint32_t nr)
{
	struct virtio_net_hdr_mrg_rxbuf h = {
		.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr.hdr_len = htole16(ETH_GSO_HDR),
		.hdr.gso_size = htole16(1448),
		.hdr.csum_start = htole16(34),
		.hdr.csum_offset = htole16(16),
	};
	uint8_t *frame = malloc(ZCOPY_LEN);

	CHECK(frame, "out of memory");
	eth_fill_tcp(frame, ZCOPY_LEN, nr);
	CHECK_OK(net_tx_put(&e->tx, &h, frame, ZCOPY_LEN));
	free(frame);
	return 0;
}

int zcopy_put_all(struct net_env *e)
{
	unsigned int i;

	for (i = 0; i < ZCOPY_NR; i++)
		CHECK_PASS(put(e, i));
	net_tx_flush(&e->tx);
	return 0;
}

int zcopy_in_flight(struct net_env *e)
{
	struct vhost_vring_inflight_info info = { .index = NET_TX };

	EXPECT(e, 0, VHOST_GET_VRING_INFLIGHT, &info);
	return info.active;
}

int zcopy_await_in_flight(struct net_env *e, int n)
{
	unsigned int ms;

	for (ms = 0; zcopy_in_flight(e) != n && ms < NET_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK_EQ(zcopy_in_flight(e), n);
	return 0;
}

int zcopy_await_done(struct net_env *e)
{
	unsigned int ms;
	int n = 0, got;

	for (ms = 0; n < (int)ZCOPY_NR && ms < NET_HANG_LIMIT_MS; ms++) {
		got = net_tx_reap(&e->tx);
		CHECK(got >= 0, "reaped: %d", got);
		n += got;
		usleep(1000);
	}
	CHECK_EQ(n, ZCOPY_NR);
	CHECK_EQ(e->tx.posted, 0);
	return 0;
}

/* The number of the next frame that arrives; @changed: its last byte is that. */
static int take(int changed, uint32_t *nr)
{
	const struct wire far = { .opts.gso = true, .sock = plug.sock };
	static uint8_t buf[NET_FRAME_MAX];
	struct virtio_net_hdr h;
	unsigned int ms;
	ssize_t n = -1;
	int tci;

	for (ms = 0; n < 0 && ms < NET_HANG_LIMIT_MS; ms++) {
		n = wire_recv_gso(&far, &h, buf, sizeof(buf), &tci);
		if (n < 0)
			usleep(1000);
	}
	CHECK_EQ(n, ZCOPY_LEN);
	CHECK_EQ(h.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	/* See eth_fill_tcp(). */
	*nr = buf[2] << 24 | buf[3] << 16 | buf[4] << 8 | buf[5];
	CHECK(*nr < ZCOPY_NR, "frame %u", *nr);
	if (changed >= 0)
		CHECK_EQ(buf[ZCOPY_LEN - 1], changed);
	else
		CHECK_EQ(eth_check_tcp(buf, ZCOPY_LEN, *nr), -1);
	return 0;
}

/* Who goes through queues of several CPUs may overtake. */
int zcopy_take_all(int changed)
{
	bool seen[ZCOPY_NR] = { };
	unsigned int i;
	uint32_t nr;

	for (i = 0; i < ZCOPY_NR; i++) {
		CHECK_PASS(take(changed, &nr));
		CHECK(!seen[nr], "frame %u came twice", nr);
		seen[nr] = true;
	}
	return 0;
}
