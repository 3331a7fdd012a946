// SPDX-License-Identifier: GPL-2.0-only
/* Backends that come and go under traffic. */
#include <fcntl.h>
#include <unistd.h>

#include "net_life.h"

static int attach_both(struct net_env *e, int fd)
{
	CHECK_OK(net_attach(&e->n, NET_RX, fd));
	CHECK_OK(net_attach(&e->n, NET_TX, fd));
	return 0;
}

/* Taken away and given back: frames wait where they are, and none is lost or comes twice. */
static int backend_detached(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;
	int res = 0;

	CHECK_PASS(net_env_count(e));
	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds * 5 && !res; i++) {
		res = net_load_await(&l, LIFE_FRAMES);
		if (!res)
			res = attach_both(e, -1);
		if (i % 3 == 0)
			usleep(1000);
		if (!res)
			res = attach_both(e, e->w.backend);
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_PASS(res);
	CHECK_PASS(net_env_check_count(e));
	return net_env_verify(e);
}

/* More frames than buffers: the device has some of those that wait, and gives them back. */
static int backend_counted(void *ctx)
{
	struct net_env *e = ctx;
	uint32_t nr, last;
	unsigned int i;

	if (e->wire.kind != WIRE_TAP)
		SKIP("for taps");
	for (i = 0; i < e->rounds; i++) {
		/* The device writes frames by itself when it has seen the backend do it. */
		CHECK_PASS(net_env_verify(e));
		CHECK_OK(net_rx_fill(&e->rx));
		CHECK_PASS(net_env_count(e));
		last = e->nr_in + 2 * NET_BUFS;
		for (nr = e->nr_in; nr != last; nr++)
			CHECK_PASS(net_env_send(e, 100, nr));
		for (nr = e->nr_in; nr != last - NET_BUFS; nr++)
			CHECK_PASS(net_env_expect(e, nr, NULL));
		if (i % 2)
			CHECK_PASS(attach_both(e, -1));
		CHECK_PASS(attach_both(e, e->w.backend));
		CHECK_OK(net_rx_fill(&e->rx));
		for (; nr != last; nr++)
			CHECK_PASS(net_env_expect(e, nr, NULL));
		e->nr_in = last;
		CHECK_PASS(net_env_check_count(e));
	}
	return net_env_verify(e);
}

/* One queue's alone: the other one goes on. */
static int backend_detached_one(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int q, i;

	for (i = 0; i < e->rounds; i++) {
		for (q = 0; q < NET_QUEUES; q++) {
			CHECK_OK(net_attach(&e->n, q, -1));
			CHECK_PASS(net_env_verify_queue(e, !q));
			CHECK_OK(net_attach(&e->n, q, e->w.backend));
			CHECK_PASS(net_env_verify_queue(e, q));
		}
	}
	return net_env_verify(e);
}

/* Another queue of the same interface; what waits in the first one is lost with it. */
static int backend_swapped(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;
	int res = 0, fd;

	if (e->wire.kind != WIRE_TAP)
		SKIP("for taps");
	net_load_init(&l, e);
	l.lossy = true;
	/*
	 * While the tap has two queues, a flow's frames go to where its hash says, and as soon as
	 * one came out of the device, to the queue that one came by: some wait in the new queue
	 * while later ones still arrive by the old.
	 */
	l.overtakes = true;
	CHECK_PASS(net_env_count(e));
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds * 2 && !res; i++) {
		res = net_load_await(&l, LIFE_FRAMES);
		fd = wire_reopen(&e->w);
		if (fd < 0)
			res = fd;
		if (!res)
			res = attach_both(e, fd);
		wire_drop_backend(&e->w);
		e->w.backend = fd;
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_PASS(res);
	CHECK_PASS(net_env_verify(e));
	return net_env_check_count(e);
}

/* The VMM closes its own file: the device has it still. */
static int backend_closed(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;

	net_load_init(&l, e);
	CHECK_PASS(net_load_start(&l));
	CHECK_PASS(net_load_await(&l, LIFE_FRAMES));
	wire_drop_backend(&e->w);
	CHECK_PASS(net_load_await(&l, LIFE_FRAMES * 10));
	return net_load_stop(&l);
}

/* As soon as the device lets go of it the interface is gone. */
static int backend_let_go(void *ctx)
{
	struct net_env *e = ctx;
	unsigned int i;

	if (e->wire.kind != WIRE_TAP)
		SKIP("for taps");
	CHECK_PASS(net_env_verify(e));
	wire_drop_backend(&e->w);
	CHECK_PASS(net_env_verify(e));
	CHECK(if_nametoindex(e->w.name), "the interface is gone already");
	CHECK_PASS(attach_both(e, -1));
	for (i = 0; if_nametoindex(e->w.name) && i < NET_HANG_LIMIT_MS; i++)
		usleep(1000);
	CHECK(!if_nametoindex(e->w.name), "the interface stays");
	return 0;
}

