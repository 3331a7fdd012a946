// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/fs.h>

#include "replay.h"

#define PIECE	(1024u * 1024u)
#define BLOCK	4096u

static const struct log_entry *entry(const struct disk *d, uint32_t i)
{
	return &d->log->entries[i];
}

static uint64_t bytes(const struct disk *d)
{
	return d->sectors * SECTOR_SIZE;
}

static int write_all(const struct disk *d, const void *buf, uint64_t sector, uint32_t sectors)
{
	size_t len = (size_t)sectors * SECTOR_SIZE;

	if (pwrite(d->fd, buf, len, (off_t)(sector * SECTOR_SIZE)) != (ssize_t)len)
		return errno ? -errno : -EIO;
	return 0;
}

/* The original lies behind the image. */
static int read_original(struct disk *d)
{
	uint8_t *original = d->image + bytes(d);
	uint64_t off;

	for (off = 0; off < bytes(d); off += PIECE)
		if (pread(d->fd, original + off, PIECE, (off_t)off) != PIECE)
			return -EIO;
	memcpy(d->image, original, bytes(d));
	return 0;
}

static int number_entries(struct disk *d)
{
	uint32_t i;

	d->number = calloc(d->log->count, sizeof(*d->number));
	if (!d->number)
		return -ENOMEM;
	for (i = 0; i < d->log->count; i++) {
		const struct log_entry *e = entry(d, i);
		uint32_t number = e->data && e->sectors ? crash_claim(e->data) : 0;

		if (number <= d->record->count)
			d->number[i] = number;
	}
	return 0;
}

int disk_open(struct disk *d, const char *path, const struct write_log *log,
	      const struct crash_record *record)
{
	uint64_t size;
	void *image;

	memset(d, 0, sizeof(*d));
	d->log = log;
	d->record = record;
	d->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (d->fd < 0 || ioctl(d->fd, BLKGETSIZE64, &size))
		return -errno;
	if (size % PIECE)
		return -EINVAL;
	d->sectors = size / SECTOR_SIZE;
	d->stamp = calloc(d->sectors, sizeof(*d->stamp));
	d->latest = calloc(d->sectors, sizeof(*d->latest));
	if (!d->stamp || !d->latest || posix_memalign(&image, BLOCK, 2 * size))
		return -ENOMEM;
	d->image = image;
	return number_entries(d) ?: read_original(d);
}

void disk_close(struct disk *d)
{
	close(d->fd);
	free(d->stamp);
	free(d->latest);
	free(d->number);
	free(d->image);
}

int disk_rewind(struct disk *d)
{
	memcpy(d->image, d->image + bytes(d), bytes(d));
	memset(d->stamp, 0, d->sectors * sizeof(*d->stamp));
	memset(d->latest, 0, d->sectors * sizeof(*d->latest));
	d->npending = 0;
	d->late = 0;
	return disk_recover(d, true);
}

/* The request that an entry comes from, or NULL. */
static const struct crash_write *write_of(const struct disk *d, uint32_t i)
{
	uint32_t number = d->number[i];

	return number ? &d->record->writes[number - 1] : NULL;
}

/* Whether the device has had newer data of a sector than the entry. */
static bool superseded(struct disk *d, uint64_t sector, uint32_t i)
{
	const struct crash_write *w = write_of(d, i);

	/* By FUA. */
	if (d->stamp[sector] > i + 1)
		return true;
	if (!w || !w->acked || w->acked >= d->latest[sector])
		return false;
	d->late++;
	return true;
}

static void stamp(struct disk *d, uint64_t sector, uint32_t i)
{
	const struct crash_write *w = write_of(d, i);

	d->stamp[sector] = i + 1;
	if (w && w->issued > d->latest[sector])
		d->latest[sector] = w->issued;
}

/* Makes an entry's data durable where it is not superseded. */
static int commit(struct disk *d, uint32_t i)
{
	const struct log_entry *e = entry(d, i);
	uint32_t s;

	if (e->sector > d->sectors || e->sectors > d->sectors - e->sector)
		return -ERANGE;
	for (s = 0; s < e->sectors; s++) {
		uint8_t *to = d->image + (e->sector + s) * SECTOR_SIZE;

		if (superseded(d, e->sector + s, i))
			continue;
		stamp(d, e->sector + s, i);
		if (e->data)
			memcpy(to, e->data + (size_t)s * SECTOR_SIZE, SECTOR_SIZE);
		else
			memset(to, 0, SECTOR_SIZE);
	}
	return e->sectors ? write_all(d, d->image + e->sector * SECTOR_SIZE, e->sector,
				      e->sectors) : 0;
}

