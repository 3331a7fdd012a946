// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ktap.h"

static volatile sig_atomic_t current_number;
static const char *volatile current_name = "";

void ktap_diag(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	printf("# %s\n", line);
	fflush(stdout);
}

/* Where every thread of this process is stuck: in a kernel path, mostly. */
static void dump_stacks(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300], line[256];
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/stack", entry->d_name);
		f = fopen(path, "r");
		if (!f)
			continue;
		printf("# thread %s:\n", entry->d_name);
		while (fgets(line, sizeof(line), f))
			printf("#   %s", line);
		fclose(f);
	}
}

/* stdio in a signal handler is unsafe, and the last words of a process that is hung anyway. */
static void on_hang(int sig)
{
	(void)sig;
	dump_stacks();
	printf("not ok %d %s # hung\nBail out! %s did not end\n", (int)current_number,
	       current_name, current_name);
	fflush(stdout);
	_exit(1);
}

static int run_one(const struct ktap_suite *s, const struct ktap_test *t, void *ctx)
{
	int res;

	alarm(s->limit);
	res = s->setup ? s->setup(ctx) : 0;
	if (!res) {
		res = t->fn(ctx);
		if (s->teardown && s->teardown(ctx) && (!res || res == KTAP_SKIP))
			res = KTAP_FAIL;
	}
	alarm(0);
	return res;
}

static bool wanted(const struct ktap_test *t, const char *only)
{
	return !only || strstr(t->name, only);
}

static unsigned int count_wanted(const struct ktap_suite *suites, unsigned int count,
				 const char *only)
{
	unsigned int i, j, n = 0;

	for (i = 0; i < count; i++)
		for (j = 0; j < suites[i].count; j++)
			n += wanted(&suites[i].tests[j], only);
	return n;
}

int ktap_run(const struct ktap_suite *suites, unsigned int count, const char *only, void *ctx)
{
	unsigned int failed = 0, total = count_wanted(suites, count, only);
	unsigned int i, j;

	signal(SIGALRM, on_hang);
	signal(SIGPIPE, SIG_IGN);
	printf("KTAP version 1\n1..%u\n", total);
	for (i = 0; i < count; i++) {
		const struct ktap_suite *s = &suites[i];

		for (j = 0; j < s->count; j++) {
			const struct ktap_test *t = &s->tests[j];
			int res;

			if (!wanted(t, only))
				continue;
			current_number++;
			current_name = t->name;
			res = run_one(s, t, ctx);
			printf("%s %d %s%s\n", res && res != KTAP_SKIP ? "not ok" : "ok",
			       (int)current_number, t->name, res == KTAP_SKIP ? " # SKIP" : "");
			fflush(stdout);
			failed += res && res != KTAP_SKIP;
		}
	}
	if (!total)
		printf("Bail out! no test of that name\n");
	return failed || !total;
}
