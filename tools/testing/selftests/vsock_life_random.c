// SPDX-License-Identifier: GPL-2.0-only
/* Any call at any moment from several threads, with packets about; and then everything works. */
#include <stdlib.h>
#include <unistd.h>

#include "callers.h"
#include "vsock_life.h"

static void fill_own(void *ctx, unsigned long request, struct prng *p, union caller_arg *arg)
{
	const struct vsock_env *e = ctx;

	if (request == VHOST_VSOCK_SET_GUEST_CID)
		arg->raw[0] = e->opts.dev.cid + (prng_chance(p, 20) ? prng_range(p, 0, 2) : 0);
	if (request == VHOST_VSOCK_SET_RUNNING)
		*(int *)arg = prng_chance(p, 70);
}

/* A host that connects, sends and closes, whatever comes of it. */
static void host_turn(struct vsock_env *e, struct prng *p, int *fd)
{
	static uint8_t buf[20000];

	if (*fd < 0)
		*fd = host_connect(STREAM, e->opts.dev.cid, GUEST_PORT);
	if (*fd < 0)
		return;
	host_send(*fd, buf, prng_range(p, 1, sizeof(buf)), 0);
	host_recv(*fd, buf, sizeof(buf), 0);
	if (!prng_chance(p, 20))
		return;
	close(*fd);
	*fd = -1;
}

/* The rings may be anywhere: what they say is not looked at. */
static void guest_turn(struct vsock_env *e, struct prng *p)
{
	struct virtio_vsock_hdr h =
		vsock_guest_hdr(&e->g, STREAM, prng_range(p, 1, 7), prng_range(p, 1, 3),
				prng_range(p, 1, 3));
	struct vsock_pkt any;

	vsock_rx_take(&e->g.rx, &any);
	vsock_tx_reap(&e->g.tx);
	vsock_rx_post(&e->g.rx, 4);
	vsock_tx_put(&e->g.tx, &h, NULL, 0);
	vsock_tx_flush(&e->g.tx);
}

static int random_calls(void *ctx)
{
	static const unsigned long own[] = {
		VHOST_VSOCK_SET_GUEST_CID, VHOST_VSOCK_SET_GUEST_CID, VHOST_VSOCK_SET_RUNNING,
		VHOST_VSOCK_SET_RUNNING, VHOST_VSOCK_SET_RUNNING,
	};
	struct vsock_env *e = ctx;
	const struct callers_opts opts = {
		.v = &e->g.s.v, .rings = e->g.s.rings, .queues = VSOCK_QUEUES, .mem = &e->g.s.mem,
		.offered = e->g.s.offered, .seed = e->seed, .own = own, .own_count = 5,
		.fill = fill_own, .ctx = e,
	};
	struct prng p = { e->seed };
	unsigned long calls, refused;
	struct callers callers;
	unsigned int i;
	int fd = -1;

	e->hostile = true;
	CHECK_OK(callers_start(&callers, &opts));
	for (i = 0; i < e->rounds * 200; i++) {
		host_turn(e, &p, &fd);
		guest_turn(e, &p);
		usleep(1000);
	}
	callers_stop(&callers, &calls, &refused);
	ktap_diag("%lu calls, %lu refused", calls, refused);
	CHECK(calls > CALLERS && refused < calls, "no call succeeded");
	if (fd >= 0)
		close(fd);
	/* Whoever was last may have left it with an owner or without. */
	vhost_set_owner(&e->g.s.v);
	CHECK_PASS(vsock_env_verify_reset(e));
	CHECK_PASS(vsock_env_close(e));
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(random_calls),
};

const struct ktap_suite vsock_life_random_suite = {
	.name = "owners that change their mind",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
