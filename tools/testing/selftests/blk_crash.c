// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes and flushes at random, on all queues at once, to a disk whose store keeps a log of what it
 * was told. Marks in that log say what has to be durable there; log_replay crashes at places of the
 * log and looks.
 *
 * dm-log-writes lists a write with the first flush that begins after it. With two under way the one
 * that ends first can come without the write, which a store would never do. So a mark waits until
 * all has ended that may have flushed and was under way when the flush was acknowledged.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "crash.h"
#include "env.h"

#define DEPTH		32u
#define QUEUES_MAX	8u
#define MOST_SECTORS	64u
#define CLAIMS_MAX	1024u

struct slot {
	struct blk_req req;
	uint8_t *buf;
	uint32_t number;	/* of the write, 0: a flush */
	uint64_t issued;
	bool busy;
	bool syncs;	/* it may flush the store */
};

/* All that was acknowledged up to @horizon is durable, as was known at @known. */
struct claim {
	uint64_t horizon;
	uint64_t known;
};

struct world;

struct player {
	struct world *w;
	unsigned int q;
	struct prng prng;
	struct slot slots[DEPTH];
	pthread_t thread;
	int res;
};

struct world {
	struct env e;
	pthread_mutex_t lock;
	uint64_t tick;
	uint64_t marked;
	bool through;	/* no write cache: a write is durable when it is acknowledged */
	bool flushes;	/* the driver knows of flushes */
	unsigned int nflushes;
	struct crash_record record;
	uint32_t room;
	struct claim claims[CLAIMS_MAX];
	unsigned int nclaims;
	struct player players[QUEUES_MAX];
	unsigned int nplayers;
};

static struct world world = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* A number for a write, or 0 for a flush; and the tick at which it begins. */
static int slot_begin(struct player *p, struct slot *s, bool flush, uint32_t sector,
		      uint32_t sectors)
{
	struct world *w = p->w;

	pthread_mutex_lock(&w->lock);
	s->issued = ++w->tick;
	s->number = 0;
	s->syncs = flush || w->through;
	s->busy = true;
	if (flush) {
		w->nflushes++;
	} else if (w->record.count < w->room) {
		s->number = ++w->record.count;
		w->record.writes[s->number - 1] = (struct crash_write){
			.sector = sector, .sectors = sectors, .issued = s->issued,
		};
	}
	pthread_mutex_unlock(&w->lock);
	CHECK(flush || s->number, "the record is full");
	return 0;
}

static uint64_t oldest_sync(const struct world *w)
{
	uint64_t oldest = UINT64_MAX;
	unsigned int i, j;

	for (i = 0; i < w->nplayers; i++) {
		for (j = 0; j < DEPTH; j++) {
			const struct slot *s = &w->players[i].slots[j];

			if (s->busy && s->syncs && s->issued < oldest)
				oldest = s->issued;
		}
	}
	return oldest;
}

/* Marks what can be relied on by now. */
static int publish(struct world *w)
{
	uint64_t oldest = oldest_sync(w), best = w->marked;
	unsigned int i, left = 0;

	for (i = 0; i < w->nclaims; i++) {
		if (w->claims[i].known >= oldest)
			w->claims[left++] = w->claims[i];
		else if (w->claims[i].horizon > best)
			best = w->claims[i].horizon;
	}
	w->nclaims = left;
	if (best == w->marked)
		return 0;
	w->marked = best;
	return crash_mark(w->e.log, best);
}

static int slot_end(struct world *w, struct slot *s)
{
	int err;

	CHECK_EQ(*s->req.status, VIRTIO_BLK_S_OK);
	pthread_mutex_lock(&w->lock);
	w->tick++;
	if (s->number)
		w->record.writes[s->number - 1].acked = w->tick;
	if (s->syncs && w->nclaims < CLAIMS_MAX)
		w->claims[w->nclaims++] = (struct claim){
			.horizon = s->number ? w->tick : s->issued - 1, .known = w->tick,
		};
	s->busy = false;
	err = publish(w);
	pthread_mutex_unlock(&w->lock);
	CHECK_OK(err);
	return 0;
}

static int harvest(struct player *p)
{
	unsigned int i;

	for (i = 0; i < DEPTH; i++) {
		struct slot *s = &p->slots[i];

		if (s->busy && s->req.done)
			CHECK_PASS(slot_end(p->w, s));
	}
	return 0;
}

static int submit_write(struct player *p, struct slot *s)
{
	uint32_t sectors = prng_range(&p->prng, 1, MOST_SECTORS);
	uint32_t sector = prng_range(&p->prng, 0, CRASH_SECTORS - sectors);
	/* Some data has to be copied on its way. */
	uint8_t *buf = s->buf + (prng_chance(&p->prng, 20) ? 4 : 0);

	/* Most is written in pages, and much to the same place. */
	if (prng_chance(&p->prng, 80)) {
		sector &= ~7u;
		sectors = (sectors + 7) & ~7u;
	}
	if (prng_chance(&p->prng, 30))
		sector %= 4 * MOST_SECTORS;
	CHECK_PASS(slot_begin(p, s, false, sector, sectors));
	crash_fill(buf, sector, sectors, s->number);
	blk_req_usual(&s->req, VIRTIO_BLK_T_OUT, sector, buf, sectors * SECTOR_SIZE);
	return 0;
}

