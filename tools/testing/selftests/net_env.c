// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net_env.h"
#include "options.h"

static int parse_wire(void *at, const char *arg)
{
	static const char * const kinds[] = {
		[WIRE_TAP] = "tap", [WIRE_MACVTAP] = "macvtap", [WIRE_PACKET] = "packet",
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (!strcmp(arg, kinds[i])) {
			*(enum wire_kind *)at = i;
			return 0;
		}
	}
	return -1;
}

#define AT(field)	offsetof(struct net_env, field)
#define ROW(name, value, field)	{ name, value, AT(field), 0, NULL }

static const struct option_row options[] = {
	ROW("node", OPTION_TEXT, opts.node),
	{ "wire", OPTION_PARSED, AT(wire.kind), 0, parse_wire },
	ROW("num", OPTION_NUMBER16, opts.num),
	ROW("base", OPTION_NUMBER16, opts.base),
	ROW("tunnels", OPTION_FLAG, opts.tunnels),
	ROW("iotlb", OPTION_FLAG, opts.iotlb),
	ROW("peer", OPTION_FLAG, peer),
	ROW("only", OPTION_TEXT, only),
	ROW("seed", OPTION_NUMBER64, seed),
	ROW("rounds", OPTION_NUMBER, rounds),
	{ "packed", OPTION_BITS, AT(opts.with), BIT(VIRTIO_F_RING_PACKED), NULL },
	{ "in-order", OPTION_BITS, AT(opts.with), BIT(VIRTIO_F_IN_ORDER), NULL },
	{ "vhost-hdr", OPTION_BITS, AT(opts.with), BIT(VHOST_NET_F_VIRTIO_NET_HDR), NULL },
	{ "no-mergeable", OPTION_BITS, AT(opts.without), BIT(VIRTIO_NET_F_MRG_RXBUF), NULL },
	{ "no-event-idx", OPTION_BITS, AT(opts.without), BIT(VIRTIO_RING_F_EVENT_IDX), NULL },
	{ "no-indirect", OPTION_BITS, AT(opts.without), BIT(VIRTIO_RING_F_INDIRECT_DESC), NULL },
	{ "legacy", OPTION_BITS, AT(opts.without), BIT(VIRTIO_F_VERSION_1), NULL },
};

#define OPTIONS	(sizeof(options) / sizeof(*options))

static void die_of_usage(const char *program)
{
	fprintf(stderr,
		"usage: %s --node PATH [--peer] [--wire tap|macvtap|packet] [--num N] [--base N]\n"
		"       [--packed] [--in-order] [--vhost-hdr] [--legacy] [--tunnels] [--iotlb]\n"
		"       [--no-mergeable] [--no-event-idx] [--no-indirect]\n"
		"       [--only TEST] [--seed N] [--rounds N]\n", program);
	exit(2);
}

/* So that it can be closed without having been opened. */
static void net_env_forget(struct net_env *e)
{
	e->n.v.fd = -1;
	e->n.mem.fd = -1;
	e->n.error_fd[NET_RX] = -1;
	e->n.error_fd[NET_TX] = -1;
	e->w.backend = -1;
	e->w.sock = -1;
}

void net_env_parse(struct net_env *e, int argc, char **argv)
{
	int err;

	memset(e, 0, sizeof(*e));
	net_env_forget(e);
	e->opts.num = 256;
	e->opts.mem_size = MIB;
	e->rx_room = NET_ROOM;
	e->tx_room = NET_ROOM;
	e->seed = 1;
	e->rounds = 20;
	if (options_take(e, options, OPTIONS, argc, argv) || !e->opts.node)
		die_of_usage(argv[0]);
	/* A packet socket knows no header. */
	if (e->wire.kind == WIRE_PACKET)
		e->opts.with |= BIT(VHOST_NET_F_VIRTIO_NET_HDR);
	e->vhost_hdr = e->opts.with & BIT(VHOST_NET_F_VIRTIO_NET_HDR);
	ktap_diag("node %s, seed %llu", e->opts.node, (unsigned long long)e->seed);
	err = wire_namespace();
	if (err) {
		fprintf(stderr, "no network namespace: %s\n", strerror(-err));
		exit(2);
	}
}

