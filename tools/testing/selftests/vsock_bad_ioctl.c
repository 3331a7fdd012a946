// SPDX-License-Identifier: GPL-2.0-only
/* Every ioctl of /dev/vhost-vsock, with arguments that are wrong. */
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vsock_bad.h"

static const unsigned long own[] = { VHOST_VSOCK_SET_GUEST_CID, VHOST_VSOCK_SET_RUNNING };

static struct ioctl_bad device(const struct vsock_env *e)
{
	return (struct ioctl_bad){
		.v = &e->g.s.v, .rings = e->g.s.rings, .queues = VSOCK_QUEUES,
		.node = e->opts.dev.node, .peer = e->peer,
	};
}

static int ioctl_pointers(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_pointers(&d, own, 2);
}

static int ioctl_unknown(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_unknown(&d);
}

static int ioctl_no_owner(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_no_owner(&d, own + 1, 1);
}

/* Who starts a VMM opens the device, chooses the CID, and hands it on: libvirt does. */
static int ioctl_cid_by_another(void *ctx)
{
	struct vsock_env *e = ctx;
	uint64_t cid = e->opts.dev.cid, next = cid + 1;
	pid_t pid = fork();
	int status;

	CHECK_OK(pid);
	if (!pid)
		_exit(ioctl(e->g.s.v.fd, VHOST_VSOCK_SET_GUEST_CID, &cid) ||
		      ioctl(e->g.s.v.fd, VHOST_VSOCK_SET_GUEST_CID, &next) ||
		      ioctl(e->g.s.v.fd, VHOST_VSOCK_SET_GUEST_CID, &cid));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_OK(vsock_start(&e->g.s));
	CHECK_OK(vsock_guest_turn(&e->g));
	return vsock_env_verify(e);
}

static int ioctl_features(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_features(&d);
}

static int ioctl_indices(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_indices(&d);
}

static int ioctl_vrings(void *ctx)
{
	const struct ioctl_bad d = device(ctx);

	return ioctl_bad_vrings(&d);
}

static int ioctl_memory(void *ctx)
{
	const struct ioctl_bad d = device(ctx);
	struct vsock_env *e = ctx;

	CHECK_PASS(ioctl_bad_memory(&d));
	CHECK_OK(vsock_start(&e->g.s));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(ioctl_pointers),
	KTAP_TEST(ioctl_unknown),
	KTAP_TEST(ioctl_no_owner),
	KTAP_TEST(ioctl_cid_by_another),
	KTAP_TEST(ioctl_features),
	KTAP_TEST(ioctl_indices),
	KTAP_TEST(ioctl_vrings),
	KTAP_TEST(ioctl_memory),
};

const struct ktap_suite vsock_bad_ioctl_suite = {
	.name = "ioctls",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup_open,
	.teardown = vsock_env_close,
};
