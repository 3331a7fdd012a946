/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_SPLIT_H
#define _PVIO_VHOST_RING_SPLIT_H

/*
 * The split virtqueue (virtio 1.4, 2.7), as one inline core: ring.c makes an
 * instance of it for each kind of memory. What the driver can change is read
 * once into the batch, then checked there; an operation commits nothing before
 * its last step, so that it can be repeated after a page fault.
 */

#include <linux/nospec.h>

#include "ring_access.h"

#define PVSPLIT_DESC_SIZE	16
#define PVSPLIT_F_NEXT		0x1
#define PVSPLIT_F_WRITE		0x2
#define PVSPLIT_F_INDIRECT	0x4

/* An entry of the used ring is written at once, though only 4-aligned. */
typedef u64 pvsplit_elem_t __aligned(4);

#define PVSPLIT_AVAIL_F_NO_INTERRUPT	0x1
#define PVSPLIT_USED_F_NO_NOTIFY	0x1

static __always_inline size_t pvsplit_desc_size(unsigned int num)
{
	return PVSPLIT_DESC_SIZE * num;
}

/* Flags, index, ring, used_event. */
static __always_inline size_t pvsplit_driver_size(unsigned int num)
{
	return 2 * (3 + num);
}

/* Flags, index, ring, avail_event. */
static __always_inline size_t pvsplit_device_size(unsigned int num)
{
	return 2 * 3 + 8 * num;
}

static __always_inline u32 pvsplit_len(const struct pvring_raw *d)
{
	return d->rest;
}

static __always_inline u16 pvsplit_flags(const struct pvring_raw *d)
{
	return d->rest >> 32;
}

static __always_inline u16 pvsplit_next(const struct pvring_raw *d)
{
	return d->rest >> 48;
}

/* Returns the number of heads read, up to @max. */
static __always_inline int pvsplit_read_heads(struct pvring *r, u16 *heads,
					      unsigned int max,
					      const enum pvmem_kind kind)
{
	const unsigned long avail = r->driver;
	const size_t size = pvsplit_driver_size(r->num);
	const u16 mask = r->num - 1;
	u16 last = r->last_avail, n, i;
	__le16 v;

	if (unlikely(!pvring_span_read(kind, avail, size)))
		return pvring_fault(r, avail, size, false);

	pvring_get(kind, v, __le16, avail + 2, fault);
	n = le16_to_cpu(v) - last;
	if (!n || n > r->num)
		goto end;

	/* The index before the entries; pairs with the driver's barrier. */
	smp_rmb();

	if (n > max)
		n = max;
	for (i = 0; i < n; i++) {
		pvring_get(kind, v, __le16,
			   avail + 4 + 2UL * ((last + i) & mask), fault);
		heads[i] = le16_to_cpu(v);
	}
end:
	pvring_span_read_end(kind);
	if (unlikely(n > r->num))
		return pvring_broken(r, "available index is out of range");
	return n;

fault:
	pvring_span_read_end(kind);
	return pvring_fault(r, avail, size, false);
}

/*
 * Copies the descriptors of @n chains. A chain that doesn't end keeps the flag
 * NEXT in its last copy. Returns the number of chains that fitted.
 */
static __always_inline int pvsplit_read_descs(struct pvring *r,
					      struct pvring_batch *b, u16 n,
					      const enum pvmem_kind kind)
{
	const unsigned long table = r->desc;
	const size_t size = pvsplit_desc_size(r->num);
	const unsigned int num = r->num, max_desc = r->limits.max_desc;
	unsigned int k = 0, first;
	unsigned long d;
	u32 idx;
	u64 v;
	u16 i;

	if (unlikely(!pvring_span_read(kind, table, size)))
		return pvring_fault(r, table, size, false);

	for (i = 0; i < n; i++) {
		idx = b->heads[i];
		first = k;
		do {
			if (unlikely(k == b->max_raw))
				goto end;
			idx = array_index_nospec(idx, num);
			d = table + PVSPLIT_DESC_SIZE * (unsigned long)idx;
			pvring_get(kind, v, u64, d, fault);
			b->raw[k].addr = le64_to_cpu((__force __le64)v);
			pvring_get(kind, v, u64, d + 8, fault);
			v = le64_to_cpu((__force __le64)v);
			b->raw[k++].rest = v;
			idx = v >> 48;
		} while (((v >> 32) & PVSPLIT_F_NEXT) && idx < num &&
			 k - first <= max_desc);
		b->count[i] = k - first;
	}
end:
	pvring_span_read_end(kind);
	return i;

fault:
	pvring_span_read_end(kind);
	return pvring_fault(r, table, size, false);
}

