// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of dirty pages: whatever a net device writes, frames as well as rings, is there, so that
 * a copy of memory that follows the log becomes the memory itself.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "dirty_log.h"
#include "net_env.h"

#define LOG_ALL		BIT(VHOST_F_LOG_ALL)
#define FRAMES_IN	10u
#define FRAMES_OUT	40u

static struct dirty_log d;

static int place(struct net_env *e, unsigned int q)
{
	return dirty_log_place(&d, &e->n.v, q, &e->n.rings[q], e->n.opts.iotlb);
}

static int attach_both(struct net_env *e, int fd)
{
	CHECK_OK(net_attach(&e->n, NET_RX, fd));
	CHECK_OK(net_attach(&e->n, NET_TX, fd));
	return 0;
}

/* All is set, and the queues stand still. */
static int dirty_setup(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_PASS(net_env_open(e));
	CHECK_OK(net_prepare(&e->n));
	CHECK_PASS(dirty_log_open(&d, &e->n.v, &e->n.mem));
	CHECK_OK(vhost_set_features(&e->n.v, e->n.features | LOG_ALL));
	if (e->n.opts.iotlb)
		CHECK_OK(vhost_map_gmem(&e->n.v, &e->n.mem));
	CHECK_OK(place(e, NET_RX));
	CHECK_OK(place(e, NET_TX));
	return 0;
}

static int dirty_teardown(void *ctx)
{
	int res = net_env_close(ctx);

	dirty_log_close(&d);
	return res;
}

static bool may_write(const void *ctx, uint64_t iova)
{
	const struct net_env *e = ctx;
	uint64_t first = gmem_iova(&e->n.mem, e->rx.bufs[0].va);
	uint64_t last = gmem_iova(&e->n.mem, e->rx.bufs[e->rx.count - 1].va) + NET_ROOM;

	if (iova / PAGE >= first / PAGE && iova / PAGE <= last / PAGE)
		return true;
	return dirty_log_in_ring(&e->n.rings[NET_RX], iova) ||
	       dirty_log_in_ring(&e->n.rings[NET_TX], iova);
}

static int check_log(const struct net_env *e)
{
	unsigned int changed;

	CHECK_PASS(dirty_log_check(&d, may_write, e, &changed));
	CHECK(changed >= FRAMES_IN / 4, "%u pages have changed", changed);
	return 0;
}

/* Gets frames ready on both sides; returns how many buffers those to the guest take. */
static int prepare_frames(struct net_env *e, unsigned int *buffers)
{
	uint8_t buf[ETH_USUAL];
	unsigned int i;

	*buffers = 0;
	CHECK_OK(net_rx_fill(&e->rx));
	for (i = 0; i < FRAMES_IN; i++) {
		uint32_t len = prng_range(&e->rx.prng, ETH_MIN, ETH_USUAL);

		eth_fill(buf, len, ETH_TO_GUEST, e->nr_in + i);
		CHECK_OK(wire_send(&e->w, buf, len));
		*buffers += (len + e->n.hdr_len + e->rx.max - 1) / e->rx.max;
	}
	for (i = 0; i < FRAMES_OUT; i++) {
		eth_fill(buf, 200 + i, ETH_FROM_GUEST, e->nr_out + i);
		CHECK_OK(net_tx_put(&e->tx, NULL, buf, 200 + i));
	}
	net_tx_flush(&e->tx);
	return 0;
}

static int await_used(struct net_env *e, unsigned int q, unsigned int n)
{
	unsigned int ms;

	for (ms = 0; ring_pending(&e->n.rings[q]) < n; ms++) {
		CHECK(ms < NET_HANG_LIMIT_MS, "queue %u: %u of %u used", q,
		      ring_pending(&e->n.rings[q]), n);
		usleep(1000);
	}
	CHECK_EQ(ring_pending(&e->n.rings[q]), n);
	return 0;
}

static int collect_frames(struct net_env *e)
{
	uint8_t buf[ETH_USUAL];
	struct net_frame f;
	unsigned int i;
	ssize_t n;

	for (i = 0; i < FRAMES_IN; i++) {
		CHECK_EQ(net_rx_take(&e->rx, &f), 1);
		CHECK_EQ(eth_check(f.data, f.len, ETH_TO_GUEST), e->nr_in++);
	}
	CHECK_EQ(net_tx_reap(&e->tx), FRAMES_OUT);
	for (i = 0; i < FRAMES_OUT; i++) {
		n = wire_recv(&e->w, buf, sizeof(buf));
		CHECK_OK((int)n);
		CHECK_EQ(eth_check(buf, n, ETH_FROM_GUEST), e->nr_out++);
	}
	return 0;
}

