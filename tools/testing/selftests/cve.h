/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ways in which vhost was broken before, each a test that is named after its number. What was in
 * another backend is tried where this one does the like; the comment says how.
 */
#ifndef PVIO_SELFTEST_CVE_H
#define PVIO_SELFTEST_CVE_H

#include <linux/pvio_vhost_blk.h>

#include "env.h"

#define CVE_LEN	4096u

extern const struct ktap_suite cve_guest_suite;
extern const struct ktap_suite cve_owner_suite;
extern const struct ktap_suite cve_worker_suite;

/* VHOST_BLK_SET_BACKEND with a descriptor. */
int cve_set_backend(const struct env *e, int fd);
/* Workers of all disks on nodes, whoever's threads they are, and what they ran, in ns. */
struct cve_workers {
	unsigned int n;
	unsigned long long ran;
};

struct cve_workers cve_workers(void);

/* A thread that does something until it is stopped. */
struct cve_thread;
struct cve_thread *cve_thread_start(void (*fn)(void *arg), void *arg);
void cve_thread_stop(struct cve_thread *t);

#endif
