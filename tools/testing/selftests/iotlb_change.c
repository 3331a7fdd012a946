// SPDX-License-Identifier: GPL-2.0-only
/* Translations that come and go while the device works through them. */
#include <linux/pvio_vhost_blk.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "held.h"
#include "iotlb.h"
#include "node.h"
#include "proc.h"

#define PAGES	64u
#define BACKING	128u
#define UNMAPPED	(-1)

/* What a range of FAR_IOVA leads to, as a table of its own says. */
struct model {
	struct env *e;
	struct prng prng;
	uint8_t *backing;
	int page[PAGES];
	unsigned int misses;
};

static int model_map(struct model *m, unsigned int first, unsigned int n)
{
	unsigned int k = prng_range(&m->prng, 0, BACKING - n), i;

	CHECK_OK(vhost_iotlb_map(&m->e->b.v, FAR_IOVA + first * PAGE, n * PAGE,
				 m->backing + k * PAGE, VHOST_ACCESS_RO));
	for (i = 0; i < n; i++)
		m->page[first + i] = k + i;
	return 0;
}

static int model_unmap(struct model *m, unsigned int first, unsigned int n)
{
	unsigned int i;

	CHECK_OK(vhost_iotlb_unmap(&m->e->b.v, FAR_IOVA + first * PAGE, n * PAGE));
	for (i = 0; i < n; i++)
		m->page[first + i] = UNMAPPED;
	return 0;
}

/* Writes from there to the store, and maps what is asked for: never what is mapped. */
static int model_write(struct model *m, unsigned int first, unsigned int n)
{
	struct env *e = m->e;
	struct blk_req *r = &e->b.reqs[0];
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

	blk_req_begin(r, VIRTIO_BLK_T_OUT, 0);
	blk_req_piece(r, r->hdr, 16, false);
	blk_req_piece_iova(r, FAR_IOVA + first * PAGE, n * PAGE, false);
	blk_req_piece(r, r->status, 1, true);
	CHECK_OK(blk_submit(&e->b, 0, r));
	while (!r->done && blk_now_ms() < end) {
		struct vhost_iotlb_msg msg;
		unsigned int page;

		CHECK(blk_collect(&e->b, 0) >= 0, "nonsense in the ring");
		if (iotlb_read(e, &msg))
			continue;
		page = (msg.iova - FAR_IOVA) / PAGE;
		CHECK(page - first < n && msg.iova % PAGE == 0, "it asks for 0x%llx", msg.iova);
		CHECK_EQ(m->page[page], UNMAPPED);
		CHECK_PASS(model_map(m, page, 1));
		m->misses++;
	}
	CHECK(r->done, "it does not end");
	CHECK_EQ(*r->status, VIRTIO_BLK_S_OK);
	return 0;
}

static int model_check(struct model *m, unsigned int first, unsigned int n)
{
	size_t mark = gmem_mark(&m->e->b.mem);
	uint8_t *in = gmem_alloc(&m->e->b.mem, n * PAGE, PAGE);
	unsigned int i;

	CHECK_EQ(blk_rw(&m->e->b, 1, VIRTIO_BLK_T_IN, 0, in, n * PAGE), VIRTIO_BLK_S_OK);
	for (i = 0; i < n; i++)
		CHECK_EQ(pattern_check(in + i * PAGE, PAGE, 0, m->page[first + i]), -1);
	gmem_release(&m->e->b.mem, mark);
	return 0;
}

/* Any map, any unmap, and what is written in the end is what was mapped last. */
static int change_model(void *ctx)
{
	struct env *e = ctx;
	struct model m = { .e = e, .prng.state = e->seed };
	unsigned int i;

	m.backing = gmem_alloc(&e->b.mem, BACKING * PAGE, PAGE);
	for (i = 0; i < BACKING; i++)
		pattern_fill(m.backing + i * PAGE, PAGE, 0, i);
	for (i = 0; i < PAGES; i++)
		m.page[i] = UNMAPPED;
	for (i = 0; i < e->rounds * 40; i++) {
		unsigned int n = prng_range(&m.prng, 1, 15);
		unsigned int first = prng_range(&m.prng, 0, PAGES - n);

		if (prng_chance(&m.prng, 40)) {
			CHECK_PASS(model_map(&m, first, n));
		} else if (prng_chance(&m.prng, 40)) {
			CHECK_PASS(model_unmap(&m, first, n));
		} else {
			CHECK_PASS(model_write(&m, first, n));
			CHECK_PASS(model_check(&m, first, n));
		}
	}
	ktap_diag("%u misses", m.misses);
	return env_verify(e);
}