static int commit_pending(struct disk *d)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < d->npending && !err; i++)
		err = commit(d, d->pending[i]);
	d->npending = 0;
	return err;
}

/* A cache that is full writes its oldest data back. */
static int add_pending(struct disk *d, uint32_t i)
{
	int err = 0;

	if (d->npending == PENDING_MAX) {
		err = commit(d, d->pending[0]);
		memmove(d->pending, d->pending + 1, sizeof(d->pending) - sizeof(*d->pending));
		d->npending--;
	}
	d->pending[d->npending++] = i;
	return err;
}

int disk_apply(struct disk *d, uint32_t i)
{
	const struct log_entry *e = entry(d, i);
	uint64_t flags = e->flags & ~(uint64_t)d->lose;
	int err = 0;

	if (flags & LOG_MARK)
		return 0;
	if (flags & LOG_FLUSH)
		err = commit_pending(d);
	if (err || !e->sectors)
		return err;
	return flags & LOG_FUA ? commit(d, i) : add_pending(d, i);
}

/* A pending write reaches the device, from its sector @from up to @to. */
static int land(struct disk *d, uint32_t i, uint32_t from, uint32_t to)
{
	const struct log_entry *e = entry(d, i);
	static uint8_t zeroes[SECTOR_SIZE] __attribute__((aligned(SECTOR_SIZE)));
	uint32_t s;
	int err = 0;

	if (e->sector > d->sectors || e->sectors > d->sectors - e->sector)
		return -ERANGE;
	for (s = from; s < to && !err; s++) {
		const uint8_t *data = e->data ? e->data + (size_t)s * SECTOR_SIZE : zeroes;
		uint32_t n = 1;

		if (superseded(d, e->sector + s, i))
			continue;
		while (e->data && s + n < to && !superseded(d, e->sector + s + n, i))
			n++;
		err = write_all(d, data, e->sector + s, n);
		s += n - 1;
	}
	return err;
}

int disk_crash(struct disk *d, enum fate fate)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < d->npending && !err && fate != FATE_LOST; i++) {
		uint32_t from = 0, to = entry(d, d->pending[i])->sectors;

		if (fate == FATE_RANDOM) {
			if (prng_chance(&d->prng, 50))
				continue;
			if (prng_chance(&d->prng, 25))
				from = prng_range(&d->prng, 0, to - 1);
			if (prng_chance(&d->prng, 25))
				to = prng_range(&d->prng, from, to);
		}
		err = land(d, d->pending[i], from, to);
	}
	return err;
}

static int recover_piece(struct disk *d, uint64_t off, const uint8_t *now)
{
	const uint8_t *want = d->image + off;
	uint32_t at;
	int err = 0;

	if (!memcmp(now, want, PIECE))
		return 0;
	for (at = 0; at < PIECE && !err; at += BLOCK)
		if (memcmp(now + at, want + at, BLOCK))
			err = write_all(d, want + at, (off + at) / SECTOR_SIZE,
					BLOCK / SECTOR_SIZE);
	return err;
}

static int recover_all(struct disk *d)
{
	uint64_t off;
	void *now;
	int err = 0;

	if (posix_memalign(&now, BLOCK, PIECE))
		return -ENOMEM;
	for (off = 0; off < bytes(d) && !err; off += PIECE) {
		if (pread(d->fd, now, PIECE, (off_t)off) != PIECE)
			err = -EIO;
		else
			err = recover_piece(d, off, now);
	}
	free(now);
	return err;
}

int disk_recover(struct disk *d, bool all)
{
	unsigned int i;
	int err = 0;

	if (all)
		return recover_all(d);
	for (i = 0; i < d->npending && !err; i++) {
		const struct log_entry *e = entry(d, d->pending[i]);

		err = write_all(d, d->image + e->sector * SECTOR_SIZE, e->sector, e->sectors);
	}
	return err;
}
