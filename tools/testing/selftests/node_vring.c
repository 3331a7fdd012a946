// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of one queue, while it is stopped and while it runs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "node.h"

#define QUEUES_MAX	64u

/* Each call has the queue's index first. */
static int vring_index(void *ctx)
{
	static const unsigned long calls[] = {
		VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR, VHOST_VDPA_SET_VRING_ENABLE,
	};
	static const uint32_t indices[] = { QUEUES_MAX, QUEUES_MAX + 1, 0x7fffffff, ~0u };
	struct env *e = ctx;
	unsigned int c, i;

	for (c = 0; c < sizeof(calls) / sizeof(*calls); c++) {
		for (i = 0; i < sizeof(indices) / sizeof(*indices); i++) {
			uint32_t arg[10] = { indices[i] };

			EXPECT(e, -ENOBUFS, calls[c], arg);
		}
	}
	return 0;
}

static int vring_num(void *ctx)
{
	static const struct {
		uint32_t num;
		int want;
	} cases[] = {
		{ 1, 0 }, { 2, 0 }, { 256, 0 }, { 32768, 0 }, { 0, -EINVAL }, { 3, -EINVAL },
		{ 255, -EINVAL }, { 65536, -EINVAL }, { ~0u, -EINVAL }, { 1u << 31, -EINVAL },
	};
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK_EQ(vhost_set_vring_num(&e->b.v, QUEUES_MAX - 1, cases[i].num),
			 cases[i].want);
	return 0;
}

static int vring_base(void *ctx)
{
	struct env *e = ctx;
	unsigned int base = 1;

	CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
	CHECK_EQ(base, 0);
	CHECK_OK(vhost_set_vring_base(&e->b.v, 0, 0xffff));
	CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
	CHECK_EQ(base, 0xffff);
	CHECK_EQ(vhost_set_vring_base(&e->b.v, 0, 0x10000), -EINVAL);
	CHECK_EQ(vhost_set_vring_base(&e->b.v, 0, ~0u), -EINVAL);
	CHECK_OK(vhost_get_vring_base(&e->b.v, 0, &base));
	CHECK_EQ(base, 0xffff);
	return 0;
}

static int vring_addr(void *ctx)
{
	static const struct {
		struct vhost_vring_addr a;
		int want;
	} cases[] = {
		{ { .desc_user_addr = 0x10, .avail_user_addr = 2, .used_user_addr = 4 }, 0 },
		{ { .flags = 1 << VHOST_VRING_F_LOG, .log_guest_addr = 4 }, 0 },
		{ { .flags = 1 << VHOST_VRING_F_LOG, .log_guest_addr = 2 }, -EINVAL },
		{ { .flags = 2 }, -EOPNOTSUPP },
		{ { .flags = 0x80000000 }, -EOPNOTSUPP },
		{ { .desc_user_addr = 8 }, -EINVAL },
		{ { .avail_user_addr = 1 }, -EINVAL },
		{ { .used_user_addr = 2 }, -EINVAL },
		{ { .desc_user_addr = KERNEL_ADDRESS }, -EFAULT },
		{ { .avail_user_addr = KERNEL_ADDRESS }, -EFAULT },
		{ { .used_user_addr = KERNEL_ADDRESS }, -EFAULT },
		{ { .desc_user_addr = ~0xfull }, -EFAULT },
	};
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vhost_vring_addr a = cases[i].a;

		ktap_diag("case %u", i);
		EXPECT(e, cases[i].want, VHOST_SET_VRING_ADDR, &a);
	}
	return 0;
}

static int vring_files(void *ctx)
{
	static const unsigned long calls[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	struct env *e = ctx;
	int pipes[2], null;
	unsigned int c;

	CHECK_EQ(pipe2(pipes, O_CLOEXEC), 0);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	CHECK(null >= 0, "no /dev/null");
	for (c = 0; c < sizeof(calls) / sizeof(*calls); c++) {
		const struct {
			int fd, want;
		} cases[] = {
			{ e->b.config_fd, 0 }, { e->b.config_fd, 0 }, { -1, 0 }, { -1, 0 },
			{ -2, -EBADF }, { 1 << 20, -EBADF }, { pipes[0], -EINVAL },
			{ pipes[1], -EINVAL }, { null, -EINVAL }, { e->b.v.fd, -EINVAL },
		};
		unsigned int i;

		for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			struct vhost_vring_file f = { .index = 1, .fd = cases[i].fd };

			ktap_diag("call %u, case %u", c, i);
			EXPECT(e, cases[i].want, calls[c], &f);
		}
	}
	close(null);
	close(pipes[0]);
	close(pipes[1]);
	return 0;
}

/* What a queue that runs can't change, and what it can. */
static int vring_running(void *ctx)
{
	struct env *e = ctx;
	uint64_t features = e->b.features ^ BIT(VIRTIO_RING_F_EVENT_IDX);
	int workers = 2;
	unsigned int i;

	CHECK_OK(blk_start(&e->b));
	CHECK_EQ(vhost_set_vring_num(&e->b.v, 0, 64), -EBUSY);
	CHECK_EQ(vhost_set_vring_base(&e->b.v, 0, 0), -EBUSY);
	EXPECT(e, -EBUSY, VHOST_SET_FEATURES, &features);
	EXPECT(e, 0, VHOST_SET_FEATURES, &e->b.features);
	EXPECT(e, -EBUSY, VHOST_SET_NWORKERS, &workers);
	for (i = 0; i < e->rounds; i++) {
		struct ring *r = &e->b.rings[0];

		CHECK_OK(e->b.transport->place(&e->b, 0, r->desc_iova, r->avail_iova,
					       r->used_iova));
		CHECK_OK(vhost_set_vring_call(&e->b.v, 0, r->call_fd));
		CHECK_OK(vhost_set_vring_kick(&e->b.v, 0, -1));
		CHECK_OK(vhost_set_vring_kick(&e->b.v, 0, r->kick_fd));
		CHECK_PASS(env_verify_queue(e, 0, i * 16));
	}
	return env_verify(e);
}

/* A ring of a size that is no good for this device, or at a place where nothing is. */
static int vring_start(void *ctx)
{
	struct ring *r;
	struct env *e = ctx;

	r = &e->b.rings[0];
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(vhost_set_vring_num(&e->b.v, 0, 32768));
	CHECK_EQ(e->b.transport->go(&e->b), -EINVAL);
	CHECK_OK(vhost_set_vring_num(&e->b.v, 0, r->num));
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK_PASS(env_verify(e));

	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(vhost_set_vring_addr(&e->b.v, 0, 0x1000, 0x2000, 0x3000));
	CHECK_OK(e->b.transport->go(&e->b));
	ring_kick(r);
	CHECK(blk_wait_needs_reset(&e->b), "the error event stays silent");
	return env_verify_reset(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(vring_index),
	KTAP_TEST(vring_num),
	KTAP_TEST(vring_base),
	KTAP_TEST(vring_addr),
	KTAP_TEST(vring_files),
	KTAP_TEST(vring_running),
	KTAP_TEST(vring_start),
};

const struct ktap_suite node_vring_suite = {
	.name = "ioctls of a queue",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_open,
	.teardown = env_close,
};
