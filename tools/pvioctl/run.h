/* SPDX-License-Identifier: GPL-2.0-only */
/* Other programs. */
#ifndef PVIOCTL_RUN_H
#define PVIOCTL_RUN_H

#include <stddef.h>

/*
 * Runs a program of the PATH to its end. Returns its exit status, 128 and the signal's number where
 * one ended it, or 127 where it can't be run. Signals that are ignored here are not ignored there,
 * and what a terminal sends doesn't reach it.
 */
int run(const char *const *argv);

/* The same, and 124 when it has not ended after so many seconds, and was made to. */
int run_for(const char *const *argv, unsigned int seconds);

/*
 * The same, and what it writes to stdout is in @buf, without its last end of line, cut off where it
 * is longer.
 */
int run_read(const char *const *argv, char *buf, size_t len);

#endif