static int submit_flush(struct player *p, struct slot *s)
{
	CHECK_PASS(slot_begin(p, s, true, 0, 0));
	blk_req_usual(&s->req, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	return 0;
}

static int turn(struct player *p)
{
	struct blk *b = &p->w->e.b;
	struct slot *s = &p->slots[prng_range(&p->prng, 0, DEPTH - 1)];

	if (s->busy) {
		ring_flush(&b->rings[p->q]);
		CHECK_OK(blk_wait(b, p->q, &s->req));
		CHECK_PASS(harvest(p));
	}
	if (p->w->flushes && prng_chance(&p->prng, 12))
		CHECK_PASS(submit_flush(p, s));
	else
		CHECK_PASS(submit_write(p, s));
	CHECK_OK(blk_queue(b, p->q, &s->req, RING_INDIRECT));
	if (prng_chance(&p->prng, 40))
		ring_flush(&b->rings[p->q]);
	return 0;
}

static int finish(struct player *p)
{
	struct blk *b = &p->w->e.b;

	ring_flush(&b->rings[p->q]);
	CHECK_OK(blk_drain(b, p->q));
	return harvest(p);
}

static void *player_thread(void *arg)
{
	struct player *p = arg;
	unsigned int i, turns = p->w->e.rounds * 8;

	for (i = 0; i < turns && !p->res; i++)
		p->res = turn(p);
	if (!p->res)
		p->res = finish(p);
	return NULL;
}

static void players_init(struct world *w)
{
	struct blk *b = &w->e.b;
	unsigned int i, j;

	w->nplayers = b->nqueues < QUEUES_MAX ? b->nqueues : QUEUES_MAX;
	for (i = 0; i < w->nplayers; i++) {
		struct player *p = &w->players[i];

		memset(p, 0, sizeof(*p));
		p->w = w;
		p->q = i;
		p->prng.state = w->e.seed + w->tick + i;
		for (j = 0; j < DEPTH; j++) {
			blk_req_init(b, &p->slots[j].req);
			p->slots[j].buf = gmem_alloc(&b->mem, (MOST_SECTORS + 8) * SECTOR_SIZE,
						     4096);
		}
	}
}

/* All queues write until nothing is in flight any more. */
static int play(struct world *w, bool through)
{
	size_t mark = gmem_mark(&w->e.b.mem);
	unsigned int i;
	int res = 0;

	w->through = through;
	players_init(w);
	for (i = 0; i < w->nplayers; i++)
		CHECK_EQ(pthread_create(&w->players[i].thread, NULL, player_thread,
					&w->players[i]), 0);
	for (i = 0; i < w->nplayers; i++) {
		pthread_join(w->players[i].thread, NULL);
		res = res ? res : w->players[i].res;
	}
	gmem_release(&w->e.b.mem, mark);
	ktap_diag("%u writes, %u flushes so far", w->record.count, w->nflushes);
	return res;
}

/* A flush on its own: whatever is acknowledged by now is durable afterwards. */
static int settle(struct world *w)
{
	struct slot *s = &w->players[0].slots[0];

	blk_req_init(&w->e.b, &s->req);
	CHECK_PASS(submit_flush(&w->players[0], s));
	CHECK_EQ(blk_do(&w->e.b, 0, &s->req), VIRTIO_BLK_S_OK);
	return slot_end(w, s);
}

static int set_cache(struct world *w, uint8_t wce)
{
	CHECK_OK(vdpa_set_config(&w->e.b.v, offsetof(struct virtio_blk_config, wce), &wce, 1));
	return 0;
}

static int crash_writeback(void *ctx)
{
	struct world *w = ctx;

	w->flushes = true;
	CHECK_PASS(set_cache(w, 1));
	CHECK_PASS(play(w, false));
	return settle(w);
}

static int crash_writethrough(void *ctx)
{
	struct world *w = ctx;

	w->flushes = true;
	CHECK_PASS(set_cache(w, 0));
	return play(w, true);
}

/* Each direction, with what was written before it made durable by a flush. */
static int crash_switched(void *ctx)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		CHECK_PASS(crash_writeback(ctx));
		CHECK_PASS(crash_writethrough(ctx));
	}
	return 0;
}

/* A driver that can't flush relies on every write, without having asked for it. */
static int crash_no_flush(void *ctx)
{
	struct world *w = ctx;

	w->flushes = false;
	w->e.b.features &= ~(BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_CONFIG_WCE));
	CHECK_OK(blk_restart(&w->e.b, 0));
	return play(w, true);
}

static int open_world(void *ctx)
{
	struct world *w = ctx;

	return env_start(&w->e);
}

static int close_world(void *ctx)
{
	struct world *w = ctx;

	return env_close(&w->e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(crash_writeback),
	KTAP_TEST(crash_writethrough),
	KTAP_TEST(crash_switched),
	KTAP_TEST(crash_no_flush),
};

int main(int argc, char **argv)
{
	const struct ktap_suite suite = {
		.name = "writes before a crash",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 600,
		.setup = open_world,
		.teardown = close_world,
	};
	struct world *w = &world;
	int res;

	env_parse(&w->e, argc, argv);
	w->room = w->e.rounds * 8 * 6 * QUEUES_MAX;
	w->record.writes = calloc(w->room, sizeof(*w->record.writes));
	if (!w->e.log || !w->e.record || !w->record.writes)
		return 2;
	res = ktap_run(&suite, 1, w->e.only, w);
	if (crash_record_save(&w->record, w->e.record))
		return 1;
	return res;
}
