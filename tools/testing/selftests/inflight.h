/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk on /dev/vhost-blk whose queues have in-flight regions. */
#ifndef PVIO_SELFTEST_INFLIGHT_H
#define PVIO_SELFTEST_INFLIGHT_H

#include <linux/pvio_vhost.h>

#include "writer.h"

#define QUEUES	WRITER_QUEUES
#define DEPTH	WRITER_DEPTH
#define LEN	WRITER_LEN

extern const struct ktap_suite inflight_region_suite;
extern const struct ktap_suite inflight_vmm_suite;
extern const struct ktap_suite inflight_drain_suite;

/* Memory that processes share, zeroed. */
void *shared_make(size_t size);
void shared_free(void *p, size_t size);

/* What a region of a queue of this disk is large. */
size_t region_size(const struct env *e);
int region_set(const struct env *e, unsigned int q, const void *region, size_t size);
/* How many chains a region says are in flight. */
unsigned int region_inflight(const struct env *e, const void *region);
/* Where it says that the next used one goes. */
uint16_t region_used_idx(const struct env *e, const void *region);

#endif
