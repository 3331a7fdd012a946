/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_INFLIGHT_MAP_H
#define _PVIO_VHOST_INFLIGHT_MAP_H

#include <linux/types.h>

struct mm_struct;
struct page;

/**
 * struct pvinflight_map - memory of the owner that the kernel holds, and sees
 * @region: where the kernel sees it; NULL: there is none
 * @size: bytes there
 * @va: its first page there
 * @page: the pages
 * @npages: how many
 * @mm: whose locked memory they count as
 */
struct pvinflight_map {
	void *region;
	size_t size;
	void *va;
	struct page **page;
	unsigned int npages;
	struct mm_struct *mm;
};

int pvinflight_map(struct pvinflight_map *map, u64 addr, u64 size);
void pvinflight_unmap(struct pvinflight_map *map);

#endif
