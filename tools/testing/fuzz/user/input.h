/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_INPUT_H
#define _FUZZ_INPUT_H

/* An input as numbers, little endian; zeroes follow its end. */

#include <stdio.h>
#include <stdlib.h>

#include <linux/types.h>

struct fuzz_input {
	const u8 *at;
	size_t left;
};

static inline u64 fuzz_number(struct fuzz_input *in, unsigned int bytes)
{
	u64 n = 0;
	unsigned int i;

	for (i = 0; i < bytes && in->left; i++, in->left--)
		n |= (u64)*in->at++ << (8 * i);
	return n;
}

static inline u8 fuzz_u8(struct fuzz_input *in)
{
	return fuzz_number(in, 1);
}

static inline u16 fuzz_u16(struct fuzz_input *in)
{
	return fuzz_number(in, 2);
}

static inline u32 fuzz_u32(struct fuzz_input *in)
{
	return fuzz_number(in, 4);
}

static inline u64 fuzz_u64(struct fuzz_input *in)
{
	return fuzz_number(in, 8);
}

/* What must hold, whatever the input. */
#define FUZZ_CHECK(cond, ...)						\
do {									\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,	\
			__LINE__, #cond);				\
		fprintf(stderr, "  " __VA_ARGS__);			\
		fprintf(stderr, "\n");					\
		abort();						\
	}								\
} while (0)

/* What libFuzzer calls. */
int fuzz_one_input(const uint8_t *data, size_t size) __asm__("LLVMFuzzerTestOneInput");

#endif
