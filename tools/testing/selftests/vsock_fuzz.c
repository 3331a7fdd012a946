// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of sockets: rounds of random operations of a guest, of its VMM and of the host's
 * sockets, each on an opening of the device of its own, while one thread scribbles over rings,
 * tables and packets and another makes calls beside. Round N of seed S is round 0 of seed S + N,
 * so that the last one that was announced can be done again. The device may refuse and break what
 * it likes; after it a sane guest finds a device that works, no socket is left over, and the kernel
 * has nothing to report.
 */
#include <string.h>
#include <unistd.h>

#include "vsock_diag.h"
#include "vsock_fuzz.h"

#define FUZZ_OPS	96
/* Rounds after which a sane guest looks. */
#define FUZZ_SANE	8
#define BACKLOG		8

static void fuzz_choose(struct vsock_guest_opts *o, struct prng *p)
{
	static const uint64_t odd[] = {
		BIT(VIRTIO_RING_F_EVENT_IDX), BIT(VIRTIO_RING_F_INDIRECT_DESC),
		BIT(VIRTIO_VSOCK_F_SEQPACKET), BIT(VIRTIO_F_VERSION_1), 0, 0,
	};

	o->dev.num = 64;
	o->dev.without = odd[prng_range(p, 0, 5)];
	o->dev.iotlb = prng_chance(p, 40);
	o->dev.base = prng_range(p, 0, 2) ? prng_next(p) : 0;
	o->tx_room = 8192;
}

/* Of those that not every device has. */
static void fuzz_choose_ring(struct vsock_guest_opts *o, struct prng *p)
{
	o->dev.with = (prng_chance(p, 50) ? BIT(VIRTIO_F_RING_PACKED) : 0) |
		      (prng_chance(p, 30) ? BIT(VIRTIO_F_IN_ORDER) : 0);
}

static uint8_t *any_buffer(void *ctx, struct prng *p)
{
	const struct vsock_env *e = ctx;
	const struct vsock_bufs *b = prng_chance(p, 80) ? &e->g.tx : &e->g.rx;

	return b->bufs[prng_range(p, 0, b->count - 1)].va;
}

static int fuzz_open(struct vsock_fuzz *f, struct vsock_env *e, const int *listeners, uint64_t seed)
{
	struct vsock_guest_opts opts = e->opts;
	struct prng choice = { seed };
	struct vsock *s = &e->g.s;
	unsigned int i;

	e->seed = seed;
	fuzz_choose(&opts, &choice);
	if (!e->peer)
		fuzz_choose_ring(&opts, &choice);
	CHECK_OK(vsock_guest_open(&e->g, &opts));
	*f = (struct vsock_fuzz){
		.e = e,
		.listeners = listeners,
		.n = {
			.kind = &vsock_fuzz_kind, .device = f, .first = &s->v, .rings = s->rings,
			.queues = VSOCK_QUEUES, .guest = &s->mem, .iotlb = opts.dev.iotlb,
			.num = opts.dev.num, .features = s->features, .offered = s->offered,
			.fds = {
				s->v.fd, listeners[0], s->rings[VSOCK_RX].kick_fd,
				s->rings[VSOCK_TX].call_fd,
			},
			.nr_fds = 4,
		},
		.s = {
			.rings = s->rings, .queues = VSOCK_QUEUES, .mem = &s->mem,
			.hdr_len = VSOCK_HDR_LEN, .buffer = any_buffer, .ctx = e,
		},
	};
	for (i = 0; i < FUZZ_SOCKETS; i++)
		f->sockets[i] = -1;
	CHECK_OK(node_fuzz_open(&f->n, seed));
	vsock_guest_listen(&e->g, STREAM, GUEST_PORT, GUEST_ALLOC);
	vsock_guest_listen(&e->g, SEQPACKET, GUEST_PORT, GUEST_ALLOC);
	CHECK_OK(vsock_start(s));
	if (opts.dev.iotlb)
		vhost_map_gmem(&s->v, &f->n.mem);
	return 0;
}

void vsock_fuzz_keep(struct vsock_fuzz *f, struct prng *p, int fd)
{
	int old;

	if (fd < 0)
		return;
	old = atomic_exchange(&f->sockets[prng_range(p, 0, FUZZ_SOCKETS - 1)], fd);
	if (old >= 0)
		close(old);
}

static void close_sockets(struct vsock_fuzz *f)
{
	unsigned int i;
	int fd;

	for (i = 0; i < FUZZ_SOCKETS; i++)
		if (f->sockets[i] >= 0)
			close(f->sockets[i]);
	for (i = 0; i < 2; i++)
		while ((fd = host_accept(f->listeners[i])) >= 0)
			close(fd);
}

static int fuzz_round(struct vsock_env *e, const int *listeners, uint64_t seed)
{
	static struct vsock_fuzz f;

	CHECK_PASS(fuzz_open(&f, e, listeners, seed));
	f.s.targets = prng_range(&f.n.prng, 1, SCRIBBLE_ALL);
	CHECK_OK(ring_scribble_start(&f.s, seed));
	CHECK_OK(node_fuzz_start(&f.n));
	node_fuzz_run(&f.n, prng_range(&f.n.prng, 1, FUZZ_OPS));
	node_fuzz_stop(&f.n);
	ring_scribble_stop(&f.s);
	close_sockets(&f);
	vsock_guest_close(&e->g);
	node_fuzz_close(&f.n);
	return 0;
}

static int fuzz_sane(struct vsock_env *e)
{
	CHECK_PASS(vsock_env_start(e));
	CHECK_PASS(vsock_env_verify(e));
	return vsock_env_close(e);
}

static int open_listeners(int *listeners)
{
	listeners[0] = host_listen(STREAM, HOST_PORT + 1, BACKLOG);
	CHECK_OK(listeners[0]);
	listeners[1] = host_listen(SEQPACKET, HOST_PORT + 2, BACKLOG);
	CHECK_OK(listeners[1]);
	return 0;
}

static int fuzz(void *ctx)
{
	struct vsock_env *e = ctx;
	uint64_t seed = e->seed;
	unsigned int i;
	int listeners[2];

	CHECK_PASS(open_listeners(listeners));
	for (i = 0; i < e->rounds; i++) {
		ktap_diag("round --seed %llu --rounds 1", (unsigned long long)(seed + i));
		CHECK_PASS(fuzz_round(e, listeners, seed + i));
		if (i % FUZZ_SANE == FUZZ_SANE - 1 || i == e->rounds - 1)
			CHECK_PASS(fuzz_sane(e));
	}
	close(listeners[0]);
	close(listeners[1]);
	node_fuzz_tell(&vsock_fuzz_kind);
	AWAIT_HOST(!vsock_diag_count(e->opts.dev.cid));
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
	static struct vsock_env e;

	vsock_env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
