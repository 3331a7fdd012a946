// SPDX-License-Identifier: GPL-2.0-only
/* Who has no room says so, and gets nothing; who has some again is not forgotten. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "vsock_io.h"

#define ROOM		10000u
#define FEW		50u
#define PIECE		(16u * KIB)

/* Everything that is on its way has arrived. */
static int await_bytes(struct vsock_env *e, const struct vsock_conn *c, uint64_t bytes)
{
	AWAIT(e, c->received == bytes);
	return 0;
}

static int guest_takes(struct vsock_env *e, struct vsock_conn *c, uint32_t len)
{
	static uint8_t buf[2 * ROOM];

	CHECK_EQ(vsock_conn_recv(c, buf, len, NULL), len);
	vsock_conn_tell(c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	return vsock_env_turn(e, 0);
}

/* The host may send what there is room for, to the byte; and more as soon as it is told of it. */
static int credit_of_guest(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t sent;

	CHECK_PASS(vsock_env_connect(e, STREAM, ROOM, &p));
	p.c->by_hand = true;
	CHECK(host_poll(p.fd, POLLOUT), "there is room");
	CHECK_PASS(io_fill(&p, 5 * ROOM, &sent));
	CHECK_EQ(sent, ROOM);
	CHECK(!host_poll(p.fd, POLLOUT), "there is no room");
	CHECK_PASS(await_bytes(e, p.c, ROOM));
	CHECK_PASS(guest_takes(e, p.c, 3000));
	AWAIT(e, host_poll(p.fd, POLLOUT));
	CHECK_PASS(io_fill(&p, 5 * ROOM, &sent));
	CHECK_EQ(sent, 3000);
	CHECK_PASS(await_bytes(e, p.c, ROOM + 3000));
	CHECK_PASS(guest_takes(e, p.c, ROOM));
	AWAIT(e, host_poll(p.fd, POLLOUT));
	p.c->by_hand = false;
	CHECK_PASS(vsock_load_pair(e, &p, 5 * ROOM, 20 * ROOM, 20 * ROOM));
	return vsock_env_end(e, &p);
}

/* A sender that waits for room is woken by it. */
struct sending {
	int fd;
	uint8_t data[3 * ROOM];
};

static int send_and_wait(void *arg)
{
	struct sending *s = arg;

	return send(s->fd, s->data, sizeof(s->data), MSG_NOSIGNAL);
}

static int credit_wakes(void *ctx)
{
	static struct sending s;
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_connect(e, STREAM, ROOM, &p));
	host_set_timeouts(p.fd, VSOCK_HANG_LIMIT_MS);
	p.c->sink = true;
	s.fd = p.fd;
	for (i = 0; i < e->rounds; i++)
		CHECK_EQ(vsock_env_beside(e, send_and_wait, &s), sizeof(s.data));
	return vsock_env_end(e, &p);
}

/* The guest is told what the host has room for, and when it has more. */
static int credit_of_host(void *ctx)
{
	static uint8_t buf[2 * ROOM];
	struct vsock_env *e = ctx;
	uint64_t room = ROOM;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, room));
	AWAIT(e, p.c->peer_alloc == room);
	CHECK_EQ(vsock_conn_send(p.c, buf, sizeof(buf), 0), ROOM);
	AWAIT(e, host_recv(p.fd, buf, sizeof(buf), MSG_PEEK) == ROOM);
	CHECK_PASS(vsock_env_idle(e, 20));
	CHECK_EQ(vsock_conn_space(p.c), 0);
	CHECK_EQ(host_recv(p.fd, buf, sizeof(buf), 0), ROOM);
	AWAIT(e, vsock_conn_space(p.c) == ROOM);
	CHECK_PASS(vsock_load_pair(e, &p, 5 * ROOM, 20 * ROOM, 20 * ROOM));
	return vsock_env_end(e, &p);
}

