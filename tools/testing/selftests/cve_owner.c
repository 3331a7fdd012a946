// SPDX-License-Identifier: GPL-2.0-only
/* What VMMs did. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cve.h"

/* Any family of sockets was taken for a backend: here descriptors of everything but a store. */
static int cve_2020_10942(void *ctx)
{
	struct env *e = ctx;
	int fds[10], pair[2], n = 0, i;

	CHECK_OK(cve_set_backend(e, -1));
	CHECK_OK(pipe(pair));
	fds[n++] = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[n++] = socket(AF_INET, SOCK_DGRAM, 0);
	fds[n++] = socket(AF_NETLINK, SOCK_RAW, 0);
	fds[n++] = pair[0];
	fds[n++] = pair[1];
	fds[n++] = open("/proc/self", O_RDONLY | O_DIRECTORY);
	fds[n++] = open("/dev/null", O_RDWR);
	fds[n++] = eventfd(0, 0);
	fds[n++] = epoll_create1(0);
	fds[n++] = e->b.v.fd;
	for (i = 0; i < n; i++) {
		CHECK(fds[i] >= 0, "no descriptor %d", i);
		CHECK(cve_set_backend(e, fds[i]) < 0, "descriptor %d is a store", i);
		if (fds[i] != e->b.v.fd)
			close(fds[i]);
	}
	CHECK_EQ(cve_set_backend(e, 9999), -EBADF);
	CHECK_OK(cve_set_backend(e, e->b.store_fd));
	return env_verify(e);
}

struct swapper {
	int store;
	int other;
	int fd;
};

static void swap_descriptor(void *arg)
{
	struct swapper *s = arg;

	dup2(s->other, s->fd);
	dup2(s->store, s->fd);
}

/*
 * A descriptor was looked up twice, and named another file the second time. Here somebody
 * exchanges what it names while it becomes the backend: it is one of both files, as a whole.
 */
static int cve_2023_1838(void *ctx)
{
	struct env *e = ctx;
	struct swapper s = { .store = e->b.store_fd };
	unsigned int i, taken = 0;
	struct cve_thread *t;
	int pair[2], err;

	CHECK_OK(pipe(pair));
	s.other = pair[0];
	s.fd = dup(s.store);
	CHECK_OK(cve_set_backend(e, -1));
	t = cve_thread_start(swap_descriptor, &s);
	for (i = 0; i < e->rounds * 20 || (i < 100000 && !(taken && taken < i)); i++) {
		err = cve_set_backend(e, s.fd);
		CHECK(!err || err == -ENOTBLK || err == -EBADF || err == -EINVAL,
		      "the error is %d", err);
		taken += !err;
		if (!err)
			CHECK_OK(cve_set_backend(e, -1));
	}
	cve_thread_stop(t);
	close(s.fd);
	close(pair[0]);
	close(pair[1]);
	ktap_diag("%u of %u were the store", taken, i);
	CHECK(taken && taken < i, "it was one file only");
	CHECK_OK(cve_set_backend(e, e->b.store_fd));
	return env_verify(e);
}

struct setter {
	struct env *e;
	atomic_int taken;
	pthread_barrier_t barrier;
};

static void *set_once(void *arg)
{
	struct setter *s = arg;

	pthread_barrier_wait(&s->barrier);
	if (!cve_set_backend(s->e, s->e->b.store_fd))
		s->taken++;
	return NULL;
}

/* What was set twice was freed twice: here the backend, one after the other and at once. */
static int cve_2025_22083(void *ctx)
{
	struct setter s = { .e = ctx };
	struct env *e = ctx;
	pthread_t threads[4];
	unsigned int i, k;

	CHECK_EQ(cve_set_backend(e, e->b.store_fd), -EBUSY);
	CHECK_PASS(env_verify(e));
	pthread_barrier_init(&s.barrier, NULL, 4);
	for (i = 0; i < e->rounds; i++) {
		CHECK_OK(cve_set_backend(e, -1));
		CHECK_OK(cve_set_backend(e, -1));
		s.taken = 0;
		for (k = 0; k < 4; k++)
			CHECK_EQ(pthread_create(&threads[k], NULL, set_once, &s), 0);
		for (k = 0; k < 4; k++)
			pthread_join(threads[k], NULL);
		CHECK_EQ(s.taken, 1);
	}
	pthread_barrier_destroy(&s.barrier);
	return env_verify(e);
}

