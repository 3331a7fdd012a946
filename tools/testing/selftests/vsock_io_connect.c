// SPDX-License-Identifier: GPL-2.0-only
/* Connections are made, refused, given up, and made again. */
#include <unistd.h>

#include "vsock_io.h"

/* After which the host gives up, where nobody answers. */
#define SOON_MS		300
#define BACKLOG		2
#define CALLS		8u

static const uint16_t types[] = { STREAM, SEQPACKET };

static unsigned int nr_types(const struct vsock_env *e)
{
	return e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET) ? 2 : 1;
}

static int check_names(struct vsock_env *e, const struct vsock_pair *p)
{
	struct sockaddr_vm a;
	socklen_t len = sizeof(a);

	CHECK_EQ(getpeername(p->fd, (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(a.svm_cid, e->opts.dev.cid);
	CHECK_EQ(a.svm_port, p->c->port);
	CHECK_EQ(getsockname(p->fd, (struct sockaddr *)&a, &len), 0);
	CHECK_EQ(a.svm_port, p->c->host_port);
	return 0;
}

static int connect_to_guest(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;
	uint64_t bytes;

	for (i = 0; i < nr_types(e); i++) {
		CHECK_PASS(vsock_env_connect(e, types[i], GUEST_ALLOC, &p));
		CHECK_PASS(check_names(e, &p));
		CHECK_OK(host_get_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, &bytes));
		CHECK_EQ(p.c->peer_alloc, bytes);
		CHECK_PASS(vsock_env_end(e, &p));
	}
	return 0;
}

static int connect_from_guest(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	for (i = 0; i < nr_types(e); i++) {
		CHECK_PASS(vsock_env_accept(e, types[i], GUEST_ALLOC, &p));
		CHECK_PASS(check_names(e, &p));
		CHECK_PASS(vsock_env_end(e, &p));
	}
	return 0;
}

/* The guest is the one who ends it. */
static int connect_reset(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;
	char byte;

	for (i = 0; i < nr_types(e); i++) {
		CHECK_PASS(vsock_env_accept(e, types[i], GUEST_ALLOC, &p));
		vsock_conn_reset(p.c);
		AWAIT(e, host_recv(p.fd, &byte, 1, 0) != -EAGAIN);
		CHECK(host_send(p.fd, "x", 1, 0) < 0, "nobody is there");
		CHECK_PASS(vsock_env_end(e, &p));
	}
	return 0;
}

/* Whether the host's connection fails, and how. */
static int refused(struct vsock_env *e, uint16_t type, int want)
{
	int fd = host_connect(type, e->opts.dev.cid, GUEST_PORT), res = fd;

	if (fd >= 0)
		AWAIT(e, (res = host_connected(fd)));
	CHECK_EQ(res, want);
	if (fd >= 0)
		close(fd);
	return 0;
}

static int connect_refused(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_conn *c;
	unsigned int i;

	for (i = 0; i < nr_types(e); i++) {
		CHECK_PASS(refused(e, types[i], -ECONNRESET));
		c = vsock_connect(&e->g, types[i], HOST_PORT, GUEST_ALLOC);
		AWAIT(e, c->state != VSOCK_ASKED);
		CHECK_EQ(c->state, VSOCK_RESET);
		vsock_conn_free(c);
	}
	return vsock_env_verify(e);
}

/* Somebody listens, for connections of the other type. */
static int connect_other_type(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_listener *l;
	struct vsock_conn *c;
	unsigned int i;
	int fd;

	NEED_MESSAGES(e);
	for (i = 0; i < 2; i++) {
		l = vsock_guest_listen(&e->g, types[i], GUEST_PORT, GUEST_ALLOC);
		CHECK_PASS(refused(e, types[!i], -ECONNRESET));
		l->used = false;
		fd = host_listen(types[i], HOST_PORT, BACKLOG);
		CHECK_OK(fd);
		c = vsock_connect(&e->g, types[!i], HOST_PORT, GUEST_ALLOC);
		AWAIT(e, c->state != VSOCK_ASKED);
		CHECK_EQ(c->state, VSOCK_RESET);
		vsock_conn_free(c);
		close(fd);
	}
	return 0;
}

/* No answer comes in time, and one that comes late is refused. */
static int connect_timeout(void *ctx)
{
	struct vsock_env *e = ctx;
	struct virtio_vsock_hdr h = { };
	int fd = host_socket(STREAM), res;
	uint64_t since;

	CHECK_OK(fd);
	e->g.silent = true;
	CHECK_OK(host_set_connect_timeout(fd, SOON_MS));
	host_set_nonblock(fd, true);
	since = e->g.seen_end;
	CHECK_EQ(host_connect_socket(fd, e->opts.dev.cid, GUEST_PORT), -EINPROGRESS);
	AWAIT(e, (res = host_connected(fd)));
	CHECK_EQ(res, -ETIMEDOUT);
	AWAIT(e, vsock_guest_saw(&e->g, since, VIRTIO_VSOCK_OP_REQUEST, GUEST_PORT, 0));
	h = e->g.seen[(e->g.seen_end - 1) % VSOCK_SEEN];
	h = vsock_guest_hdr(&e->g, STREAM, VIRTIO_VSOCK_OP_RESPONSE, GUEST_PORT,
			    le32toh(h.src_port));
	h.buf_alloc = htole32(GUEST_ALLOC);
	vsock_guest_send(&e->g, &h);
	AWAIT(e, vsock_guest_saw(&e->g, since, VIRTIO_VSOCK_OP_RST, GUEST_PORT, 0));
	close(fd);
	e->g.silent = false;
	return vsock_env_verify(e);
}

struct call {
	int fd;
	uint32_t cid;
};

static int call(void *arg)
{
	struct call *c = arg;

	return host_connect_socket(c->fd, c->cid, GUEST_PORT);
}

/* A socket whose connection was refused can be connected. */
static int connect_again(void *ctx)
{
	struct vsock_env *e = ctx;
	struct call c = { host_socket(STREAM), e->opts.dev.cid };
	struct vsock_listener *l;
	struct vsock_pair p;

	CHECK_OK(c.fd);
	CHECK_OK(host_set_connect_timeout(c.fd, VSOCK_HANG_LIMIT_MS));
	CHECK_EQ(vsock_env_beside(e, call, &c), -ECONNRESET);
	l = vsock_guest_listen(&e->g, STREAM, GUEST_PORT, GUEST_ALLOC);
	CHECK_EQ(vsock_env_beside(e, call, &c), 0);
	p.fd = c.fd;
	p.c = vsock_accept(l);
	CHECK(p.c, "the guest knows of no connection");
	CHECK_PASS(vsock_load_pair(e, &p, 10000, 50000, 50000));
	return vsock_env_end(e, &p);
}

/* Of messages too it is said why there is nobody, and not that nobody knows them. */
static int no_messages_to(struct vsock_env *e, uint64_t cid, int err)
{
	if (!e->peer && e->g.s.features & BIT(VIRTIO_VSOCK_F_SEQPACKET))
		CHECK_EQ(host_connect(SEQPACKET, cid, GUEST_PORT), err);
	return 0;
}

/* A guest that isn't there, and one that doesn't run yet, or no longer. */
static int connect_nobody(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_connect(STREAM, e->opts.dev.cid + 1, GUEST_PORT), res;

	CHECK_EQ(fd, -ENODEV);
	CHECK_PASS(no_messages_to(e, e->opts.dev.cid + 1, -ENODEV));
	CHECK_OK(vsock_stop(&e->g.s));
	CHECK_PASS(no_messages_to(e, e->opts.dev.cid, -EHOSTUNREACH));
	fd = host_socket(STREAM);
	CHECK_OK(fd);
	CHECK_OK(host_set_connect_timeout(fd, SOON_MS));
	host_set_nonblock(fd, true);
	res = host_connect_socket(fd, e->opts.dev.cid, GUEST_PORT);
	if (res == -EINPROGRESS)
		AWAIT(e, (res = host_connected(fd)));
	CHECK(res == -EHOSTUNREACH || (e->peer && res == -ETIMEDOUT), "%s", strerror(-res));
	close(fd);
	return vsock_env_verify_reset(e);
}

static int connect_no_messages(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_conn *c;
	int fd;

	NEED_MESSAGES(e);
	CHECK_PASS(vsock_env_restart_as(e, 0, BIT(VIRTIO_VSOCK_F_SEQPACKET)));
	CHECK_PASS(refused(e, SEQPACKET, -ESOCKTNOSUPPORT));
	fd = host_listen(SEQPACKET, HOST_PORT, BACKLOG);
	CHECK_OK(fd);
	c = vsock_connect(&e->g, SEQPACKET, HOST_PORT, GUEST_ALLOC);
	AWAIT(e, c->state != VSOCK_ASKED);
	CHECK_EQ(c->state, VSOCK_RESET);
	close(fd);
	return vsock_env_verify(e);
}

/* The feature that says that streams are no longer a matter of course. */
static int connect_no_streams(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_conn *c;
	struct vsock_pair p;
	int fd, res;

	if (!(e->g.s.offered & BIT(VIRTIO_VSOCK_F_NO_IMPLIED_STREAM)))
		SKIP("streams can't be left out");
	CHECK_PASS(vsock_env_restart_as(e, 0, BIT(VIRTIO_VSOCK_F_STREAM)));
	fd = host_connect(STREAM, e->opts.dev.cid, GUEST_PORT);
	res = fd;
	if (fd >= 0)
		AWAIT(e, (res = host_connected(fd)));
	CHECK(res < 0, "the host has a stream");
	fd = host_listen(STREAM, HOST_PORT, BACKLOG);
	CHECK_OK(fd);
	c = vsock_connect(&e->g, STREAM, HOST_PORT, GUEST_ALLOC);
	AWAIT(e, c->state != VSOCK_ASKED);
	CHECK_EQ(c->state, VSOCK_RESET);
	close(fd);
	CHECK_PASS(vsock_env_connect(e, SEQPACKET, GUEST_ALLOC, &p));
	CHECK_PASS(vsock_load_pair(e, &p, 5000, 10, 10));
	return vsock_env_end(e, &p);
}

static int count_state(struct vsock_conn *const *c, enum vsock_state state)
{
	unsigned int i;
	int n = 0;

	for (i = 0; i < CALLS; i++)
		n += c[i]->state == state;
	return n;
}

/* As many as were asked for wait to be accepted; the others are told. */
static int connect_backlog(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_listen(STREAM, HOST_PORT, BACKLOG), fds[CALLS];
	struct vsock_conn *c[CALLS];
	unsigned int i, open;

	CHECK_OK(fd);
	for (i = 0; i < CALLS; i++)
		c[i] = vsock_connect(&e->g, STREAM, HOST_PORT, GUEST_ALLOC);
	AWAIT(e, !count_state(c, VSOCK_ASKED));
	open = count_state(c, VSOCK_OPEN);
	CHECK(open >= BACKLOG && open <= BACKLOG + 1, "%u connections", open);
	CHECK_EQ(open + count_state(c, VSOCK_RESET), CALLS);
	for (i = 0; i < open; i++)
		CHECK_OK((fds[i] = host_accept(fd)));
	CHECK_EQ(host_accept(fd), -EAGAIN);
	/* There is room again. */
	vsock_connect(&e->g, STREAM, HOST_PORT, GUEST_ALLOC);
	AWAIT(e, (fds[open] = host_accept(fd)) != -EAGAIN);
	CHECK_OK(fds[open]);
	for (i = 0; i <= open; i++)
		close(fds[i]);
	close(fd);
	AWAIT(e, !count_state(c, VSOCK_OPEN));
	return 0;
}

/* Those that nobody has accepted end with their listener. */
static int connect_unaccepted(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_listen(STREAM, HOST_PORT, CALLS);
	struct vsock_conn *c[CALLS];
	unsigned int i;

	CHECK_OK(fd);
	for (i = 0; i < CALLS; i++)
		c[i] = vsock_connect(&e->g, STREAM, HOST_PORT, GUEST_ALLOC);
	AWAIT(e, count_state(c, VSOCK_OPEN) == CALLS);
	for (i = 0; i < CALLS; i += 2)
		CHECK_EQ(vsock_conn_send(c[i], "wasted", 6, 0), 6);
	CHECK_PASS(vsock_env_turn(e, 5));
	close(fd);
	AWAIT(e, !count_state(c, VSOCK_OPEN));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(connect_to_guest),
	KTAP_TEST(connect_from_guest),
	KTAP_TEST(connect_reset),
	KTAP_TEST(connect_refused),
	KTAP_TEST(connect_other_type),
	KTAP_TEST(connect_timeout),
	KTAP_TEST(connect_again),
	KTAP_TEST(connect_nobody),
	KTAP_TEST(connect_no_messages),
	KTAP_TEST(connect_no_streams),
	KTAP_TEST(connect_backlog),
	KTAP_TEST(connect_unaccepted),
};

const struct ktap_suite vsock_io_connect_suite = {
	.name = "connections",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
