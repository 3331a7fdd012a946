// SPDX-License-Identifier: GPL-2.0-only
/* What a guest, a VMM and the host's sockets do by turns. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "vsock_fuzz.h"

/* Chains that are not taken apart when they come back. */
static char chain;

static struct vsock_fuzz *fuzz_of(const struct node_fuzz *f)
{
	return f->device;
}

static struct vsock_guest *guest_of(const struct node_fuzz *f)
{
	return &fuzz_of(f)->e->g;
}

/* Any connection, or NULL. */
static struct vsock_conn *any_conn(struct vsock_guest *g, struct prng *p)
{
	unsigned int from = prng_range(p, 0, VSOCK_HASH - 1), i;

	for (i = 0; i < VSOCK_HASH; i++)
		if (g->conns[(from + i) % VSOCK_HASH])
			return g->conns[(from + i) % VSOCK_HASH];
	return NULL;
}

static uint32_t any_number(struct prng *p)
{
	static const uint32_t odd[] = { 0, 1, 4096, 0x10000, 0x7fffffff, 0x80000000, UINT32_MAX };

	return prng_chance(p, 60) ? odd[prng_range(p, 0, 6)] : prng_next(p);
}

/* Of a connection that there is, mostly, and mostly not quite right. */
static struct virtio_vsock_hdr any_header(struct node_fuzz *f, struct prng *p)
{
	struct vsock_guest *g = guest_of(f);
	const struct vsock_conn *c = any_conn(g, p);
	uint16_t type = prng_range(p, STREAM, SEQPACKET);
	uint32_t port = prng_range(p, 1, 40), host_port = HOST_PORT + type;
	struct virtio_vsock_hdr h;

	if (c && prng_chance(p, 70)) {
		type = c->type;
		port = c->port;
		host_port = c->host_port;
	}
	h = vsock_guest_hdr(g, type, prng_range(p, 0, prng_chance(p, 95) ? 7 : 0xffff), port,
			    host_port);
	h.buf_alloc = htole32(prng_chance(p, 70) ? GUEST_ALLOC : any_number(p));
	h.fwd_cnt = htole32(c && prng_chance(p, 70) ? c->fwd_cnt : any_number(p));
	h.flags = htole32(prng_chance(p, 80) ? prng_range(p, 0, 3) : any_number(p));
	if (prng_chance(p, 3))
		h.src_cid = htole64(prng_chance(p, 50) ? any_number(p) : prng_next(p));
	if (prng_chance(p, 3))
		h.dst_cid = htole64(prng_chance(p, 50) ? any_number(p) : prng_next(p));
	if (prng_chance(p, 3))
		h.type = htole16(prng_next(p));
	return h;
}

/* A piece of a chain: of a buffer, or of memory that comes and goes, or nowhere. */
static struct ring_seg piece(struct node_fuzz *f, struct prng *p, const uint8_t *at, uint32_t len,
			     bool write)
{
	struct ring_seg seg = {
		.addr = gmem_iova(f->guest, at),
		.len = len,
		.write = prng_chance(p, 97) ? write : !write,
	};

	if (prng_chance(p, 5))
		seg.addr = NODE_FUZZ_MEM_IOVA + prng_range(p, 0, NODE_FUZZ_MEM_SIZE - 1);
	else if (prng_chance(p, 2))
		seg.addr = node_fuzz_address(f, p);
	if (prng_chance(p, 1))
		seg.len = prng_next(p);
	return seg;
}