/* A thread that changes things beneath the device. */
struct changer {
	struct env *e;
	int (*fn)(struct changer *c);
	struct prng prng;
	uint8_t *buf[2];
	atomic_uint changes;
	atomic_bool stop;
	int res;
	pthread_t thread;
};

static void *changer_run(void *arg)
{
	struct changer *c = arg;

	while (!c->stop && !c->res) {
		c->res = c->fn(c);
		c->changes++;
	}
	return NULL;
}

static int changer_start(struct changer *c, struct env *e, int (*fn)(struct changer *c))
{
	c->e = e;
	c->fn = fn;
	c->prng.state = e->seed + 1;
	CHECK_EQ(pthread_create(&c->thread, NULL, changer_run, c), 0);
	return 0;
}

static int changer_stop(struct changer *c)
{
	c->stop = true;
	pthread_join(c->thread, NULL);
	return c->res;
}

#define SPAN	(16u * PAGE)

/* What was unmapped is nobody's but ours: nothing is written there any more. */
static int change_sides(struct changer *c)
{
	struct env *e = c->e;
	unsigned int side = c->changes % 2;
	uint8_t *now = c->buf[side], *then = c->buf[!side];

	CHECK_OK(vhost_iotlb_map(&e->b.v, FAR_IOVA, SPAN, now, VHOST_ACCESS_RW));
	usleep(prng_range(&c->prng, 0, 3000));
	CHECK_EQ(bytes_check(then, SPAN, CANARY_BYTE), -1);
	if (prng_chance(&c->prng, 80))
		CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, SPAN));
	else
		CHECK_OK(vhost_iotlb_map(&e->b.v, FAR_IOVA, SPAN, then, VHOST_ACCESS_RO));
	memset(now, CANARY_BYTE, SPAN);
	usleep(prng_range(&c->prng, 0, 1000));
	CHECK_EQ(bytes_check(now, SPAN, CANARY_BYTE), -1);
	CHECK_EQ(bytes_check(then, SPAN, CANARY_BYTE), -1);
	return 0;
}

/* Data that is copied, answers and status bytes: all that isn't pinned. */
static int change_canary(void *ctx)
{
	struct env *e = ctx;
	struct changer c = { };
	struct blk_req req[8];
	unsigned int i, n;

	for (i = 0; i < 2; i++) {
		c.buf[i] = gmem_alloc(&e->b.mem, SPAN, PAGE);
		memset(c.buf[i], CANARY_BYTE, SPAN);
	}
	for (n = 0; n < 8; n++)
		blk_req_init(&e->b, &req[n]);
	CHECK_PASS(changer_start(&c, e, change_sides));
	for (i = 0; i < e->rounds * 10 && !c.res; i++) {
		for (n = 0; n < 8; n++) {
			bool id = n % 3 == 2;

			blk_req_begin(&req[n], id ? VIRTIO_BLK_T_GET_ID : VIRTIO_BLK_T_IN, n * 8);
			blk_req_piece(&req[n], req[n].hdr, 16, false);
			blk_req_piece_iova(&req[n], FAR_IOVA + n * 2 * PAGE + 100, id ? 20 : PAGE,
					   true);
			blk_req_piece_iova(&req[n], FAR_IOVA + n * 2 * PAGE + 8000, 1, true);
			CHECK_OK(blk_submit(&e->b, n % 4, &req[n]));
		}
		for (n = 0; n < 8; n++)
			CHECK_OK(blk_wait(&e->b, n % 4, &req[n]));
	}
	CHECK_PASS(changer_stop(&c));
	ktap_diag("%u changes during %u requests", c.changes, i * 8);
	CHECK_OK(vhost_iotlb_unmap(&e->b.v, FAR_IOVA, SPAN));
	return env_verify(e);
}

static int drop_all(struct changer *c)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_INVALIDATE };

	CHECK_OK(iotlb_write(c->e, &msg, VHOST_IOTLB_MSG_V2));
	usleep(prng_range(&c->prng, 0, 20000));
	return 0;
}

