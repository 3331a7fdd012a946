/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_MEM_H
#define _PVIO_VHOST_MEM_H

#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/types.h>

struct pvmem_pages;

/**
 * enum pvmem_kind - what the addresses of a memory table mean
 * @PVMEM_USER: virtual addresses of the owner's mm, reached by user access
 * @PVMEM_PHYS: physical addresses of pages that are kept by the table
 * @PVMEM_KERN: kernel virtual addresses
 */
enum pvmem_kind {
	PVMEM_USER,
	PVMEM_PHYS,
	PVMEM_KERN,
};

/* What the device may do with a region; the values of VHOST_ACCESS_*. */
#define PVMEM_READ	0x1
#define PVMEM_WRITE	0x2

/* An identity region ends here: amd64 has no more physical address bits. */
#define PVMEM_IDENTITY_LAST	((1ULL << 52) - 1)

/**
 * struct pvmem_region - a contiguous piece of guest memory
 * @start: first I/O virtual address
 * @last: last I/O virtual address, inclusive
 * @addr: what @start translates to
 * @perm: PVMEM_READ and PVMEM_WRITE
 * @pages: PVMEM_PHYS: keeps the pages; NULL for an identity region
 */
struct pvmem_region {
	u64 start;
	u64 last;
	u64 addr;
	u32 perm;
	struct pvmem_pages *pages;
};

/* Entries of an IOTLB: 256 MiB in pages of 4 KiB. */
#define PVMEM_IOTLB_MAX		65536

/**
 * struct pvmem_entry - a translation of an IOTLB
 * @node: in &pvmem_table.tree
 * @region: the translation
 */
struct pvmem_entry {
	struct rb_node node;
	struct pvmem_region region;
};

/**
 * struct pvmem_table - guest memory as one device sees it
 * @ref: references; the last one drops the pages
 * @id: no other table has, or ever had, the same; not 0. An IOTLB gets another
 *	one when something that it translated is translated otherwise
 * @kind: what the addresses mean
 * @sealed: sorted and checked; from now on immutable
 * @misses: what is not in it may be asked for: an IOTLB, which has @tree in
 *	place of @region
 * @tree: &struct pvmem_entry by address, without overlap
 * @max: room in @region
 * @nregions: regions in use
 * @region: sorted by @start once sealed, without overlap
 */
struct pvmem_table {
	refcount_t ref;
	u64 id;
	enum pvmem_kind kind;
	bool sealed;
	bool misses;
	struct rb_root tree;
	unsigned int max;
	unsigned int nregions;
	struct pvmem_region region[];
};

/**
 * struct pvmem_seg - a translated piece of a buffer
 * @addr: address in the sense of the table's kind
 * @iova: the address that the driver gave
 * @len: bytes, never 0
 */
struct pvmem_seg {
	u64 addr;
	u64 iova;
	u32 len;
};

struct pvmem_table *pvmem_table_alloc(enum pvmem_kind kind, unsigned int max);
int pvmem_table_add(struct pvmem_table *t, u64 start, u64 last, u64 addr,
		    u32 perm);
int pvmem_table_seal(struct pvmem_table *t);
struct pvmem_table *pvmem_table_get(struct pvmem_table *t);
void pvmem_table_put(struct pvmem_table *t);
const struct pvmem_region *pvmem_table_find(const struct pvmem_table *t,
					    u64 iova);
int pvmem_translate(const struct pvmem_table *t, u64 iova, u32 len, u32 perm,
		    struct pvmem_seg *seg, unsigned int max);
u64 pvmem_first_missing(const struct pvmem_table *t, u64 iova, u32 perm);
void pvmem_table_renew(struct pvmem_table *t);

struct pvmem_table *pvmem_iotlb_alloc(enum pvmem_kind kind);
void pvmem_iotlb_free(struct pvmem_table *t);
const struct pvmem_region *pvmem_iotlb_find(const struct pvmem_table *t,
					    u64 iova);
bool pvmem_iotlb_has_any(const struct pvmem_table *t, u64 start, u64 last);
bool pvmem_iotlb_has(const struct pvmem_table *t,
		     const struct pvmem_region *new);
void pvmem_iotlb_cut(struct pvmem_table *t, u64 start, u64 last,
		     struct pvmem_entry **spare);
void pvmem_iotlb_add(struct pvmem_table *t, struct pvmem_entry *e);

int pvmem_table_hold_pages(struct pvmem_table *t,
			   const struct pvmem_table *old);
void pvmem_pages_put(struct pvmem_pages *pages);

int pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len);
int pvmem_copy_to(enum pvmem_kind kind, u64 addr, const void *from, u32 len);
int pvmem_fault_in(unsigned long addr, size_t len, bool write);

/**
 * struct pvmem_map - a ring area that can be reached as one piece
 * @addr: user or kernel virtual address; 0: not mapped
 * @vmap: what to vunmap, for an area of scattered pages
 */
struct pvmem_map {
	unsigned long addr;
	void *vmap;
};

int pvmem_map_area(const struct pvmem_table *t, u64 iova, size_t len, u32 perm,
		   struct pvmem_map *map);
void pvmem_unmap_area(struct pvmem_map *map);

#endif
