/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that plays the part of a guest's: a piece of this process that the device sees at an I/O
 * virtual address.
 */
#ifndef PVIO_SELFTEST_GMEM_H
#define PVIO_SELFTEST_GMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gmem_kind {
	GMEM_SHARED,	/* memfd: what a backend that works on virtual addresses needs */
	GMEM_LOCKED,	/* anonymous and locked: enough where the backend pins all of it */
	GMEM_PRIVATE,	/* anonymous */
};

struct gmem {
	uint8_t *va;
	uint64_t iova;
	size_t size;
	size_t used;
	int fd;
};

/* Return 0 or a negative errno. */
int gmem_create(struct gmem *m, enum gmem_kind kind, uint64_t iova, size_t size);
void gmem_destroy(struct gmem *m);

/*
 * Hands out zeroed memory; there is no free, only gmem_release() to an earlier gmem_mark().
 * Exits when there is none left: that is a mistake in the test.
 */
void *gmem_alloc(struct gmem *m, size_t size, size_t align);
size_t gmem_mark(const struct gmem *m);
void gmem_release(struct gmem *m, size_t mark);

uint64_t gmem_iova(const struct gmem *m, const void *p);
bool gmem_contains(const struct gmem *m, const void *p);

#endif
