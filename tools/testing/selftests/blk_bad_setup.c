// SPDX-License-Identifier: GPL-2.0-only
/* Calls of the VMM that are wrong, out of order, or at the wrong time. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "blk_bad.h"

#define LEN	4096u

static int setup_misaligned(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	const struct vhost *v = &e->b.v;
	uint64_t d = r->desc_iova, a = r->avail_iova, u = r->used_iova;

	CHECK_OK(blk_reset(&e->b));
	CHECK_EQ(vhost_set_vring_addr(v, 0, d + 8, a, u), -EINVAL);
	CHECK_EQ(vhost_set_vring_addr(v, 0, d + 1, a, u), -EINVAL);
	CHECK_EQ(vhost_set_vring_addr(v, 0, d, a + 1, u), -EINVAL);
	CHECK_EQ(vhost_set_vring_addr(v, 0, d, a, u + 2), -EINVAL);
	CHECK_EQ(vhost_set_vring_addr(v, 0, d, a, u + 1), -EINVAL);
	return env_verify_reset(e);
}

static int setup_queue_size(void *ctx)
{
	struct env *e = ctx;
	const struct vhost *v = &e->b.v;

	CHECK_OK(blk_reset(&e->b));
	CHECK_EQ(vhost_set_vring_num(v, 0, 0), -EINVAL);
	CHECK_EQ(vhost_set_vring_num(v, 0, 3), -EINVAL);
	CHECK_EQ(vhost_set_vring_num(v, 0, e->b.num - 1), -EINVAL);
	CHECK_EQ(vhost_set_vring_num(v, 0, 65536), -EINVAL);
	CHECK_EQ(vhost_set_vring_num(v, 0, 0x80000000u), -EINVAL);
	return env_verify_reset(e);
}

/* Some kernels leave this to the device, which then has to have no part in it. */
static int setup_queue_too_large(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint16_t max;

	CHECK_OK(vdpa_get_vring_num(&e->b.v, &max));
	CHECK_OK(blk_reset(&e->b));
	if (vhost_set_vring_num(&e->b.v, 0, max * 2) == 0) {
		CHECK_OK(blk_prepare(&e->b));
		CHECK_OK(vhost_set_vring_num(&e->b.v, 0, max * 2));
		vdpa_driver_ok(&e->b.v);
		ring_raw_avail_idx(r, r->avail_idx + max + 1);
		ring_kick(r);
		usleep(50000);
		CHECK_EQ(ring_pending(r), 0);
	}
	return env_verify_reset(e);
}

static int setup_queue_index(void *ctx)
{
	struct env *e = ctx;
	const struct vhost *v = &e->b.v;
	const unsigned int bad[] = { e->b.nqueues, e->b.nqueues + 1, 0xffff, 0xffffffff };
	unsigned int i, base;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_EQ(vhost_set_vring_num(v, bad[i], 16), -ENOBUFS);
		CHECK_EQ(vhost_set_vring_base(v, bad[i], 0), -ENOBUFS);
		CHECK_EQ(vhost_get_vring_base(v, bad[i], &base), -ENOBUFS);
		CHECK_EQ(vhost_set_vring_addr(v, bad[i], 0, 0, 0), -ENOBUFS);
		CHECK_EQ(vhost_set_vring_kick(v, bad[i], -1), -ENOBUFS);
		CHECK_EQ(vhost_set_vring_call(v, bad[i], -1), -ENOBUFS);
		CHECK_EQ(vdpa_set_vring_enable(v, bad[i], 1), -ENOBUFS);
	}
	return env_verify(e);
}

/* Files that are no eventfds. */
static int setup_bad_files(void *ctx)
{
	struct env *e = ctx;
	const struct vhost *v = &e->b.v;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	CHECK(vhost_set_vring_kick(v, 0, null) < 0, "kicked by /dev/null");
	CHECK(vhost_set_vring_call(v, 0, null) < 0, "calls /dev/null");
	CHECK(vdpa_set_config_call(v, null) < 0, "notifies /dev/null");
	CHECK_EQ(vhost_set_vring_kick(v, 0, 9999), -EBADF);
	CHECK_EQ(vhost_set_vring_call(v, 0, 9999), -EBADF);
	close(null);
	return env_verify(e);
}

