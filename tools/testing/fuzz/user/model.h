/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_MODEL_H
#define _FUZZ_MODEL_H

/*
 * What a ring has to do, from the specification: slow, byte by byte, without
 * the engine's code. It says what a pop returns from memory that holds still.
 */

#include "ring.h"
#include "world.h"

#define MODEL_NUM_MAX	128
#define MODEL_DESC_MAX	32
#define MODEL_BATCH_MAX	8

/* An indirect table may be in this many pieces: the engine's own limit. */
#define MODEL_TABLE_PIECES	2

/* What the specification says of a question; at times nothing. */
enum model_answer {
	MODEL_NO,
	MODEL_YES,
	MODEL_EITHER,
};

/* A piece of a buffer, within one region. */
struct model_piece {
	u64 iova;
	u8 *mem;
	u32 len;
	bool write;
};

/* The most that a buffer of the world's memory can be cut into. */
#define MODEL_PIECES	(MODEL_DESC_MAX * (WORLD_TINIES + WORLD_NAMED))

/**
 * struct model_chain - a chain as it is in memory
 * @bad: why it is none; NULL: it is fine
 * @id: what the driver knows it by; split: its head
 * @ndirect: descriptors in the ring, as far as they are looked at
 * @ndesc: pieces of a buffer, as the driver sees it
 * @nsegs: pieces that neighbours in both address spaces are one of
 * @npieces: pieces
 * @out_len: readable bytes
 * @in_len: writable bytes
 * @piece: the pieces
 */
struct model_chain {
	const char *bad;
	u16 id;
	unsigned int ndirect;
	unsigned int ndesc;
	unsigned int nsegs;
	unsigned int npieces;
	u64 out_len;
	u64 in_len;
	struct model_piece piece[MODEL_PIECES];
};

/* A chain that is in flight, or completed and not published. */
struct model_used {
	u16 head;
	u16 id;
	u16 ndesc;	/* entries of the ring that it takes; split: 1 */
	u32 len;
	bool done;	/* in order: before its turn */
};

/**
 * struct model - a ring as it should be
 * @w: the guest
 * @cfg: what the ring is
 * @avail: next entry of the available ring
 * @used: next entry of the used ring
 * @avail_wrap: packed: the driver's wrap counter
 * @used_wrap: packed: the device's wrap counter
 * @owned: heads that have an owner
 * @flight: what was popped, in that order
 * @inflight: how many
 * @ndone: how many of these wait for their turn
 * @pending: completed
 * @npending: how many
 * @taken: entries of the ring that the driver has not got back
 * @lost: packed: @taken isn't known, memory changed while it was read
 * @signalled: @used when it was asked last whether to notify
 * @signalled_valid: it was asked
 * @since: packed: entries used since then
 * @chain: what the last model_pop() found
 */
struct model {
	struct world *w;
	struct pvring_config cfg;
	u16 avail;
	u16 used;
	bool avail_wrap;
	bool used_wrap;
	bool owned[MODEL_NUM_MAX];
	struct model_used flight[MODEL_NUM_MAX];
	unsigned int inflight;
	unsigned int ndone;
	struct model_used pending[MODEL_NUM_MAX];
	unsigned int npending;
	unsigned int taken;
	bool lost;
	u16 signalled;
	bool signalled_valid;
	unsigned int since;
	struct model_chain chain[MODEL_BATCH_MAX];
};

void model_init(struct model *m, struct world *w, const struct pvring_config *cfg);
int model_pop(struct model *m, unsigned int max);
void model_check_pop(const struct model *m, const struct pvring_batch *b, int want,
		     int got);
void model_take(struct model *m, u16 head, unsigned int i, bool known);
void model_give_back(struct model *m);
u16 model_complete(struct model *m, unsigned int nr, u32 len);
void model_check_publish(const struct model *m);
void model_published(struct model *m);
enum model_answer model_notify_needed(const struct model *m);
void model_notified(struct model *m);
bool model_has_more(const struct model *m);
void model_check_wish(const struct model *m);

/* For the formats. */
void model_add(struct model *m, struct model_chain *c, u64 iova, u32 len, bool write);
int model_copy(struct model *m, u64 iova, u32 len, u8 *to);
u16 model_le16(const u8 *p);
u32 model_le32(const u8 *p);
u64 model_le64(const u8 *p);

#endif
