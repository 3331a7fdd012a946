// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/kernel.h>

#include "model.h"
#include "model_packed.h"
#include "model_split.h"

u16 model_le16(const u8 *p)
{
	return p[0] | p[1] << 8;
}

u32 model_le32(const u8 *p)
{
	return model_le16(p) | (u32)model_le16(p + 2) << 16;
}

u64 model_le64(const u8 *p)
{
	return model_le32(p) | (u64)model_le32(p + 4) << 32;
}

static bool model_is_packed(const struct model *m)
{
	return m->cfg.format == PVRING_PACKED;
}

void model_init(struct model *m, struct world *w, const struct pvring_config *cfg)
{
	memset(m, 0, offsetof(struct model, chain));
	m->w = w;
	m->cfg = *cfg;
}

/* Adds a piece; tells whether it is one with the last one, which is of the same buffer. */
static bool model_add_piece(struct model_chain *c, const struct model_piece *p, bool first)
{
	const struct model_piece *last = &c->piece[c->npieces - 1];
	bool one = !first && last->mem + last->len == p->mem;

	FUZZ_CHECK(c->npieces < MODEL_PIECES, "the model is too small");
	c->piece[c->npieces++] = *p;
	return one;
}

/* Adds a buffer to a chain, region by region. */
void model_add(struct model *m, struct model_chain *c, u64 iova, u32 len, bool write)
{
	u32 perm = write ? PVMEM_WRITE : PVMEM_READ;
	bool first = true;

	if (++c->ndesc > m->cfg.limits.max_desc)
		c->bad = "too many descriptors";
	else if (!len)
		c->bad = "length 0";
	else if (!write && c->in_len)
		c->bad = "readable behind writable";
	else if (c->out_len + c->in_len + len > m->cfg.limits.max_bytes)
		c->bad = "too many bytes";
	else if (iova > ~0ULL - (len - 1))
		c->bad = "wraps";
	*(write ? &c->in_len : &c->out_len) += len;

	while (len && !c->bad) {
		const struct world_map *map = world_find(m->w, iova);
		struct model_piece p = { .iova = iova, .write = write };

		if (!map || !(map->perm & perm)) {
			c->bad = "not mapped";
			break;
		}
		p.mem = map->mem + (iova - map->iova);
		p.len = min_t(u64, len, map->len - (iova - map->iova));
		c->nsegs += !model_add_piece(c, &p, first);
		first = false;
		iova += p.len;
		len -= p.len;
	}
}

/* Copies memory that the device may read; the number of pieces, or -1. */
int model_copy(struct model *m, u64 iova, u32 len, u8 *to)
{
	const u8 *last = NULL;
	int pieces = 0;

	if (len && iova > ~0ULL - (len - 1))
		return -1;
	for (; len; len--, iova++) {
		const struct world_map *map = world_find(m->w, iova);
		const u8 *at;

		if (!map || !(map->perm & PVMEM_READ))
			return -1;
		at = map->mem + (iova - map->iova);
		pieces += at != last;
		last = at + 1;
		*to++ = *at;
	}
	return pieces;
}

/* Chains that a pop of up to @max finds, in &model.chain, or -EINVAL. */
int model_pop(struct model *m, unsigned int max)
{
	return model_is_packed(m) ? model_packed_pop(m, max) : model_split_pop(m, max);
}

/* How much of a batch's room the first @n + 1 chains need. */
static bool model_fits(const struct model *m, const struct pvring_batch *b, unsigned int n)
{
	unsigned int raw = 0, segs = 0, i;

	for (i = 0; i <= n; i++) {
		raw += m->chain[i].ndirect;
		segs += m->chain[i].nsegs;
	}
	return raw <= b->max_raw && segs <= b->max_seg;
}

/* Compares what begins with piece @p, @skip bytes in, with @n segments. */
static void model_check_segs(const struct model_piece *p, u32 skip, const struct pvmem_seg *seg,
			     unsigned int n)
{
	u32 done = 0, part;

	while (n) {
		FUZZ_CHECK(seg->len, "a segment of no length");
		FUZZ_CHECK(seg->addr + done == (uintptr_t)p->mem + skip, "address");
		FUZZ_CHECK(seg->iova + done == p->iova + skip, "I/O virtual address");
		part = min(seg->len - done, p->len - skip);
		skip += part;
		done += part;
		if (skip == p->len) {
			skip = 0;
			p++;
		}
		if (done == seg->len) {
			done = 0;
			seg++;
			n--;
		}
	}
	FUZZ_CHECK(!skip, "a part of a piece");
}

