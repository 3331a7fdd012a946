/* SPDX-License-Identifier: GPL-2.0-only */
/* What can fail within a system call fails: one thing each time, in turn. */
#ifndef PVIO_SELFTEST_FAULTS_H
#define PVIO_SELFTEST_FAULTS_H

#include <stdbool.h>

struct faults {
	int fd;
	unsigned int nth;	/* what fails, from 1 on */
	bool failed;		/* it was there to fail */
	unsigned int refused;	/* calls that did not succeed */
};

/* A test by itself: skipped by a kernel without fault injection. */
int faults_open(struct faults *f);
void faults_begin(const struct faults *f);
/* Hands on the result of the call in between. */
int faults_end(struct faults *f, int err);
/* Whether there may be more to fail. */
bool faults_next(struct faults *f);
/* A test by itself. */
int faults_close(struct faults *f, const char *what);

#endif
