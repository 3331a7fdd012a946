// SPDX-License-Identifier: GPL-2.0-only
/* Whose the disk is, and what it looks like. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridged.h"

static const char *const alone[] = { NULL };
static const char *const handover[] = { "--share=handover", NULL };
static const char *const shared[] = { "--share=yes", NULL };
static const char *const readonly[] = { "--read-only", NULL };

static int open_on(struct bridged *d, struct env *e)
{
	e->opts.socket = d->socket;
	CHECK_OK(blk_open(&e->b, &e->opts));
	return 0;
}

/* Without a word, one VM has it: a second daemon doesn't start. */
static int share_refused(void *ctx)
{
	struct env *e = ctx;

	CHECK_EQ(bridged_refused(e, alone), 1);
	CHECK_PASS(env_open(e));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

/* The second VM starts when the first one has stopped, and not before. */
static int share_handed_over(void *ctx)
{
	struct env one = *(struct env *)ctx, two = one;
	struct bridged a = { }, b = { };
	unsigned int q, base;

	CHECK_PASS(bridged_start(&a, &one, handover));
	CHECK_PASS(bridged_start(&b, &two, handover));
	CHECK_PASS(open_on(&a, &one));
	CHECK_PASS(open_on(&b, &two));
	CHECK_OK(blk_start(&one.b));
	CHECK_OK(blk_prepare(&two.b));
	CHECK_EQ(two.b.transport->go(&two.b), -EREMOTEIO);
	CHECK_PASS(env_verify(&one));
	for (q = 0; q < BRIDGE_QUEUES; q++) {
		CHECK_EQ(two.b.transport->go(&two.b), -EREMOTEIO);
		CHECK_OK(vhost_user_stop(one.b.v.fd, q, &base));
	}
	CHECK_OK(two.b.transport->go(&two.b));
	CHECK_PASS(env_verify(&two));
	CHECK_EQ(blk_start(&one.b), -EREMOTEIO);
	blk_close(&two.b);
	blk_close(&one.b);
	CHECK_PASS(bridged_stop(&a, SIGTERM));
	return bridged_stop(&b, SIGTERM);
}

static int share_by_two(void *ctx)
{
	struct env one = *(struct env *)ctx, two = one;
	struct bridged a = { }, b = { };

	CHECK_PASS(bridged_start(&a, &one, shared));
	CHECK_PASS(bridged_start(&b, &two, shared));
	CHECK_PASS(open_on(&a, &one));
	CHECK_PASS(open_on(&b, &two));
	CHECK_OK(blk_start(&one.b));
	CHECK_OK(blk_start(&two.b));
	CHECK_PASS(env_verify(&one));
	CHECK_PASS(env_verify(&two));
	blk_close(&two.b);
	blk_close(&one.b);
	CHECK_PASS(bridged_stop(&a, SIGTERM));
	return bridged_stop(&b, SIGTERM);
}

/* Readers are several, and beside one who writes there are none. */
static int share_read(void *ctx)
{
	struct env one = *(struct env *)ctx, two = one;
	struct bridged a = { }, b = { };
	uint8_t *buf;

	CHECK_PASS(bridged_start(&a, &one, readonly));
	CHECK_PASS(bridged_start(&b, &two, readonly));
	CHECK_EQ(bridged_refused(&one, alone), 1);
	CHECK_PASS(open_on(&a, &one));
	CHECK(one.b.offered & BIT(VIRTIO_BLK_F_RO), "it can be written");
	CHECK_OK(blk_start(&one.b));
	buf = gmem_alloc(&one.b.mem, 4096, 4096);
	CHECK_EQ(blk_rw(&one.b, 0, VIRTIO_BLK_T_IN, 0, buf, 4096), VIRTIO_BLK_S_OK);
	CHECK_EQ(blk_rw(&one.b, 0, VIRTIO_BLK_T_OUT, 0, buf, 4096), VIRTIO_BLK_S_IOERR);
	blk_close(&one.b);
	CHECK_PASS(bridged_stop(&a, SIGTERM));
	return bridged_stop(&b, SIGTERM);
}

static int share_bad_arguments(void *ctx)
{
	static const char *const cases[] = {
		"--share=maybe", "--queues=0", "--queues=65", "--queues=x", "--workers=0",
		"--workers=65", "--serial=more than twenty bytes", "--user=there is nobody such",
		"--node=/dev/null", "--node=/nowhere", "--fd=7", "--blk-file=/dev/null",
		"--blk-file=/nowhere", "--blk-file=/tmp", "more",
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *const more[] = { cases[i], NULL };

		ktap_diag("%s", cases[i]);
		CHECK_EQ(bridged_refused(ctx, more), 1);
	}
	CHECK_EQ(bridged_refused(ctx, (const char *const[]){ "--what", NULL }), 2);
	return 0;
}

/* The number of queues is the daemon's; the rest is the disk's. */
static int config_read(void *ctx)
{
	struct env *e = ctx;
	uint8_t all[VHOST_USER_CONFIG_MAX];
	uint64_t n;

	CHECK_PASS(env_open(e));
	CHECK_EQ(le16toh(e->b.config.num_queues), BRIDGE_QUEUES);
	CHECK_OK(vhost_user_get(e->b.v.fd, VHOST_USER_GET_QUEUE_NUM, &n));
	CHECK_EQ(n, BRIDGE_QUEUES);
	CHECK(blk_capacity(&e->b), "it is empty");
	CHECK_OK(vhost_user_get_config(e->b.v.fd, all, sizeof(all)));
	CHECK(!memcmp(all, &e->b.config, e->b.config_size), "a part reads otherwise than all");
	CHECK_EQ(all[sizeof(all) - 1], 0);
	return env_close(e);
}

/* A cache mode would be forgotten by a restart; and of a migrated state the disk knows better. */
static int config_written(void *ctx)
{
	struct env *e = ctx;
	size_t at = offsetof(struct virtio_blk_config, wce);
	uint8_t wce = 0, got[64];
	uint64_t capacity = 1;

	CHECK_PASS(env_start(e));
	CHECK(!(e->b.features & BIT(VIRTIO_BLK_F_CONFIG_WCE)), "a cache mode is offered");
	CHECK(vhost_user_set_config(e->b.v.fd, at, &wce, 1, VHOST_USER_CONFIG_WRITABLE, true),
	      "it takes one");
	CHECK_OK(vhost_user_set_config(e->b.v.fd, 0, &capacity, 8, VHOST_USER_CONFIG_MIGRATION,
				       true));
	CHECK_OK(vhost_user_get_config(e->b.v.fd, got, sizeof(got)));
	CHECK_EQ(got[at], 1);
	CHECK(!memcmp(got, &e->b.config, 8), "the capacity has changed");
	return env_close(e);
}

/* SIGHUP: the daemon looks, and the VMM is told. */
static int config_changed(void *ctx)
{
	struct env *e = ctx;
	struct vhost_user_header head;
	struct pollfd p = { .events = POLLIN };
	uint64_t before, now;
	off_t size;
	int fd, pair[2];

	if (!env_store_is_file(e))
		SKIP("the store has its size");
	CHECK_PASS(env_start(e));
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	CHECK_OK(vhost_user_tell(e->b.v.fd, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1,
				 true));
	close(pair[1]);
	before = blk_capacity(&e->b);
	fd = open(e->store, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0, "no store");
	size = lseek(fd, 0, SEEK_END);
	CHECK(!ftruncate(fd, size + (off_t)MIB), "can't grow");
	CHECK_EQ(kill(bridge_common.pid, SIGHUP), 0);
	p.fd = pair[0];
	CHECK_EQ(poll(&p, 1, BLK_HANG_LIMIT_MS), 1);
	CHECK_OK(vhost_user_receive(pair[0], &head, NULL, 0, NULL));
	CHECK_EQ(head.request, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG);
	CHECK_OK(vhost_user_get_config(e->b.v.fd, &now, sizeof(now)));
	CHECK_EQ(now, before + MIB / 512);
	CHECK(!ftruncate(fd, size), "can't shrink");
	close(fd);
	close(pair[0]);
	CHECK_EQ(kill(bridge_common.pid, SIGHUP), 0);
	return env_close(e);
}

static int stop_common(void *ctx)
{
	(void)ctx;
	return bridged_stop(&bridge_common, SIGTERM);
}

/* Whatever a test has left. */
static int share_close(void *ctx)
{
	(void)ctx;
	bridged_forget(&bridge_common);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(share_refused),
	KTAP_TEST(config_read),
	KTAP_TEST(config_written),
	KTAP_TEST(config_changed),
	{ "share_others_stop", stop_common },
	KTAP_TEST(share_handed_over),
	KTAP_TEST(share_by_two),
	KTAP_TEST(share_read),
	KTAP_TEST(share_bad_arguments),
};

const struct ktap_suite bridge_share_suite = {
	.name = "whose disk it is",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.teardown = share_close,
};
