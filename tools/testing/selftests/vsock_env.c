// SPDX-License-Identifier: GPL-2.0-only
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "options.h"
#include "vsock_load.h"

#define RX_BUFS		64u
#define TX_BUFS		24u
/* As drivers have them. */
#define RX_ROOM		4096u
#define TX_ROOM		(VSOCK_DATA_MAX + VSOCK_HDR_LEN)
#define NUM		128u
/* Each test has some of its own: the host may not have forgotten those of the one before. */
#define FIRST_CID	1000u
#define PROCESSES	4000u
#define CIDS		1000u
#define CIDS_OF_TEST	10u
/* Of each of many connections. */
#define BYTES		(32u * KIB)
/* Of connections that show that all is well. */
#define VERIFY_BYTES	20000u
#define VERIFY_MESSAGES	8u
#define VERIFY_PIECE	5000u
#define BACKLOG		16
#define DUMPED		16u

static const struct option_row options[] = {
	{ "node", OPTION_TEXT, offsetof(struct vsock_env, opts.dev.node), 0, NULL },
	{ "cid", OPTION_NUMBER64, offsetof(struct vsock_env, opts.dev.cid), 0, NULL },
	{ "num", OPTION_NUMBER16, offsetof(struct vsock_env, opts.dev.num), 0, NULL },
	{ "base", OPTION_NUMBER16, offsetof(struct vsock_env, opts.dev.base), 0, NULL },
	{ "iotlb", OPTION_FLAG, offsetof(struct vsock_env, opts.dev.iotlb), 0, NULL },
	{ "peer", OPTION_FLAG, offsetof(struct vsock_env, peer), 0, NULL },
	{ "only", OPTION_TEXT, offsetof(struct vsock_env, only), 0, NULL },
	{ "seed", OPTION_NUMBER64, offsetof(struct vsock_env, seed), 0, NULL },
	{ "rounds", OPTION_NUMBER, offsetof(struct vsock_env, rounds), 0, NULL },
	{ "bytes", OPTION_NUMBER64, offsetof(struct vsock_env, bytes), 0, NULL },
	{ "packed", OPTION_BITS, offsetof(struct vsock_env, opts.dev.with),
	  BIT(VIRTIO_F_RING_PACKED), NULL },
	{ "in-order", OPTION_BITS, offsetof(struct vsock_env, opts.dev.with),
	  BIT(VIRTIO_F_IN_ORDER), NULL },
	{ "no-event-idx", OPTION_BITS, offsetof(struct vsock_env, opts.dev.without),
	  BIT(VIRTIO_RING_F_EVENT_IDX), NULL },
	{ "no-indirect", OPTION_BITS, offsetof(struct vsock_env, opts.dev.without),
	  BIT(VIRTIO_RING_F_INDIRECT_DESC), NULL },
};

void vsock_env_parse(struct vsock_env *e, int argc, char **argv)
{
	memset(e, 0, sizeof(*e));
	vsock_guest_forget(&e->g);
	e->opts = (struct vsock_guest_opts){
		.dev = { .num = NUM, .mem_size = MIB },
		.rx_bufs = RX_BUFS, .tx_bufs = TX_BUFS,
		.rx_room = RX_ROOM, .tx_room = TX_ROOM,
	};
	e->seed = 1;
	e->rounds = 20;
	e->bytes = BYTES;
	e->opts.dev.cid = FIRST_CID + getpid() % PROCESSES * CIDS;
	if (options_take(e, options, sizeof(options) / sizeof(*options), argc, argv) ||
	    !e->opts.dev.node) {
		fprintf(stderr,
			"usage: %s --node PATH [--peer] [--cid N] [--num N] [--base N] [--iotlb]\n"
			"       [--packed] [--in-order] [--no-event-idx] [--no-indirect]\n"
			"       [--only TEST] [--seed N] [--rounds N] [--bytes N]\n", argv[0]);
		exit(2);
	}
	ktap_diag("node %s, seed %llu", e->opts.dev.node, (unsigned long long)e->seed);
}

int vsock_env_open(struct vsock_env *e)
{
	e->hostile = false;
	CHECK_OK(vsock_guest_open(&e->g, &e->opts));
	return 0;
}

