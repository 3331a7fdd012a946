/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_KIND_H
#define PVIO_BRIDGE_KIND_H

#include <stdbool.h>
#include <stdint.h>

/* Queues that a node can have. */
#define QUEUES_MAX	64u

struct options;

/*
 * struct kind - a kind of device
 * @name: as the command line has it
 * @type: as vhost-user.json has it
 * @capabilities: the rest of what --print-capabilities prints, JSON strings
 * @node: the kernel's device
 * @withheld: features of the node that a successor of this process could not go on with
 * @open: opens what is behind the device, with the privileges of the start. Returns 0 or a
 *	negative errno, and has said why
 * @attach: gives it to a node that was reset. Returns likewise
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
	uint64_t withheld;
	int (*open)(const struct options *o);
	int (*attach)(int node);
	void (*detach)(int node);
	int (*claim)(void);
	void (*release)(void);
	void (*refresh)(int node);
	void (*fill_config)(const struct options *o, uint8_t *config, uint32_t len);
};

extern const struct kind kind_blk;

/* NULL: there is none of that name. */
const struct kind *kind_find(const char *name);

#endif
