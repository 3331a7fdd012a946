// SPDX-License-Identifier: GPL-2.0-only
/*
 * kunit [-l] [PATTERN]...
 * Runs the suites that are linked in, or those whose name, or whose
 * suite.case, a pattern matches, and prints KTAP.
 */
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <kunit/test.h>

#include "unit.h"

/* Far more than all takes, sanitizers on a busy machine included. */
#define UNIT_HANG_LIMIT		900

static struct kunit_suite *unit_suites;
static char **unit_patterns;

void unit_suite_add(struct kunit_suite *suite)
{
	struct kunit_suite **p = &unit_suites;

	while (*p && strcmp((*p)->name, suite->name) < 0)
		p = &(*p)->next;
	suite->next = *p;
	*p = suite;
}

void unit_fail(struct kunit *test, bool fatal, const char *file, int line,
	       const char *fmt, ...)
{
	va_list ap;

	printf("# %s at %s:%d: ", fatal ? "assertion" : "expectation", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");

	test->failed = true;
	if (fatal)
		longjmp(test->abort, 1);
}

static bool unit_wanted(const char *suite, const char *name)
{
	char full[256];
	char **p;

	snprintf(full, sizeof(full), "%s.%s", suite, name);
	for (p = unit_patterns; *p; p++)
		if (!fnmatch(*p, suite, 0) || !fnmatch(*p, full, 0))
			return true;
	return p == unit_patterns;
}

static unsigned int unit_count_wanted(const struct kunit_suite *s)
{
	const struct kunit_case *c;
	unsigned int n = 0;

	for (c = s->test_cases; c->run_case; c++)
		n += unit_wanted(s->name, c->name);
	return n;
}

static bool unit_run(const struct kunit_suite *s, const struct kunit_case *c,
		     const void *param)
{
	struct kunit test = { .param_value = param };
	unsigned long allocs = unit_allocs;

	if (!setjmp(test.abort)) {
		if (s->init && s->init(&test))
			unit_fail(&test, true, __FILE__, __LINE__, "init of %s", s->name);
		c->run_case(&test);
	}
	unit_alloc_countdown = -1;
	if (s->exit && !setjmp(test.abort))
		s->exit(&test);

	if (!unit_heal()) {
		printf("# the engine warned\n");
		test.failed = true;
	}
	if (unit_allocs != allocs) {
		printf("# %ld allocations leaked\n", (long)(unit_allocs - allocs));
		unit_allocs = allocs;
		test.failed = true;
	}
	return !test.failed;
}

static bool unit_run_params(const struct kunit_suite *s, const struct kunit_case *c)
{
	char desc[KUNIT_PARAM_DESC_SIZE] = "";
	const void *param = NULL;
	unsigned int n = 0;
	bool all = true, ok;

	while ((param = c->generate_params(param, desc)))
		n++;
	printf("        KTAP version 1\n        # Subtest: %s\n        1..%u\n", c->name, n);
	n = 0;
	while ((param = c->generate_params(param, desc))) {
		ok = unit_run(s, c, param);
		all &= ok;
		printf("        %sok %u %s\n", ok ? "" : "not ", ++n, desc);
		fflush(stdout);
	}
	return all && n;
}

static bool unit_run_suite(const struct kunit_suite *s)
{
	const struct kunit_case *c;
	unsigned int n = 0;
	bool all = true, ok;

	printf("    KTAP version 1\n    # Subtest: %s\n    1..%u\n", s->name,
	       unit_count_wanted(s));
	for (c = s->test_cases; c->run_case; c++) {
		if (!unit_wanted(s->name, c->name))
			continue;
		ok = c->generate_params ? unit_run_params(s, c) : unit_run(s, c, NULL);
		all &= ok;
		printf("    %sok %u %s\n", ok ? "" : "not ", ++n, c->name);
		fflush(stdout);
	}
	return all;
}

static void unit_list(void)
{
	const struct kunit_suite *s;
	const struct kunit_case *c;

	for (s = unit_suites; s; s = s->next)
		for (c = s->test_cases; c->run_case; c++)
			printf("%s.%s\n", s->name, c->name);
}

int main(int argc, char **argv)
{
	const struct kunit_suite *s;
	unsigned int n = 0;
	bool all = true, ok;

	unit_patterns = argv + 1;
	if (argc == 2 && !strcmp(argv[1], "-l")) {
		unit_list();
		return 0;
	}

	alarm(UNIT_HANG_LIMIT);
	for (s = unit_suites; s; s = s->next)
		n += !!unit_count_wanted(s);
	printf("KTAP version 1\n1..%u\n", n);

	n = 0;
	for (s = unit_suites; s; s = s->next) {
		if (!unit_count_wanted(s))
			continue;
		ok = unit_run_suite(s);
		all &= ok;
		printf("%sok %u %s\n", ok ? "" : "not ", ++n, s->name);
	}
	return all && n ? 0 : 1;
}
