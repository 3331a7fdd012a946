// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of dirty pages: whatever a socket device writes, data as well as rings, is there, so that
 * a copy of memory that follows the log becomes the memory itself.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "dirty_log.h"
#include "vsock_load.h"

#define LOG_ALL		BIT(VHOST_F_LOG_ALL)
#define BYTES_IN	30000u
#define PIECES_OUT	10u
#define BUSY_BYTES	(256u * KIB)

static struct dirty_log d;
static struct vsock_pair pair;

/* All is set, and a connection is there. */
static int dirty_start(struct vsock_env *e, uint64_t log_all)
{
	struct vsock *s = &e->g.s;
	unsigned int q;

	CHECK_PASS(vsock_env_setup_open(e));
	CHECK_OK(vsock_prepare(s));
	CHECK_PASS(dirty_log_open(&d, &s->v, &s->mem));
	CHECK_OK(vhost_set_features(&s->v, s->features | log_all));
	if (s->opts.iotlb)
		CHECK_OK(vhost_map_gmem(&s->v, &s->mem));
	for (q = 0; q < VSOCK_QUEUES && log_all; q++)
		CHECK_OK(dirty_log_place(&d, &s->v, q, &s->rings[q], s->opts.iotlb));
	CHECK_OK(vsock_set_cid(s, s->opts.cid));
	CHECK_OK(vsock_set_running(s, 1));
	CHECK_PASS(vsock_env_turn(e, 0));
	return vsock_env_connect(e, STREAM, GUEST_ALLOC, &pair);
}

static int dirty_setup(void *ctx)
{
	return dirty_start(ctx, LOG_ALL);
}

static int dirty_teardown(void *ctx)
{
	struct vsock_env *e = ctx;
	int res = vsock_env_end(e, &pair);

	if (!res)
		res = vsock_env_close(e);
	dirty_log_close(&d);
	return res;
}

static bool may_write(const void *ctx, uint64_t iova)
{
	const struct vsock_guest *g = ctx;
	uint64_t first = gmem_iova(&g->s.mem, g->rx.bufs[0].va);
	uint64_t last = gmem_iova(&g->s.mem, g->rx.bufs[g->rx.count - 1].va) + g->rx.max;

	if (iova / PAGE >= first / PAGE && iova / PAGE <= last / PAGE)
		return true;
	return dirty_log_in_ring(&g->s.rings[VSOCK_RX], iova) ||
	       dirty_log_in_ring(&g->s.rings[VSOCK_TX], iova);
}

/* The guest posts nothing until there is no buffer left. */
static int use_up_buffers(struct vsock_env *e, uint64_t *sent)
{
	static const uint8_t data[BYTES_IN];

	e->g.deaf = true;
	while (e->g.rx.posted) {
		CHECK_EQ(host_send(pair.fd, data, 1, 0), 1);
		(*sent)++;
		AWAIT(e, pair.c->received == *sent || !e->g.rx.posted);
	}
	return 0;
}

static int await_used(struct vsock_env *e, unsigned int q, unsigned int n)
{
	AWAIT_HOST(ring_pending(&e->g.s.rings[q]) >= n);
	CHECK_EQ(ring_pending(&e->g.s.rings[q]), n);
	return 0;
}

/* The device runs once, with all that it has to do before it; nobody else writes meanwhile. */
static int run_once(struct vsock_env *e)
{
	static uint8_t data[BYTES_IN];
	struct vsock *s = &e->g.s;
	uint64_t sent = pair.c->received;
	unsigned int i;

	CHECK_PASS(use_up_buffers(e, &sent));
	CHECK_EQ(host_send(pair.fd, data, BYTES_IN, 0), BYTES_IN);
	CHECK_OK(vsock_set_running(s, 0));
	CHECK_OK(vsock_rx_post(&e->g.rx, e->g.rx.count));
	for (i = 0; i < PIECES_OUT; i++)
		CHECK_OK(vsock_conn_put(pair.c, data, 100 + i, 0));
	vsock_tx_flush(&e->g.tx);
	dirty_log_clean(&d);
	CHECK_OK(vsock_set_running(s, 1));
	CHECK_PASS(await_used(e, VSOCK_RX, (BYTES_IN + e->g.rx.max - VSOCK_HDR_LEN - 1) /
					   (e->g.rx.max - VSOCK_HDR_LEN)));
	CHECK_PASS(await_used(e, VSOCK_TX, PIECES_OUT));
	return vsock_set_running(s, 0);
}

