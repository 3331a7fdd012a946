// SPDX-License-Identifier: GPL-2.0-only
/*
 * The in-flight region of a packed ring, as vhost-user has it ("Inflight I/O
 * tracking"). Its entries are copies of descriptors, in a list of free ones or in
 * that of a chain. free_head and used_idx are where the region will be when the
 * driver has seen what is being published, the old ones where it was before; the
 * ring tells which of them hold.
 *
 * The index and its wrap counter are no pair that could be written one after the
 * other: in between they name another place. So what belongs together is written
 * in one store here.
 */
#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/string.h>

#include "inflight.h"
#include "ring_packed.h"

static_assert(offsetof(struct vhost_inflight_packed, free_head) == 12);
static_assert(offsetof(struct vhost_inflight_packed, used_idx) == 16);
static_assert(offsetof(struct vhost_inflight_packed, desc) == 32);
static_assert(sizeof(struct vhost_inflight_packed_desc) == 32);

/* In the place of a chain's length, while a region is looked through. */
#define PVINFLIGHT_FREE		U16_MAX
#define PVINFLIGHT_TAKEN	(U16_MAX - 1)

/**
 * union pvinflight_used - where used descriptors go, now and before
 * @now: the next one
 * @old: the next one before the batch that is being published
 * @now_wrap: the wrap counter that goes with @now
 * @old_wrap: with @old
 * @padding: of the layout
 * @word: all of it
 */
union pvinflight_used {
	struct {
		u16 now;
		u16 old;
		u8 now_wrap;
		u8 old_wrap;
		u8 padding[2];
	};
	u64 word;
};

/**
 * union pvinflight_free - the first free entry, now and before
 * @now: when the batch that is being published is
 * @old: before
 * @word: both
 */
union pvinflight_free {
	struct {
		u16 now;
		u16 old;
	};
	u32 word;
};

static void pvinflight_set_used(struct pvring *r, u16 idx, bool wrap, u16 old,
				bool old_wrap)
{
	const union pvinflight_used used = {
		.now = idx,
		.old = old,
		.now_wrap = wrap,
		.old_wrap = old_wrap,
	};

	WRITE_ONCE(*(u64 *)&r->kept->packed->used_idx, used.word);
}

static void pvinflight_set_free(struct pvring *r, u16 head, u16 old)
{
	const union pvinflight_free free = { .now = head, .old = old };

	WRITE_ONCE(*(u32 *)&r->kept->packed->free_head, free.word);
}

/**
 * pvinflight_packed_size() - size of a region
 * @num: queue size
 *
 * Return: bytes.
 */
size_t pvinflight_packed_size(unsigned int num)
{
	return offsetof(struct vhost_inflight_packed, desc) +
	       num * sizeof(struct vhost_inflight_packed_desc);
}

/**
 * pvinflight_packed_make() - make a region that nobody has used
 * @r: the ring, at its first position
 */
void pvinflight_packed_make(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	struct vhost_inflight_packed *p = f->packed;
	bool wrap = r->used_flags;
	unsigned int i;

	for (i = 0; i < r->num; i++) {
		WRITE_ONCE(p->desc[i].inflight, 0);
		WRITE_ONCE(p->desc[i].next, i + 1);
		f->next[i] = i + 1;
	}
	f->free_head = 0;
	f->nfree = r->num;
	WRITE_ONCE(p->features, 0);
	WRITE_ONCE(p->desc_num, r->num);
	pvinflight_set_free(r, 0, 0);
	pvinflight_set_used(r, r->next_used, wrap, r->next_used, wrap);
	/* With a version all of it holds. */
	smp_wmb();
	WRITE_ONCE(p->version, VHOST_INFLIGHT_VERSION);
}

/* Descriptors from the old place to the new one. */
static int pvinflight_batch(const struct pvring *r,
			    const union pvinflight_used *u)
{
	if (u->now >= r->num || u->old >= r->num || u->now_wrap > 1 ||
	    u->old_wrap > 1)
		return -EINVAL;
	return u->now - u->old + (u->now_wrap != u->old_wrap ? r->num : 0);
}

/*
 * Of a batch the first descriptor is written last. Where that didn't happen, the
 * others go: what is completed first next time is written before them, and the
 * driver would take them for used.
 */
