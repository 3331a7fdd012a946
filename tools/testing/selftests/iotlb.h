/* SPDX-License-Identifier: GPL-2.0-only */
/* A device on /dev/vhost-blk whose addresses are mapped by messages, and a VMM that answers. */
#ifndef PVIO_SELFTEST_IOTLB_H
#define PVIO_SELFTEST_IOTLB_H

#include <pthread.h>
#include <stdatomic.h>

#include "env.h"

#define PAGE		4096u
/* Where tests map what they like. */
#define FAR_IOVA	0x7f0000000000ull

extern const struct ktap_suite iotlb_message_suite;
extern const struct ktap_suite iotlb_miss_suite;
extern const struct ktap_suite iotlb_change_suite;
extern const struct ktap_suite iotlb_slow_suite;

/*
 * A thread that answers each miss in the memory of the device by mapping so many bytes around it,
 * and elsewhere by what @other does.
 */
struct vmm {
	struct env *e;
	uint64_t granule;
	int (*other)(struct vmm *vmm, const struct vhost_iotlb_msg *msg);
	void *arg;
	atomic_uint misses;
	atomic_bool stop;
	atomic_int res;
	pthread_t thread;
};

/* What a device needs to do with descriptors: those of a packed ring it writes back. */
static inline uint8_t iotlb_desc_perm(const struct ring *r)
{
	return r->packed ? VHOST_ACCESS_RW : VHOST_ACCESS_RO;
}

/* Fixtures: open, with nothing mapped; and started, with the device's own memory mapped. */
int iotlb_open(void *ctx);
int iotlb_start(void *ctx);

int iotlb_write(const struct env *e, const struct vhost_iotlb_msg *msg, uint32_t version);
/* A read that doesn't block: a miss, or -EAGAIN. Fails the test for what is no proper miss. */
int iotlb_read(const struct env *e, struct vhost_iotlb_msg *msg);
/* Waits for a miss, which has to be this one. */
int iotlb_expect(const struct env *e, uint64_t iova, uint8_t perm);
/* There is no message, and none comes while the other queues do something. */
int iotlb_expect_none(struct env *e, unsigned int busy_queue);

int vmm_start(struct vmm *vmm, struct env *e, uint64_t granule);
/* Returns the first thing that went wrong. */
int vmm_stop(struct vmm *vmm);

#endif
