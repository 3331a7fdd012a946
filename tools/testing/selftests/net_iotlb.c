// SPDX-License-Identifier: GPL-2.0-only
/* Addresses of a net device that a VMM maps page by page, and takes away again. */
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "net_env.h"

/* A thread that answers each miss by mapping so many bytes around it. */
struct vmm {
	struct net_env *e;
	uint64_t granule;
	atomic_uint misses;
	atomic_bool stop;
	atomic_int res;
	pthread_t thread;
};

/* A miss, or -EAGAIN. */
static int read_miss(const struct net_env *e, struct vhost_iotlb_msg *msg)
{
	struct vhost_msg_v2 m;
	ssize_t n = read(e->n.v.fd, &m, sizeof(m));

	if (n < 0)
		return -errno;
	CHECK_EQ(n, sizeof(m));
	CHECK_EQ(m.type, VHOST_IOTLB_MSG_V2);
	CHECK_EQ(m.iotlb.type, VHOST_IOTLB_MISS);
	*msg = m.iotlb;
	return 0;
}

static int map(struct net_env *e, uint64_t iova, uint64_t size)
{
	const struct gmem *m = &e->n.mem;

	return vhost_iotlb_map(&e->n.v, iova, size, m->va + (iova - m->iova), VHOST_ACCESS_RW);
}

static int answer(struct vmm *vmm, const struct vhost_iotlb_msg *msg)
{
	const struct gmem *m = &vmm->e->n.mem;
	uint64_t start = msg->iova & ~(vmm->granule - 1), size = vmm->granule;

	CHECK(msg->iova - m->iova < m->size, "a miss at 0x%llx", msg->iova);
	if (start + size > m->iova + m->size)
		size = m->iova + m->size - start;
	CHECK_OK(map(vmm->e, start, size));
	return 0;
}

static void *vmm_main(void *arg)
{
	struct vmm *vmm = arg;
	struct pollfd p = { .fd = vmm->e->n.v.fd, .events = POLLIN };
	struct vhost_iotlb_msg msg;

	while (!vmm->stop && !vmm->res) {
		int err;

		if (poll(&p, 1, 5) < 1)
			continue;
		err = read_miss(vmm->e, &msg);
		if (err == -EAGAIN)
			continue;
		vmm->misses++;
		if (!err)
			err = answer(vmm, &msg);
		vmm->res = err;
	}
	return NULL;
}

static int vmm_start(struct vmm *vmm, struct net_env *e, uint64_t granule)
{
	*vmm = (struct vmm){ .e = e, .granule = granule };
	CHECK_EQ(pthread_create(&vmm->thread, NULL, vmm_main, vmm), 0);
	return 0;
}

static int vmm_stop(struct vmm *vmm)
{
	vmm->stop = true;
	pthread_join(vmm->thread, NULL);
	return vmm->res;
}

/* Where the buffers begin, on a page of their own: the rings lie before them. */
static uint64_t buffers_iova(const struct net_env *e)
{
	return gmem_iova(&e->n.mem, e->rx.bufs[0].va);
}

static uint64_t end_iova(const struct net_env *e)
{
	return e->n.mem.iova + e->n.mem.size;
}

/* A device whose rings are mapped, and nothing else is. */
static int iotlb_start(void *ctx)
{
	struct net_env *e = ctx;

	e->opts.iotlb = true;
	e->opts.iotlb_empty = true;
	CHECK_PASS(net_env_open(e));
	CHECK(e->n.features & BIT(VIRTIO_F_ACCESS_PLATFORM), "ACCESS_PLATFORM is not offered");
	CHECK_EQ(fcntl(e->n.v.fd, F_SETFL, O_NONBLOCK), 0);
	CHECK_OK(net_prepare(&e->n));
	CHECK_OK(map(e, e->n.mem.iova, buffers_iova(e) - e->n.mem.iova));
	CHECK_OK(net_attach(&e->n, NET_RX, e->w.backend));
	CHECK_OK(net_attach(&e->n, NET_TX, e->w.backend));
	return 0;
}

