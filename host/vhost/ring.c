// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueues from the device's side. The formats are inline cores; here is an
 * instance of each for each kind of memory, and the way to the right one.
 */
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "ring_packed.h"
#include "ring_split.h"

#define PVRING_INSTANCE(core, kind)					\
static noinline int							\
core##_pop_##kind(struct pvring *r, const struct pvmem_table *t,	\
		  struct pvring_batch *b, unsigned int max)		\
{									\
	return core##_pop(r, t, b, max, kind);				\
}									\
static noinline int core##_publish_##kind(struct pvring *r)		\
{									\
	return core##_publish(r, kind);					\
}									\
static noinline int core##_notify_needed_##kind(struct pvring *r)	\
{									\
	return core##_notify_needed(r, kind);				\
}									\
static noinline int core##_kicks_disable_##kind(struct pvring *r)	\
{									\
	return core##_kicks_disable(r, kind);				\
}									\
static noinline int core##_more_##kind(struct pvring *r)		\
{									\
	return core##_more(r, kind);					\
}									\
static noinline int core##_kicks_enable_##kind(struct pvring *r)	\
{									\
	return core##_kicks_enable(r, kind);				\
}									\
static noinline int							\
core##_peek_##kind(struct pvring *r, u16 at, u16 *val)			\
{									\
	return core##_peek(r, at, val, kind);				\
}

/* What packed rings alone have. */
#define PVRING_PACKED_INSTANCE(kind)					\
PVRING_INSTANCE(pvpacked, kind)						\
static noinline int							\
pvpacked_poke_##kind(struct pvring *r, u16 at, u16 val)			\
{									\
	return pvpacked_poke(r, at, val, kind);				\
}

PVRING_INSTANCE(pvsplit, PVMEM_KERN)
PVRING_PACKED_INSTANCE(PVMEM_KERN)
#ifdef __KERNEL__
PVRING_INSTANCE(pvsplit, PVMEM_USER)
PVRING_INSTANCE(pvsplit, PVMEM_PHYS)
PVRING_PACKED_INSTANCE(PVMEM_USER)
PVRING_PACKED_INSTANCE(PVMEM_PHYS)

