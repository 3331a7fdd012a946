// SPDX-License-Identifier: GPL-2.0-only
/* Bad input for a net device: from a hostile guest, and from a hostile VMM. */
#include <poll.h>
#include <unistd.h>

#include "net_bad.h"

/* How long a queue that must stand still is watched. */
#define STILL_US	20000

int bad_provoke(struct net_env *e, unsigned int q)
{
	uint8_t buf[100];

	ring_kick(&e->n.rings[q]);
	if (q == NET_TX)
		return 0;
	eth_fill(buf, sizeof(buf), ETH_TO_GUEST, e->nr_in++);
	CHECK_OK(wire_send(&e->w, buf, sizeof(buf)));
	return 0;
}

static int check_still(struct net_env *e, unsigned int q)
{
	uint16_t before = ring_pending(&e->n.rings[q]);

	CHECK_PASS(bad_provoke(e, q));
	usleep(STILL_US);
	CHECK_EQ(ring_pending(&e->n.rings[q]), before);
	return 0;
}

/* The next test finds rings without anything in them. */
static int heal(struct net_env *e)
{
	CHECK_PASS(net_env_verify_reset(e));
	return net_env_restart(e);
}

int bad_expect_broken(struct net_env *e, unsigned int q)
{
	CHECK_PASS(bad_provoke(e, q));
	CHECK(net_wait_broken(&e->n, q), "queue %u: nobody is told that it is broken", q);
	CHECK_PASS(check_still(e, q));
	CHECK_PASS(net_env_verify_queue(e, !q));
	CHECK(!net_broken(&e->n, !q), "the other queue is broken as well");
	return heal(e);
}

void bad_drain_wire(struct net_env *e)
{
	uint8_t buf[ETH_USUAL];

	while (wire_recv(&e->w, buf, sizeof(buf)) != -EAGAIN)
		;
}

int bad_expect_any(struct net_env *e, unsigned int q)
{
	struct ring *r = &e->n.rings[q];
	struct pollfd p[] = {
		{ .fd = e->n.error_fd[q], .events = POLLIN },
		{ .fd = r->call_fd, .events = POLLIN },
	};

	CHECK_PASS(bad_provoke(e, q));
	ring_arm_call(r, 1);
	/* A receive buffer that nothing fits may wait for more. */
	if (!ring_pending(r) && poll(p, 2, q == NET_RX ? 50 : NET_HANG_LIMIT_MS) < 1)
		CHECK_EQ(q, NET_RX);
	CHECK_PASS(net_env_verify_queue(e, !q));
	bad_drain_wire(e);
	return heal(e);
}

int main(int argc, char **argv)
{
	static struct net_env e;
	const struct ktap_suite suites[] = {
		net_bad_ioctl_suite, net_bad_generic_suite, net_bad_chain_suite, net_bad_ring_suite,
		net_bad_packed_suite, net_bad_header_suite, net_bad_change_suite,
	};

	net_env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