static void put_chain(struct node_fuzz *f, struct prng *p, unsigned int q)
{
	const struct vsock_guest *g = guest_of(f);
	const struct vsock_bufs *b = q == VSOCK_TX ? &g->tx : &g->rx;
	uint8_t *at = b->bufs[prng_range(p, 0, b->count - 1)].va;
	uint32_t len = prng_chance(p, 60) ? 0 : prng_range(p, 1, prng_chance(p, 80) ? 100 : 4000);
	struct virtio_vsock_hdr h = any_header(f, p);
	struct ring_seg segs[3];
	unsigned int n = 1;

	h.len = htole32(prng_chance(p, 90) ? len : any_number(p));
	if (q == VSOCK_TX)
		memcpy(at, &h, sizeof(h));
	else
		len = prng_range(p, 0, 3000);
	segs[0] = piece(f, p, at, VSOCK_HDR_LEN + len, q == VSOCK_RX);
	if (prng_chance(p, 30)) {
		uint32_t first = prng_range(p, 0, VSOCK_HDR_LEN + len);

		segs[0] = piece(f, p, at, first, q == VSOCK_RX);
		segs[n++] = piece(f, p, at + first, VSOCK_HDR_LEN + len - first, q == VSOCK_RX);
	}
	ring_add(&f->rings[q], segs, n, prng_range(p, RING_DIRECT, RING_MIXED), &chain);
}

static void chains(struct node_fuzz *f, struct prng *p, unsigned int q)
{
	unsigned int n;

	for (n = prng_range(p, 1, 32); n; n--)
		put_chain(f, p, q);
	ring_publish(&f->rings[q]);
	ring_kick(&f->rings[q]);
}

static void packets(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	chains(f, p, VSOCK_TX);
}

static void buffers(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	chains(f, p, VSOCK_RX);
}

/* Takes back whatever there is, its own buffers too. */
static void collect(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q, n;
	uint32_t len;

	ring_wait(&f->rings[node_fuzz_queue(f, p)], 2);
	for (q = 0; q < VSOCK_QUEUES; q++)
		for (n = 0; n < 64 && ring_collect(&f->rings[q], &len); n++)
			;
}

static void restart(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	vsock_guest_restart(guest_of(f));
	vsock_guest_listen(guest_of(f), STREAM, GUEST_PORT, GUEST_ALLOC);
	vsock_guest_listen(guest_of(f), SEQPACKET, GUEST_PORT, GUEST_ALLOC);
}

/* A new driver, and a guest that behaves for some time. */
static void behave(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	static const uint8_t data[8000];
	struct vsock_guest *g = guest_of(f);
	struct vsock_conn *c;
	unsigned int turns;

	restart(f, v, p);
	for (turns = prng_range(p, 1, 40); turns; turns--) {
		if (vsock_guest_turn(g) < 0)
			return;
		if (prng_chance(p, 20))
			vsock_connect(g, prng_range(p, STREAM, SEQPACKET),
				      HOST_PORT + prng_range(p, 0, 2), any_number(p));
		c = any_conn(g, p);
		if (c && prng_chance(p, 50))
			c->sink = true;
		if (c && prng_chance(p, 50))
			vsock_conn_send(c, data, prng_range(p, 1, sizeof(data)),
					c->type == SEQPACKET ? prng_range(p, 0, 3) : 0);
		if (c && prng_chance(p, 5))
			vsock_conn_shutdown(c, prng_range(p, 1, 3));
		if (c && prng_chance(p, 3))
			vsock_conn_reset(c);
		vsock_guest_wait(g, NULL, 0, 1);
	}
}

static void features(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	struct vsock *s = &guest_of(f)->s;
	const uint64_t kept = s->features;

	if (vsock_stop(s))
		return;
	s->features = s->offered & (prng_chance(p, 50) ? prng_next(p) : prng_next(p) | kept) &
		      ~BIT(VHOST_F_LOG_ALL);
	vsock_start(s);
	s->features = kept;
}

static void running(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	int start = prng_chance(p, 70);

	vhost_ioctl(v, VHOST_VSOCK_SET_RUNNING, &start);
}

static void cid(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	uint64_t number = fuzz_of(f)->e->opts.dev.cid;

	if (prng_chance(p, 30))
		number = prng_chance(p, 50) ? number + prng_range(p, 1, 3) : any_number(p);
	vhost_ioctl(v, VHOST_VSOCK_SET_GUEST_CID, &number);
}

