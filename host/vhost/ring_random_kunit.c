// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of a driver and of a device, that do what they may in any order. Each
 * chain has a number, and its bytes follow from the number: whatever is lost,
 * doubled, mixed up or misplaced shows.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/sched.h>

#include "ring_driver_kunit.h"

#define PVMODEL_OPS		100000
#define PVMODEL_MAX_DESC	8
#define PVMODEL_MAX_SEGS	(2 * PVMODEL_MAX_DESC)

/* Each descriptor has an arena for its buffer, and room for a table. */
#define PVMODEL_BASE		0x100000ULL
#define PVMODEL_ARENA		256
#define PVMODEL_ENTRY		32
#define PVMODEL_TABLE		(16 * PVMODEL_MAX_DESC)
#define PVMODEL_PER_DESC	(PVMODEL_ARENA + PVMODEL_TABLE)

/* Where a region of guest memory is: one of so many slots of this size. */
#define PVMODEL_SLOT		0x800
#define PVMODEL_SLOTS		512

struct pvmodel_buf {
	u64 iova;
	u32 len;
};

/**
 * struct pvmodel_chain - a chain, to be found by its head
 * @seq: its number
 * @ndesc: descriptors of the ring that it takes
 * @nout: buffers to be read
 * @nbuf: all buffers
 * @out_len: bytes to be read
 * @in_len: bytes that can be written
 * @written: bytes that were
 * @complete: the device is done with it
 * @nin: pieces in @in
 * @desc: the descriptors, its head first
 * @buf: the buffers
 * @in: where to write, as the engine gave it
 */
struct pvmodel_chain {
	u32 seq;
	unsigned int ndesc;
	unsigned int nout;
	unsigned int nbuf;
	u32 out_len;
	u32 in_len;
	u32 written;
	bool complete;
	unsigned int nin;
	u16 desc[PVMODEL_MAX_DESC + 1];
	struct pvmodel_buf buf[PVMODEL_MAX_DESC];
	struct pvmem_seg in[PVMODEL_MAX_SEGS];
};

/* Heads, first in, first out; or, taken from the middle, in any order. */
struct pvmodel_heads {
	u16 *head;
	unsigned int n;
};

/**
 * struct pvmodel - what both sides have to agree on
 * @d: the ring
 * @cfg: its configuration
 * @rng: state of the random numbers
 * @chain: by head
 * @free: descriptors that no chain takes
 * @queued: chains made available, shown or not
 * @popped: chains that the device has
 * @taken: in order: chains that the device has, or has completed before their
 *	turn, as it took them
 * @done: chains that are complete, and not reaped
 * @nshown: how many of @queued the device can see
 * @made: chains ever made
 * @reaped: chains ever reaped
 * @block: the first region of each block of guest memory
 * @used_event: the driver's event
 * @no_interrupt: the driver's flag
 * @signalled: used index at the last notification
 * @signalled_valid: there was one
 * @asleep: the device waits for a kick
 */
struct pvmodel {
	struct pvtest_ring *d;
	struct pvring_config cfg;
	u64 rng;
	struct pvmodel_chain *chain;
	struct pvmodel_heads free;
	struct pvmodel_heads queued;
	struct pvmodel_heads popped;
	struct pvmodel_heads taken;
	struct pvmodel_heads done;
	unsigned int nshown;
	u32 made;
	u32 reaped;
	u16 *block;
	u16 used_event;
	bool no_interrupt;
	u16 signalled;
	bool signalled_valid;
	bool asleep;
};

struct pvmodel_run {
	const char *name;
	u64 seed;
	u16 num;
	u16 start;
	u16 hdr_len;
	unsigned int chains;
	bool event_idx;
	bool indirect;
	bool in_order;
};

