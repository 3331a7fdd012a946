// SPDX-License-Identifier: GPL-2.0-only
/* The split virtqueue, as virtio 1.4, 2.7 says. */
#include <string.h>

#include <linux/kernel.h>

#include "model_split.h"

#define SPLIT_NEXT	1
#define SPLIT_WRITE	2
#define SPLIT_INDIRECT	4

struct split_desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static struct split_desc split_desc_at(const u8 *p)
{
	return (struct split_desc) {
		.addr = model_le64(p),
		.len = model_le32(p + 8),
		.flags = model_le16(p + 12),
		.next = model_le16(p + 14),
	};
}

static const u8 *split_area(const struct model *m, enum world_area area)
{
	return m->w->mem[area].p;
}

static u16 split_avail_idx(const struct model *m)
{
	return model_le16(split_area(m, WORLD_DRIVER) + 2);
}

static void split_parse_table(struct model *m, struct model_chain *c,
			      const struct split_desc *d)
{
	unsigned int num = m->cfg.limits.max_desc, idx = 0;
	u8 table[16 * MODEL_DESC_MAX];
	struct split_desc e;
	int pieces;

	if (!m->cfg.indirect) {
		c->bad = "indirect without the feature";
		return;
	}
	if (!d->len || d->len % 16) {
		c->bad = "table of a bad length";
		return;
	}
	/* Of a longer one no more can be used. */
	num = min(num, d->len / 16);
	pieces = model_copy(m, d->addr, 16 * num, table);
	if (pieces < 0 || pieces > MODEL_TABLE_PIECES) {
		c->bad = "table not mapped";
		return;
	}
	do {
		if (idx >= num) {
			c->bad = "next beyond the table";
			return;
		}
		e = split_desc_at(table + 16 * idx);
		if (e.flags & SPLIT_INDIRECT) {
			c->bad = "indirect in a table";
			return;
		}
		model_add(m, c, e.addr, e.len, e.flags & SPLIT_WRITE);
		idx = e.next;
	} while ((e.flags & SPLIT_NEXT) && !c->bad);
}

/* Descriptors that are looked at, from @head on: one too many ends the search. */
static unsigned int split_count(const struct model *m, unsigned int idx)
{
	unsigned int n = 0;
	struct split_desc d;

	if (idx >= m->cfg.num)
		idx = 0;
	do {
		d = split_desc_at(split_area(m, WORLD_DESC) + 16 * idx);
		idx = d.next;
		n++;
	} while ((d.flags & SPLIT_NEXT) && idx < m->cfg.num && n <= m->cfg.limits.max_desc);
	return n;
}

static void split_parse(struct model *m, struct model_chain *c, u16 head)
{
	unsigned int idx = head, n = 0;
	struct split_desc d;

	memset(c, 0, offsetof(struct model_chain, piece));
	c->id = head;
	c->ndirect = split_count(m, head);
	do {
		if (idx >= m->cfg.num) {
			c->bad = "descriptor out of range";
			return;
		}
		if (++n > m->cfg.limits.max_desc) {
			c->bad = "too many descriptors";
			return;
		}
		d = split_desc_at(split_area(m, WORLD_DESC) + 16 * idx);
		if (!(d.flags & SPLIT_INDIRECT))
			model_add(m, c, d.addr, d.len, d.flags & SPLIT_WRITE);
		else if (d.flags & SPLIT_NEXT)
			c->bad = "indirect with a next one";
		else
			split_parse_table(m, c, &d);
		idx = d.next;
	} while ((d.flags & SPLIT_NEXT) && !c->bad);
}

static bool split_owned(const struct model *m, unsigned int n, u16 head)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (m->chain[i].id == head)
			return true;
	return head < m->cfg.num && m->owned[head];
}

int model_split_pop(struct model *m, unsigned int max)
{
	unsigned int room = m->cfg.num - m->taken, n, i;
	const u8 *avail = split_area(m, WORLD_DRIVER);

	m->chain[0].bad = NULL;
	n = (u16)(split_avail_idx(m) - m->avail);
	if (n > m->cfg.num)
		return -EINVAL;
	n = min(n, max);
	if (!n)
		return 0;
	/* What the driver can't know that it may use again. */
	if (!room)
		return m->npending ? 0 : -EINVAL;

	n = min(n, room);
	for (i = 0; i < n; i++) {
		u16 slot = (u16)(m->avail + i) % m->cfg.num;
		u16 head = model_le16(avail + 4 + 2 * slot);

		split_parse(m, &m->chain[i], head);
		if (split_owned(m, i, head))
			m->chain[i].bad = "in flight already";
		if (m->chain[i].bad)
			break;
	}
	return i ?: -EINVAL;
}

void model_split_check_publish(const struct model *m)
{
	const u8 *used = split_area(m, WORLD_DEVICE);
	unsigned int i;

	for (i = 0; i < m->npending; i++) {
		const u8 *e = used + 4 + 8 * ((u16)(m->used + i) % m->cfg.num);

		FUZZ_CHECK(model_le32(e) == m->pending[i].head, "used entry %u", i);
		FUZZ_CHECK(model_le32(e + 4) == m->pending[i].len, "used entry %u", i);
	}
	FUZZ_CHECK(model_le16(used + 2) == (u16)(m->used + m->npending), "used index");
}

enum model_answer model_split_notify_needed(const struct model *m)
{
	const u8 *avail = split_area(m, WORLD_DRIVER);
	u16 event = model_le16(avail + 4 + 2 * m->cfg.num), i;

	if (!m->cfg.event_idx)
		return !(model_le16(avail) & 1);
	if (!m->signalled_valid)
		return MODEL_YES;
	for (i = m->signalled; i != m->used; i++)
		if (i == event)
			return MODEL_YES;
	return MODEL_NO;
}

bool model_split_has_more(const struct model *m)
{
	return split_avail_idx(m) != m->avail;
}

/* With an event index a kick is asked for at the next entry. */
void model_split_check_wish(const struct model *m)
{
	u16 event = model_le16(split_area(m, WORLD_DEVICE) + 4 + 8 * m->cfg.num);

	FUZZ_CHECK(event == m->avail, "the available event is %u, not %u", event, m->avail);
}
