// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>

#include "cost.h"

static bool any_thread(const char *name)
{
	(void)name;
	return true;
}

/* As pvio and the kernel's own vhost call them. */
static bool vhost_thread(const char *name)
{
	return !strncmp(name, "pv", 2) || !strncmp(name, "vhost-", 6);
}

static bool kernel_helper(const char *name)
{
	return !strncmp(name, "kworker/", 8) || !strncmp(name, "ksoftirqd/", 10);
}

static bool read_file(const char *dir, const char *id, const char *name, char *buf, size_t size)
{
	char path[300];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", dir, id, name);
	f = fopen(path, "r");
	if (!f)
		return false;
	ok = fgets(buf, size, f);
	fclose(f);
	return ok;
}

/* The run time of the threads in @dir that @counts. Returns how many they are, or an errno. */
static int sum_up(const char *dir, bool (*counts)(const char *name), uint64_t *sum)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char line[100];
	unsigned long ns;
	int n = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (!isdigit(e->d_name[0]) ||
		    !read_file(dir, e->d_name, "comm", line, sizeof(line)) || !counts(line) ||
		    !read_file(dir, e->d_name, "schedstat", line, sizeof(line)) ||
		    sscanf(line, "%lu", &ns) != 1)
			continue;
		*sum += ns;
		n++;
	}
	closedir(d);
	return n;
}

/* What all threads but the idle ones have run, on every CPU. */
static int read_machine(uint64_t *sum)
{
	unsigned long long ns;
	char line[300];
	FILE *f = fopen("/proc/schedstat", "r");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %llu", &ns) == 1)
			*sum += ns;
	fclose(f);
	return 0;
}

int cost_settle(void)
{
	const struct sched_param param = { };
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	char name[40];
	int err = 0;

	if (!d)
		return -errno;
	while (!err && (e = readdir(d)))
		if (isdigit(e->d_name[0]) &&
		    read_file("/proc/self/task", e->d_name, "comm", name, sizeof(name)) &&
		    !vhost_thread(name) &&
		    sched_setscheduler(atoi(e->d_name), SCHED_BATCH, &param))
			err = -errno;
	closedir(d);
	return err;
}

int cost_read(struct cost *c, pid_t pid)
{
	char dir[40] = "/proc/self/task";
	struct timespec ts;
	int n;

	if (pid)
		snprintf(dir, sizeof(dir), "/proc/%d/task", pid);
	*c = (struct cost){ };
	n = sum_up(dir, pid ? any_thread : vhost_thread, &c->backend);
	if (n <= 0)
		return n ? n : -ESRCH;
	n = sum_up("/proc", kernel_helper, &c->kernel);
	if (n >= 0)
		n = read_machine(&c->machine);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	c->clock = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	return n < 0 ? n : 0;
}

uint64_t cost_of_thread(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

#define COPIES		200u
#define LONG_COPY	65536u
#define SHORT_COPY	(LONG_COPY / 2 + 1)

/* Attributes of that kind nobody has, which shows when the value has been copied. */
static uint64_t copies(const void *value, size_t len)
{
	uint64_t before = cost_of_thread();
	unsigned int i;

	for (i = 0; i < COPIES; i++)
		if (!setxattr("/proc/self", "nobodys.value", value, len, 0))
			abort();
	return cost_of_thread() - before;
}

uint64_t cost_of_copy(uint64_t bytes)
{
	static const uint8_t value[LONG_COPY];
	uint64_t more, less;

	copies(value, LONG_COPY);
	more = copies(value, LONG_COPY);
	less = copies(value, SHORT_COPY);
	if (more < less)
		return 0;
	return (more - less) * bytes / ((LONG_COPY - SHORT_COPY) * COPIES);
}