/* Branches rather than pointers: they cost no thunk. */
#define PVRING_KIND(core, r, op, ...)					\
	((r)->kind == PVMEM_USER ? core##_##op##_PVMEM_USER(__VA_ARGS__) : \
	 (r)->kind == PVMEM_PHYS ? core##_##op##_PVMEM_PHYS(__VA_ARGS__) : \
	 core##_##op##_PVMEM_KERN(__VA_ARGS__))
#else
#define PVRING_KIND(core, r, op, ...) core##_##op##_PVMEM_KERN(__VA_ARGS__)
#endif

#define PVRING_CALL(r, op, ...)						\
	((r)->format == PVRING_PACKED ?					\
	 PVRING_KIND(pvpacked, r, op, __VA_ARGS__) :			\
	 PVRING_KIND(pvsplit, r, op, __VA_ARGS__))

static bool pvsplit_num_ok(unsigned int num)
{
	return is_power_of_2(num);
}

static bool pvpacked_num_ok(unsigned int num)
{
	return true;
}

static void pvsplit_set_state(struct pvring *r, const struct pvring_state *state)
{
	r->last_avail = state->avail_idx;
	r->next_used = state->used_idx;
}

static void pvpacked_set_state(struct pvring *r, const struct pvring_state *state)
{
	r->last_avail = state->avail_idx;
	r->next_used = state->used_idx;
	r->avail_flags = state->avail_wrap ? PVPACKED_F_AVAIL : PVPACKED_F_USED;
	r->used_flags = state->used_wrap ? PVPACKED_F_AVAIL | PVPACKED_F_USED : 0;
}

static void pvsplit_step_back(struct pvring *r, unsigned int n)
{
	r->last_avail -= n;
}

static void pvpacked_step_back(struct pvring *r, unsigned int n)
{
	if (n > r->last_avail) {
		r->last_avail += r->num;
		r->avail_flags ^= PVPACKED_F_AVAIL | PVPACKED_F_USED;
	}
	r->last_avail -= n;
}

/**
 * struct pvring_format_ops - what differs between formats off the data path
 * @desc_size: bytes of the descriptor area
 * @driver_size: bytes of the driver area
 * @device_size: bytes of the device area
 * @num_ok: can a queue have this size, which is not out of range
 * @idx_end: indices of a state are smaller; 0: than the queue size
 * @set_state: takes a state that was checked
 * @step_back: the last @n entries, packed: descriptors, were not taken
 * @published: what the next publish is going to write
 * @kicks_written: what asking for kicks, or for none, is going to write
 */
struct pvring_format_ops {
	size_t (*desc_size)(unsigned int num);
	size_t (*driver_size)(unsigned int num);
	size_t (*device_size)(unsigned int num);
	bool (*num_ok)(unsigned int num);
	u32 idx_end;
	void (*set_state)(struct pvring *r, const struct pvring_state *state);
	void (*step_back)(struct pvring *r, unsigned int n);
	unsigned int (*published)(const struct pvring *r,
				  struct pvring_span *span);
	unsigned int (*kicks_written)(const struct pvring *r, bool enable,
				      struct pvring_span *span);
};

static const struct pvring_format_ops pvring_formats[] = {
	[PVRING_SPLIT] = {
		.desc_size = pvsplit_desc_size,
		.driver_size = pvsplit_driver_size,
		.device_size = pvsplit_device_size,
		.num_ok = pvsplit_num_ok,
		.idx_end = U16_MAX + 1,
		.set_state = pvsplit_set_state,
		.step_back = pvsplit_step_back,
		.published = pvsplit_published,
		.kicks_written = pvsplit_kicks_written,
	},
	[PVRING_PACKED] = {
		.desc_size = pvpacked_desc_size,
		.driver_size = pvpacked_event_size,
		.device_size = pvpacked_event_size,
		.num_ok = pvpacked_num_ok,
		.set_state = pvpacked_set_state,
		.step_back = pvpacked_step_back,
		.published = pvpacked_published,
		.kicks_written = pvpacked_kicks_written,
	},
};

/* A head for a chain whose ID is none: there is one for every descriptor. */
u16 pvpacked_find_head(struct pvring *r)
{
	u16 head = r->free_slot;

	do {
		head = head + 1 < r->num ? head + 1 : 0;
	} while (r->slot[head] && head != r->free_slot);
	r->free_slot = head;
	return head;
}

/**
 * pvring_desc_size() - size of a ring's descriptor area
 * @format: the ring's format
 * @num: queue size
 *
 * Return: bytes; 0 for a format that is not supported.
 */
size_t pvring_desc_size(enum pvring_format format, unsigned int num)
{
	return format < ARRAY_SIZE(pvring_formats) ?
		pvring_formats[format].desc_size(num) : 0;
}
EXPORT_SYMBOL_GPL(pvring_desc_size);

/**
 * pvring_driver_size() - size of a ring's driver area
 * @format: the ring's format
 * @num: queue size
 *
 * Return: bytes; 0 for a format that is not supported.
 */
size_t pvring_driver_size(enum pvring_format format, unsigned int num)
{
	return format < ARRAY_SIZE(pvring_formats) ?
		pvring_formats[format].driver_size(num) : 0;
}
EXPORT_SYMBOL_GPL(pvring_driver_size);

/**
 * pvring_device_size() - size of a ring's device area
 * @format: the ring's format
 * @num: queue size
 *
 * Return: bytes; 0 for a format that is not supported.
 */
size_t pvring_device_size(enum pvring_format format, unsigned int num)
{
	return format < ARRAY_SIZE(pvring_formats) ?
		pvring_formats[format].device_size(num) : 0;
}
EXPORT_SYMBOL_GPL(pvring_device_size);

static const struct pvring_format_ops *pvring_ops(const struct pvring *r)
{
	return &pvring_formats[r->format];
}

static int pvring_alloc(struct pvring *r, bool in_order)
{
	r->slot = kvcalloc(r->num, sizeof(*r->slot), GFP_KERNEL_ACCOUNT);
	r->pending = kvcalloc(r->num, sizeof(*r->pending), GFP_KERNEL_ACCOUNT);
	if (!r->slot || !r->pending)
		return -ENOMEM;
	if (!in_order)
		return 0;

	r->early = kvcalloc(r->num, sizeof(*r->early), GFP_KERNEL_ACCOUNT);
	r->order = kvcalloc(r->num, sizeof(*r->order), GFP_KERNEL_ACCOUNT);
	return r->early && r->order ? 0 : -ENOMEM;
}

/**
 * pvring_init() - make a ring, at its first position
 * @r: the ring, whose three areas the caller sets before the first operation
 * @cfg: what it is
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP for a format that is not supported, -EINVAL for a
 * queue size or a limit out of range, -ENOMEM.
 */
int pvring_init(struct pvring *r, const struct pvring_config *cfg)
{
	if (cfg->format >= ARRAY_SIZE(pvring_formats))
		return -EOPNOTSUPP;
	/* A descriptor's flags, length and ID are read and written at once. */
	if (cfg->format == PVRING_PACKED && sizeof(long) < sizeof(u64))
		return -EOPNOTSUPP;
	if (!cfg->num || cfg->num > PVRING_NUM_MAX ||
	    !pvring_formats[cfg->format].num_ok(cfg->num))
		return -EINVAL;
	if (!cfg->limits.max_desc || !cfg->limits.max_bytes ||
	    cfg->limits.hdr_len > PVRING_HDR_MAX)
		return -EINVAL;

	*r = (struct pvring) {
		.format = cfg->format,
		.kind = cfg->kind,
		.num = cfg->num,
		.event_idx = cfg->event_idx,
		.indirect = cfg->indirect,
		.notify_on_empty = cfg->notify_on_empty,
		.limits = cfg->limits,
		/* What another ring left in memory is not known. */
		.kicks_off = true,
	};
	pvring_ops(r)->set_state(r, &PVRING_FIRST_STATE);

	r->extra = cfg->in_order;
	if (pvring_alloc(r, cfg->in_order)) {
		pvring_destroy(r);
		return -ENOMEM;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(pvring_init);

/**
 * pvring_destroy() - undo pvring_init()
 * @r: the ring; no chain is in flight. One that is all zeroes is allowed.
 */
void pvring_destroy(struct pvring *r)
{
	pvinflight_destroy(r);
	kvfree(r->order);
	kvfree(r->early);
	kvfree(r->pending);
	kvfree(r->slot);
	r->order = NULL;
	r->early = NULL;
	r->pending = NULL;
	r->slot = NULL;
}
EXPORT_SYMBOL_GPL(pvring_destroy);

/**
 * pvring_set_state() - put a ring where another one stopped
 * @r: the ring; nothing popped yet
 * @state: from pvring_get_state(), or from the VMM: any value is safe
 *
 * Return: 0, or -EINVAL for an index that is not of the queue; nothing has
 * changed then.
 */
int pvring_set_state(struct pvring *r, const struct pvring_state *state)
{
	u32 end = pvring_ops(r)->idx_end ?: r->num;

	if (state->avail_idx >= end || state->used_idx >= end)
		return -EINVAL;

	pvring_ops(r)->set_state(r, state);
	r->signalled_valid = false;
	r->since = 0;
	r->kicks_off = true;
	return 0;
}
EXPORT_SYMBOL_GPL(pvring_set_state);

/**
 * pvring_get_state() - where a ring stands
 * @r: the ring; nothing in flight, everything published
 * @state: all that another ring needs to go on
 */
void pvring_get_state(const struct pvring *r, struct pvring_state *state)
{
	*state = (struct pvring_state) {
		.avail_idx = r->last_avail,
		.used_idx = r->next_used,
		.avail_wrap = r->avail_flags & PVPACKED_F_AVAIL,
		.used_wrap = r->used_flags,
	};
}
EXPORT_SYMBOL_GPL(pvring_get_state);

/* In order: remembers the order of what was popped. */
static void pvring_remember(struct pvring *r, const struct pvring_batch *b)
{
	const unsigned int num = r->num, n = b->n;
	const struct pvring_chain *c = b->chain;
	unsigned int at = r->order_first + r->order_n, i;
	u16 *order = r->order;

	if (at >= num)
		at -= num;
	for (i = 0; i < n; i++) {
		order[at] = c[i].head;
		if (++at == num)
			at = 0;
	}
	r->order_n += n;
}

/* What only some rings do with what was popped. */
static void pvring_popped_extra(struct pvring *r, const struct pvring_batch *b)
{
	if (r->kept)
		pvinflight_popped(r, b);
	if (r->early)
		pvring_remember(r, b);
}

/**
 * pvring_pop() - take chains that the driver made available
 * @r: the ring
 * @t: guest memory; translations in @b hold for this table
 * @b: where they go; what it held before is gone
 * @max: no more than these
 *
 * A chain that is wrong ends the batch before it; only when it is the first
 * one, or with &pvring_batch.whole, is its error returned. Nothing is taken then.
 *
 * Context: the ring's owner; PVMEM_USER needs the owner's mm and page faults
 * disabled where it may not sleep.
 * Return: chains in @b, 0 when there are none; -EAGAIN with &pvring.fault set
 * where user memory was not present; -ENXIO with &pvring.miss set where guest
 * memory may yet get a translation; -EINVAL with &pvring.error set where the
 * driver broke the ring.
 */
int pvring_pop(struct pvring *r, const struct pvmem_table *t,
	       struct pvring_batch *b, unsigned int max)
{
	int n = PVRING_CALL(r, pop, r, t, b, min(max, b->max));

	if (likely(n > 0)) {
		r->inflight += n;
		if (unlikely(r->extra))
			pvring_popped_extra(r, b);
	}
	return n;
}
EXPORT_SYMBOL_GPL(pvring_pop);

/**
 * pvring_unpop() - give the tail of a batch back, untouched
 * @r: the ring; nothing was popped since
 * @b: the batch
 * @from: the first chain to give back
 *
 * The next pop reads these chains anew.
 */
void pvring_unpop(struct pvring *r, const struct pvring_batch *b,
		  unsigned int from)
{
	unsigned int before = r->taken, i;
	bool anew = true;

	if (r->kept)
		anew = pvinflight_unpopped(r, b, from);
	for (i = from; i < b->n; i++)
		pvring_forget(r, b->chain[i].head);
	if (anew)
		pvring_ops(r)->step_back(r, before - r->taken);
	if (r->early)
		r->order_n -= b->n - from;
}
EXPORT_SYMBOL_GPL(pvring_unpop);

static __always_inline void pvring_pend(struct pvring *r, u16 head, u64 word)
{
	if (r->kept)
		r->kept->done[r->npending] =
			r->kept->entry[head];
	r->slot[head] = 0;
	r->pending[r->npending++] = word;
}

static void pvring_order_next(struct pvring *r)
{
	if (++r->order_first == r->num)
		r->order_first = 0;
	r->order_n--;
}

/* What all that was popped before it is complete with is no longer early. */
static noinline void pvring_pend_in_order(struct pvring *r)
{
	u16 head;

	while (r->order_n) {
		head = r->order[r->order_first];
		if (!r->early[head])
			break;
		pvring_pend(r, head, r->early[head]);
		r->early[head] = 0;
		pvring_order_next(r);
	}
}

/**
 * pvring_complete_extra() - pvring_complete() with &pvring.extra
 * @r: the ring
 * @head: the chain's head
 * @word: what the driver is told of it
 */
void pvring_complete_extra(struct pvring *r, u16 head, u64 word)
{
	if (r->early && WARN_ON_ONCE(r->early[head]))
		return;
	r->inflight--;
	if (!r->early) {
		pvring_pend(r, head, word);
		return;
	}
	/* Nearly always they come back as they went. */
	if (likely(r->order_n && r->order[r->order_first] == head)) {
		pvring_pend(r, head, word);
		pvring_order_next(r);
	} else {
		r->early[head] = word;
		return;
	}
	if (unlikely(r->order_n > r->inflight))
		pvring_pend_in_order(r);
}
EXPORT_SYMBOL_GPL(pvring_complete_extra);

static noinline int pvring_publish_noted(struct pvring *r)
{
	unsigned int n = r->npending;
	int err;

	pvinflight_publish(r);
	err = PVRING_CALL(r, publish, r);
	if (!err)
		pvinflight_published(r, n);
	return err;
}

/**
 * pvring_publish() - show the driver all completed chains
 * @r: the ring
 *
 * Context: as for pvring_pop().
 * Return: 0, or -EAGAIN with &pvring.fault set; nothing is lost then.
 */
int pvring_publish(struct pvring *r)
{
	if (unlikely(!r->npending))
		return 0;
	return unlikely(r->kept) ? pvring_publish_noted(r) :
					      PVRING_CALL(r, publish, r);
}
EXPORT_SYMBOL_GPL(pvring_publish);

/**
 * pvring_notify_needed() - does the driver want to hear of what was published
 * @r: the ring; asked once after each pvring_publish() that had something
 *
 * Context: as for pvring_pop().
 * Return: 1 or 0, or -EAGAIN with &pvring.fault set.
 */
int pvring_notify_needed(struct pvring *r)
{
	return PVRING_CALL(r, notify_needed, r);
}
EXPORT_SYMBOL_GPL(pvring_notify_needed);

/**
 * pvring_kicks_disable() - tell the driver that kicks are not needed
 * @r: the ring
 *
 * Context: as for pvring_pop().
 * Return: 0, or -EAGAIN with &pvring.fault set.
 */
int pvring_kicks_disable(struct pvring *r)
{
	return PVRING_CALL(r, kicks_disable, r);
}
EXPORT_SYMBOL_GPL(pvring_kicks_disable);

/**
 * pvring_more() - has the driver made more available than was popped
 * @r: the ring
 *
 * Context: as for pvring_pop().
 * Return: 1 or 0, or -EAGAIN with &pvring.fault set.
 */
int pvring_more(struct pvring *r)
{
	return PVRING_CALL(r, more, r);
}
EXPORT_SYMBOL_GPL(pvring_more);

/**
 * pvring_kicks_enable() - ask for a kick at the next available chain
 * @r: the ring
 *
 * Context: as for pvring_pop().
 * Return: 0: a kick will come; 1: there is a chain already; -EAGAIN with
 * &pvring.fault set.
 */
int pvring_kicks_enable(struct pvring *r)
{
	return PVRING_CALL(r, kicks_enable, r);
}
EXPORT_SYMBOL_GPL(pvring_kicks_enable);

/**
 * pvring_published() - what is pvring_publish() going to write
 * @r: the ring, with chains to publish
 * @span: room for PVRING_SPANS parts of its areas
 *
 * Return: how many.
 */
unsigned int pvring_published(const struct pvring *r, struct pvring_span *span)
{
	return pvring_formats[r->format].published(r, span);
}
EXPORT_SYMBOL_GPL(pvring_published);

/**
 * pvring_kicks_written() - what is a wish about kicks going to write
 * @r: the ring
 * @enable: pvring_kicks_enable(); otherwise pvring_kicks_disable()
 * @span: room for one part of its areas
 *
 * Return: 1, or 0 where nothing is written.
 */
unsigned int pvring_kicks_written(const struct pvring *r, bool enable,
				  struct pvring_span *span)
{
	return pvring_formats[r->format].kicks_written(r, enable, span);
}
EXPORT_SYMBOL_GPL(pvring_kicks_written);

/**
 * pvring_peek() - read what says how far the device has come
 * @r: the ring
 * @at: packed: a descriptor
 * @val: gets the used index; packed: the descriptor's flags
 *
 * Context: as for pvring_pop().
 * Return: 0, or -EAGAIN with &pvring.fault set.
 */
int pvring_peek(struct pvring *r, u16 at, u16 *val)
{
	return PVRING_CALL(r, peek, r, at, val);
}

/**
 * pvring_poke() - write the flags of a descriptor
 * @r: the ring; packed
 * @at: the descriptor
 * @val: its flags
 *
 * Context: as for pvring_pop().
 * Return: 0, or -EAGAIN with &pvring.fault set.
 */
int pvring_poke(struct pvring *r, u16 at, u16 val)
{
	return PVRING_KIND(pvpacked, r, poke, r, at, val);
}