/* Everything is dropped, rings and what is in flight, and everything works. */
static int change_drop_all(void *ctx)
{
	struct env *e = ctx;
	struct vmm vmm = { };
	struct changer c = { };
	unsigned int i;
	int err = 0;

	CHECK_PASS(vmm_start(&vmm, e, 16 * PAGE));
	CHECK_PASS(changer_start(&c, e, drop_all));
	for (i = 0; i < e->rounds && !err; i++)
		err = env_verify(e);
	CHECK_PASS(changer_stop(&c));
	CHECK_EQ(vmm_stop(&vmm), 0);
	ktap_diag("%u misses, everything dropped %u times", vmm.misses, c.changes);
	CHECK_PASS(err);
	return 0;
}

/* Messages of every kind, most of them about addresses that nobody uses. */
static int junk(struct changer *c)
{
	struct vhost_iotlb_msg msg = {
		.iova = FAR_IOVA + prng_range(&c->prng, 0, 4096) * PAGE,
		.size = prng_range(&c->prng, 0, 64 * PAGE),
		.uaddr = (uintptr_t)c->e->b.mem.va + prng_range(&c->prng, 0, 64) * PAGE,
		.perm = prng_range(&c->prng, 0, 4),
		.type = prng_range(&c->prng, 0, 7),
	};

	if (prng_chance(&c->prng, 5))
		msg.uaddr = prng_next(&c->prng);
	if (prng_chance(&c->prng, 1))
		msg.iova = 0;
	/* What the queues need is not refused. */
	if (msg.type == VHOST_IOTLB_ACCESS_FAIL || (msg.type == VHOST_IOTLB_UPDATE && !msg.iova))
		msg.iova = FAR_IOVA;
	iotlb_write(c->e, &msg, prng_chance(&c->prng, 50) ? VHOST_IOTLB_MSG : VHOST_IOTLB_MSG_V2);
	return 0;
}

static int change_threads(void *ctx)
{
	struct env *e = ctx;
	struct vmm vmm = { };
	struct changer c[4] = { };
	unsigned int i;
	int err = 0;

	CHECK_PASS(vmm_start(&vmm, e, MIB));
	for (i = 0; i < 3; i++) {
		CHECK_PASS(changer_start(&c[i], e, junk));
		c[i].prng.state += i;
	}
	CHECK_PASS(changer_start(&c[3], e, drop_all));
	for (i = 0; i < e->rounds / 2 + 1 && !err; i++)
		err = env_verify(e);
	for (i = 0; i < 4; i++)
		CHECK_PASS(changer_stop(&c[i]));
	CHECK_EQ(vmm_stop(&vmm), 0);
	ktap_diag("%u misses, %u messages", vmm.misses, c[0].changes + c[1].changes + c[2].changes);
	return err;
}

static int set_table(struct env *e, unsigned int regions)
{
	struct vhost_memory *mem = calloc(1, sizeof(*mem) + 8 * sizeof(mem->regions[0]));
	unsigned int i;

	CHECK(mem, "out of memory");
	mem->nregions = regions;
	for (i = 0; i < regions; i++)
		mem->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = e->b.mem.iova + i * 0x100000000ull,
			.memory_size = e->b.mem.size,
			.userspace_addr = (uintptr_t)e->b.mem.va,
		};
	EXPECT(e, 0, VHOST_SET_MEM_TABLE, mem);
	free(mem);
	return 0;
}

/* A memory table says nothing of what is mapped, whenever it comes. */
static int change_mem_table(void *ctx)
{
	struct env *e = ctx;
	struct vhost_iotlb_msg all = { .type = VHOST_IOTLB_INVALIDATE };
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		struct vmm vmm = { };
		int err;

		CHECK_PASS(set_table(e, i % 3));
		CHECK_PASS(env_verify_queue(e, 0, 0));
		CHECK_OK(iotlb_write(e, &all, VHOST_IOTLB_MSG_V2));
		CHECK_PASS(set_table(e, i % 4));
		CHECK_PASS(vmm_start(&vmm, e, MIB));
		err = env_verify(e);
		CHECK_EQ(vmm_stop(&vmm), 0);
		CHECK_PASS(err);
	}
	return 0;
}

