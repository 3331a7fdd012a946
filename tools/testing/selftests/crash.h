/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the program that writes before a crash and the one that looks afterwards agree on: sectors
 * that tell by which write they came, the record of writes, and marks in the log.
 */
#ifndef PVIO_SELFTEST_CRASH_H
#define PVIO_SELFTEST_CRASH_H

#include <stdint.h>

#include "pattern.h"

#define CRASH_SECTORS	2048u	/* of the disk, from its beginning, that are written to */

/* A mark is this and a tick: what was acknowledged up to it is durable from the mark on. */
#define CRASH_MARK	"durable-"

/*
 * A write, by its number, which counts from 1. Ticks order it among the others: it was not sent
 * before @issued and was done by @acked; 0 if nobody ever said so.
 */
struct crash_write {
	uint32_t sector;
	uint32_t sectors;
	uint64_t issued;
	uint64_t acked;
};

struct crash_record {
	struct crash_write *writes;	/* the first is number 1 */
	uint32_t count;
};

/* The data of a write that begins at @sector. */
void crash_fill(void *buf, uint32_t sector, uint32_t sectors, uint32_t number);
/* The number of the write that a sector comes from; 0: of none; -1: it is torn, or a stranger's. */
int64_t crash_number(const void *buf, uint32_t sector);
/* The number that the sector says it has, whatever else is in it; 0: none. */
uint32_t crash_claim(const void *buf);

/* Return 0 or a negative errno. */
int crash_record_save(const struct crash_record *r, const char *path);
int crash_record_load(struct crash_record *r, const char *path);

/* Puts a mark into the log of the dm-log-writes mapping @name. */
int crash_mark(const char *name, uint64_t tick);

#endif