/* Each page of a buffer is asked for when it is needed. */
static int iotlb_pages(void *ctx)
{
	static const uint64_t granules[] = { PAGE, 16 * PAGE, MIB };
	struct net_env *e = ctx;
	struct net_load l;
	struct vmm vmm;
	unsigned int i;
	int res;

	for (i = 0; i < sizeof(granules) / sizeof(*granules); i++) {
		CHECK_PASS(vmm_start(&vmm, e, granules[i]));
		net_load_init(&l, e);
		res = net_load_run(&l, 300);
		CHECK_PASS(vmm_stop(&vmm));
		CHECK_PASS(res);
		ktap_diag("%u misses with pages of %llu KiB", vmm.misses,
			  (unsigned long long)granules[i] / 1024);
		CHECK(vmm.misses, "no misses");
		CHECK_OK(vhost_iotlb_unmap(&e->n.v, buffers_iova(e),
					   end_iova(e) - buffers_iova(e)));
	}
	return 0;
}

/* Mappings are taken away while frames are on their way through them; none is lost by that. */
static int iotlb_invalidated(void *ctx)
{
	struct net_env *e = ctx;
	uint64_t first = e->peer ? buffers_iova(e) : e->n.mem.iova;
	uint64_t pages = (end_iova(e) - first) / PAGE;
	struct prng prng = { e->seed };
	struct net_load l;
	struct vmm vmm;
	unsigned int i;
	int res = 0, err;

	CHECK_PASS(vmm_start(&vmm, e, 4 * PAGE));
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds * 20 && !res; i++) {
		uint64_t page = prng_range(&prng, 0, pages - 1);
		uint64_t n = prng_range(&prng, 1, pages - page);

		res = net_load_await(&l, prng_range(&prng, 0, 10));
		if (!res)
			res = vhost_iotlb_unmap(&e->n.v, first + page * PAGE, n * PAGE);
	}
	err = net_load_stop(&l);
	CHECK_PASS(vmm_stop(&vmm));
	CHECK_PASS(err);
	CHECK_OK(res);
	ktap_diag("%u misses, %lu frames", vmm.misses, (unsigned long)l.frames);
	CHECK(vmm.misses, "no misses");
	return 0;
}

/* Waits for a miss in the buffers. */
static int expect_miss(struct net_env *e, struct vhost_iotlb_msg *msg, uint8_t perm)
{
	struct pollfd p = { .fd = e->n.v.fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, NET_HANG_LIMIT_MS), 1);
	CHECK_OK(read_miss(e, msg));
	CHECK(msg->iova >= buffers_iova(e) && msg->iova < end_iova(e), "0x%llx", msg->iova);
	CHECK(msg->perm & perm, "permission %u", msg->perm);
	return 0;
}

/* Has a frame go by a queue whose buffers are not mapped. */
static int provoke(struct net_env *e, unsigned int q, struct vhost_iotlb_msg *msg)
{
	uint8_t buf[200];

	if (q == NET_RX) {
		CHECK_OK(net_rx_fill(&e->rx));
		eth_fill(buf, sizeof(buf), ETH_TO_GUEST, e->nr_in++);
		CHECK_OK(wire_send(&e->w, buf, sizeof(buf)));
	} else {
		eth_fill(buf, sizeof(buf), ETH_FROM_GUEST, e->nr_out++);
		CHECK_OK(net_tx_put(&e->tx, NULL, buf, sizeof(buf)));
		net_tx_flush(&e->tx);
	}
	return expect_miss(e, msg, q == NET_RX ? VHOST_ACCESS_WO : VHOST_ACCESS_RO);
}

static int map_queue(struct net_env *e, unsigned int q)
{
	const struct net_bufs *b = q == NET_RX ? &e->rx : &e->tx;
	uint64_t from = gmem_iova(&e->n.mem, b->bufs[0].va);
	uint64_t end = gmem_iova(&e->n.mem, b->bufs[b->count - 1].va) + NET_ROOM;

	return map(e, from, (end + PAGE - 1 - from) & ~(PAGE - 1ul));
}

