// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that sends without end, or reads nothing: what the host holds for it has a bound, and
 * another guest goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "meminfo.h"
#include "vsock_bad.h"
#include "vsock_diag.h"

#define PACKETS		30000u
#define CONNECTIONS	3000u
#define BACKLOG		100
/* Not that of connections that are to work. */
#define FLOOD_PORT	(HOST_PORT + 1)
/* Generous for what has a bound, and little of what there would be without one. */
#define MOST_KIB	(16 * 1024)
/* After which a queue that stands still is taken for held back, where that should happen. */
#define STILL_MS	200
#define BUFFER		(32u * KIB)
#define GUEST_BUFFERS	"/sys/module/pvio_vhost_vsock/parameters/guest_buffers_mb"
/* Connections whose data nobody reads, of the usual size. */
#define UNREAD		16u

static struct vsock_env other;
static uint8_t received[BUFFER];

/* Many short packets at once. */
static int flood_setup(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_guest_opts sizes;

	CHECK_PASS(vsock_env_setup(e));
	sizes = e->opts;
	sizes.tx_bufs = 120;
	sizes.tx_room = VSOCK_HDR_LEN + 16;
	CHECK_PASS(vsock_env_restart_sized(e, &sizes));
	e->hostile = true;
	return vsock_env_neighbour(e, &other, e->opts.dev.cid + 1);
}

static int flood_teardown(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_close(&other));
	return vsock_env_close(e);
}

/* Waits for room; returns whether there is any. */
static bool room_again(struct vsock_env *e)
{
	int64_t end = vsock_now_ms() + (e->g.deaf ? STILL_MS : VSOCK_HANG_LIMIT_MS);

	while (!e->g.tx.free && vsock_now_ms() < end)
		if (vsock_guest_turn(&e->g) < 0 ||
		    (!e->g.tx.free && vsock_guest_wait(&e->g, NULL, 0, 5)))
			return false;
	return e->g.tx.free;
}

/* Sends so many, each made by @make, or as many as the device takes. */
static unsigned int flood(struct vsock_env *e, unsigned int count,
			  struct virtio_vsock_hdr (*make)(struct vsock_env *e, unsigned int i),
			  uint32_t len)
{
	static const uint8_t data[16];
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct virtio_vsock_hdr h;

		if (!e->g.tx.free && !room_again(e))
			break;
		h = make(e, i);
		h.len = htole32(len);
		if (vsock_guest_put(&e->g, &h, data, len))
			break;
	}
	vsock_guest_turn(&e->g);
	return i;
}

static int check_memory(long before, const char *what, unsigned int count)
{
	long used = meminfo_used() - before;

	ktap_diag("%u %s: %ld KiB", count, what, used);
	CHECK(used < MOST_KIB, "that is too much");
	return 0;
}

static struct virtio_vsock_hdr request(struct vsock_env *e, unsigned int i)
{
	struct virtio_vsock_hdr h =
		vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_REQUEST, 5000 + i, FLOOD_PORT);

	h.buf_alloc = htole32(GUEST_ALLOC);
	return h;
}

/* Each is answered, where somebody hears it. */
static int flood_refused(void *ctx)
{
	struct vsock_env *e = ctx;
	long before = meminfo_used();
	unsigned int n;

	n = flood(e, PACKETS, request, 0);
	CHECK_EQ(n, PACKETS);
	AWAIT(e, e->g.in[VIRTIO_VSOCK_OP_RST] >= n);
	CHECK_PASS(check_memory(before, "requests", n));
	return vsock_env_verify(e);
}

/* Nobody takes the answers: some wait, and no more than some. */
static int flood_refused_deaf(void *ctx)
{
	struct vsock_env *e = ctx;
	long before = meminfo_used();
	unsigned int n;

	e->g.deaf = true;
	n = flood(e, PACKETS, request, 0);
	CHECK_PASS(check_memory(before, "requests whose answers nobody takes", n));
	CHECK_PASS(vsock_env_verify(&other));
	e->g.deaf = false;
	AWAIT(e, !e->g.tx.posted);
	return vsock_env_verify(e);
}

/* Somebody listens, and accepts nothing. */
static int flood_backlog(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_listen(STREAM, FLOOD_PORT, BACKLOG);
	long before = meminfo_used();
	uint64_t open;
	unsigned int n;

	CHECK_OK(fd);
	e->g.silent = true;
	n = flood(e, CONNECTIONS, request, 0);
	CHECK_EQ(n, CONNECTIONS);
	AWAIT(e, e->g.in[VIRTIO_VSOCK_OP_RST] + e->g.in[VIRTIO_VSOCK_OP_RESPONSE] >= n);
	open = e->g.in[VIRTIO_VSOCK_OP_RESPONSE];
	CHECK(open >= BACKLOG && open <= BACKLOG + 1, "%llu connections",
	      (unsigned long long)open);
	CHECK_EQ(vsock_diag_count(e->opts.dev.cid), open);
	CHECK_PASS(check_memory(before, "connections", n));
	e->g.silent = false;
	close(fd);
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	return vsock_env_verify(e);
}

