/* SPDX-License-Identifier: GPL-2.0-only */
/* The ioctls that every node has, with arguments that are wrong. */
#ifndef PVIO_SELFTEST_IOCTL_BAD_H
#define PVIO_SELFTEST_IOCTL_BAD_H

#include "ktap.h"
#include "vhost.h"

/* An address that no process has. */
#define KERNEL_ADDRESS	0xffff888000000000ull

/* A device that has an owner and nothing else. */
struct ioctl_bad {
	const struct vhost *v;
	const struct ring *rings;
	unsigned int queues;
	const char *node;
	bool peer;	/* it is the kernel's own */
};

/* @own are those of this node alone, @count of them. */
int ioctl_bad_pointers(const struct ioctl_bad *d, const unsigned long *own, unsigned int count);
int ioctl_bad_unknown(const struct ioctl_bad *d);
/* Of @own those that take an owner. */
int ioctl_bad_no_owner(const struct ioctl_bad *d, const unsigned long *own, unsigned int count);
int ioctl_bad_features(const struct ioctl_bad *d);
int ioctl_bad_indices(const struct ioctl_bad *d);
int ioctl_bad_vrings(const struct ioctl_bad *d);
int ioctl_bad_memory(const struct ioctl_bad *d);

#endif
