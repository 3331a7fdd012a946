/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_GUEST_H
#define _FUZZ_GUEST_H

/*
 * What the other side of a ring does: writes at random and on purpose, between
 * the engine's operations and during them.
 */

#include "ring.h"
#include "world.h"

#define GUEST_ARMED_MAX	8
#define GUEST_BYTES	16

/**
 * struct guest_write - something that a guest writes
 * @to: where
 * @len: bytes; 0: nothing
 * @bytes: what
 * @after: reads of the engine before it is written
 */
struct guest_write {
	u8 *to;
	u8 len;
	u8 bytes[GUEST_BYTES];
	u8 after;
};

/**
 * struct guest - a driver
 * @w: its memory
 * @format: of the ring
 * @num: its size
 * @avail: where the next chain goes; packed: the next descriptor
 * @wrap: packed: the wrap counter that goes with it
 * @armed: what is written during the engine's next operation
 * @narmed: how many
 * @flip: what is xored into each byte once it was read; 0: nothing
 * @nreads: reads of the operation so far
 * @acting: the engine's operation goes on
 * @changed: something was written meanwhile
 */
struct guest {
	struct world *w;
	enum pvring_format format;
	unsigned int num;
	u16 avail;
	bool wrap;
	struct guest_write armed[GUEST_ARMED_MAX];
	unsigned int narmed;
	u8 flip;
	unsigned int nreads;
	bool acting;
	bool changed;
};

void guest_init(struct guest *g, struct world *w, const struct pvring_config *cfg, u16 avail,
		bool wrap);
void guest_write(struct guest *g, struct fuzz_input *in);
void guest_arm(struct guest *g, struct fuzz_input *in);
void guest_offer(struct guest *g, struct fuzz_input *in);

void guest_begin(struct guest *g);
void guest_end(struct guest *g);

#endif
