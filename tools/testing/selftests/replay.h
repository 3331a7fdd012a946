/* SPDX-License-Identifier: GPL-2.0-only */
/* The log of a dm-log-writes device, and a disk on which it happens again. */
#ifndef PVIO_SELFTEST_REPLAY_H
#define PVIO_SELFTEST_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "crash.h"

enum log_flag {
	LOG_FLUSH = 1,
	LOG_FUA = 2,
	LOG_DISCARD = 4,
	LOG_MARK = 8,
};

struct log_entry {
	uint64_t flags;
	uint64_t sector;
	uint32_t sectors;
	const uint8_t *data;	/* of a write, or the text of a mark */
	uint32_t len;		/* of that text */
};

struct write_log {
	uint8_t *map;
	size_t size;
	struct log_entry *entries;
	uint32_t count;
};

/* Return 0 or a negative errno; -EBADMSG: that is no such log. */
int log_open(struct write_log *log, const char *path);
void log_close(struct write_log *log);

/* What may become of writes that no flush has made durable. */
enum fate {
	FATE_LOST,
	FATE_DONE,
	FATE_RANDOM,	/* each by itself, and perhaps a part of it */
};

#define PENDING_MAX	256u

/*
 * A disk with a volatile write cache. The device @fd holds what is in @image; what is @pending is
 * on neither.
 *
 * dm-log-writes lists writes when the flush that covers them ends. Of two flushes under way the one
 * that began later can end first, and then newer data is listed before older data. The store has
 * seen them as they were sent: what was over before another began never comes after that one, nor
 * after any that replaced it.
 */
struct disk {
	int fd;
	uint64_t sectors;
	uint8_t *image;
	uint32_t *stamp;	/* of each sector, the entry that it came by, counted from 1 */
	uint64_t *latest;	/* when the last request began of all that it ever came by */
	const struct write_log *log;
	const struct crash_record *record;
	uint32_t *number;	/* of the write in the record that an entry comes from, or 0 */
	uint32_t pending[PENDING_MAX];
	unsigned int npending;
	unsigned int lose;	/* flags of entries that the disk passes over */
	unsigned int late;	/* sectors that were listed after newer ones */
	struct prng prng;
};

/* Takes up what is on the device. The log and the record have to stay. */
int disk_open(struct disk *d, const char *path, const struct write_log *log,
	      const struct crash_record *record);
void disk_close(struct disk *d);
/* Back to what was there when it was opened. */
int disk_rewind(struct disk *d);

/* The next entry, by its index in the log. Whether anything is durable by it is up to its flags. */
int disk_apply(struct disk *d, uint32_t i);
/* The power fails: the device gets what the disk would have, until disk_recover(). */
int disk_crash(struct disk *d, enum fate fate);
/* As before the crash; @all: others have written to the device meanwhile. */
int disk_recover(struct disk *d, bool all);

#endif
