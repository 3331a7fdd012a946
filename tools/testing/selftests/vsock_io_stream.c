// SPDX-License-Identifier: GPL-2.0-only
/* Bytes in order, in pieces of any size, through buffers of any shape. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vsock_io.h"

#define LONG_BYTES	(512u * KIB)
#define LANES		6u
#define PEEKED		9000u

static int stream_sizes(void *ctx)
{
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	for (i = 0; i < io_nr_sizes; i++)
		CHECK_PASS(io_to_guest(e, &p, io_sizes[i]));
	for (i = 0; i < io_nr_sizes; i++)
		CHECK_PASS(io_to_host(e, &p, io_sizes[i]));
	return vsock_env_end(e, &p);
}

/* Several connections at once, all ends send. */
static int lanes(struct vsock_env *e, unsigned int count, uint32_t max, uint64_t bytes)
{
	struct vsock_pair p[LANES];
	struct vsock_load l;
	unsigned int i;

	CHECK_PASS(vsock_load_init(&l, e, LANES));
	for (i = 0; i < count; i++) {
		if (i % 2)
			CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p[i]));
		else
			CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p[i]));
		CHECK_PASS(vsock_load_add(&l, &p[i], max, bytes, bytes));
	}
	CHECK_PASS(vsock_load_run(&l));
	vsock_load_destroy(&l);
	for (i = 0; i < count; i++)
		CHECK_PASS(vsock_env_end(e, &p[i]));
	return 0;
}

static int stream_both_ways(void *ctx)
{
	return lanes(ctx, 1, 100000, 4 * LONG_BYTES);
}

static int stream_several(void *ctx)
{
	return lanes(ctx, LANES, 70000, LONG_BYTES);
}

/* Pieces that are so short that several may wait in one place. */
static int stream_short_pieces(void *ctx)
{
	return lanes(ctx, 2, 100, 16 * KIB);
}

static int shaped(struct vsock_env *e, enum shape shape, uint32_t min)
{
	e->g.rx.shape = shape;
	e->g.tx.shape = shape;
	e->g.rx.min = min;
	CHECK_OK(vsock_guest_restart(&e->g));
	return lanes(e, 2, 70000, LONG_BYTES);
}

static int stream_split(void *ctx)
{
	return shaped(ctx, SHAPE_SPLIT, 2000);
}

static int stream_torn(void *ctx)
{
	return shaped(ctx, SHAPE_TORN, 2000);
}

static int stream_any_shape(void *ctx)
{
	return shaped(ctx, SHAPE_ANY, VSOCK_HDR_LEN + 1);
}

/* A byte of data in each. */
static int stream_shortest_buffers(void *ctx)
{
	struct vsock_env *e = ctx;

	e->g.rx.min = VSOCK_HDR_LEN + 1;
	e->g.rx.max = VSOCK_HDR_LEN + 1;
	CHECK_OK(vsock_guest_restart(&e->g));
	return lanes(e, 1, 1000, 3000);
}

/* As large as a packet may be. */
static int stream_largest_buffers(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_restart_with(e, 8, VSOCK_HDR_LEN + VSOCK_DATA_MAX));
	CHECK_PASS(lanes(e, 2, 200000, 2 * LONG_BYTES));
	e->g.rx.shape = SHAPE_ANY;
	CHECK_OK(vsock_guest_restart(&e->g));
	return lanes(e, 2, 200000, LONG_BYTES);
}

/* Two of them: the host waits for the guest all the time. */
static int stream_few_buffers(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_restart_with(e, 2, 1500));
	return lanes(e, 3, 20000, 64 * KIB);
}