static int new_wire(struct net_env *e)
{
	wire_close(&e->w);
	CHECK_OK(wire_open(&e->w, &e->wire));
	e->n.backend = e->w.backend;
	return attach_both(e, e->w.backend);
}

/* The interface is deleted; the device stays, and takes another one. */
static int backend_deleted(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;

	for (i = 0; i < e->rounds / 4 + 2; i++) {
		net_load_init(&l, e);
		l.lossy = true;
		CHECK_PASS(net_load_start(&l));
		CHECK_PASS(net_load_await(&l, LIFE_FRAMES));
		CHECK_OK(wire_run("ip link del %s", e->w.far));
		usleep(20000);
		CHECK_PASS(net_load_stop(&l));
		/* In both orders. */
		if (i % 2)
			CHECK_PASS(attach_both(e, -1));
		CHECK_PASS(new_wire(e));
		/* The peer never gives back a batch of frames that was refused. */
		if (e->peer)
			CHECK_PASS(net_env_restart(e));
		CHECK_PASS(net_env_verify(e));
	}
	return 0;
}

static int backend_down(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	unsigned int i;
	int res = 0;

	net_load_init(&l, e);
	l.lossy = true;
	/*
	 * While the tap has two queues, a flow's frames go to where its hash says, and as soon as
	 * one came out of the device, to the queue that one came by: some wait in the new queue
	 * while later ones still arrive by the old.
	 */
	l.overtakes = true;
	CHECK_PASS(net_load_start(&l));
	for (i = 0; i < e->rounds * 2 && !res; i++) {
		res = net_load_await(&l, LIFE_FRAMES);
		if (!res)
			res = wire_link(e->w.name, false);
		usleep(i % 2 ? 10000 : 0);
		if (!res)
			res = wire_link(e->w.name, true);
	}
	CHECK_PASS(net_load_stop(&l));
	CHECK_OK(res);
	return net_env_verify(e);
}

/* The queues of one device have different backends. */
static int backend_each(void *ctx)
{
	struct net_env *e = ctx;
	struct wire second;

	CHECK_OK(wire_open(&second, &e->wire));
	CHECK_OK(net_attach(&e->n, NET_TX, second.backend));
	CHECK_PASS(net_env_verify_queue(e, NET_RX));
	CHECK_OK(net_attach(&e->n, NET_RX, second.backend));
	CHECK_OK(net_attach(&e->n, NET_TX, e->w.backend));
	CHECK_PASS(net_env_verify_queue(e, NET_TX));
	CHECK_OK(net_attach(&e->n, NET_RX, e->w.backend));
	wire_close(&second);
	return net_env_verify(e);
}

/* Two devices on one backend get what they get; when one is gone the other has it all. */
static int backend_shared(void *ctx)
{
	struct net_env *e = ctx;
	struct net_load l;
	struct net second;
	struct net_bufs rx;
	unsigned int i;

	for (i = 0; i < e->rounds / 4 + 2; i++) {
		CHECK_OK(net_open(&second, &(struct net_opts){
			.node = e->opts.node, .num = 64, .mem_size = MIB, .with = e->opts.with,
			.without = e->opts.without, .iotlb = e->opts.iotlb }));
		CHECK_OK(net_bufs_init(&rx, &second, NET_RX, 64, NET_ROOM));
		CHECK_OK(net_start(&second, e->w.backend));
		CHECK_OK(net_rx_fill(&rx));
		net_load_init(&l, e);
		l.lossy = true;
		/* What the other one took it may give back late. */
		l.overtakes = true;
		CHECK_PASS(net_load_start(&l));
		CHECK_PASS(net_load_await(&l, LIFE_FRAMES));
		net_close(&second);
		net_bufs_destroy(&rx);
		CHECK_PASS(net_load_stop(&l));
		CHECK_PASS(net_env_verify(e));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(backend_detached),
	KTAP_TEST(backend_counted),
	KTAP_TEST(backend_detached_one),
	KTAP_TEST(backend_swapped),
	KTAP_TEST(backend_closed),
	KTAP_TEST(backend_let_go),
	KTAP_TEST(backend_deleted),
	KTAP_TEST(backend_down),
	KTAP_TEST(backend_each),
	KTAP_TEST(backend_shared),
};

const struct ktap_suite net_life_backend_suite = {
	.name = "backends that change",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = net_env_start,
	.teardown = net_env_close,
};
