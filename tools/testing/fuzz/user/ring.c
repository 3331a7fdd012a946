// SPDX-License-Identifier: GPL-2.0-only
/*
 * A ring of the engine, driven by an input: what the driver writes, what the
 * backend does, and when. The result of each operation is compared with that of
 * the model, unless memory changed meanwhile; what holds in any case is checked
 * in any case.
 */
#include <string.h>

#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "guest.h"
#include "model.h"
#include "unit.h"

#define FUZZ_OPS_MAX	400

/**
 * struct fuzz_ring - all there is during an input
 * @w: guest memory
 * @g: the driver
 * @m: what should happen
 * @r: what happens
 * @b: room for pops
 * @made: @r and @b are there
 */
struct fuzz_ring {
	struct world w;
	struct guest g;
	struct model m;
	struct pvring r;
	struct pvring_batch *b;
	bool made;
};

static struct fuzz_ring fuzz;

static void fuzz_read_config(struct fuzz_input *in, struct pvring_config *cfg)
{
	static const u32 bytes[] = { 0x4000, 1, 0x40, 0x200, 0x1000, ~0U, 0x4000, 0x4000 };
	u8 bits = fuzz_u8(in), num = fuzz_u8(in);

	*cfg = (struct pvring_config) {
		.format = bits & 1 ? PVRING_PACKED : PVRING_SPLIT,
		.kind = PVMEM_KERN,
		.event_idx = bits & 2,
		.indirect = bits & 4,
		.in_order = bits & 8,
		.num = 1 << (num & 7),
		.limits = {
			.max_desc = 1 + fuzz_u8(in) % MODEL_DESC_MAX,
			.max_bytes = bytes[fuzz_u8(in) & 7],
			.hdr_len = fuzz_u8(in) % (PVRING_HDR_MAX + 1),
		},
	};
	if (bits & 1)
		cfg->num = 1 + num % MODEL_NUM_MAX;
}

/* The areas, at addresses that any format can have. */
static void fuzz_place(struct fuzz_ring *f, struct fuzz_input *in)
{
	enum pvring_format format = f->m.cfg.format;
	unsigned int num = f->m.cfg.num;
	u8 inside = fuzz_u8(in);

	world_set_area(&f->w, WORLD_DESC, pvring_desc_size(format, num), inside & 0x10,
		       inside & 0x10 ? fuzz_u16(in) : 0);
	world_set_area(&f->w, WORLD_DRIVER, pvring_driver_size(format, num), inside & 0x20,
		       inside & 0x20 ? fuzz_u16(in) : 0);
	world_set_area(&f->w, WORLD_DEVICE, pvring_device_size(format, num), inside & 0x40,
		       inside & 0x40 ? fuzz_u16(in) : 0);
	f->r.desc = (uintptr_t)f->w.mem[WORLD_DESC].p;
	f->r.driver = (uintptr_t)f->w.mem[WORLD_DRIVER].p;
	f->r.device = (uintptr_t)f->w.mem[WORLD_DEVICE].p;
}

/* As before a reset. */
static void fuzz_drop_all(struct fuzz_ring *f)
{
	unsigned int i;

	for (i = 0; i < f->m.inflight; i++)
		if (!f->m.flight[i].done)
			pvring_forget(&f->r, f->m.flight[i].head);
	FUZZ_CHECK(!f->r.inflight, "%u in flight", f->r.inflight);
}

static void fuzz_unmake(struct fuzz_ring *f)
{
	if (!f->made)
		return;
	fuzz_drop_all(f);
	pvring_batch_free(f->b);
	pvring_destroy(&f->r);
	f->made = false;
}

/* Both sides at the same place. */
static void fuzz_set_state(struct fuzz_ring *f, u16 idx)
{
	bool packed = f->m.cfg.format == PVRING_PACKED, wrap = !packed || idx & 0x8000;
	struct pvring_state state;

	if (packed)
		idx %= f->m.cfg.num;
	state = (struct pvring_state) {
		.avail_idx = idx,
		.used_idx = idx,
		.avail_wrap = wrap,
		.used_wrap = wrap,
	};
	pvring_set_state(&f->r, &state);
	f->m.avail = idx;
	f->m.used = idx;
	f->m.avail_wrap = wrap;
	f->m.used_wrap = wrap;
	guest_init(&f->g, &f->w, &f->m.cfg, idx, wrap);
	if (!packed)
		world_write(&f->w, f->w.mem[WORLD_DRIVER].p + 2, &idx, 2);
}

