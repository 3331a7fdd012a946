// SPDX-License-Identifier: GPL-2.0-only
/* Messages that are wrong, and who may read and write them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "iotlb.h"
#include "node.h"
#include "proc.h"

#define ENTRIES_MAX	65536u

static void *const volatile nowhere[] = { NULL, (void *)8, (void *)KERNEL_ADDRESS };

static struct vhost_iotlb_msg update(uint64_t iova, uint64_t size, uint64_t uaddr, uint8_t perm)
{
	return (struct vhost_iotlb_msg){ .iova = iova, .size = size, .uaddr = uaddr, .perm = perm,
					 .type = VHOST_IOTLB_UPDATE };
}

static int set_features(struct env *e)
{
	CHECK_OK(vhost_set_features(&e->b.v, e->b.features));
	return 0;
}

static int message_values(void *ctx)
{
	struct env *e = ctx;
	const uint64_t va = (uintptr_t)e->b.mem.va, last = ~0ull;
	const struct {
		struct vhost_iotlb_msg msg;
		int want;
	} cases[] = {
		{ update(0, PAGE, va, VHOST_ACCESS_RW), 0 },
		{ update(0, PAGE, va, VHOST_ACCESS_RW), 0 },
		{ update(5, 1, va + 7, VHOST_ACCESS_RO), 0 },
		{ update(last, 1, va, VHOST_ACCESS_WO), 0 },
		{ update(last - PAGE + 1, PAGE, va, VHOST_ACCESS_RW), 0 },
		{ update(0, 0, va, VHOST_ACCESS_RW), -EINVAL },
		{ update(PAGE, 0, va, VHOST_ACCESS_RW), -EINVAL },
		{ update(last, 2, va, VHOST_ACCESS_RW), -EINVAL },
		{ update(last - PAGE + 1, 2 * PAGE, va, VHOST_ACCESS_RW), -EINVAL },
		{ update(1, last, va, VHOST_ACCESS_RW), -EFAULT },
		{ update(2, last, va, VHOST_ACCESS_RW), -EINVAL },
		{ update(0, last, va, VHOST_ACCESS_RW), -EFAULT },
		{ update(0, last, 0, VHOST_ACCESS_RW), -EFAULT },
		{ update(0, 1ull << 63, 1ull << 63, VHOST_ACCESS_RW), -EFAULT },
		{ update(0, PAGE, KERNEL_ADDRESS, VHOST_ACCESS_RW), -EFAULT },
		{ update(0, PAGE, last - 10, VHOST_ACCESS_RW), -EFAULT },
		{ update(0, PAGE, va, 0), -EINVAL },
		{ update(0, PAGE, va, 4), -EINVAL },
		{ update(0, PAGE, va, 0xff), -EINVAL },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = 0, .size = PAGE }, 0 },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = 0, .size = PAGE }, 0 },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = 1, .size = last }, 0 },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = PAGE, .size = 0 }, -EINVAL },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = last, .size = 2 }, -EINVAL },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = 2, .size = last }, -EINVAL },
		{ { .type = VHOST_IOTLB_INVALIDATE, .iova = 0, .size = 0 }, 0 },
		{ { .type = VHOST_IOTLB_ACCESS_FAIL, .iova = 0, .size = 0 }, -ENOENT },
		{ { .type = VHOST_IOTLB_ACCESS_FAIL, .iova = 0, .size = last, .perm = 3 },
		  -ENOENT },
		{ { .type = VHOST_IOTLB_ACCESS_FAIL, .iova = last, .size = 2 }, -EINVAL },
		{ { .type = VHOST_IOTLB_MISS, .iova = 0, .size = PAGE, .perm = 1 }, -EINVAL },
		{ { .type = VHOST_IOTLB_BATCH_BEGIN }, -EINVAL },
		{ { .type = VHOST_IOTLB_BATCH_END }, -EINVAL },
		{ { .type = 0 }, -EINVAL },
		{ { .type = 0xff }, -EINVAL },
	};
	unsigned int i;

	CHECK_PASS(set_features(e));
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ktap_diag("case %u", i);
		CHECK_EQ(iotlb_write(e, &cases[i].msg, VHOST_IOTLB_MSG), cases[i].want);
		CHECK_EQ(iotlb_write(e, &cases[i].msg, VHOST_IOTLB_MSG_V2), cases[i].want);
	}
	return 0;
}

/* How long a message is, of what kind, and where. */
static int message_frames(void *ctx)
{
	struct env *e = ctx;
	struct vhost_msg_v2 m[2] = { { .type = VHOST_IOTLB_MSG_V2 } };
	struct iovec parts[] = {
		{ m, 3 }, { (char *)m + 3, 20 }, { (char *)m + 23, sizeof(*m) - 23 },
	};
	const uint32_t types[] = { 0, 3, 0x100, ~0u };
	unsigned int i;
	size_t len;

	CHECK_PASS(set_features(e));
	m[0].iotlb = update(0, PAGE, (uintptr_t)e->b.mem.va, VHOST_ACCESS_RW);
	m[1] = m[0];
	for (len = 0; len < sizeof(m); len++) {
		ssize_t n = write(e->b.v.fd, m, len);

		if (!len)
			CHECK(n <= 0, "%zd bytes of nothing", n);
		else if (len < 40)
			CHECK(n < 0 && errno == EINVAL, "%zd of %zu bytes", n, len);
		else
			CHECK_EQ(n, len < sizeof(*m) ? len : sizeof(*m));
	}
	CHECK_EQ(writev(e->b.v.fd, parts, 3), sizeof(*m));
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		m[0].type = types[i];
		CHECK(write(e->b.v.fd, m, sizeof(*m)) < 0 && errno == EINVAL, "type %u", types[i]);
	}
	m[0].type = VHOST_IOTLB_MSG_V2;
	m[0].asid = 1;
	CHECK_EQ(write(e->b.v.fd, m, sizeof(*m)), sizeof(*m));
	for (i = 0; i < 3; i++)
		CHECK(write(e->b.v.fd, nowhere[i], sizeof(*m)) < 0 && errno == EFAULT,
		      "pointer %u", i);
	return 0;
}

