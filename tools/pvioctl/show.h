/* SPDX-License-Identifier: GPL-2.0-only */
/* Records with fields, as a table for people or as JSON for programs. */
#ifndef PVIOCTL_SHOW_H
#define PVIOCTL_SHOW_H

#include <stdint.h>

void show_begin(void);
void show_record(void);
void show_str(const char *name, const char *value);
/* There is no value. */
void show_none(const char *name);
void show_u64(const char *name, uint64_t value);
/* A list of numbers; people don't see it. */
void show_list(const char *name, const uint64_t *values, unsigned int n);
void show_end(void);

#endif
