// SPDX-License-Identifier: GPL-2.0-only
/*
 * The in-flight region of a split ring, as vhost-user has it ("Inflight I/O
 * tracking"). A chain's entry is that of its head.
 *
 * What is about to be published is a list before it is: when the used index has
 * moved and that of the region has not, the list says which chains the driver has
 * got back.
 */
#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/nospec.h>

#include "inflight.h"

static_assert(offsetof(struct vhost_inflight_split, desc) == 16);
static_assert(sizeof(struct vhost_inflight_split_desc) == 16);

/**
 * pvinflight_split_size() - size of a region
 * @num: queue size
 *
 * Return: bytes.
 */
size_t pvinflight_split_size(unsigned int num)
{
	return offsetof(struct vhost_inflight_split, desc) +
	       num * sizeof(struct vhost_inflight_split_desc);
}

/**
 * pvinflight_split_make() - make a region that nobody has used
 * @r: the ring, at its first position
 */
void pvinflight_split_make(struct pvring *r)
{
	struct vhost_inflight_split *s = r->kept->split;
	unsigned int i;

	for (i = 0; i < r->num; i++)
		WRITE_ONCE(s->desc[i].inflight, 0);
	WRITE_ONCE(s->features, 0);
	WRITE_ONCE(s->desc_num, r->num);
	WRITE_ONCE(s->last_batch_head, 0);
	WRITE_ONCE(s->used_idx, r->next_used);
	/* With a version all of it holds. */
	smp_wmb();
	WRITE_ONCE(s->version, VHOST_INFLIGHT_VERSION);
}

/* Finds the last @n chains that were used: the driver has seen that. */
static int pvinflight_split_walk_used(struct pvring *r, u16 n)
{
	const struct vhost_inflight_split *s = r->kept->split;
	u16 i = READ_ONCE(s->last_batch_head), k;

	if (n > r->num)
		return -EINVAL;
	for (k = 0; k < n; k++) {
		if (i >= r->num)
			return -EINVAL;
		i = array_index_nospec(i, r->num);
		r->kept->done[k] = i;
		i = READ_ONCE(s->desc[i].next);
	}
	return 0;
}

/**
 * pvinflight_split_recover() - find what a former device left behind
 * @r: the ring, its memory mapped
 *
 * Context: as for pvring_pop().
 * Return: 0, -EINVAL for a region that isn't this ring's; otherwise as for
 * pvring_peek().
 */
int pvinflight_split_recover(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	struct vhost_inflight_split *s = f->split;
	u16 used_idx, n, i;
	int err;

	err = pvring_peek(r, 0, &used_idx);
	if (err)
		return err;
	n = used_idx - READ_ONCE(s->used_idx);
	err = pvinflight_split_walk_used(r, n);
	if (err)
		return err;

	/* It is the ring's: from here on it is written. */
	for (i = 0; i < n; i++)
		WRITE_ONCE(s->desc[f->done[i]].inflight, 0);
	/* The entries before the index: until then it all can be done again. */
	smp_wmb();
	WRITE_ONCE(s->used_idx, used_idx);

	r->nagain = 0;
	for (i = 0; i < r->num; i++)
		if (READ_ONCE(s->desc[i].inflight))
			f->again[r->nagain++] = (struct pvinflight_again) {
				READ_ONCE(s->desc[i].counter), i
			};
	/* All that was popped is in flight, or used. */
	r->next_used = used_idx;
	r->last_avail = used_idx + r->nagain;
	return 0;
}

/**
 * pvinflight_split_again() - have chains popped that a former device popped
 * @r: the ring
 * @b: gets their heads
 * @max: no more than these
 *
 * Return: how many.
 */
unsigned int pvinflight_split_again(struct pvring *r, struct pvring_batch *b,
				    unsigned int max)
{
	const struct pvinflight *f = r->kept;
	unsigned int n = min_t(unsigned int, max, r->nagain), i;

	for (i = 0; i < n; i++)
		b->heads[i] = f->again[f->first + i].entry;
	return n;
}

/**
 * pvinflight_split_popped() - note what was popped
 * @r: the ring
 * @b: with new chains
 */
void pvinflight_split_popped(struct pvring *r, const struct pvring_batch *b)
{
	struct pvinflight *f = r->kept;
	struct vhost_inflight_split_desc *d;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		u16 head = b->chain[i].head;

		d = &f->split->desc[head];
		WRITE_ONCE(d->counter, f->counter++);
		/* In flight is what has its place in the order. */
		smp_wmb();
		WRITE_ONCE(d->inflight, 1);
		f->entry[head] = head;
	}
}

/**
 * pvinflight_split_unpopped() - note that chains were given back, untouched
 * @r: the ring
 * @b: with new chains
 * @from: the first of them
 *
 * The last one first: what is in flight is at any time what was available first.
 */
void pvinflight_split_unpopped(struct pvring *r, const struct pvring_batch *b,
			       unsigned int from)
{
	struct pvinflight *f = r->kept;
	unsigned int i;

	for (i = b->n; i > from; i--, f->counter--)
		WRITE_ONCE(f->split->desc[b->chain[i - 1].head].inflight, 0);
}

/**
 * pvinflight_split_publish() - note what is about to be published
 * @r: the ring; it may be the second attempt
 */
void pvinflight_split_publish(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	struct vhost_inflight_split *s = f->split;
	unsigned int i;

	for (i = 1; i < r->npending; i++)
		WRITE_ONCE(s->desc[f->done[i]].next, f->done[i - 1]);
	WRITE_ONCE(s->last_batch_head, f->done[r->npending - 1]);
	/* All of it before the ring's index. */
	smp_wmb();
}

/**
 * pvinflight_split_published() - note that it was
 * @r: the ring
 * @n: chains
 */
void pvinflight_split_published(struct pvring *r, unsigned int n)
{
	struct pvinflight *f = r->kept;
	unsigned int i;

	/* The ring's index before the entries, and these before the region's. */
	smp_wmb();
	for (i = 0; i < n; i++)
		WRITE_ONCE(f->split->desc[f->done[i]].inflight, 0);
	/* Until then they are found by the list. */
	smp_wmb();
	WRITE_ONCE(f->split->used_idx, r->next_used);
}