static void model_check_chain(const struct model *m, const struct model_chain *want,
			      const struct pvring_chain *got)
{
	u32 hdr = min_t(u64, m->cfg.limits.hdr_len, want->out_len), i, skip = 0;
	const struct model_piece *p = want->piece;

	if (!model_is_packed(m))
		FUZZ_CHECK(got->head == want->id, "head %u, not %u", got->head, want->id);
	FUZZ_CHECK(got->hdr_len == hdr, "header of %u bytes", got->hdr_len);
	FUZZ_CHECK(got->out_len == want->out_len - hdr, "%u readable bytes", got->out_len);
	FUZZ_CHECK(got->in_len == want->in_len, "%u writable bytes", got->in_len);
	for (i = 0; i < hdr; i++) {
		FUZZ_CHECK(got->hdr[i] == p->mem[skip], "header byte %u", i);
		if (++skip == p->len) {
			skip = 0;
			p++;
		}
	}
	model_check_segs(p, skip, got->seg, got->nout + got->nin);
}

/* Compares what a pop returned with what model_pop() did. */
void model_check_pop(const struct model *m, const struct pvring_batch *b, int want, int got)
{
	int i;

	if (want > 0 && m->chain[0].nsegs > b->max_seg)
		want = -EINVAL;
	if (want <= 0 || got <= 0) {
		FUZZ_CHECK(got == want, "popped %d, not %d (%s)", got, want,
			   m->chain[0].bad ?: "");
		return;
	}
	FUZZ_CHECK(got <= want, "popped %d, not %d (%s)", got, want, m->chain[want].bad ?: "");
	FUZZ_CHECK(got == want || !model_fits(m, b, got), "popped %d of %d, without need",
		   got, want);
	for (i = 0; i < got; i++)
		model_check_chain(m, &m->chain[i], &b->chain[i]);
}

/* Chain @i of the last pop has an owner; where it isn't @known, nor is what it takes. */
void model_take(struct model *m, u16 head, unsigned int i, bool known)
{
	struct model_used u = { .head = head, .id = head, .ndesc = 1 };

	if (model_is_packed(m) && known) {
		u.id = m->chain[i].id;
		u.ndesc = m->chain[i].ndirect;
	}
	m->lost |= model_is_packed(m) && !known;
	m->owned[head] = true;
	m->taken += u.ndesc;
	m->flight[m->inflight++] = u;
}

/* The chain that was popped last was not. */
void model_give_back(struct model *m)
{
	const struct model_used *u = &m->flight[--m->inflight];

	m->owned[u->head] = false;
	m->taken -= u->ndesc;
}

static void model_end_flight(struct model *m, unsigned int i)
{
	m->pending[m->npending++] = m->flight[i];
	m->owned[m->flight[i].head] = false;
	m->inflight--;
	memmove(&m->flight[i], &m->flight[i + 1], (m->inflight - i) * sizeof(m->flight[0]));
}

/* Completes one of the chains that are not: number @nr, counted round and round. */
u16 model_complete(struct model *m, unsigned int nr, u32 len)
{
	struct model_used *u = m->flight;
	u16 head;

	nr %= m->inflight - m->ndone;
	for (; u->done || nr; u++)
		nr -= !u->done;
	head = u->head;
	u->len = len;
	if (!m->cfg.in_order) {
		model_end_flight(m, u - m->flight);
		return head;
	}
	u->done = true;
	for (m->ndone++; m->inflight && m->flight[0].done; m->ndone--)
		model_end_flight(m, 0);
	return head;
}

/* What was pending is in the ring. */
void model_check_publish(const struct model *m)
{
	if (!model_is_packed(m))
		model_split_check_publish(m);
	else if (!m->lost)
		model_packed_check_publish(m);
}

void model_published(struct model *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->npending; i++)
		n += m->pending[i].ndesc;
	m->taken -= n;
	m->since += n;
	m->npending = 0;
}

/* Would the driver like to be notified. */
enum model_answer model_notify_needed(const struct model *m)
{
	return model_is_packed(m) ? model_packed_notify_needed(m) : model_split_notify_needed(m);
}

/* It was asked; what the driver wanted is still there. */
void model_notified(struct model *m)
{
	if (model_is_packed(m) &&
	    (!m->cfg.event_idx || (m->w->mem[WORLD_DRIVER].p[2] & 3) != 2))
		return;
	m->signalled = m->used;
	m->signalled_valid = true;
	m->since = 0;
}

/* Is something available that was not popped. */
bool model_has_more(const struct model *m)
{
	return model_is_packed(m) ? model_packed_has_more(m) : model_split_has_more(m);
}

/* The driver can see that a kick is wanted. */
void model_check_wish(const struct model *m)
{
	if (!m->cfg.event_idx)
		return;
	if (model_is_packed(m))
		model_packed_check_wish(m);
	else
		model_split_check_wish(m);
}
