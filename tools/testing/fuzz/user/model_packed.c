// SPDX-License-Identifier: GPL-2.0-only
/* The packed virtqueue, as virtio 1.4, 2.8 says. */
#include <string.h>

#include "model_packed.h"

#define PACKED_NEXT	0x1
#define PACKED_WRITE	0x2
#define PACKED_INDIRECT	0x4
#define PACKED_AVAIL	0x80
#define PACKED_USED	0x8000

#define PACKED_DISABLE	1
#define PACKED_DESC	2

struct packed_desc {
	u64 addr;
	u32 len;
	u16 id;
	u16 flags;
};

/* A place in the ring. */
struct packed_place {
	unsigned int pos;
	bool wrap;
};

static struct packed_desc packed_desc_at(const u8 *p)
{
	return (struct packed_desc) {
		.addr = model_le64(p),
		.len = model_le32(p + 8),
		.id = model_le16(p + 12),
		.flags = model_le16(p + 14),
	};
}

static struct packed_desc packed_desc(const struct model *m, const struct packed_place *at)
{
	return packed_desc_at(m->w->mem[WORLD_DESC].p + 16 * at->pos);
}

static void packed_step(const struct model *m, struct packed_place *at)
{
	if (++at->pos == m->cfg.num) {
		at->pos = 0;
		at->wrap = !at->wrap;
	}
}

static void packed_step_back(const struct model *m, struct packed_place *at)
{
	if (!at->pos) {
		at->pos = m->cfg.num;
		at->wrap = !at->wrap;
	}
	at->pos--;
}

static bool packed_available(const struct model *m, const struct packed_place *at)
{
	u16 flags = packed_desc(m, at).flags;

	return !(flags & PACKED_AVAIL) == !at->wrap && !(flags & PACKED_USED) != !at->wrap;
}

static void packed_parse_table(struct model *m, struct model_chain *c,
			       const struct packed_desc *d)
{
	u8 table[16 * MODEL_DESC_MAX];
	struct packed_desc e;
	unsigned int i;
	int pieces;

	if (!m->cfg.indirect)
		c->bad = "indirect without the feature";
	else if (!d->len || d->len % 16)
		c->bad = "table of a bad length";
	else if (d->len / 16 > m->cfg.limits.max_desc)
		c->bad = "table is too long";
	if (c->bad)
		return;
	pieces = model_copy(m, d->addr, d->len, table);
	if (pieces < 0 || pieces > MODEL_TABLE_PIECES)
		c->bad = "table not mapped";
	/* What else the flags say is reserved here, and ignored. */
	for (i = 0; i < d->len / 16 && !c->bad; i++) {
		e = packed_desc_at(table + 16 * i);
		model_add(m, c, e.addr, e.len, e.flags & PACKED_WRITE);
	}
}

/* Leaves @at behind the chain. */
static void packed_parse(struct model *m, struct model_chain *c, struct packed_place *at)
{
	struct packed_desc d;
	unsigned int n = 0;

	memset(c, 0, offsetof(struct model_chain, piece));
	do {
		d = packed_desc(m, at);
		packed_step(m, at);
		if (++n > m->cfg.limits.max_desc) {
			c->bad = "too many descriptors";
			break;
		}
		if (c->bad)
			continue;
		if (!(d.flags & PACKED_INDIRECT))
			model_add(m, c, d.addr, d.len, d.flags & PACKED_WRITE);
		else if (n > 1 || d.flags & PACKED_NEXT)
			c->bad = "indirect is not the whole chain";
		else
			packed_parse_table(m, c, &d);
	} while (d.flags & PACKED_NEXT);
	c->ndirect = n;
	c->id = d.id;
}

int model_packed_pop(struct model *m, unsigned int max)
{
	struct packed_place at = { m->avail, m->avail_wrap };
	unsigned int room = m->cfg.num - m->taken, i;

	m->chain[0].bad = NULL;
	for (i = 0; i < max; i++) {
		struct model_chain *c = &m->chain[i];

		if (!packed_available(m, &at))
			return i;
		packed_parse(m, c, &at);
		if (c->bad)
			break;
		if (c->ndirect > room) {
			c->bad = "no room";
			return i ?: m->npending ? 0 : -EINVAL;
		}
		room -= c->ndirect;
	}
	return i || !max ? (int)i : -EINVAL;
}

void model_packed_check_publish(const struct model *m)
{
	struct packed_place at = { m->used, m->used_wrap };
	unsigned int i, k;

	for (i = 0; i < m->npending; i++) {
		const struct model_used *u = &m->pending[i];
		struct packed_desc d = packed_desc(m, &at);

		FUZZ_CHECK(d.id == u->id, "used descriptor %u: id", i);
		FUZZ_CHECK(d.len == u->len, "used descriptor %u: length", i);
		FUZZ_CHECK(!(d.flags & PACKED_AVAIL) == !at.wrap &&
			   !(d.flags & PACKED_USED) == !at.wrap, "used descriptor %u: flags", i);
		for (k = 0; k < u->ndesc; k++)
			packed_step(m, &at);
	}
}

enum model_answer model_packed_notify_needed(const struct model *m)
{
	const u8 *driver = m->w->mem[WORLD_DRIVER].p;
	u16 at = model_le16(driver), flags = model_le16(driver + 2) & 3;
	struct packed_place p = { m->used, m->used_wrap };
	unsigned int i;

	if (flags != PACKED_DESC || !m->cfg.event_idx)
		return flags != PACKED_DISABLE;
	if (!m->signalled_valid || m->since > m->cfg.num)
		return MODEL_YES;
	/* The driver names a descriptor that there isn't: nothing is promised. */
	if ((at & 0x7fff) >= m->cfg.num)
		return MODEL_EITHER;
	for (i = 0; i < m->since; i++) {
		packed_step_back(m, &p);
		if (p.pos == (at & 0x7fff) && p.wrap == !!(at & 0x8000))
			return MODEL_YES;
	}
	return MODEL_NO;
}

bool model_packed_has_more(const struct model *m)
{
	struct packed_place at = { m->avail, m->avail_wrap };

	return packed_available(m, &at);
}

/* With an event index a kick is asked for at the next descriptor. */
void model_packed_check_wish(const struct model *m)
{
	u32 wish = model_le32(m->w->mem[WORLD_DEVICE].p);

	FUZZ_CHECK(wish == (m->avail | (u32)m->avail_wrap << 15 | PACKED_DESC << 16),
		   "the device event is %x", wish);
}