static struct virtio_vsock_hdr reset(struct vsock_env *e, unsigned int i)
{
	return vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_RST, 5000 + i, FLOOD_PORT);
}

/* Opened and reset before anybody has accepted it; nothing is left of that. */
static int flood_opened_and_reset(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_listen(STREAM, FLOOD_PORT, BACKLOG), one;
	long before = meminfo_used();
	unsigned int i;
	uint8_t byte;

	CHECK_OK(fd);
	e->g.silent = true;
	for (i = 0; i < CONNECTIONS / BACKLOG; i++) {
		CHECK_EQ(flood(e, BACKLOG, request, 0), BACKLOG);
		CHECK_EQ(flood(e, BACKLOG, reset, 0), BACKLOG);
		AWAIT(e, !e->g.tx.posted);
		while ((one = host_accept(fd)) >= 0) {
			AWAIT(e, host_recv(one, &byte, 1, 0) != -EAGAIN);
			close(one);
		}
	}
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	CHECK_PASS(check_memory(before, "connections there and gone", CONNECTIONS));
	close(fd);
	e->g.silent = false;
	return vsock_env_verify(e);
}

static struct vsock_pair target;

static struct virtio_vsock_hdr on_target(struct vsock_env *e, uint16_t op, uint32_t flags)
{
	const struct vsock_conn *c = target.c;
	struct virtio_vsock_hdr h = vsock_guest_hdr(&e->g, c->type, op, c->port, c->host_port);

	h.buf_alloc = htole32(GUEST_ALLOC);
	h.flags = htole32(flags);
	return h;
}

static struct virtio_vsock_hdr ask_credit(struct vsock_env *e, unsigned int i)
{
	(void)i;
	return on_target(e, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 0);
}

static struct virtio_vsock_hdr data(struct vsock_env *e, unsigned int i)
{
	(void)i;
	return on_target(e, VIRTIO_VSOCK_OP_RW, 0);
}

static struct virtio_vsock_hdr message(struct vsock_env *e, unsigned int i)
{
	(void)i;
	return on_target(e, VIRTIO_VSOCK_OP_RW, VIRTIO_VSOCK_SEQ_EOM);
}

/* Packets for one connection, whose socket reads nothing. */
static int flood_target(struct vsock_env *e, uint16_t type, const char *what,
			struct virtio_vsock_hdr (*make)(struct vsock_env *e, unsigned int i),
			uint32_t len)
{
	unsigned int n;
	long before;

	CHECK_PASS(vsock_env_connect(e, type, GUEST_ALLOC, &target));
	CHECK_OK(host_set_buffer(target.fd, SO_VM_SOCKETS_BUFFER_SIZE, BUFFER));
	AWAIT(e, target.c->peer_alloc == BUFFER);
	before = meminfo_used();
	n = flood(e, PACKETS, make, len);
	CHECK_PASS(vsock_env_idle(e, 20));
	CHECK_PASS(check_memory(before, what, n));
	CHECK_PASS(vsock_env_verify(&other));
	close(target.fd);
	e->g.deaf = false;
	AWAIT(e, !e->g.tx.posted);
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	return vsock_env_verify(e);
}

static int flood_bytes(void *ctx)
{
	return flood_target(ctx, STREAM, "bytes", data, 1);
}

static int flood_messages(void *ctx)
{
	struct vsock_env *e = ctx;

	NEED_OURS(e, "not every kernel counts what a message takes beside its bytes");
	return flood_target(e, SEQPACKET, "messages of a byte", message, 1);
}

static int flood_empty(void *ctx)
{
	struct vsock_env *e = ctx;

	NEED_OURS(e, "not every kernel counts what has no bytes");
	CHECK_PASS(flood_target(e, STREAM, "empty packets", data, 0));
	return flood_target(e, SEQPACKET, "empty messages", message, 0);
}

static int flood_credit_requests(void *ctx)
{
	return flood_target(ctx, STREAM, "questions for credit", ask_credit, 0);
}

static int flood_credit_requests_deaf(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_guest_opts sizes = e->opts;

	NEED_OURS(e, "it keeps as many answers as the guest asks for");
	sizes.rx_bufs = 4;
	sizes.tx_bufs = 120;
	sizes.tx_room = VSOCK_HDR_LEN + 16;
	CHECK_PASS(vsock_env_restart_sized(e, &sizes));
	e->hostile = true;
	return flood_target(e, STREAM, "questions whose answers nobody takes", ask_credit, 0);
}

/*
 * A guest that takes nothing says that it has taken all: the host keeps no more than its own
 * socket's size allows.
 */
