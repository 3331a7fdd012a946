/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP output and the runner of a table of tests.
 *
 * A test returns 0 (passed), KTAP_SKIP, or anything else (failed); the CHECK macros print why and
 * return from the test.
 */
#ifndef PVIO_SELFTEST_KTAP_H
#define PVIO_SELFTEST_KTAP_H

#include <errno.h>
#include <string.h>

#define KTAP_SKIP	1
#define KTAP_FAIL	(-1)

struct ktap_test {
	const char *name;
	int (*fn)(void *ctx);
};

/**
 * struct ktap_suite - tests that share a fixture
 * @name: what the suite tests, for diagnostics
 * @tests: the tests
 * @count: how many there are
 * @limit: seconds after which a test counts as hung; the program ends then
 * @setup: called before each test, may be NULL; its result is handled like that of a test
 * @teardown: called after each test whose setup succeeded, may be NULL; a failure fails the test
 */
struct ktap_suite {
	const char *name;
	const struct ktap_test *tests;
	unsigned int count;
	unsigned int limit;
	int (*setup)(void *ctx);
	int (*teardown)(void *ctx);
};

#define KTAP_TEST(fn) { #fn, fn }

/* Prints a line of diagnostics; may be called from any thread. */
void ktap_diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Runs the suites' tests under one plan, those whose name contains @only if that is not NULL.
 * Returns the exit status of the program.
 */
int ktap_run(const struct ktap_suite *suites, unsigned int count, const char *only, void *ctx);

#define CHECK(cond, ...)						\
	do {								\
		if (!(cond)) {						\
			ktap_diag("%s:%d: %s", __FILE__, __LINE__, #cond); \
			ktap_diag("  " __VA_ARGS__);			\
			return KTAP_FAIL;				\
		}							\
	} while (0)

#define CHECK_EQ(got, want)						\
	do {								\
		long long got_ = (long long)(got);			\
		long long want_ = (long long)(want);			\
									\
		if (got_ != want_) {					\
			ktap_diag("%s:%d: %s is %lld (0x%llx), expected %lld (0x%llx)",	\
				  __FILE__, __LINE__, #got, got_, got_, want_, want_); \
			return KTAP_FAIL;				\
		}							\
	} while (0)

/* For calls that return 0 or a negative errno. */
#define CHECK_OK(call)							\
	do {								\
		int err_ = (call);					\
									\
		if (err_ < 0) {						\
			ktap_diag("%s:%d: %s: %s", __FILE__, __LINE__, #call, strerror(-err_)); \
			return KTAP_FAIL;				\
		}							\
	} while (0)

/* For checks that are tests themselves: hands on whatever is not a pass. */
#define CHECK_PASS(call)						\
	do {								\
		int res_ = (call);					\
									\
		if (res_)						\
			return res_;					\
	} while (0)

#define SKIP(...)							\
	do {								\
		ktap_diag(__VA_ARGS__);					\
		return KTAP_SKIP;					\
	} while (0)

#endif
