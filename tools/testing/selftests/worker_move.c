// SPDX-License-Identifier: GPL-2.0-only
/*
 * Workers that change while their queues run: what a driver was not told of, or was told twice,
 * ends its test. Nobody kicks a second time, so that a lost kick is a request that never ends.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define QUEUES	4u
#define DEPTH	16u
#define LEN	4096u
#define WORKERS	3u
#define STACK	(64u * 1024)

struct load {
	struct env *e;
	unsigned int q;
	struct prng prng;
	struct blk_req reqs[DEPTH];
	uint8_t *bufs[DEPTH];
	atomic_bool *stop;
	atomic_ulong done;
	int res;
	pthread_t thread;
};

static uint64_t sector_of(const struct load *l, unsigned int i)
{
	return (l->q * DEPTH + i) * (LEN / 512);
}

/* Requests of one kind, all of them told to the device by one kick, or each by one. */
static int load_round(struct load *l, uint32_t type, unsigned int n, uint64_t generation)
{
	struct blk *b = &l->e->b;
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (type == VIRTIO_BLK_T_OUT)
			pattern_fill(l->bufs[i], LEN, sector_of(l, i), generation);
		else
			memset(l->bufs[i], 0, LEN);
		blk_req_usual(&l->reqs[i], type, sector_of(l, i), l->bufs[i], LEN);
		CHECK_OK(blk_queue(b, l->q, &l->reqs[i], RING_INDIRECT));
		if (i % 4 == 3)
			ring_flush(&b->rings[l->q]);
	}
	ring_flush(&b->rings[l->q]);
	CHECK_OK(blk_drain(b, l->q));
	for (i = 0; i < n; i++) {
		CHECK(l->reqs[i].done, "request %u is lost", i);
		CHECK_EQ(*l->reqs[i].status, VIRTIO_BLK_S_OK);
		if (type == VIRTIO_BLK_T_IN)
			CHECK(pattern_check(l->bufs[i], LEN, sector_of(l, i), generation) < 0,
			      "queue %u reads other data", l->q);
	}
	l->done += n;
	return 0;
}

static void *load_main(void *arg)
{
	struct load *l = arg;
	uint64_t generation;

	for (generation = 1; !*l->stop && !l->res; generation++) {
		unsigned int n = prng_range(&l->prng, 0, 1) ? 1 : DEPTH;

		l->res = load_round(l, VIRTIO_BLK_T_OUT, n, generation);
		if (!l->res)
			l->res = load_round(l, VIRTIO_BLK_T_IN, n, generation);
	}
	return NULL;
}

static int loads_start(struct env *e, struct load *loads, atomic_bool *stop)
{
	unsigned int q, i;

	for (q = 0; q < QUEUES; q++) {
		struct load *l = &loads[q];

		l->e = e;
		l->q = q;
		l->stop = stop;
		l->prng.state = e->seed * 100 + q;
		for (i = 0; i < DEPTH; i++) {
			blk_req_init(&e->b, &l->reqs[i]);
			l->bufs[i] = gmem_alloc(&e->b.mem, LEN, LEN);
		}
		CHECK_EQ(pthread_create(&l->thread, NULL, load_main, l), 0);
	}
	return 0;
}

static int loads_stop(struct load *loads, atomic_bool *stop, unsigned int moves)
{
	unsigned long done = 0;
	unsigned int q;
	int res = 0;

	*stop = true;
	for (q = 0; q < QUEUES; q++) {
		pthread_join(loads[q].thread, NULL);
		done += loads[q].done;
		res = loads[q].res ? loads[q].res : res;
	}
	ktap_diag("%u changes, %lu requests", moves, done);
	return res;
}

/* A change, and from time to time another worker in the place of one that nobody has. */
static int move_one(struct env *e, struct prng *prng, unsigned int *ids)
{
	unsigned int i = prng_range(prng, 0, WORKERS - 1), q = prng_range(prng, 0, QUEUES - 1);
	unsigned int now;
	int err;

	CHECK_OK(vhost_attach_worker(&e->b.v, q, ids[i]));
	CHECK_OK(vhost_get_worker(&e->b.v, q, &now));
	CHECK_EQ(now, ids[i]);
	i = prng_range(prng, 0, WORKERS - 1);
	err = vhost_free_worker(&e->b.v, ids[i]);
	if (err != -EBUSY) {
		CHECK_OK(err);
		CHECK_OK(vhost_new_worker(&e->b.v, &ids[i]));
	}
	return 0;
}

static unsigned long loads_done(const struct load *loads)
{
	unsigned long done = 0;
	unsigned int q;

	for (q = 0; q < QUEUES; q++)
		done += loads[q].done;
	return done;
}