static int flood_lies(void *ctx)
{
	static uint8_t much[64 * KIB];
	struct vsock_env *e = ctx;
	uint64_t sent = 0, rounds;
	long before;

	NEED_OURS(e, "it believes what a guest says");
	CHECK_PASS(vsock_env_restart_with(e, 8, 256));
	e->hostile = true;
	CHECK_PASS(vsock_env_connect(e, STREAM, UINT32_MAX, &target));
	e->g.deaf = true;
	before = meminfo_used();
	for (rounds = 0; rounds < 2000; rounds++) {
		ssize_t n = host_send(target.fd, much, sizeof(much), 0);

		CHECK(n > 0 || n == -EAGAIN, "%zd", n);
		sent += n > 0 ? n : 0;
		target.c->fwd_cnt = sent;
		vsock_conn_tell(target.c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
		AWAIT(e, !e->g.tx.posted);
	}
	CHECK_PASS(check_memory(before, "KiB that nobody takes", sent / KIB));
	CHECK_PASS(vsock_env_verify(&other));
	close(target.fd);
	e->g.deaf = false;
	return vsock_env_verify_reset(e);
}

struct flooding {
	struct vsock_env *e;
	atomic_bool stop;
	unsigned long sent;
};

static void *flood_on(void *arg)
{
	struct flooding *f = arg;

	while (!f->stop)
		f->sent += flood(f->e, 1000, request, 0);
	return NULL;
}

/* While one guest floods another one finds that everything goes as it should. */
static int flood_beside(void *ctx)
{
	struct flooding f = { .e = ctx };
	pthread_t thread;
	unsigned int i;
	int res = 0;

	CHECK_EQ(pthread_create(&thread, NULL, flood_on, &f), 0);
	for (i = 0; i < f.e->rounds && !res; i++)
		res = vsock_env_verify(&other);
	f.stop = true;
	pthread_join(thread, NULL);
	ktap_diag("%lu packets beside", f.sent);
	CHECK(f.sent, "no flood");
	return res;
}

static int set_guest_buffers(unsigned int mb)
{
	FILE *f = fopen(GUEST_BUFFERS, "w");

	CHECK(f, "no " GUEST_BUFFERS);
	fprintf(f, "%u", mb);
	CHECK_EQ(fclose(f), 0);
	return 0;
}

/* Sends until nobody takes more. Returns what was sent. */
static uint32_t send_all(struct vsock_env *e, struct vsock_conn *c)
{
	static const uint8_t data[BUFFER];
	uint32_t sent = 0;
	int64_t n = 0;

	while (c->state == VSOCK_OPEN && vsock_conn_space(c)) {
		n = vsock_conn_send(c, data, sizeof(data), 0);
		if (n < 0 || vsock_env_turn(e, 5))
			break;
		sent += n;
	}
	return sent;
}

/* What has come of it is read; and then its end, where it was reset, and got less than was sent. */
static int read_all(const struct vsock_pair *p, uint32_t sent, bool *ended)
{
	uint32_t got = 0;
	ssize_t n;

	while ((n = host_recv(p->fd, received, sizeof(received), 0)) > 0)
		got += n;
	*ended = n != -EAGAIN;
	CHECK(*ended == (got < sent), "%u of %u bytes, and then %zd", got, sent, n);
	return 0;
}

/*
 * All connections of a guest together have a bound: the one that would go beyond it is reset. Who
 * reads it is told so.
 */
static int flood_unread(void *ctx)
{
	uint32_t sent[UNREAD];
	struct vsock_pair p[UNREAD];
	struct vsock_env *e = ctx;
	unsigned int i, open = 0;
	bool ended;

	NEED_OURS(e, "there is no such bound");
	CHECK_PASS(vsock_env_restart_sized(e, &e->opts));
	CHECK_PASS(set_guest_buffers(1));
	for (i = 0; i < UNREAD; i++) {
		CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p[i]));
		sent[i] = send_all(e, p[i].c);
		CHECK(sent[i] > 0, "nothing was sent");
		AWAIT(e, !e->g.tx.posted);
		CHECK_PASS(vsock_env_idle(e, 20));
	}
	CHECK_EQ(p[0].c->state, VSOCK_OPEN);
	CHECK_PASS(set_guest_buffers(1024));
	for (i = 0; i < UNREAD; i++) {
		CHECK_PASS(read_all(&p[i], sent[i], &ended));
		open += !ended;
		close(p[i].fd);
	}
	CHECK(open >= 2 && open < UNREAD / 2, "%u of %u connections are left", open, UNREAD);
	AWAIT(e, !vsock_diag_count(e->opts.dev.cid));
	CHECK_PASS(vsock_env_verify(e));
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(flood_refused),
	KTAP_TEST(flood_refused_deaf),
	KTAP_TEST(flood_backlog),
	KTAP_TEST(flood_opened_and_reset),
	KTAP_TEST(flood_bytes),
	KTAP_TEST(flood_messages),
	KTAP_TEST(flood_empty),
	KTAP_TEST(flood_credit_requests),
	KTAP_TEST(flood_credit_requests_deaf),
	KTAP_TEST(flood_lies),
	KTAP_TEST(flood_beside),
	KTAP_TEST(flood_unread),
};

const struct ktap_suite vsock_bad_flood_suite = {
	.name = "guests without measure",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = flood_setup,
	.teardown = flood_teardown,
};
