/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_CHAIN_H
#define _PVIO_VHOST_RING_CHAIN_H

/*
 * From descriptors to a chain: what both formats have in common. All of it works
 * on copies that the driver can't change; @format and @kind are constants.
 */

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/nospec.h>

#include "inflight.h"
#include "ring_access.h"

#define PVDESC_SIZE		16
#define PVDESC_F_NEXT		0x1
#define PVDESC_F_WRITE		0x2
#define PVDESC_F_INDIRECT	0x4

static __always_inline u32 pvdesc_len(u64 rest)
{
	return rest;
}

static __always_inline u16 pvdesc_flags(u64 rest, const enum pvring_format format)
{
	return format == PVRING_PACKED ? rest >> 48 : rest >> 32;
}

/* Split alone. */
static __always_inline u16 pvdesc_next(u64 rest)
{
	return rest >> 48;
}

/**
 * struct pvchain_cursor - where the pieces of the next chain go
 * @seg: the next piece
 * @end: end of the room for pieces
 */
struct pvchain_cursor {
	struct pvmem_seg *seg;
	const struct pvmem_seg *end;
};

/**
 * struct pvchain_way - what a chain has in one direction
 * @n: pieces
 * @len: bytes
 */
struct pvchain_way {
	u32 n;
	u32 len;
};

/* Windows into another table are of no use. */
static __always_inline void pvchain_see_table(struct pvring_batch *b,
					      const struct pvmem_table *t)
{
	if (likely(b->near_id == t->id))
		return;
	b->near_id = t->id;
	b->near[0].size = 0;
	b->near[1].size = 0;
}

/* Translates what lies in a window as a whole; returns false for the rest. */
static __always_inline bool pvchain_translate_near(const struct pvring_batch *b,
						   u64 iova, u32 len,
						   const u32 perm,
						   struct pvmem_seg *seg)
{
	const struct pvring_near *w = &b->near[0];
	u64 off = iova - w->start;

	if (off >= w->size) {
		w = &b->near[1];
		off = iova - w->start;
		if (off >= w->size)
			return false;
	}
	if (unlikely(!(w->perm & perm)) || unlikely(len > w->size - off))
		return false;

	seg->addr = w->addr + array_index_nospec(off, w->size);
	seg->iova = iova;
	seg->len = len;
	return true;
}

int pvchain_translate_far(struct pvring_batch *b, const struct pvmem_table *t,
			  u64 iova, u32 len, u32 perm, struct pvmem_seg *seg,
			  unsigned int max);

/*
 * Adds descriptors up to the first that goes another way than @perm says, or is
 * indirect; the chain may have @left bytes more. Returns how many, or a negative
 * error.
 */
static __always_inline int pvchain_add_run(struct pvring *r,
					   const struct pvmem_table *t,
					   struct pvring_batch *b,
					   struct pvchain_cursor *cur,
					   struct pvchain_way *way, u32 left,
					   const struct pvring_raw *raw, int n,
					   const u32 perm,
					   const enum pvring_format format)
{
	const u16 want = perm == PVMEM_WRITE ? PVDESC_F_WRITE : 0;
	int k;

	for (k = 0; k < n; k++) {
		u64 rest = le64_to_cpu(raw[k].rest), addr;
		u32 len = pvdesc_len(rest);
		int pieces = 1;

		if ((pvdesc_flags(rest, format) &
		     (PVDESC_F_WRITE | PVDESC_F_INDIRECT)) != want)
			break;
		if (unlikely(len - 1 >= left))
			return pvring_broken(r, len ?
					     "more bytes in a chain than offered" :
					     "descriptor of length 0");
		left -= len;
		way->len += len;

		addr = le64_to_cpu(raw[k].addr);
		if (unlikely(cur->seg == cur->end))
			return -ENOSPC;
		if (!pvchain_translate_near(b, addr, len, perm, cur->seg)) {
			pieces = pvchain_translate_far(b, t, addr, len, perm,
						       cur->seg,
						       cur->end - cur->seg);
			if (unlikely(pieces == -EFAULT))
				return pvring_unmapped(r, t, addr, len, perm,
						       "descriptor outside of the mapped memory");
			if (unlikely(pieces < 0))
				return pieces;
		}
		cur->seg += pieces;
		way->n += pieces;
	}
	return k;
}