static void fuzz_make(struct fuzz_ring *f, struct fuzz_input *in)
{
	struct pvring_config cfg;
	unsigned int chains;
	u16 idx;
	int err;

	fuzz_unmake(f);
	fuzz_read_config(in, &cfg);
	chains = 1 + fuzz_u8(in) % MODEL_BATCH_MAX;
	idx = fuzz_u16(in);
	err = pvring_init(&f->r, &cfg);
	FUZZ_CHECK(!err || err == -EOPNOTSUPP || err == -EINVAL, "init: %d", err);
	if (err)
		return;
	f->b = pvring_batch_alloc(chains, &cfg.limits);
	FUZZ_CHECK(f->b, "no memory");
	f->made = true;

	model_init(&f->m, &f->w, &cfg);
	fuzz_place(f, in);
	fuzz_set_state(f, idx);
}

/* A segment is guest memory, in one place, that the device may use so. */
static void fuzz_check_seg(struct fuzz_ring *f, const struct pvmem_seg *seg, u32 perm)
{
	u64 iova = seg->iova, addr = seg->addr;
	u32 left = seg->len, part;

	FUZZ_CHECK(left, "a segment of no length");
	for (; left; left -= part, iova += part, addr += part) {
		const struct world_map *map = world_find(&f->w, iova);

		FUZZ_CHECK(map && map->perm & perm, "a segment outside of memory");
		FUZZ_CHECK(addr == (uintptr_t)map->mem + (iova - map->iova),
			   "a segment somewhere else");
		part = min_t(u64, left, map->len - (iova - map->iova));
	}
}

static void fuzz_check_chain(struct fuzz_ring *f, const struct pvring_chain *c)
{
	unsigned int segs = c->nout + c->nin, i;
	u64 out = 0, in = 0;

	FUZZ_CHECK(c->head < f->r.num && !f->m.owned[c->head], "head %u has an owner", c->head);
	FUZZ_CHECK(c->hdr_len <= f->r.limits.hdr_len, "a header of %u bytes", c->hdr_len);
	FUZZ_CHECK(!segs || (c->seg >= f->b->seg && c->seg + segs <= f->b->seg + f->b->max_seg),
		   "segments outside of the batch");
	for (i = 0; i < segs; i++) {
		fuzz_check_seg(f, &c->seg[i], i < c->nout ? PVMEM_READ : PVMEM_WRITE);
		*(i < c->nout ? &out : &in) += c->seg[i].len;
	}
	FUZZ_CHECK(c->out_len == out && c->in_len == in, "bytes do not add up");
	FUZZ_CHECK(c->hdr_len + out + in, "an empty chain");
	FUZZ_CHECK(c->hdr_len + out + in <= f->r.limits.max_bytes, "too many bytes");
}

static void fuzz_take(struct fuzz_ring *f, int n, bool known)
{
	int i;

	for (i = 0; i < n; i++) {
		fuzz_check_chain(f, &f->b->chain[i]);
		model_take(&f->m, f->b->chain[i].head, i, known);
	}
}

static void fuzz_check_position(struct fuzz_ring *f)
{
	struct pvring_state state;

	/* Counts of descriptors share a word with IDs, which alone are the driver's. */
	fuzz_untaint(&f->r.last_avail, sizeof(f->r.last_avail));
	fuzz_untaint(&f->r.next_used, sizeof(f->r.next_used));
	pvring_get_state(&f->r, &state);
	f->m.avail = state.avail_idx;
	f->m.avail_wrap = state.avail_wrap;
	FUZZ_CHECK(f->r.inflight == f->m.inflight - f->m.ndone, "%u in flight", f->r.inflight);
	FUZZ_CHECK(f->r.npending == f->m.npending, "%u pending", f->r.npending);
	FUZZ_CHECK(f->m.lost || f->m.taken <= f->r.num, "%u taken", f->m.taken);
}

static void fuzz_give_back(struct fuzz_ring *f, unsigned int from)
{
	unsigned int i;

	pvring_unpop(&f->r, f->b, from);
	for (i = f->b->n; i > from; i--)
		model_give_back(&f->m);
}