static int negotiation_fails(struct env *e, uint64_t features)
{
	CHECK_OK(blk_reset(&e->b));
	CHECK(vdpa_negotiate(&e->b.v, features) < 0, "features 0x%llx were accepted",
	      (unsigned long long)features);
	return 0;
}

static int setup_features(void *ctx)
{
	struct env *e = ctx;
	unsigned int bit;

	for (bit = 0; bit < 64; bit++)
		if (!(e->b.offered & BIT(bit)))
			CHECK_PASS(negotiation_fails(e, e->b.features | BIT(bit)));
	CHECK_PASS(negotiation_fails(e, 0));
	CHECK_PASS(negotiation_fails(e, e->b.features & ~BIT(VIRTIO_F_VERSION_1)));
	CHECK_PASS(negotiation_fails(e, e->b.features & ~BIT(VIRTIO_F_ACCESS_PLATFORM)));
	return env_verify_reset(e);
}

static int setup_features_late(void *ctx)
{
	struct env *e = ctx;

	CHECK_EQ(vhost_set_features(&e->b.v, e->b.features & ~BIT(VIRTIO_RING_F_EVENT_IDX)),
		 -EBUSY);
	return env_verify(e);
}

static int setup_busy(void *ctx)
{
	struct env *e = ctx;
	struct blk_opts opts = e->opts;
	struct blk other;

	CHECK_EQ(blk_open(&other, &opts), -EBUSY);
	CHECK_EQ(vhost_set_owner(&e->b.v), -EBUSY);
	return env_verify(e);
}

/* Opened without ever getting an owner. */
static int setup_no_owner(void *ctx)
{
	struct env *e = ctx;
	struct vhost v = { .fd = -1 };
	char path[64];
	unsigned int i;

	blk_close(&e->b);
	CHECK_OK(vdpa_find(e->opts.name, path, sizeof(path)));
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(vhost_open(&v, path));
		CHECK(vhost_iotlb_map(&v, 0, LEN, &v, VHOST_ACCESS_RW) < 0, "mapped");
		vdpa_negotiate(&v, e->b.offered);
		vhost_set_vring_num(&v, 0, 16);
		vhost_set_vring_addr(&v, 0, 0, 0x1000, 0x2000);
		vdpa_set_vring_enable(&v, 0, 1);
		vdpa_driver_ok(&v);
		vdpa_suspend(&v);
		vdpa_set_status(&v, 0);
		vhost_close(&v);
	}
	CHECK_PASS(env_start(e));
	return env_verify(e);
}

/* Running without features, without queues, or without either. */
static int setup_out_of_order(void *ctx)
{
	static const uint8_t steps[] = { VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK,
		VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FAILED,
		VIRTIO_CONFIG_S_NEEDS_RESET, 0x10, 0xff };
	struct env *e = ctx;
	unsigned int i, q;

	for (i = 0; i < sizeof(steps); i++) {
		CHECK_OK(blk_reset(&e->b));
		vdpa_set_status(&e->b.v, steps[i]);
		for (q = 0; q < e->b.nqueues; q++) {
			vdpa_set_vring_enable(&e->b.v, q, 1);
			ring_kick(&e->b.rings[q]);
		}
		CHECK_PASS(env_verify_reset(e));
	}
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(vdpa_negotiate(&e->b.v, e->b.features));
	CHECK_OK(vdpa_driver_ok(&e->b.v));
	for (q = 0; q < e->b.nqueues; q++)
		ring_kick(&e->b.rings[q]);
	return env_verify_reset(e);
}

