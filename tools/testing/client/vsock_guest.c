// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vsock_conn.h"

#define FIRST_PORT	0x10000u
#define GUEST_PORTS	0x1000u
#define MOST_FDS	1100u
#define PAGE		4096u
/* Alignment, and what follows a buffer. */
#define BUF_EXTRA	128u

void vsock_guest_wrong(struct vsock_guest *g, const char *fmt, ...)
{
	va_list ap;

	if (*g->wrong)
		return;
	va_start(ap, fmt);
	vsnprintf(g->wrong, sizeof(g->wrong), fmt, ap);
	va_end(ap);
}

void vsock_guest_forget(struct vsock_guest *g)
{
	memset(g, 0, sizeof(*g));
	vsock_forget(&g->s);
}

/*
 * No guest uses ports of one before it, nor of one in another process: the host may not have
 * forgotten them.
 */
static uint32_t first_port(void)
{
	static uint32_t guests;

	if (!guests)
		guests = vsock_now_ms();
	return FIRST_PORT + guests++ % 0x7fff0 * GUEST_PORTS;
}

int vsock_guest_open(struct vsock_guest *g, const struct vsock_guest_opts *opts)
{
	struct vsock_opts dev = opts->dev;
	int err;

	vsock_guest_forget(g);
	g->next_port = first_port();
	dev.mem_size += (size_t)opts->rx_bufs * (opts->rx_room + BUF_EXTRA) +
			(size_t)opts->tx_bufs * (opts->tx_room + BUF_EXTRA) + 2 * PAGE;
	err = vsock_open(&g->s, &dev);
	if (err)
		return err;
	err = vsock_bufs_init(&g->rx, &g->s, VSOCK_RX, opts->rx_bufs, opts->rx_room);
	if (!err)
		err = vsock_bufs_init(&g->tx, &g->s, VSOCK_TX, opts->tx_bufs, opts->tx_room);
	if (err)
		vsock_guest_close(g);
	return err;
}

static void forget_all(struct vsock_guest *g)
{
	vsock_conn_free_all(g);
	memset(g->listeners, 0, sizeof(g->listeners));
	g->backlog.first = 0;
	g->backlog.end = 0;
}

void vsock_guest_close(struct vsock_guest *g)
{
	forget_all(g);
	free(g->backlog.hdrs);
	vsock_bufs_destroy(&g->rx);
	vsock_bufs_destroy(&g->tx);
	vsock_close(&g->s);
	vsock_guest_forget(g);
}

int vsock_guest_restart(struct vsock_guest *g)
{
	int err = vsock_restart(&g->s);

	forget_all(g);
	vsock_bufs_forget(&g->rx);
	vsock_bufs_forget(&g->tx);
	return err;
}

struct virtio_vsock_hdr vsock_hdr(uint64_t cid, uint16_t type, uint16_t op, uint32_t port,
				  uint32_t host_port)
{
	return (struct virtio_vsock_hdr){
		.src_cid = htole64(cid),
		.dst_cid = htole64(VSOCK_HOST_CID),
		.src_port = htole32(port),
		.dst_port = htole32(host_port),
		.type = htole16(type),
		.op = htole16(op),
	};
}

struct virtio_vsock_hdr vsock_guest_hdr(const struct vsock_guest *g, uint16_t type, uint16_t op,
					uint32_t port, uint32_t host_port)
{
	return vsock_hdr(g->s.opts.cid, type, op, port, host_port);
}

int vsock_guest_put(struct vsock_guest *g, const struct virtio_vsock_hdr *hdr, const void *data,
		    uint32_t len)
{
	int err = vsock_tx_put(&g->tx, hdr, data, len);

	if (err)
		return err;
	g->unflushed = true;
	g->out[le16toh(hdr->op) % VSOCK_OPS]++;
	g->bytes_out += len;
	return 0;
}

static void keep(struct vsock_backlog *b, const struct virtio_vsock_hdr *hdr)
{
	if (b->end == b->size) {
		b->size = b->size ? b->size * 2 : 64;
		b->hdrs = realloc(b->hdrs, b->size * sizeof(*b->hdrs));
		if (!b->hdrs)
			abort();
	}
	b->hdrs[b->end++] = *hdr;
}

void vsock_guest_send(struct vsock_guest *g, const struct virtio_vsock_hdr *hdr)
{
	if (g->backlog.end || vsock_guest_put(g, hdr, NULL, 0))
		keep(&g->backlog, hdr);
}

static void send_backlog(struct vsock_guest *g)
{
	struct vsock_backlog *b = &g->backlog;

	while (b->first < b->end && !vsock_guest_put(g, &b->hdrs[b->first], NULL, 0))
		b->first++;
	if (b->first < b->end)
		return;
	b->first = 0;
	b->end = 0;
}

struct vsock_listener *vsock_guest_listen(struct vsock_guest *g, uint16_t type, uint32_t port,
					  uint32_t buf_alloc)
{
	unsigned int i;

	for (i = 0; i < VSOCK_LISTENERS; i++) {
		if (g->listeners[i].used)
			continue;
		g->listeners[i] = (struct vsock_listener){
			.used = true, .port = port, .type = type, .buf_alloc = buf_alloc,
		};
		return &g->listeners[i];
	}
	return NULL;
}