static int start_again(struct env *e, bool platform)
{
	unsigned int q;

	for (q = 0; q < e->b.nqueues; q++)
		ring_restart(&e->b.rings[q], 0);
	e->b.opts.iotlb = platform;
	e->b.features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	if (platform)
		e->b.features |= BIT(VIRTIO_F_ACCESS_PLATFORM);
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(e->b.transport->go(&e->b));
	return 0;
}

/* From one to the other and back, with and without a reset; what was mapped is forgotten. */
static int change_features(void *ctx)
{
	struct vhost_vring_file none = { .index = 0, .fd = -1 };
	struct env *e = ctx;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		uint64_t other = e->b.features ^ BIT(VIRTIO_F_ACCESS_PLATFORM);

		EXPECT(e, -EBUSY, VHOST_SET_FEATURES, &other);
		EXPECT(e, 0, VHOST_SET_FEATURES, &e->b.features);
		CHECK_PASS(env_verify(e));
		if (i % 3) {
			CHECK_OK(blk_reset(&e->b));
			CHECK_OK(vhost_ack_backend_features(&e->b.v,
							    BIT(VHOST_BACKEND_F_IOTLB_MSG_V2)));
		} else {
			EXPECT(e, 0, VHOST_BLK_SET_BACKEND, &none);
		}
		if (i % 2) {
			struct vmm vmm = { };
			int err;

			CHECK_PASS(start_again(e, true));
			CHECK_EQ(poll(&(struct pollfd){ .fd = e->b.v.fd, .events = POLLIN }, 1,
				      BLK_HANG_LIMIT_MS), 1);
			CHECK_OK(vhost_map_gmem(&e->b.v, &e->b.mem));
			CHECK_PASS(vmm_start(&vmm, e, MIB));
			err = env_verify(e);
			CHECK_EQ(vmm_stop(&vmm), 0);
			CHECK_PASS(err);
		} else {
			CHECK_PASS(start_again(e, false));
		}
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(change_model),
	KTAP_TEST(change_canary),
	KTAP_TEST(change_drop_all),
	KTAP_TEST(change_threads),
	KTAP_TEST(change_mem_table),
	KTAP_TEST(change_features),
};

const struct ktap_suite iotlb_change_suite = {
	.name = "changes",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
	.setup = iotlb_start,
	.teardown = env_close,
};

#define READS	8u

static int submit_reads(struct env *e, struct blk_req *req, uint8_t *data)
{
	unsigned int i;

	for (i = 0; i < READS; i++) {
		uint8_t *to = data + i * 2 * PAGE + i % 2 * 100;

		blk_req_init(&e->b, &req[i]);
		blk_req_usual(&req[i], VIRTIO_BLK_T_IN, i * 8, to, PAGE);
		CHECK_OK(blk_submit(&e->b, i % 2, &req[i]));
	}
	return 0;
}

/* The device asks for a kick where it has taken all that there was. */
static int await_taken(struct env *e)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	unsigned int q;

	for (q = 0; q < 2; q++)
		while (ring_avail_event(&e->b.rings[q]) != e->b.rings[q].avail_idx)
			CHECK(blk_now_ms() < end, "queue %u takes nothing", q);
	return 0;
}

static int await_miss(struct env *e)
{
	struct pollfd p = { .fd = e->b.v.fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, BLK_HANG_LIMIT_MS), 1);
	return 0;
}

/* Everything is unmapped, and the store, which is held, has not answered. */
static int drop_in_flight(struct env *e, struct blk_req *req, uint8_t *data)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_INVALIDATE };

	CHECK_PASS(held_stop(e));
	CHECK_PASS(submit_reads(e, req, data));
	CHECK_PASS(await_taken(e));
	CHECK_EQ(ring_pending(&e->b.rings[0]), 0);
	CHECK_OK(iotlb_write(e, &msg, VHOST_IOTLB_MSG_V2));
	return 0;
}

