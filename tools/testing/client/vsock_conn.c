// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vsock_conn.h"

static struct vsock_conn **bucket(struct vsock_guest *g, uint32_t port, uint32_t host_port)
{
	return &g->conns[(port * 31 + host_port) % VSOCK_HASH];
}

struct vsock_conn *vsock_conn_find(struct vsock_guest *g, uint32_t port, uint32_t host_port)
{
	struct vsock_conn *c;

	for (c = *bucket(g, port, host_port); c; c = c->next)
		if (c->port == port && c->host_port == host_port && !c->replaced)
			return c;
	return NULL;
}

static struct vsock_conn *make(struct vsock_guest *g, uint16_t type, uint32_t port,
			       uint32_t host_port, uint32_t buf_alloc)
{
	struct vsock_conn *c = calloc(1, sizeof(*c)), **b = bucket(g, port, host_port);

	if (!c)
		abort();
	*c = (struct vsock_conn){
		.g = g, .type = type, .port = port, .host_port = host_port,
		.buf_alloc = buf_alloc, .next = *b,
	};
	*b = c;
	return c;
}

static void forget_accept(struct vsock_listener *l, const struct vsock_conn *c)
{
	struct vsock_conn **p, *last = NULL;

	for (p = &l->first; *p && *p != c; p = &(*p)->next_accept)
		last = *p;
	if (!*p)
		return;
	*p = c->next_accept;
	if (l->last == c)
		l->last = last;
}

void vsock_conn_free(struct vsock_conn *c)
{
	struct vsock_conn **p = bucket(c->g, c->port, c->host_port);
	unsigned int i;

	while (*p != c)
		p = &(*p)->next;
	*p = c->next;
	for (i = 0; i < VSOCK_LISTENERS; i++)
		forget_accept(&c->g->listeners[i], c);
	free(c->data);
	free(c->ends);
	free(c);
}

void vsock_conn_free_all(struct vsock_guest *g)
{
	unsigned int i;

	for (i = 0; i < VSOCK_HASH; i++)
		while (g->conns[i])
			vsock_conn_free(g->conns[i]);
}

/* Every packet of a connection tells what the host may send. */
static struct virtio_vsock_hdr header(struct vsock_conn *c, uint16_t op, uint32_t flags)
{
	struct virtio_vsock_hdr h = vsock_guest_hdr(c->g, c->type, op, c->port, c->host_port);

	h.flags = htole32(flags);
	h.buf_alloc = htole32(c->buf_alloc);
	h.fwd_cnt = htole32(c->fwd_cnt);
	c->told_cnt = c->fwd_cnt;
	if (c->buf_alloc > c->most_alloc)
		c->most_alloc = c->buf_alloc;
	return h;
}

void vsock_conn_tell(struct vsock_conn *c, uint16_t op, uint32_t flags)
{
	const struct virtio_vsock_hdr h = header(c, op, flags);

	if (op == VIRTIO_VSOCK_OP_CREDIT_UPDATE)
		c->updates_out++;
	vsock_guest_send(c->g, &h);
}

struct vsock_conn *vsock_connect(struct vsock_guest *g, uint16_t type, uint32_t host_port,
				 uint32_t buf_alloc)
{
	struct vsock_conn *c = make(g, type, g->next_port++, host_port, buf_alloc);

	vsock_conn_tell(c, VIRTIO_VSOCK_OP_REQUEST, 0);
	return c;
}

struct vsock_conn *vsock_accept(struct vsock_listener *l)
{
	struct vsock_conn *c = l->first;

	if (c)
		forget_accept(l, c);
	return c;
}

uint32_t vsock_conn_space(const struct vsock_conn *c)
{
	uint32_t used = c->tx_cnt - c->peer_fwd, most = c->peer_alloc;

	if (c->capped && c->buf_alloc < most)
		most = c->buf_alloc;
	return used < most ? most - used : 0;
}

