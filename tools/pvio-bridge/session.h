/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_SESSION_H
#define PVIO_BRIDGE_SESSION_H

#include "kind.h"
#include "memory.h"
#include "message.h"
#include "node.h"

/*
 * struct ring - a queue as the VMM describes it; the kernel is told when it starts
 * @num: entries
 * @base: where it begins
 * @addr: the VMM's addresses
 * @placed: there are such
 * @kicked: it has an event for kicks
 * @enabled: by VHOST_USER_SET_VRING_ENABLE
 * @running: the kernel serves it
 */
struct ring {
	unsigned int num;
	unsigned int base;
	struct vhost_vring_addr addr;
	bool placed;
	bool kicked;
	bool enabled;
	bool running;
};

/*
 * struct inflight - where queues keep what they have in flight
 * @fd: the memory; -1: there is none
 * @map: where the first queue's region is
 * @queues: how many have a region there
 * @stride: bytes of each
 * @offset: of the first one in the file
 */
struct inflight {
	int fd;
	struct mapping map;
	unsigned int queues;
	uint64_t stride;
	uint64_t offset;
};

/*
 * struct dirty_log - where the kernel notes what it writes
 * @map: where the bit for address 0 is
 * @size: bytes from there
 */
struct dirty_log {
	struct mapping map;
	uint64_t size;
};

/*
 * struct session - a device, and the connection of a VMM to it
 * @options: the command line
 * @kind: of the device
 * @node: the kernel's devices
 * @config_event: signalled when its configuration changes
 * @sock: the VMM; -1: there is none
 * @channel: to the VMM, for what it didn't ask; -1: there is none
 * @in: the message that is coming
 * @offered: features
 * @features: accepted
 * @protocol: features of the protocol, accepted
 * @status: as the VMM set it
 * @mem: its memory
 * @old: mappings that are about to go
 * @ring: the queues
 * @inflight: what they have in flight
 * @log: what is written
 */
struct session {
	const struct options *options;
	const struct kind *kind;
	struct node node;
	int config_event;
	int sock;
	int channel;
	struct message in;
	uint64_t offered;
	uint64_t features;
	uint64_t protocol;
	uint8_t status;
	struct memory mem;
	struct memory old;
	struct ring ring[QUEUES_MAX];
	struct inflight inflight;
	struct dirty_log log;
};

/*
 * A device without a VMM, on the open nodes: the first time, and after each session. Returns 0 or
 * a negative errno, and has said why.
 */
int session_init(struct session *s, const struct options *o);

/* A VMM has come, by @sock. */
void session_begin(struct session *s, int sock);

/*
 * Reads what it sends, up to the end of a message, and does what it says. Ends the session when it
 * has ended, or broken a rule.
 */
void session_receive(struct session *s);

/* What is in flight is completed, and the VMM let go. */
void session_end(struct session *s);

/* Tells the VMM, if it can be told, that the configuration has changed. */
void session_config_changed(struct session *s);

static inline bool session_has(const struct session *s, unsigned int protocol_feature)
{
	return s->protocol & 1ull << protocol_feature;
}

#endif