static const struct pvmodel_run pvmodel_runs[] = {
	{ "queue of 1", 1, 1, 0, 8, 1, true, true },
	{ "queue of 4, flags, direct", 2, 4, 65530, 0, 4, false, false },
	{ "queue of 16, event index", 3, 16, 0, 16, 4, true, true },
	{ "queue of 64, event index, direct", 4, 64, 65000, 1, 64, true, false },
	{ "queue of 256, flags", 5, 256, 0, 16, 8, false, true },
	{ "queue of 256, event index", 6, 256, 65530, 64, 32, true, true },
	{ "queue of 8, in order", 7, 8, 65530, 16, 4, true, true, true },
	{ "queue of 64, in order, flags", 8, 64, 0, 0, 16, false, false, true },
};

static void pvmodel_run_describe(const struct pvmodel_run *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s", p->name);
}

KUNIT_ARRAY_PARAM(pvmodel_run, pvmodel_runs, pvmodel_run_describe);

/* A number from 0 to @n - 1. */
static u32 pvmodel_random(struct pvmodel *m, u32 n)
{
	m->rng ^= m->rng << 13;
	m->rng ^= m->rng >> 7;
	m->rng ^= m->rng << 17;
	return (u32)(m->rng >> 32) % n;
}

static u16 pvmodel_take(struct pvmodel_heads *h, unsigned int i)
{
	u16 head = h->head[i];

	h->n--;
	memmove(&h->head[i], &h->head[i + 1], (h->n - i) * sizeof(head));
	return head;
}

static void pvmodel_put(struct pvmodel_heads *h, u16 head)
{
	h->head[h->n++] = head;
}

/* What byte @k of what is read from, or written to, chain @seq has to be. */
static u8 pvmodel_byte(u32 seq, u32 k, bool write)
{
	return 31 * seq + 7 * k + (write ? 0x55 : 0);
}

static u8 *pvmodel_at(struct pvmodel *m, u64 iova)
{
	const struct pvtest_ram *ram;

	ram = &m->d->ram[m->block[(iova - PVMODEL_BASE) / PVMODEL_ARENA]];
	if (iova - ram->iova >= ram->len)
		ram++;
	return ram->mem + (iova - ram->iova);
}

/* Writes an entry of an indirect table, which may lie in two regions. */
static void pvmodel_entry(struct pvmodel *m, u64 at, u64 addr, u32 len,
			  u16 flags, u16 next)
{
	struct pvtest_desc desc;
	unsigned int i;

	pvtest_desc_fill(&desc, addr, len, flags, next);
	for (i = 0; i < sizeof(desc); i++)
		*pvmodel_at(m, at + i) = ((u8 *)&desc)[i];
}

/* Cuts guest memory into regions, and scatters them. */
static void pvmodel_map(struct pvmodel *m)
{
	u32 total = m->cfg.num * PVMODEL_PER_DESC, at, len, i, k;
	u8 *mem = pvtest_ram_alloc(m->d, PVMODEL_SLOTS * PVMODEL_SLOT);

	for (at = 0, i = 0; at < total; at += len, i++) {
		len = PVMODEL_ARENA + pvmodel_random(m, 3 * PVMODEL_ARENA);
		if (total - at < len + PVMODEL_ARENA)
			len = total - at;
		pvtest_ram_add(m->d, PVMODEL_BASE + at, len, PVMEM_READ | PVMEM_WRITE,
			       mem + PVMODEL_SLOT * ((i * 37 + 11) % PVMODEL_SLOTS));

		k = (at + PVMODEL_ARENA - 1) / PVMODEL_ARENA;
		for (; k * PVMODEL_ARENA < at + len; k++)
			m->block[k] = i;
	}
	pvtest_ram_seal(m->d);
}

