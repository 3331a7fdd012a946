/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest and a VMM that do anything at all, as a seed says. */
#ifndef PVIO_SELFTEST_BLK_FUZZ_H
#define PVIO_SELFTEST_BLK_FUZZ_H

#include "scribble.h"

#define FUZZ_MEM_IOVA	0x400000000ull
#define FUZZ_MEM_SIZE	(1 * MIB)

/* Who may do something. */
enum fuzz_who {
	FUZZ_NODE	= 0x1,	/* a VMM with /dev/vhost-blk */
	FUZZ_VDPA	= 0x2,	/* one with /dev/vhost-vdpa-N */
	FUZZ_ANY	= 0x3,
	FUZZ_BESIDE	= 0x4,	/* a second thread as well */
};

/**
 * struct fuzz - one opening of the device
 * @e: the device
 * @s: the guest that scribbles, in a thread of its own
 * @v: for the second thread: another descriptor of the same opening
 * @mem: memory that only the device uses, and that comes and goes
 * @prng: of the first thread
 * @thread: the second one
 * @beside: its @prng
 * @stop: for the second one
 * @did: how often each operation was done
 */
struct fuzz {
	struct env *e;
	struct scribbler s;
	struct vhost v;
	struct gmem mem;
	struct prng prng;
	pthread_t thread;
	struct prng beside;
	atomic_bool stop;
	unsigned long *did;
};

/*
 * An operation by way of @v, random by @p. What it returns is not looked at: the device may refuse
 * what it likes.
 */
struct fuzz_op {
	const char *name;
	unsigned int who;
	void (*fn)(struct fuzz *f, const struct vhost *v, struct prng *p);
};

extern const struct fuzz_op fuzz_vmm_ops[], fuzz_ioctl_ops[];
extern const unsigned int fuzz_vmm_count, fuzz_ioctl_count;

/* An address in the sense of SET_VRING_ADDR. */
uint64_t fuzz_ring_address(struct fuzz *f, struct prng *p, uint64_t real);
unsigned int fuzz_queue(struct fuzz *f, struct prng *p);

#endif