/* Who asks is answered, with what is so now. */
static int credit_asked(void *ctx)
{
	static uint8_t buf[ROOM];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint64_t updates;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_EQ(vsock_conn_send(p.c, buf, ROOM, 0), ROOM);
	AWAIT(e, host_recv(p.fd, buf, ROOM, MSG_PEEK) == ROOM);
	CHECK_EQ(host_recv(p.fd, buf, ROOM, 0), ROOM);
	updates = p.c->updates_in;
	vsock_conn_tell(p.c, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
	AWAIT(e, p.c->updates_in > updates);
	AWAIT(e, p.c->peer_fwd == ROOM);
	return vsock_env_end(e, &p);
}

/* A byte at a time, where there is room for no more. */
static int credit_one(void *ctx)
{
	static uint8_t buf[FEW];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t sent, i;

	CHECK_PASS(vsock_env_connect(e, STREAM, 1, &p));
	p.c->by_hand = true;
	for (i = 0; i < FEW; i++) {
		AWAIT(e, host_poll(p.fd, POLLOUT));
		CHECK_PASS(io_fill(&p, FEW, &sent));
		CHECK_EQ(sent, 1);
		CHECK_PASS(await_bytes(e, p.c, i + 1));
		CHECK_EQ(vsock_conn_recv(p.c, buf, FEW, NULL), 1);
		vsock_conn_tell(p.c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	}
	return vsock_env_end(e, &p);
}

/* None at all, until there is some. */
static int credit_none(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t sent;

	CHECK_PASS(vsock_env_connect(e, STREAM, 0, &p));
	CHECK_PASS(io_fill(&p, ROOM, &sent));
	CHECK_EQ(sent, 0);
	vsock_conn_set_alloc(p.c, 100);
	AWAIT(e, host_poll(p.fd, POLLOUT));
	CHECK_PASS(io_fill(&p, ROOM, &sent));
	CHECK_EQ(sent, 100);
	CHECK_PASS(await_bytes(e, p.c, 100));
	return vsock_env_end(e, &p);
}

/* A guest takes back what it has not used; what was sent before counts. */
static int credit_shrinks(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t sent;

	CHECK_PASS(vsock_env_connect(e, STREAM, ROOM, &p));
	p.c->by_hand = true;
	CHECK_PASS(io_fill(&p, 8000, &sent));
	CHECK_EQ(sent, 8000);
	CHECK_PASS(await_bytes(e, p.c, 8000));
	vsock_conn_set_alloc(p.c, 4000);
	AWAIT(e, !host_poll(p.fd, POLLOUT));
	CHECK_PASS(io_fill(&p, ROOM, &sent));
	CHECK_EQ(sent, 0);
	CHECK_PASS(guest_takes(e, p.c, 4000));
	CHECK_PASS(vsock_env_idle(e, 20));
	CHECK_PASS(io_fill(&p, ROOM, &sent));
	CHECK_EQ(sent, 0);
	CHECK_PASS(guest_takes(e, p.c, 4000));
	AWAIT(e, host_poll(p.fd, POLLOUT));
	CHECK_PASS(io_fill(&p, ROOM, &sent));
	CHECK_EQ(sent, 4000);
	CHECK_PASS(await_bytes(e, p.c, 12000));
	return vsock_env_end(e, &p);
}

/* One connection that nobody reads from stops no other one. */
static int credit_apart(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair full, p;
	uint32_t sent;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &full));
	CHECK_PASS(io_fill(&full, 2 * GUEST_ALLOC, &sent));
	CHECK_EQ(sent, GUEST_ALLOC);
	while (vsock_conn_space(full.c)) {
		static uint8_t data[ROOM];

		CHECK_OK((int)vsock_conn_send(full.c, data, ROOM, 0));
		CHECK_PASS(vsock_env_turn(e, 5));
	}
	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_PASS(vsock_load_pair(e, &p, 5 * ROOM, 20 * ROOM, 20 * ROOM));
	CHECK_PASS(vsock_env_end(e, &p));
	return vsock_env_end(e, &full);
}

/* So much both ways, where the guest has no more on its way than its own buffer takes. */
static int unequal(struct vsock_env *e, uint16_t type, uint32_t host, uint32_t guest)
{
	uint64_t much = type == SEQPACKET ? 60 : MIB;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_connect(e, type, guest, &p));
	p.c->capped = true;
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE, host));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, host));
	AWAIT(e, p.c->peer_alloc == host);
	if (vsock_load_pair(e, &p, PIECE, much, much)) {
		ktap_diag("with %u bytes of the host's, %u of the guest's", host, guest);
		return 1;
	}
	return vsock_env_end(e, &p);
}

static int credit_unequal(void *ctx)
{
	static const uint32_t sizes[] = { 64 * KIB, 256 * KIB, MIB };
	const unsigned int count = sizeof(sizes) / sizeof(*sizes);
	struct vsock_env *e = ctx;
	unsigned int i;

	for (i = 0; i < count * count; i++) {
		CHECK_PASS(unequal(e, STREAM, sizes[i / count], sizes[i % count]));
		if (e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET))
			CHECK_PASS(unequal(e, SEQPACKET, sizes[i / count], sizes[i % count]));
	}
	return 0;
}

/* A guest that has more room than the host sends at a time says so only when that is used up. */
static int credit_late(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	NEED_OURS(e, "some kernels never have more on its way than their own buffer takes");
	CHECK_PASS(vsock_env_connect(e, STREAM, 256 * KIB, &p));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, 64 * KIB));
	p.c->late = true;
	CHECK_PASS(vsock_load_pair(e, &p, PIECE, 2 * MIB, PIECE));
	return vsock_env_end(e, &p);
}

/* What is kept for a guest that takes nothing has a bound in packets too; none of it is lost. */
static int credit_kept(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int sent = 0;
	bool full;

	NEED_OURS(e, "other kernels count bytes alone");
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, 64 * KIB));
	e->g.deaf = true;
	do {
		/* What waits goes on into the guest's buffers as long as there are any. */
		full = ring_pending(&e->g.s.rings[VSOCK_RX]) == e->g.rx.posted;
		if (host_send(p.fd, "x", 1, 0) == 1) {
			CHECK(sent++ < 64 * KIB / 256 + e->opts.rx_bufs, "%u packets are kept",
			      sent);
			full = false;
		}
	} while (!full);
	CHECK(sent >= 64 * KIB / 256, "no more than %u packets are kept", sent);
	CHECK(!host_poll(p.fd, POLLOUT), "there is room");
	e->g.deaf = false;
	AWAIT(e, p.c->received == sent);
	CHECK_PASS(guest_takes(e, p.c, sent));
	AWAIT(e, host_poll(p.fd, POLLOUT));
	CHECK_PASS(vsock_load_pair(e, &p, PIECE, MIB, MIB));
	return vsock_env_end(e, &p);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(credit_of_guest),
	KTAP_TEST(credit_wakes),
	KTAP_TEST(credit_of_host),
	KTAP_TEST(credit_asked),
	KTAP_TEST(credit_one),
	KTAP_TEST(credit_none),
	KTAP_TEST(credit_shrinks),
	KTAP_TEST(credit_apart),
	KTAP_TEST(credit_unequal),
	KTAP_TEST(credit_late),
	KTAP_TEST(credit_kept),
};

const struct ktap_suite vsock_io_credit_suite = {
	.name = "credit",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
