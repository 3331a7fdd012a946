// SPDX-License-Identifier: GPL-2.0-only
/* The driver's side of a packed ring (virtio 1.4, 2.8), for tests. */
#include "ring_driver_kunit.h"

/* Puts both sides at the same place, with nothing under way and nothing shown. */
void pvtest_packed_restart(struct pvtest_ring *d, u16 idx, bool wrap)
{
	const struct pvring_state state = {
		.avail_idx = idx,
		.used_idx = idx,
		.avail_wrap = wrap,
		.used_wrap = wrap,
	};
	unsigned int i;

	d->avail_idx = idx;
	d->used_idx = idx;
	d->avail_wrap = wrap;
	d->used_wrap = wrap;
	d->hidden = NULL;
	/* What was used: before @idx in this round, from there on in the last. */
	for (i = 0; i < d->ring.num; i++)
		d->desc[i].next = cpu_to_le16((i < idx) == wrap ?
					      PVTEST_AVAIL | PVTEST_USED : 0);
	KUNIT_ASSERT_EQ(d->test, pvring_set_state(&d->ring, &state), 0);
}

/*
 * Writes a descriptor at the driver's place. The device sees it, and all until
 * the next pvtest_packed_show(), when that comes. In a packed descriptor the
 * buffer's ID is where a split one has its flags, and the flags follow.
 */
void pvtest_packed_put(struct pvtest_ring *d, u64 addr, u32 len, u16 flags,
		       u16 id)
{
	struct pvtest_desc *desc = &d->desc[d->avail_idx];

	flags |= d->avail_wrap ? PVTEST_AVAIL : PVTEST_USED;
	desc->addr = cpu_to_le64(addr);
	desc->len = cpu_to_le32(len);
	desc->flags = cpu_to_le16(id);
	if (d->hidden) {
		desc->next = cpu_to_le16(flags);
	} else {
		d->hidden = desc;
		d->hidden_flags = flags;
	}

	if (++d->avail_idx == d->ring.num) {
		d->avail_idx = 0;
		d->avail_wrap = !d->avail_wrap;
	}
}

void pvtest_packed_show(struct pvtest_ring *d)
{
	if (!d->hidden)
		return;
	/* All else before the first one's flags; pairs with the device's barrier. */
	smp_wmb();
	WRITE_ONCE(d->hidden->next, cpu_to_le16(d->hidden_flags));
	d->hidden = NULL;
}

/* Looks at the next used descriptor; pvtest_packed_skip() goes on. */
bool pvtest_packed_reap(struct pvtest_ring *d, u16 *id, u32 *len)
{
	const u16 both = PVTEST_AVAIL | PVTEST_USED;
	const struct pvtest_desc *desc = &d->desc[d->used_idx];
	u16 flags = le16_to_cpu(READ_ONCE(desc->next));

	if ((flags & both) != (d->used_wrap ? both : 0))
		return false;

	/* The flags before the rest; pairs with the device's barrier. */
	smp_rmb();
	*id = le16_to_cpu(desc->flags);
	*len = flags & PVTEST_WRITE ? le32_to_cpu(desc->len) : 0;
	return true;
}

/* Goes on behind a chain of so many descriptors. */
void pvtest_packed_skip(struct pvtest_ring *d, unsigned int ndesc)
{
	d->used_idx += ndesc;
	if (d->used_idx >= d->ring.num) {
		d->used_idx -= d->ring.num;
		d->used_wrap = !d->used_wrap;
	}
}
