/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_KIND_H
#define PVIO_BRIDGE_KIND_H

#include <stdbool.h>
#include <stdint.h>

struct node;
struct options;

/*
 * struct kind - a kind of device
 * @name: as the command line has it
 * @type: as vhost-user.json has it
 * @capabilities: the rest of what --print-capabilities prints, JSON strings
 * @node: the kernel's device
 * @unit: queues of one of the kernel's devices, where as many of these as it takes are one device;
 *	0: all are of one
 * @served: how many of its queues the kernel has, the first ones; 0: all
 * @queues: how many there are when nobody says so, in @unit; 0: one for each CPU
 * @queues_fixed: there can't be another number
 * @config_len: bytes of a configuration space that the node doesn't have; 0: it has one
 * @ioctls: those that it takes beside those of vhost, up to a 0; NULL: there are none
 * @protocol_withheld: features of the protocol that mean nothing for it
 * @withheld: features of the node that a successor of this process could not go on with, or that
 *	mean something else to a VMM
 * @features: what it offers beside those of the node
 * @accept: takes up what the VMM accepted, and the node. Returns 0 or a negative errno, and has
 *	said why; NULL: there is nothing to do, as for those below
 * @open: opens what is behind the device, with the privileges of the start. Returns 0 or a
 *	negative errno, and has said why
 * @attach: gives it to a node that was reset. Returns likewise
 * @enable: starts or stops a queue. Returns 0 or a negative errno
 * @detach: completes what is in flight, and takes it away
 * @claim: called before the first queue starts, for what others must not use meanwhile. Returns
 *	likewise
 * @release: the last queue has stopped
 * @refresh: looks whether what is behind the device has changed
 * @fill_config: what the bridge knows better than the node, of a configuration space of @len bytes
 */
struct kind {
	const char *name;
	const char *type;
	const char *capabilities;
	const char *node;
	unsigned int unit;
	unsigned int served;
	unsigned int queues;
	bool queues_fixed;
	uint32_t config_len;
	const unsigned int *ioctls;
	uint64_t protocol_withheld;
	uint64_t withheld;
	uint64_t (*features)(void);
	int (*accept)(uint64_t features);
	int (*open)(const struct options *o);
	int (*attach)(const struct node *n);
	int (*enable)(const struct node *n, unsigned int queue, int on);
	void (*detach)(const struct node *n);
	int (*claim)(void);
	void (*release)(void);
	void (*refresh)(const struct node *n);
	void (*fill_config)(const struct options *o, uint8_t *config, uint32_t len);
};

extern const struct kind kind_blk;
extern const struct kind kind_net;
extern const struct kind kind_vsock;

/* NULL: there is none of that name. */
const struct kind *kind_find(const char *name);

#endif