/* Adds one checked descriptor to the chain, translated. */
static __always_inline int pvsplit_add_desc(struct pvring *r,
					    const struct pvmem_table *t,
					    struct pvring_batch *b,
					    struct pvring_chain *c,
					    const struct pvring_raw *d)
{
	bool write = pvsplit_flags(d) & PVSPLIT_F_WRITE;
	u32 len = pvsplit_len(d);
	unsigned int used = c->nout + c->nin;
	int n;

	if (unlikely(!len))
		return pvring_broken(r, "descriptor of length 0");
	if (unlikely(!write && c->nin))
		return pvring_broken(r, "readable descriptor behind a writable one");
	if (unlikely(len > r->limits.max_bytes - c->out_len - c->in_len))
		return pvring_broken(r, "more bytes in a chain than offered");

	n = pvmem_translate(t, d->addr, len, write ? PVMEM_WRITE : PVMEM_READ,
			    c->seg + used, b->max_seg - b->nseg - used);
	if (unlikely(n < 0)) {
		if (n == -EFAULT)
			return pvring_broken(r, "descriptor outside of the mapped memory");
		return n;
	}

	if (write) {
		c->nin += n;
		c->in_len += len;
	} else {
		c->nout += n;
		c->out_len += len;
	}
	return 0;
}

/* Copies an indirect table into the batch; returns its number of entries. */
static __always_inline int pvsplit_read_table(struct pvring *r,
					      const struct pvmem_table *t,
					      struct pvring_batch *b,
					      const struct pvring_raw *d,
					      const enum pvmem_kind kind)
{
	struct pvmem_seg seg[2];
	u32 len = pvsplit_len(d), done = 0;
	int n, i, err;

	if (unlikely(!len || len % PVSPLIT_DESC_SIZE))
		return pvring_broken(r, "indirect table of a bad length");

	/* A longer table can only be used in part. */
	len = min_t(u32, len, PVSPLIT_DESC_SIZE * b->max_table);
	n = pvmem_translate(t, d->addr, len, PVMEM_READ, seg, ARRAY_SIZE(seg));
	if (unlikely(n < 0))
		return pvring_broken(r, n == -ENOSPC ?
				     "indirect table in too many pieces" :
				     "indirect table outside of the mapped memory");

	for (i = 0; i < n; i++) {
		u32 at = array_index_nospec(done, PVSPLIT_DESC_SIZE * b->max_table);

		err = pvmem_copy_from(kind, (void *)b->table + at,
				      seg[i].addr, seg[i].len);
		if (err == -EAGAIN)
			return pvring_fault(r, seg[i].addr, seg[i].len, false);
		if (err)
			return pvring_broken(r, "indirect table is no memory");
		done += seg[i].len;
	}
	return len / PVSPLIT_DESC_SIZE;
}

static __always_inline int pvsplit_add_indirect(struct pvring *r,
						const struct pvmem_table *t,
						struct pvring_batch *b,
						struct pvring_chain *c,
						const struct pvring_raw *d,
						unsigned int direct,
						const enum pvmem_kind kind)
{
	unsigned int steps = direct, idx = 0;
	struct pvring_raw e;
	int n, err;

	if (unlikely(!r->indirect))
		return pvring_broken(r, "indirect descriptor without the feature");

	n = pvsplit_read_table(r, t, b, d, kind);
	if (unlikely(n < 0))
		return n;

	for (;;) {
		e.addr = le64_to_cpu((__force __le64)b->table[idx].addr);
		e.rest = le64_to_cpu((__force __le64)b->table[idx].rest);
		if (unlikely(pvsplit_flags(&e) & PVSPLIT_F_INDIRECT))
			return pvring_broken(r, "indirect descriptor in an indirect table");

		err = pvsplit_add_desc(r, t, b, c, &e);
		if (unlikely(err))
			return err;
		if (!(pvsplit_flags(&e) & PVSPLIT_F_NEXT))
			return 0;

		idx = pvsplit_next(&e);
		if (unlikely(idx >= n || ++steps >= r->limits.max_desc))
			return pvring_broken(r, "indirect chain loops or is too long");
		idx = array_index_nospec(idx, n);
	}
}

