/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_RING_PACKED_H
#define _PVIO_VHOST_RING_PACKED_H

/*
 * The packed virtqueue (virtio 1.4, 2.8), as one inline core like that of the
 * split one. The driver names its buffers as it likes; inside a chain has a head
 * all the same, by which a backend finds what it keeps of it.
 */

#include "ring_chain.h"

#define PVPACKED_F_AVAIL	0x0080
#define PVPACKED_F_USED		0x8000

#define PVPACKED_EVENT_SIZE	4
#define PVPACKED_EVENT_ENABLE	0x0
#define PVPACKED_EVENT_DISABLE	0x1
#define PVPACKED_EVENT_DESC	0x2
#define PVPACKED_EVENT_FLAGS	0x3
#define PVPACKED_WRAP		0x8000

/* Length and ID in a descriptor's last eight bytes; flags follow. */
#define PVPACKED_REST_MASK	0xffffffffffffULL

static __always_inline size_t pvpacked_desc_size(unsigned int num)
{
	return PVDESC_SIZE * num;
}

static __always_inline size_t pvpacked_event_size(unsigned int num)
{
	return PVPACKED_EVENT_SIZE;
}

static __always_inline u16 pvpacked_id(u64 rest)
{
	return rest >> 32;
}

/*
 * Copies the descriptors of up to @max chains. A descriptor's
 * flags come with its length and ID in one load; a machine without loads of 64
 * bits has no packed rings here. Returns the number of chains.
 */
static __always_inline int pvpacked_read(struct pvring *r,
					 struct pvring_batch *b,
					 unsigned int max,
					 const enum pvmem_kind kind)
{
	const size_t size = pvpacked_desc_size(r->num);
	const unsigned long ring = r->desc, stop = ring + size;
	const struct pvring_raw *end = b->raw + b->max_raw, *first;
	unsigned long d = ring + PVDESC_SIZE * (unsigned long)r->last_avail;
	const unsigned int max_desc = r->limits.max_desc;
	struct pvring_raw *raw = b->raw;
	const u64 wrap = (u64)(PVPACKED_F_AVAIL | PVPACKED_F_USED) << 48;
	u64 want = (u64)r->avail_flags << 48, rest;
	unsigned int i;

	if (unlikely(!pvring_span_read(kind, ring, size)))
		return pvring_fault(r, ring, size, false);

	for (i = 0; i < max && likely(raw != end); i++) {
		pvring_get(kind, raw->rest, __le64, d + 8, fault);
		rest = le64_to_cpu(raw->rest);
		if ((rest & wrap) != want)
			break;

		/* Flags before all else; pairs with the driver's barrier. */
		smp_rmb();
		for (first = raw;;) {
			pvring_get(kind, raw->addr, __le64, d, fault);
			raw++;
			d += PVDESC_SIZE;
			if (unlikely(d == stop)) {
				d = ring;
				want ^= wrap;
			}
			if (!(pvdesc_flags(rest, PVRING_PACKED) & PVDESC_F_NEXT) ||
			    unlikely(raw - first > max_desc))
				break;
			if (unlikely(raw == end))
				goto end;
			pvring_get(kind, raw->rest, __le64, d + 8, fault);
			rest = le64_to_cpu(raw->rest);
		}
		b->count[i] = raw - first;
	}
end:
	pvring_span_read_end(kind);
	return i;

fault:
	pvring_span_read_end(kind);
	return pvring_fault(r, ring, size, false);
}

u16 pvpacked_find_head(struct pvring *r);

/* The ID makes the head, unless the driver has one like it in flight. */
static __always_inline u16 pvpacked_head(struct pvring *r, u16 id)
{
	if (likely(id < r->num)) {
		id = array_index_nospec(id, r->num);
		if (likely(!r->slot[id]))
			return id;
	}
	return pvpacked_find_head(r);
}

/* The place @n descriptors behind @idx, and the flags there. */
static __always_inline unsigned int pvpacked_next(unsigned int idx, u16 *flags,
						  unsigned int num, unsigned int n)
{
	idx += n;
	if (idx >= num) {
		idx -= num;
		*flags ^= PVPACKED_F_AVAIL | PVPACKED_F_USED;
	}
	return idx;
}

