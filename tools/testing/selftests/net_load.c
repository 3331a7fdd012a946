// SPDX-License-Identifier: GPL-2.0-only
/* Traffic between the wire and a guest. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "net_env.h"

#define SLICE_MS	500
/* After which frames count as lost where that may be. */
#define LOSSY_SLICE_MS	20
#define LOSSY_SLICES	10u

void net_load_init(struct net_load *l, struct net_env *e)
{
	static uint64_t loads;

	memset(l, 0, sizeof(*l));
	l->e = e;
	l->prng.state = e->seed * 1000 + loads++;
	l->min = ETH_MIN;
	l->max = ETH_USUAL;
	l->window = 64;
	l->way[NET_RX] = true;
	l->way[NET_TX] = true;
}

/* Short and long ones are those that go wrong. */
static uint32_t some_length(struct net_load *l)
{
	switch (prng_range(&l->prng, 0, 7)) {
	case 0:
		return l->min;
	case 1:
		return l->max;
	case 2:
		return prng_range(&l->prng, l->min, l->min + 50 < l->max ? l->min + 50 : l->max);
	}
	return prng_range(&l->prng, l->min, l->max);
}

static bool may_send(const struct net_load *l, unsigned int q)
{
	return l->sent[q] != l->want[q] && l->sent[q] - l->got[q] < l->window + l->lost[q];
}

/* The kernel may bring what went through a veth pair out of order. */
static bool reorders(const struct net_load *l)
{
	return l->overtakes || l->e->w.opts.kind != WIRE_TAP;
}

/* Some before it may still be on their way. */
static int got_early(struct net_load *l, unsigned int q, uint32_t ahead)
{
	CHECK(ahead < 64 && !(l->early[q] & BIT(ahead)), "queue %u: frame %u, expected %u", q,
	      l->got[q] + ahead, l->got[q]);
	l->early[q] |= BIT(ahead);
	for (; l->early[q] & 1; l->early[q] >>= 1)
		l->got[q]++;
	return 0;
}

static int got_frame(struct net_load *l, unsigned int q, const uint8_t *data, uint32_t len)
{
	int64_t nr = eth_check(data, len, q == NET_RX ? ETH_TO_GUEST : ETH_FROM_GUEST);

	CHECK(nr >= 0, "queue %u: %u bytes are no frame, or not whole; frame %u is expected", q,
	      len, l->got[q]);
	if (l->stale[q] && (uint32_t)nr < l->got[q])
		return 0;
	CHECK((uint32_t)nr < l->sent[q], "queue %u: frame %u was not sent", q, (uint32_t)nr);
	l->frames++;
	if (reorders(l) && !l->lossy)
		return got_early(l, q, nr - l->got[q]);
	if (l->lossy && reorders(l) && (uint32_t)nr < l->got[q])
		return 0;
	CHECK(l->lossy ? (uint32_t)nr >= l->got[q] : (uint32_t)nr == l->got[q],
	      "queue %u: frame %u, expected %u; %u were sent", q, (uint32_t)nr, l->got[q],
	      l->sent[q]);
	l->got[q] = nr + 1;
	l->lost[q] = 0;
	if (!reorders(l))
		l->stale[q] = false;
	return 0;
}

static int check_header(struct net_load *l, const struct net_frame *f)
{
	const struct virtio_net_hdr none = { };

	CHECK(!memcmp(&f->hdr, &none, sizeof(none)), "a header that says something");
	/* Who has such a header, and no mergeable buffers, is told that there is one. */
	if (l->e->n.features & BIT(VIRTIO_F_VERSION_1) && !l->e->peer)
		CHECK_EQ(le16toh(f->hdr.num_buffers), f->buffers);
	return 0;
}

/* The interface is, or is down. */
static bool is_gone(int err)
{
	return err == -ENETDOWN || err == -ENXIO || err == -ENODEV;
}

static int turn_in(struct net_load *l)
{
	struct net_env *e = l->e;
	struct net_frame f;
	int n = 0, res;

	CHECK_OK(net_rx_fill(&e->rx));
	while (may_send(l, NET_RX)) {
		uint32_t len = some_length(l);

		eth_fill(l->buf, len, ETH_TO_GUEST, l->sent[NET_RX]);
		res = wire_send(&e->w, l->buf, len);
		if (res == -EAGAIN || (l->lossy && is_gone(res)))
			break;
		CHECK_OK(res);
		l->sent[NET_RX]++;
		n++;
	}
	while ((res = net_rx_take(&e->rx, &f)) > 0) {
		CHECK_PASS(check_header(l, &f));
		CHECK_PASS(got_frame(l, NET_RX, f.data, f.len));
		n++;
	}
	CHECK_OK(res);
	return n;
}

static int turn_out(struct net_load *l)
{
	struct net_env *e = l->e;
	int n = net_tx_reap(&e->tx), res;
	bool some = false;
	ssize_t len;

	CHECK_OK(n);
	while (may_send(l, NET_TX)) {
		len = some_length(l);
		eth_fill(l->buf, len, ETH_FROM_GUEST, l->sent[NET_TX]);
		res = net_tx_put(&e->tx, NULL, l->buf, len);
		if (res == -ENOSPC)
			break;
		CHECK_OK(res);
		l->sent[NET_TX]++;
		some = true;
		/* Now and then one by one. */
		if (prng_chance(&l->prng, 20))
			net_tx_flush(&e->tx);
	}
	if (some)
		net_tx_flush(&e->tx);
	while ((len = wire_recv(&e->w, l->buf, NET_FRAME_MAX)) >= 0) {
		CHECK_PASS(got_frame(l, NET_TX, l->buf, len));
		n++;
	}
	CHECK(len == -EAGAIN || (l->lossy && is_gone(len)), "the wire's socket: %s",
	      strerror(-len));
	return n + some;
}

