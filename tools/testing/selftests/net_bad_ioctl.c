// SPDX-License-Identifier: GPL-2.0-only
/* Every ioctl of /dev/vhost-net, with arguments that are wrong. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/if_ether.h>

#include "net_bad.h"

static const unsigned long own[] = { VHOST_NET_SET_BACKEND };

static struct ioctl_bad device(struct net_env *e)
{
	return (struct ioctl_bad){
		.v = &e->n.v, .rings = e->n.rings, .queues = NET_QUEUES, .node = e->opts.node,
		.peer = e->peer,
	};
}

static int ioctl_pointers(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_pointers(&d, own, 1);
}

static int ioctl_unknown(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_unknown(&d);
}

static int ioctl_no_owner(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_no_owner(&d, own, 1);
}

static int ioctl_features(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_features(&d);
}

static int ioctl_indices(void *ctx)
{
	static const unsigned int bad[] = { 2, 3, 64, 0x7fffffff, 0x80000000, 0xffffffff };
	const struct ioctl_bad d = device(ctx);
	struct net_env *e = ctx;
	unsigned int i;

	CHECK_PASS(ioctl_bad_indices(&d));
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		CHECK_EQ(net_attach(&e->n, bad[i], -1), -ENOBUFS);
		CHECK_EQ(net_attach(&e->n, bad[i], e->w.backend), -ENOBUFS);
	}
	return 0;
}

static int ioctl_vrings(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_vrings(&d);
}

/* A ring that is where this process has no memory is refused at the latest when it starts. */
static int ioctl_places(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int q, i;

	for (q = 0; q < NET_QUEUES; q++) {
		for (i = 0; i < 3; i++) {
			struct vhost_vring_addr a = {
				.index = q,
				.desc_user_addr = (uintptr_t)e->n.rings[q].desc,
				.avail_user_addr = (uintptr_t)e->n.rings[q].avail,
				.used_user_addr = (uintptr_t)e->n.rings[q].used,
			};
			int err;

			CHECK_OK(net_prepare(&e->n));
			if (i == 0)
				a.desc_user_addr = KERNEL_ADDRESS;
			if (i == 1)
				a.avail_user_addr = KERNEL_ADDRESS;
			if (i == 2)
				a.used_user_addr = KERNEL_ADDRESS;
			err = vhost_ioctl(&e->n.v, VHOST_SET_VRING_ADDR, &a);
			if (err) {
				CHECK_EQ(err, -EFAULT);
				continue;
			}
			CHECK_EQ(net_attach(&e->n, q, e->w.backend), -EFAULT);
		}
	}
	CHECK_OK(net_start(&e->n, e->w.backend));
	return net_env_verify(e);
}

static int refused_backend(struct net_env *e, unsigned int q, int fd)
{
	int err = net_attach(&e->n, q, fd);

	CHECK(err == -ENOTSOCK || err == -ESOCKTNOSUPPORT || err == -EPFNOSUPPORT ||
	      err == -EPROTONOSUPPORT || (fd >= 10000 && err == -EBADF),
	      "queue %u, backend %d: %s", q, fd, strerror(-err));
	return 0;
}

/* What is no backend is refused, and what there was before goes on. */
static int ioctl_backends(void *ctx)
{
	struct net_env *e = ctx;
	const int fds[] = {
		12345, open("/dev/null", O_RDWR), open("/proc/self/exe", O_RDONLY),
		eventfd(0, 0), e->n.v.fd, socket(AF_UNIX, SOCK_STREAM, 0),
		socket(AF_UNIX, SOCK_DGRAM, 0), socket(AF_NETLINK, SOCK_RAW, 0),
		socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)),
	};
	const unsigned int count = sizeof(fds) / sizeof(*fds);
	unsigned int q, i;

	/* Not yet where the rings are. */
	for (q = 0; q < NET_QUEUES; q++)
		CHECK_EQ(net_attach(&e->n, q, e->w.backend), -EFAULT);
	CHECK_OK(net_prepare(&e->n));
	for (q = 0; q < NET_QUEUES; q++)
		for (i = 0; i < count; i++)
			CHECK_PASS(refused_backend(e, q, fds[i]));
	CHECK_OK(net_start(&e->n, e->w.backend));
	CHECK_PASS(net_env_verify(e));
	for (q = 0; q < NET_QUEUES; q++)
		for (i = 0; i < count; i++)
			CHECK_PASS(refused_backend(e, q, fds[i]));
	for (i = 1; i < count; i++)
		if (fds[i] >= 0 && fds[i] != e->n.v.fd)
			close(fds[i]);
	return net_env_verify(e);
}

/* A tap that belongs to no interface: refused or not, nothing goes by it and nothing breaks. */
static int ioctl_tap_alone(void *ctx)
{
	struct net_env *e = ctx;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0, "no tap");
	CHECK_OK(net_prepare(&e->n));
	CHECK_OK(net_rx_fill(&e->rx));
	if (!net_attach(&e->n, NET_RX, fd))
		ring_kick(&e->n.rings[NET_RX]);
	if (!net_attach(&e->n, NET_TX, fd))
		ring_kick(&e->n.rings[NET_TX]);
	close(fd);
	CHECK_OK(net_attach(&e->n, NET_RX, -1));
	CHECK_OK(net_attach(&e->n, NET_TX, -1));
	CHECK_EQ(ring_pending(&e->n.rings[NET_RX]), 0);
	CHECK_OK(net_attach(&e->n, NET_RX, e->w.backend));
	CHECK_OK(net_attach(&e->n, NET_TX, e->w.backend));
	return net_env_verify(e);
}

/* Where a queue runs its size, base and place stay as they are. */
static int ioctl_running(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int q;

	CHECK_OK(net_start(&e->n, e->w.backend));
	for (q = 0; q < NET_QUEUES; q++) {
		struct vhost_vring_state s = { .index = q, .num = 128 };

		EXPECT(e, -EBUSY, VHOST_SET_VRING_NUM, &s);
		EXPECT(e, -EBUSY, VHOST_SET_VRING_BASE, &s);
	}
	return net_env_verify(e);
}

static int ioctl_memory(void *ctx)
{
	const struct ioctl_bad d = device(ctx);
	struct net_env *e = ctx;

	CHECK_PASS(ioctl_bad_memory(&d));
	CHECK_OK(net_start(&e->n, e->w.backend));
	return net_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(ioctl_pointers),
	KTAP_TEST(ioctl_unknown),
	KTAP_TEST(ioctl_no_owner),
	KTAP_TEST(ioctl_features),
	KTAP_TEST(ioctl_indices),
	KTAP_TEST(ioctl_vrings),
	KTAP_TEST(ioctl_places),
	KTAP_TEST(ioctl_backends),
	KTAP_TEST(ioctl_tap_alone),
	KTAP_TEST(ioctl_running),
	KTAP_TEST(ioctl_memory),
};

const struct ktap_suite net_bad_ioctl_suite = {
	.name = "ioctls",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = net_env_open,
	.teardown = net_env_close,
};