/* The driver: makes a chain of @total buffers, @direct of them without a table. */
static void pvmodel_fill_chain(struct pvmodel *m, struct pvmodel_chain *c,
			       unsigned int direct, unsigned int total)
{
	u64 table = 0, iova;
	unsigned int i;
	u16 flags, desc;
	u32 off, len;

	for (i = 0; i < total; i++) {
		desc = c->desc[i < direct ? i : direct];
		iova = PVMODEL_BASE + (u64)desc * PVMODEL_ARENA;
		len = i < direct ? PVMODEL_ARENA : PVMODEL_ENTRY;
		off = pvmodel_random(m, len);
		len = 1 + pvmodel_random(m, len - off);
		if (i >= direct)
			off += (i - direct) * PVMODEL_ENTRY;
		c->buf[i] = (struct pvmodel_buf) { .iova = iova + off, .len = len };

		flags = (i < c->nout ? 0 : PVTEST_WRITE) |
			(i + 1 < total ? PVTEST_NEXT : 0);
		if (i < direct) {
			pvtest_desc(m->d, desc, iova + off, len, flags, c->desc[i + 1]);
			continue;
		}
		table = PVMODEL_BASE + m->cfg.num * PVMODEL_ARENA + desc * PVMODEL_TABLE;
		pvmodel_entry(m, table + 16 * (i - direct), iova + off, len, flags,
			      i - direct + 1);
	}
	if (table)
		pvtest_desc(m->d, c->desc[direct], table,
			    16 * (total - direct + pvmodel_random(m, 3)),
			    PVTEST_INDIRECT, 0);
}

static void pvmodel_fill_bytes(struct pvmodel *m, struct pvmodel_chain *c)
{
	unsigned int i;
	u32 k, at = 0;

	for (i = 0; i < c->nbuf; i++) {
		if (i == c->nout)
			at = 0;
		for (k = 0; k < c->buf[i].len; k++, at++)
			*pvmodel_at(m, c->buf[i].iova + k) =
				i < c->nout ? pvmodel_byte(c->seq, at, false) : 0;
		if (i < c->nout)
			c->out_len = at;
		else
			c->in_len = at;
	}
}

static void pvmodel_make(struct pvmodel *m)
{
	unsigned int total = 1 + pvmodel_random(m, PVMODEL_MAX_DESC);
	unsigned int direct = total, ndesc, i;
	struct pvmodel_chain *c;
	u16 head;

	if (m->cfg.indirect && pvmodel_random(m, 2))
		direct = pvmodel_random(m, total);
	ndesc = direct == total ? total : direct + 1;
	if (ndesc > m->free.n)
		return;

	head = m->free.head[pvmodel_random(m, m->free.n)];
	c = &m->chain[head];
	*c = (struct pvmodel_chain) {
		.seq = m->made++,
		.ndesc = ndesc,
		.nout = pvmodel_random(m, total + 1),
		.nbuf = total,
	};
	for (i = 0; m->free.head[i] != head; i++)
		;
	c->desc[0] = pvmodel_take(&m->free, i);
	for (i = 1; i < c->ndesc; i++)
		c->desc[i] = pvmodel_take(&m->free, pvmodel_random(m, m->free.n));

	pvmodel_fill_chain(m, c, direct, total);
	pvmodel_fill_bytes(m, c);
	pvtest_queue(m->d, head);
	pvmodel_put(&m->queued, head);
}

/* The driver: shows what it has queued, and kicks a device that wants it. */
static void pvmodel_show(struct pvmodel *m)
{
	u16 new = m->d->avail_idx, old = new - (m->queued.n - m->nshown);
	bool kick;

	pvtest_show(m->d);
	m->nshown = m->queued.n;
	if (m->cfg.event_idx)
		kick = pvtest_event_passed(pvtest_avail_event(m->d), old, new);
	else
		kick = old != new && !m->d->used->flags;

	if (m->asleep)
		KUNIT_ASSERT_EQ(m->d->test, kick, old != new);
	if (kick)
		m->asleep = false;
}

