// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "pattern.h"

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint64_t prng_next(struct prng *p)
{
	p->state += 0x9e3779b97f4a7c15ull;
	return mix(p->state);
}

uint64_t prng_range(struct prng *p, uint64_t min, uint64_t max)
{
	uint64_t span = max - min + 1;

	return span ? min + prng_next(p) % span : prng_next(p);
}

bool prng_chance(struct prng *p, unsigned int percent)
{
	return prng_range(p, 0, 99) < percent;
}

static uint64_t pattern_word(uint64_t sector, uint64_t generation, unsigned int i)
{
	return mix(sector * 0x9e3779b97f4a7c15ull + generation) + i * 0x0101010101010101ull;
}

void pattern_fill(void *buf, size_t len, uint64_t sector, uint64_t generation)
{
	uint8_t *p = buf;
	size_t off;

	for (off = 0; off < len; off += 8) {
		uint64_t word = pattern_word(sector + off / SECTOR_SIZE, generation,
					     off % SECTOR_SIZE / 8);

		memcpy(p + off, &word, 8);
	}
}

long pattern_check(const void *buf, size_t len, uint64_t sector, uint64_t generation)
{
	const uint8_t *p = buf;
	size_t off;

	for (off = 0; off < len; off += 8) {
		uint64_t word = pattern_word(sector + off / SECTOR_SIZE, generation,
					     off % SECTOR_SIZE / 8);

		if (memcmp(p + off, &word, 8))
			return (long)off;
	}
	return -1;
}

static uint64_t stream_word(uint64_t at, uint64_t key)
{
	return mix(key * 0x9e3779b97f4a7c15ull + at / 8);
}

/* How many bytes from @at on are in the same word, and not beyond @len. */
static size_t in_word(uint64_t at, size_t len)
{
	size_t left = 8 - at % 8;

	return left < len ? left : len;
}

void pattern_bytes_fill(void *buf, size_t len, uint64_t at, uint64_t key)
{
	uint8_t *p = buf;
	size_t off, n;

	for (off = 0; off < len; off += n) {
		uint64_t word = stream_word(at + off, key);

		n = in_word(at + off, len - off);
		memcpy(p + off, (uint8_t *)&word + (at + off) % 8, n);
	}
}

long pattern_bytes_check(const void *buf, size_t len, uint64_t at, uint64_t key)
{
	const uint8_t *p = buf;
	size_t off, n;

	for (off = 0; off < len; off += n) {
		uint64_t word = stream_word(at + off, key);

		n = in_word(at + off, len - off);
		if (memcmp(p + off, (uint8_t *)&word + (at + off) % 8, n))
			return (long)off;
	}
	return -1;
}

long bytes_check(const void *buf, size_t len, uint8_t byte)
{
	const uint8_t *p = buf;
	size_t i;

	for (i = 0; i < len; i++)
		if (p[i] != byte)
			return (long)i;
	return -1;
}
