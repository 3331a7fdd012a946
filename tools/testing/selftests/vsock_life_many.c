// SPDX-License-Identifier: GPL-2.0-only
/* Many connections at once, and many one after the other. */
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vsock_diag.h"
#include "vsock_life.h"

#define MANY	256u
#define PIECE	(64u * KIB)
/* As many messages as there are so many bytes. */
#define MESSAGE	(8u * KIB)

static int raise_limit(void)
{
	const struct rlimit files = { 4096, 4096 };

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
	return 0;
}

static int open_many(struct vsock_env *e, struct vsock_load *l, struct vsock_pair *p)
{
	uint32_t max = e->bytes / 2 < PIECE ? e->bytes / 2 : PIECE;
	bool messages = e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET);
	unsigned int i;

	for (i = 0; i < MANY; i++) {
		bool message = messages && i % 8 == 7;
		uint64_t much = message ? e->bytes / MESSAGE : e->bytes;

		if (i % 2)
			CHECK_PASS(vsock_env_accept(e, message ? SEQPACKET : STREAM, GUEST_ALLOC,
						    &p[i]));
		else
			CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p[i]));
		CHECK_PASS(vsock_load_add(l, &p[i], max, much, much));
	}
	return 0;
}

static int many_at_once(void *ctx)
{
	static struct vsock_pair p[MANY];
	struct vsock_env *e = ctx;
	struct vsock_load l;
	unsigned int i;

	CHECK_PASS(raise_limit());
	CHECK_PASS(vsock_load_init(&l, e, MANY));
	CHECK_PASS(open_many(e, &l, p));
	CHECK_EQ(vsock_diag_count(e->opts.dev.cid), MANY);
	CHECK_PASS(vsock_load_run(&l));
	vsock_load_destroy(&l);
	for (i = 0; i < MANY; i++)
		CHECK_PASS(vsock_env_end(e, &p[i]));
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	return 0;
}

/* Opened and closed, by either end. */
static int many_short(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;
	char byte;

	for (i = 0; i < e->rounds * 50; i++) {
		if (i % 2)
			CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
		else
			CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
		if (i % 3)
			CHECK_EQ(vsock_conn_send(p.c, "x", 1, 0), 1);
		if (i % 4 == 3) {
			vsock_conn_reset(p.c);
			AWAIT(e, host_recv(p.fd, &byte, 1, 0) != -EAGAIN);
		}
		CHECK_PASS(vsock_env_end(e, &p));
	}
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	return 0;
}

/* Several guests, each with its own connections, all at once. */
static int many_guests(void *ctx)
{
	static struct vsock_env others[8];
	const unsigned int count = sizeof(others) / sizeof(*others);
	struct vsock_env *e = ctx;
	unsigned int i, k;

	for (i = 0; i < count; i++)
		CHECK_PASS(vsock_env_neighbour(e, &others[i], e->opts.dev.cid + 1 + i));
	for (k = 0; k < e->rounds; k++)
		for (i = 0; i < count; i++)
			CHECK_PASS(vsock_env_verify(&others[i]));
	for (i = 0; i < count; i++)
		CHECK_PASS(vsock_env_close(&others[i]));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(many_at_once),
	KTAP_TEST(many_short),
	KTAP_TEST(many_guests),
};

const struct ktap_suite vsock_life_many_suite = {
	.name = "many",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 1800,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
