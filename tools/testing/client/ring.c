// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring.h"
#include "ring_packed.h"

static void store16(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, htole16(value), __ATOMIC_RELEASE);
}

static uint16_t load16(const uint16_t *p)
{
	return le16toh(__atomic_load_n(p, __ATOMIC_ACQUIRE));
}

static uint16_t *used_event(const struct ring *r)
{
	return &r->avail->ring[r->num];
}

void ring_restart(struct ring *r, uint16_t base)
{
	unsigned int i;

	memset(r->slots, 0, r->num * sizeof(*r->slots));
	memset(r->desc, 0, r->num * sizeof(*r->desc));
	for (i = 0; i < r->num; i++)
		r->slots[i].next = i + 1;
	r->lied = false;
	r->order_first = 0;
	r->order_end = 0;
	r->free_head = 0;
	r->free_count = r->num;
	ring_take_calls(r);
	if (r->packed) {
		ring_packed_restart(r, base);
		return;
	}
	r->avail_idx = base;
	r->told_idx = base;
	r->used_idx = base;
	r->avail->flags = 0;
	r->used->flags = 0;
	store16(used_event(r), base);
	/* Where the device wants to be told: it says so when it has looked. */
	store16((uint16_t *)&r->used->ring[r->num], base);
	store16(&r->used->idx, base);
	store16(&r->avail->idx, base);
}

int ring_init(struct ring *r, struct gmem *m, uint16_t num, uint16_t max_indirect,
	      const struct ring_features *features, uint16_t base)
{
	memset(r, 0, sizeof(*r));
	r->num = num;
	r->max_indirect = max_indirect;
	r->event_idx = features->event_idx;
	r->packed = features->packed;
	r->in_order = features->in_order;
	r->desc = gmem_alloc(m, num * sizeof(*r->desc), VRING_DESC_ALIGN_SIZE);
	r->avail = gmem_alloc(m, sizeof(*r->avail) + (num + 1) * sizeof(uint16_t),
			      VRING_AVAIL_ALIGN_SIZE);
	r->used = gmem_alloc(m, sizeof(*r->used) + num * sizeof(struct vring_used_elem) +
			     sizeof(uint16_t), VRING_USED_ALIGN_SIZE);
	r->desc_iova = gmem_iova(m, r->desc);
	r->avail_iova = gmem_iova(m, r->avail);
	r->used_iova = gmem_iova(m, r->used);
	if (max_indirect) {
		r->tables = gmem_alloc(m, (size_t)num * max_indirect * sizeof(*r->tables), 16);
		r->tables_iova = gmem_iova(m, r->tables);
	}
	r->kick_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->call_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->slots = calloc(num, sizeof(*r->slots));
	r->order = calloc(num, sizeof(*r->order));
	if (r->kick_fd < 0 || r->call_fd < 0 || !r->slots || !r->order) {
		ring_destroy(r);
		return -ENOMEM;
	}
	ring_restart(r, base);
	return 0;
}

void ring_destroy(struct ring *r)
{
	if (!r->num)
		return;
	if (r->kick_fd >= 0)
		close(r->kick_fd);
	if (r->call_fd >= 0)
		close(r->call_fd);
	free(r->order);
	free(r->slots);
	memset(r, 0, sizeof(*r));
}

unsigned int ring_base(const struct ring *r)
{
	return r->packed ? ring_packed_base(r->avail_idx, r->avail_wrap) : r->avail_idx;
}

unsigned int ring_device_base(const struct ring *r)
{
	return r->packed ? ring_packed_device_base(r) : (uint16_t)(r->used_idx + ring_pending(r));
}

void ring_raw_desc(struct vring_desc *d, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	d->addr = htole64(addr);
	d->len = htole32(len);
	d->flags = htole16(flags);
	d->next = htole16(next);
}

void ring_raw_avail(struct ring *r, uint16_t head)
{
	r->avail->ring[r->avail_idx % r->num] = htole16(head);
	r->avail_idx++;
}

