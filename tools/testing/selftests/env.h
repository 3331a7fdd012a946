/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test programs share: the command line, a device for each test, a look at the store
 * behind it.
 */
#ifndef PVIO_SELFTEST_ENV_H
#define PVIO_SELFTEST_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "blk.h"
#include "ktap.h"
#include "pattern.h"

#define MIB	(1024u * 1024u)

/* For tests of what /dev/vhost-blk has not, or has otherwise. */
#define NEED_VDPA(e)							\
	do {								\
		if (!(e)->opts.name)					\
			SKIP("for vDPA devices");			\
	} while (0)

struct env {
	struct blk b;
	struct blk_opts opts;
	const char *store;	/* the block device or file behind the disk */
	const char *back;	/* where its data can be seen past the backend */
	const char *serial;
	const char *only;
	bool readonly;
	bool slow;	/* the store takes its time: what is submitted stays in flight */
	uint64_t seed;
	unsigned int rounds;
	const char *log;	/* the mapping that logs writes, for blk_crash */
	const char *record;	/* the file for its record */
	const char *bridge;	/* the program pvio-bridge */
};

/* Exits with a message when the command line is wrong. */
void env_parse(struct env *e, int argc, char **argv);

/* Fixtures for ktap suites whose context is a struct env. */
int env_open(void *ctx);	/* a device that is open and mapped, but not started */
int env_start(void *ctx);	/* a device that runs */
int env_close(void *ctx);

/* Starts an open device; a file is another disk's until one that was killed is gone for good. */
int env_start_when_free(struct env *e);

bool env_store_is_file(const struct env *e);

/* Reads the store itself, bypassing every cache. Returns 0 or a negative errno. */
int env_store_read(const struct env *e, uint64_t sector, void *buf, uint32_t len);
/* Fails the test unless the store holds the pattern. */
int env_store_check(const struct env *e, uint64_t sector, uint32_t len, uint64_t generation);

/* The queue works: writes a pattern, flushes, reads it back, and compares. */
int env_verify_queue(struct env *e, unsigned int q, uint64_t sector);
/* All queues work. */
int env_verify(struct env *e);
/* A reset heals: after it all queues work and the device is content. */
int env_verify_reset(struct env *e);

#endif