static int stalls_alone(struct net_env *e, unsigned int q)
{
	struct vhost_iotlb_msg msg;
	struct net_load l;
	uint8_t buf[ETH_USUAL];
	struct net_frame f;
	unsigned int ms;
	int n = 0;

	CHECK_OK(map_queue(e, !q));
	CHECK_PASS(provoke(e, q, &msg));
	net_load_init(&l, e);
	l.way[q] = false;
	CHECK_PASS(net_load_run(&l, 100));
	CHECK_EQ(ring_pending(&e->n.rings[q]), 0);
	CHECK(!net_broken(&e->n, q), "it is broken");
	CHECK_OK(map_queue(e, q));
	for (ms = 0; !n && ms < NET_HANG_LIMIT_MS; ms++) {
		n = q == NET_RX ? net_rx_take(&e->rx, &f) : net_tx_reap(&e->tx);
		usleep(1000);
	}
	CHECK_EQ(n, 1);
	while (wire_recv(&e->w, buf, sizeof(buf)) >= 0)
		;
	return net_env_verify(e);
}

static int iotlb_receive_stalls(void *ctx)
{
	return stalls_alone(ctx, NET_RX);
}

static int iotlb_transmit_stalls(void *ctx)
{
	return stalls_alone(ctx, NET_TX);
}

/* The VMM says no: that breaks the queue that asks, the other one goes on, and a reset heals. */
static int refused(struct net_env *e, unsigned int q)
{
	struct vhost_iotlb_msg msg;

	NEED_OURS(e);
	CHECK_OK(map_queue(e, !q));
	CHECK_PASS(provoke(e, q, &msg));
	msg.type = VHOST_IOTLB_ACCESS_FAIL;
	CHECK_OK(vhost_iotlb_send(&e->n.v, &msg, 0));
	CHECK(net_wait_broken(&e->n, q), "the queue is not broken");
	CHECK_PASS(net_env_verify_queue(e, !q));
	e->n.opts.iotlb_empty = false;
	return net_env_verify_reset(e);
}

static int iotlb_receive_refused(void *ctx)
{
	return refused(ctx, NET_RX);
}

static int iotlb_transmit_refused(void *ctx)
{
	return refused(ctx, NET_TX);
}

/* The rings themselves: nothing is there at all, and what is asked for comes. */
static int iotlb_from_nothing(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	struct vmm vmm;
	int res;

	NEED_OURS(e);
	CHECK_OK(net_attach(&e->n, NET_RX, -1));
	CHECK_OK(net_attach(&e->n, NET_TX, -1));
	CHECK_OK(vhost_iotlb_unmap(&e->n.v, e->n.mem.iova, e->n.mem.size));
	CHECK_OK(net_attach(&e->n, NET_RX, e->w.backend));
	CHECK_OK(net_attach(&e->n, NET_TX, e->w.backend));
	CHECK_PASS(vmm_start(&vmm, e, PAGE));
	net_load_init(&l, e);
	res = net_load_run(&l, 300);
	CHECK_PASS(vmm_stop(&vmm));
	CHECK(vmm.misses, "no misses");
	return res;
}

/* Stopped with a question open: that ends at once, and the next start asks again. */
static int iotlb_stopped(void *ctx)
{
	struct net_env *e = ctx;
	struct vhost_iotlb_msg msg;
	unsigned int base;

	CHECK_OK(map_queue(e, NET_TX));
	CHECK_PASS(provoke(e, NET_RX, &msg));
	CHECK_OK(net_attach(&e->n, NET_RX, -1));
	CHECK(!net_broken(&e->n, NET_RX), "it is broken");
	CHECK_OK(vhost_get_vring_base(&e->n.v, NET_RX, &base));
	CHECK_EQ(base, ring_device_base(&e->n.rings[NET_RX]));
	CHECK_OK(net_attach(&e->n, NET_RX, e->w.backend));
	CHECK_PASS(expect_miss(e, &msg, VHOST_ACCESS_WO));
	CHECK_OK(map_queue(e, NET_RX));
	return net_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(iotlb_pages),
	KTAP_TEST(iotlb_invalidated),
	KTAP_TEST(iotlb_receive_stalls),
	KTAP_TEST(iotlb_transmit_stalls),
	KTAP_TEST(iotlb_receive_refused),
	KTAP_TEST(iotlb_transmit_refused),
	KTAP_TEST(iotlb_from_nothing),
	KTAP_TEST(iotlb_stopped),
};

int main(int argc, char **argv)
{
	static struct net_env e;
	const struct ktap_suite suite = {
		.name = "translations",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
		.setup = iotlb_start,
		.teardown = net_env_close,
	};

	net_env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