/* The device: pieces of the engine against buffers of the driver, to the byte. */
static void pvmodel_check_pieces(struct pvmodel *m, const struct pvmem_seg *seg,
				 unsigned int n, const struct pvmodel_buf *buf,
				 u32 skip, u32 total)
{
	struct kunit *test = m->d->test;
	u32 off = skip, done = skip;

	for (; n; n--, seg++) {
		while (off >= buf->len) {
			off -= buf->len;
			buf++;
		}
		KUNIT_ASSERT_NE(test, seg->len, 0U);
		KUNIT_ASSERT_LE(test, seg->len, buf->len - off);
		KUNIT_ASSERT_EQ(test, seg->iova, buf->iova + off);
		KUNIT_ASSERT_EQ(test, seg->addr,
				(u64)(uintptr_t)pvmodel_at(m, seg->iova));
		KUNIT_ASSERT_EQ(test, seg->addr + (seg->len - 1),
				(u64)(uintptr_t)pvmodel_at(m, seg->iova + (seg->len - 1)));
		off += seg->len;
		done += seg->len;
	}
	KUNIT_ASSERT_EQ(test, done, total);
}

static void pvmodel_check_chain(struct pvmodel *m, const struct pvring_chain *c)
{
	const struct pvmodel_chain *mc = &m->chain[c->head];
	u32 hdr_len = min_t(u32, mc->out_len, m->cfg.limits.hdr_len), k, i, at;
	struct kunit *test = m->d->test;

	KUNIT_ASSERT_EQ(test, c->hdr_len, hdr_len);
	KUNIT_ASSERT_EQ(test, c->out_len, mc->out_len - hdr_len);
	KUNIT_ASSERT_EQ(test, c->in_len, mc->in_len);
	for (at = 0; at < hdr_len; at++)
		KUNIT_ASSERT_EQ(test, c->hdr[at], pvmodel_byte(mc->seq, at, false));

	pvmodel_check_pieces(m, c->seg, c->nout, mc->buf, hdr_len, mc->out_len);
	for (i = 0; i < c->nout; i++)
		for (k = 0; k < c->seg[i].len; k++, at++)
			KUNIT_ASSERT_EQ(test, ((u8 *)(uintptr_t)c->seg[i].addr)[k],
					pvmodel_byte(mc->seq, at, false));
	pvmodel_check_pieces(m, c->seg + c->nout, c->nin, mc->buf + mc->nout, 0,
			     mc->in_len);
}

/* The device: takes chains, in the driver's order, and may give some back. */
static void pvmodel_pop(struct pvmodel *m)
{
	unsigned int max = 1 + pvmodel_random(m, 2 * m->d->batch->max), i, keep;
	struct kunit *test = m->d->test;
	struct pvmodel_chain *mc;
	struct pvring_chain *c;
	int n;

	n = pvring_pop(&m->d->ring, m->d->table, m->d->batch, max);
	KUNIT_ASSERT_GE(test, n, m->nshown ? 1 : 0);
	KUNIT_ASSERT_LE(test, n, min3(max, m->nshown, m->d->batch->max));

	keep = n && !pvmodel_random(m, 4) ? pvmodel_random(m, n) : n;
	for (i = 0; i < n; i++) {
		c = &m->d->batch->chain[i];
		KUNIT_ASSERT_EQ(test, c->head, m->queued.head[i < keep ? 0 : i - keep]);
		pvmodel_check_chain(m, c);
		if (i >= keep)
			continue;

		mc = &m->chain[c->head];
		mc->nin = c->nin;
		memcpy(mc->in, c->seg + c->nout, c->nin * sizeof(mc->in[0]));
		if (m->cfg.in_order)
			pvmodel_put(&m->taken, c->head);
		pvmodel_put(&m->popped, pvmodel_take(&m->queued, 0));
		m->nshown--;
	}
	if (keep < n)
		pvring_unpop(&m->d->ring, m->d->batch, keep);
	KUNIT_ASSERT_EQ(test, m->d->ring.inflight, m->popped.n);
}

