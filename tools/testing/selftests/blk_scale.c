// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many disks with many queues: all of them work, at rest none of their threads runs, and what they
 * cost in memory is told. Vdpa devices are called by --dev and a number.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "env.h"

#define DISKS		256u
#define QUEUES		4u
#define RING		128u
#define REST_S		5u
/* The start's last wakeups, and what a debug kernel does meanwhile, are over by then. */
#define REST_TRIES	20u

struct scale {
	struct env *e;
	struct env *disks;
	char (*names)[32];
};

/* Kilobytes of memory that nobody could have for the asking. */
static long long memory_used(void)
{
	long long total = 0, other = 0, value;
	FILE *f = fopen("/proc/meminfo", "r");
	char name[64];

	while (f && fscanf(f, "%63[^:]: %lld%*[^\n] ", name, &value) == 2) {
		if (!strcmp(name, "MemTotal"))
			total = value;
		else if (!strcmp(name, "MemFree") || !strcmp(name, "Buffers") ||
			 !strcmp(name, "Cached") || !strcmp(name, "SReclaimable"))
			other += value;
	}
	if (f)
		fclose(f);
	return total - other;
}

static bool is_worker(const char *dir, const char *task)
{
	char path[600], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/comm", dir, task);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	return !strncmp(name, "pv", 2) && isdigit(name[2]);
}

static unsigned long long runs_of(const char *dir, const char *task)
{
	unsigned long long run = 0, wait = 0, times = 0;
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/schedstat", dir, task);
	f = fopen(path, "r");
	if (f && fscanf(f, "%llu %llu %llu", &run, &wait, &times) != 3)
		times = 0;
	if (f)
		fclose(f);
	return times;
}

/* How often the threads below @dir that serve queues were scheduled, and how many they are. */
static unsigned long long runs_below(const char *dir, unsigned int *threads)
{
	unsigned long long runs = 0;
	struct dirent *d;
	DIR *all = opendir(dir);

	while (all && (d = readdir(all))) {
		if (!isdigit(d->d_name[0]) || !is_worker(dir, d->d_name))
			continue;
		runs += runs_of(dir, d->d_name);
		(*threads)++;
	}
	if (all)
		closedir(all);
	return runs;
}

/* Threads of the kernel's are processes of their own; others are threads of this one. */
static unsigned long long runs(unsigned int *threads)
{
	*threads = 0;
	return runs_below("/proc", threads) + runs_below("/proc/self/task", threads);
}

static void scale_close(struct scale *s, unsigned int n)
{
	while (n--)
		blk_close(&s->disks[n].b);
}

static int disk_open(struct scale *s, unsigned int i)
{
	struct env *d = &s->disks[i];

	*d = *s->e;
	d->opts.queues = QUEUES;
	d->opts.num = RING;
	d->opts.mem_size = MIB;
	if (d->opts.name) {
		snprintf(s->names[i], sizeof(s->names[i]), "%s%u", s->e->opts.name, i);
		d->opts.name = s->names[i];
	}
	return env_open(d);
}

static int open_all(struct scale *s)
{
	unsigned int i;
	int res;

	for (i = 0; i < DISKS; i++) {
		res = disk_open(s, i);
		if (res) {
			scale_close(s, i);
			return res;
		}
	}
	return 0;
}

static int start_all(struct scale *s)
{
	unsigned int i;

	for (i = 0; i < DISKS; i++)
		CHECK_OK(blk_start(&s->disks[i].b));
	return 0;
}

static int read_all(struct scale *s)
{
	unsigned int i, q;

	for (i = 0; i < DISKS; i++) {
		struct blk *b = &s->disks[i].b;
		uint8_t *buf = gmem_alloc(&b->mem, 4096, 4096);

		CHECK_EQ(b->nqueues, QUEUES);
		for (q = 0; q < QUEUES; q++) {
			uint64_t sector = (i * QUEUES + q) * 8;

			memset(buf, 0xee, 4096);
			CHECK_EQ(blk_rw(b, q, VIRTIO_BLK_T_IN, sector, buf, 4096),
				 VIRTIO_BLK_S_OK);
			CHECK(pattern_check(buf, 4096, sector, 1) < 0,
			      "disk %u, queue %u reads other data", i, q);
		}
	}
	return 0;
}

/* Nobody looks at a ring that has nothing new, and no timer ticks. */
static int check_rest(void)
{
	unsigned long long before, after = 0;
	unsigned int threads, i;

	for (i = 0; i < REST_TRIES; i++) {
		before = runs(&threads);
		sleep(REST_S);
		after = runs(&threads);
		if (after == before)
			break;
		ktap_diag("%llu runs in %u s", after - before, REST_S);
	}
	CHECK_EQ(after, before);
	ktap_diag("%u threads, none of which ran in %u s", threads, REST_S);
	CHECK_EQ(threads, DISKS * QUEUES);
	return 0;
}

static int scale_run(struct scale *s)
{
	long long before = memory_used(), opened, started;
	int res;

	CHECK_PASS(open_all(s));
	opened = memory_used();
	res = start_all(s);
	started = memory_used();
	res = res ?: read_all(s);
	res = res ?: read_all(s);
	res = res ?: check_rest();
	ktap_diag("%lld KiB for each disk, %lld KiB for each queue of %u entries, client included",
		  (opened - before) / DISKS, (started - opened) / (DISKS * QUEUES), RING);
	scale_close(s, DISKS);
	return res;
}

/* What all disks are to read is written past them: those on the vDPA bus are read-only. */
static int fill_store(const struct env *e)
{
	uint32_t len = DISKS * QUEUES * 4096;
	uint8_t *buf = malloc(len);
	FILE *f = fopen(e->store, "r+");
	size_t n = 0;

	if (buf && f) {
		pattern_fill(buf, len, 0, 1);
		n = fwrite(buf, 1, len, f);
	}
	free(buf);
	CHECK(f, "no %s", e->store);
	CHECK(!fflush(f) && !fsync(fileno(f)), "can't write the store");
	fclose(f);
	CHECK_EQ(n, len);
	return 0;
}

static int scale_disks(void *ctx)
{
	struct scale s = { .e = ctx };
	int res = KTAP_FAIL;

	s.disks = calloc(DISKS, sizeof(*s.disks));
	s.names = calloc(DISKS, sizeof(*s.names));
	if (s.disks && s.names)
		res = scale_run(&s);
	free(s.disks);
	free(s.names);
	return res;
}

/* Twice: the second time in what the first one has left. */
static const struct ktap_test tests[] = {
	{ "scale_disks", scale_disks },
	{ "scale_disks_again", scale_disks },
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "many disks",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 600,
	};

	env_parse(&e, argc, argv);
	if (fill_store(&e))
		return 1;
	return ktap_run(&suite, 1, e.only, &e);
}
