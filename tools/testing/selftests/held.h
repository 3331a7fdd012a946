/* SPDX-License-Identifier: GPL-2.0-only */
/* What takes requests and doesn't answer: a store, or memory. */
#ifndef PVIO_SELFTEST_HELD_H
#define PVIO_SELFTEST_HELD_H

#include "env.h"

/* A store, until it is let go: a mapping, as --slow says. */
int held_stop(const struct env *e);
/* Somebody lets it go, or @later, while we do something else: for proc_wait(). */
pid_t held_go(const struct env *e, bool later);

/* Memory in which every page fault waits for nobody. Returns a file or a negative errno. */
int held_memory(void *va, size_t size);
/* Waits until somebody does wait there, and fails after the hang limit. */
int held_memory_wanted(int fd);

#endif