/*
 * Adds descriptors to a chain that may have some already: readable ones, then
 * writable ones. Returns how many were added: those behind are indirect, or out
 * of order.
 */
static __always_inline int pvchain_add(struct pvring *r,
				       const struct pvmem_table *t,
				       struct pvring_batch *b,
				       struct pvchain_cursor *cur,
				       struct pvchain_way *out,
				       struct pvchain_way *in,
				       const struct pvring_raw *raw, int n,
				       const enum pvring_format format)
{
	u32 max = r->limits.max_bytes;
	int k = 0, m;

	if (!in->n) {
		k = pvchain_add_run(r, t, b, cur, out, max - out->len, raw, n,
				    PVMEM_READ, format);
		if (unlikely(k < 0))
			return k;
	}
	if (k < n) {
		m = pvchain_add_run(r, t, b, cur, in, max - out->len - in->len,
				    raw + k, n - k, PVMEM_WRITE, format);
		if (unlikely(m < 0))
			return m;
		k += m;
	}
	return k;
}

/* Copies an indirect table into the batch; returns its number of entries. */
static __always_inline int pvchain_read_table(struct pvring *r,
					      const struct pvmem_table *t,
					      struct pvring_batch *b,
					      const struct pvring_raw *d,
					      const enum pvmem_kind kind)
{
	u64 addr = le64_to_cpu(d->addr);
	u32 len = pvdesc_len(le64_to_cpu(d->rest)), done = 0;
	struct pvmem_seg seg[2];
	int n = 1, i, err;

	if (unlikely(!r->indirect))
		return pvring_broken(r, "indirect descriptor without the feature");
	if (unlikely(!len || len % PVDESC_SIZE))
		return pvring_broken(r, "indirect table of a bad length");

	/* A longer table can only be used in part. */
	len = min_t(u32, len, PVDESC_SIZE * b->max_table);
	if (!pvchain_translate_near(b, addr, len, PVMEM_READ, seg))
		n = pvchain_translate_far(b, t, addr, len, PVMEM_READ, seg,
					  ARRAY_SIZE(seg));
	if (unlikely(n == -EFAULT))
		return pvring_unmapped(r, t, addr, len, PVMEM_READ,
				       "indirect table outside of the mapped memory");
	if (unlikely(n < 0))
		return pvring_broken(r, "indirect table in too many pieces");

	for (i = 0; i < n; i++) {
		u32 at = array_index_nospec(done, PVDESC_SIZE * b->max_table);

		err = pvmem_copy_from(kind, (void *)b->table + at,
				      seg[i].addr, seg[i].len);
		if (err == -EAGAIN)
			return pvring_fault(r, seg[i].addr, seg[i].len, false);
		if (err)
			return pvring_broken(r, "indirect table is no memory");
		done += seg[i].len;
	}
	return len / PVDESC_SIZE;
}

/* Follows the chain in a table of @n entries of which the first @i are in order. */
static __always_inline int pvchain_sort_table(struct pvring *r,
					      struct pvring_batch *b,
					      unsigned int i, unsigned int n,
					      unsigned int most)
{
	unsigned int idx = i, k;

	for (k = 0; k < i; k++)
		b->sorted[k] = b->table[k];
	for (;;) {
		u64 rest = le64_to_cpu(b->table[idx].rest);
		u16 flags = pvdesc_flags(rest, PVRING_SPLIT);

		if (unlikely(flags & PVDESC_F_INDIRECT))
			return pvring_broken(r, "indirect descriptor in an indirect table");
		b->sorted[k++] = b->table[idx];
		if (!(flags & PVDESC_F_NEXT))
			return k;

		idx = pvdesc_next(rest);
		if (unlikely(idx >= n || k >= most))
			return pvring_broken(r, "indirect chain loops or is too long");
		idx = array_index_nospec(idx, n);
	}
}

