// SPDX-License-Identifier: GPL-2.0-only
/* Frames that are sent without a copy, and devices that live. */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>

#include "net_zcopy.h"

/* Where they wait they are the driver's memory; it doesn't get them back before. */
static int zcopy_held(void *ctx)
{
	struct vhost_drain drain = { .timeout_ms = 50 };
	struct net_env *e = ctx;
	unsigned int i;

	CHECK_PASS(zcopy_start(e));
	CHECK_PASS(zcopy_put_all(e));
	CHECK_PASS(zcopy_await_in_flight(e, ZCOPY_NR));
	CHECK_EQ(net_tx_reap(&e->tx), 0);
	EXPECT(e, -ETIMEDOUT, VHOST_DRAIN, &drain);
	CHECK_EQ(drain.inflight, ZCOPY_NR);
	for (i = 0; i < NET_BUFS; i++)
		if (e->tx.bufs[i].len)
			e->tx.bufs[i].va[e->tx.bufs[i].len - 1] = 0x77;
	CHECK_PASS(zcopy_release());
	CHECK_PASS(zcopy_take_all(0x77));
	CHECK_PASS(zcopy_await_done(e));
	CHECK_EQ(zcopy_in_flight(e), 0);
	drain.timeout_ms = NET_HANG_LIMIT_MS;
	EXPECT(e, 0, VHOST_DRAIN, &drain);
	EXPECT(e, 0, VHOST_RESUME, NULL);
	return 0;
}

/* Without a plug, many of them. */
static int zcopy_flow(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	CHECK_PASS(zcopy_start(e));
	CHECK_PASS(zcopy_release());
	for (i = 0; i < e->rounds; i++) {
		CHECK_PASS(zcopy_put_all(e));
		CHECK_PASS(zcopy_take_all(-1));
		CHECK_PASS(zcopy_await_done(e));
	}
	return 0;
}

static void *close_device(void *arg)
{
	struct net_env *e = arg;

	vhost_close(&e->n.v);
	return NULL;
}

/* A device that goes waits for them, whoever has them. */
static int zcopy_closed(void *ctx)
{
	struct net_env *e = ctx;
	pthread_t thread;

	CHECK_PASS(zcopy_start(e));
	CHECK_PASS(zcopy_put_all(e));
	CHECK_PASS(zcopy_await_in_flight(e, ZCOPY_NR));
	CHECK_EQ(pthread_create(&thread, NULL, close_device, e), 0);
	usleep(100000);
	CHECK_EQ(pthread_tryjoin_np(thread, NULL), EBUSY);
	CHECK_PASS(zcopy_release());
	CHECK_EQ(pthread_join(thread, NULL), 0);
	return zcopy_take_all(-1);
}

/* Another backend, while the first has frames. */
static int zcopy_swapped(void *ctx)
{
	struct net_env *e = ctx;
	int other;

	CHECK_PASS(zcopy_start(e));
	CHECK_PASS(zcopy_put_all(e));
	CHECK_PASS(zcopy_await_in_flight(e, ZCOPY_NR));
	other = wire_reopen(&e->w);
	CHECK(other >= 0, "no other queue: %d", other);
	CHECK_OK(net_attach(&e->n, NET_TX, other));
	wire_drop_backend(&e->w);
	CHECK_EQ(zcopy_in_flight(e), ZCOPY_NR);
	CHECK_PASS(zcopy_release());
	CHECK_PASS(zcopy_take_all(-1));
	CHECK_PASS(zcopy_await_done(e));
	CHECK_PASS(zcopy_put_all(e));
	CHECK_PASS(zcopy_take_all(-1));
	close(other);
	return zcopy_await_done(e);
}

/* What a tap refuses is lost, and nobody's any more: each chain comes back once. */
static int zcopy_refused(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	CHECK_PASS(zcopy_start(e));
	CHECK_PASS(zcopy_release());
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(wire_link(e->w.name, false));
		CHECK_PASS(zcopy_put_all(e));
		CHECK_PASS(zcopy_await_done(e));
		CHECK_EQ(zcopy_in_flight(e), 0);
		CHECK_OK(wire_link(e->w.name, true));
		CHECK_PASS(zcopy_put_all(e));
		CHECK_PASS(zcopy_take_all(-1));
		CHECK_PASS(zcopy_await_done(e));
	}
	return 0;
}

/* With room for a few at a time those that find none wait, and go later. */
static int zcopy_sndbuf(void *ctx)
{
	struct net_env *e = ctx;

	CHECK_PASS(zcopy_start(e));
	CHECK_OK(wire_sndbuf(&e->w, 3 * ZCOPY_LEN));
	CHECK_PASS(zcopy_put_all(e));
	usleep(100000);
	CHECK(zcopy_in_flight(e) < (int)ZCOPY_NR, "all are on their way, beyond the tap's room");
	CHECK_PASS(zcopy_release());
	CHECK_PASS(zcopy_take_all(-1));
	return zcopy_await_done(e);
}

/* Where all are copied after all it isn't tried any more. */
static int zcopy_given_up(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;
	int looker;

	CHECK_PASS(zcopy_start(e));
	looker = wire_socket(e->w.name, false);
	CHECK(looker >= 0, "no socket: %d", looker);
	CHECK_PASS(zcopy_release());
	for (i = 0; i < 1100 / ZCOPY_NR; i++) {
		CHECK_PASS(zcopy_put_all(e));
		CHECK_PASS(zcopy_await_done(e));
		CHECK_PASS(zcopy_take_all(-1));
	}
	close(looker);
	CHECK_OK(wire_run("tc qdisc del dev out0 root"));
	CHECK_OK(wire_run("tc qdisc add dev out0 root plug limit 10000000"));
	CHECK_PASS(zcopy_put_all(e));
	CHECK_PASS(zcopy_await_done(e));
	CHECK_PASS(zcopy_release());
	return zcopy_take_all(-1);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(zcopy_held),
	KTAP_TEST(zcopy_flow),
	KTAP_TEST(zcopy_closed),
	KTAP_TEST(zcopy_swapped),
	KTAP_TEST(zcopy_refused),
	KTAP_TEST(zcopy_sndbuf),
	KTAP_TEST(zcopy_given_up),
};

int main(int argc, char **argv)
{
	const struct ktap_suite suites[] = {
		{
			.name = "without a copy",
			.tests = tests,
			.count = sizeof(tests) / sizeof(*tests),
			.limit = 120,
			.teardown = zcopy_end,
		},
		net_zcopy_kill_suite,
	};
	static struct net_env e;

	net_env_parse(&e, argc, argv);
	return ktap_run(suites, 2, e.only, &e);
}
