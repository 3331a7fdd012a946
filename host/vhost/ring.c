// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtqueues from the device's side. The formats are inline cores; here is an
 * instance of each for each kind of memory, and the way to the right one.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "ring_split.h"

/*
 * A packed core has the same operations under the prefix pvpacked_, and adds
 * its row to PVRING_CALL() and to pvring_formats[].
 */
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
static noinline int core##_kicks_enable_##kind(struct pvring *r)	\
{									\
	return core##_kicks_enable(r, kind);				\
}

PVRING_INSTANCE(pvsplit, PVMEM_KERN)
#ifdef __KERNEL__
PVRING_INSTANCE(pvsplit, PVMEM_USER)
PVRING_INSTANCE(pvsplit, PVMEM_PHYS)

/* Branches rather than pointers: they cost no thunk. */
#define PVRING_CALL(r, op, ...)						\
	((r)->kind == PVMEM_USER ? pvsplit_##op##_PVMEM_USER(__VA_ARGS__) : \
	 (r)->kind == PVMEM_PHYS ? pvsplit_##op##_PVMEM_PHYS(__VA_ARGS__) : \
	 pvsplit_##op##_PVMEM_KERN(__VA_ARGS__))
#else
#define PVRING_CALL(r, op, ...) pvsplit_##op##_PVMEM_KERN(__VA_ARGS__)
#endif

/**
 * struct pvring_format_ops - what differs between formats off the data path
 * @desc_size: bytes of the descriptor area
 * @driver_size: bytes of the driver area
 * @device_size: bytes of the device area
 */
struct pvring_format_ops {
	size_t (*desc_size)(unsigned int num);
	size_t (*driver_size)(unsigned int num);
	size_t (*device_size)(unsigned int num);
};

static const struct pvring_format_ops pvring_formats[] = {
	[PVRING_SPLIT] = {
		.desc_size = pvsplit_desc_size,
		.driver_size = pvsplit_driver_size,
		.device_size = pvsplit_device_size,
	},
};

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
	if (!cfg->num || cfg->num > PVRING_NUM_MAX || !is_power_of_2(cfg->num))
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
		.limits = cfg->limits,
		/* What another ring left in memory is not known. */
		.kicks_off = true,
	};

	r->pending = kvcalloc(cfg->num, sizeof(*r->pending), GFP_KERNEL_ACCOUNT);
	if (!r->pending)
		return -ENOMEM;
	r->popped = bitmap_zalloc(cfg->num, GFP_KERNEL_ACCOUNT);
	if (!r->popped)
		goto err_popped;
	return 0;

err_popped:
	kvfree(r->pending);
	r->pending = NULL;
	return -ENOMEM;
}
EXPORT_SYMBOL_GPL(pvring_init);

/**
 * pvring_destroy() - undo pvring_init()
 * @r: the ring; no chain is in flight. One that is all zeroes is allowed.
 */
void pvring_destroy(struct pvring *r)
{
	bitmap_free(r->popped);
	kvfree(r->pending);
	r->popped = NULL;
	r->pending = NULL;
}
EXPORT_SYMBOL_GPL(pvring_destroy);

/**
 * pvring_set_state() - put a ring where another one stopped
 * @r: the ring; nothing popped yet
 * @state: from pvring_get_state(), or from the VMM: any value is safe
 */
void pvring_set_state(struct pvring *r, const struct pvring_state *state)
{
	r->last_avail = state->avail_idx;
	r->next_used = state->used_idx;
	r->signalled_valid = false;
	r->kicks_off = true;
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
	};
}
EXPORT_SYMBOL_GPL(pvring_get_state);

/**
 * pvring_batch_alloc() - make the room that pops fill
 * @chains: chains per pop
 * @limits: those of the ring
 *
 * Context: may sleep.
 * Return: the batch, or NULL without memory.
 */
struct pvring_batch *pvring_batch_alloc(unsigned int chains,
					const struct pvring_limits *limits)
{
	unsigned int longest = limits->max_desc + PVRING_SPLITS_MAX;
	struct pvring_batch *b;

	b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	if (!b)
		return NULL;

	/* Room for the longest chain, and for many of the usual length. */
	b->max = chains;
	b->max_seg = max(longest, chains * 8);
	b->max_raw = max(limits->max_desc + 1U, chains * 4);
	b->max_table = limits->max_desc;

	b->chain = kvcalloc(chains, sizeof(*b->chain), GFP_KERNEL_ACCOUNT);
	b->seg = kvcalloc(b->max_seg, sizeof(*b->seg), GFP_KERNEL_ACCOUNT);
	b->raw = kvcalloc(b->max_raw, sizeof(*b->raw), GFP_KERNEL_ACCOUNT);
	b->table = kvcalloc(b->max_table, sizeof(*b->table), GFP_KERNEL_ACCOUNT);
	b->heads = kvcalloc(chains, sizeof(*b->heads), GFP_KERNEL_ACCOUNT);
	b->count = kvcalloc(chains, sizeof(*b->count), GFP_KERNEL_ACCOUNT);
	if (b->chain && b->seg && b->raw && b->table && b->heads && b->count)
		return b;

	pvring_batch_free(b);
	return NULL;
}
EXPORT_SYMBOL_GPL(pvring_batch_alloc);

/**
 * pvring_batch_free() - undo pvring_batch_alloc()
 * @b: the batch; NULL is allowed
 */
void pvring_batch_free(struct pvring_batch *b)
{
	if (!b)
		return;

	kvfree(b->count);
	kvfree(b->heads);
	kvfree(b->table);
	kvfree(b->raw);
	kvfree(b->seg);
	kvfree(b->chain);
	kfree(b);
}
EXPORT_SYMBOL_GPL(pvring_batch_free);

/**
 * pvring_pop() - take chains that the driver made available
 * @r: the ring
 * @t: guest memory; translations in @b hold for this table
 * @b: where they go; what it held before is gone
 * @max: no more than these
 *
 * A chain that is wrong ends the batch before it; only when it is the first
 * one is its error returned. Nothing is taken then.
 *
 * Context: the ring's owner; PVMEM_USER needs the owner's mm and page faults
 * disabled where it may not sleep.
 * Return: chains in @b, 0 when there are none; -EAGAIN with &pvring.fault set
 * where user memory was not present; -EINVAL with &pvring.error set where the
 * driver broke the ring.
 */
int pvring_pop(struct pvring *r, const struct pvmem_table *t,
	       struct pvring_batch *b, unsigned int max)
{
	return PVRING_CALL(r, pop, r, t, b, min(max, b->max));
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
	unsigned int i;

	for (i = from; i < b->n; i++)
		pvring_forget(r, b->chain[i].head);
	r->last_avail -= b->n - from;
}
EXPORT_SYMBOL_GPL(pvring_unpop);

/**
 * pvring_publish() - show the driver all completed chains
 * @r: the ring
 *
 * Context: as for pvring_pop().
 * Return: 0, or -EAGAIN with &pvring.fault set; nothing is lost then.
 */
int pvring_publish(struct pvring *r)
{
	return r->npending ? PVRING_CALL(r, publish, r) : 0;
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
