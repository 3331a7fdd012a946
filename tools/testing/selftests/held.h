/* SPDX-License-Identifier: GPL-2.0-only */
/* A store that takes requests and answers when it is let go: a mapping, as --slow says. */
#ifndef PVIO_SELFTEST_HELD_H
#define PVIO_SELFTEST_HELD_H

#include "env.h"

int held_stop(const struct env *e);
/* Somebody lets it go, or @later, while we do something else: for proc_wait(). */
pid_t held_go(const struct env *e, bool later);

#endif
