/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ring engines side by side, each in a program of its own: one guest, whose chains are made before
 * and looked at after what is measured, and an engine that serves them from the other side.
 */
#ifndef PVIO_NATIVE_H
#define PVIO_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "gmem.h"

#define NATIVE_NUM	1024u	/* entries of the ring */
#define NATIVE_CHAINS	256u	/* in it at a time, whatever their shape */
#define NATIVE_HDR	16u	/* bytes of each chain that the engine has to hand over as a copy */
#define NATIVE_DATA	64u
#define NATIVE_REGIONS	2u
#define NATIVE_BATCH	64u	/* chains an engine has to be able to take at once */

enum native_shape {
	NATIVE_ONE,		/* one readable descriptor */
	NATIVE_THREE,		/* header, data and status, as a read of a disk has them */
	NATIVE_INDIRECT,	/* the same in a table */
	NATIVE_TURNS,		/* three, of which every second chain is in another region */
	NATIVE_SHAPES,
};

/* The guest's ring, of which the areas are in the first region. */
struct native_ring {
	bool packed;
	void *desc;
	void *driver;
	void *device;
	struct gmem mem[NATIVE_REGIONS];
};

struct native_engine {
	/* Returns NULL, or why it can't. */
	const char *(*open)(const struct native_ring *r);
	/*
	 * Takes @n chains, gives them back at once as one batch and finds out whether the driver
	 * wants to be told. Returns how many there were.
	 */
	unsigned int (*serve)(unsigned int n);
	/* What has to be cleaned up now and then, and isn't measured; may be NULL. */
	void (*relax)(void);
};

extern const struct native_engine native_engine;

/* Puts an empty ring into new memory. */
void native_guest_open(struct native_ring *r, bool packed, enum native_shape shape);
/* Makes NATIVE_CHAINS chains available. */
void native_guest_fill(struct native_ring *r);
/* Ends the program unless all of them have come back, in order. */
void native_guest_reap(struct native_ring *r);

#endif
