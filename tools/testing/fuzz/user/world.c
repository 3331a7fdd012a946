// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/kernel.h>
#include <linux/slab.h>

#include "world.h"

#define WORLD_RW	(PVMEM_READ | PVMEM_WRITE)
#define WORLD_A_IOVA	0x10000ULL
#define WORLD_TINY_IOVA	0x30000ULL
#define WORLD_TOP_IOVA	(~0ULL - (WORLD_PAGE - 1))

static const struct {
	u64 iova;
	enum world_block block;
	u32 off;
	u32 perm;
} world_named[WORLD_NAMED] = {
	{ WORLD_A_IOVA, WORLD_AB, 0, WORLD_RW },
	{ WORLD_A_IOVA + WORLD_PAGE, WORLD_AB, WORLD_PAGE, WORLD_RW },
	{ WORLD_A_IOVA + 2 * WORLD_PAGE, WORLD_C, 0, WORLD_RW },
	{ WORLD_A_IOVA + 3 * WORLD_PAGE, WORLD_RO, 0, PVMEM_READ },
	{ 0x20000, WORLD_WO, 0, PVMEM_WRITE },
	{ 0, WORLD_LOW, 0, WORLD_RW },
	{ WORLD_TOP_IOVA, WORLD_TOP, 0, WORLD_RW },
	/* The same memory once more, out of step. */
	{ 0x40000, WORLD_AB, WORLD_PAGE / 2, WORLD_RW },
};

static void world_mem_make(struct world_mem *m, size_t len)
{
	m->p = calloc(1, len);
	m->shadow = malloc(len);
	m->len = len;
	m->own = true;
	FUZZ_CHECK(m->p && m->shadow, "no memory");
}

static void world_mem_free(struct world_mem *m)
{
	if (m->own)
		free(m->p);
	free(m->shadow);
	*m = (struct world_mem) { };
}

void world_init(struct world *w)
{
	unsigned int i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < WORLD_BLOCKS; i++)
		world_mem_make(&w->mem[i], i == WORLD_AB ? 2 * WORLD_PAGE :
			       i == WORLD_TINY_BLOCK ? WORLD_TINY * WORLD_TINIES :
			       WORLD_PAGE);
	world_set_table(w, 0x1ff, 0);
}

void world_destroy(struct world *w)
{
	unsigned int i;

	pvmem_table_put(w->table);
	for (i = 0; i < WORLD_MEMS; i++)
		world_mem_free(&w->mem[i]);
}

static void world_map_add(struct world *w, u64 iova, u32 len, u32 perm, u8 *mem)
{
	if (!perm)
		return;
	w->map[w->nmaps++] = (struct world_map) {
		.iova = iova,
		.len = len,
		.perm = perm,
		.mem = mem,
	};
}

static struct pvmem_table *world_regions(const struct world *w)
{
	struct pvmem_table *t = pvmem_table_alloc(PVMEM_KERN, WORLD_MAPS);
	const struct world_map *m;

	FUZZ_CHECK(t, "no memory");
	for (m = w->map; m < w->map + w->nmaps; m++)
		FUZZ_CHECK(!pvmem_table_add(t, m->iova, m->iova + (m->len - 1),
					    (uintptr_t)m->mem, m->perm), "region refused");
	FUZZ_CHECK(!pvmem_table_seal(t), "regions overlap");
	return t;
}

static struct pvmem_table *world_iotlb(const struct world *w)
{
	struct pvmem_table *t = pvmem_iotlb_alloc(PVMEM_KERN);
	const struct world_map *m;
	struct pvmem_entry *e;

	FUZZ_CHECK(t, "no memory");
	for (m = w->map; m < w->map + w->nmaps; m++) {
		e = kzalloc(sizeof(*e), GFP_KERNEL);
		FUZZ_CHECK(e, "no memory");
		e->region = (struct pvmem_region) {
			.start = m->iova,
			.last = m->iova + (m->len - 1),
			.addr = (uintptr_t)m->mem,
			.perm = m->perm,
		};
		pvmem_iotlb_add(t, e);
	}
	return t;
}