/* The device runs once, with all that it has to do before it. */
static int run_once(struct net_env *e)
{
	unsigned int buffers;

	CHECK_PASS(prepare_frames(e, &buffers));
	dirty_log_clean(&d);
	CHECK_PASS(attach_both(e, e->w.backend));
	CHECK_PASS(await_used(e, NET_RX, buffers));
	CHECK_PASS(await_used(e, NET_TX, FRAMES_OUT));
	return attach_both(e, -1);
}

static int exact(struct net_env *e, uint32_t size, enum shape shape)
{
	unsigned int i;

	e->rx.min = size;
	e->rx.max = size;
	e->rx.shape = shape;
	e->tx.shape = shape;
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(run_once(e));
		CHECK_PASS(check_log(e));
		CHECK_PASS(collect_frames(e));
	}
	return 0;
}

static int dirty_exact(void *ctx)
{
	return exact(ctx, NET_ROOM, SHAPE_WHOLE);
}

static int dirty_exact_shapes(void *ctx)
{
	return exact(ctx, NET_ROOM, SHAPE_ANY);
}

/* Frames that lie in several buffers. */
static int dirty_exact_merged(void *ctx)
{
	struct net_env *e = ctx;

	if (!(e->n.features & BIT(VIRTIO_NET_F_MRG_RXBUF)))
		SKIP("buffers can't be merged");
	return exact(e, 333, SHAPE_SPLIT);
}

/* Nobody asks for it. */
static int dirty_off(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_OK(vhost_set_features(&e->n.v, e->n.features));
	if (e->n.opts.iotlb)
		CHECK_OK(vhost_map_gmem(&e->n.v, &e->n.mem));
	CHECK_OK(net_place(&e->n, NET_RX));
	CHECK_OK(net_place(&e->n, NET_TX));
	CHECK_PASS(run_once(e));
	CHECK_EQ(bytes_check(d.log, d.size, 0), -1);
	return collect_frames(e);
}

/* As a migration does: a copy that is made, and made anew where the log says so. */
static int dirty_migrated(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i, copied = 0, q;
	int res = 0;

	memcpy(d.copy, e->n.mem.va, e->n.mem.size);
	CHECK_PASS(attach_both(e, e->w.backend));
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds && !res; i++) {
		res = net_load_await(&l, 50);
		copied += dirty_log_follow(&d);
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_PASS(res);
	CHECK_PASS(attach_both(e, -1));
	copied += dirty_log_follow(&d);
	ktap_diag("%u pages for %lu frames", copied, (unsigned long)l.frames);
	for (i = 0; i < e->rx.count; i++)
		CHECK_PASS(dirty_log_same(&d, e->rx.bufs[i].va, NET_ROOM, "buffers"));
	for (q = 0; q < NET_QUEUES; q++)
		if (!e->n.rings[q].packed)
			CHECK_PASS(dirty_log_same(&d, e->n.rings[q].used,
						  6 + 8 * e->n.rings[q].num, "rings"));
	return 0;
}

/* What can't be noted breaks the queue, and is not shown to the driver. */
static int dirty_lost(void *ctx)
{
	struct net_env *e = ctx;
	uint8_t buf[100];

	NEED_OURS(e);
	CHECK_PASS(attach_both(e, e->w.backend));
	CHECK_PASS(net_env_verify(e));
	CHECK_OK(net_rx_fill(&e->rx));
	CHECK_EQ(mprotect(d.log, d.size, PROT_READ), 0);
	eth_fill(buf, sizeof(buf), ETH_TO_GUEST, e->nr_in++);
	CHECK_OK(wire_send(&e->w, buf, sizeof(buf)));
	CHECK(net_wait_broken(&e->n, NET_RX), "nobody is told");
	CHECK_EQ(ring_pending(&e->n.rings[NET_RX]), 0);
	CHECK_EQ(mprotect(d.log, d.size, PROT_READ | PROT_WRITE), 0);
	return net_env_verify_reset(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(dirty_exact),
	KTAP_TEST(dirty_exact_shapes),
	KTAP_TEST(dirty_exact_merged),
	KTAP_TEST(dirty_off),
	KTAP_TEST(dirty_migrated),
	KTAP_TEST(dirty_lost),
};

int main(int argc, char **argv)
{
	static struct net_env e;
	const struct ktap_suite suite = {
		.name = "dirty pages",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
		.setup = dirty_setup,
		.teardown = dirty_teardown,
	};

	net_env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
