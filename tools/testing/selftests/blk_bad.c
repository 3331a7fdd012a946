// SPDX-License-Identifier: GPL-2.0-only
/* Bad input: from a hostile guest, and from a hostile VMM. */
#include <poll.h>
#include <unistd.h>

#include "blk_bad.h"

/* How long a queue that must stand still is watched. */
#define STILL_US	20000

static int check_still(struct env *e)
{
	struct ring *r = &e->b.rings[0];
	uint8_t *buf = gmem_alloc(&e->b.mem, 4096, 4096);
	uint16_t before = ring_pending(r);
	struct blk_req req;

	blk_req_init(&e->b, &req);
	blk_req_usual(&req, VIRTIO_BLK_T_IN, 0, buf, 4096);
	if (!blk_queue(&e->b, 0, &req, RING_DIRECT))
		ring_publish(r);
	ring_kick(r);
	usleep(STILL_US);
	CHECK_EQ(ring_pending(r), before);
	return 0;
}

static int check_others(struct env *e)
{
	unsigned int q;

	e->b.expect_broken = true;
	for (q = 1; q < e->b.nqueues; q++)
		CHECK_PASS(env_verify_queue(e, q, q * 64));
	return 0;
}

int bad_expect_broken(struct env *e)
{
	struct pollfd p = { .fd = e->b.config_fd, .events = POLLIN };

	CHECK(blk_wait_needs_reset(&e->b), "status stays 0x%x", blk_status(&e->b));
	CHECK(poll(&p, 1, BLK_HANG_LIMIT_MS) == 1, "no configuration change notification");
	CHECK_PASS(check_still(e));
	CHECK_PASS(check_others(e));
	CHECK(blk_needs_reset(&e->b), "the device forgot that it needs a reset");
	return env_verify_reset(e);
}

int bad_expect_any(struct env *e, const struct blk_req *r)
{
	int err = blk_wait(&e->b, 0, r);

	if (err == -EIO)
		return bad_expect_broken(e);
	CHECK_OK(err);
	CHECK_PASS(check_others(e));
	return env_verify_reset(e);
}

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite node[] = {
		blk_bad_request_suite, blk_bad_chain_suite, blk_bad_indirect_suite,
		blk_bad_ring_suite,
	};
	const struct ktap_suite suites[] = {
		blk_bad_message_suite, blk_bad_request_suite, blk_bad_chain_suite,
		blk_bad_indirect_suite, blk_bad_ring_suite, blk_bad_setup_suite,
		blk_bad_iotlb_suite, blk_bad_memory_suite,
	};

	env_parse(&e, argc, argv);
	if (e.opts.node)
		return ktap_run(node, sizeof(node) / sizeof(*node), e.only, &e);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
