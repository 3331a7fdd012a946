// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host holds for many connections: idle ones, and those of a guest that makes each of
 * them as expensive as it can while nobody reads. Both figures are told; the second has a bound.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "meminfo.h"
#include "vsock_diag.h"
#include "vsock_load.h"

#define CONNECTIONS	1000u
/* Of each socket: what the guest may make it hold. */
#define BUFFER		(16u * KIB)
#define PIECES		96u
/* Generous: buffers, as much again for what is beside them, and the connection. */
#define MOST_IDLE_KIB	8
#define MOST_KIB	(3 * BUFFER / KIB + MOST_IDLE_KIB)

static struct vsock_conn *conns[CONNECTIONS];
static int fds[CONNECTIONS];

static int open_all(struct vsock_env *e, uint16_t type)
{
	int fd = host_listen(type, HOST_PORT, CONNECTIONS);
	unsigned int i;

	CHECK_OK(fd);
	CHECK_OK(host_set_buffer(fd, SO_VM_SOCKETS_BUFFER_SIZE, BUFFER));
	for (i = 0; i < CONNECTIONS; i++) {
		conns[i] = vsock_connect(&e->g, type, HOST_PORT, GUEST_ALLOC);
		if (i % 100 == 99)
			ktap_diag("%u connections", i + 1);
		AWAIT(e, (fds[i] = host_accept(fd)) != -EAGAIN);
		CHECK_OK(fds[i]);
		AWAIT(e, conns[i]->state == VSOCK_OPEN);
	}
	close(fd);
	CHECK_EQ(vsock_diag_count(e->opts.dev.cid), CONNECTIONS);
	return 0;
}

static int close_all(struct vsock_env *e)
{
	unsigned int i;

	for (i = 0; i < CONNECTIONS; i++) {
		close(fds[i]);
		AWAIT(e, conns[i]->state >= VSOCK_RESET);
		vsock_conn_free(conns[i]);
	}
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	return 0;
}

/* One of them after the other, so that none is alone to be filled. */
static int fill_all(struct vsock_env *e, uint32_t flags)
{
	unsigned int i, k;

	for (k = 0; k < PIECES; k++) {
		for (i = 0; i < CONNECTIONS; i++)
			while (conns[i]->state == VSOCK_OPEN &&
			       vsock_conn_put(conns[i], "x", 1, flags))
				CHECK_PASS(vsock_env_turn(e, 5));
		if (k % 16 == 15)
			ktap_diag("%u packets", (k + 1) * CONNECTIONS);
	}
	AWAIT(e, !e->g.tx.posted);
	return 0;
}

static int scaled(struct vsock_env *e, uint16_t type, uint32_t flags)
{
	long before, idle, full;

	CHECK_PASS(open_all(e, type));
	CHECK_PASS(close_all(e));
	before = meminfo_used();
	CHECK_PASS(open_all(e, type));
	idle = (meminfo_used() - before) * 10 / CONNECTIONS;
	CHECK_PASS(fill_all(e, flags));
	full = (meminfo_used() - before) * 10 / CONNECTIONS;
	ktap_diag("KiB for a connection: %ld.%ld idle, %ld.%ld with %u pieces of a byte", idle / 10,
		  idle % 10, full / 10, full % 10, PIECES);
	CHECK(idle <= MOST_IDLE_KIB * 10, "that is too much");
	CHECK(full <= (long)MOST_KIB * 10, "that is too much");
	return close_all(e);
}

static int scale_streams(void *ctx)
{
	return scaled(ctx, STREAM, 0);
}

static int scale_messages(void *ctx)
{
	struct vsock_env *e = ctx;

	NEED_OURS(e, "not every kernel counts what a message takes beside its bytes");
	return scaled(e, SEQPACKET, VIRTIO_VSOCK_SEQ_EOM);
}

static int scale_setup(void *ctx)
{
	const struct rlimit files = { 4096, 4096 };
	struct vsock_env *e = ctx;
	struct vsock_guest_opts sizes;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
	CHECK_PASS(vsock_env_setup(e));
	sizes = e->opts;
	sizes.tx_bufs = 120;
	sizes.tx_room = VSOCK_HDR_LEN + 16;
	CHECK_PASS(vsock_env_restart_sized(e, &sizes));
	e->hostile = true;
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(scale_streams),
	KTAP_TEST(scale_messages),
};

int main(int argc, char **argv)
{
	static struct vsock_env e;
	const struct ktap_suite suite = {
		.name = "many connections",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 300,
		.setup = scale_setup,
		.teardown = vsock_env_close,
	};

	vsock_env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
