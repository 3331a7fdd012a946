// SPDX-License-Identifier: GPL-2.0-only
/*
 * Crashes at places of a log that blk_crash has had written, and looks whether all is there that
 * was durable then: each sector holds the last write that was acknowledged before the last mark, or
 * one that was not over when that began.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "ktap.h"
#include "replay.h"

#define SHOWN_MAX	5u

struct replay {
	const char *log_path;
	const char *record_path;
	const char *onto;
	const char *mount;	/* a directory: on @onto is a file system */
	const char *file;	/* in it, and in it the disk */
	const char *only;
	uint64_t seed;
	unsigned int most;	/* crashes in a test, 0: as many as there can be */
	struct write_log log;
	struct crash_record record;
	struct disk disk;
	uint32_t *by_ack;	/* indices of the writes, in the order in which they ended */
	uint32_t next;		/* of these */
	uint64_t due[CRASH_SECTORS];	/* when the last durable write to a sector began */
	uint8_t *area;
	unsigned int crashes;
	unsigned int wrong;
};

static const struct option options[] = {
	{ "log", required_argument, NULL, 'l' },
	{ "record", required_argument, NULL, 'c' },
	{ "onto", required_argument, NULL, 'o' },
	{ "mount", required_argument, NULL, 'm' },
	{ "file", required_argument, NULL, 'f' },
	{ "only", required_argument, NULL, 'O' },
	{ "most", required_argument, NULL, 'n' },
	{ "seed", required_argument, NULL, 'S' },
	{ NULL, 0, NULL, 0 },
};

static void parse_options(struct replay *r, int argc, char **argv)
{
	const char **const strings[] = {
		['l'] = &r->log_path, ['c'] = &r->record_path, ['o'] = &r->onto,
		['m'] = &r->mount, ['f'] = &r->file, ['O'] = &r->only,
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			r->most = strtoul(optarg, NULL, 0);
		else if (c == 'S')
			r->seed = strtoull(optarg, NULL, 0);
		else if (c != '?')
			*strings[c] = optarg;
		else
			exit(2);
	}
	if (!r->log_path || !r->record_path || !r->onto || !r->mount != !r->file) {
		fprintf(stderr, "usage: %s --log DEVICE --record FILE --onto DEVICE\n"
			"       [--mount DIR --file PATH] [--most N] [--seed N] [--only TEST]\n",
			argv[0]);
		exit(2);
	}
}

static const struct crash_write *sort_writes;

static int by_ack(const void *a, const void *b)
{
	uint64_t x = sort_writes[*(const uint32_t *)a].acked - 1;
	uint64_t y = sort_writes[*(const uint32_t *)b].acked - 1;

	/* 0, never, has become the last. */
	return x < y ? -1 : x > y;
}

static int load(struct replay *r)
{
	void *area;
	uint32_t i;

	CHECK_OK(log_open(&r->log, r->log_path));
	CHECK_OK(crash_record_load(&r->record, r->record_path));
	CHECK_OK(disk_open(&r->disk, r->onto, &r->log, &r->record));
	CHECK_EQ(posix_memalign(&area, 4096, CRASH_SECTORS * SECTOR_SIZE), 0);
	r->area = area;
	r->by_ack = calloc(r->record.count, sizeof(*r->by_ack));
	CHECK(r->by_ack, "out of memory");
	for (i = 0; i < r->record.count; i++)
		r->by_ack[i] = i;
	sort_writes = r->record.writes;
	qsort(r->by_ack, r->record.count, sizeof(*r->by_ack), by_ack);
	return 0;
}

/* From here on all that was acknowledged up to a tick is durable. */
static void take_mark(struct replay *r, const struct log_entry *e)
{
	char text[64] = "";
	unsigned long long tick;

	memcpy(text, e->data, e->len < sizeof(text) ? e->len : sizeof(text) - 1);
	if (sscanf(text, CRASH_MARK "%llu", &tick) != 1)
		return;
	for (; r->next < r->record.count; r->next++) {
		const struct crash_write *w = &r->record.writes[r->by_ack[r->next]];
		uint32_t s;

		if (!w->acked || w->acked > tick)
			break;
		for (s = w->sector; s < w->sector + w->sectors; s++)
			if (w->issued > r->due[s])
				r->due[s] = w->issued;
	}
}

static const char *sector_fault(const struct replay *r, uint32_t sector, int64_t number)
{
	const struct crash_write *w;

	if (number < 0)
		return "is torn";
	if (!number)
		return r->due[sector] ? "was never written" : NULL;
	if (number > r->record.count)
		return "is by nobody";
	w = &r->record.writes[number - 1];
	if (sector < w->sector || sector >= w->sector + w->sectors)
		return "is of another place";
	return w->acked && w->acked < r->due[sector] ? "is too old" : NULL;
}

static void tell(struct replay *r, const char *what, uint32_t sector, int64_t number)
{
	if (r->wrong++ < SHOWN_MAX)
		ktap_diag("crash %u: sector %u %s: write %lld, one is durable since tick %llu",
			  r->crashes, sector, what, (long long)number,
			  (unsigned long long)r->due[sector]);
}

static void check_area(struct replay *r)
{
	uint32_t sector;

	for (sector = 0; sector < CRASH_SECTORS; sector++) {
		int64_t number = crash_number(r->area + (size_t)sector * SECTOR_SIZE, sector);
		const char *fault = sector_fault(r, sector, number);

		if (fault)
			tell(r, fault, sector, number);
	}
}