int vsock_env_start(struct vsock_env *e)
{
	CHECK_PASS(vsock_env_open(e));
	CHECK_OK(vsock_start(&e->g.s));
	CHECK_OK(vsock_guest_turn(&e->g));
	return 0;
}

int vsock_env_setup(void *ctx)
{
	struct vsock_env *e = ctx;

	e->opts.dev.cid += CIDS_OF_TEST;
	return vsock_env_start(e);
}

int vsock_env_setup_open(void *ctx)
{
	struct vsock_env *e = ctx;

	e->opts.dev.cid += CIDS_OF_TEST;
	return vsock_env_open(e);
}

int vsock_env_close(void *ctx)
{
	struct vsock_env *e = ctx;
	char wrong[sizeof(e->g.wrong)];

	memcpy(wrong, e->g.wrong, sizeof(wrong));
	vsock_guest_close(&e->g);
	CHECK(e->hostile || !*wrong, "the guest was told something wrong: %s", wrong);
	return 0;
}

int vsock_env_restart_as(struct vsock_env *e, uint64_t with, uint64_t without)
{
	const struct vsock_opts dev = e->opts.dev;
	int res;

	CHECK_PASS(vsock_env_close(e));
	e->opts.dev.with |= with;
	e->opts.dev.without |= without;
	res = vsock_env_start(e);
	e->opts.dev = dev;
	return res;
}

int vsock_env_neighbour(const struct vsock_env *e, struct vsock_env *other, uint64_t cid)
{
	*other = (struct vsock_env){ .opts = e->opts, .peer = e->peer, .seed = e->seed };
	other->opts.dev.cid = cid;
	return vsock_env_start(other);
}

static void dump_header(uint64_t at, const struct virtio_vsock_hdr *h)
{
	ktap_diag("packet %llu: type %u op %u port %u host's %u flags %u",
		  (unsigned long long)at, le16toh(h->type), le16toh(h->op), le32toh(h->dst_port),
		  le32toh(h->src_port), le32toh(h->flags));
	ktap_diag("packet %llu: len %u alloc %u fwd %u", (unsigned long long)at, le32toh(h->len),
		  le32toh(h->buf_alloc), le32toh(h->fwd_cnt));
}

void vsock_env_dump(const struct vsock_env *e)
{
	const struct vsock_guest *g = &e->g;
	uint64_t i = g->seen_end > DUMPED ? g->seen_end - DUMPED : 0;

	for (; i < g->seen_end; i++)
		dump_header(i, &g->seen[i % VSOCK_SEEN]);
}

int vsock_env_turn(struct vsock_env *e, int ms)
{
	CHECK_OK(vsock_guest_turn(&e->g));
	if (ms)
		CHECK_OK(vsock_guest_wait(&e->g, NULL, 0, ms));
	return 0;
}

int vsock_env_idle(struct vsock_env *e, int ms)
{
	int64_t end = vsock_now_ms() + ms;

	do {
		CHECK_PASS(vsock_env_turn(e, 5));
	} while (vsock_now_ms() < end);
	return 0;
}

int vsock_env_restart_sized(struct vsock_env *e, const struct vsock_guest_opts *sizes)
{
	const struct vsock_guest_opts opts = e->opts;
	int res;

	CHECK_PASS(vsock_env_close(e));
	e->opts = *sizes;
	res = vsock_env_start(e);
	e->opts = opts;
	return res;
}

int vsock_env_restart_with(struct vsock_env *e, unsigned int rx_bufs, uint32_t rx_room)
{
	struct vsock_guest_opts sizes = e->opts;

	sizes.rx_bufs = rx_bufs;
	sizes.rx_room = rx_room;
	return vsock_env_restart_sized(e, &sizes);
}

struct beside {
	int (*fn)(void *arg);
	void *arg;
	atomic_bool done;
	int res;
};

static void *run_beside(void *arg)
{
	struct beside *b = arg;

	b->res = b->fn(b->arg);
	b->done = true;
	return NULL;
}

int vsock_env_beside(struct vsock_env *e, int (*fn)(void *arg), void *arg)
{
	struct beside b = { .fn = fn, .arg = arg };
	pthread_t thread;
	int res = 0;

	CHECK_EQ(pthread_create(&thread, NULL, run_beside, &b), 0);
	while (!b.done && !res)
		res = vsock_env_turn(e, 5);
	pthread_join(thread, NULL);
	return res ? res : b.res;
}