static int pvinflight_take_back(struct pvring *r,
				const union pvinflight_used *u, int n)
{
	u16 at = u->old, flags = u->old_wrap ? PVPACKED_F_AVAIL | PVPACKED_F_USED : 0;
	int err = 0;
	u16 v;

	for (; n && !err; n--, at = pvpacked_next(at, &flags, r->num, 1)) {
		err = pvring_peek(r, at, &v);
		if (!err && (v & (PVPACKED_F_AVAIL | PVPACKED_F_USED)) == flags)
			err = pvring_poke(r, at, v ^ PVPACKED_F_USED);
	}
	/* Not page by page, in attempts of which there are few. */
	return err == -EAGAIN ?
		pvring_fault(r, r->desc, pvpacked_desc_size(r->num), true) : err;
}

/* Did the driver see what was being published? */
static int pvinflight_submitted(struct pvring *r,
				const union pvinflight_used *u)
{
	u16 avail = u->old_wrap ? PVPACKED_F_AVAIL : PVPACKED_F_USED, v;
	int err = pvring_peek(r, u->old, &v);

	return err ?: (v & (PVPACKED_F_AVAIL | PVPACKED_F_USED)) != avail;
}

/*
 * Where the region is: behind what was being published, or before it. Returns how
 * many descriptors are to be taken back.
 */
static int pvinflight_settle(struct pvring *r, union pvinflight_used *u,
			     union pvinflight_free *free)
{
	int n = pvinflight_batch(r, u), ret;

	if (n < 0 || n > r->num)
		return -EINVAL;
	/* Where the place is the old one, a batch was at most begun. */
	ret = n ? pvinflight_submitted(r, u) : 0;
	if (ret < 0)
		return ret;
	if (ret) {
		u->old = u->now;
		u->old_wrap = u->now_wrap;
		free->old = free->now;
		return 0;
	}
	u->now = u->old;
	u->now_wrap = u->old_wrap;
	free->now = free->old;
	return n;
}

/* Follows the free entries, and marks them in @ndesc; returns how many. */
static int pvinflight_walk_free(struct pvring *r, u16 i)
{
	struct pvinflight *f = r->kept;
	unsigned int n = 0;

	memset(f->ndesc, 0, r->num * sizeof(*f->ndesc));
	f->free_head = i < r->num ? i : r->num;
	for (i = f->free_head; i < r->num; i = f->next[i], n++) {
		i = array_index_nospec(i, r->num);
		if (f->ndesc[i])
			return -EINVAL;
		f->ndesc[i] = PVINFLIGHT_FREE;
		f->next[i] = READ_ONCE(f->packed->desc[i].next);
		if (f->next[i] > r->num)
			f->next[i] = r->num;
	}
	f->nfree = n;
	return n;
}

/* Follows the entries of a chain; returns how many. */
static int pvinflight_walk_chain(struct pvring *r, u16 head)
{
	struct pvinflight *f = r->kept;
	u16 n = READ_ONCE(f->packed->desc[head].num), i = head, k;

	if (!n || n > r->num)
		return -EINVAL;
	for (k = 1;; k++) {
		if (f->ndesc[i])
			return -EINVAL;
		f->ndesc[i] = PVINFLIGHT_TAKEN;
		if (k == n)
			break;
		f->next[i] = READ_ONCE(f->packed->desc[i].next);
		if (f->next[i] >= r->num)
			return -EINVAL;
		i = array_index_nospec(f->next[i], r->num);
	}
	f->ndesc[head] = n;
	f->last[head] = i;
	return n;
}

/* Finds the chains in flight; returns how many entries they have. */
static int pvinflight_walk_chains(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	int total = 0, n;
	u16 i;

	r->nagain = 0;
	for (i = 0; i < r->num; i++) {
		const struct vhost_inflight_packed_desc *d = &f->packed->desc[i];

		/* What is free is not in flight, whatever it says. */
		if (f->ndesc[i] == PVINFLIGHT_FREE || !READ_ONCE(d->inflight))
			continue;
		n = pvinflight_walk_chain(r, i);
		if (n < 0)
			return n;
		total += n;
		f->again[r->nagain++] = (struct pvinflight_again) {
			READ_ONCE(d->counter), i
		};
	}
	return total;
}

static void pvinflight_clear_free(struct pvring *r)
{
	const struct pvinflight *f = r->kept;
	u16 i;

	for (i = f->free_head; i < r->num; i = f->next[i])
		WRITE_ONCE(f->packed->desc[i].inflight, 0);
}