int vsock_conn_put(struct vsock_conn *c, const void *data, uint32_t len, uint32_t flags)
{
	struct virtio_vsock_hdr h = header(c, VIRTIO_VSOCK_OP_RW, flags);
	int err;

	h.len = htole32(len);
	err = vsock_guest_put(c->g, &h, data, len);
	if (!err)
		c->tx_cnt += len;
	return err;
}

int64_t vsock_conn_send(struct vsock_conn *c, const void *data, size_t len, uint32_t flags)
{
	const uint32_t most = c->g->tx.max - VSOCK_HDR_LEN;
	size_t sent = 0;

	if (c->state != VSOCK_OPEN || c->shut_guest & VIRTIO_VSOCK_SHUTDOWN_SEND ||
	    c->shut_host & VIRTIO_VSOCK_SHUTDOWN_RCV)
		return -EPIPE;
	/* What is kept was to go first. */
	while (sent < len && !c->g->backlog.end) {
		size_t left = len - sent;
		uint32_t n = left < most ? left : most, space = vsock_conn_space(c);

		if (n > VSOCK_DATA_MAX)
			n = VSOCK_DATA_MAX;
		if (n > space)
			n = space;
		if (!n || vsock_conn_put(c, (const uint8_t *)data + sent, n, n == left ? flags : 0))
			break;
		sent += n;
	}
	return sent;
}

/* Whether the host is to be told of what it has room for, as drivers see it. */
static bool is_due(const struct vsock_conn *c)
{
	uint32_t untold = c->fwd_cnt - c->told_cnt;

	if (c->late)
		return (uint64_t)untold + VSOCK_DATA_MAX > c->buf_alloc;
	/* A message that is not yet whole can't be taken, and may need all there is. */
	if (c->type == VIRTIO_VSOCK_TYPE_SEQPACKET)
		return untold;
	/* The host may have less in mind than it was told. */
	return untold && (untold >= c->buf_alloc / 2 || !c->len);
}