/*
 * A feature of the last user was still there for the next one. Here each of them is accepted, the
 * owner changes, and the next one accepts none.
 */
static int cve_2024_43873(void *ctx)
{
	static const uint64_t features[] = {
		BIT(VIRTIO_F_RING_PACKED), BIT(VIRTIO_F_IN_ORDER), BIT(VIRTIO_RING_F_EVENT_IDX),
	};
	struct env *e = ctx, next = *e;
	unsigned int i;

	CHECK_PASS(env_close(e));
	for (i = 0; i < sizeof(features) / sizeof(*features); i++) {
		struct env first = next;
		int fd;

		first.opts.with = features[i];
		first.opts.without = 0;
		CHECK_OK(blk_open(&first.b, &first.opts));
		CHECK(first.b.features & features[i], "0x%llx is not offered",
		      (unsigned long long)features[i]);
		CHECK_OK(blk_start(&first.b));
		CHECK_PASS(env_verify(&first));
		fd = dup(first.b.v.fd);
		CHECK_OK(vhost_ioctl(&first.b.v, VHOST_RESET_OWNER, NULL));
		blk_close(&first.b);

		next.opts.with = 0;
		next.opts.without = ~0ull;
		CHECK_OK(blk_adopt(&next.b, &next.opts, fd));
		CHECK_EQ(next.b.features, 0);
		CHECK_OK(blk_start(&next.b));
		CHECK_PASS(env_verify(&next));
		blk_close(&next.b);
	}
	return env_start(e);
}

/* Reads, and takes the last answer: nothing comes twice, nothing is missing. */
static int read_many(struct env *e, struct blk_req *reqs, unsigned int n, uint8_t *buf)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		blk_req_usual(&reqs[i], VIRTIO_BLK_T_IN, i * 8, buf, CVE_LEN);
		CHECK_OK(blk_queue(&e->b, 0, &reqs[i], RING_INDIRECT));
	}
	ring_flush(&e->b.rings[0]);
	return 0;
}

/*
 * A buffer was completed twice, by the one that was done with it and by the one that stopped the
 * device. Here it is stopped with requests in flight: each comes back, once.
 */
static int cve_2026_74310(void *ctx)
{
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, CVE_LEN, CVE_LEN);
	static struct blk_req reqs[32];
	unsigned int round, i;

	for (i = 0; i < 32; i++)
		blk_req_init(&e->b, &reqs[i]);
	for (round = 0; round < e->rounds * 5; round++) {
		CHECK_PASS(read_many(e, reqs, 32, buf));
		CHECK_OK(cve_set_backend(e, -1));
		i = ring_pending(&e->b.rings[0]);
		CHECK(blk_collect(&e->b, 0) == (int)i, "it gave back what it had not");
		CHECK_OK(cve_set_backend(e, e->b.store_fd));
		CHECK_OK(blk_drain(&e->b, 0));
		for (i = 0; i < 32; i++)
			CHECK(reqs[i].done, "request %u is lost", i);
	}
	return env_verify(e);
}

/*
 * A ring was made larger after room had been made for the heads of the smaller one. Here a running
 * queue keeps its size, and one that was stopped has room for the new one.
 */
static int also_ring_enlarged(void *ctx)
{
	static const unsigned int sizes[] = { 16, 1024, 32, 512, 64 };
	struct env *e = ctx;
	unsigned int i;

	CHECK_EQ(vhost_set_vring_num(&e->b.v, 0, 1024), -EBUSY);
	CHECK_PASS(env_verify(e));
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CHECK_PASS(env_close(e));
		e->opts.num = sizes[i];
		CHECK_PASS(env_start(e));
		CHECK_EQ(e->b.rings[0].num, sizes[i]);
		CHECK_PASS(env_verify(e));
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(cve_2020_10942),
	KTAP_TEST(cve_2023_1838),
	KTAP_TEST(cve_2025_22083),
	KTAP_TEST(cve_2024_43873),
	KTAP_TEST(cve_2026_74310),
	KTAP_TEST(also_ring_enlarged),
};

const struct ktap_suite cve_owner_suite = {
	.name = "VMMs",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = env_start,
	.teardown = env_close,
};
