/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel logs while a test runs. */
#ifndef PVIO_SELFTEST_KMSG_H
#define PVIO_SELFTEST_KMSG_H

#include <stdbool.h>

/* Opens the kernel log at its present end. Returns a file descriptor or a negative errno. */
int kmsg_open(void);
/* Whether a message that holds both texts comes within @timeout_ms; one text may be NULL. */
bool kmsg_find(int fd, const char *text, const char *other, int timeout_ms);

#endif