static void tell_if_due(struct vsock_conn *c)
{
	if (!c->by_hand && c->state == VSOCK_OPEN && is_due(c))
		vsock_conn_tell(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
}

static void taken(struct vsock_conn *c, size_t len)
{
	c->start += len;
	c->len -= len;
	if (!c->len)
		c->start = 0;
	c->fwd_cnt += len;
	tell_if_due(c);
}

void vsock_conn_turned(struct vsock_conn *c)
{
	while (c) {
		struct vsock_conn *next = c->next_sunk;

		c->sunk = false;
		tell_if_due(c);
		c = next;
	}
}

/* Told of at the end of the guest's turn, with all that came in it. */
static void sink(struct vsock_conn *c, size_t len)
{
	c->fwd_cnt += len;
	if (c->sunk)
		return;
	c->sunk = true;
	c->next_sunk = c->g->sunk;
	c->g->sunk = c;
}

static bool is_over(const struct vsock_conn *c)
{
	return c->state >= VSOCK_RESET || c->shut_host & VIRTIO_VSOCK_SHUTDOWN_SEND;
}

static int64_t recv_message(struct vsock_conn *c, void *buf, size_t room, bool *eor)
{
	const struct vsock_end *e = &c->ends[c->first_end];
	size_t len;

	if (!c->nr_ends)
		return is_over(c) ? 0 : -EAGAIN;
	len = e->at - (c->received - c->len);
	if (len > room)
		return -EMSGSIZE;
	if (eor)
		*eor = e->eor;
	memcpy(buf, c->data + c->start, len);
	c->nr_ends--;
	c->first_end = c->nr_ends ? c->first_end + 1 : 0;
	taken(c, len);
	return len;
}

int64_t vsock_conn_recv(struct vsock_conn *c, void *buf, size_t len, bool *eor)
{
	if (c->type == VIRTIO_VSOCK_TYPE_SEQPACKET)
		return recv_message(c, buf, len, eor);
	if (!c->len)
		return is_over(c) ? 0 : -EAGAIN;
	if (len > c->len)
		len = c->len;
	memcpy(buf, c->data + c->start, len);
	taken(c, len);
	return len;
}

void vsock_conn_set_alloc(struct vsock_conn *c, uint32_t buf_alloc)
{
	c->buf_alloc = buf_alloc;
	vsock_conn_tell(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
}

void vsock_conn_shutdown(struct vsock_conn *c, uint32_t flags)
{
	c->shut_guest |= flags;
	vsock_conn_tell(c, VIRTIO_VSOCK_OP_SHUTDOWN, c->shut_guest);
}

void vsock_conn_reset(struct vsock_conn *c)
{
	c->state = VSOCK_CLOSED;
	vsock_conn_tell(c, VIRTIO_VSOCK_OP_RST, 0);
}

static void make_room(struct vsock_conn *c, size_t more)
{
	if (c->start + c->len + more <= c->size)
		return;
	if (c->len)
		memmove(c->data, c->data + c->start, c->len);
	c->start = 0;
	if (c->len + more <= c->size)
		return;
	c->size = (c->len + more) * 2;
	c->data = realloc(c->data, c->size);
	if (!c->data)
		abort();
}

static void add_end(struct vsock_conn *c, bool eor)
{
	if (c->first_end + c->nr_ends == c->size_ends) {
		c->size_ends = c->size_ends ? c->size_ends * 2 : 16;
		c->ends = realloc(c->ends, c->size_ends * sizeof(*c->ends));
		if (!c->ends)
			abort();
	}
	c->ends[c->first_end + c->nr_ends++] = (struct vsock_end){ c->received, eor };
}

static void keep(struct vsock_conn *c, const struct vsock_pkt *p)
{
	uint32_t flags = le32toh(p->hdr.flags);

	make_room(c, p->len);
	memcpy(c->data + c->start + c->len, p->data, p->len);
	c->len += p->len;
	if (flags & VIRTIO_VSOCK_SEQ_EOM)
		add_end(c, flags & VIRTIO_VSOCK_SEQ_EOR);
}

static void got_data(struct vsock_conn *c, const struct vsock_pkt *p)
{
	/* On its way before the host knew. */
	if (c->state == VSOCK_CLOSED)
		return;
	if (c->state != VSOCK_OPEN || c->shut_host & VIRTIO_VSOCK_SHUTDOWN_SEND) {
		vsock_guest_wrong(c->g, "data in state %u, shutdown %u", c->state, c->shut_host);
		return;
	}
	c->rx_cnt += p->len;
	if (c->rx_cnt - c->told_cnt > c->most_alloc)
		vsock_guest_wrong(c->g, "%u bytes beyond a credit of %u",
				  c->rx_cnt - c->told_cnt - c->most_alloc, c->most_alloc);
	c->received += p->len;
	if (c->sink)
		sink(c, p->len);
	else
		keep(c, p);
}

static void got_response(struct vsock_conn *c, const struct vsock_pkt *p)
{
	(void)p;
	if (c->state != VSOCK_ASKED)
		vsock_guest_wrong(c->g, "a response in state %u", c->state);
	c->state = VSOCK_OPEN;
}

static void got_reset(struct vsock_conn *c, const struct vsock_pkt *p)
{
	(void)p;
	c->state = VSOCK_RESET;
}

static void got_shutdown(struct vsock_conn *c, const struct vsock_pkt *p)
{
	if (c->state != VSOCK_OPEN && c->state != VSOCK_CLOSED)
		vsock_guest_wrong(c->g, "a shutdown in state %u", c->state);
	c->shut_host |= le32toh(p->hdr.flags);
	/* It waits for that. */
	if (c->state == VSOCK_OPEN && c->shut_host == VSOCK_SHUT_BOTH && !c->g->silent)
		vsock_conn_reset(c);
}

static void got_update(struct vsock_conn *c, const struct vsock_pkt *p)
{
	(void)p;
	c->updates_in++;
}

static void got_credit_request(struct vsock_conn *c, const struct vsock_pkt *p)
{
	(void)p;
	if (!c->g->silent)
		vsock_conn_tell(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
}

static void (*const handlers[VSOCK_OPS])(struct vsock_conn *c, const struct vsock_pkt *p) = {
	[VIRTIO_VSOCK_OP_RESPONSE] = got_response,
	[VIRTIO_VSOCK_OP_RST] = got_reset,
	[VIRTIO_VSOCK_OP_SHUTDOWN] = got_shutdown,
	[VIRTIO_VSOCK_OP_RW] = got_data,
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = got_update,
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = got_credit_request,
};

static void refuse(struct vsock_guest *g, const struct virtio_vsock_hdr *h)
{
	struct virtio_vsock_hdr rst =
		vsock_guest_hdr(g, le16toh(h->type), VIRTIO_VSOCK_OP_RST, le32toh(h->dst_port),
				le32toh(h->src_port));

	if (le16toh(h->op) != VIRTIO_VSOCK_OP_RST && !g->silent)
		vsock_guest_send(g, &rst);
}

static struct vsock_listener *listener_of(struct vsock_guest *g, const struct virtio_vsock_hdr *h)
{
	unsigned int i;

	for (i = 0; i < VSOCK_LISTENERS; i++) {
		struct vsock_listener *l = &g->listeners[i];

		if (l->used && l->port == le32toh(h->dst_port) && l->type == le16toh(h->type))
			return l;
	}
	return NULL;
}

static void answer(struct vsock_guest *g, const struct virtio_vsock_hdr *h)
{
	struct vsock_listener *l = listener_of(g, h);
	struct vsock_conn *c;

	if (!l) {
		refuse(g, h);
		return;
	}
	c = make(g, l->type, l->port, le32toh(h->src_port), l->buf_alloc);
	c->state = VSOCK_OPEN;
	c->peer_alloc = le32toh(h->buf_alloc);
	c->peer_fwd = le32toh(h->fwd_cnt);
	if (l->last)
		l->last->next_accept = c;
	else
		l->first = c;
	l->last = c;
	vsock_conn_tell(c, VIRTIO_VSOCK_OP_RESPONSE, 0);
}

/* It never goes back, and never says more than was sent. */
static void take_credit(struct vsock_conn *c, const struct virtio_vsock_hdr *h)
{
	uint32_t fwd = le32toh(h->fwd_cnt);

	/* Who refuses knows of no credit. */
	if (le16toh(h->op) == VIRTIO_VSOCK_OP_RST)
		return;
	if (fwd - c->peer_fwd > c->tx_cnt - c->peer_fwd)
		vsock_guest_wrong(c->g, "fwd_cnt %u after %u, %u bytes were sent", fwd,
				  c->peer_fwd, c->tx_cnt);
	c->peer_fwd = fwd;
	c->peer_alloc = le32toh(h->buf_alloc);
}

void vsock_conn_packet(struct vsock_guest *g, const struct vsock_pkt *p)
{
	const struct virtio_vsock_hdr *h = &p->hdr;
	uint16_t op = le16toh(h->op);
	struct vsock_conn *c = vsock_conn_find(g, le32toh(h->dst_port), le32toh(h->src_port));

	if (op == VIRTIO_VSOCK_OP_REQUEST) {
		if (c && c->state < VSOCK_RESET)
			vsock_guest_wrong(g, "a request for what is in state %u", c->state);
		if (c)
			c->replaced = true;
		answer(g, h);
		return;
	}
	if (!c) {
		refuse(g, h);
		return;
	}
	if (le16toh(h->type) != c->type)
		vsock_guest_wrong(g, "type %u for a connection of type %u", le16toh(h->type),
				  c->type);
	take_credit(c, h);
	handlers[op](c, p);
}