/* Without the feature there is nothing to write to. */
static int message_no_iotlb(void *ctx)
{
	struct vhost_iotlb_msg msg = update(0, PAGE, 0x10000, VHOST_ACCESS_RW);
	struct env *e = ctx;

	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -EBADFD);
	CHECK_EQ(iotlb_read(e, &msg), -EBADFD);
	CHECK_PASS(set_features(e));
	CHECK_EQ(iotlb_read(e, &msg), -EAGAIN);
	msg = update(0, PAGE, 0x10000, VHOST_ACCESS_RW);
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), 0);
	CHECK_OK(vhost_set_features(&e->b.v, 0));
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -EBADFD);
	CHECK_EQ(iotlb_read(e, &msg), -EBADFD);
	CHECK_OK(blk_reset(&e->b));
	msg = (struct vhost_iotlb_msg){ .type = VHOST_IOTLB_INVALIDATE };
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -EBADFD);
	msg.type = VHOST_IOTLB_ACCESS_FAIL;
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -EBADFD);
	return 0;
}

static int child_writes(struct env *e, void *arg)
{
	struct vhost_iotlb_msg msg = update(0, PAGE, 0x10000, VHOST_ACCESS_RW);

	(void)arg;
	CHECK_EQ(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2), -EPERM);
	CHECK_EQ(iotlb_read(e, &msg), -EPERM);
	return 0;
}

static int message_not_owner(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(set_features(e));
	CHECK_EQ(proc_wait(proc_run(child_writes, e, NULL)), 0);
	return 0;
}

/* A ring where nothing is mapped: there is a miss. */
static int start_missing(struct env *e)
{
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(e->b.transport->go(&e->b));
	return 0;
}

/* What can't be handed over stays; what is handed over has no byte of the kernel's in it. */
static int message_read(void *ctx)
{
	struct env *e = ctx;
	struct vhost_msg m, want = { .type = VHOST_IOTLB_MSG };
	char junk[sizeof(m) - 1];
	uint64_t none = 0;
	unsigned int i;

	e->b.nqueues = 1;
	CHECK_PASS(start_missing(e));
	CHECK_EQ(poll(&(struct pollfd){ .fd = e->b.v.fd, .events = POLLIN }, 1, BLK_HANG_LIMIT_MS),
		 1);
	CHECK(read(e->b.v.fd, junk, sizeof(junk)) < 0 && errno == EINVAL, "a short read");
	for (i = 0; i < 3; i++)
		CHECK(read(e->b.v.fd, nowhere[i], sizeof(m)) < 0 && errno == EFAULT,
		      "pointer %u", i);
	EXPECT(e, 0, VHOST_SET_BACKEND_FEATURES, &none);
	memset(&m, 0xff, sizeof(m));
	CHECK_EQ(read(e->b.v.fd, &m, sizeof(m)), sizeof(m));
	want.iotlb.type = VHOST_IOTLB_MISS;
	want.iotlb.iova = e->b.rings[0].desc_iova;
	want.iotlb.perm = iotlb_desc_perm(&e->b.rings[0]);
	CHECK(!memcmp(&m, &want, sizeof(m)), "no miss, or junk in it");
	CHECK(read(e->b.v.fd, &m, sizeof(m)) < 0 && errno == EAGAIN, "another one");
	e->b.nqueues = 4;
	return 0;
}

static void no_op(int sig)
{
	(void)sig;
}

static void *read_blocking(void *arg)
{
	struct env *e = arg;
	struct vhost_iotlb_msg msg;

	return (void *)(long)iotlb_read(e, &msg);
}

