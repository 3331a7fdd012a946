// SPDX-License-Identifier: GPL-2.0-only
/* Who sees what: other users, other namespaces, sockets that change hands. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "netlink.h"
#include "proc.h"

#define NOBODY	65534

#define NEED_NAMESPACE(kind)						\
	do {								\
		if (access("/proc/self/ns/" kind, F_OK))		\
			SKIP("this kernel has no " kind " namespaces");	\
	} while (0)

/* How many devices, or queues, one sees, and whether all are of @id. */
struct seen {
	uint32_t id;
	unsigned int count;
	unsigned int others;
};

static int count_dev(const struct nl_answer *a, void *arg)
{
	struct seen *s = arg;

	s->count++;
	s->others += nl_u32(a, PVIO_A_DEV_ID) != s->id;
	return 0;
}

static int count_queue(const struct nl_answer *a, void *arg)
{
	struct seen *s = arg;

	s->count++;
	s->others += nl_u32(a, PVIO_A_QUEUE_DEV_ID) != s->id;
	return 0;
}

static int expect_seen(struct nl *n, uint32_t id, unsigned int devices, unsigned int queues)
{
	struct seen s = { .id = id };

	CHECK_OK(nl_dump(n, PVIO_CMD_DEV_GET, count_dev, &s));
	CHECK_EQ(s.count, devices);
	CHECK_EQ(s.others, 0);
	s.count = 0;
	CHECK_OK(nl_dump(n, PVIO_CMD_QUEUE_GET, count_queue, &s));
	CHECK_EQ(s.count, queues);
	CHECK_EQ(s.others, 0);
	return 0;
}

static int become_nobody(void)
{
	CHECK(!setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY) &&
	      !setresuid(NOBODY, NOBODY, NOBODY), "root stays root");
	return 0;
}

/* Root's device, which the child asks for. */
static uint32_t roots;

static int in_child(struct env *e, int (*fn)(struct env *e, void *arg), void *arg)
{
	struct nl n;

	CHECK_OK(nl_open(&n));
	roots = netlink_own_id(&n);
	nl_close(&n);
	CHECK(roots, "the device is not there");
	CHECK_EQ(proc_wait(proc_run(fn, e, arg)), 0);
	return 0;
}

static int nobody_child(struct env *e, void *arg)
{
	struct vhost v;
	struct nl n;
	struct nl_answer a;

	(void)e;
	(void)arg;
	CHECK_OK(vhost_open(&v, NODE));
	CHECK_PASS(become_nobody());
	CHECK_OK(nl_open(&n));
	CHECK_PASS(expect_seen(&n, 0, 0, 0));
	CHECK_EQ(nl_get(&n, roots, &a), -ENOENT);
	CHECK_EQ(nl_join(&n), -EPERM);

	CHECK_OK(vhost_set_owner(&v));
	CHECK_PASS(expect_seen(&n, netlink_own_id(&n), 1, 64));
	CHECK_OK(nl_get(&n, netlink_own_id(&n), &a));
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_UID), NOBODY);
	CHECK_EQ(nl_get(&n, roots, &a), -ENOENT);
	CHECK_OK(vhost_ioctl(&v, VHOST_RESET_OWNER, NULL));
	CHECK_PASS(expect_seen(&n, 0, 0, 0));
	return 0;
}

static int who_nobody(void *ctx)
{
	return in_child(ctx, nobody_child, NULL);
}

/* A socket that root has opened is of no more use to who has root no more. */
static int dropped_child(struct env *e, void *arg)
{
	struct nl_answer a;
	struct nl n;

	(void)e;
	(void)arg;
	CHECK_OK(nl_open(&n));
	CHECK_OK(nl_get(&n, roots, &a));
	CHECK_PASS(become_nobody());
	CHECK_EQ(nl_get(&n, roots, &a), -ENOENT);
	CHECK_PASS(expect_seen(&n, 0, 0, 0));
	return 0;
}

static int who_dropped(void *ctx)
{
	return in_child(ctx, dropped_child, NULL);
}

