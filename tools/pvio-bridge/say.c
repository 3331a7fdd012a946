// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define LINE_MAX_LEN	512

/* One write for each line: that of another process is not mixed in. */
static void say_line(int err, const char *fmt, va_list args)
{
	char line[LINE_MAX_LEN];

	vsnprintf(line, sizeof(line), fmt, args);
	if (err)
		fprintf(stderr, "pvio-bridge: %s: %s\n", line, strerror(-err));
	else
		fprintf(stderr, "pvio-bridge: %s\n", line);
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_line(0, fmt, args);
	va_end(args);
}

void say_err(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_line(err, fmt, args);
	va_end(args);
}

void die(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_line(err, fmt, args);
	va_end(args);
	exit(1);
}