static __always_inline int pvpacked_pop(struct pvring *r,
					const struct pvmem_table *t,
					struct pvring_batch *b, unsigned int max,
					const enum pvmem_kind kind)
{
	struct pvchain_cursor cur = { b->seg, b->seg + b->max_seg };
	int room = r->num - r->taken, n, i, err = 0;
	const struct pvring_raw *raw = b->raw;
	struct pvring_chain *c = b->chain;
	bool again = r->nagain;

	b->n = 0;

	n = unlikely(again) ? pvinflight_again(r, b, max) :
	    pvpacked_read(r, b, max, kind);
	if (n <= 0)
		return n;

	pvchain_see_table(b, t);
	for (i = 0; i < n; i++, c++) {
		u16 ndesc = b->count[i], id, head;

		err = pvchain_build(r, t, b, &cur, c, raw, ndesc, kind,
				    PVRING_PACKED);
		if (unlikely(err))
			break;
		room -= ndesc;
		if (unlikely(room < 0)) {
			err = r->npending ? 0 :
			      pvring_broken(r, "more descriptors than the queue has room for");
			break;
		}
		/* That of the last descriptor is the buffer's. */
		id = pvpacked_id(le64_to_cpu(raw[ndesc - 1].rest));
		head = pvpacked_head(r, id);
		c->head = head;
		r->slot[head] = PVRING_SLOT(id, ndesc);
		raw += ndesc;
	}

	/* What is wrong with the next chain is found again at its own turn. */
	if (unlikely(pvchain_none(r, b, i, err)))
		return pvchain_refused(r, err);

	b->n = i;
	r->taken += raw - b->raw;
	if (likely(!again))
		r->last_avail = pvpacked_next(r->last_avail, &r->avail_flags,
					      r->num, raw - b->raw);
	return i;
}

/* The last eight bytes of a used descriptor; what has no length was not written. */
static __always_inline __le64 pvpacked_used(u64 word, u16 flags)
{
	flags |= PVRING_WORD_LEN(word) ? PVDESC_F_WRITE : 0;
	return cpu_to_le64((word & PVPACKED_REST_MASK) | (u64)flags << 48);
}

/*
 * The driver takes used descriptors one after the other: the first one is
 * written last, so that it finds all of them. What is read again and again is
 * copied: a store to the ring could be one to it, for all the compiler knows.
 */
static __always_inline int pvpacked_publish(struct pvring *r,
					    const enum pvmem_kind kind)
{
	const u64 *word = r->pending, *const end = word + r->npending;
	const unsigned long ring = r->desc + 8;
	const unsigned int num = r->num;
	const size_t size = pvpacked_desc_size(num);
	unsigned int next = r->next_used, ndesc = PVRING_WORD_NDESC(*word);
	u16 flags = r->used_flags;
	const unsigned long first = ring + PVDESC_SIZE * (unsigned long)next;
	const __le64 first_used = pvpacked_used(*word, flags);

	if (unlikely(!pvring_span_write(kind, r->desc, size)))
		return pvring_fault(r, r->desc, size, true);

	next = pvpacked_next(next, &flags, num, ndesc);
	while (++word < end) {
		pvring_put(kind, pvpacked_used(*word, flags), __le64,
			   ring + PVDESC_SIZE * (unsigned long)next, fault);
		ndesc += PVRING_WORD_NDESC(*word);
		next = pvpacked_next(next, &flags, num, PVRING_WORD_NDESC(*word));
	}

	/* All others before the first; pairs with the driver's barrier. */
	smp_wmb();
	pvring_put(kind, first_used, __le64, first, fault);
	pvring_span_write_end(kind);

	r->next_used = next;
	r->used_flags = flags;
	r->since += ndesc;
	r->taken -= ndesc;
	r->npending = 0;
	return 0;

fault:
	pvring_span_write_end(kind);
	return pvring_fault(r, r->desc, size, true);
}

/* Descriptors up to the end of the ring, and those from its beginning. */
static __always_inline unsigned int
pvpacked_published(const struct pvring *r, struct pvring_span *span)
{
	u32 first = r->next_used, before = r->num - first, n = 0;
	unsigned int i;

	for (i = 0; i < r->npending; i++)
		n += PVRING_WORD_NDESC(r->pending[i]);
	span[0] = (struct pvring_span) {
		PVRING_AREA_DESC, PVDESC_SIZE * first,
		PVDESC_SIZE * min(n, before)
	};
	if (n <= before)
		return 1;
	span[1] = (struct pvring_span) {
		PVRING_AREA_DESC, 0, PVDESC_SIZE * (n - before)
	};
	return 2;
}

static __always_inline unsigned int
pvpacked_kicks_written(const struct pvring *r, bool enable,
		       struct pvring_span *span)
{
	if (enable ? !r->event_idx && !r->kicks_off :
		     r->event_idx || r->kicks_off)
		return 0;

	*span = (struct pvring_span) {
		PVRING_AREA_DEVICE, 0, PVPACKED_EVENT_SIZE
	};
	return 1;
}

