/* SPDX-License-Identifier: GPL-2.0-only */
/* Random numbers that a seed repeats, and data that tells where it belongs. */
#ifndef PVIO_SELFTEST_PATTERN_H
#define PVIO_SELFTEST_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECTOR_SIZE	512u
#define CANARY_BYTE	0xc5

struct prng {
	uint64_t state;
};

uint64_t prng_next(struct prng *p);
/* A number from @min to @max, both included. */
uint64_t prng_range(struct prng *p, uint64_t min, uint64_t max);
bool prng_chance(struct prng *p, unsigned int percent);

/*
 * Every sector of the data says which sector it is, of which generation. @len is a multiple of the
 * sector size.
 */
void pattern_fill(void *buf, size_t len, uint64_t sector, uint64_t generation);
/* The offset of the first byte that is wrong, or -1. */
long pattern_check(const void *buf, size_t len, uint64_t sector, uint64_t generation);

/* The same of a stream, at any byte of it; @key tells it from others. */
void pattern_bytes_fill(void *buf, size_t len, uint64_t at, uint64_t key);
/* The offset of the first byte that is wrong, or -1. */
long pattern_bytes_check(const void *buf, size_t len, uint64_t at, uint64_t key);

/* The offset of the first byte that is not @byte, or -1. */
long bytes_check(const void *buf, size_t len, uint8_t byte);

#endif
