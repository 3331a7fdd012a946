/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_SAY_H
#define PVIO_BRIDGE_SAY_H

/* A line on stderr, which is where the journal and the terminal look. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);

/* The same, and why; @err is a negative errno. */
__attribute__((format(printf, 2, 3))) void say_err(int err, const char *fmt, ...);

/* say_err(), then the end of this process. */
__attribute__((format(printf, 2, 3), noreturn)) void die(int err, const char *fmt, ...);

#endif
