// SPDX-License-Identifier: GPL-2.0-only
/* Options of sockets: sizes of buffers, marks, what is unsent, and data that isn't copied. */
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <linux/errqueue.h>

#include "vsock_io.h"

#define LOW		5000
#define UNSENT		50000u
#define BIG		((uint64_t)1 << 40)
#define ZERO_COPY_ROOM	(512u * KIB)

#ifndef SO_EE_CODE_ZEROCOPY_COPIED
#define SO_EE_CODE_ZEROCOPY_COPIED	1
#endif

/* Sizes are told to the guest, and stay within the limits that the socket has. */
static int option_sizes(void *ctx)
{
	static const struct {
		int option;
		uint64_t value, size;
	} steps[] = {
		{ SO_VM_SOCKETS_BUFFER_SIZE, 100000, 100000 },
		{ SO_VM_SOCKETS_BUFFER_SIZE, 1000000, 262144 },
		{ SO_VM_SOCKETS_BUFFER_MAX_SIZE, 150000, 150000 },
		{ SO_VM_SOCKETS_BUFFER_MAX_SIZE, 2000000, 150000 },
		{ SO_VM_SOCKETS_BUFFER_SIZE, 1000000, 1000000 },
		{ SO_VM_SOCKETS_BUFFER_SIZE, 1, 128 },
		{ SO_VM_SOCKETS_BUFFER_MIN_SIZE, 5000, 5000 },
		{ SO_VM_SOCKETS_BUFFER_SIZE, 4096, 5000 },
		{ SO_VM_SOCKETS_BUFFER_SIZE, 70000, 70000 },
	};
	struct vsock_env *e = ctx;
	/* A window of pvio's is at most half of what a counter's half can tell. */
	uint64_t most = e->peer ? UINT32_MAX : BIT(30), now;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		CHECK_OK(host_set_buffer(p.fd, steps[i].option, steps[i].value));
		CHECK_OK(host_get_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, &now));
		CHECK_EQ(now, steps[i].size);
		AWAIT(e, p.c->peer_alloc == steps[i].size);
	}
	CHECK_PASS(vsock_load_pair(e, &p, 50000, 300000, 300000));
	/* More than a packet can tell of. */
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE, BIG));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, BIG));
	CHECK_OK(host_get_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, &now));
	CHECK_EQ(now, most);
	AWAIT(e, p.c->peer_alloc == most);
	CHECK_PASS(vsock_load_pair(e, &p, 50000, 300000, 300000));
	return vsock_env_end(e, &p);
}

/* A listener's sizes are those of its connections. */
static int option_inherited(void *ctx)
{
	struct vsock_env *e = ctx;
	int fd = host_listen(STREAM, HOST_PORT, 1), one;
	struct vsock_conn *c;
	uint64_t now;

	CHECK_OK(fd);
	CHECK_OK(host_set_buffer(fd, SO_VM_SOCKETS_BUFFER_SIZE, 12345));
	c = vsock_connect(&e->g, STREAM, HOST_PORT, GUEST_ALLOC);
	AWAIT(e, (one = host_accept(fd)) != -EAGAIN);
	CHECK_OK(one);
	CHECK_OK(host_get_buffer(one, SO_VM_SOCKETS_BUFFER_SIZE, &now));
	CHECK_EQ(now, 12345);
	AWAIT(e, c->peer_alloc == 12345);
	close(one);
	close(fd);
	AWAIT(e, c->state >= VSOCK_RESET);
	return 0;
}

static int set_low_mark(int fd, int bytes)
{
	return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) ? -errno : 0;
}

/* Nothing is to be read before there is so much. */
static int option_low_mark(void *ctx)
{
	static uint8_t buf[2 * LOW];
	struct vsock_env *e = ctx;
	struct vsock_pair p;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	CHECK_OK(set_low_mark(p.fd, LOW));
	CHECK_EQ(vsock_conn_send(p.c, buf, LOW - 1, 0), LOW - 1);
	AWAIT(e, host_recv(p.fd, buf, sizeof(buf), MSG_PEEK) == LOW - 1);
	CHECK(!host_poll(p.fd, POLLIN), "a byte is missing");
	CHECK_EQ(vsock_conn_send(p.c, buf, 1, 0), 1);
	AWAIT(e, host_poll(p.fd, POLLIN));
	CHECK_EQ(host_recv(p.fd, buf, sizeof(buf), 0), LOW);
	CHECK(!host_poll(p.fd, POLLIN), "there is nothing");
	CHECK_EQ(set_low_mark(p.fd, 1 << 20), -EINVAL);
	return vsock_env_end(e, &p);
}

/* Who waits for nearly all there is room for must not keep from the guest how much that is. */
static int option_low_mark_credit(void *ctx)
{
	static uint8_t buf[3 * LOW];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;
	uint32_t n;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, 2 * LOW));
	AWAIT(e, p.c->peer_alloc == 2 * LOW);
	CHECK_OK(set_low_mark(p.fd, 2 * LOW - 10));
	for (i = 0; i < e->rounds; i++) {
		while (!host_poll(p.fd, POLLIN)) {
			CHECK_OK((int)vsock_conn_send(p.c, buf, sizeof(buf), 0));
			AWAIT(e, host_poll(p.fd, POLLIN) || vsock_conn_space(p.c));
		}
		n = prng_range(&(struct prng){ i }, 1, sizeof(buf));
		CHECK(host_recv(p.fd, buf, n, 0) > 0, "there is something");
	}
	return vsock_env_end(e, &p);
}