/* The device: writes into a chain, and completes it. */
static void pvmodel_complete(struct pvmodel *m)
{
	struct pvmodel_chain *mc;
	unsigned int i;
	u32 k, at = 0;
	u16 head;

	if (!m->popped.n)
		return;
	head = pvmodel_take(&m->popped, pvmodel_random(m, m->popped.n));
	mc = &m->chain[head];
	mc->written = pvmodel_random(m, mc->in_len + 1);
	for (i = 0; i < mc->nin; i++)
		for (k = 0; k < mc->in[i].len && at < mc->written; k++, at++)
			((u8 *)(uintptr_t)mc->in[i].addr)[k] =
				pvmodel_byte(mc->seq, at, true);
	pvring_complete(&m->d->ring, head, mc->written);
	mc->complete = true;
	if (!m->cfg.in_order)
		pvmodel_put(&m->done, head);
	while (m->taken.n && m->chain[m->taken.head[0]].complete)
		pvmodel_put(&m->done, pvmodel_take(&m->taken, 0));
}

/* The device: publishes, and notifies a driver that wants it. */
static void pvmodel_publish(struct pvmodel *m)
{
	struct pvring *r = &m->d->ring;
	struct kunit *test = m->d->test;
	bool some = r->npending, want;
	u16 idx;

	KUNIT_ASSERT_EQ(test, pvring_publish(r), 0);
	idx = le16_to_cpu(m->d->used->idx);
	KUNIT_ASSERT_EQ(test, (u16)(idx - m->d->used_idx), m->done.n);
	if (!some)
		return;

	if (m->cfg.event_idx)
		want = !m->signalled_valid ||
		       pvtest_event_passed(m->used_event, m->signalled, idx);
	else
		want = !m->no_interrupt;
	KUNIT_ASSERT_EQ(test, pvring_notify_needed(r), want);
	m->signalled = idx;
	m->signalled_valid = true;
}

/* The driver: takes what is used, in the device's order. */
static void pvmodel_reap(struct pvmodel *m)
{
	struct kunit *test = m->d->test;
	struct pvmodel_chain *mc;
	unsigned int i;
	u32 id, len, k, at;

	while (pvtest_reap(m->d, &id, &len)) {
		KUNIT_ASSERT_NE(test, m->done.n, 0U);
		KUNIT_ASSERT_EQ(test, id, pvmodel_take(&m->done, 0));
		mc = &m->chain[id];
		KUNIT_ASSERT_EQ(test, len, mc->written);
		for (i = mc->nout, at = 0; i < mc->nbuf; i++)
			for (k = 0; k < mc->buf[i].len; k++, at++)
				KUNIT_ASSERT_EQ(test, *pvmodel_at(m, mc->buf[i].iova + k),
						at < len ? pvmodel_byte(mc->seq, at, true) : 0);

		for (i = 0; i < mc->ndesc; i++)
			pvmodel_put(&m->free, mc->desc[i]);
		m->reaped++;
	}

	m->used_event = m->d->used_idx + (pvmodel_random(m, 2) ? 0 :
					  pvmodel_random(m, 2 * m->cfg.num) - m->cfg.num / 2);
	m->no_interrupt = pvmodel_random(m, 2);
	pvtest_set_used_event(m->d, m->used_event);
	m->d->avail->flags = cpu_to_le16(m->no_interrupt ? PVTEST_NO_INTERRUPT : 0);
}

/* The device: waits for a kick, or says that it needs none. */
static void pvmodel_sleep(struct pvmodel *m)
{
	struct kunit *test = m->d->test;
	int ret;

	if (pvmodel_random(m, 2)) {
		KUNIT_ASSERT_EQ(test, pvring_kicks_disable(&m->d->ring), 0);
		m->asleep = false;
		return;
	}
	ret = pvring_kicks_enable(&m->d->ring);
	KUNIT_ASSERT_EQ(test, ret, m->nshown ? 1 : 0);
	m->asleep = !ret;
}

/* The device: another ring goes on with what is left of this one. */
static void pvmodel_hand_over(struct pvmodel *m)
{
	struct pvring *r = &m->d->ring, old = *r;
	struct pvring_state state;

	while (m->popped.n)
		pvmodel_complete(m);
	pvmodel_publish(m);
	pvring_get_state(r, &state);
	pvring_destroy(r);

	KUNIT_ASSERT_EQ(m->d->test, pvring_init(r, &m->cfg), 0);
	r->desc = old.desc;
	r->driver = old.driver;
	r->device = old.device;
	KUNIT_ASSERT_EQ(m->d->test, pvring_set_state(r, &state), 0);
	m->signalled_valid = false;
	m->asleep = false;
}

