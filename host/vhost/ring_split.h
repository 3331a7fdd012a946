/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_SPLIT_H
#define _PVIO_VHOST_RING_SPLIT_H

/*
 * The split virtqueue (virtio 1.4, 2.7), as one inline core: ring.c makes an
 * instance of it for each kind of memory. What the driver can change is read
 * once into the batch, then checked there; an operation commits nothing before
 * its last step, so that it can be repeated after a page fault.
 */

#include "ring_chain.h"

/* An entry of the used ring is written at once, though only 4-aligned. */
typedef u64 pvsplit_elem_t __aligned(4);

#define PVSPLIT_AVAIL_F_NO_INTERRUPT	0x1
#define PVSPLIT_USED_F_NO_NOTIFY	0x1

static __always_inline size_t pvsplit_desc_size(unsigned int num)
{
	return PVDESC_SIZE * num;
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
	const struct pvring_raw *end = b->raw + b->max_raw, *first;
	struct pvring_raw *raw = b->raw;
	unsigned long d;
	u64 rest;
	u32 idx;
	u16 i;

	if (unlikely(!pvring_span_read(kind, table, size)))
		return pvring_fault(r, table, size, false);

	for (i = 0; i < n; i++) {
		idx = b->heads[i];
		first = raw;
		do {
			if (unlikely(raw == end))
				goto end;
			idx = array_index_nospec(idx, num);
			d = table + PVDESC_SIZE * (unsigned long)idx;
			pvring_get(kind, raw->addr, __le64, d, fault);
			pvring_get(kind, raw->rest, __le64, d + 8, fault);
			rest = le64_to_cpu(raw->rest);
			raw++;
			idx = pvdesc_next(rest);
		} while ((pvdesc_flags(rest, PVRING_SPLIT) & PVDESC_F_NEXT) &&
			 idx < num && raw - first <= max_desc);
		b->count[i] = raw - first;
	}
end:
	pvring_span_read_end(kind);
	return i;

fault:
	pvring_span_read_end(kind);
	return pvring_fault(r, table, size, false);
}

/* Makes the chain of @head, whose @n descriptors begin at @raw. */
static __always_inline int pvsplit_build(struct pvring *r,
					 const struct pvmem_table *t,
					 struct pvring_batch *b,
					 struct pvchain_cursor *cur,
					 struct pvring_chain *c, u16 head,
					 const struct pvring_raw *raw, u16 n,
					 const enum pvmem_kind kind)
{
	int err;

	if (unlikely(head >= r->num))
		return pvring_broken(r, "head is out of range");
	head = array_index_nospec(head, r->num);
	if (unlikely(r->slot[head]))
		return pvring_broken(r, "head is in flight already");

	err = pvchain_build(r, t, b, cur, c, raw, n, kind, PVRING_SPLIT);
	if (unlikely(err))
		return err;
	c->head = head;
	r->slot[head] = PVRING_SLOT(head, 1);
	return 0;
}

static __always_inline int pvsplit_pop(struct pvring *r,
				       const struct pvmem_table *t,
				       struct pvring_batch *b, unsigned int max,
				       const enum pvmem_kind kind)
{
	struct pvchain_cursor cur = { b->seg, b->seg + b->max_seg };
	unsigned int room = r->num - r->taken;
	const struct pvring_raw *raw = b->raw;
	struct pvring_chain *c = b->chain;
	int n, i, err = 0;

	b->n = 0;

	/* Without room for one there must not be one, published ones aside. */
	n = unlikely(r->nagain) ? pvinflight_again(r, b, max) :
	    pvsplit_read_heads(r, b->heads, min(max, room ?: 1), kind);
	if (n <= 0)
		return n;
	if (unlikely(!room))
		return r->npending ? 0 :
			pvring_broken(r, "more chains than the queue has room for");

	n = pvsplit_read_descs(r, b, n, kind);
	if (unlikely(n < 0))
		return n;

	pvchain_see_table(b, t);
	for (i = 0; i < n; i++, c++) {
		u16 ndesc = b->count[i];

		err = pvsplit_build(r, t, b, &cur, c, b->heads[i], raw, ndesc,
				    kind);
		if (unlikely(err))
			break;
		raw += ndesc;
	}

	/* What is wrong with the next chain is found again at its own turn. */
	if (unlikely(pvchain_none(r, b, i, err)))
		return pvchain_refused(r, err);

	b->n = i;
	if (likely(!r->nagain))
		r->last_avail += i;
	r->taken += i;
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
		u64 word = r->pending[i];
		u64 elem = PVRING_WORD_ID(word) | word << 32;

		pvring_put(kind, (__force u64)cpu_to_le64(elem), pvsplit_elem_t,
			   used + 4 + 8UL * (next & mask), fault);
	}

	/* The entries before the index; pairs with the driver's barrier. */
	smp_wmb();
	pvring_put(kind, cpu_to_le16(next), __le16, used + 2, fault);
	pvring_span_write_end(kind);

	r->next_used = next;
	r->since += r->npending;
	r->taken -= r->npending;
	r->npending = 0;
	return 0;