/* Reads the driver area, where and flags, at once. */
static __always_inline int pvpacked_driver_event(struct pvring *r, u32 *wish,
						 const enum pvmem_kind kind)
{
	const unsigned long addr = r->driver;
	__le32 v;

	if (unlikely(!pvring_span_read(kind, addr, PVPACKED_EVENT_SIZE)))
		return pvring_fault(r, addr, PVPACKED_EVENT_SIZE, false);
	pvring_get(kind, v, __le32, addr, fault);
	pvring_span_read_end(kind);
	*wish = le32_to_cpu(v);
	return 0;

fault:
	pvring_span_read_end(kind);
	return pvring_fault(r, addr, PVPACKED_EVENT_SIZE, false);
}

static __always_inline int pvpacked_notify_needed(struct pvring *r,
						  const enum pvmem_kind kind)
{
	u16 new, at, event;
	u32 wish, flags;
	bool passed;
	int err;

	/*
	 * The used descriptors before the driver's wish; pairs with the barrier
	 * between its wish and its look at the next used descriptor.
	 */
	smp_mb();

	err = pvpacked_driver_event(r, &wish, kind);
	if (unlikely(err))
		return err;
	flags = wish & PVPACKED_EVENT_FLAGS << 16;
	if (flags != PVPACKED_EVENT_DESC << 16 || !r->event_idx)
		return flags != PVPACKED_EVENT_DISABLE << 16;

	/* As seen from the next descriptor, what is of the last round is behind. */
	at = wish;
	event = at & ~PVPACKED_WRAP;
	if (!(at & PVPACKED_WRAP) != !r->used_flags)
		event -= r->num;
	new = r->next_used;
	passed = !r->signalled_valid || r->since > r->num ||
		 pvring_passed(event, new, new - r->since);
	r->signalled_valid = true;
	r->since = 0;
	return passed;
}

/* Writes the device area, where and flags, at once. */
static __always_inline int pvpacked_device_event(struct pvring *r, u16 at,
						 u16 flags,
						 const enum pvmem_kind kind)
{
	const unsigned long addr = r->device;

	if (unlikely(!pvring_span_write(kind, addr, PVPACKED_EVENT_SIZE)))
		return pvring_fault(r, addr, PVPACKED_EVENT_SIZE, true);
	pvring_put(kind, cpu_to_le32(at | (u32)flags << 16), __le32, addr, fault);
	pvring_span_write_end(kind);
	return 0;

fault:
	pvring_span_write_end(kind);
	return pvring_fault(r, addr, PVPACKED_EVENT_SIZE, true);
}

static __always_inline int pvpacked_kicks_disable(struct pvring *r,
						  const enum pvmem_kind kind)
{
	int err;

	/* With an event index the driver stays silent until it passes it. */
	if (r->event_idx || r->kicks_off)
		return 0;

	err = pvpacked_device_event(r, 0, PVPACKED_EVENT_DISABLE, kind);
	if (!err)
		r->kicks_off = true;
	return err;
}

/* Reads the flags of a descriptor. */
static __always_inline int pvpacked_peek(struct pvring *r, u16 at, u16 *val,
					 const enum pvmem_kind kind)
{
	const unsigned long addr = r->desc + PVDESC_SIZE * (unsigned long)at + 14;
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

/* Writes the flags of a descriptor. */
static __always_inline int pvpacked_poke(struct pvring *r, u16 at, u16 val,
					 const enum pvmem_kind kind)
{
	const unsigned long addr = r->desc + PVDESC_SIZE * (unsigned long)at + 14;

	if (unlikely(!pvring_span_write(kind, addr, 2)))
		return pvring_fault(r, addr, 2, true);
	pvring_put(kind, cpu_to_le16(val), __le16, addr, fault);
	pvring_span_write_end(kind);
	return 0;

fault:
	pvring_span_write_end(kind);
	return pvring_fault(r, addr, 2, true);
}

/* Returns 1 when the next descriptor is available. */
static __always_inline int pvpacked_more(struct pvring *r,
					 const enum pvmem_kind kind)
{
	u16 flags;
	int err = pvpacked_peek(r, r->last_avail, &flags, kind);

	return unlikely(err) ? err :
	       (flags & (PVPACKED_F_AVAIL | PVPACKED_F_USED)) == r->avail_flags;
}

static __always_inline int pvpacked_kicks_enable(struct pvring *r,
						 const enum pvmem_kind kind)
{
	u16 wrap = r->avail_flags & PVPACKED_F_AVAIL ? PVPACKED_WRAP : 0;
	int err = 0;

	if (r->event_idx)
		err = pvpacked_device_event(r, r->last_avail | wrap,
					    PVPACKED_EVENT_DESC, kind);
	else if (r->kicks_off)
		err = pvpacked_device_event(r, 0, PVPACKED_EVENT_ENABLE, kind);
	if (unlikely(err))
		return err;
	r->kicks_off = false;

	/*
	 * Our wish before the descriptor; pairs with the barrier between the
	 * driver's descriptor and its look at our wish.
	 */
	smp_mb();

	return pvpacked_more(r, kind);
}

#endif