void ring_raw_avail_idx(struct ring *r, uint16_t idx)
{
	store16(&r->avail->idx, idx);
}

struct vring_desc *ring_table(const struct ring *r, uint16_t head)
{
	return r->tables + (size_t)head * r->max_indirect;
}

uint64_t ring_table_iova(const struct ring *r, uint16_t head)
{
	return r->tables_iova + (uint64_t)head * r->max_indirect * sizeof(struct vring_desc);
}

static uint16_t seg_flags(const struct ring_seg *seg, bool more)
{
	return (seg->write ? VRING_DESC_F_WRITE : 0) | (more ? VRING_DESC_F_NEXT : 0);
}

static void take_free(struct ring *r, uint16_t head, unsigned int count)
{
	uint16_t i = head;
	unsigned int n;

	for (n = 0; n < count; n++)
		i = r->slots[i].next;
	r->slots[head].count = count;
	r->free_head = i;
	r->free_count -= count;
}

static void give_free(struct ring *r, uint16_t head)
{
	uint16_t tail = head;
	unsigned int n;

	for (n = 1; n < r->slots[head].count; n++)
		tail = r->slots[tail].next;
	r->slots[tail].next = r->free_head;
	r->free_head = head;
	r->free_count += r->slots[head].count;
}

static void fill_table(struct ring *r, uint16_t head, const struct ring_seg *segs,
		       unsigned int count)
{
	struct vring_desc *table = ring_table(r, head);
	unsigned int i;

	/* Flags are where a split descriptor has its next one. */
	for (i = 0; r->packed && i < count; i++)
		ring_raw_desc(&table[i], segs[i].addr, segs[i].len, 0, seg_flags(&segs[i], false));
	for (i = 0; !r->packed && i < count; i++)
		ring_raw_desc(&table[i], segs[i].addr, segs[i].len,
			      seg_flags(&segs[i], i + 1 < count), i + 1 < count ? i + 1 : 0);
}

/* Returns the descriptor after the last that was filled. */
static uint16_t fill_direct(struct ring *r, uint16_t i, const struct ring_seg *segs,
			    unsigned int count, bool more)
{
	unsigned int n;

	for (n = 0; n < count; n++) {
		uint16_t next = r->slots[i].next;
		bool last = !more && n + 1 == count;

		ring_raw_desc(&r->desc[i], segs[n].addr, segs[n].len, seg_flags(&segs[n], !last),
			      last ? 0 : next);
		i = next;
	}
	return i;
}

static void add_split(struct ring *r, uint16_t head, const struct ring_seg *segs,
		      unsigned int count, unsigned int direct)
{
	uint16_t i = head;

	if (direct)
		i = fill_direct(r, head, segs, direct, direct < count);
	if (direct < count)
		ring_raw_desc(&r->desc[i], ring_table_iova(r, head),
			      (count - direct) * sizeof(struct vring_desc), VRING_DESC_F_INDIRECT,
			      0);
	ring_raw_avail(r, head);
}

static void add_packed(struct ring *r, uint16_t head, const struct ring_seg *segs,
		       unsigned int count, unsigned int direct)
{
	unsigned int i;

	for (i = 0; i < direct; i++)
		ring_packed_put(r, segs[i].addr, segs[i].len, seg_flags(&segs[i], i + 1 < count),
				head);
	if (!direct)
		ring_packed_put(r, ring_table_iova(r, head), count * sizeof(struct vring_desc),
				VRING_DESC_F_INDIRECT, head);
}

int ring_add(struct ring *r, const struct ring_seg *segs, unsigned int count,
	     enum ring_layout layout, void *token)
{
	unsigned int direct = layout == RING_DIRECT ? count : layout == RING_MIXED ? 1 : 0;
	unsigned int slots;
	uint16_t head = r->free_head;

