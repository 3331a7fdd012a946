// SPDX-License-Identifier: GPL-2.0-only
#include <poll.h>
#include <stdlib.h>

#include "vsock_load.h"

/* What is received at once, and the longest message. */
#define ROOM	(300u * KIB)
/* Pieces that are worth a word: nobody is to think that it hangs. */
#define TOLD	32768u

static int end_early(const struct host_ends *h, struct host_end *x, int err)
{
	CHECK(h->lossy, "connection %u: %s, %llu of %llu sent, %llu of %llu came", x->f.opts.id,
	      err ? strerror(-err) : "its end", (unsigned long long)x->f.out,
	      (unsigned long long)x->f.opts.out, (unsigned long long)x->f.in,
	      (unsigned long long)x->f.opts.in);
	x->err = err;
	x->ended = true;
	return 0;
}

static int host_receive(struct host_ends *h, struct host_end *x)
{
	bool messages = x->f.opts.messages;
	size_t room = messages ? ROOM : prng_range(&x->f.prng, 1, ROOM);
	int flags = 0;
	ssize_t n = host_recv_message(x->fd, h->buf, room, &flags);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return end_early(h, x, n);
	CHECK(!(flags & MSG_TRUNC), "connection %u: a message that is too long", x->f.opts.id);
	CHECK(flow_got(&x->f, h->buf, n, messages && flags & MSG_EOR),
	      "connection %u: %zd wrong bytes for the host, %llu of %llu came before",
	      x->f.opts.id, n, (unsigned long long)x->f.in, (unsigned long long)x->f.opts.in);
	h->moved++;
	return 0;
}

/*
 * Who doesn't wait for room sends a part of a message, which is taken for all: the kernel's core
 * has it so.
 */
static int host_send_some(struct host_ends *h, struct host_end *x)
{
	struct flow_piece p;
	ssize_t n;

	if (!flow_next(&x->f, &p))
		return 0;
	n = send(x->fd, p.data, p.len, MSG_NOSIGNAL | (p.eor ? MSG_EOR : 0) |
		 (x->f.opts.messages ? 0 : MSG_DONTWAIT));
	if (n < 0 && errno == EAGAIN && !x->f.opts.messages)
		return 0;
	if (n < 0)
		return end_early(h, x, -errno);
	flow_sent(&x->f, &p, n);
	h->moved++;
	return 0;
}

static short wanted_events(const struct host_end *x)
{
	return (flow_in_ended(&x->f) ? 0 : POLLIN) | (flow_out_ended(&x->f) ? 0 : POLLOUT);
}

static int host_serve(struct host_ends *h, struct host_end *x, short events)
{
	short wanted = wanted_events(x);

	if (events & (POLLIN | POLLHUP | POLLERR) && wanted & POLLIN)
		CHECK_PASS(host_receive(h, x));
	if (events & (POLLOUT | POLLHUP | POLLERR) && wanted & POLLOUT && !x->ended)
		CHECK_PASS(host_send_some(h, x));
	if (!wanted_events(x))
		x->ended = true;
	return 0;
}

static int host_turn(struct host_ends *h, struct pollfd *p, bool *all)
{
	unsigned int i;

	*all = true;
	for (i = 0; i < h->count; i++) {
		struct host_end *x = &h->ends[i];

		p[i] = (struct pollfd){
			.fd = x->ended ? -1 : x->fd, .events = wanted_events(x),
		};
		*all &= x->ended;
	}
	if (*all)
		return 0;
	poll(p, h->count, 100);
	for (i = 0; i < h->count; i++)
		if (p[i].revents)
			CHECK_PASS(host_serve(h, &h->ends[i], p[i].revents));
	return 0;
}

static void *host_main(void *arg)
{
	struct host_ends *h = arg;
	struct pollfd *p = calloc(h->count + 1, sizeof(*p));
	bool all = false;

	while (p && !h->stop && !all && !h->res)
		h->res = host_turn(h, p, &all);
	free(p);
	h->done = true;
	return NULL;
}

int host_ends_start(struct host_ends *h)
{
	unsigned int i;

	h->stop = false;
	h->done = false;
	h->res = 0;
	h->buf = malloc(ROOM);
	CHECK(h->buf, "out of memory");
	for (i = 0; i < h->count; i++)
		host_set_timeouts(h->ends[i].fd, VSOCK_HANG_LIMIT_MS);
	CHECK_EQ(pthread_create(&h->thread, NULL, host_main, h), 0);
	return 0;
}

int host_ends_stop(struct host_ends *h)
{
	h->stop = true;
	pthread_join(h->thread, NULL);
	free(h->buf);
	return h->res;
}

static int guest_receive(struct guest_ends *g, struct guest_end *x)
{
	bool eor = false;
	int64_t n;

	while (!x->ended && !flow_in_ended(&x->f)) {
		n = vsock_conn_recv(x->c, g->buf, ROOM, &eor);
		if (n == -EAGAIN)
			return 0;
		if (n <= 0) {
			CHECK(g->lossy, "connection %u: its end, state %u, ports %u and %u",
			      x->f.opts.id, x->c->state, x->c->port, x->c->host_port);
			x->ended = true;
			return 0;
		}
		CHECK(flow_got(&x->f, g->buf, n, eor),
		      "connection %u: %lld wrong bytes for the guest, %llu of %llu came before",
		      x->f.opts.id, (long long)n, (unsigned long long)x->f.in,
		      (unsigned long long)x->f.opts.in);
		g->moved++;
	}
	return 0;
}

