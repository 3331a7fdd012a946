/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one end of a connection sends, and expects from the other end, known to both by a number:
 * bytes that tell where they belong, or messages likewise.
 */
#ifndef PVIO_CLIENT_FLOW_H
#define PVIO_CLIENT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

struct flow_opts {
	uint32_t id;
	bool messages;
	bool of_host;		/* else of the guest */
	uint32_t max;		/* of a message, or of a piece that is sent at once */
	uint64_t out;		/* bytes or messages to send */
	uint64_t in;		/* and to expect */
};

struct flow {
	struct flow_opts opts;
	uint64_t out_key, in_key;
	uint64_t out, in;	/* until now */
	uint32_t out_at;	/* bytes sent of the next message */
	struct prng prng;
	uint8_t *buf;
};

/* A piece to send. */
struct flow_piece {
	const uint8_t *data;
	uint32_t len;
	bool eor;
};

int flow_init(struct flow *f, const struct flow_opts *opts);
void flow_destroy(struct flow *f);

/* What is to be sent next: a piece, or the rest of a message. Returns false where that is all. */
bool flow_next(struct flow *f, struct flow_piece *p);
/* So much of it was sent. */
void flow_sent(struct flow *f, const struct flow_piece *p, uint32_t len);
/* What came, of a stream or a whole message. Returns whether it is what was to come. */
bool flow_got(struct flow *f, const void *data, size_t len, bool eor);

bool flow_out_ended(const struct flow *f);
bool flow_in_ended(const struct flow *f);

#endif
