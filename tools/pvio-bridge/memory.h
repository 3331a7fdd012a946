/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_MEMORY_H
#define PVIO_BRIDGE_MEMORY_H

/*
 * The VMM's memory, mapped into this process for the kernel to use. Nothing here reads or writes
 * it: who takes it away harms nobody else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "map.h"
#include "protocol.h"

struct node;

/* As many as the kernel takes. */
#define MEMORY_SLOTS_MAX	512u

/*
 * struct slot - a region
 * @r: as the VMM says
 * @map: where it is in this process
 * @dev: the file, with @ino
 */
struct slot {
	struct vhost_user_region r;
	struct mapping map;
	dev_t dev;
	ino_t ino;
};

struct memory {
	unsigned int count;
	struct slot slot[MEMORY_SLOTS_MAX];
};

/*
 * All regions anew; those that stay as they were stay mapped. The descriptors stay the caller's.
 * On error the kernel has the memory that it had, unless it is -ESHUTDOWN: then both stay mapped.
 * Returns 0 or a negative errno, and has said why.
 * Until memory_settle() both the old and the new mappings are there.
 */
int memory_set(struct memory *m, const struct node *n, const struct vhost_user_region *r,
	       unsigned int count, const int *fds, struct memory *old);
int memory_add(struct memory *m, const struct node *n, const struct vhost_user_region *r, int fd);
int memory_remove(struct memory *m, const struct node *n, const struct vhost_user_region *r,
		  struct memory *old);

/* Unmaps what is in @old and not in @m. */
void memory_settle(const struct memory *m, struct memory *old);

/* Where @len bytes at the VMM's address are in this process. Returns false where they are not. */
bool memory_translate(const struct memory *m, uint64_t user_addr, uint64_t len, uint64_t *va);

/* The guest physical address of the last byte; 0 without memory. */
uint64_t memory_last(const struct memory *m);

#endif
