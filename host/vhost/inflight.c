// SPDX-License-Identifier: GPL-2.0-only
/*
 * In-flight regions, whatever the format: a ring comes here with what it pops,
 * publishes and takes up again.
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "inflight.h"

/* Branches rather than pointers: they cost no thunk. */
#define PVINFLIGHT_CALL(r, op, ...)					\
	((r)->format == PVRING_PACKED ?					\
	 pvinflight_packed_##op(__VA_ARGS__) :				\
	 pvinflight_split_##op(__VA_ARGS__))

/**
 * pvinflight_size() - size of an in-flight region
 * @format: the ring's format
 * @num: queue size
 *
 * Return: bytes.
 */
size_t pvinflight_size(enum pvring_format format, unsigned int num)
{
	return format == PVRING_PACKED ? pvinflight_packed_size(num) :
					 pvinflight_split_size(num);
}
EXPORT_SYMBOL_GPL(pvinflight_size);

static int pvinflight_alloc(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	const gfp_t gfp = GFP_KERNEL_ACCOUNT;

	f->entry = kvcalloc(r->num, sizeof(*f->entry), gfp);
	f->done = kvcalloc(r->num, sizeof(*f->done), gfp);
	f->again = kvcalloc(r->num, sizeof(*f->again), gfp);
	if (!f->entry || !f->done || !f->again)
		return -ENOMEM;
	if (r->format != PVRING_PACKED)
		return 0;

	f->next = kvcalloc(r->num, sizeof(*f->next), gfp);
	f->last = kvcalloc(r->num, sizeof(*f->last), gfp);
	f->ndesc = kvcalloc(r->num, sizeof(*f->ndesc), gfp);
	return f->next && f->last && f->ndesc ? 0 : -ENOMEM;
}

/* A packed ring's places are of its size; a split one's may be larger. */
static bool pvinflight_num_ok(const struct pvring *r, unsigned int desc_num)
{
	return r->format == PVRING_PACKED ? desc_num == r->num :
					    desc_num >= r->num;
}

/**
 * pvring_keep_inflight() - have a ring note in a region what is in flight
 * @r: the ring, put where one begins whose region is new; nothing popped yet.
 *	pvring_recover() comes before all else
 * @region: memory of the owner, aligned to 8, until pvring_destroy(); its contents
 *	may be anything
 * @size: bytes there
 *
 * Context: may sleep.
 * Return: 0; -EINVAL for a region of another version or queue size, or one that
 * is too small, -ENOMEM; pvring_destroy() comes after either.
 */
int pvring_keep_inflight(struct pvring *r, void *region, size_t size)
{
	/* Both formats begin with these. */
	const struct vhost_inflight_split *s = region;
	u16 version;

	if (size < pvinflight_size(r->format, r->num))
		return -EINVAL;
	version = READ_ONCE(s->version);
	if (version > VHOST_INFLIGHT_VERSION ||
	    (version && !pvinflight_num_ok(r, READ_ONCE(s->desc_num))))
		return -EINVAL;

	r->kept = kzalloc(sizeof(*r->kept), GFP_KERNEL_ACCOUNT);
	if (!r->kept)
		return -ENOMEM;
	r->kept->split = region;
	if (pvinflight_alloc(r))
		return -ENOMEM;

	r->kept->used = version;
	r->extra = true;
	r->recover = true;
	return 0;
}
EXPORT_SYMBOL_GPL(pvring_keep_inflight);

/**
 * pvinflight_destroy() - undo pvring_keep_inflight()
 * @r: the ring; the region stays as it is. One that has none is allowed
 */
void pvinflight_destroy(struct pvring *r)
{
	struct pvinflight *f = r->kept;

	if (!f)
		return;
	kvfree(f->ndesc);
	kvfree(f->last);
	kvfree(f->next);
	kvfree(f->again);
	kvfree(f->done);
	kvfree(f->entry);
	kfree(f);
	r->kept = NULL;
}

static int pvinflight_cmp(const void *a, const void *b)
{
	const struct pvinflight_again *x = a, *y = b;

	return x->counter < y->counter ? -1 : x->counter > y->counter;
}

/**
 * pvring_recover() - take up where a former device of this ring ended
 * @r: the ring, with &pvring.recover set; nothing popped yet
 *
 * The next pops bring what the driver still waits for, as it was popped then. A
 * region that nobody has used is made.
 *
 * Context: as for pvring_pop().
 * Return: 0 for a region that is new; 1 for one that isn't: the driver may not
 * have been told of what it has got; or a negative error as of pvring_pop(), and
 * it is tried again then.
 */
int pvring_recover(struct pvring *r)
{
	struct pvinflight *f = r->kept;
	int err;

	if (!f->used) {
		PVINFLIGHT_CALL(r, make, r);
		r->recover = false;
		return 0;
	}
	err = PVINFLIGHT_CALL(r, recover, r);
	if (err) {
		r->nagain = 0;
		if (err == -EINVAL)
			r->error = "its in-flight region is not that of this ring";
		return err;
	}
	sort(f->again, r->nagain, sizeof(*f->again), pvinflight_cmp, NULL);
	f->first = 0;
	f->counter = r->nagain ? f->again[r->nagain - 1].counter + 1 : 0;
	r->recover = false;
	return 1;
}
EXPORT_SYMBOL_GPL(pvring_recover);

/**
 * pvring_recover_spans() - what is pvring_recover() going to write
 * @r: the ring
 * @span: room for one part of its areas
 *
 * Return: how many.
 */
unsigned int pvring_recover_spans(const struct pvring *r, struct pvring_span *span)
{
	/* Any descriptor may be one that is taken back. */
	*span = (struct pvring_span) {
		PVRING_AREA_DESC, 0, pvring_desc_size(r->format, r->num)
	};
	return r->format == PVRING_PACKED;
}

/**
 * pvring_region_used() - did a former device use the in-flight region of a ring
 * @r: the ring, which has one
 *
 * Return: true if so.
 */
bool pvring_region_used(const struct pvring *r)
{
	return r->kept->used;
}

/**
 * pvinflight_again() - have a pop take what a former device popped
 * @r: the ring, with &pvring.nagain not 0
 * @b: what the pop fills from its ring otherwise
 * @max: no more than these
 *
 * Return: how many, or -EINVAL with &pvring.error set.
 */
int pvinflight_again(struct pvring *r, struct pvring_batch *b, unsigned int max)
{
	int n = PVINFLIGHT_CALL(r, again, r, b, max);

	if (!n && max) {
		r->error = "a chain in flight is too long, or has no end";
		return -EINVAL;
	}
	return n;
}

/**
 * pvinflight_popped() - note what was popped, before anybody serves it
 * @r: the ring
 * @b: the chains
 */
void pvinflight_popped(struct pvring *r, const struct pvring_batch *b)
{
	struct pvinflight *f = r->kept;
	unsigned int i;

	f->popped_again = r->nagain;
	if (!f->popped_again) {
		PVINFLIGHT_CALL(r, popped, r, b);
		return;
	}
	for (i = 0; i < b->n; i++)
		f->entry[b->chain[i].head] = f->again[f->first++].entry;
	r->nagain -= b->n;
}

/**
 * pvinflight_unpopped() - note that chains were given back, untouched
 * @r: the ring; nothing was popped since
 * @b: the chains
 * @from: the first of them
 *
 * Return: true if the ring has them anew; false where they are popped again from
 * the region.
 */
bool pvinflight_unpopped(struct pvring *r, const struct pvring_batch *b,
			 unsigned int from)
{
	struct pvinflight *f = r->kept;

	if (!f->popped_again) {
		PVINFLIGHT_CALL(r, unpopped, r, b, from);
		return true;
	}
	f->first -= b->n - from;
	r->nagain += b->n - from;
	return false;
}

/**
 * pvinflight_publish() - note what is about to be published
 * @r: the ring, with chains to publish; it may be another attempt
 */
void pvinflight_publish(struct pvring *r)
{
	PVINFLIGHT_CALL(r, publish, r);
}

/**
 * pvinflight_published() - note that it was
 * @r: the ring
 * @n: chains
 */
void pvinflight_published(struct pvring *r, unsigned int n)
{
	PVINFLIGHT_CALL(r, published, r, n);
}