	/* In a packed ring a table is the whole chain. */
	if (r->packed && layout == RING_MIXED)
		direct = 0;
	slots = direct + (direct < count);
	if (count - direct > r->max_indirect)
		return -E2BIG;
	if (slots > r->free_count)
		return -ENOSPC;
	take_free(r, head, slots);
	if (direct < count)
		fill_table(r, head, segs + direct, count - direct);
	if (r->packed)
		add_packed(r, head, segs, count, direct);
	else
		add_split(r, head, segs, count, direct);
	r->slots[head].token = token;
	r->order[r->order_end++ % r->num] = head;
	return head;
}

bool ring_publish(struct ring *r)
{
	uint16_t old = r->told_idx;

	if (r->packed)
		return ring_packed_publish(r);
	store16(&r->avail->idx, r->avail_idx);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	r->told_idx = r->avail_idx;
	if (r->event_idx)
		return vring_need_event(ring_avail_event(r), r->avail_idx, old);
	return !(load16(&r->used->flags) & VRING_USED_F_NO_NOTIFY);
}

void ring_kick(struct ring *r)
{
	r->kicks++;
	eventfd_write(r->kick_fd, 1);
}

void ring_flush(struct ring *r)
{
	if (ring_publish(r))
		ring_kick(r);
}

uint16_t ring_pending(const struct ring *r)
{
	if (r->packed)
		return ring_packed_pending(r);
	return load16(&r->used->idx) - r->used_idx;
}

bool ring_any(const struct ring *r)
{
	return r->packed ? ring_packed_any(r) : ring_pending(r);
}

unsigned int ring_in_flight(const struct ring *r)
{
	unsigned int i, n = 0;

	for (i = 0; i < r->num; i++)
		n += !!r->slots[i].token;
	return n;
}

static uint32_t next_used(struct ring *r, uint32_t *len)
{
	const struct vring_used_elem *e = &r->used->ring[r->used_idx++ % r->num];

	*len = le32toh(e->len);
	return le32toh(e->id);
}

void *ring_collect(struct ring *r, uint32_t *len)
{
	void *token;
	uint32_t id;

	if (!ring_any(r))
		return NULL;
	id = r->packed ? ring_packed_next_used(r, len) : next_used(r, len);
	if (id >= r->num || !r->slots[id].token ||
	    (r->in_order && id != r->order[r->order_first++ % r->num])) {
		r->lied = true;
		return NULL;
	}
	token = r->slots[id].token;
	r->slots[id].token = NULL;
	give_free(r, id);
	return token;
}

void ring_arm_call(struct ring *r, uint16_t ahead)
{
	if (r->packed)
		ring_packed_arm_call(r, ahead);
	else if (r->event_idx)
		store16(used_event(r), r->used_idx + ahead - 1);
	else
		store16(&r->avail->flags, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void ring_suppress_calls(struct ring *r)
{
	if (r->packed)
		ring_packed_suppress_calls(r);
	else if (r->event_idx)
		store16(used_event(r), r->used_idx - 1);
	else
		store16(&r->avail->flags, VRING_AVAIL_F_NO_INTERRUPT);
}

uint16_t ring_avail_event(const struct ring *r)
{
	if (r->packed)
		return le16toh(r->device_event->off_wrap);
	return load16((const uint16_t *)&r->used->ring[r->num]);
}

bool ring_wants_kick(const struct ring *r)
{
	if (r->event_idx)
		return ring_avail_event(r) == r->avail_idx;
	return !(load16(&r->used->flags) & VRING_USED_F_NO_NOTIFY);
}

uint64_t ring_take_calls(struct ring *r)
{
	eventfd_t n = 0;

	if (eventfd_read(r->call_fd, &n))
		return 0;
	r->calls += n;
	return n;
}

bool ring_wait_ahead(struct ring *r, uint16_t ahead, int timeout_ms)
{
	struct pollfd p = { .fd = r->call_fd, .events = POLLIN };

	ring_take_calls(r);
	ring_arm_call(r, ahead);
	if (ahead > 1 ? ring_pending(r) < ahead : !ring_any(r))
		poll(&p, 1, timeout_ms);
	return ring_any(r);
}

bool ring_wait(struct ring *r, int timeout_ms)
{
	return ring_wait_ahead(r, 1, timeout_ms);
}
