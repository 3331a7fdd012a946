// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets between a VM and its host: /dev/vhost-vsock, which serves both of a VM's queues or none.
 * All there is of a configuration is the VM's CID.
 */
#include <errno.h>
#include <linux/virtio_vsock.h>

#include "node.h"
#include "options.h"
#include "protocol.h"
#include "say.h"

/* The VMM may hand over the queue of events as well, for which the kernel has no use. */
#define QUEUES_SERVED	2u
#define QUEUES_ALL	3u

static struct {
	uint64_t cid;
	unsigned int ready;
} vsock;

static int vsock_open(const struct options *o)
{
	vsock.cid = o->guest_cid;
	return 0;
}

static int vsock_attach(const struct node *n)
{
	int err = node_call(n, VHOST_VSOCK_SET_GUEST_CID, &vsock.cid);

	if (err)
		say_err(err, "CID %llu can't be had%s", (unsigned long long)vsock.cid,
			err == -EADDRINUSE ? ": another VM has it" : "");
	return err;
}

static int set_running(const struct node *n, int on)
{
	return node_call(n, VHOST_VSOCK_SET_RUNNING, &on);
}

/* The first one waits for the other, and both stop with the first that does. */
static int vsock_enable(const struct node *n, unsigned int queue, int on)
{
	const unsigned int all = (1u << QUEUES_SERVED) - 1;
	unsigned int was = vsock.ready;
	bool ran, runs;
	int err = 0;

	if (queue >= QUEUES_SERVED)
		return 0;
	vsock.ready = on ? was | 1u << queue : was & ~(1u << queue);
	ran = was == all;
	runs = vsock.ready == all;
	if (ran != runs)
		err = set_running(n, runs);
	if (err)
		vsock.ready = was;
	return err;
}

static void vsock_detach(const struct node *n)
{
	set_running(n, 0);
	vsock.ready = 0;
}

static void vsock_fill_config(const struct options *o, uint8_t *config, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		config[i] = i < sizeof(o->guest_cid) ? o->guest_cid >> 8 * i & 0xff : 0;
}

const struct kind kind_vsock = {
	.name = "vsock",
	.type = "vsock",
	.capabilities = "",
	.node = "/dev/vhost-vsock",
	.served = QUEUES_SERVED,
	.queues = QUEUES_ALL,
	.queues_fixed = true,
	.config_len = sizeof(struct virtio_vsock_config),
	/* Nothing is in flight behind a turn. */
	.protocol_withheld = 1ull << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD,
	.open = vsock_open,
	.attach = vsock_attach,
	.enable = vsock_enable,
	.detach = vsock_detach,
	.fill_config = vsock_fill_config,
};
