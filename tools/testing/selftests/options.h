/* SPDX-License-Identifier: GPL-2.0-only */
/* Command lines of the test programs: a table of long options, and where each one's value goes. */
#ifndef PVIO_SELFTEST_OPTIONS_H
#define PVIO_SELFTEST_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an option's value is. */
enum option_value {
	OPTION_TEXT,
	OPTION_NUMBER,		/* unsigned int */
	OPTION_NUMBER16,
	OPTION_NUMBER64,
	OPTION_PARSED,		/* by a function */
	OPTION_FLAG,		/* none: a bool is set */
	OPTION_BITS,		/* none: these bits are set in 64 */
};

struct option_row {
	const char *name;
	enum option_value value;
	size_t at;		/* in the context */
	uint64_t bits;
	int (*parse)(void *at, const char *arg);	/* returns 0 or -1 */
};

/* Fills in the context. Returns 0, or -1 where the command line is wrong. */
int options_take(void *ctx, const struct option_row *rows, unsigned int count, int argc,
		 char **argv);

#endif