static int option_unsent(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t sent;
	int bytes, err;

	CHECK_PASS(vsock_env_restart_with(e, 2, 2048));
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	err = host_unsent(p.fd, &bytes);
	if (err == -EOPNOTSUPP)
		SKIP("this kernel doesn't tell what is unsent");
	CHECK_OK(err);
	CHECK_EQ(bytes, 0);
	e->g.deaf = true;
	CHECK_PASS(io_fill(&p, UNSENT, &sent));
	CHECK_EQ(sent, UNSENT);
	CHECK_OK(host_unsent(p.fd, &bytes));
	CHECK(bytes >= (int)UNSENT - 4096 && bytes <= (int)UNSENT, "%d bytes are unsent", bytes);
	e->g.deaf = false;
	AWAIT(e, !host_unsent(p.fd, &bytes) && !bytes);
	AWAIT(e, p.c->received == UNSENT);
	return vsock_env_end(e, &p);
}

/*
 * The kernel tells which sends it has done with: @from to @to, and whether these were copied.
 * Returns false where it doesn't.
 */
static bool read_done(int fd, uint32_t *from, uint32_t *to, bool *copied)
{
	char control[128];
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	const struct sock_extended_err *err;
	const struct cmsghdr *c;

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	c = CMSG_FIRSTHDR(&m);
	if (!c)
		return false;
	err = (const struct sock_extended_err *)CMSG_DATA(c);
	if (err->ee_origin != SO_EE_ORIGIN_ZEROCOPY)
		return false;
	*from = err->ee_info;
	*to = err->ee_data;
	*copied = err->ee_code == SO_EE_CODE_ZEROCOPY_COPIED;
	return true;
}

/* Each send is told to have ended, once and in order; then its memory may be used again. */
static int await_done(struct vsock_env *e, int fd, uint32_t sends)
{
	uint32_t next = 0, from, to;
	bool copied;

	while (next < sends) {
		AWAIT(e, read_done(fd, &from, &to, &copied));
		CHECK(!copied, "sends %u to %u were copied", from, to);
		CHECK_EQ(from, next);
		CHECK(to >= from && to < sends, "%u sends, not %u", sends, to + 1);
		next = to + 1;
	}
	return 0;
}

static int send_without_copy(struct vsock_env *e, struct vsock_pair *p, uint8_t *room)
{
	static const struct {
		uint32_t at, len;
	} parts[] = {
		{ 0, 4096 }, { 4096, 65536 }, { 100, 1 }, { 123, 10000 }, { 0, 200 * KIB },
		{ 4095, 65537 }, { 0, 4096 },
	};
	const unsigned int count = sizeof(parts) / sizeof(*parts);
	static uint8_t in[ZERO_COPY_ROOM];
	uint64_t got = 0;
	unsigned int i;
	int64_t n;

	pattern_bytes_fill(room, ZERO_COPY_ROOM, 0, e->seed);
	for (i = 0; i < count; i++) {
		CHECK_EQ(send(p->fd, room + parts[i].at, parts[i].len, MSG_ZEROCOPY | MSG_NOSIGNAL),
			 parts[i].len);
		for (got = 0; got < parts[i].len; got += n) {
			AWAIT(e, (n = vsock_conn_recv(p->c, in, sizeof(in), NULL)) != -EAGAIN);
			CHECK_EQ(pattern_bytes_check(in, n, parts[i].at + got, e->seed), -1);
		}
		CHECK_EQ(got, parts[i].len);
		vsock_conn_tell(p->c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
		CHECK_PASS(vsock_env_turn(e, 5));
	}
	return await_done(e, p->fd, count);
}

static int option_zero_copy(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint8_t *room;
	int one = 1, res;

	CHECK_PASS(vsock_env_connect(e, STREAM, ZERO_COPY_ROOM, &p));
	if (setsockopt(p.fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		SKIP("this kernel's sockets copy what they send");
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_MAX_SIZE, ZERO_COPY_ROOM));
	CHECK_OK(host_set_buffer(p.fd, SO_VM_SOCKETS_BUFFER_SIZE, ZERO_COPY_ROOM));
	host_set_timeouts(p.fd, VSOCK_HANG_LIMIT_MS);
	room = mmap(NULL, ZERO_COPY_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	CHECK(room != MAP_FAILED, "out of memory");
	res = send_without_copy(e, &p, room);
	munmap(room, ZERO_COPY_ROOM);
	CHECK_PASS(res);
	return vsock_env_end(e, &p);
}

/* Closed while the guest has not taken it: the memory comes back. */
static int option_zero_copy_given_up(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint32_t from, to;
	uint8_t *room;
	bool copied;
	int one = 1;

	CHECK_PASS(vsock_env_restart_with(e, 2, 2048));
	CHECK_PASS(vsock_env_connect(e, STREAM, ZERO_COPY_ROOM, &p));
	if (setsockopt(p.fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		SKIP("this kernel's sockets copy what they send");
	e->g.deaf = true;
	room = mmap(NULL, ZERO_COPY_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	CHECK(room != MAP_FAILED, "out of memory");
	CHECK_EQ(host_send(p.fd, room, 128 * KIB, MSG_ZEROCOPY), 128 * KIB);
	munmap(room, ZERO_COPY_ROOM);
	vsock_guest_close(&e->g);
	/* It goes with the device, not with the socket. */
	AWAIT_HOST(read_done(p.fd, &from, &to, &copied));
	close(p.fd);
	CHECK_PASS(vsock_env_start(e));
	return vsock_env_verify(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(option_sizes),
	KTAP_TEST(option_inherited),
	KTAP_TEST(option_low_mark),
	KTAP_TEST(option_low_mark_credit),
	KTAP_TEST(option_unsent),
	KTAP_TEST(option_zero_copy),
	KTAP_TEST(option_zero_copy_given_up),
};

const struct ktap_suite vsock_io_option_suite = {
	.name = "options",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
