// SPDX-License-Identifier: GPL-2.0-only
/* The generic ioctls that not every kernel's own module has, with arguments that are wrong. */
#include <string.h>
#include <linux/pvio_vhost.h>

#include "net_bad.h"

/* Whose argument is bigger than nothing. */
static const unsigned long requests[] = {
	VHOST_GET_FEATURES_ARRAY, VHOST_SET_FEATURES_ARRAY, VHOST_NEW_WORKER, VHOST_FREE_WORKER,
	VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_VDPA_SET_VRING_ENABLE, VHOST_SET_VRING_INFLIGHT,
	VHOST_GET_VRING_INFLIGHT, VHOST_DRAIN,
};

/* Of these, those whose argument begins with a queue. */
static const unsigned long of_queues[] = {
	VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_VDPA_SET_VRING_ENABLE, VHOST_SET_VRING_INFLIGHT,
	VHOST_GET_VRING_INFLIGHT,
};

static int generic_pointers(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	NEED_OURS(e);
	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		EXPECT(e, -EFAULT, requests[i], NULL);
		EXPECT(e, -EFAULT, requests[i], (void *)KERNEL_ADDRESS);
	}
	return 0;
}

static int generic_indices(void *ctx)
{
	static const uint32_t bad[] = { 2, 64, 0x7fffffff, 0xffffffff };
	struct net_env *e = ctx;
	unsigned int i, k;

	NEED_OURS(e);
	for (i = 0; i < sizeof(of_queues) / sizeof(*of_queues); i++) {
		for (k = 0; k < sizeof(bad) / sizeof(*bad); k++) {
			uint32_t arg[16] = { bad[k] };

			EXPECT(e, -ENOBUFS, of_queues[i], arg);
		}
	}
	return 0;
}

static int generic_no_owner(void *ctx)
{
	struct net_env *e = ctx;
	uint32_t arg[16] = { };
	struct vhost other;
	unsigned int i;

	NEED_OURS(e);
	CHECK_OK(vhost_open(&other, e->opts.node));
	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		if (requests[i] != VHOST_GET_FEATURES_ARRAY)
			CHECK_EQ(vhost_ioctl(&other, requests[i], arg), -EPERM);
	CHECK_EQ(vhost_ioctl(&other, VHOST_RESUME, NULL), -EPERM);
	vhost_close(&other);
	return 0;
}

static int generic_values(void *ctx)
{
	struct vhost_vring_inflight region = { .addr = 4096, .size = 4096 };
	struct vhost_drain drain = { .flags = 1 };
	struct vhost_vring_worker w = { };
	struct vhost_vring_state s = { };
	struct net_env *e = ctx;

	NEED_OURS(e);
	w.worker_id = 12345;
	EXPECT(e, -ENODEV, VHOST_ATTACH_VRING_WORKER, &w);
	EXPECT(e, -ENODEV, VHOST_FREE_WORKER, &w.worker_id);
	s.num = 10001;
	EXPECT(e, -EINVAL, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &s);
	s.num = 2;
	EXPECT(e, -EINVAL, VHOST_VDPA_SET_VRING_ENABLE, &s);
	/* A device that has nothing in flight keeps no list of that. */
	EXPECT(e, -EOPNOTSUPP, VHOST_SET_VRING_INFLIGHT, &region);
	region = (struct vhost_vring_inflight) { .flags = 1 };
	EXPECT(e, -EINVAL, VHOST_SET_VRING_INFLIGHT, &region);
	EXPECT(e, -EINVAL, VHOST_DRAIN, &drain);
	return 0;
}

/* Bits 64 to 127: what is offered is taken alone, and nothing of it while a queue runs. */
static int generic_feature_words(void *ctx)
{
	uint64_t offered[VHOST_FEATURE_WORDS], f[VHOST_FEATURE_WORDS];
	struct net_env *e = ctx;
	unsigned int i;

	NEED_OURS(e);
	CHECK_OK(vhost_get_feature_words(&e->n.v, offered, VHOST_FEATURE_WORDS));
	CHECK(!offered[1] || offered[1] == NET_TUNNELS, "features %#llx",
	      (unsigned long long)offered[1]);
	for (i = 0; i < 64; i++) {
		f[0] = 0;
		f[1] = BIT(i);
		CHECK_EQ(vhost_set_feature_words(&e->n.v, f, VHOST_FEATURE_WORDS),
			 offered[1] & f[1] ? 0 : -EOPNOTSUPP);
	}
	CHECK_OK(net_start(&e->n, e->w.backend));
	f[0] = e->n.features;
	f[1] = e->opts.tunnels ? 0 : offered[1];
	if (offered[1])
		CHECK_EQ(vhost_set_feature_words(&e->n.v, f, VHOST_FEATURE_WORDS), -EBUSY);
	return net_env_verify(e);
}

/* Frames that come while nothing is taken are not lost. */
static int generic_drain(void *ctx)
{
	struct vhost_drain drain = { .timeout_ms = NET_HANG_LIMIT_MS };
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;

	NEED_OURS(e);
	CHECK_OK(net_start(&e->n, e->w.backend));
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(net_load_await(&l, 50));
		EXPECT(e, 0, VHOST_DRAIN, &drain);
		CHECK_EQ(drain.inflight, 0);
		EXPECT(e, 0, VHOST_RESUME, NULL);
	}
	CHECK_PASS(net_load_await(&l, 50));
	return net_load_stop(&l);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(generic_pointers),
	KTAP_TEST(generic_indices),
	KTAP_TEST(generic_no_owner),
	KTAP_TEST(generic_values),
	KTAP_TEST(generic_feature_words),
	KTAP_TEST(generic_drain),
};

const struct ktap_suite net_bad_generic_suite = {
	.name = "generic ioctls",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = net_env_open,
	.teardown = net_env_close,
};
