// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever looks at the kernel log learns which disk and queue it was, and what to do; and is not
 * flooded.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blk_bad.h"
#include "kmsg.h"

#define WAIT_MS		10000
/* What printk's own limit lets through. */
#define LIMIT_BURST	10
#define LIMIT_SECONDS	5

static void queue_name(const struct env *e, char *out, size_t len)
{
	snprintf(out, len, "pvio_vhost_blk: %s: queue 0", e->opts.name);
}

/* Breaks queue 0 with a descriptor of length 0. */
static int break_queue(struct env *e)
{
	struct ring *r = &e->b.rings[0];

	blk_req_usual(&e->b.reqs[0], VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	CHECK_EQ(ring_add(r, e->b.reqs[0].segs, e->b.reqs[0].count, RING_DIRECT,
			  &e->b.reqs[0]), 0);
	r->desc[0].len = 0;
	ring_flush(r);
	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	return 0;
}

static int message_names_queue(void *ctx)
{
	struct env *e = ctx;
	int fd = kmsg_open();
	char name[128];
	bool found;

	CHECK(fd >= 0, "/dev/kmsg: %s", strerror(-fd));
	queue_name(e, name, sizeof(name));
	CHECK_PASS(break_queue(e));
	found = kmsg_find(fd, name, "length 0", WAIT_MS);
	close(fd);
	CHECK(found, "no message with '%s' and 'length 0'", name);
	return env_verify_reset(e);
}

/* A VMM whose memory is private to it: vhost-vdpa maps none of it, and says nothing. */
static int message_private_memory(void *ctx)
{
	struct env *e = ctx;
	struct blk_opts opts = e->opts;
	int fd = kmsg_open();
	char name[128];
	bool found;

	if (opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	CHECK(fd >= 0, "/dev/kmsg: %s", strerror(-fd));
	queue_name(e, name, sizeof(name));
	blk_close(&e->b);
	opts.kind = GMEM_LOCKED;
	CHECK_OK(blk_open(&e->b, &opts));
	CHECK_OK(blk_start(&e->b));
	ring_kick(&e->b.rings[0]);
	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	found = kmsg_find(fd, name, "memory-backend-memfd", WAIT_MS);
	close(fd);
	CHECK(found, "no message with '%s' and 'memory-backend-memfd'", name);
	return 0;
}

static int message_unmapped_ring(void *ctx)
{
	struct env *e = ctx;
	int fd = kmsg_open();
	char name[128];
	bool found;

	CHECK(fd >= 0, "/dev/kmsg: %s", strerror(-fd));
	queue_name(e, name, sizeof(name));
	CHECK_OK(vhost_unmap_gmem(&e->b.v, &e->b.mem));
	ring_kick(&e->b.rings[0]);
	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	found = kmsg_find(fd, name, "did not map", WAIT_MS);
	close(fd);
	CHECK(found, "no message with '%s' and 'did not map'", name);
	CHECK_OK(vhost_map_gmem(&e->b.v, &e->b.mem));
	return env_verify_reset(e);
}

static int message_rate_limit(void *ctx)
{
	struct env *e = ctx;
	int fd = kmsg_open();
	time_t start = time(NULL);
	unsigned int i, n = 0, limit;
	char name[128];

	CHECK(fd >= 0, "/dev/kmsg: %s", strerror(-fd));
	queue_name(e, name, sizeof(name));
	for (i = 0; i < 100; i++) {
		CHECK_PASS(break_queue(e));
		CHECK_OK(blk_restart(&e->b, 0));
	}
	while (kmsg_find(fd, name, NULL, 0))
		n++;
	close(fd);
	limit = LIMIT_BURST * ((time(NULL) - start) / LIMIT_SECONDS + 2);
	ktap_diag("%u times broken, %u messages", i, n);
	CHECK(n <= limit, "at most %u expected", limit);
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(message_names_queue),
	KTAP_TEST(message_private_memory),
	KTAP_TEST(message_unmapped_ring),
	KTAP_TEST(message_rate_limit),
};

/* First of all suites: those that follow would use up what the rate limit allows. */
const struct ktap_suite blk_bad_message_suite = {
	.name = "messages",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = env_start,
	.teardown = env_close,
};