static int read_area(struct replay *r, int fd)
{
	ssize_t n = pread(fd, r->area, CRASH_SECTORS * SECTOR_SIZE, 0);

	CHECK_EQ(n, CRASH_SECTORS * SECTOR_SIZE);
	return 0;
}

/* The file system does what it does after a crash, when it is mounted. */
static int read_file(struct replay *r)
{
	int fd, res = 0;

	if (mount(r->onto, r->mount, "ext4", 0, NULL)) {
		tell(r, "can't be reached: the file system does not mount", 0, -errno);
		memset(r->area, 0, CRASH_SECTORS * SECTOR_SIZE);
		return 0;
	}
	fd = open(r->file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		tell(r, "can't be reached: there is no file", 0, -errno);
	else
		res = read_area(r, fd);
	if (fd >= 0)
		close(fd);
	CHECK(!umount(r->mount), "%s can't be unmounted: %s", r->mount, strerror(errno));
	return res;
}

static int crash(struct replay *r, enum fate fate)
{
	r->crashes++;
	CHECK_OK(disk_crash(&r->disk, fate));
	CHECK_PASS(r->mount ? read_file(r) : read_area(r, r->disk.fd));
	check_area(r);
	CHECK_OK(disk_recover(&r->disk, r->mount));
	return 0;
}

static int restart(struct replay *r, unsigned int lose)
{
	CHECK_OK(disk_rewind(&r->disk));
	memset(r->due, 0, sizeof(r->due));
	r->disk.lose = lose;
	r->disk.prng.state = r->seed;
	r->next = 0;
	r->crashes = 0;
	r->wrong = 0;
	return 0;
}

static unsigned int count(const struct replay *r, uint64_t flags)
{
	unsigned int i, n = 0;

	for (i = 0; i < r->log.count; i++)
		n += !!(r->log.entries[i].flags & flags);
	return n;
}

/* Whether this place is one of those that are tried. */
static bool chosen(struct replay *r, unsigned int places)
{
	return !r->most || prng_range(&r->disk.prng, 1, places) <= r->most;
}

static int report(const struct replay *r)
{
	ktap_diag("%u crashes replayed, %u flushes, %u writes by %u requests", r->crashes,
		  count(r, LOG_FLUSH | LOG_FUA), r->log.count - count(r, LOG_MARK),
		  r->record.count);
	ktap_diag("%u sectors were listed after newer ones", r->disk.late);
	CHECK(r->next > r->record.count / 2, "%u of %u requests became durable", r->next,
	      r->record.count);
	CHECK_EQ(r->wrong, 0);
	return 0;
}

/* The next entry of the log happens. */
static int step(struct replay *r, uint32_t i)
{
	const struct log_entry *e = &r->log.entries[i];

	CHECK_OK(disk_apply(&r->disk, i));
	if (e->flags & LOG_MARK)
		take_mark(r, e);
	return 0;
}

/* Right after all that makes something durable, with nothing else kept. */
static int replay_least(void *ctx)
{
	const uint64_t flags = LOG_FLUSH | LOG_FUA | LOG_MARK;
	struct replay *r = ctx;
	unsigned int places = count(r, flags);
	uint32_t i;

	CHECK_PASS(restart(r, 0));
	for (i = 0; i < r->log.count; i++) {
		CHECK_PASS(step(r, i));
		if (r->log.entries[i].flags & flags && chosen(r, places))
			CHECK_PASS(crash(r, FATE_LOST));
	}
	return report(r);
}

/* Anywhere, with any of what was not durable kept or lost. */
static int replay_any(void *ctx)
{
	struct replay *r = ctx;
	unsigned int places = 0;
	uint32_t i;

	CHECK_PASS(restart(r, 0));
	for (i = 0; i < r->log.count; i++)
		places += !(r->log.entries[i].flags & (LOG_FLUSH | LOG_FUA | LOG_MARK));
	for (i = 0; i < r->log.count; i++) {
		CHECK_PASS(step(r, i));
		if (r->disk.npending && chosen(r, places))
			CHECK_PASS(crash(r, prng_chance(&r->disk.prng, 80) ? FATE_RANDOM :
					    FATE_DONE));
	}
	return report(r);
}

/* A disk that does not do what it is told: this is found, or nothing above means anything. */
static int lose(struct replay *r, unsigned int flags)
{
	uint32_t i;

	CHECK_PASS(restart(r, flags));
	for (i = 0; i < r->log.count && !r->wrong; i++) {
		CHECK_PASS(step(r, i));
		if (r->log.entries[i].flags & LOG_MARK)
			CHECK_PASS(crash(r, FATE_LOST));
	}
	ktap_diag("noticed after %u crashes", r->crashes);
	CHECK(r->wrong, "it is not noticed that flushes do nothing");
	return 0;
}

static int replay_no_flush(void *ctx)
{
	return lose(ctx, LOG_FLUSH);
}

static int replay_no_fua(void *ctx)
{
	struct replay *r = ctx;

	if (!count(r, LOG_FUA))
		SKIP("nothing was written so");
	return lose(r, LOG_FUA);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(replay_least),
	KTAP_TEST(replay_any),
	KTAP_TEST(replay_no_flush),
	KTAP_TEST(replay_no_fua),
};

int main(int argc, char **argv)
{
	static struct replay r = { .seed = 1 };
	const struct ktap_suite suite = {
		.name = "crashes",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 600,
	};

	parse_options(&r, argc, argv);
	if (load(&r))
		return 1;
	return ktap_run(&suite, 1, r.only, &r);
}
