// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
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
	clock_gettime(CLOCK_MONOTONIC, &ts);
	c->clock = ts.tv_sec * 1000000000ull + ts.tv_nsec;
	return n < 0 ? n : 0;
}