static int guest_send_some(struct guest_ends *g, struct guest_end *x)
{
	uint32_t flags = x->f.opts.messages ? VIRTIO_VSOCK_SEQ_EOM : 0;
	struct flow_piece p;
	int64_t n;

	if (x->ended || !flow_next(&x->f, &p))
		return 0;
	n = vsock_conn_send(x->c, p.data, p.len, flags | (p.eor ? VIRTIO_VSOCK_SEQ_EOR : 0));
	if (n < 0) {
		CHECK(g->lossy, "connection %u: %lld, state %u", x->f.opts.id, (long long)n,
		      x->c->state);
		x->ended = true;
		return 0;
	}
	flow_sent(&x->f, &p, n);
	g->moved += !!n;
	return 0;
}

int guest_ends_turn(struct guest_ends *g)
{
	unsigned int i;

	for (i = 0; i < g->count; i++) {
		struct guest_end *x = &g->ends[i];

		CHECK_PASS(guest_receive(g, x));
		CHECK_PASS(guest_send_some(g, x));
		x->ended |= flow_in_ended(&x->f) && flow_out_ended(&x->f);
	}
	return 0;
}

bool guest_ends_done(const struct guest_ends *g)
{
	unsigned int i;

	for (i = 0; i < g->count; i++)
		if (!g->ends[i].ended)
			return false;
	return true;
}

int vsock_load_init(struct vsock_load *l, struct vsock_env *e, unsigned int most)
{
	memset(l, 0, sizeof(*l));
	l->e = e;
	l->most = most;
	l->h.ends = calloc(most, sizeof(*l->h.ends));
	l->g.ends = calloc(most, sizeof(*l->g.ends));
	l->g.buf = malloc(ROOM);
	CHECK(l->h.ends && l->g.ends && l->g.buf, "out of memory");
	return 0;
}

int vsock_load_add(struct vsock_load *l, const struct vsock_pair *p, uint32_t max,
		   uint64_t to_guest, uint64_t from_guest)
{
	static uint32_t connections;
	struct flow_opts opts = {
		.id = ++connections, .messages = p->c->type == SEQPACKET, .of_host = true,
		.max = max, .out = to_guest, .in = from_guest,
	};
	unsigned int i = l->h.count++;

	l->g.count++;
	l->h.ends[i].fd = p->fd;
	l->g.ends[i].c = p->c;
	CHECK_OK(flow_init(&l->h.ends[i].f, &opts));
	opts.of_host = false;
	opts.out = from_guest;
	opts.in = to_guest;
	CHECK_OK(flow_init(&l->g.ends[i].f, &opts));
	return 0;
}

static int serve_guest(struct vsock_load *l)
{
	int64_t end = vsock_now_ms() + VSOCK_HANG_LIMIT_MS;
	unsigned long moved = 0;

	while (!l->h.done || !guest_ends_done(&l->g)) {
		unsigned long before = l->g.moved;

		CHECK_PASS(guest_ends_turn(&l->g));
		CHECK_PASS(vsock_env_turn(l->e, l->g.moved == before ? 20 : 0));
		if (l->h.done && l->h.res)
			return l->h.res;
		if (l->g.moved + l->h.moved != moved)
			end = vsock_now_ms() + VSOCK_HANG_LIMIT_MS;
		if ((l->g.moved + l->h.moved) / TOLD > moved / TOLD)
			ktap_diag("%lu pieces", l->g.moved + l->h.moved);
		moved = l->g.moved + l->h.moved;
		CHECK(vsock_now_ms() < end, "nothing moves any more");
	}
	return 0;
}

int vsock_load_run(struct vsock_load *l)
{
	int res, host;

	CHECK_PASS(host_ends_start(&l->h));
	res = serve_guest(l);
	host = host_ends_stop(&l->h);
	if (res || host)
		vsock_env_dump(l->e);
	return res ? res : host;
}

void vsock_load_destroy(struct vsock_load *l)
{
	unsigned int i;

	for (i = 0; i < l->h.count; i++) {
		flow_destroy(&l->h.ends[i].f);
		flow_destroy(&l->g.ends[i].f);
	}
	free(l->h.ends);
	free(l->g.ends);
	free(l->g.buf);
	memset(l, 0, sizeof(*l));
}

int vsock_load_pair(struct vsock_env *e, const struct vsock_pair *p, uint32_t max,
		    uint64_t to_guest, uint64_t from_guest)
{
	struct vsock_load l;
	int res;

	CHECK_PASS(vsock_load_init(&l, e, 1));
	CHECK_PASS(vsock_load_add(&l, p, max, to_guest, from_guest));
	res = vsock_load_run(&l);
	vsock_load_destroy(&l);
	return res;
}