static bool outstanding(const struct net_load *l, unsigned int q)
{
	return l->way[q] && (l->sent[q] != l->want[q] || l->got[q] + l->lost[q] != l->sent[q] ||
			     (q == NET_TX && l->e->tx.posted && !l->lossy));
}

/* Asks for calls, unless there is something already. */
static bool is_idle(struct net_load *l)
{
	unsigned int q;

	for (q = 0; q < NET_QUEUES; q++) {
		struct ring *r = &l->e->n.rings[q];

		ring_take_calls(r);
		ring_arm_call(r, 1);
		if (ring_pending(r))
			return false;
	}
	return true;
}

/* Used chains that nobody told of, though the device had time for it since it used them. */
static int check_called(struct net_load *l)
{
	unsigned int q;

	for (q = 0; q < NET_QUEUES; q++) {
		struct ring *r = &l->e->n.rings[q];
		struct pollfd p = { .fd = r->call_fd, .events = POLLIN };

		if (l->way[q] && ring_pending(r))
			CHECK(poll(&p, 1, NET_HANG_LIMIT_MS) == 1, "queue %u: no call came", q);
	}
	return 0;
}

static int wait_some(struct net_load *l)
{
	struct pollfd p[] = {
		{ .fd = l->e->n.rings[NET_RX].call_fd, .events = POLLIN },
		{ .fd = l->e->n.rings[NET_TX].call_fd, .events = POLLIN },
		{ .fd = l->e->w.sock, .events = POLLIN },
	};
	unsigned int q;

	if (!is_idle(l) || poll(p, 3, l->lossy ? LOSSY_SLICE_MS : SLICE_MS))
		return 0;
	CHECK_PASS(check_called(l));
	for (q = 0; q < NET_QUEUES && l->lossy; q++)
		l->lost[q] = l->sent[q] - l->got[q];
	return 0;
}

static int load_turn(struct net_load *l)
{
	int n = 0, res = 0;

	if (l->way[NET_RX])
		n = turn_in(l);
	if (n >= 0 && l->way[NET_TX])
		res = turn_out(l);
	return n < 0 || res < 0 ? KTAP_FAIL : n + res;
}

static int load_end(struct net_load *l, int res)
{
	l->e->nr_in = l->sent[NET_RX];
	l->e->nr_out = l->sent[NET_TX];
	free(l->buf);
	l->buf = NULL;
	return res;
}

static int load_begin(struct net_load *l)
{
	l->sent[NET_RX] = l->e->nr_in;
	l->sent[NET_TX] = l->e->nr_out;
	memcpy(l->got, l->sent, sizeof(l->got));
	memcpy(l->want, l->sent, sizeof(l->want));
	l->buf = malloc(NET_FRAME_MAX);
	CHECK(l->buf, "out of memory");
	return 0;
}

/* Until all that is wanted has arrived. */
static int load_finish(struct net_load *l)
{
	int64_t end = net_now_ms() + NET_HANG_LIMIT_MS;
	unsigned int quiet = 0;
	int n;

	while (outstanding(l, NET_RX) || outstanding(l, NET_TX) ||
	       (l->lossy && quiet < LOSSY_SLICES)) {
		n = load_turn(l);
		CHECK_PASS(n < 0 ? n : 0);
		quiet = n ? 0 : quiet + 1;
		if (n)
			end = net_now_ms() + NET_HANG_LIMIT_MS;
		else
			CHECK_PASS(wait_some(l));
		CHECK(net_now_ms() < end, "in %u of %u, out %u of %u, %u posted to be sent",
		      l->got[NET_RX], l->sent[NET_RX], l->got[NET_TX], l->sent[NET_TX],
		      l->e->tx.posted);
	}
	return 0;
}

int net_load_run(struct net_load *l, unsigned int frames)
{
	CHECK_PASS(load_begin(l));
	l->want[NET_RX] += frames;
	l->want[NET_TX] += frames;
	return load_end(l, load_finish(l));
}

static int load_on(struct net_load *l)
{
	int64_t end = net_now_ms() + NET_HANG_LIMIT_MS;
	int n;

	while (!l->stop) {
		l->want[NET_RX] = l->sent[NET_RX] + l->window;
		l->want[NET_TX] = l->sent[NET_TX] + l->window;
		n = load_turn(l);
		CHECK_PASS(n < 0 ? n : 0);
		if (n)
			end = net_now_ms() + NET_HANG_LIMIT_MS;
		else
			CHECK_PASS(wait_some(l));
		CHECK(l->lossy || net_now_ms() < end, "in %u of %u, out %u of %u",
		      l->got[NET_RX], l->sent[NET_RX], l->got[NET_TX], l->sent[NET_TX]);
	}
	memcpy(l->want, l->sent, sizeof(l->want));
	return load_finish(l);
}

static void *load_main(void *arg)
{
	struct net_load *l = arg;

	l->res = load_on(l);
	return NULL;
}

int net_load_start(struct net_load *l)
{
	CHECK_PASS(load_begin(l));
	CHECK_EQ(pthread_create(&l->thread, NULL, load_main, l), 0);
	return 0;
}

int net_load_await(struct net_load *l, unsigned int frames)
{
	unsigned long from = l->frames;
	int64_t end = net_now_ms() + NET_HANG_LIMIT_MS;

	while (l->frames - from < frames && !l->res) {
		CHECK(net_now_ms() < end, "%lu of %u frames", l->frames - from, frames);
		usleep(200);
	}
	return l->res;
}

int net_load_stop(struct net_load *l)
{
	l->stop = true;
	pthread_join(l->thread, NULL);
	return load_end(l, l->res);
}
