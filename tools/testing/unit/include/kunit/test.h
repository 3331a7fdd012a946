/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_KUNIT_TEST_H
#define _UNIT_KUNIT_TEST_H

/* As much of KUnit's interface as the suites of host/vhost use. */

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <linux/kernel.h>
#include <linux/slab.h>

#define KUNIT_PARAM_DESC_SIZE	128

/**
 * struct kunit - a case that is running
 * @priv: the case's own
 * @param_value: the row that a case with parameters runs for
 * @failed: an expectation did not hold
 * @abort: where an assertion that did not hold goes
 */
struct kunit {
	void *priv;
	const void *param_value;
	bool failed;
	jmp_buf abort;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

#define KUNIT_CASE(fn)			{ .run_case = fn, .name = #fn }
#define KUNIT_CASE_SLOW(fn)		KUNIT_CASE(fn)
#define KUNIT_CASE_PARAM(fn, gen)					\
	{ .run_case = fn, .name = #fn, .generate_params = gen }

#define KUNIT_ARRAY_PARAM(row, array, describe)				\
static const void *row##_gen_params(const void *prev, char *desc)	\
{									\
	typeof(&(array)[0]) next;					\
									\
	next = prev ? (typeof(next))prev + 1 : (array);			\
	if (next == (array) + ARRAY_SIZE(array))			\
		return NULL;						\
	(describe)(next, desc);						\
	return next;							\
}									\
struct kunit

#define kunit_test_suite(suite)						\
static void __attribute__((__constructor__)) unit_add_##suite(void)	\
{									\
	unit_suite_add(&(suite));					\
}									\
struct kunit

void unit_suite_add(struct kunit_suite *suite);
void unit_fail(struct kunit *test, bool fatal, const char *file, int line,
	       const char *fmt, ...) __printf(5, 6);

#define unit_check(test, fatal, ok, ...)				\
do {									\
	if (unlikely(!(ok)))						\
		unit_fail(test, fatal, __FILE__, __LINE__, __VA_ARGS__); \
} while (0)

#define unit_compare(test, fatal, left, op, right)			\
do {									\
	const typeof(left) __left = (left);				\
	const typeof(right) __right = (right);				\
									\
	unit_check(test, fatal, __left op __right,			\
		   "%s %s %s: %lld, %lld", #left, #op, #right,		\
		   (long long)__left, (long long)__right);		\
} while (0)

#define unit_compare_str(test, fatal, left, right)			\
do {									\
	const char *__left = (left), *__right = (right);		\
									\
	unit_check(test, fatal,						\
		   __left && __right && !strcmp(__left, __right),	\
		   "%s is %s: \"%s\", \"%s\"", #left, #right,		\
		   __left ?: "(none)", __right ?: "(none)");		\
} while (0)

#define KUNIT_FAIL(test, ...)						\
	unit_fail(test, false, __FILE__, __LINE__, __VA_ARGS__)
#define KUNIT_FAIL_AND_ABORT(test, ...)					\
	unit_fail(test, true, __FILE__, __LINE__, __VA_ARGS__)

#define KUNIT_EXPECT_TRUE(test, cond)	unit_check(test, false, cond, "%s", #cond)
#define KUNIT_EXPECT_FALSE(test, cond)	unit_check(test, false, !(cond), "not %s", #cond)
#define KUNIT_EXPECT_NULL(test, p)	unit_check(test, false, !(p), "%s is NULL", #p)
#define KUNIT_EXPECT_NOT_NULL(test, p)	unit_check(test, false, p, "%s is not NULL", #p)
#define KUNIT_EXPECT_EQ(test, l, r)	unit_compare(test, false, l, ==, r)
#define KUNIT_EXPECT_NE(test, l, r)	unit_compare(test, false, l, !=, r)
#define KUNIT_EXPECT_LT(test, l, r)	unit_compare(test, false, l, <, r)
#define KUNIT_EXPECT_LE(test, l, r)	unit_compare(test, false, l, <=, r)
#define KUNIT_EXPECT_GT(test, l, r)	unit_compare(test, false, l, >, r)
#define KUNIT_EXPECT_GE(test, l, r)	unit_compare(test, false, l, >=, r)
#define KUNIT_EXPECT_PTR_EQ(test, l, r)	\
	unit_check(test, false, (const void *)(l) == (const void *)(r), "%s is %s", #l, #r)
#define KUNIT_EXPECT_STREQ(test, l, r)	unit_compare_str(test, false, l, r)

#define KUNIT_ASSERT_TRUE(test, cond)	unit_check(test, true, cond, "%s", #cond)
#define KUNIT_ASSERT_FALSE(test, cond)	unit_check(test, true, !(cond), "not %s", #cond)
#define KUNIT_ASSERT_NOT_NULL(test, p)	unit_check(test, true, p, "%s is not NULL", #p)
#define KUNIT_ASSERT_EQ(test, l, r)	unit_compare(test, true, l, ==, r)
#define KUNIT_ASSERT_NE(test, l, r)	unit_compare(test, true, l, !=, r)
#define KUNIT_ASSERT_LT(test, l, r)	unit_compare(test, true, l, <, r)
#define KUNIT_ASSERT_LE(test, l, r)	unit_compare(test, true, l, <=, r)
#define KUNIT_ASSERT_GT(test, l, r)	unit_compare(test, true, l, >, r)
#define KUNIT_ASSERT_GE(test, l, r)	unit_compare(test, true, l, >=, r)

#endif
