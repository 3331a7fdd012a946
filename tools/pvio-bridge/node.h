/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_NODE_H
#define PVIO_BRIDGE_NODE_H

/*
 * The kernel's device: a descriptor of a vhost node, which this process owns. Calls return 0 or a
 * negative errno; pvio's Documentation/vhost-blk-node.rst says which.
 */

#include <stdint.h>
#include <linux/vhost.h>

/* One call with a pointer, for those of a kind of device. */
int node_call(int node, unsigned long request, void *arg);

int node_get_features(int node, uint64_t *features);
int node_set_features(int node, uint64_t features);
int node_set_mem(int node, const struct vhost_memory *mem);
int node_set_log(int node, uint64_t base);
int node_set_log_fd(int node, int fd);
int node_set_num(int node, unsigned int queue, unsigned int num);
int node_set_base(int node, unsigned int queue, unsigned int base);
int node_get_base(int node, unsigned int queue, unsigned int *base);
int node_set_kick(int node, unsigned int queue, int fd);
int node_set_call(int node, unsigned int queue, int fd);
int node_set_err(int node, unsigned int queue, int fd);
int node_enable(int node, unsigned int queue, int on);
/* @addr in this process; 0: nowhere. */
int node_set_inflight(int node, unsigned int queue, uint64_t addr, uint64_t size);

/* The configuration space, and an event that is signalled when it changes. */
int node_get_config(int node, uint32_t offset, void *buf, uint32_t len);
int node_get_config_size(int node, uint32_t *size);
int node_set_config_call(int node, int fd);

#endif
