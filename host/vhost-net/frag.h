/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_NET_FRAG_H
#define _PVIO_VHOST_NET_FRAG_H

#include <linux/types.h>

struct page;

/**
 * struct pvfrag_page - pages from which pieces are cut, one behind the other
 * @page: the pages; NULL: there are none
 * @size: bytes
 * @bias: references that are not given away
 */
struct pvfrag_page {
	struct page *page;
	u32 size;
	u32 bias;
};

/**
 * struct pvfrag - memory of frames
 * @now: where pieces are cut from
 * @before: where they were; while the last frames of it are on their way, so that it can be
 *	used again when the other one is used up
 * @offset: in @now, of what is not given away
 */
struct pvfrag {
	struct pvfrag_page now;
	struct pvfrag_page before;
	u32 offset;
};

void *pvfrag_reserve(struct pvfrag *f, u32 len);
void pvfrag_commit(struct pvfrag *f, u32 len);
void pvfrag_destroy(struct pvfrag *f);

#endif
