/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_WORLD_H
#define _FUZZ_WORLD_H

/*
 * What a guest has: memory, of which the device sees some at I/O virtual
 * addresses, and the areas of a ring. Each piece is an allocation of its exact
 * size. While it is watched, whatever the engine writes is found.
 */

#include "input.h"
#include "mem.h"

#define WORLD_PAGE	0x400
#define WORLD_TINY	16
#define WORLD_TINIES	32

enum world_block {
	WORLD_LOW,
	WORLD_AB,	/* two pages that are neighbours everywhere */
	WORLD_C,
	WORLD_RO,
	WORLD_WO,
	WORLD_TINY_BLOCK,
	WORLD_TOP,
	WORLD_BLOCKS,
};

enum world_area {
	WORLD_DESC = WORLD_BLOCKS,
	WORLD_DRIVER,
	WORLD_DEVICE,
	WORLD_MEMS,
};

/* Regions that a table may have; those of 16 bytes follow, all or none. */
#define WORLD_NAMED	8
#define WORLD_MAPS	(WORLD_NAMED + WORLD_TINIES)

/**
 * struct world_map - a region as the device may see it
 * @iova: its first address
 * @len: bytes
 * @perm: what the device may do
 * @mem: where it is
 */
struct world_map {
	u64 iova;
	u32 len;
	u32 perm;
	u8 *mem;
};

/**
 * struct world_mem - a piece of memory that the guest can write
 * @p: where it is; for an area possibly in a block
 * @len: bytes
 * @own: it is an allocation of its own
 * @shadow: what it should hold, while it is watched
 */
struct world_mem {
	u8 *p;
	size_t len;
	bool own;
	u8 *shadow;
};

struct world {
	struct world_mem mem[WORLD_MEMS];
	struct world_map map[WORLD_MAPS];
	unsigned int nmaps;
	struct pvmem_table *table;
	bool watched;
};

void world_init(struct world *w);
void world_destroy(struct world *w);
void world_set_table(struct world *w, u16 regions, u8 perms);
void world_set_area(struct world *w, enum world_area area, size_t len,
		    bool inside, u16 where);
void world_write(struct world *w, u8 *to, const void *from, size_t len);
const struct world_map *world_find(const struct world *w, u64 iova);
u64 world_iova(struct fuzz_input *in);

void world_watch(struct world *w);
void world_unwatch(struct world *w, const u8 *but, size_t len);

#endif