/* What is to be asked for is really missing; otherwise it is an error like others. */
static int fuzz_check_miss(struct fuzz_ring *f)
{
	const struct pvring_miss *miss = &f->r.miss;
	const struct world_map *map = world_find(&f->w, miss->iova);

	FUZZ_CHECK(f->w.table->misses, "a miss that can't be mended");
	FUZZ_CHECK(!map || !(map->perm & miss->perm), "a miss of what is there");
	return -EINVAL;
}

/* @what: chains at most, and how many of them are given back. */
static void fuzz_pop(struct fuzz_ring *f, struct fuzz_input *in)
{
	u8 what = fuzz_u8(in);
	unsigned int max = what & 0xf;
	bool faulty = unit_fault_countdown >= 0;
	u16 before = f->m.avail;
	int want, got;

	/* The model sees memory as it is now. */
	want = model_pop(&f->m, min(max, f->b->max));
	f->r.error = NULL;
	world_watch(&f->w);
	guest_begin(&f->g);
	got = pvring_pop(&f->r, f->w.table, f->b, max);
	guest_end(&f->g);
	world_unwatch(&f->w, NULL, 0);

	FUZZ_CHECK(got <= (int)min(max, f->b->max), "popped %d of %u", got, max);
	faulty &= unit_fault_countdown < 0;
	if (got == -EAGAIN)
		FUZZ_CHECK(faulty && f->r.fault.len && !f->r.fault.write, "fault of nothing");
	else if (got == -ENXIO)
		got = fuzz_check_miss(f);
	else if (got < 0)
		FUZZ_CHECK(got == -EINVAL && f->r.error, "error %d", got);
	if (!f->g.changed && !faulty && !f->m.lost)
		model_check_pop(&f->m, f->b, want, got);
	fuzz_take(f, got, !f->g.changed && !f->m.lost);
	fuzz_check_position(f);
	FUZZ_CHECK(got > 0 || before == f->m.avail, "nothing popped, and gone on");

	if (got > 0 && what & 0x80) {
		fuzz_give_back(f, (what >> 4 & 7) % (got + 1));
		fuzz_check_position(f);
		FUZZ_CHECK((what >> 4 & 7) % (got + 1) || before == f->m.avail,
			   "all given back, and gone on");
	}
}

static void fuzz_complete(struct fuzz_ring *f, struct fuzz_input *in)
{
	u8 nr = fuzz_u8(in);
	u32 len = fuzz_u16(in);

	if (!f->r.inflight)
		return;
	pvring_complete(&f->r, model_complete(&f->m, nr, len), len);
	fuzz_check_position(f);
}

/* What the device may write into when it publishes. */
static const struct world_mem *fuzz_used_area(struct fuzz_ring *f)
{
	return &f->w.mem[f->m.cfg.format == PVRING_PACKED ? WORLD_DESC : WORLD_DEVICE];
}

static void fuzz_publish(struct fuzz_ring *f, struct fuzz_input *in)
{
	const struct world_mem *used = fuzz_used_area(f);
	struct pvring_state state;

	world_watch(&f->w);
	guest_begin(&f->g);
	FUZZ_CHECK(!pvring_publish(&f->r), "publish");
	guest_end(&f->g);
	world_unwatch(&f->w, used->p, used->len);
	if (f->m.npending)
		model_check_publish(&f->m);
	pvring_get_state(&f->r, &state);
	f->m.used = state.used_idx;
	f->m.used_wrap = state.used_wrap;
	model_published(&f->m);
	fuzz_check_position(f);
}

static void fuzz_notify(struct fuzz_ring *f, struct fuzz_input *in)
{
	enum model_answer want = model_notify_needed(&f->m);
	int got;

	world_watch(&f->w);
	guest_begin(&f->g);
	got = pvring_notify_needed(&f->r);
	guest_end(&f->g);
	world_unwatch(&f->w, NULL, 0);
	FUZZ_CHECK(got == 0 || got == 1, "notify: %d", got);
	if (!f->g.changed && !f->m.lost && want != MODEL_EITHER)
		FUZZ_CHECK(got == (int)want, "notify: %d, not %d", got, want);
	/* Where it isn't known what was seen, the next answer isn't either. */
	if (f->g.changed)
		f->m.lost |= f->m.cfg.format == PVRING_PACKED;
	model_notified(&f->m);
}