/* Readers that wait are let go by a miss, by a signal, and when there is nothing to wait for. */
static int message_wait(void *ctx)
{
	struct sigaction sa = { .sa_handler = no_op };
	struct env *e = ctx;
	unsigned int i;

	CHECK_EQ(sigaction(SIGUSR1, &sa, NULL), 0);
	CHECK_EQ(fcntl(e->b.v.fd, F_SETFL, 0), 0);
	for (i = 0; i < 3 * (e->rounds / 4 + 1); i++) {
		pthread_t thread;
		void *res;
		long got;

		CHECK_PASS(set_features(e));
		CHECK_EQ(pthread_create(&thread, NULL, read_blocking, e), 0);
		usleep(i % 2 * 20000);
		if (i % 3 == 0) {
			CHECK_PASS(start_missing(e));
		} else if (i % 3 == 1) {
			usleep(20000);
			pthread_kill(thread, SIGUSR1);
		}
		if (i % 3 != 2)
			pthread_join(thread, &res);
		CHECK_OK(blk_reset(&e->b));
		if (i % 3 == 2)
			pthread_join(thread, &res);
		got = (long)res;
		if (i % 3 == 0)
			CHECK_EQ(got, 0);
		else if (i % 3 == 1)
			CHECK_EQ(got, -EINTR);
		else
			CHECK(got == -EBADFD || got == -EPERM, "it says %ld", got);
		CHECK_OK(vhost_ack_backend_features(&e->b.v, BIT(VHOST_BACKEND_F_IOTLB_MSG_V2)));
	}
	return 0;
}

/* Entries without end: at the bound they are refused, and those that are there stay. */
static int message_many(void *ctx)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_INVALIDATE };
	struct env *e = ctx;
	unsigned int i, n;
	int err = 0;

	CHECK_PASS(iotlb_start(e));
	for (n = 0; !err; n++)
		err = vhost_iotlb_map(&e->b.v, FAR_IOVA + n * 2ull * PAGE, PAGE,
				      e->b.mem.va + n % 64 * PAGE, VHOST_ACCESS_RW);
	CHECK_EQ(err, -ENOSPC);
	/* The device's own memory is one. */
	CHECK_EQ(n, ENTRIES_MAX);
	CHECK_OK(vhost_iotlb_map(&e->b.v, FAR_IOVA, PAGE, e->b.mem.va, VHOST_ACCESS_RW));
	CHECK_PASS(env_verify(e));
	for (i = 0; i < 1000; i++)
		CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA + i * 2ull * PAGE, PAGE));
	for (i = 0; i < 1000; i++)
		CHECK_OK(vhost_iotlb_map(&e->b.v, FAR_IOVA + i * 2ull * PAGE, PAGE, e->b.mem.va,
					 VHOST_ACCESS_RW));
	CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, ENTRIES_MAX * 2ull * PAGE));
	CHECK_PASS(env_verify(e));
	CHECK_OK(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2));
	return 0;
}

/* Closed, and reset, with questions that nobody answers, read and unread, and with entries. */
static int message_unanswered(void *ctx)
{
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		struct vhost_iotlb_msg msg;
		unsigned int q;

		CHECK_PASS(iotlb_open(e));
		CHECK_PASS(start_missing(e));
		for (q = 0; q < 100; q++)
			CHECK_OK(vhost_iotlb_map(&e->b.v, FAR_IOVA + q * PAGE, PAGE, e->b.mem.va,
						 VHOST_ACCESS_RW));
		if (i % 2)
			while (iotlb_read(e, &msg) == -EAGAIN)
				usleep(1000);
		if (i % 4 > 1) {
			CHECK_OK(blk_reset(&e->b));
			CHECK_EQ(iotlb_read(e, &msg), -EBADFD);
		}
		CHECK_PASS(env_close(e));
	}
	return 0;
}

static int open_message(void *ctx)
{
	return iotlb_open(ctx);
}

/* Tests that open it themselves close it again first. */
static int message_many_fresh(void *ctx)
{
	struct env *e = ctx;

	if (e->rounds < 4)
		SKIP("%u entries take long where all is checked", ENTRIES_MAX);
	CHECK_PASS(env_close(e));
	return message_many(e);
}

static int message_unanswered_fresh(void *ctx)
{
	CHECK_PASS(env_close(ctx));
	CHECK_PASS(message_unanswered(ctx));
	return iotlb_open(ctx);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(message_values),
	KTAP_TEST(message_frames),
	KTAP_TEST(message_no_iotlb),
	KTAP_TEST(message_not_owner),
	{ "cve_2024_0340_message_read", message_read },
	KTAP_TEST(message_wait),
	{ "message_many", message_many_fresh },
	{ "cve_2022_50738_message_unanswered", message_unanswered_fresh },
};

const struct ktap_suite iotlb_message_suite = {
	.name = "messages",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = open_message,
	.teardown = env_close,
};