/* Flags that go with an operation; those of messages are looked at elsewhere. */
static bool flags_allowed(const struct virtio_vsock_hdr *h)
{
	uint32_t flags = le32toh(h->flags);

	switch (le16toh(h->op)) {
	case VIRTIO_VSOCK_OP_SHUTDOWN:
		return flags && flags <= VSOCK_SHUT_BOTH;
	case VIRTIO_VSOCK_OP_RW:
		if (le16toh(h->type) == VIRTIO_VSOCK_TYPE_STREAM)
			return !flags;
		return !flags || flags == VIRTIO_VSOCK_SEQ_EOM ||
		       flags == (VIRTIO_VSOCK_SEQ_EOM | VIRTIO_VSOCK_SEQ_EOR);
	}
	return !flags;
}

/* What a header says that a host may not say, or NULL. */
static const char *fault(const struct vsock_guest *g, const struct vsock_pkt *p)
{
	const struct virtio_vsock_hdr *h = &p->hdr;
	uint16_t type = le16toh(h->type), op = le16toh(h->op);

	if (le64toh(h->src_cid) != VSOCK_HOST_CID || le64toh(h->dst_cid) != g->s.opts.cid)
		return "wrong CIDs";
	if (!op || op >= VSOCK_OPS)
		return "no operation";
	/* Whoever is refused is told of what he has asked for. */
	if (type != VIRTIO_VSOCK_TYPE_STREAM && type != VIRTIO_VSOCK_TYPE_SEQPACKET &&
	    op != VIRTIO_VSOCK_OP_RST)
		return "no type";
	if (le32toh(h->len) != p->len)
		return "another length than was used";
	if (op == VIRTIO_VSOCK_OP_RW ? !p->len : p->len)
		return "data where there may be none, or none";
	return flags_allowed(h) ? NULL : "wrong flags";
}

static void take(struct vsock_guest *g, const struct vsock_pkt *p)
{
	const struct virtio_vsock_hdr *h = &p->hdr;
	const char *what = fault(g, p);

	g->seen[g->seen_end++ % VSOCK_SEEN] = *h;
	g->in[le16toh(h->op) % VSOCK_OPS]++;
	g->bytes_in += p->len;
	if (what)
		vsock_guest_wrong(g, "%s: type %u, operation %u, %u and %u bytes, flags %u", what,
				  le16toh(h->type), le16toh(h->op), le32toh(h->len), p->len,
				  le32toh(h->flags));
	else
		vsock_conn_packet(g, p);
}

int vsock_guest_turn(struct vsock_guest *g)
{
	int n = vsock_tx_reap(&g->tx), res = 0;
	struct vsock_pkt p;

	if (n < 0)
		return n;
	send_backlog(g);
	while ((res = vsock_rx_take(&g->rx, &p)) > 0) {
		take(g, &p);
		n++;
	}
	vsock_conn_turned(g->sunk);
	g->sunk = NULL;
	if (!res && !g->deaf)
		res = vsock_rx_post(&g->rx, g->rx.count);
	if (g->unflushed)
		vsock_tx_flush(&g->tx);
	g->unflushed = false;
	return res < 0 ? res : n;
}

int vsock_guest_wait(struct vsock_guest *g, struct pollfd *fds, unsigned int count, int ms)
{
	struct pollfd all[MOST_FDS + VSOCK_QUEUES];
	unsigned int q, i;
	int n;

	for (q = 0; q < VSOCK_QUEUES; q++) {
		struct ring *r = &g->s.rings[q];

		ring_take_calls(r);
		ring_arm_call(r, 1);
		if (ring_any(r))
			ms = 0;
		all[q] = (struct pollfd){ .fd = r->call_fd, .events = POLLIN };
	}
	if (count > MOST_FDS)
		return -E2BIG;
	for (i = 0; i < count; i++)
		all[VSOCK_QUEUES + i] = fds[i];
	n = poll(all, VSOCK_QUEUES + count, ms);
	for (i = 0; i < count; i++)
		fds[i].revents = all[VSOCK_QUEUES + i].revents;
	return n < 0 && errno != EINTR ? -errno : 0;
}

static bool fits(uint32_t value, uint32_t wanted)
{
	return !wanted || value == wanted;
}

unsigned int vsock_guest_saw(const struct vsock_guest *g, uint64_t since, uint16_t op,
			     uint32_t port, uint32_t host_port)
{
	unsigned int n = 0;
	uint64_t i;

	if (g->seen_end - since > VSOCK_SEEN)
		since = g->seen_end - VSOCK_SEEN;
	for (i = since; i < g->seen_end; i++) {
		const struct virtio_vsock_hdr *h = &g->seen[i % VSOCK_SEEN];

		n += fits(le16toh(h->op), op) && fits(le32toh(h->dst_port), port) &&
		     fits(le32toh(h->src_port), host_port);
	}
	return n;
}
