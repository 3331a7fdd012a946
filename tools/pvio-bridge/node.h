/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_NODE_H
#define PVIO_BRIDGE_NODE_H

/*
 * The kernel's device: descriptors of a vhost node, which this process owns. Calls return 0 or a
 * negative errno; pvio's Documentation/vhost-blk-node.rst says which.
 */

#include <stdint.h>
#include <linux/vhost.h>

/* Queues that a device can have. */
#define QUEUES_MAX	64u

/*
 * struct node - one device of the kernel's, or several that are one to the VMM
 * @count: how many
 * @queues: of each; queues are numbered through
 * @fd: the descriptors
 * @features: what the kernel offers
 */
struct node {
	unsigned int count;
	unsigned int queues;
	int fd[QUEUES_MAX];
	uint64_t features;
};

/* One call with a pointer, of all in turn until one fails. */
int node_call(const struct node *n, unsigned long request, void *arg);

/*
 * One call about a queue, the number of which is the first thing at @arg and is set here. One that
 * the kernel doesn't have takes anything, and changes nothing.
 */
int node_queue_call(const struct node *n, unsigned int queue, unsigned long request, void *arg);

/* What all of them offer is taken for what the first one does. */
int node_get_features(struct node *n);
int node_set_features(const struct node *n, uint64_t features);
int node_set_mem(const struct node *n, const struct vhost_memory *mem);
int node_set_log(const struct node *n, uint64_t base);
int node_set_log_fd(const struct node *n, int fd);
int node_set_num(const struct node *n, unsigned int queue, unsigned int num);
int node_set_base(const struct node *n, unsigned int queue, unsigned int base);
int node_get_base(const struct node *n, unsigned int queue, unsigned int *base);
int node_set_kick(const struct node *n, unsigned int queue, int fd);
int node_set_call(const struct node *n, unsigned int queue, int fd);
int node_set_err(const struct node *n, unsigned int queue, int fd);
int node_enable(const struct node *n, unsigned int queue, int on);
/* @addr in this process; 0: nowhere. */
int node_set_inflight(const struct node *n, unsigned int queue, uint64_t addr, uint64_t size);

/* The configuration space, and an event that is signalled when it changes. */
int node_get_config(const struct node *n, uint32_t offset, void *buf, uint32_t len);
int node_get_config_size(const struct node *n, uint32_t *size);
int node_set_config_call(const struct node *n, int fd);

#endif
