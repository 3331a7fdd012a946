/* SPDX-License-Identifier: GPL-2.0-only */
/* Parts of files that the VMM has handed over, in this process for the kernel to use. */
#ifndef PVIO_BRIDGE_MAP_H
#define PVIO_BRIDGE_MAP_H

#include <stddef.h>
#include <stdint.h>

/*
 * struct mapping - a part of a file
 * @at: the mapping, which may begin before the part and end behind it; NULL: there is none
 * @len: bytes there
 * @va: where the part begins
 */
struct mapping {
	void *at;
	size_t len;
	uint64_t va;
};

/*
 * Maps @size bytes at @offset, whose sum doesn't overflow, by what the file's pages are. A part
 * that ends behind a file that has an end is -ERANGE. Returns 0 or a negative errno.
 */
int map_file(struct mapping *m, int fd, uint64_t offset, uint64_t size);

void map_drop(struct mapping *m);

#endif
