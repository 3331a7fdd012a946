/* SPDX-License-Identifier: GPL-2.0-only */
/* pvio-bridge as a child of the test. */
#ifndef PVIO_SELFTEST_BRIDGED_H
#define PVIO_SELFTEST_BRIDGED_H

#include <sys/types.h>

#include "env.h"
#include "kept.h"
#include "vhost_user.h"

#define BRIDGE_QUEUES	4u

/*
 * struct bridged - a daemon
 * @pid: it; 0: it doesn't run
 * @socket: where it listens
 * @kind: what it serves, by its first arguments, up to a NULL; NULL: the disk of the test
 */
struct bridged {
	pid_t pid;
	char socket[64];
	const char *const *kind;
};

/*
 * One on the store of @e if it serves a disk, with up to four more arguments; NULL ends them. It
 * listens then.
 */
int bridged_start(struct bridged *d, struct env *e, const char *const *more);
/* One that must not start: how it ends. And one at the socket of another. */
int bridged_refused(struct env *e, const char *const *more);
int bridged_refused_at(const struct bridged *d, struct env *e, const char *const *more);
/* Ends it by @sig, and waits. Returns 0 where its end was that of @sig. */
int bridged_stop(struct bridged *d, int sig);
/* Kills all that run, but for @but: for the end of a test that has failed. */
void bridged_forget(const struct bridged *but);
/* Descriptors that it has open. */
unsigned int bridged_fds(const struct bridged *d);

/* Suites. The daemon of all tests that have none of their own listens at env's socket. */
extern const struct ktap_suite bridge_bad_suite;
extern const struct ktap_suite bridge_life_suite;
extern const struct ktap_suite bridge_memory_suite;
extern const struct ktap_suite bridge_share_suite;
extern const struct ktap_suite bridge_options_suite;

/* The daemon of all those tests. */
extern struct bridged bridge_common;

#endif
