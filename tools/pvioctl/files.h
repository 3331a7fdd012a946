/* SPDX-License-Identifier: GPL-2.0-only */
/* Small files of the kernel's. */
#ifndef PVIOCTL_FILES_H
#define PVIOCTL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PATH_LEN	512

/* The first line, without its end. Returns 0 or a negative errno. */
int file_line(char *buf, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool file_exists(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Whether a line of the file @path holds the text. */
bool file_says(const char *path, const char *text);

bool module_loaded(const char *name);

/* The name of a process's program. */
void who_is(pid_t pid, char *buf, size_t len);

#endif
