// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory tables: regions as an input says, near each other and near the ends of
 * the address space, compared with a list that is searched from its beginning.
 */
#include <string.h>

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/slab.h>

#include "input.h"
#include "mem.h"
#include "unit.h"

#define TABLE_MAX	24
#define TABLE_SEGS	12

struct table_region {
	u64 start;
	u64 last;
	u64 addr;
	u32 perm;
};

struct table_model {
	struct table_region region[TABLE_MAX];
	unsigned int n;
	unsigned int max;
};

/* Near one of the places where something may go wrong. */
static u64 table_number(struct fuzz_input *in)
{
	static const u64 near[] = { 0, 0x1000, 1ULL << 32, 1ULL << 52, 1ULL << 63, ~0ULL };
	u8 what = fuzz_u8(in);

	if (what & 0x80)
		return fuzz_u64(in);
	return near[what % ARRAY_SIZE(near)] + (s64)(s16)fuzz_u16(in);
}

static const struct table_region *table_model_find(const struct table_model *m, u64 iova)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (iova >= m->region[i].start && iova <= m->region[i].last)
			return &m->region[i];
	return NULL;
}

static int table_model_add(struct table_model *m, const struct table_region *r)
{
	u64 beyond = r->last - r->start;

	if (r->last < r->start || beyond == ~0ULL || r->addr + beyond < r->addr)
		return -EINVAL;
	if (r->perm < 1 || r->perm > 3)
		return -EINVAL;
	if (m->n == m->max)
		return -ENOSPC;
	m->region[m->n++] = *r;
	return 0;
}

static int table_model_seal(const struct table_model *m)
{
	unsigned int i, k;

	for (i = 0; i < m->n; i++)
		for (k = 0; k < i; k++)
			if (m->region[i].start <= m->region[k].last &&
			    m->region[k].start <= m->region[i].last)
				return -EEXIST;
	return 0;
}

static void table_fill(struct table_model *m, struct pvmem_table *t, struct fuzz_input *in)
{
	struct table_region r = { };
	u8 n = fuzz_u8(in) % (TABLE_MAX + 4);

	while (n--) {
		/* Often right behind the one before, there and here. */
		u8 what = fuzz_u8(in);

		r.addr = what & 1 ? r.addr + (r.last - r.start) + 1 : table_number(in);
		r.start = what & 2 ? r.last + 1 : table_number(in);
		r.last = what & 4 ? r.start + fuzz_u16(in) : table_number(in);
		r.perm = what & 8 ? 3 : fuzz_u8(in) % 5;
		FUZZ_CHECK(pvmem_table_add(t, r.start, r.last, r.addr, r.perm) ==
			   table_model_add(m, &r), "add %llx to %llx",
			   (unsigned long long)r.start, (unsigned long long)r.last);
	}
}

static void table_find(const struct table_model *m, const struct pvmem_table *t, u64 iova)
{
	const struct table_region *want = table_model_find(m, iova);
	const struct pvmem_region *got = pvmem_table_find(t, iova);

	FUZZ_CHECK(!want == !got, "%llx found: %d", (unsigned long long)iova, !!got);
	if (want)
		FUZZ_CHECK(got->start == want->start && got->last == want->last &&
			   got->addr == want->addr && got->perm == want->perm,
			   "%llx found elsewhere", (unsigned long long)iova);
}

/* Pieces of a buffer, region by region: their number, or an error. */
static int table_model_translate(const struct table_model *m, u64 iova, u32 len, u32 perm,
				 struct pvmem_seg *seg, unsigned int max)
{
	unsigned int n = 0;
	u64 last = iova + (len - 1);

	if (last < iova)
		return -EFAULT;
	for (;;) {
		const struct table_region *r = table_model_find(m, iova);
		u64 addr, end;

		if (!r || (r->perm & perm) != perm)
			return -EFAULT;
		addr = r->addr + (iova - r->start);
		end = min(last, r->last);
		if (!n || !addr || seg[n - 1].addr + seg[n - 1].len != addr) {
			if (n == max)
				return -ENOSPC;
			seg[n++] = (struct pvmem_seg) { addr, iova, 0 };
		}
		seg[n - 1].len += end - iova + 1;
		if (end == last)
			return n;
		iova = end + 1;
	}
}

static void table_translate(const struct table_model *m, const struct pvmem_table *t,
			    struct fuzz_input *in)
{
	u64 iova = table_number(in);
	u8 bits = fuzz_u8(in), max = bits >> 4;
	u32 len = bits & 1 ? fuzz_u32(in) : fuzz_u16(in), perm = 1 + (bits >> 1 & 1);
	struct pvmem_seg want[TABLE_SEGS + 4], *got;
	int n, k, i;

	max = min_t(u8, max, TABLE_SEGS);
	len = len ?: 1;
	/* Of its exact size: who writes beyond it is seen. */
	got = malloc(max * sizeof(*got) ?: 1);
	n = table_model_translate(m, iova, len, perm, want, max);
	k = pvmem_translate(t, iova, len, perm, got, max);
	FUZZ_CHECK(n == k, "%llx, %u bytes: %d pieces, not %d", (unsigned long long)iova, len, k,
		   n);
	for (i = 0; i < n; i++)
		FUZZ_CHECK(want[i].addr == got[i].addr && want[i].iova == got[i].iova &&
			   want[i].len == got[i].len, "piece %d", i);
	free(got);
}

int fuzz_one_input(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { .at = data, .left = size };
	struct table_model m = { .max = fuzz_u8(&in) % (TABLE_MAX + 1) };
	struct pvmem_table *t = pvmem_table_alloc(PVMEM_KERN, m.max);
	unsigned int i;

	FUZZ_CHECK(t, "no memory");
	table_fill(&m, t, &in);
	if (table_model_seal(&m)) {
		FUZZ_CHECK(pvmem_table_seal(t) == -EEXIST, "an overlap was not seen");
		goto out;
	}
	FUZZ_CHECK(!pvmem_table_seal(t), "an overlap where there is none");
	FUZZ_CHECK(pvmem_table_add(t, 0, 0, 0, 1) == -EBUSY, "added to a sealed table");
	for (i = 0; i < m.n; i++) {
		table_find(&m, t, m.region[i].start);
		table_find(&m, t, m.region[i].start - 1);
		table_find(&m, t, m.region[i].last);
		table_find(&m, t, m.region[i].last + 1);
	}
	while (in.left) {
		table_find(&m, t, table_number(&in));
		table_translate(&m, t, &in);
	}
out:
	pvmem_table_put(t);
	FUZZ_CHECK(!unit_allocs, "%lu allocations are left", unit_allocs);
	return 0;
}