/* Nor is root's request of use to who has opened the socket and gets the answer. */
static int lent_child(struct env *e, void *arg)
{
	struct nl_answer a;
	struct nl n;

	(void)e;
	(void)arg;
	CHECK(!setresuid(-1, NOBODY, -1), "root stays root");
	CHECK_OK(nl_open(&n));
	CHECK(!setresuid(-1, 0, -1), "root does not come back");
	CHECK_EQ(nl_get(&n, roots, &a), -ENOENT);
	CHECK_PASS(expect_seen(&n, 0, 0, 0));
	CHECK_OK(nl_open(&n));
	CHECK_OK(nl_get(&n, roots, &a));
	return 0;
}

static int who_lent(void *ctx)
{
	return in_child(ctx, lent_child, NULL);
}

static int user_ns_child(struct env *e, void *arg)
{
	struct nl_answer a;
	struct nl n;

	(void)e;
	(void)arg;
	CHECK_PASS(become_nobody());
	CHECK(!unshare(CLONE_NEWUSER), "no user namespace");
	CHECK_OK(nl_open(&n));
	CHECK_PASS(expect_seen(&n, 0, 0, 0));
	CHECK_EQ(nl_get(&n, roots, &a), -ENOENT);
	CHECK_EQ(nl_join(&n), -EPERM);
	return 0;
}

/* To be root there is nothing here. */
static int who_user_ns(void *ctx)
{
	NEED_NAMESPACE("user");
	return in_child(ctx, user_ns_child, NULL);
}

static int net_ns_child(struct env *e, void *arg)
{
	struct nl outer, n;
	struct nl_answer a;

	(void)e;
	(void)arg;
	CHECK_OK(nl_open(&outer));
	CHECK(!unshare(CLONE_NEWNET), "no network namespace");
	CHECK_EQ(nl_open(&n), -ENOENT);
	/* Nor for who knows its number. */
	n = outer;
	n.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	CHECK_EQ(nl_get(&n, roots, &a), -ENOENT);
	CHECK_EQ(nl_dump(&n, PVIO_CMD_DEV_GET, NULL, NULL), -ENOENT);
	CHECK_OK(nl_get(&outer, roots, &a));
	return 0;
}

static int who_net_ns(void *ctx)
{
	NEED_NAMESPACE("net");
	return in_child(ctx, net_ns_child, NULL);
}

/* Its first process has number 1 there, and its parent none. */
static int pid_ns_grandchild(struct env *e, void *arg)
{
	struct nl_answer a;
	struct vhost v;
	struct nl n;

	(void)e;
	(void)arg;
	CHECK_EQ(getpid(), 1);
	CHECK_OK(nl_open(&n));
	CHECK_OK(nl_get(&n, roots, &a));
	CHECK(!a.attr[PVIO_A_DEV_PID].data, "a process from outside has number %u",
	      nl_u32(&a, PVIO_A_DEV_PID));
	CHECK(a.attr[PVIO_A_DEV_UID].data, "it has no uid");
	CHECK_OK(vhost_open(&v, NODE));
	CHECK_OK(vhost_set_owner(&v));
	CHECK(netlink_own_id(&n), "its own device has another owner");
	vhost_close(&v);
	return 0;
}

static int pid_ns_child(struct env *e, void *arg)
{
	CHECK(!unshare(CLONE_NEWPID), "no pid namespace");
	CHECK_EQ(proc_wait(proc_run(pid_ns_grandchild, e, arg)), 0);
	return 0;
}

static int who_pid_ns(void *ctx)
{
	struct nl_answer a;
	struct nl n;

	NEED_NAMESPACE("pid");
	CHECK_OK(nl_open(&n));
	CHECK_OK(nl_join(&n));
	CHECK_PASS(in_child(ctx, pid_ns_child, NULL));
	do {
		CHECK_OK(nl_event(&n, &a, BLK_HANG_LIMIT_MS));
	} while (a.cmd != PVIO_CMD_DEV_DEL_NTF);
	CHECK(nl_u32(&a, PVIO_A_DEV_PID) > 1, "in the event it has number %u",
	      nl_u32(&a, PVIO_A_DEV_PID));
	nl_close(&n);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(who_nobody),
	KTAP_TEST(who_dropped),
	KTAP_TEST(who_lent),
	KTAP_TEST(who_user_ns),
	KTAP_TEST(who_net_ns),
	KTAP_TEST(who_pid_ns),
};

const struct ktap_suite netlink_who_suite = {
	.name = "who",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_start,
	.teardown = env_close,
};
