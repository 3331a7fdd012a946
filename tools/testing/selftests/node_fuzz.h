/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver and a VMM of a node that do anything at all, as a seed says: what is the same for all
 * nodes. Of these two threads make calls, one of them by another descriptor of the same opening.
 */
#ifndef PVIO_SELFTEST_NODE_FUZZ_H
#define PVIO_SELFTEST_NODE_FUZZ_H

#include <pthread.h>
#include <stdatomic.h>

#include "gmem.h"
#include "pattern.h"
#include "vhost.h"

#define NODE_FUZZ_MEM_IOVA	0x400000000ull
#define NODE_FUZZ_MEM_SIZE	0x100000u
#define NODE_FUZZ_OPS		50u
#define NODE_FUZZ_FDS		12u

struct node_fuzz;

/*
 * An operation by way of @v, random by @p; @beside: the second thread may do it as well. What it
 * returns is not looked at: the device may refuse what it likes.
 */
struct node_fuzz_op {
	const char *name;
	bool beside;
	void (*fn)(struct node_fuzz *f, const struct vhost *v, struct prng *p);
};

/**
 * struct node_fuzz_kind - a kind of node
 * @ops: what is done to nodes of this kind alone, each as often as it stands there
 * @count: how many
 * @calls: ioctls of this kind alone
 * @nr_calls: how many
 */
struct node_fuzz_kind {
	const struct node_fuzz_op *ops;
	unsigned int count;
	const unsigned long *calls;
	unsigned int nr_calls;
};

/**
 * struct node_fuzz - one opening of a device
 * @kind: what it is
 * @device: whatever the operations of that kind need
 * @first: the first descriptor
 * @rings: its rings
 * @queues: how many
 * @guest: the guest's memory
 * @iotlb: whether addresses are mapped by messages
 * @num: the size of a ring
 * @features: that were accepted
 * @offered: that could have been
 * @fds: descriptors that may be said where one is wanted
 * @nr_fds: how many
 * @v: for the second thread
 * @mem: memory that only the device uses, and that comes and goes
 * @prng: of the first thread
 * @thread: the second one
 * @beside: its @prng
 * @stop: for the second one
 */
struct node_fuzz {
	const struct node_fuzz_kind *kind;
	void *device;
	struct vhost *first;
	struct ring *rings;
	unsigned int queues;
	const struct gmem *guest;
	bool iotlb;
	uint16_t num;
	uint64_t features, offered;
	int fds[NODE_FUZZ_FDS];
	unsigned int nr_fds;
	struct vhost v;
	struct gmem mem;
	struct prng prng;
	pthread_t thread;
	struct prng beside;
	atomic_bool stop;
};

/* Calls that every VMM may make. */
extern const struct node_fuzz_op node_fuzz_vmm_ops[];
extern const unsigned int node_fuzz_vmm_count;

/*
 * A round: memory, the second thread, a number of operations, the end, in that order. Return 0 or
 * a negative errno.
 */
int node_fuzz_open(struct node_fuzz *f, uint64_t seed);
int node_fuzz_start(struct node_fuzz *f);
void node_fuzz_run(struct node_fuzz *f, unsigned int ops);
/* Closes both descriptors, in any order. */
void node_fuzz_stop(struct node_fuzz *f);
void node_fuzz_close(struct node_fuzz *f);
/* How often each operation was done until now. */
void node_fuzz_tell(const struct node_fuzz_kind *k);

unsigned int node_fuzz_queue(const struct node_fuzz *f, struct prng *p);
/* Near something, or anywhere. */
uint64_t node_fuzz_address(const struct node_fuzz *f, struct prng *p);

#endif
