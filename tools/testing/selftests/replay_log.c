// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/fs.h>

#include "replay.h"

#define MAGIC	0x6a736677736872ull
#define VERSION	1u

/* As they are on the device, little-endian. */
struct super {
	uint64_t magic;
	uint64_t version;
	uint64_t nr_entries;
	uint32_t sectorsize;
};

struct raw_entry {
	uint64_t sector;
	uint64_t nr_sectors;
	uint64_t flags;
	uint64_t data_len;
};

static int map_device(struct write_log *log, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint64_t size;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, BLKFLSBUF) || ioctl(fd, BLKGETSIZE64, &size)) {
		err = -errno;
	} else {
		log->size = size;
		log->map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		if (log->map == MAP_FAILED)
			err = -errno;
	}
	close(fd);
	return err;
}

/* Takes the entry at *@off, and moves that behind it. */
static int parse(const struct write_log *log, size_t *off, struct log_entry *e)
{
	struct raw_entry raw;
	uint64_t sectors;

	if (*off > log->size - SECTOR_SIZE)
		return -EBADMSG;
	memcpy(&raw, log->map + *off, sizeof(raw));
	sectors = le64toh(raw.nr_sectors);
	*e = (struct log_entry){
		.flags = le64toh(raw.flags), .sector = le64toh(raw.sector), .sectors = sectors,
	};
	if (e->flags & LOG_MARK) {
		e->data = log->map + *off + sizeof(raw);
		e->len = le64toh(raw.data_len);
		if (e->len > SECTOR_SIZE - sizeof(raw))
			return -EBADMSG;
	}
	*off += SECTOR_SIZE;
	if (e->flags & (LOG_MARK | LOG_DISCARD))
		return 0;
	if (sectors > (log->size - *off) / SECTOR_SIZE)
		return -EBADMSG;
	e->data = log->map + *off;
	*off += sectors * SECTOR_SIZE;
	return 0;
}

int log_open(struct write_log *log, const char *path)
{
	size_t off = SECTOR_SIZE;
	struct super super;
	uint32_t i;
	int err;

	memset(log, 0, sizeof(*log));
	err = map_device(log, path);
	if (err)
		return err;
	memcpy(&super, log->map, sizeof(super));
	if (le64toh(super.magic) != MAGIC || le64toh(super.version) != VERSION ||
	    le32toh(super.sectorsize) != SECTOR_SIZE ||
	    le64toh(super.nr_entries) > log->size / SECTOR_SIZE)
		return -EBADMSG;
	log->count = le64toh(super.nr_entries);
	log->entries = calloc(log->count + 1, sizeof(*log->entries));
	if (!log->entries)
		return -ENOMEM;
	for (i = 0; i < log->count && !err; i++)
		err = parse(log, &off, &log->entries[i]);
	return err;
}

void log_close(struct write_log *log)
{
	munmap(log->map, log->size);
	free(log->entries);
}