/* Each change comes when there was I/O since the one before: all are under load. */
static int move_under_load(struct env *e)
{
	static struct load loads[QUEUES];
	unsigned int ids[WORKERS], i, rounds = e->rounds * 10;
	struct prng prng = { e->seed };
	atomic_bool stop = false;
	int res = 0;

	memset(loads, 0, sizeof(loads));
	for (i = 0; i < WORKERS; i++)
		CHECK_OK(vhost_new_worker(&e->b.v, &ids[i]));
	CHECK_PASS(loads_start(e, loads, &stop));
	for (i = 0; i < rounds && !res; i++) {
		unsigned long before = loads_done(loads);
		unsigned int ms;

		res = move_one(e, &prng, ids);
		for (ms = 0; loads_done(loads) == before && ms < BLK_HANG_LIMIT_MS; ms++)
			usleep(1000);
	}
	CHECK_PASS(loads_stop(loads, &stop, i));
	CHECK_PASS(res);
	return env_verify(e);
}

static int move_running(void *ctx)
{
	return move_under_load(ctx);
}

/* Every other queue is looked at while it is empty. */
static int move_polling(void *ctx)
{
	struct env *e = ctx;
	unsigned int q;

	for (q = 0; q < QUEUES; q += 2)
		CHECK_OK(vhost_set_busyloop(&e->b.v, q, 1000));
	return move_under_load(e);
}

/* One worker for all, and back again. */
static int move_together(void *ctx)
{
	static struct load loads[QUEUES];
	unsigned int own[QUEUES], id, q, i;
	atomic_bool stop = false;
	struct env *e = ctx;

	memset(loads, 0, sizeof(loads));
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	for (q = 0; q < QUEUES; q++)
		CHECK_OK(vhost_get_worker(&e->b.v, q, &own[q]));
	CHECK_PASS(loads_start(e, loads, &stop));
	for (i = 0; i < e->rounds; i++) {
		for (q = 0; q < QUEUES; q++)
			CHECK_OK(vhost_attach_worker(&e->b.v, q, id));
		for (q = 0; q < QUEUES; q++)
			CHECK_OK(vhost_attach_worker(&e->b.v, q, own[(q + i) % QUEUES]));
	}
	CHECK_PASS(loads_stop(loads, &stop, 2 * QUEUES * i));
	CHECK_OK(vhost_free_worker(&e->b.v, id));
	return env_verify(e);
}

struct kicker {
	struct env *e;
	atomic_bool *stop;
	pthread_t thread;
};

static void kick_all(struct env *e)
{
	unsigned int q;

	for (q = 0; q < QUEUES; q++)
		ring_kick(&e->b.rings[q]);
}

static void *kick_for_ever(void *arg)
{
	struct kicker *k = arg;

	while (!*k->stop)
		kick_all(k->e);
	return NULL;
}

/* A worker that is freed is not woken by the kicks of the queue that it had. */
static int move_kicked(void *ctx)
{
	atomic_bool stop = false;
	struct env *e = ctx;
	struct kicker k = { .e = e, .stop = &stop };
	unsigned int i, id, before;
	int res = 0;

	CHECK_OK(vhost_get_worker(&e->b.v, 0, &before));
	CHECK_EQ(pthread_create(&k.thread, NULL, kick_for_ever, &k), 0);
	for (i = 0; i < e->rounds * 4 && !res; i++) {
		res = vhost_new_worker(&e->b.v, &id);
		if (!res)
			res = vhost_attach_worker(&e->b.v, 0, id);
		if (!res)
			res = vhost_free_worker(&e->b.v, before);
		before = id;
	}
	stop = true;
	pthread_join(k.thread, NULL);
	CHECK_OK(res);
	return env_verify(e);
}

struct sibling {
	struct env *e;
	unsigned int id;
	bool attach;
	int res;
};

/* A process of its own, in the same memory: the device takes it for its owner. */
static int sibling_main(void *arg)
{
	struct sibling *s = arg;

	s->res = vhost_new_worker(&s->e->b.v, &s->id);
	if (!s->res && s->attach)
		s->res = vhost_attach_worker(&s->e->b.v, 0, s->id);
	_exit(0);
}

static int sibling_run(struct sibling *s)
{
	uint8_t *stack = aligned_alloc(16, STACK);
	pid_t pid;

	CHECK(stack, "out of memory");
	pid = clone(sibling_main, stack + STACK, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD,
		    s);
	CHECK(pid > 0, "no process");
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	free(stack);
	CHECK_OK(s->res);
	return 0;
}

static bool workers_are_threads(struct env *e)
{
	unsigned int id, before = proc_threads(), after;

	if (vhost_new_worker(&e->b.v, &id))
		return false;
	after = proc_threads();
	vhost_free_worker(&e->b.v, id);
	return after > before;
}

/* Its thread ended with whoever made it; it can't be had for a queue, but be freed. */
static int move_to_dead(void *ctx)
{
	struct env *e = ctx;
	struct sibling s = { .e = e };
	bool dies = workers_are_threads(e);
	unsigned int q, id;

	CHECK_PASS(sibling_run(&s));
	for (q = 0; q < QUEUES; q++)
		CHECK_EQ(vhost_attach_worker(&e->b.v, q, s.id), dies ? -EOWNERDEAD : 0);
	CHECK_PASS(env_verify(e));
	if (dies)
		CHECK_OK(vhost_free_worker(&e->b.v, s.id));
	CHECK_OK(blk_reset(&e->b));
	CHECK_PASS(sibling_run(&s));
	CHECK_EQ(vhost_attach_worker(&e->b.v, 0, s.id), dies ? -EOWNERDEAD : 0);
	CHECK_EQ(vhost_get_worker(&e->b.v, 0, &id), dies ? -EINVAL : 0);
	return env_verify_reset(e);
}

