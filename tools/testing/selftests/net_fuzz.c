// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of a network: rounds of random operations of a driver and of its VMM, each on an opening
 * of the device of its own, while one thread scribbles over rings, tables and frames and another
 * makes calls beside. Round N of seed S is round 0 of seed S + N, so that the last one that was
 * announced can be done again. The device may refuse and break what it likes; after it a sane VMM
 * finds a device that works, and the kernel has nothing to report.
 */
#include <string.h>
#include <unistd.h>

#include "net_fuzz.h"

#define FUZZ_OPS	64
/* Rounds after which a sane VMM looks. */
#define FUZZ_SANE	8

static void fuzz_drain_wire(struct net_env *e)
{
	uint8_t buf[ETH_USUAL];

	while (wire_recv(&e->w, buf, sizeof(buf)) != -EAGAIN)
		;
}

static int fuzz_open_device(struct net_env *e, struct net_opts *opts)
{
	opts->mem_size += NET_BUFS * (e->rx_room + e->tx_room + 256);
	CHECK_OK(net_open(&e->n, opts));
	CHECK_OK(net_bufs_init(&e->rx, &e->n, NET_RX, NET_BUFS, e->rx_room));
	CHECK_OK(net_bufs_init(&e->tx, &e->n, NET_TX, NET_BUFS, e->tx_room));
	return 0;
}

static void fuzz_close_device(struct net_env *e)
{
	net_bufs_destroy(&e->rx);
	net_bufs_destroy(&e->tx);
	net_close(&e->n);
}

static void fuzz_choose(struct net_opts *opts, struct prng *p)
{
	static const uint64_t odd[] = {
		BIT(VIRTIO_RING_F_EVENT_IDX), BIT(VIRTIO_RING_F_INDIRECT_DESC),
		BIT(VIRTIO_NET_F_MRG_RXBUF), BIT(VIRTIO_F_VERSION_1), 0, 0,
	};

	opts->num = 64;
	opts->without = odd[prng_range(p, 0, 5)];
	opts->with = (prng_chance(p, 50) ? BIT(VIRTIO_F_RING_PACKED) : 0) |
		     (prng_chance(p, 30) ? BIT(VIRTIO_F_IN_ORDER) : 0) |
		     (prng_chance(p, 10) ? BIT(VHOST_NET_F_VIRTIO_NET_HDR) : 0);
	opts->iotlb = prng_chance(p, 40);
	opts->base = prng_range(p, 0, 2) ? prng_next(p) : 0;
}

static int fuzz_open(struct net_fuzz *f, struct net_env *e, uint64_t seed)
{
	struct net_opts opts = e->opts;
	struct prng choice = { seed };
	struct net *n = &e->n;

	e->seed = seed;
	fuzz_choose(&opts, &choice);
	CHECK_PASS(fuzz_open_device(e, &opts));
	*f = (struct net_fuzz){
		.e = e,
		.other = wire_reopen(&e->w),
		.n = {
			.kind = &net_fuzz_kind, .device = f, .first = &n->v, .rings = n->rings,
			.queues = NET_QUEUES, .guest = &n->mem, .iotlb = opts.iotlb,
			.num = opts.num, .features = n->features, .offered = n->offered,
			.fds = {
				n->v.fd, e->w.backend, e->w.sock, n->rings[NET_RX].kick_fd,
				n->rings[NET_TX].call_fd,
			},
			.nr_fds = 5,
		},
	};
	CHECK(f->other >= 0, "no other queue: %d", f->other);
	f->n.fds[f->n.nr_fds++] = f->other;
	CHECK_OK(node_fuzz_open(&f->n, seed));
	CHECK_OK(net_start(n, e->w.backend));
	if (opts.iotlb)
		vhost_map_gmem(&n->v, &f->n.mem);
	return 0;
}

static int fuzz_round(struct net_env *e, uint64_t seed)
{
	struct net_fuzz f;

	/* A link that was left down comes up for the next one. */
	wire_link(e->w.name, true);
	CHECK_PASS(fuzz_open(&f, e, seed));
	CHECK_OK(net_env_scribble(e, &f.s, prng_range(&f.n.prng, 1, SCRIBBLE_ALL)));
	CHECK_OK(node_fuzz_start(&f.n));
	node_fuzz_run(&f.n, prng_range(&f.n.prng, 1, FUZZ_OPS));
	node_fuzz_stop(&f.n);
	ring_scribble_stop(&f.s);
	close(f.other);
	fuzz_close_device(e);
	node_fuzz_close(&f.n);
	return 0;
}

/* What was sent before may still be in the tap, or on its way from there: takes it. */
static int fuzz_settle(struct net_env *e)
{
	struct net_frame f;
	unsigned int quiet;
	int res;

	fuzz_drain_wire(e);
	for (quiet = 0; quiet < 50; quiet++) {
		CHECK_OK(net_rx_fill(&e->rx));
		while ((res = net_rx_take(&e->rx, &f)) > 0)
			quiet = 0;
		CHECK_OK(res);
		usleep(1000);
	}
	fuzz_drain_wire(e);
	return 0;
}

static int fuzz_sane(struct net_env *e)
{
	struct net_opts opts = e->opts;
	int res;

	wire_link(e->w.name, true);
	CHECK_PASS(fuzz_open_device(e, &opts));
	CHECK_OK(net_start(&e->n, e->w.backend));
	res = fuzz_settle(e);
	if (!res)
		res = net_env_verify(e);
	fuzz_close_device(e);
	return res;
}

static int fuzz(void *ctx)
{
	struct net_env *e = ctx;
	uint64_t seed = e->seed;
	unsigned int i;

	NEED_OURS(e);
	e->wire.hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf);
	CHECK_OK(wire_open(&e->w, &e->wire));
	for (i = 0; i < e->rounds; i++) {
		ktap_diag("round --seed %llu --rounds 1", (unsigned long long)(seed + i));
		CHECK_PASS(fuzz_round(e, seed + i));
		if (i % FUZZ_SANE == FUZZ_SANE - 1 || i == e->rounds - 1)
			CHECK_PASS(fuzz_sane(e));
	}
	wire_close(&e->w);
	node_fuzz_tell(&net_fuzz_kind);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(fuzz),
};

int main(int argc, char **argv)
{
	const struct ktap_suite suite = {
		.name = "any operation",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 3600,
	};
	static struct net_env e;

	net_env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
