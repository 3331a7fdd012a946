// SPDX-License-Identifier: GPL-2.0-only
/*
 * Headers that lie, each field by itself and all of them at random: the connection that is meant
 * may go down, and nothing else does.
 */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "vsock_bad.h"

#define DATA	100u
/* Stands for the guest's own CID. */
#define OWN	0xc1dc1dull

struct field {
	const char *name;
	size_t at, size;
	unsigned int count;
	uint64_t values[9];
};

#define FIELD(name, ...)						\
	{ #name, offsetof(struct virtio_vsock_hdr, name),		\
	  sizeof(((struct virtio_vsock_hdr *)NULL)->name),		\
	  sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), { __VA_ARGS__ } }

static const struct field fields[] = {
	FIELD(src_cid, 0, 1, 2, OWN + 1, UINT32_MAX, OWN | 1ull << 32, UINT64_MAX),
	FIELD(dst_cid, 0, 1, 3, OWN, UINT32_MAX, 2 | 1ull << 32, UINT64_MAX),
	FIELD(src_port, 0, 1, UINT32_MAX),
	FIELD(dst_port, 0, 1, UINT32_MAX),
	FIELD(len, 0, 1, DATA - 1, DATA + 1, 0xffff, 0x10000, 0x10001, INT32_MAX, UINT32_MAX),
	FIELD(type, 0, 3, 0x8000, 0xffff),
	FIELD(op, 0, 8, 9, 0x100, 0xffff),
	FIELD(flags, 1, 2, 3, 4, 0x80000000, UINT32_MAX),
	FIELD(buf_alloc, 0, 1, INT32_MAX, 0x80000000, UINT32_MAX),
	FIELD(fwd_cnt, 1, 1000, INT32_MAX, 0x80000000, UINT32_MAX),
};

/* A packet of a connection that there is, as it should be. */
static struct virtio_vsock_hdr proper(const struct vsock_env *e, const struct vsock_pair *p,
				      uint16_t op)
{
	struct virtio_vsock_hdr h =
		vsock_guest_hdr(&e->g, p->c->type, op, p->c->port, p->c->host_port);

	h.buf_alloc = htole32(GUEST_ALLOC);
	h.fwd_cnt = htole32(p->c->fwd_cnt);
	h.len = htole32(op == VIRTIO_VSOCK_OP_RW ? DATA : 0);
	return h;
}

/* A value of the table into a header. */
static void set_field(const struct vsock_env *e, struct virtio_vsock_hdr *h, const struct field *f,
		      uint64_t value)
{
	if ((value & 0xffffff) - OWN < 2)
		value += e->opts.dev.cid - OWN;
	value = htole64(value);
	memcpy((uint8_t *)h + f->at, &value, f->size);
}

static int one_field(struct vsock_env *e, uint16_t type, uint16_t op, const struct field *f)
{
	static const uint8_t data[DATA];
	struct bad_target t = BAD_NO_TARGET;
	unsigned int i;
	int res = 0;

	for (i = 0; i < f->count && !res; i++) {
		struct virtio_vsock_hdr h;

		CHECK_PASS(bad_target(e, type, &t));
		h = proper(e, &t.p, op);
		set_field(e, &h, f, f->values[i]);
		res = bad_send(e, &h, data, op == VIRTIO_VSOCK_OP_RW ? DATA : 0);
		if (res)
			ktap_diag("operation %u, %s %#llx", op, f->name,
				  (unsigned long long)f->values[i]);
	}
	bad_drop(&t);
	return res;
}

static int all_fields(struct vsock_env *e, uint16_t type)
{
	unsigned int i;
	uint16_t op;

	for (op = 1; op < VSOCK_OPS; op++) {
		for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
			CHECK_PASS(one_field(e, type, op, &fields[i]));
		CHECK_PASS(bad_check(e));
	}
	return vsock_env_verify_reset(e);
}

static int header_stream(void *ctx)
{
	return all_fields(ctx, STREAM);
}

static int header_message(void *ctx)
{
	struct vsock_env *e = ctx;

	if (!(e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET)))
		SKIP("it knows no messages");
	return all_fields(e, SEQPACKET);
}

/* Ports of what there is, or near it, so that something is met. */
static struct virtio_vsock_hdr any_header(const struct vsock_env *e, const struct vsock_pair *p,
					  struct prng *r)
{
	struct virtio_vsock_hdr h = proper(e, p, prng_range(r, 0, VSOCK_OPS));
	unsigned int n;

	for (n = prng_range(r, 0, 3); n; n--) {
		const struct field *f =
			&fields[prng_range(r, 0, sizeof(fields) / sizeof(*fields) - 1)];

		set_field(e, &h, f, prng_chance(r, 70) ? f->values[prng_range(r, 0, f->count - 1)] :
							 prng_next(r));
	}
	return h;
}

static int header_random(void *ctx)
{
	static const uint8_t data[DATA];
	struct vsock_env *e = ctx;
	struct bad_target t = BAD_NO_TARGET;
	struct prng r = { e->seed };
	unsigned int i;

	for (i = 0; i < e->rounds * 50; i++) {
		struct virtio_vsock_hdr h;

		CHECK_PASS(bad_target(e, STREAM, &t));
		h = any_header(e, &t.p, &r);
		CHECK_PASS(bad_send(e, &h, data, prng_chance(&r, 50) ? DATA : 0));
		if (i % 16 == 15)
			CHECK_PASS(bad_check(e));
	}
	bad_drop(&t);
	return vsock_env_verify_reset(e);
}

/* While the device looks at a header it changes. */
struct changer {
	struct vsock_env *e;
	atomic_bool stop;
};

static void *change(void *arg)
{
	static const uint32_t lens[] = { DATA, 0, UINT32_MAX, 0x10000, DATA + 1, 4 };
	struct changer *c = arg;
	unsigned int n = 0;

	while (!c->stop) {
		const struct vsock_bufs *b = &c->e->g.tx;
		uint8_t *p = b->bufs[n % b->count].va;

		*(volatile uint32_t *)(p + offsetof(struct virtio_vsock_hdr, len)) =
			htole32(lens[n % 6]);
		*(volatile uint16_t *)(p + offsetof(struct virtio_vsock_hdr, type)) =
			htole16(n % 5 ? STREAM : SEQPACKET);
		n++;
	}
	return NULL;
}

static int header_changes(void *ctx)
{
	static const uint8_t data[DATA];
	struct vsock_env *e = ctx;
	struct changer c = { .e = e };
	struct bad_target t = BAD_NO_TARGET;
	pthread_t thread;
	unsigned int i;
	int res = 0;

	CHECK_PASS(bad_target(e, STREAM, &t));
	CHECK_EQ(pthread_create(&thread, NULL, change, &c), 0);
	for (i = 0; i < e->rounds * 20 && !res; i++) {
		const struct virtio_vsock_hdr h =
			vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_RW, GUEST_PORT, i);

		res = vsock_guest_put(&e->g, &h, data, DATA) == -ENOSPC ? 0 : res;
		if (i % 8 == 7)
			res = vsock_env_turn(e, 0);
		if (vsock_broken(&e->g.s, VSOCK_TX))
			res = vsock_guest_restart(&e->g);
	}
	c.stop = true;
	pthread_join(thread, NULL);
	CHECK_PASS(res);
	bad_drop(&t);
	CHECK_PASS(bad_restart(e));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(header_stream),
	KTAP_TEST(header_message),
	KTAP_TEST(header_random),
	KTAP_TEST(header_changes),
};

const struct ktap_suite vsock_bad_header_suite = {
	.name = "headers that lie",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = bad_setup,
	.teardown = bad_teardown,
};