/* A queue whose worker died is broken; one that lives can take it over, and a reset heals. */
static int move_from_dead(void *ctx)
{
	struct env *e = ctx;
	struct sibling s = { .e = e, .attach = true };
	unsigned int id;

	if (!workers_are_threads(e))
		SKIP("workers are threads of the kernel");
	CHECK_PASS(sibling_run(&s));
	CHECK(blk_wait_needs_reset(&e->b), "the error event stays silent");
	CHECK_PASS(env_verify_queue(e, 1, 0));
	CHECK_OK(vhost_get_worker(&e->b.v, 0, &id));
	CHECK_EQ(id, s.id);
	CHECK_OK(vhost_get_worker(&e->b.v, 1, &id));
	CHECK_OK(vhost_attach_worker(&e->b.v, 0, id));
	CHECK_OK(vhost_free_worker(&e->b.v, s.id));
	ring_kick(&e->b.rings[0]);
	CHECK_PASS(env_verify_queue(e, 1, 0));
	return env_verify_reset(e);
}

/* What is stopped before a queue's worker died is not started with it again. */
static int start_with_dead(void *ctx)
{
	struct env *e = ctx;
	struct sibling s = { .e = e, .attach = true };
	unsigned int id;

	if (!workers_are_threads(e))
		SKIP("workers are threads of the kernel");
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_BLK_SET_BACKEND,
			     &(struct vhost_vring_file){ .fd = -1 }));
	/* It attaches while it lives. */
	CHECK_PASS(sibling_run(&s));
	CHECK_EQ(e->b.transport->go(&e->b), -EOWNERDEAD);
	CHECK_EQ(vhost_free_worker(&e->b.v, s.id), -EBUSY);
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_OK(vhost_attach_worker(&e->b.v, 0, id));
	CHECK_OK(vhost_free_worker(&e->b.v, s.id));
	CHECK_OK(e->b.transport->go(&e->b));
	return env_verify(e);
}

/* Has the device when its owner is dead, and kicks. */
static int heir_main(struct env *e, void *arg)
{
	atomic_uint *rounds = arg;

	proc_outlive_parent();
	while (++*rounds)
		kick_all(e);
	return 0;
}

static int owner_main(struct env *e, void *arg)
{
	static struct load loads[QUEUES];
	struct vmm_report *r = arg;
	struct prng prng = { e->seed };
	unsigned int ids[WORKERS], i;
	atomic_bool stop = false;

	memset(loads, 0, sizeof(loads));
	CHECK_PASS(env_start(e));
	for (i = 0; i < WORKERS; i++)
		CHECK_OK(vhost_new_worker(&e->b.v, &ids[i]));
	CHECK_OK(vhost_set_busyloop(&e->b.v, 0, 10000));
	CHECK_OK(vhost_set_busyloop(&e->b.v, 1, 100));
	r->submitted = proc_run(heir_main, e, &r->acked);
	CHECK_PASS(loads_start(e, loads, &stop));
	for (;; r->running++)
		CHECK_PASS(move_one(e, &prng, ids));
}

/* Killed at any moment, it is gone, its workers with it, though another has the device. */
static int owner_killed(void *ctx)
{
	struct vmm_report *r = vmm_report_make();
	struct env *e = ctx;
	unsigned int i, ms, acked;
	pid_t owner;

	CHECK(r, "out of memory");
	for (i = 0; i < e->rounds / 4 + 1; i++) {
		r->running = 0;
		owner = proc_run(owner_main, e, r);
		CHECK(owner > 0, "no process");
		for (ms = 0; r->running < 3 + i && ms < BLK_HANG_LIMIT_MS; ms++)
			usleep(1000);
		CHECK(r->running, "it changes no worker");
		CHECK(proc_kill(owner), "the owner does not die");
		acked = r->acked;
		for (ms = 0; r->acked < acked + 100 && ms < BLK_HANG_LIMIT_MS; ms++)
			usleep(1000);
		kill(r->submitted, SIGKILL);
	}
	vmm_report_free(r);
	CHECK_PASS(env_start(e));
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(move_running),
	KTAP_TEST(move_polling),
	KTAP_TEST(move_together),
	KTAP_TEST(move_kicked),
	KTAP_TEST(move_to_dead),
	KTAP_TEST(move_from_dead),
	KTAP_TEST(start_with_dead),
};

const struct ktap_suite worker_move_suite = {
	.name = "changes of workers",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 300,
	.setup = env_start,
	.teardown = env_close,
};

static const struct ktap_test kill_tests[] = {
	KTAP_TEST(owner_killed),
};

const struct ktap_suite worker_kill_suite = {
	.name = "owners that are killed while workers change",
	.tests = kill_tests,
	.count = sizeof(kill_tests) / sizeof(*kill_tests),
	.limit = 300,
};
