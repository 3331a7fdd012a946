// SPDX-License-Identifier: GPL-2.0-only
/* Events: one for each thing that happens, in the order in which it does. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "netlink.h"

#define THREADS	8u
#define IDS	4096u

static struct nl n;

static int setup(void *ctx)
{
	int size = 8 * MIB;

	(void)ctx;
	CHECK_OK(nl_open(&n));
	setsockopt(n.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	CHECK_OK(nl_join(&n));
	return 0;
}

static int teardown(void *ctx)
{
	(void)ctx;
	nl_close(&n);
	return 0;
}

static int expect(struct nl_answer *a, uint8_t cmd)
{
	CHECK_OK(nl_event(&n, a, BLK_HANG_LIMIT_MS));
	CHECK_EQ(a->cmd, cmd);
	return 0;
}

static int event_add_del(void *ctx)
{
	struct nl_answer a;
	char name[64];
	uint32_t id;
	int fd = open(NODE, O_RDWR | O_CLOEXEC);

	(void)ctx;
	CHECK(fd >= 0, NODE " can't be opened");
	CHECK_PASS(expect(&a, PVIO_CMD_DEV_ADD_NTF));
	id = nl_u32(&a, PVIO_A_DEV_ID);
	snprintf(name, sizeof(name), "%s", nl_str(&a, PVIO_A_DEV_NAME));
	CHECK(id, "it has no id");
	CHECK(!strncmp(name, "vhost-blk", 9), "it is %s", name);
	CHECK(!strcmp(nl_str(&a, PVIO_A_DEV_FRONT), "node"), "it is no node");
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_QUEUES), 64);
	CHECK(!a.attr[PVIO_A_DEV_PID].data, "it has an owner from the start");
	close(fd);
	CHECK_PASS(expect(&a, PVIO_CMD_DEV_DEL_NTF));
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_ID), id);
	CHECK(!strcmp(nl_str(&a, PVIO_A_DEV_NAME), name), "%s goes, %s came",
	      nl_str(&a, PVIO_A_DEV_NAME), name);
	CHECK_EQ(nl_event(&n, &a, 0), -EAGAIN);
	return 0;
}

static int resize(struct vhost *v, int file, struct nl_answer *a)
{
	struct vhost_vring_file f = { .index = 0, .fd = file };

	CHECK_OK(vhost_set_owner(v));
	CHECK_OK(vhost_ioctl(v, VHOST_BLK_SET_BACKEND, &f));
	CHECK_OK(vhost_ioctl(v, VHOST_BLK_RESIZE, NULL));
	CHECK_EQ(nl_event(&n, a, 0), -EAGAIN);
	CHECK(!ftruncate(file, 2 * MIB), "it does not grow");
	CHECK_OK(vhost_ioctl(v, VHOST_BLK_RESIZE, NULL));
	CHECK_PASS(expect(a, PVIO_CMD_DEV_CHANGE_NTF));
	CHECK_EQ(nl_u32(a, PVIO_A_DEV_PID), getpid());
	CHECK_EQ(nl_u32(a, PVIO_A_DEV_UID), getuid());
	return 0;
}

static int event_change(void *ctx)
{
	char path[] = "/tmp/netlink-XXXXXX";
	int file = mkstemp(path), res;
	struct nl_answer a;
	struct vhost v;
	uint32_t id;

	(void)ctx;
	CHECK(file >= 0 && !ftruncate(file, MIB), "no file");
	unlink(path);
	CHECK_OK(vhost_open(&v, NODE));
	CHECK_PASS(expect(&a, PVIO_CMD_DEV_ADD_NTF));
	id = nl_u32(&a, PVIO_A_DEV_ID);
	res = resize(&v, file, &a);
	CHECK(res || nl_u32(&a, PVIO_A_DEV_ID) == id, "another device has changed");
	vhost_close(&v);
	close(file);
	CHECK_PASS(res);
	CHECK_PASS(expect(&a, PVIO_CMD_DEV_DEL_NTF));
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_PID), getpid());
	return 0;
}

static int check_broken(const struct nl_answer *a, uint32_t id)
{
	struct nl_answer stats;

	CHECK_EQ(nl_u32(a, PVIO_A_QUEUE_DEV_ID), id);
	CHECK_EQ(nl_u32(a, PVIO_A_QUEUE_INDEX), 0);
	CHECK_EQ(nl_u32(a, PVIO_A_QUEUE_STATE),
		 PVIO_QUEUE_STATE_STARTED | PVIO_QUEUE_STATE_RUNNING | PVIO_QUEUE_STATE_BROKEN);
	CHECK(*nl_str(a, PVIO_A_QUEUE_DEV_NAME), "the device has no name");
	CHECK(*nl_str(a, PVIO_A_QUEUE_WHY), "it does not say why");
	ktap_diag("%s", nl_str(a, PVIO_A_QUEUE_WHY));
	nl_nested(a, PVIO_A_QUEUE_STATS, &stats);
	CHECK(nl_u64(&stats, PVIO_A_STATS_BROKEN) >= 1, "it does not count");
	return 0;
}

/* The first event that isn't of a device. */
static int expect_broken(struct nl_answer *a)
{
	do {
		CHECK_OK(nl_event(&n, a, BLK_HANG_LIMIT_MS));
	} while (a->cmd < PVIO_CMD_QUEUE_BROKEN_NTF);
	CHECK_EQ(a->cmd, PVIO_CMD_QUEUE_BROKEN_NTF);
	return 0;
}