/**
 * pvinflight_packed_recover() - find what a former device left behind
 * @r: the ring, its memory mapped
 *
 * Context: as for pvring_pop().
 * Return: 0, -EINVAL for a region that isn't this ring's; otherwise as for
 * pvring_peek().
 */
int pvinflight_packed_recover(struct pvring *r)
{
	const struct vhost_inflight_packed *p = r->kept->packed;
	union pvinflight_used used = { .word = READ_ONCE(*(u64 *)&p->used_idx) };
	union pvinflight_free free = { .word = READ_ONCE(*(u32 *)&p->free_head) };
	int nback, nfree, taken, err;

	nback = pvinflight_settle(r, &used, &free);
	if (nback < 0)
		return nback;
	nfree = pvinflight_walk_free(r, free.now);
	if (nfree < 0)
		return nfree;
	taken = pvinflight_walk_chains(r);
	if (taken < 0 || nfree + taken != r->num)
		return -EINVAL;

	/* It is the ring's: from here on both are written. */
	err = pvinflight_take_back(r, &used, nback);
	if (err)
		return err;
	pvinflight_clear_free(r);
	/* The entries before the places: until then it all can be done again. */
	smp_wmb();
	pvinflight_set_free(r, free.now, free.now);
	pvinflight_set_used(r, used.now, used.now_wrap, used.now, used.now_wrap);

	/* All that was popped is in flight, or used. */
	r->next_used = used.now;
	r->used_flags = used.now_wrap ? PVPACKED_F_AVAIL | PVPACKED_F_USED : 0;
	r->last_avail = used.now;
	r->avail_flags = used.now_wrap ? PVPACKED_F_AVAIL : PVPACKED_F_USED;
	r->last_avail = pvpacked_next(r->last_avail, &r->avail_flags, r->num, taken);
	return 0;
}

/* Copies a chain of @n descriptors out of the region. Returns false where it doesn't end. */
static bool pvinflight_copy(const struct pvring *r, u16 entry,
			    struct pvring_raw *raw, u16 n)
{
	const struct pvinflight *f = r->kept;
	const struct vhost_inflight_packed_desc *d;
	u64 rest = 0;

	for (; n; n--, raw++, entry = f->next[entry]) {
		d = &f->packed->desc[entry];
		rest = (u64)le16_to_cpu(READ_ONCE(d->flags)) << 48 |
		       (u64)le16_to_cpu(READ_ONCE(d->id)) << 32 |
		       le32_to_cpu(READ_ONCE(d->len));
		raw->addr = READ_ONCE(d->addr);
		raw->rest = cpu_to_le64(rest);
	}
	return !(pvdesc_flags(rest, PVRING_PACKED) & PVDESC_F_NEXT);
}

/**
 * pvinflight_packed_again() - have chains popped that a former device popped
 * @r: the ring
 * @b: gets their descriptors
 * @max: no more than these
 *
 * Return: how many; 0 where a chain has more descriptors than the backend takes, or
 * has no end.
 */
unsigned int pvinflight_packed_again(struct pvring *r, struct pvring_batch *b,
				     unsigned int max)
{
	const struct pvinflight *f = r->kept;
	unsigned int n = min_t(unsigned int, max, r->nagain), used = 0, i;

	for (i = 0; i < n; i++) {
		u16 entry = f->again[f->first + i].entry;
		u16 ndesc = f->ndesc[entry];

		if (ndesc > b->max_raw - used ||
		    !pvinflight_copy(r, entry, b->raw + used, ndesc))
			break;
		b->count[i] = ndesc;
		used += ndesc;
	}
	return i;
}

/* Notes a chain in the free entries from @at on; returns the next free one. */
static u16 pvinflight_note(struct pvring *r, u16 at, const struct pvring_raw *raw,
			   u16 n)
{
	struct pvinflight *f = r->kept;
	struct vhost_inflight_packed_desc *d = f->packed->desc, *head = &d[at];
	u16 i = at, k;

	for (k = 0; k < n; k++) {
		u64 rest = le64_to_cpu(raw[k].rest);

		if (k)
			i = f->next[i];
		WRITE_ONCE(d[i].addr, raw[k].addr);
		WRITE_ONCE(d[i].len, cpu_to_le32(pvdesc_len(rest)));
		WRITE_ONCE(d[i].id, cpu_to_le16(pvpacked_id(rest)));
		WRITE_ONCE(d[i].flags,
			   cpu_to_le16(pvdesc_flags(rest, PVRING_PACKED)));
	}
	f->last[at] = i;
	f->ndesc[at] = n;
	WRITE_ONCE(head->last, i);
	WRITE_ONCE(head->num, n);
	WRITE_ONCE(head->counter, f->counter++);
	WRITE_ONCE(head->inflight, 1);
	return f->next[i];
}