/* The guest's end of a socket of the host; there may be other connections that nobody wants. */
static struct vsock_conn *other_end(struct vsock_listener *l, int fd)
{
	struct sockaddr_vm a;
	socklen_t len = sizeof(a);
	struct vsock_conn *c;

	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return NULL;
	while ((c = vsock_accept(l)))
		if (c->host_port == a.svm_port)
			break;
	return c;
}

int vsock_env_connect(struct vsock_env *e, uint16_t type, uint32_t buf_alloc,
		      struct vsock_pair *p)
{
	struct vsock_listener *l = vsock_guest_listen(&e->g, type, GUEST_PORT, buf_alloc);
	int res;

	CHECK(l, "too many listeners");
	p->fd = host_connect(type, e->opts.dev.cid, GUEST_PORT);
	CHECK_OK(p->fd);
	AWAIT(e, (p->c = other_end(l, p->fd)));
	AWAIT(e, (res = host_connected(p->fd)));
	CHECK_EQ(res, 1);
	host_set_nonblock(p->fd, false);
	l->used = false;
	return 0;
}

int vsock_env_accept_on(struct vsock_env *e, uint16_t type, uint32_t buf_alloc, int fd,
			struct vsock_pair *p)
{
	p->c = vsock_connect(&e->g, type, HOST_PORT, buf_alloc);
	AWAIT(e, p->c->state != VSOCK_ASKED);
	if (p->c->state != VSOCK_OPEN)
		vsock_env_dump(e);
	CHECK_EQ(p->c->state, VSOCK_OPEN);
	AWAIT(e, (p->fd = host_accept(fd)) != -EAGAIN);
	CHECK_OK(p->fd);
	return 0;
}

int vsock_env_accept(struct vsock_env *e, uint16_t type, uint32_t buf_alloc, struct vsock_pair *p)
{
	int fd = host_listen(type, HOST_PORT, BACKLOG);

	CHECK_OK(fd);
	CHECK_PASS(vsock_env_accept_on(e, type, buf_alloc, fd, p));
	close(fd);
	return 0;
}

int vsock_env_end(struct vsock_env *e, struct vsock_pair *p)
{
	close(p->fd);
	p->fd = -1;
	AWAIT(e, p->c->state >= VSOCK_RESET);
	vsock_conn_free(p->c);
	p->c = NULL;
	return 0;
}

static int verify_type(struct vsock_env *e, struct vsock_load *l, struct vsock_pair *p,
		       uint16_t type)
{
	uint64_t much = type == STREAM ? VERIFY_BYTES : VERIFY_MESSAGES;

	CHECK_PASS(vsock_env_connect(e, type, GUEST_ALLOC, &p[0]));
	CHECK_PASS(vsock_load_add(l, &p[0], VERIFY_PIECE, much, much));
	CHECK_PASS(vsock_env_accept(e, type, GUEST_ALLOC, &p[1]));
	return vsock_load_add(l, &p[1], VERIFY_PIECE, much, much);
}

int vsock_env_verify(struct vsock_env *e)
{
	bool messages = e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET);
	unsigned int i, count = messages ? 4 : 2;
	struct vsock_pair p[4];
	struct vsock_load l;

	CHECK_PASS(vsock_load_init(&l, e, 4));
	CHECK_PASS(verify_type(e, &l, p, STREAM));
	if (messages)
		CHECK_PASS(verify_type(e, &l, p + 2, SEQPACKET));
	CHECK_PASS(vsock_load_run(&l));
	vsock_load_destroy(&l);
	for (i = 0; i < count; i++)
		CHECK_PASS(vsock_env_end(e, &p[i]));
	CHECK(!vsock_broken(&e->g.s, VSOCK_RX) && !vsock_broken(&e->g.s, VSOCK_TX),
	      "a queue is broken");
	return 0;
}

int vsock_env_verify_reset(struct vsock_env *e)
{
	CHECK_OK(vsock_guest_restart(&e->g));
	CHECK_OK(vsock_guest_turn(&e->g));
	return vsock_env_verify(e);
}