static void pvmodel_step(struct pvmodel *m)
{
	u32 what = pvmodel_random(m, 1000);

	if (what < 300)
		pvmodel_make(m);
	else if (what < 450)
		pvmodel_show(m);
	else if (what < 600)
		pvmodel_pop(m);
	else if (what < 800)
		pvmodel_complete(m);
	else if (what < 880)
		pvmodel_publish(m);
	else if (what < 950)
		pvmodel_reap(m);
	else if (what < 995)
		pvmodel_sleep(m);
	else
		pvmodel_hand_over(m);
}

/* Everything that was ever made comes back, and nothing is left anywhere. */
static void pvmodel_finish(struct pvmodel *m)
{
	struct kunit *test = m->d->test;

	pvmodel_show(m);
	while (m->nshown) {
		pvmodel_pop(m);
		while (m->popped.n)
			pvmodel_complete(m);
	}
	while (m->popped.n)
		pvmodel_complete(m);
	pvmodel_publish(m);
	pvmodel_reap(m);

	KUNIT_EXPECT_EQ(test, m->reaped, m->made);
	KUNIT_EXPECT_GT(test, m->made, PVMODEL_OPS / 100U);
	KUNIT_EXPECT_EQ(test, m->free.n, m->cfg.num);
	KUNIT_EXPECT_EQ(test, pvtest_pop(m->d), 0);
	pvtest_expect_untouched(m->d, m->d->avail_idx);
}

static struct pvmodel *pvmodel_alloc(struct kunit *test, const struct pvmodel_run *p)
{
	struct pvring_config cfg = pvtest_config;
	struct pvmodel *m;
	struct pvtest_ring *d;

	cfg.num = p->num;
	cfg.event_idx = p->event_idx;
	cfg.indirect = p->indirect;
	cfg.in_order = p->in_order;
	cfg.limits.max_desc = PVMODEL_MAX_DESC;
	cfg.limits.hdr_len = p->hdr_len;
	d = pvtest_alloc(test, &cfg, p->chains);

	m = pvtest_room(d, sizeof(*m));
	m->d = d;
	m->cfg = cfg;
	m->rng = 0x9e3779b97f4a7c15ULL * p->seed;
	m->chain = pvtest_room(d, p->num * sizeof(*m->chain));
	m->free.head = pvtest_room(d, p->num * sizeof(u16));
	m->queued.head = pvtest_room(d, p->num * sizeof(u16));
	m->popped.head = pvtest_room(d, p->num * sizeof(u16));
	m->taken.head = pvtest_room(d, p->num * sizeof(u16));
	m->done.head = pvtest_room(d, p->num * sizeof(u16));
	m->block = pvtest_room(d, p->num * 2 * sizeof(u16));
	return m;
}

static void pvtest_random(struct kunit *test)
{
	const struct pvmodel_run *p = test->param_value;
	struct pvmodel *m = pvmodel_alloc(test, p);
	unsigned int i;

	pvmodel_map(m);
	pvtest_restart(m->d, p->start);
	for (i = 0; i < p->num; i++)
		pvmodel_put(&m->free, i);
	for (i = 0; i < PVMODEL_OPS; i++) {
		pvmodel_step(m);
		cond_resched();
	}
	pvmodel_finish(m);
}

static struct kunit_case pvmodel_cases[] = {
	KUNIT_CASE_PARAM(pvtest_random, pvmodel_run_gen_params),
	{}
};

static struct kunit_suite pvmodel_suite = {
	.name = "pvio_vhost_ring_random",
	.exit = pvtest_exit,
	.test_cases = pvmodel_cases,
};

kunit_test_suite(pvmodel_suite);
