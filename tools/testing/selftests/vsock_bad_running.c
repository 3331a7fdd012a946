// SPDX-License-Identifier: GPL-2.0-only
/* CIDs that nobody may have, and devices that are started before they can. */
#include <stdlib.h>
#include <unistd.h>

#include "vsock_bad.h"

/* Reserved, or more than an address has. */
static int running_no_cid(void *ctx)
{
	static const uint64_t bad[] = {
		0, 1, 2, UINT32_MAX, 1ull << 32, 77 | 1ull << 32, 1ull << 63, UINT64_MAX,
	};
	struct vsock_env *e = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQ(vsock_set_cid(&e->g.s, bad[i]), -EINVAL);
	CHECK_OK(vsock_start(&e->g.s));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		CHECK_EQ(vsock_set_cid(&e->g.s, bad[i]), -EINVAL);
	return vsock_env_verify(e);
}

/* One that another guest has, until it has ended. */
static int running_taken_cid(void *ctx)
{
	struct vsock_env *e = ctx;
	static struct vsock_env other;
	uint64_t cid = e->opts.dev.cid;

	CHECK_OK(vsock_start(&e->g.s));
	CHECK_PASS(vsock_env_neighbour(e, &other, cid + 1));
	CHECK_EQ(vsock_set_cid(&other.g.s, cid), -EADDRINUSE);
	CHECK_EQ(vsock_set_cid(&e->g.s, cid + 1), -EADDRINUSE);
	/* Its own it may say again. */
	CHECK_OK(vsock_set_cid(&e->g.s, cid));
	CHECK_PASS(vsock_env_verify(&other));
	CHECK_PASS(vsock_env_verify(e));
	CHECK_PASS(vsock_env_close(e));
	CHECK_OK(vsock_set_cid(&other.g.s, cid));
	other.g.s.opts.cid = cid;
	CHECK_PASS(vsock_env_close(&other));
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

/* Another one while it runs: it is known by that and no longer by the first. */
static int running_other_cid(void *ctx)
{
	struct vsock_env *e = ctx;
	uint64_t cid = e->opts.dev.cid;
	int res;

	CHECK_OK(vsock_start(&e->g.s));
	res = vsock_set_cid(&e->g.s, cid + 1);
	if (e->peer && res == -EBUSY)
		return vsock_env_verify(e);
	CHECK_OK(res);
	e->g.s.opts.cid = cid + 1;
	e->opts.dev.cid = cid + 1;
	res = vsock_env_verify(e);
	e->opts.dev.cid = cid;
	CHECK_PASS(res);
	CHECK_EQ(host_connect(STREAM, cid, GUEST_PORT), -ENODEV);
	return 0;
}

/* Without rings, or with one that nobody can reach. */
static int running_unprepared(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock *s = &e->g.s;
	unsigned int q;

	CHECK_EQ(vsock_set_running(s, 1), -EFAULT);
	for (q = 0; q < VSOCK_QUEUES; q++) {
		struct vhost_vring_addr a = {
			.index = q,
			.desc_user_addr = KERNEL_ADDRESS,
			.avail_user_addr = KERNEL_ADDRESS,
			.used_user_addr = KERNEL_ADDRESS,
		};
		int err;

		CHECK_OK(vsock_prepare(s));
		err = vhost_ioctl(&s->v, VHOST_SET_VRING_ADDR, &a);
		CHECK(!err || err == -EFAULT, "%d", err);
		if (!err)
			CHECK_EQ(vsock_set_running(s, 1), -EFAULT);
	}
	CHECK_OK(vsock_start(s));
	return vsock_env_verify(e);
}

/* Nobody can reach it, and it can reach nobody; that changes as soon as it has a CID. */
static int running_without_cid(void *ctx)
{
	struct vsock_env *e = ctx;
	struct virtio_vsock_hdr h =
		vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_REQUEST, 1, HOST_PORT);
	int fd = host_listen(STREAM, HOST_PORT, 1);

	CHECK_OK(fd);
	CHECK_OK(vsock_prepare(&e->g.s));
	CHECK_OK(vsock_set_running(&e->g.s, 1));
	h.src_cid = 0;
	CHECK_PASS(vsock_env_turn(e, 0));
	CHECK_OK(vsock_guest_put(&e->g, &h, NULL, 0));
	CHECK_PASS(vsock_env_idle(e, 20));
	CHECK_EQ(host_accept(fd), -EAGAIN);
	close(fd);
	CHECK_EQ(host_connect(STREAM, e->opts.dev.cid, GUEST_PORT), -ENODEV);
	CHECK_OK(vsock_set_cid(&e->g.s, e->opts.dev.cid));
	return vsock_env_verify(e);
}

/* What a running device has it keeps; said twice is said once. */
static int running_changes(void *ctx)
{
	struct vsock_env *e = ctx;
	unsigned int q, i;

	CHECK_OK(vsock_start(&e->g.s));
	for (q = 0; q < VSOCK_QUEUES; q++) {
		struct vhost_vring_state s = { .index = q, .num = 64 };

		EXPECT(e, -EBUSY, VHOST_SET_VRING_NUM, &s);
		EXPECT(e, -EBUSY, VHOST_SET_VRING_BASE, &s);
	}
	for (i = 0; i < 3; i++) {
		CHECK_OK(vsock_set_running(&e->g.s, 1));
		CHECK_PASS(vsock_env_verify(e));
	}
	for (i = 0; i < 3; i++)
		CHECK_OK(vsock_set_running(&e->g.s, 0));
	CHECK_OK(vsock_set_running(&e->g.s, 17));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(running_no_cid),
	KTAP_TEST(running_taken_cid),
	KTAP_TEST(running_other_cid),
	KTAP_TEST(running_unprepared),
	KTAP_TEST(running_without_cid),
	KTAP_TEST(running_changes),
};

const struct ktap_suite vsock_bad_running_suite = {
	.name = "CIDs and starts",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup_open,
	.teardown = vsock_env_close,
};