static void fuzz_kicks(struct fuzz_ring *f, struct fuzz_input *in)
{
	const struct world_mem *device = &f->w.mem[WORLD_DEVICE];
	bool enable = fuzz_u8(in) & 1;
	int got, want;

	world_watch(&f->w);
	guest_begin(&f->g);
	got = enable ? pvring_kicks_enable(&f->r) : pvring_kicks_disable(&f->r);
	guest_end(&f->g);
	world_unwatch(&f->w, device->p, device->len);
	FUZZ_CHECK(got == 0 || got == 1, "kicks: %d", got);
	if (f->g.changed)
		return;
	want = enable && model_has_more(&f->m);
	FUZZ_CHECK(got == want, "kicks: %d, not %d", got, want);
	if (enable)
		model_check_wish(&f->m);
}

/* What a backend does all the time. */
static void fuzz_turn(struct fuzz_ring *f, struct fuzz_input *in)
{
	fuzz_pop(f, in);
	while (f->r.inflight)
		fuzz_complete(f, in);
	fuzz_publish(f, in);
	fuzz_notify(f, in);
}

/* The table is replaced between two operations; the ring's areas stay where they are. */
static void fuzz_table(struct fuzz_ring *f, struct fuzz_input *in)
{
	u16 regions = fuzz_u16(in);

	world_set_table(&f->w, regions, fuzz_u8(in));
}

static void fuzz_restart(struct fuzz_ring *f, struct fuzz_input *in)
{
	struct pvring_config cfg = f->m.cfg;
	struct pvring old = f->r;

	fuzz_drop_all(f);
	pvring_destroy(&f->r);
	FUZZ_CHECK(!pvring_init(&f->r, &cfg), "init");
	f->r.desc = old.desc;
	f->r.driver = old.driver;
	f->r.device = old.device;
	model_init(&f->m, &f->w, &cfg);
	fuzz_set_state(f, fuzz_u16(in));
}

/* A copy from memory that isn't present; what comes next is the same once more. */
static void fuzz_fault(struct fuzz_ring *f, struct fuzz_input *in)
{
	unit_fault_countdown = fuzz_u8(in) % 8;
}

/* Stopped and started again by somebody else, at the same place. */
static void fuzz_move(struct fuzz_ring *f, struct fuzz_input *in)
{
	struct pvring_state state;

	if (f->m.inflight)
		return;
	fuzz_publish(f, in);
	pvring_get_state(&f->r, &state);
	FUZZ_CHECK(state.avail_idx == f->m.avail && state.used_idx == f->m.used, "state");
	pvring_destroy(&f->r);
	FUZZ_CHECK(!pvring_init(&f->r, &f->m.cfg), "init");
	fuzz_place(f, in);
	pvring_set_state(&f->r, &state);
	f->m.signalled_valid = false;
	f->m.since = 0;
}

static void fuzz_op_write(struct fuzz_ring *f, struct fuzz_input *in)
{
	guest_write(&f->g, in);
}

static void fuzz_op_arm(struct fuzz_ring *f, struct fuzz_input *in)
{
	guest_arm(&f->g, in);
}

static void fuzz_op_offer(struct fuzz_ring *f, struct fuzz_input *in)
{
	guest_offer(&f->g, in);
}

static void (*const fuzz_ops[])(struct fuzz_ring *f, struct fuzz_input *in) = {
	fuzz_op_write, fuzz_op_offer, fuzz_pop, fuzz_complete, fuzz_publish, fuzz_notify,
	fuzz_kicks, fuzz_op_arm, fuzz_table, fuzz_restart, fuzz_make, fuzz_fault, fuzz_move,
	fuzz_op_offer, fuzz_turn,
};

int fuzz_one_input(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .at = data, .left = size };
	unsigned long allocs = unit_allocs;
	struct fuzz_ring *f = &fuzz;
	unsigned int n;
	u8 op;

	world_init(&f->w);
	fuzz_make(f, &in);
	for (n = 0; n < FUZZ_OPS_MAX && in.left; n++) {
		op = fuzz_u8(&in) % ARRAY_SIZE(fuzz_ops);
		if (f->made || fuzz_ops[op] == fuzz_make)
			fuzz_ops[op](f, &in);
		FUZZ_CHECK(!unit_warnings, "a warning");
	}
	fuzz_unmake(f);
	world_destroy(&f->w);
	unit_heal();
	FUZZ_CHECK(unit_allocs == allocs, "%lu allocations are left", unit_allocs - allocs);
	return 0;
}