fault:
	pvring_span_write_end(kind);
	return pvring_fault(r, used, size, true);
}

/* Entries up to the end of the ring, those from its beginning, the index. */
static __always_inline unsigned int
pvsplit_published(const struct pvring *r, struct pvring_span *span)
{
	u16 first = r->next_used & (r->num - 1);
	u16 n = r->npending, before = r->num - first;
	unsigned int i = 0;

	span[i++] = (struct pvring_span) {
		PVRING_AREA_DEVICE, 4 + 8U * first,
		8U * (n < before ? n : before)
	};
	if (n > before)
		span[i++] = (struct pvring_span) {
			PVRING_AREA_DEVICE, 4, 8 * (n - before)
		};
	span[i++] = (struct pvring_span) { PVRING_AREA_DEVICE, 2, 2 };
	return i;
}

static __always_inline unsigned int
pvsplit_kicks_written(const struct pvring *r, bool enable,
		      struct pvring_span *span)
{
	if (enable ? !r->event_idx && !r->kicks_off :
		     r->event_idx || r->kicks_off)
		return 0;

	*span = (struct pvring_span) {
		PVRING_AREA_DEVICE, r->event_idx ? 4 + 8 * r->num : 0, 2
	};
	return 1;
}

/* Reads the used index; @at is for the other format. */
static __always_inline int pvsplit_peek(struct pvring *r, u16 at, u16 *val,
					const enum pvmem_kind kind)
{
	const unsigned long addr = r->device + 2;
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
	u16 new = r->next_used, v;
	bool passed;
	int err;

	/*
	 * The used index before the driver's wish; pairs with the barrier
	 * between its wish and its look at the used index.
	 */
	smp_mb();

	/* Whatever the wish is (virtio 0.9.5, appendix C, and 1.4, 6.3). */
	if (unlikely(r->notify_on_empty) && !r->inflight && !r->npending) {
		err = pvring_driver_field(r, 2, &v, kind);
		if (unlikely(err))
			return err;
		if (v == r->last_avail)
			return 1;
	}

	err = pvring_driver_field(r, r->event_idx ? 4 + 2UL * r->num : 0, &v,
				  kind);
	if (unlikely(err))
		return err;
	if (!r->event_idx)
		return !(v & PVSPLIT_AVAIL_F_NO_INTERRUPT);

	passed = !r->signalled_valid || r->since > U16_MAX ||
		 pvring_passed(v, new, new - r->since);
	r->signalled_valid = true;
	r->since = 0;
	return passed;
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

/* Returns 1 where the driver has made more available than was popped. */
static __always_inline int pvsplit_more(struct pvring *r,
					const enum pvmem_kind kind)
{
	u16 idx;
	int err = pvring_driver_field(r, 2, &idx, kind);

	return unlikely(err) ? err : idx != r->last_avail;
}

static __always_inline int pvsplit_kicks_enable(struct pvring *r,
						const enum pvmem_kind kind)
{
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

	return pvsplit_more(r, kind);
}

#endif