/* Moves the first readable bytes of the chain into its header. */
static __always_inline int pvsplit_pull_header(struct pvring *r,
					       struct pvring_chain *c,
					       const enum pvmem_kind kind)
{
	u32 want = min_t(u32, r->limits.hdr_len, c->out_len);

	c->hdr_len = 0;
	while (c->hdr_len < want) {
		struct pvmem_seg *s = c->seg;
		u32 part = min_t(u32, want - c->hdr_len, s->len);
		u32 at = array_index_nospec((u32)c->hdr_len, PVRING_HDR_MAX);
		int err;

		err = pvmem_copy_from(kind, c->hdr + at, s->addr, part);
		if (err == -EAGAIN)
			return pvring_fault(r, s->addr, part, false);
		if (err)
			return pvring_broken(r, "descriptor is no memory");

		c->hdr_len += part;
		s->addr += part;
		s->iova += part;
		s->len -= part;
		if (!s->len) {
			c->seg++;
			c->nout--;
		}
	}
	c->out_len -= want;
	return 0;
}

/* Checks and translates chain @i, whose descriptors begin at @raw. */
static __always_inline int pvsplit_build(struct pvring *r,
					 const struct pvmem_table *t,
					 struct pvring_batch *b, u16 i,
					 const struct pvring_raw *raw,
					 const enum pvmem_kind kind)
{
	struct pvring_chain *c = &b->chain[i];
	u16 head = b->heads[i], n = b->count[i], k;
	int err;

	c->seg = b->seg + b->nseg;
	c->nout = 0;
	c->nin = 0;
	c->out_len = 0;
	c->in_len = 0;

	if (unlikely(head >= r->num))
		return pvring_broken(r, "head is out of range");
	c->head = array_index_nospec(head, r->num);
	if (unlikely(test_bit(c->head, r->popped)))
		return pvring_broken(r, "head is in flight already");
	if (unlikely(pvsplit_flags(&raw[n - 1]) & PVSPLIT_F_NEXT) ||
	    unlikely(n > r->limits.max_desc))
		return pvring_broken(r, "descriptor chain loops or is too long");

	for (k = 0; k < n; k++) {
		if (!(pvsplit_flags(&raw[k]) & PVSPLIT_F_INDIRECT))
			err = pvsplit_add_desc(r, t, b, c, &raw[k]);
		else if (likely(k == n - 1))
			err = pvsplit_add_indirect(r, t, b, c, &raw[k], k,
						   kind);
		else
			err = pvring_broken(r, "indirect descriptor with a next one");
		if (unlikely(err))
			return err;
	}
	return pvsplit_pull_header(r, c, kind);
}

static __always_inline int pvsplit_pop(struct pvring *r,
				       const struct pvmem_table *t,
				       struct pvring_batch *b, unsigned int max,
				       const enum pvmem_kind kind)
{
	unsigned int room = r->num - r->inflight - r->npending;
	const struct pvring_raw *raw = b->raw;
	int n, i, err = 0;

	b->n = 0;
	b->nseg = 0;

	/* Without room for one there must not be one, published ones aside. */
	n = pvsplit_read_heads(r, b->heads, min(max, room ?: 1), kind);
	if (n <= 0)
		return n;
	if (unlikely(!room))
		return r->npending ? 0 :
			pvring_broken(r, "more chains than the queue has room for");

	n = pvsplit_read_descs(r, b, n, kind);
	if (unlikely(n < 0))
		return n;

	for (i = 0; i < n; i++) {
		struct pvmem_seg *start = b->seg + b->nseg;
		struct pvring_chain *c = &b->chain[i];

		err = pvsplit_build(r, t, b, i, raw, kind);
		if (unlikely(err))
			break;
		b->nseg += c->seg - start + c->nout + c->nin;
		raw += b->count[i];
		__set_bit(c->head, r->popped);
	}

	/* What is wrong with the next chain is found again at its own turn. */
	if (unlikely(!i))
		return err == -ENOSPC ?
			pvring_broken(r, "buffer in too many pieces") : err;

	b->n = i;
	r->last_avail += i;
	r->inflight += i;
	return i;
}