static void host_connects(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	vsock_fuzz_keep(fuzz_of(f), p, host_connect(prng_range(p, STREAM, SEQPACKET),
						    fuzz_of(f)->e->opts.dev.cid, GUEST_PORT));
}

static void host_accepts(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	vsock_fuzz_keep(fuzz_of(f), p, host_accept(fuzz_of(f)->listeners[prng_range(p, 0, 1)]));
}

static int any_socket(const struct node_fuzz *f, struct prng *p)
{
	return fuzz_of(f)->sockets[prng_range(p, 0, FUZZ_SOCKETS - 1)];
}

static void host_sends(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	static const uint8_t much[100000];
	static const int flags[] = { 0, 0, 0, MSG_EOR, MSG_ZEROCOPY, MSG_OOB };
	unsigned int n;

	for (n = prng_range(p, 1, 20); n; n--)
		host_send(any_socket(f, p), much,
			  prng_range(p, 0, prng_chance(p, 70) ? 300 : sizeof(much)),
			  flags[prng_range(p, 0, 5)]);
}

static void host_receives(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	static const int flags[] = { 0, 0, 0, MSG_PEEK, MSG_TRUNC, MSG_ERRQUEUE };
	uint8_t buf[5000];
	unsigned int n;

	for (n = prng_range(p, 1, 20); n; n--)
		host_recv(any_socket(f, p), buf, prng_range(p, 0, sizeof(buf)),
			  flags[prng_range(p, 0, 5)]);
}

static void host_options(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	static const int sizes[] = {
		SO_VM_SOCKETS_BUFFER_SIZE, SO_VM_SOCKETS_BUFFER_MIN_SIZE,
		SO_VM_SOCKETS_BUFFER_MAX_SIZE,
	};
	int fd = any_socket(f, p), one = 1, low = prng_range(p, 0, 70000), bytes;

	host_set_buffer(fd, sizes[prng_range(p, 0, 2)], prng_range(p, 0, 400000));
	setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low));
	host_unsent(fd, &bytes);
	host_error(fd);
}

static void host_shuts(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	shutdown(any_socket(f, p), prng_range(p, SHUT_RD, SHUT_RDWR));
}

static void host_closes(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	int fd = atomic_exchange(&fuzz_of(f)->sockets[prng_range(p, 0, FUZZ_SOCKETS - 1)], -1);

	if (fd >= 0)
		close(fd);
}

static const struct node_fuzz_op ops[] = {
	{ "packets", false, packets },
	{ "packets", false, packets },
	{ "packets", false, packets },
	{ "buffers", false, buffers },
	{ "buffers", false, buffers },
	{ "collect", false, collect },
	{ "collect", false, collect },
	{ "restart", false, restart },
	{ "behave", false, behave },
	{ "behave", false, behave },
	{ "features", false, features },
	{ "running", true, running },
	{ "running", true, running },
	{ "CID", true, cid },
	{ "host connects", true, host_connects },
	{ "host connects", true, host_connects },
	{ "host accepts", true, host_accepts },
	{ "host accepts", true, host_accepts },
	{ "host sends", true, host_sends },
	{ "host sends", true, host_sends },
	{ "host receives", true, host_receives },
	{ "host receives", true, host_receives },
	{ "host's options", true, host_options },
	{ "host shuts down", true, host_shuts },
	{ "host closes", true, host_closes },
};

static const unsigned long calls[] = { VHOST_VSOCK_SET_GUEST_CID, VHOST_VSOCK_SET_RUNNING };

const struct node_fuzz_kind vsock_fuzz_kind = {
	.ops = ops,
	.count = sizeof(ops) / sizeof(*ops),
	.calls = calls,
	.nr_calls = sizeof(calls) / sizeof(*calls),
};
