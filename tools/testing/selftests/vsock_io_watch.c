// SPDX-License-Identifier: GPL-2.0-only
/* What others are shown of sockets and packets: ss, and captures by vsockmon. */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/vsockmon.h>

#include "vsock_diag.h"
#include "vsock_io.h"
#include "wire.h"

#define TAP	"vsocktest"
/* In one buffer, and in several. */
#define SHORT	4000u
#define LONG	9000u

struct wanted {
	uint32_t cid;
	const struct vsock_conn *c;
	unsigned int listening, connected;
};

static void look_at(const struct vsock_diag_msg *m, void *arg)
{
	struct wanted *w = arg;

	w->listening += m->vdiag_state == TCP_LISTEN && m->vdiag_src_port == HOST_PORT;
	w->connected += m->vdiag_state == TCP_ESTABLISHED && m->vdiag_type == SOCK_STREAM &&
			m->vdiag_dst_cid == w->cid && m->vdiag_dst_port == w->c->port &&
			m->vdiag_src_port == w->c->host_port;
}

static int watch_sockets(void *ctx)
{
	struct vsock_env *e = ctx;
	struct wanted w = { .cid = e->opts.dev.cid };
	int fd = host_listen(STREAM, HOST_PORT, 1);
	struct vsock_pair p;

	CHECK_OK(fd);
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	w.c = p.c;
	CHECK_OK(vsock_diag_each(look_at, &w));
	CHECK_EQ(w.listening, 1);
	CHECK_EQ(w.connected, 1);
	CHECK_EQ(vsock_diag_count(w.cid), 1);
	CHECK_PASS(vsock_env_end(e, &p));
	AWAIT(e, !vsock_diag_count(w.cid));
	close(fd);
	return 0;
}

/* What was captured of one connection. */
struct captured {
	int fd;
	unsigned int ops[AF_VSOCK_OP_PAYLOAD + 1];
	uint64_t bytes[2];	/* to the host, to the guest */
};

static int open_tap(struct captured *t)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

	*t = (struct captured){ };
	wire_run("ip link del " TAP);
	CHECK_OK(wire_run("ip link add " TAP " type vsockmon && ip link set " TAP " up"));
	t->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	CHECK(t->fd >= 0, "no packet socket");
	a.sll_ifindex = if_nametoindex(TAP);
	CHECK_EQ(bind(t->fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	return 0;
}

static int check_packet(struct captured *t, const struct vsock_env *e, const uint8_t *p, size_t len)
{
	struct virtio_vsock_hdr inner;
	struct af_vsockmon_hdr h;
	uint32_t data;
	bool in;

	CHECK(len >= sizeof(h) + sizeof(inner), "%zu bytes are captured", len);
	memcpy(&h, p, sizeof(h));
	memcpy(&inner, p + sizeof(h), sizeof(inner));
	CHECK_EQ(le16toh(h.transport), AF_VSOCK_TRANSPORT_VIRTIO);
	CHECK_EQ(le16toh(h.len), sizeof(inner));
	CHECK_EQ(h.src_cid, inner.src_cid);
	CHECK_EQ(h.dst_cid, inner.dst_cid);
	CHECK_EQ(h.src_port, inner.src_port);
	CHECK_EQ(h.dst_port, inner.dst_port);
	CHECK(le16toh(h.op) <= AF_VSOCK_OP_PAYLOAD, "operation %u", le16toh(h.op));
	in = le64toh(h.dst_cid) == e->opts.dev.cid;
	data = len - sizeof(h) - sizeof(inner);
	CHECK_EQ(le32toh(inner.len), data);
	CHECK_EQ(pattern_bytes_check(p + sizeof(h) + sizeof(inner), data, t->bytes[in], in), -1);
	t->ops[le16toh(h.op)]++;
	t->bytes[in] += data;
	return 0;
}

static int capture(struct vsock_env *e, uint32_t len)
{
	static uint8_t buf[VSOCK_DATA_MAX + 200];
	struct captured t;
	struct vsock_pair p;
	ssize_t n;

	CHECK_PASS(open_tap(&t));
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	pattern_bytes_fill(buf, len, 0, 1);
	CHECK_EQ(host_send(p.fd, buf, len, 0), len);
	pattern_bytes_fill(buf, len, 0, 0);
	CHECK_EQ(vsock_conn_send(p.c, buf, len, 0), len);
	AWAIT(e, p.c->received == len && host_poll(p.fd, POLLIN));
	CHECK_PASS(vsock_env_end(e, &p));
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	while ((n = recv(t.fd, buf, sizeof(buf), 0)) > 0)
		CHECK_PASS(check_packet(&t, e, buf, n));
	close(t.fd);
	CHECK_OK(wire_run("ip link del " TAP));
	CHECK_EQ(t.ops[AF_VSOCK_OP_CONNECT], 2);
	CHECK(t.ops[AF_VSOCK_OP_DISCONNECT] >= 2, "%u", t.ops[AF_VSOCK_OP_DISCONNECT]);
	CHECK_EQ(t.bytes[0], len);
	CHECK_EQ(t.bytes[1], len);
	return 0;
}

static int watch_packets(void *ctx)
{
	return capture(ctx, SHORT);
}

static int watch_split_packets(void *ctx)
{
	struct vsock_env *e = ctx;

	NEED_OURS(e, "some kernels show what is left of a packet with each of its parts");
	return capture(e, LONG);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(watch_sockets),
	KTAP_TEST(watch_packets),
	KTAP_TEST(watch_split_packets),
};

const struct ktap_suite vsock_io_watch_suite = {
	.name = "others that look",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