static __always_inline int pvsplit_publish(struct pvring *r,
					   const enum pvmem_kind kind)
{
	const unsigned long used = r->device;
	const size_t size = pvsplit_device_size(r->num);
	const u16 mask = r->num - 1;
	u16 next = r->next_used, i;

	if (unlikely(!pvring_span_write(kind, used, size)))
		return pvring_fault(r, used, size, true);

	for (i = 0; i < r->npending; i++, next++) {
		u64 elem = r->pending[i].head | (u64)r->pending[i].len << 32;

		pvring_put(kind, (__force u64)cpu_to_le64(elem), pvsplit_elem_t,
			   used + 4 + 8UL * (next & mask), fault);
	}

	/* The entries before the index; pairs with the driver's barrier. */
	smp_wmb();
	pvring_put(kind, cpu_to_le16(next), __le16, used + 2, fault);
	pvring_span_write_end(kind);

	r->next_used = next;
	r->npending = 0;
	return 0;

fault:
	pvring_span_write_end(kind);
	return pvring_fault(r, used, size, true);
}

/* Reads a field of the driver area. */
static __always_inline int pvsplit_driver_field(struct pvring *r, size_t off,
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

/* Writes a field of the device area. */
static __always_inline int pvsplit_device_field(struct pvring *r, size_t off,
						u16 val,
						const enum pvmem_kind kind)
{
	const unsigned long addr = r->device + off;

	if (unlikely(!pvring_span_write(kind, addr, 2)))
		return pvring_fault(r, addr, 2, true);
	pvring_put(kind, cpu_to_le16(val), __le16, addr, fault);
	pvring_span_write_end(kind);
	return 0;

fault:
	pvring_span_write_end(kind);
	return pvring_fault(r, addr, 2, true);
}

static __always_inline int pvsplit_notify_needed(struct pvring *r,
						 const enum pvmem_kind kind)
{
	u16 new = r->next_used, old = r->signalled, v;
	bool valid = r->signalled_valid;
	int err;

	/*
	 * The used index before the driver's wish; pairs with the barrier
	 * between its wish and its look at the used index.
	 */
	smp_mb();

	err = pvsplit_driver_field(r, r->event_idx ? 4 + 2UL * r->num : 0, &v,
				   kind);
	if (unlikely(err))
		return err;
	if (!r->event_idx)
		return !(v & PVSPLIT_AVAIL_F_NO_INTERRUPT);

	r->signalled = new;
	r->signalled_valid = true;
	return !valid || (u16)(new - v - 1) < (u16)(new - old);
}

static __always_inline int pvsplit_kicks_disable(struct pvring *r,
						 const enum pvmem_kind kind)
{
	int err;

	/* With an event index the driver stays silent until it passes it. */
	if (r->event_idx || r->kicks_off)
		return 0;

	err = pvsplit_device_field(r, 0, PVSPLIT_USED_F_NO_NOTIFY, kind);
	if (!err)
		r->kicks_off = true;
	return err;
}

static __always_inline int pvsplit_kicks_enable(struct pvring *r,
						const enum pvmem_kind kind)
{
	u16 idx;
	int err = 0;

	if (r->event_idx)
		err = pvsplit_device_field(r, 4 + 8UL * r->num, r->last_avail,
					   kind);
	else if (r->kicks_off)
		err = pvsplit_device_field(r, 0, 0, kind);
	if (unlikely(err))
		return err;
	r->kicks_off = false;

	/*
	 * Our wish before the available index; pairs with the barrier between
	 * the driver's index and its look at our wish.
	 */
	smp_mb();

	err = pvsplit_driver_field(r, 2, &idx, kind);
	return unlikely(err) ? err : idx != r->last_avail;
}

#endif