/*
 * Split: finds the chain in a table of @n entries, which may have @most. Returns
 * its length, and in @raw where it is: most drivers put it there in order.
 */
static __always_inline int pvchain_find_split(struct pvring *r,
					      struct pvring_batch *b,
					      unsigned int n, unsigned int most,
					      const struct pvring_raw **raw)
{
	unsigned int i;

	*raw = b->table;
	for (i = 0; i < n; i++) {
		u64 rest = le64_to_cpu(b->table[i].rest);
		u16 flags = pvdesc_flags(rest, PVRING_SPLIT);

		if (unlikely(flags & PVDESC_F_INDIRECT) || unlikely(i == most))
			break;
		if (!(flags & PVDESC_F_NEXT))
			return i + 1;
		if (pvdesc_next(rest) != i + 1)
			break;
	}
	if (unlikely(i == n || i == most))
		return pvring_broken(r, "indirect chain loops or is too long");
	*raw = b->sorted;
	return pvchain_sort_table(r, b, i, n, most);
}

/* Packed: all entries are the chain; of their flags only WRITE means something. */
static __always_inline int pvchain_find_packed(struct pvring *r,
					       struct pvring_batch *b,
					       unsigned int n, u32 len,
					       const struct pvring_raw **raw)
{
	unsigned int i;

	if (unlikely(len > n * PVDESC_SIZE))
		return pvring_broken(r, "indirect table is too long");
	for (i = 0; i < n; i++)
		b->table[i].rest &= ~cpu_to_le64((u64)PVDESC_F_INDIRECT << 48);
	*raw = b->table;
	return n;
}

/* Adds what an indirect descriptor leads to, behind @direct others. */
static __always_inline int pvchain_add_indirect(struct pvring *r,
						const struct pvmem_table *t,
						struct pvring_batch *b,
						struct pvchain_cursor *cur,
						struct pvchain_way *out,
						struct pvchain_way *in,
						const struct pvring_raw *d,
						unsigned int direct,
						const enum pvmem_kind kind,
						const enum pvring_format format)
{
	const struct pvring_raw *raw;
	int n, k;

	n = pvchain_read_table(r, t, b, d, kind);
	if (unlikely(n < 0))
		return n;
	n = format == PVRING_PACKED ?
		pvchain_find_packed(r, b, n, pvdesc_len(le64_to_cpu(d->rest)), &raw) :
		pvchain_find_split(r, b, n, r->limits.max_desc - direct, &raw);
	if (unlikely(n < 0))
		return n;

	k = pvchain_add(r, t, b, cur, out, in, raw, n, format);
	if (unlikely(k >= 0 && k < n))
		return pvring_broken(r, "readable descriptor behind a writable one");
	return k < 0 ? k : 0;
}

/* Adds all descriptors of a chain of @n, those of a table included. */
static __always_inline int pvchain_add_all(struct pvring *r,
					   const struct pvmem_table *t,
					   struct pvring_batch *b,
					   struct pvchain_cursor *cur,
					   struct pvchain_way *out,
					   struct pvchain_way *in,
					   const struct pvring_raw *raw, int n,
					   const enum pvmem_kind kind,
					   const enum pvring_format format)
{
	int k = pvchain_add(r, t, b, cur, out, in, raw, n, format);

	if (likely(k == n))
		return 0;
	if (unlikely(k < 0))
		return k;

	if (unlikely(!(pvdesc_flags(le64_to_cpu(raw[k].rest), format) &
		       PVDESC_F_INDIRECT)))
		return pvring_broken(r, "readable descriptor behind a writable one");
	/* In a packed ring it is the whole chain. */
	if (unlikely(k != n - 1 || (format == PVRING_PACKED && k)))
		return pvring_broken(r, "indirect descriptor with a next one");
	return pvchain_add_indirect(r, t, b, cur, out, in, &raw[k], k, kind,
				    format);
}

