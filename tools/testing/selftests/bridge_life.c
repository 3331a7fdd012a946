// SPDX-License-Identifier: GPL-2.0-only
/* Daemons and connections that end, in order or by a signal, while the guest writes. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridged.h"
#include "writer.h"

static const char *const handover[] = { "--share=handover", NULL };

/* The daemon of a test. */
static struct bridged own;

static int life_open(void *ctx)
{
	struct env *e = ctx;

	/* It has the disk for itself. */
	if (bridge_common.pid)
		CHECK_PASS(bridged_stop(&bridge_common, SIGTERM));
	CHECK_PASS(bridged_start(&own, e, handover));
	e->opts.socket = own.socket;
	e->opts.queues = WRITER_QUEUES;
	CHECK_OK(blk_open(&e->b, &e->opts));
	return 0;
}

static int life_close(void *ctx)
{
	struct env *e = ctx;

	e->opts.queues = BRIDGE_QUEUES;
	blk_close(&e->b);
	bridged_forget(&bridge_common);
	return 0;
}

/* Nothing is lost, and nothing done that its driver was told of, wherever the daemon ends. */
static int life_across(struct env *e, int sig)
{
	static struct writer w;
	struct prng prng = { e->seed };
	unsigned int i, turns;
	struct kept k;

	CHECK_OK(kept_start(&k, &e->b));
	writer_make(&w, e);
	for (i = 0; i < e->rounds * 2; i++) {
		for (turns = prng_range(&prng, 0, 60); turns; turns--) {
			CHECK_PASS(writer_turn(&w, true));
			ring_wait(&e->b.rings[turns % WRITER_QUEUES], 1);
		}
		CHECK_PASS(writer_turn(&w, true));
		CHECK_PASS(bridged_stop(&own, sig));
		CHECK_PASS(bridged_start(&own, e, handover));
		CHECK_OK(kept_again(&k));
	}
	CHECK_PASS(writer_end(&w));
	ktap_diag("%u daemons ended, %lu requests", i, w.ended);
	kept_end(&k);
	return 0;
}

static int life_killed(void *ctx)
{
	return life_across(ctx, SIGKILL);
}

static int life_restarted(void *ctx)
{
	return life_across(ctx, SIGTERM);
}

/* It hangs up when all that it had is done. */
static int hang_up(struct blk *b)
{
	char c;

	CHECK(!shutdown(b->v.fd, SHUT_WR), "can't shut down");
	CHECK_EQ(recv(b->v.fd, &c, 1, 0), 0);
	return 0;
}

/*
 * The connection goes, with or without in-flight memory; the daemon stays, and serves the next one.
 */
static int life_reconnected(struct env *e, bool keeps)
{
	static struct writer w;
	struct kept k = { .b = &e->b, .fd = -1 };
	unsigned int i;

	if (keeps)
		CHECK_OK(kept_start(&k, &e->b));
	else
		CHECK_OK(blk_start(&e->b));
	writer_make(&w, e);
	for (i = 0; i < e->rounds * 2; i++) {
		CHECK_PASS(writer_turn(&w, true));
		ring_wait(&e->b.rings[0], 1);
		CHECK_PASS(writer_turn(&w, true));
		CHECK_PASS(hang_up(&e->b));
		CHECK_OK(kept_again(&k));
	}
	CHECK_PASS(writer_end(&w));
	kept_end(&k);
	return 0;
}

static int life_connection(void *ctx)
{
	return life_reconnected(ctx, true);
}

static int life_connection_bare(void *ctx)
{
	return life_reconnected(ctx, false);
}

/* Of two VMMs the second one waits for the end of the first one. */
static int life_two(void *ctx)
{
	struct env *e = ctx;
	uint64_t features;
	int second;

	CHECK_OK(blk_start(&e->b));
	CHECK_OK(vhost_user_connect(own.socket, &second));
	CHECK_PASS(env_verify(e));
	blk_close(&e->b);
	CHECK_OK(vhost_user_get(second, VHOST_USER_GET_FEATURES, &features));
	close(second);
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	return env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(life_killed),
	KTAP_TEST(life_restarted),
	KTAP_TEST(life_connection),
	KTAP_TEST(life_connection_bare),
	KTAP_TEST(life_two),
};

const struct ktap_suite bridge_life_suite = {
	.name = "daemons and connections that end",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
	.setup = life_open,
	.teardown = life_close,
};