int net_env_open(void *ctx)
{
	struct net_env *e = ctx;
	struct net_opts opts = e->opts;
	int err;

	opts.mem_size += NET_BUFS * (e->rx_room + e->tx_room + 256);
	err = net_open(&e->n, &opts);
	if (opts.tunnels && err == -EOPNOTSUPP)
		SKIP("this kernel's taps carry no tunnels");
	CHECK_OK(err);
	e->wire.tunnels = opts.tunnels && e->wire.kind == WIRE_TAP;
	e->wire.hdr_len = e->vhost_hdr ? 0 : e->n.hdr_len;
	CHECK_OK(wire_open(&e->w, &e->wire));
	e->n.backend = e->w.backend;
	CHECK_OK(net_bufs_init(&e->rx, &e->n, NET_RX, NET_BUFS, e->rx_room));
	CHECK_OK(net_bufs_init(&e->tx, &e->n, NET_TX, NET_BUFS, e->tx_room));
	return 0;
}

int net_env_start(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_PASS(net_env_open(e));
	CHECK_OK(net_start(&e->n, e->w.backend));
	return 0;
}

int net_env_start_as(struct net_env *e, uint64_t with, uint64_t without, bool gso)
{
	const struct net_opts opts = e->opts;
	const struct wire_opts wire = e->wire;
	int res;

	e->opts.with |= with;
	e->opts.without |= without;
	e->wire.gso = gso;
	res = net_env_start(e);
	e->opts = opts;
	e->wire = wire;
	return res;
}

int net_env_close(void *ctx)
{
	struct net_env *e = ctx;

	net_bufs_destroy(&e->rx);
	net_bufs_destroy(&e->tx);
	net_close(&e->n);
	wire_close(&e->w);
	return 0;
}

int net_env_send(struct net_env *e, uint32_t len, uint32_t nr)
{
	uint8_t buf[ETH_USUAL];

	eth_fill(buf, len, ETH_TO_GUEST, nr);
	CHECK_OK(wire_send(&e->w, buf, len));
	return 0;
}

int net_env_expect(struct net_env *e, uint32_t nr, unsigned int *buffers)
{
	struct net_frame f;
	unsigned int ms;
	int res = 0;

	for (ms = 0; !res && ms < NET_HANG_LIMIT_MS; ms++) {
		res = net_rx_take(&e->rx, &f);
		if (!res)
			usleep(1000);
	}
	CHECK_EQ(res, 1);
	CHECK_EQ(eth_check(f.data, f.len, ETH_TO_GUEST), nr);
	if (buffers)
		*buffers = f.buffers;
	return 0;
}

int net_env_count(struct net_env *e)
{
	unsigned long long bytes;

	if (e->w.opts.kind == WIRE_TAP)
		CHECK_OK(wire_sent(&e->w, &e->counted, &bytes));
	e->taken = e->rx.taken;
	return 0;
}

int net_env_check_count(struct net_env *e)
{
	unsigned long long packets, bytes;

	if (e->w.opts.kind != WIRE_TAP)
		return 0;
	CHECK_OK(wire_sent(&e->w, &packets, &bytes));
	CHECK(packets - e->counted == e->rx.taken - e->taken,
	      "the tap counts %llu frames, the guest got %llu", packets - e->counted,
	      e->rx.taken - e->taken);
	return 0;
}

int net_env_restart(struct net_env *e)
{
	CHECK_OK(net_restart(&e->n));
	net_bufs_forget(&e->rx);
	net_bufs_forget(&e->tx);
	return 0;
}

static int verify(struct net_env *e, bool rx, bool tx)
{
	struct net_load l;

	net_load_init(&l, e);
	l.way[NET_RX] = rx;
	l.way[NET_TX] = tx;
	l.stale[NET_RX] = true;
	l.stale[NET_TX] = true;
	l.window = 8;
	return net_load_run(&l, NET_VERIFY);
}

int net_env_verify_queue(struct net_env *e, unsigned int q)
{
	return verify(e, q == NET_RX, q == NET_TX);
}

int net_env_verify(struct net_env *e)
{
	return verify(e, true, true);
}

int net_env_verify_reset(struct net_env *e)
{
	CHECK_PASS(net_env_restart(e));
	CHECK_PASS(net_env_verify(e));
	CHECK(!net_broken(&e->n, NET_RX) && !net_broken(&e->n, NET_TX), "a queue is broken");
	return 0;
}

static uint8_t *any_buffer(void *ctx, struct prng *p)
{
	const struct net_env *e = ctx;
	const struct net_bufs *b = prng_chance(p, 80) ? &e->tx : &e->rx;

	return b->bufs[prng_range(p, 0, b->count - 1)].va;
}

int net_env_scribble(struct net_env *e, struct ring_scribbler *s, unsigned int targets)
{
	*s = (struct ring_scribbler){
		.rings = e->n.rings, .queues = NET_QUEUES, .mem = &e->n.mem,
		.hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf), .buffer = any_buffer, .ctx = e,
		.targets = targets,
	};
	return ring_scribble_start(s, e->seed);
}