static int go_on(struct vsock_env *e)
{
	static uint8_t data[BYTES_IN];
	uint32_t want = PIECES_OUT * 100 + PIECES_OUT * (PIECES_OUT - 1) / 2;
	uint64_t until = pair.c->received + BYTES_IN;

	CHECK_OK(vsock_set_running(&e->g.s, 1));
	e->g.deaf = false;
	pair.c->sink = true;
	AWAIT(e, pair.c->received >= until);
	CHECK_EQ(host_recv(pair.fd, data, sizeof(data), 0), want);
	return 0;
}

static int exact(struct vsock_env *e, enum shape shape)
{
	unsigned int i, changed;

	NEED_OURS(e, "it logs rings alone");
	e->g.rx.shape = shape;
	e->g.tx.shape = shape;
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(run_once(e));
		CHECK_PASS(dirty_log_check(&d, may_write, &e->g, &changed));
		CHECK(changed >= BYTES_IN / PAGE, "%u pages have changed", changed);
		CHECK_PASS(go_on(e));
	}
	return 0;
}

static int dirty_exact(void *ctx)
{
	return exact(ctx, SHAPE_WHOLE);
}

static int dirty_exact_shapes(void *ctx)
{
	return exact(ctx, SHAPE_ANY);
}

/* Nobody asks for it. */
static int dirty_off(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(dirty_teardown(e));
	CHECK_PASS(dirty_start(e, 0));
	CHECK_PASS(run_once(e));
	CHECK_EQ(bytes_check(d.log, d.size, 0), -1);
	return go_on(e);
}

/* As a migration does: a copy that is made, and made anew where the log says so. */
static int dirty_migrated(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_load l;
	unsigned int i, copied = 0, q;

	NEED_OURS(e, "it logs rings alone");
	dirty_log_clean(&d);
	CHECK_PASS(vsock_load_init(&l, e, 1));
	CHECK_PASS(vsock_load_add(&l, &pair, 30000, BUSY_BYTES, BUSY_BYTES));
	CHECK_PASS(host_ends_start(&l.h));
	while (!l.h.done || !guest_ends_done(&l.g)) {
		CHECK_PASS(guest_ends_turn(&l.g));
		CHECK_PASS(vsock_env_turn(e, 5));
		copied += dirty_log_follow(&d);
	}
	CHECK_PASS(host_ends_stop(&l.h));
	vsock_load_destroy(&l);
	CHECK_OK(vsock_set_running(&e->g.s, 0));
	copied += dirty_log_follow(&d);
	ktap_diag("%u pages", copied);
	for (i = 0; i < e->g.rx.count; i++)
		CHECK_PASS(dirty_log_same(&d, e->g.rx.bufs[i].va, e->g.rx.max, "buffers"));
	for (q = 0; q < VSOCK_QUEUES; q++)
		if (!e->g.s.rings[q].packed)
			CHECK_PASS(dirty_log_same(&d, e->g.s.rings[q].used,
						  6 + 8 * e->g.s.rings[q].num, "rings"));
	return vsock_set_running(&e->g.s, 1);
}

/* What can't be noted breaks the queue, and is not shown to the driver. */
static int dirty_lost(void *ctx)
{
	struct vsock_env *e = ctx;

	NEED_OURS(e, "it logs rings alone");
	CHECK_PASS(vsock_load_pair(e, &pair, 1000, 1000, 1000));
	CHECK_EQ(mprotect(d.log, d.size, PROT_READ), 0);
	CHECK_EQ(host_send(pair.fd, "lost", 4, 0), 4);
	CHECK(vsock_wait_broken(&e->g.s, VSOCK_RX), "nobody is told");
	CHECK_EQ(ring_pending(&e->g.s.rings[VSOCK_RX]), 0);
	CHECK_EQ(mprotect(d.log, d.size, PROT_READ | PROT_WRITE), 0);
	close(pair.fd);
	CHECK_PASS(vsock_env_verify_reset(e));
	return vsock_env_connect(e, STREAM, GUEST_ALLOC, &pair);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(dirty_exact),
	KTAP_TEST(dirty_exact_shapes),
	KTAP_TEST(dirty_off),
	KTAP_TEST(dirty_migrated),
	KTAP_TEST(dirty_lost),
};

int main(int argc, char **argv)
{
	static struct vsock_env e;
	const struct ktap_suite suite = {
		.name = "dirty pages",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
		.setup = dirty_setup,
		.teardown = dirty_teardown,
	};

	vsock_env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