/**
 * pvinflight_packed_popped() - note what was popped
 * @r: the ring
 * @b: with new chains
 */
void pvinflight_packed_popped(struct pvring *r, const struct pvring_batch *b)
{
	struct pvinflight *f = r->kept;
	const struct pvring_raw *raw = b->raw;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		u16 at = f->free_head;

		/*
		 * There is one for each descriptor that isn't taken, and no pop
		 * takes more than these.
		 */
		if (WARN_ON_ONCE(b->count[i] > f->nfree))
			return;
		f->nfree -= b->count[i];
		f->free_head = pvinflight_note(r, at, raw, b->count[i]);
		f->entry[b->chain[i].head] = at;
		raw += b->count[i];
		/* In flight is what is not free: all else before that. */
		smp_wmb();
		pvinflight_set_free(r, f->free_head, f->free_head);
	}
}

/**
 * pvinflight_packed_unpopped() - note that chains were given back, untouched
 * @r: the ring
 * @b: with new chains
 * @from: the first of them
 *
 * The last one first: what is in flight is at any time what was available first.
 */
void pvinflight_packed_unpopped(struct pvring *r, const struct pvring_batch *b,
				unsigned int from)
{
	struct pvinflight *f = r->kept;
	unsigned int i;

	for (i = b->n; i > from; i--, f->counter--) {
		u16 at = f->entry[b->chain[i - 1].head];

		/* Its last entry still leads to what was free behind it. */
		f->free_head = at;
		f->nfree += f->ndesc[at];
		pvinflight_set_free(r, at, at);
		/* What is free is not in flight, whatever it says. */
		smp_wmb();
		WRITE_ONCE(f->packed->desc[at].inflight, 0);
	}
}

/* Where the next used descriptor goes when all pending ones are. */
static u16 pvinflight_used_then(const struct pvring *r, bool *wrap)
{
	u16 idx = r->next_used, flags = r->used_flags;
	unsigned int i;

	for (i = 0; i < r->npending; i++)
		idx = pvpacked_next(idx, &flags, r->num,
				    PVRING_WORD_NDESC(r->pending[i]));
	*wrap = flags;
	return idx;
}

/**
 * pvinflight_packed_publish() - note what is about to be published
 * @r: the ring; it may be the second attempt
 */
void pvinflight_packed_publish(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	u16 free = f->free_head, then;
	unsigned int i;
	bool wrap;

	for (i = 0; i < r->npending; i++) {
		WRITE_ONCE(f->packed->desc[f->last[f->done[i]]].next, free);
		free = f->done[i];
	}
	then = pvinflight_used_then(r, &wrap);
	pvinflight_set_free(r, free, f->free_head);
	/* With another place for used ones both hold. */
	smp_wmb();
	pvinflight_set_used(r, then, wrap, r->next_used, r->used_flags);
	/* All of it before the ring's descriptors. */
	smp_wmb();
}

/**
 * pvinflight_packed_published() - note that it was
 * @r: the ring
 * @n: chains
 */
void pvinflight_packed_published(struct pvring *r, unsigned int n)
{
	struct pvinflight *f = r->kept;
	unsigned int i;

	/* The ring's descriptors before the entries, these before the places. */
	smp_wmb();
	for (i = 0; i < n; i++) {
		WRITE_ONCE(f->packed->desc[f->done[i]].inflight, 0);
		f->next[f->last[f->done[i]]] = f->free_head;
		f->free_head = f->done[i];
		f->nfree += f->ndesc[f->done[i]];
	}
	/* Until then the entries are found from the new place. */
	smp_wmb();
	pvinflight_set_free(r, f->free_head, f->free_head);
	pvinflight_set_used(r, r->next_used, r->used_flags, r->next_used,
			    r->used_flags);
}
