// SPDX-License-Identifier: GPL-2.0-only
#include "ring_packed.h"

#define F_AVAIL		0x0080u
#define F_USED		0x8000u
#define WRAP		0x8000u

static void store_flags(struct ring_packed_desc *d, uint16_t flags)
{
	__atomic_store_n(&d->flags, htole16(flags), __ATOMIC_RELEASE);
}

/* Goes on by so many descriptors. */
static void advance(const struct ring *r, uint16_t *idx, bool *wrap, unsigned int n)
{
	unsigned int next = *idx + n;

	if (next >= r->num) {
		next -= r->num;
		*wrap = !*wrap;
	}
	*idx = next;
}

/* Memory is as if @base descriptors had been used, and taken back. */
void ring_packed_restart(struct ring *r, uint16_t base)
{
	unsigned int i;

	r->avail_idx = base % r->num;
	r->avail_wrap = !(base / r->num % 2);
	r->used_idx = r->avail_idx;
	r->used_wrap = r->avail_wrap;
	r->added = 0;
	for (i = 0; i < r->num; i++)
		r->pdesc[i].flags = htole16((i < r->avail_idx) == r->avail_wrap ?
					    F_AVAIL | F_USED : 0);
	r->driver_event->off_wrap = 0;
	r->driver_event->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
	r->device_event->off_wrap = 0;
	r->device_event->flags = VRING_PACKED_EVENT_FLAG_ENABLE;
}

void ring_packed_put(struct ring *r, uint64_t addr, uint32_t len, uint16_t flags, uint16_t id)
{
	struct ring_packed_desc *d = &r->pdesc[r->avail_idx];

	d->addr = htole64(addr);
	d->len = htole32(len);
	d->id = htole16(id);
	flags |= r->avail_wrap ? F_AVAIL : F_USED;
	if (r->added) {
		store_flags(d, flags);
	} else {
		r->hidden = r->avail_idx;
		r->hidden_flags = flags;
	}
	r->added++;
	advance(r, &r->avail_idx, &r->avail_wrap, 1);
}

bool ring_packed_publish(struct ring *r)
{
	uint16_t added = r->added, at, wish;
	uint16_t event = 0;

	if (added)
		store_flags(&r->pdesc[r->hidden], r->hidden_flags);
	r->added = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wish = le16toh(__atomic_load_n(&r->device_event->flags, __ATOMIC_ACQUIRE));
	if (wish != VRING_PACKED_EVENT_FLAG_DESC)
		return wish == VRING_PACKED_EVENT_FLAG_ENABLE;

	at = le16toh(__atomic_load_n(&r->device_event->off_wrap, __ATOMIC_ACQUIRE));
	event = at & ~WRAP;
	if (!(at & WRAP) == r->avail_wrap)
		event -= r->num;
	return vring_need_event(event, r->avail_idx, r->avail_idx - added);
}

/* The ID of a used descriptor there, or -1. */
static int used_id(const struct ring *r, uint16_t idx, bool wrap)
{
	uint16_t flags = le16toh(__atomic_load_n(&r->pdesc[idx].flags, __ATOMIC_ACQUIRE));

	if ((flags & (F_AVAIL | F_USED)) != (wrap ? F_AVAIL | F_USED : 0))
		return -1;
	return le16toh(r->pdesc[idx].id);
}

/* How many descriptors go with an ID; one where the device made it up. */
static unsigned int chain_len(const struct ring *r, uint32_t id)
{
	return id < r->num && r->slots[id].token ? r->slots[id].count : 1;
}

/* Goes over what the device has used and nobody took; returns how many chains. */
static uint16_t walk_used(const struct ring *r, uint16_t *idx, bool *wrap)
{
	unsigned int done = 0, most = r->num - r->free_count;
	uint16_t n = 0;
	int id;

	*idx = r->used_idx;
	*wrap = r->used_wrap;
	while (done < most) {
		id = used_id(r, *idx, *wrap);
		if (id < 0)
			break;
		n++;
		done += chain_len(r, id);
		advance(r, idx, wrap, chain_len(r, id));
	}
	return n;
}

bool ring_packed_any(const struct ring *r)
{
	return r->free_count < r->num && used_id(r, r->used_idx, r->used_wrap) >= 0;
}

uint16_t ring_packed_pending(const struct ring *r)
{
	uint16_t idx;
	bool wrap;

	return walk_used(r, &idx, &wrap);
}

unsigned int ring_packed_base(uint16_t idx, bool wrap)
{
	unsigned int half = idx | (wrap ? WRAP : 0);

	return half | half << 16;
}

unsigned int ring_packed_device_base(const struct ring *r)
{
	uint16_t idx;
	bool wrap;

	walk_used(r, &idx, &wrap);
	return ring_packed_base(idx, wrap);
}

uint32_t ring_packed_next_used(struct ring *r, uint32_t *len)
{
	const struct ring_packed_desc *d = &r->pdesc[r->used_idx];
	uint32_t id = le16toh(d->id);

	*len = le16toh(d->flags) & VRING_DESC_F_WRITE ? le32toh(d->len) : 0;
	advance(r, &r->used_idx, &r->used_wrap, chain_len(r, id));
	return id;
}

void ring_packed_arm_call(struct ring *r, uint16_t ahead)
{
	uint16_t idx = r->used_idx;
	bool wrap = r->used_wrap;
	uint32_t at = r->order_first;

	if (!r->event_idx) {
		__atomic_store_n(&r->driver_event->flags, htole16(VRING_PACKED_EVENT_FLAG_ENABLE),
				 __ATOMIC_RELEASE);
		return;
	}
	/* Chains come back in any order: what lies ahead is known of chains of one length. */
	for (; ahead > 1 && at != r->order_end; ahead--, at++)
		advance(r, &idx, &wrap, chain_len(r, r->order[at % r->num]));
	r->driver_event->off_wrap = htole16(idx | (wrap ? WRAP : 0));
	__atomic_store_n(&r->driver_event->flags, htole16(VRING_PACKED_EVENT_FLAG_DESC),
			 __ATOMIC_RELEASE);
}

void ring_packed_suppress_calls(struct ring *r)
{
	__atomic_store_n(&r->driver_event->flags, htole16(VRING_PACKED_EVENT_FLAG_DISABLE),
			 __ATOMIC_RELEASE);
}