/* What was in flight ends when the VMM says where its status goes, not before, and once. */
static int slow_unmapped(void *ctx)
{
	struct env *e = ctx;
	uint8_t *data;
	struct blk_req req[READS];
	struct vmm vmm = { };
	struct vhost_iotlb_msg msg;
	unsigned int i;
	int err = 0;

	if (!e->slow)
		SKIP("for a store that can be held");
	data = gmem_alloc(&e->b.mem, READS * 2 * PAGE, PAGE);
	for (i = 0; i < READS; i++) {
		pattern_fill(data, PAGE, i * 8, 3);
		CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, i * 8, data, PAGE), VIRTIO_BLK_S_OK);
	}
	CHECK_PASS(drop_in_flight(e, req, data));
	CHECK_EQ(proc_wait(held_go(e, false)), 0);
	CHECK_PASS(await_miss(e));
	CHECK_OK(iotlb_read(e, &msg));
	CHECK_EQ(msg.perm, VHOST_ACCESS_WO);
	CHECK(!ring_pending(&e->b.rings[0]) && !ring_pending(&e->b.rings[1]), "it went on");
	CHECK_OK(vhost_iotlb_map(&e->b.v, msg.iova & ~(PAGE - 1ull), PAGE,
				 e->b.mem.va + ((msg.iova & ~(PAGE - 1ull)) - e->b.mem.iova),
				 VHOST_ACCESS_RW));
	CHECK_PASS(vmm_start(&vmm, e, PAGE));
	for (i = 0; i < READS && !err; i++)
		err = blk_wait(&e->b, i % 2, &req[i]);
	CHECK_EQ(vmm_stop(&vmm), 0);
	CHECK_OK(err);
	for (i = 0; i < READS; i++) {
		CHECK_EQ(*req[i].status, VIRTIO_BLK_S_OK);
		CHECK_EQ(pattern_check(data + i * 2 * PAGE + i % 2 * 100, PAGE, i * 8, 3), -1);
	}
	return 0;
}

/* Stopped then, nobody answers: it ends, and the error event tells that something is lost. */
static int slow_stopped(void *ctx)
{
	struct vhost_vring_file none = { .index = 0, .fd = -1 };
	struct env *e = ctx;
	struct blk_req req[READS];
	unsigned int i, q;
	pid_t pid;

	if (!e->slow)
		SKIP("for a store that can be held");
	for (i = 0; i < 4; i++) {
		uint8_t *data = gmem_alloc(&e->b.mem, READS * 2 * PAGE, PAGE);

		CHECK_PASS(drop_in_flight(e, req, data));
		/* Before the store has answered, and after. */
		pid = held_go(e, i % 2 == 0);
		if (i % 2)
			CHECK_PASS(await_miss(e));
		if (i < 2) {
			EXPECT(e, 0, VHOST_BLK_SET_BACKEND, &none);
			CHECK(blk_needs_reset(&e->b), "nobody was told");
		}
		CHECK_OK(blk_reset(&e->b));
		CHECK_EQ(proc_wait(pid), 0);
		CHECK_OK(vhost_ack_backend_features(&e->b.v, BIT(VHOST_BACKEND_F_IOTLB_MSG_V2)));
		for (q = 0; q < e->b.nqueues; q++)
			ring_restart(&e->b.rings[q], 0);
		CHECK_OK(blk_prepare(&e->b));
		CHECK_OK(vhost_map_gmem(&e->b.v, &e->b.mem));
		CHECK_OK(e->b.transport->go(&e->b));
		CHECK_PASS(env_verify_queue(e, i % 2, 512));
	}
	return 0;
}

static int slow_closed(void *ctx)
{
	struct env *e = ctx;
	struct blk_req req[READS];
	unsigned int i;
	pid_t pid;

	if (!e->slow)
		SKIP("for a store that can be held");
	for (i = 0; i < 2; i++) {
		CHECK_PASS(drop_in_flight(e, req, gmem_alloc(&e->b.mem, READS * 2 * PAGE, PAGE)));
		pid = held_go(e, !i);
		if (i)
			CHECK_PASS(await_miss(e));
		CHECK_PASS(env_close(e));
		CHECK_EQ(proc_wait(pid), 0);
		CHECK_PASS(iotlb_start(e));
	}
	return 0;
}

static const struct ktap_test slow_tests[] = {
	KTAP_TEST(slow_unmapped),
	KTAP_TEST(slow_stopped),
	KTAP_TEST(slow_closed),
};

const struct ktap_suite iotlb_slow_suite = {
	.name = "unmapped in flight",
	.tests = slow_tests,
	.count = sizeof(slow_tests) / sizeof(*slow_tests),
	.limit = 240,
	.setup = iotlb_start,
	.teardown = env_close,
};
