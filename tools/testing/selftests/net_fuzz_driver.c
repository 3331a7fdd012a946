// SPDX-License-Identifier: GPL-2.0-only
/* What a driver does by turns, and the network: frames, buffers, resets. */
#include <fcntl.h>
#include <unistd.h>

#include "net_fuzz.h"

/* Chains that are not taken apart when they come back. */
static char chain;

static struct net_env *env(const struct node_fuzz *f)
{
	return ((struct net_fuzz *)f->device)->e;
}

/* A piece of a chain: mostly of a buffer, or of memory that comes and goes, or nowhere. */
static struct ring_seg piece(struct node_fuzz *f, struct prng *p, bool write)
{
	const struct net_bufs *b = write ? &env(f)->rx : &env(f)->tx;
	struct ring_seg seg = {
		.addr = gmem_iova(&env(f)->n.mem, b->bufs[prng_range(p, 0, b->count - 1)].va),
		.len = prng_range(p, 0, prng_chance(p, 90) ? NET_ROOM : 70000),
		.write = prng_chance(p, 97) ? write : !write,
	};

	if (prng_chance(p, 15))
		seg.addr = NODE_FUZZ_MEM_IOVA + prng_range(p, 0, NODE_FUZZ_MEM_SIZE - 1);
	else if (prng_chance(p, 3))
		seg.addr = node_fuzz_address(f, p);
	if (prng_chance(p, 1))
		seg.len = prng_next(p);
	return seg;
}

static void chains(struct node_fuzz *f, struct prng *p, unsigned int q)
{
	struct ring *r = &env(f)->n.rings[q];
	struct ring_seg segs[6];
	unsigned int n, i;

	for (n = prng_range(p, 1, 32); n; n--) {
		unsigned int count = prng_range(p, 1, prng_chance(p, 80) ? 2 : 6);

		for (i = 0; i < count; i++)
			segs[i] = piece(f, p, q == NET_RX);
		/* A header, and a frame behind it. */
		if (q == NET_TX && prng_chance(p, 70))
			segs[0].len = prng_range(p, env(f)->n.hdr_len, 1600);
		if (ring_add(r, segs, count, prng_range(p, RING_DIRECT, RING_MIXED), &chain) < 0)
			break;
	}
	ring_publish(r);
	ring_kick(r);
}

static void frames_out(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	chains(f, p, NET_TX);
}

static void buffers(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	chains(f, p, NET_RX);
}

static void frames_in(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	uint8_t buf[ETH_USUAL];
	unsigned int n;

	for (n = prng_range(p, 1, 80); n; n--) {
		uint32_t len = prng_range(p, 60, sizeof(buf));

		eth_fill(buf, len, ETH_TO_GUEST, n);
		wire_send(&env(f)->w, buf, len);
	}
}

static void collect(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	uint8_t buf[ETH_USUAL];
	unsigned int q, n;
	uint32_t len;

	ring_wait(&env(f)->n.rings[node_fuzz_queue(f, p)], 2);
	for (q = 0; q < NET_QUEUES; q++)
		for (n = 0; n < 64 && ring_collect(&env(f)->n.rings[q], &len); n++)
			;
	for (n = 0; n < 200 && wire_recv(&env(f)->w, buf, sizeof(buf)) != -EAGAIN; n++)
		;
}

static void restart(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	net_restart(&env(f)->n);
}

/* Features that the client doesn't mean are negotiated, or are not. */
static void features(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	struct net *n = &env(f)->n;
	const uint64_t kept = n->features;
	const uint64_t words[VHOST_FEATURE_WORDS] = {
		n->offered & (prng_chance(p, 50) ? prng_next(p) : prng_next(p) | kept),
		prng_chance(p, 50) ? 0 : prng_next(p) & NET_TUNNELS,
	};

	if (net_reset(n))
		return;
	n->features = words[0];
	if (!net_prepare(n)) {
		vhost_set_feature_words(&n->v, words, VHOST_FEATURE_WORDS);
		net_attach(n, NET_RX, env(f)->w.backend);
		net_attach(n, NET_TX, env(f)->w.backend);
	}
	n->features = kept;
}

static void link_down(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	wire_link(env(f)->w.name, false);
}

static void link_up(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	wire_link(env(f)->w.name, true);
}

static void backend(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct net_fuzz *n = f->device;
	struct vhost_vring_file file = { .index = node_fuzz_queue(f, p), .fd = -1 };

	if (prng_chance(p, 80))
		file.fd = prng_chance(p, 70) ? n->e->w.backend : n->other;
	if (prng_chance(p, 20))
		file.fd = f->fds[prng_range(p, 0, f->nr_fds - 1)];
	vhost_ioctl(v, VHOST_NET_SET_BACKEND, &file);
}

/* What queues do that are started from now on. */
static void zcopy(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	int fd = open("/sys/module/pvio_vhost_net/parameters/zcopytx", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, prng_chance(p, 50) ? "1" : "0", 1) != 1)
		ktap_diag("zcopytx can't be set");
	close(fd);
}

static const struct node_fuzz_op ops[] = {
	{ "frames out", false, frames_out },
	{ "frames out", false, frames_out },
	{ "frames out", false, frames_out },
	{ "buffers", false, buffers },
	{ "buffers", false, buffers },
	{ "frames in", true, frames_in },
	{ "frames in", true, frames_in },
	{ "collect", false, collect },
	{ "collect", false, collect },
	{ "restart", false, restart },
	{ "features", false, features },
	{ "link down", true, link_down },
	{ "link up", true, link_up },
	{ "link up", true, link_up },
	{ "zero copy", true, zcopy },
	{ "backend", true, backend },
	{ "backend", true, backend },
};

static const unsigned long calls[] = { VHOST_NET_SET_BACKEND };

const struct node_fuzz_kind net_fuzz_kind = {
	.ops = ops,
	.count = sizeof(ops) / sizeof(*ops),
	.calls = calls,
	.nr_calls = 1,
};