/*
 * Replaces the memory table: the regions whose bits are set in @regions, with
 * the permission that @perms says for one of them. It also says whether that is an
 * IOTLB, where what is missing may be asked for.
 */
void world_set_table(struct world *w, u16 regions, u8 perms)
{
	unsigned int i;

	w->nmaps = 0;
	for (i = 0; i < WORLD_NAMED; i++) {
		u32 perm = world_named[i].perm;

		if ((perms & 7) == i)
			perm ^= (perms >> 3) & WORLD_RW;
		if (regions & (1 << i))
			world_map_add(w, world_named[i].iova, WORLD_PAGE, perm,
				      w->mem[world_named[i].block].p +
				      world_named[i].off);
	}
	for (i = 0; i < WORLD_TINIES && (regions & 0x100); i++)
		world_map_add(w, WORLD_TINY_IOVA + i * WORLD_TINY, WORLD_TINY,
			      WORLD_RW, w->mem[WORLD_TINY_BLOCK].p +
			      (WORLD_TINIES - 1 - i) * WORLD_TINY);

	pvmem_table_put(w->table);
	w->table = perms & 0x20 ? world_iotlb(w) : world_regions(w);
}

/*
 * Makes an area of a ring anew: by itself, or @inside memory that buffers and
 * tables are in as well, if there is room.
 */
void world_set_area(struct world *w, enum world_area area, size_t len,
		    bool inside, u16 where)
{
	struct world_mem *m = &w->mem[area], *block = &w->mem[WORLD_AB];
	size_t off = where & ~15u;

	world_mem_free(m);
	if (!inside || len > block->len) {
		world_mem_make(m, len);
		return;
	}
	off %= block->len - len + 1;
	m->p = block->p + (off & ~15UL);
	m->len = len;
}

/* As a guest writes, perhaps while the device reads. */
void world_write(struct world *w, u8 *to, const void *from, size_t len)
{
	unsigned int i;

	memcpy(to, from, len);
	for (i = 0; i < WORLD_MEMS && w->watched; i++) {
		struct world_mem *m = &w->mem[i];

		if (m->own && to >= m->p && to < m->p + m->len)
			memcpy(m->shadow + (to - m->p), from, len);
	}
}

const struct world_map *world_find(const struct world *w, u64 iova)
{
	unsigned int i;

	for (i = 0; i < w->nmaps; i++)
		if (iova - w->map[i].iova < w->map[i].len)
			return &w->map[i];
	return NULL;
}

/* An address that is probably mapped, or near what is. */
u64 world_iova(struct fuzz_input *in)
{
	u8 what = fuzz_u8(in);

	switch (what & 0xf) {
	case 0 ... WORLD_NAMED - 1:
		return world_named[what & 0xf].iova + fuzz_u16(in) % (2 * WORLD_PAGE);
	case 8:
		return WORLD_TINY_IOVA + fuzz_u16(in) % (WORLD_TINY * WORLD_TINIES);
	case 9 ... 13:
		return world_named[(what >> 4) & 7].iova + 16 * (what & 0xf);
	case 14:
		return (uintptr_t)fuzz_u32(in);
	default:
		return fuzz_u64(in);
	}
}

/* From now on only world_write() changes memory. */
void world_watch(struct world *w)
{
	unsigned int i;

	for (i = 0; i < WORLD_MEMS; i++)
		if (w->mem[i].own)
			memcpy(w->mem[i].shadow, w->mem[i].p, w->mem[i].len);
	w->watched = true;
}

/* Up to now it was so, but for the @len bytes from @but on. */
void world_unwatch(struct world *w, const u8 *but, size_t len)
{
	unsigned int i;

	for (i = 0; i < WORLD_MEMS; i++) {
		struct world_mem *m = &w->mem[i];

		if (!m->own)
			continue;
		if (len && but >= m->p && but < m->p + m->len)
			memcpy(m->shadow + (but - m->p), but, len);
		FUZZ_CHECK(!memcmp(m->shadow, m->p, m->len),
			   "the engine wrote into memory %u", i);
	}
	w->watched = false;
}