/* Sizes change beneath requests: "ring enlarged after per-entry arrays were sized". */
static int setup_live_resize(void *ctx)
{
	static const unsigned int sizes[] = { 16, 1024, 2, 256, 1, 32768, 64 };
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	struct blk_req req;
	unsigned int i;

	blk_req_init(&e->b, &req);
	for (i = 0; i < e->rounds * 10; i++) {
		blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, LEN);
		if (!blk_queue(&e->b, 0, &req, RING_DIRECT))
			ring_publish(r);
		ring_kick(r);
		vhost_set_vring_num(&e->b.v, 0, sizes[i % (sizeof(sizes) / sizeof(*sizes))]);
		ring_kick(r);
		CHECK(vhost_set_vring_addr(&e->b.v, 0, r->desc_iova, r->avail_iova,
					   r->used_iova) < 0, "a running ring was moved");
		CHECK(vhost_set_vring_base(&e->b.v, 0, i) < 0, "a running ring was wound");
		blk_collect(&e->b, 0);
		if (blk_needs_reset(&e->b) || r->lied)
			CHECK_PASS(env_verify_reset(e));
	}
	return env_verify_reset(e);
}

/* Queues are switched off and on beneath requests, and asked where they are. */
static int setup_live_toggle(void *ctx)
{
	struct env *e = ctx;
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	struct blk_req req;
	unsigned int i, base;

	blk_req_init(&e->b, &req);
	for (i = 0; i < e->rounds * 10; i++) {
		blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, LEN);
		if (!blk_queue(&e->b, 0, &req, RING_DIRECT))
			ring_publish(r);
		ring_kick(r);
		CHECK_OK(vdpa_set_vring_enable(&e->b.v, 0, i % 3));
		vhost_get_vring_base(&e->b.v, 0, &base);
		blk_collect(&e->b, 0);
	}
	return env_verify_reset(e);
}

static int setup_suspend(void *ctx)
{
	struct env *e = ctx;

	CHECK_OK(vdpa_suspend(&e->b.v));
	CHECK_OK(vdpa_suspend(&e->b.v));
	CHECK_PASS(env_verify_reset(e));
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(vdpa_suspend(&e->b.v));
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(vdpa_suspend(&e->b.v));
	return env_verify_reset(e);
}

/* What vhost-vdpa has no use for. */
static int setup_unsupported(void *ctx)
{
	struct env *e = ctx;
	uint64_t arg[8] = { 0 };
	unsigned int nr;

	CHECK(vhost_ioctl(&e->b.v, VHOST_SET_LOG_BASE, arg) < 0, "logs writes");
	CHECK(vhost_ioctl(&e->b.v, VHOST_SET_LOG_FD, arg) < 0, "logs writes");
	for (nr = 0x90; nr < 0x100; nr++)
		CHECK(vhost_ioctl(&e->b.v, _IOWR(VHOST_VIRTIO, nr, uint64_t[8]), arg) < 0,
		      "ioctl 0x%x", nr);
	return env_verify(e);
}

/* Every ioctl with rubbish. */
static int setup_random_calls(void *ctx)
{
	struct env *e = ctx;
	struct prng prng = { e->seed };
	uint64_t arg[64];
	unsigned int i, j;

	ktap_diag("seed %llu", (unsigned long long)e->seed);
	for (i = 0; i < e->rounds * 100; i++) {
		unsigned int nr = prng_range(&prng, 0, 0x8f);
		unsigned int size = prng_chance(&prng, 70) ? 8 : prng_range(&prng, 0, 64);

		for (j = 0; j < 64; j++)
			arg[j] = prng_chance(&prng, 50) ? prng_range(&prng, 0, 8) :
							  prng_next(&prng);
		vhost_ioctl(&e->b.v, _IOC(prng_range(&prng, 0, 3), VHOST_VIRTIO, nr, size), arg);
	}
	blk_close(&e->b);
	CHECK_PASS(env_start(e));
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(setup_misaligned),
	KTAP_TEST(setup_queue_size),
	KTAP_TEST(setup_queue_too_large),
	KTAP_TEST(setup_queue_index),
	KTAP_TEST(setup_bad_files),
	KTAP_TEST(setup_features),
	KTAP_TEST(setup_features_late),
	KTAP_TEST(setup_busy),
	KTAP_TEST(setup_no_owner),
	KTAP_TEST(setup_out_of_order),
	KTAP_TEST(setup_live_resize),
	KTAP_TEST(setup_live_toggle),
	KTAP_TEST(setup_suspend),
	KTAP_TEST(setup_unsupported),
	KTAP_TEST(setup_random_calls),
};

const struct ktap_suite blk_bad_setup_suite = {
	.name = "bad calls",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = env_start,
	.teardown = env_close,
};
