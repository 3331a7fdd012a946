// SPDX-License-Identifier: GPL-2.0-only
/* Network namespaces that have CIDs of their own, where the kernel's sockets know them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc.h"
#include "vsock_life.h"

#define NS_MODE		"/proc/sys/net/vsock/ns_mode"
#define CHILD_NS_MODE	"/proc/sys/net/vsock/child_ns_mode"

static int say(const char *path, const char *word)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, word, strlen(word)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static bool says(const char *path, const char *word)
{
	char buf[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool same;

	if (fd < 0)
		return false;
	same = read(fd, buf, sizeof(buf) - 1) > 0 && !strncmp(buf, word, strlen(word));
	close(fd);
	return same;
}

/* A space of its own is made by one that says so of those below it. */
static int go_apart(void)
{
	CHECK_EQ(unshare(CLONE_NEWNET), 0);
	CHECK_OK(say(CHILD_NS_MODE, "local"));
	CHECK_EQ(unshare(CLONE_NEWNET), 0);
	CHECK(says(NS_MODE, "local"), "it is like any other");
	return 0;
}

/* It has a guest with the same CID, and does not see those that are outside. */
static int apart(struct env *none, void *arg)
{
	static struct vsock_env own;
	const struct vsock_env *e = arg;
	uint64_t cid = e->opts.dev.cid;

	(void)none;
	CHECK_PASS(go_apart());
	CHECK_EQ(host_connect(STREAM, cid, GUEST_PORT), -ENODEV);
	CHECK_PASS(vsock_env_neighbour(e, &own, cid));
	CHECK_PASS(vsock_env_verify(&own));
	CHECK_EQ(vsock_set_cid(&own.g.s, cid + 1), 0);
	CHECK_EQ(host_connect(STREAM, cid, GUEST_PORT), -ENODEV);
	return vsock_env_close(&own);
}

static int space_apart(void *ctx)
{
	struct vsock_env *e = ctx;
	pid_t pid;

	if (access(CHILD_NS_MODE, F_OK))
		SKIP("this kernel's sockets know no namespaces");
	pid = proc_run(apart, NULL, e);
	CHECK(pid > 0, "no process");
	CHECK_EQ(proc_wait(pid), 0);
	return vsock_env_verify(e);
}

/* Those that are not apart have the same CIDs. */
static int together(struct env *none, void *arg)
{
	const struct vsock_env *e = arg;
	struct vsock other;

	(void)none;
	CHECK_EQ(unshare(CLONE_NEWNET), 0);
	CHECK_OK(vsock_open(&other, &e->opts.dev));
	CHECK_EQ(vsock_set_cid(&other, e->opts.dev.cid), -EADDRINUSE);
	vsock_close(&other);
	return 0;
}

static int space_together(void *ctx)
{
	struct vsock_env *e = ctx;
	pid_t pid = proc_run(together, NULL, e);

	CHECK(pid > 0, "no process");
	CHECK_EQ(proc_wait(pid), 0);
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(space_apart),
	KTAP_TEST(space_together),
};

const struct ktap_suite vsock_life_space_suite = {
	.name = "namespaces",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