static int break_queue(struct env *e)
{
	struct ring *r = &e->b.rings[0];
	struct nl_answer a;
	struct nl other;
	uint32_t id;

	CHECK_OK(nl_open(&other));
	id = netlink_own_id(&other);
	nl_close(&other);
	CHECK(id, "the device is not there");
	ring_raw_avail_idx(r, r->avail_idx + e->b.num + 1);
	ring_kick(r);
	CHECK_PASS(expect_broken(&a));
	return check_broken(&a, id);
}

static int event_broken(void *ctx)
{
	struct env *e = ctx;
	int res;

	CHECK_PASS(env_start(e));
	res = break_queue(e);
	/* Once is enough: it stays broken. */
	ring_kick(&e->b.rings[0]);
	if (!res)
		res = env_verify_reset(e);
	env_close(e);
	return res;
}

/* Whoever doesn't read loses events, is told so, and holds up nobody. */
static int event_overrun(void *ctx)
{
	struct nl_answer a;
	int size = 1, i, res, fd;

	(void)ctx;
	setsockopt(n.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	for (i = 0; i < 100; i++) {
		fd = open(NODE, O_RDWR | O_CLOEXEC);
		CHECK(fd >= 0, NODE " can't be opened");
		close(fd);
	}
	for (res = 0; !res;)
		res = nl_event(&n, &a, 0);
	CHECK_EQ(res, -ENOBUFS);
	while (!nl_event(&n, &a, 0))
		;
	fd = open(NODE, O_RDWR | O_CLOEXEC);
	CHECK_PASS(expect(&a, PVIO_CMD_DEV_ADD_NTF));
	close(fd);
	return 0;
}

static void *churn(void *arg)
{
	unsigned int i, rounds = *(unsigned int *)arg;

	for (i = 0; i < rounds; i++) {
		int fd = open(NODE, O_RDWR | O_CLOEXEC);

		if (fd < 0)
			return (void *)1;
		close(fd);
	}
	return NULL;
}

/* Of each device first that it is there, and then that it goes. */
static int take_order(unsigned int total)
{
	static uint8_t state[IDS];
	uint32_t id, base = 0;
	struct nl_answer a;
	unsigned int i;

	memset(state, 0, sizeof(state));
	for (i = 0; i < total; i++) {
		CHECK_OK(nl_event(&n, &a, BLK_HANG_LIMIT_MS));
		id = nl_u32(&a, PVIO_A_DEV_ID);
		base = base ? base : id;
		CHECK(id - base < IDS, "id %u after %u", id, base);
		CHECK(a.cmd == PVIO_CMD_DEV_ADD_NTF || a.cmd == PVIO_CMD_DEV_DEL_NTF,
		      "event %u", a.cmd);
		CHECK_EQ(state[id - base], a.cmd - PVIO_CMD_DEV_ADD_NTF);
		state[id - base]++;
	}
	return 0;
}

static int event_threads(void *ctx)
{
	unsigned int i, rounds = ((struct env *)ctx)->rounds * 4;
	pthread_t threads[THREADS];
	int res, failed = 0;
	void *ret;

	rounds = rounds < IDS / THREADS ? rounds : IDS / THREADS;
	for (i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, churn, &rounds), 0);
	res = take_order(THREADS * rounds * 2);
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &ret);
		failed += !!ret;
	}
	CHECK_EQ(failed, 0);
	return res;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(event_add_del),
	KTAP_TEST(event_change),
	KTAP_TEST(event_broken),
	KTAP_TEST(event_overrun),
	KTAP_TEST(event_threads),
};

const struct ktap_suite netlink_event_suite = {
	.name = "event",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = setup,
	.teardown = teardown,
};