/* Moves @part bytes of a chain's first piece into its header, at @at. */
static __always_inline int pvchain_pull(struct pvring *r, struct pvring_chain *c,
					u32 at, u32 part,
					const enum pvmem_kind kind)
{
	struct pvmem_seg *s = c->seg;
	int err = pvmem_copy_from(kind, c->hdr + at, s->addr, part);

	if (unlikely(err))
		return err == -EAGAIN ?
			pvring_fault(r, s->addr, part, false) :
			pvring_broken(r, "descriptor is no memory");
	s->addr += part;
	s->iova += part;
	s->len -= part;
	if (!s->len) {
		c->seg++;
		c->nout--;
	}
	return 0;
}

/* Moves the first @want readable bytes of the chain into its header. */
static __always_inline int pvchain_pull_header(struct pvring *r,
					       struct pvring_chain *c, u32 want,
					       const enum pvmem_kind kind)
{
	u32 len = c->seg->len, done, part;
	int err;

	/* Nearly always the first piece has all of it. 0 is left to what follows. */
	if (likely(want - 1 < len))
		return pvchain_pull(r, c, 0, array_index_nospec(want, len + 1UL),
				    kind);

	for (done = 0; done < want; done += part) {
		part = min(want - done, c->seg->len);
		err = pvchain_pull(r, c, array_index_nospec(done, PVRING_HDR_MAX),
				   part, kind);
		if (unlikely(err))
			return err;
	}
	return 0;
}

/*
 * Makes a chain of @n descriptors, with its pieces at @cur. Where it does not
 * end, there are more than the backend takes, or, split, the last one has NEXT set.
 */
static __always_inline int pvchain_build(struct pvring *r,
					 const struct pvmem_table *t,
					 struct pvring_batch *b,
					 struct pvchain_cursor *cur,
					 struct pvring_chain *c,
					 const struct pvring_raw *raw, int n,
					 const enum pvmem_kind kind,
					 const enum pvring_format format)
{
	struct pvchain_way out = { }, in = { };
	u32 want;
	int err;

	if (unlikely(n > r->limits.max_desc) ||
	    (format == PVRING_SPLIT &&
	     unlikely(pvdesc_flags(le64_to_cpu(raw[n - 1].rest), format) &
		      PVDESC_F_NEXT)))
		return pvring_broken(r, "descriptor chain loops or is too long");

	c->seg = cur->seg;
	err = pvchain_add_all(r, t, b, cur, &out, &in, raw, n, kind, format);
	if (unlikely(err))
		return err;

	want = min_t(u32, r->limits.hdr_len, out.len);
	c->hdr_len = want;
	c->nout = out.n;
	c->nin = in.n;
	c->out_len = out.len - want;
	c->in_len = in.len;
	return pvchain_pull_header(r, c, want, kind);
}

/* What a pop has to say of a chain that it could not take. */
static __always_inline int pvchain_refused(struct pvring *r, int err)
{
	return err == -ENOSPC ?
		pvring_broken(r, "buffer in too many pieces") : err;
}

/* Has a pop of @n chains, behind which @err was met, to take none? */
static __always_inline bool pvchain_none(struct pvring *r,
					 const struct pvring_batch *b, int n,
					 int err)
{
	if (likely(!err) || likely(n && !b->whole))
		return !n;
	/* No room for it is no fault of the chain's. */
	if (n && err == -ENOSPC)
		return false;
	while (n--)
		r->slot[b->chain[n].head] = 0;
	return true;
}

/* Reads 2 bytes of the driver area. */
static __always_inline int pvring_driver_field(struct pvring *r, size_t off,
					       u16 *val,
					       const enum pvmem_kind kind)
{
	const unsigned long addr = r->driver + off;
	__le16 v;

	if (unlikely(!pvring_span_read(kind, addr, 2)))
		return pvring_fault(r, addr, 2, false);
	pvring_get(kind, v, __le16, addr, fault);
	pvring_span_read_end(kind);
	*val = le16_to_cpu(v);
	return 0;

fault:
	pvring_span_read_end(kind);
	return pvring_fault(r, addr, 2, false);
}

/* Does an event index lie between @old and @new, @new not included? */
static __always_inline bool pvring_passed(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

#endif