/* What is looked at stays. */
static int stream_peek(void *ctx)
{
	static uint8_t out[PEEKED], in[PEEKED];
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	pattern_bytes_fill(out, sizeof(out), 0, e->seed);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(vsock_conn_send(p.c, out + i * 3000, 3000, 0), 3000);
		AWAIT(e, host_recv(p.fd, in, sizeof(in), MSG_PEEK) == 3000 * (i + 1));
	}
	CHECK_EQ(host_recv(p.fd, in, 10, MSG_PEEK), 10);
	CHECK_EQ(pattern_bytes_check(in, 10, 0, e->seed), -1);
	CHECK_EQ(host_recv(p.fd, in, 4000, MSG_PEEK), 4000);
	CHECK_EQ(pattern_bytes_check(in, 4000, 0, e->seed), -1);
	CHECK_EQ(host_recv(p.fd, in, 100, 0), 100);
	CHECK_EQ(host_recv(p.fd, in, sizeof(in), MSG_PEEK), PEEKED - 100);
	CHECK_EQ(pattern_bytes_check(in, PEEKED - 100, 100, e->seed), -1);
	CHECK_EQ(host_recv(p.fd, in, sizeof(in), 0), PEEKED - 100);
	CHECK_EQ(pattern_bytes_check(in, PEEKED - 100, 100, e->seed), -1);
	CHECK_EQ(host_recv(p.fd, in, 1, MSG_PEEK), -EAGAIN);
	return vsock_env_end(e, &p);
}

struct waiting {
	int fd;
	uint8_t buf[PEEKED];
};

static int wait_for_all(void *arg)
{
	struct waiting *w = arg;

	return recv(w->fd, w->buf, sizeof(w->buf), MSG_WAITALL);
}

/* All of it, or nothing yet, as the host likes it. */
static int stream_wait_for_all(void *ctx)
{
	static uint8_t out[PEEKED];
	static struct waiting w;
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	unsigned int i;

	CHECK_PASS(vsock_env_accept(e, STREAM, GUEST_ALLOC, &p));
	host_set_timeouts(p.fd, VSOCK_HANG_LIMIT_MS);
	w.fd = p.fd;
	pattern_bytes_fill(out, sizeof(out), 0, e->seed);
	for (i = 0; i < 9; i++)
		CHECK_OK(vsock_conn_put(p.c, out + i * 1000, 1000, 0));
	CHECK_EQ(vsock_env_beside(e, wait_for_all, &w), PEEKED);
	CHECK_EQ(pattern_bytes_check(w.buf, PEEKED, 0, e->seed), -1);
	return vsock_env_end(e, &p);
}

/* Who sends from memory that isn't there is told, and nothing of it has come. */
static int stream_no_memory(void *ctx)
{
	const size_t half = 64 * KIB;
	struct vsock_env *e = ctx;
	struct vsock_pair p;
	uint8_t *data;
	ssize_t n;

	data = mmap(NULL, 2 * half, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(data != MAP_FAILED, "no memory");
	CHECK_EQ(munmap(data + half, half), 0);
	CHECK_PASS(vsock_env_connect(e, STREAM, GUEST_ALLOC, &p));
	n = host_send(p.fd, data + half / 2, half, 0);
	/* Whatever a transport says, not every AF_VSOCK hands it on. */
	CHECK(n == -EFAULT || n == -ENOMEM, "%zd", n);
	CHECK_PASS(io_to_guest(e, &p, half));
	munmap(data, half);
	return vsock_env_end(e, &p);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(stream_sizes),
	KTAP_TEST(stream_both_ways),
	KTAP_TEST(stream_several),
	KTAP_TEST(stream_short_pieces),
	KTAP_TEST(stream_split),
	KTAP_TEST(stream_torn),
	KTAP_TEST(stream_any_shape),
	KTAP_TEST(stream_shortest_buffers),
	KTAP_TEST(stream_largest_buffers),
	KTAP_TEST(stream_few_buffers),
	KTAP_TEST(stream_peek),
	KTAP_TEST(stream_wait_for_all),
	KTAP_TEST(stream_no_memory),
};

const struct ktap_suite vsock_io_stream_suite = {
	.name = "streams",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 120,
	.setup = vsock_env_setup,
	.teardown = vsock_env_close,
};
