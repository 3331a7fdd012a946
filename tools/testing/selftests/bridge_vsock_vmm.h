/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM that speaks vhost-user, and its guest's vsock driver: packets are made and read by the
 * test. Calls return 0 or a negative errno, where nothing else is said.
 */
#ifndef PVIO_SELFTEST_BRIDGE_VSOCK_VMM_H
#define PVIO_SELFTEST_BRIDGE_VSOCK_VMM_H

#include <stdbool.h>
#include <linux/virtio_vsock.h>

#include "ring.h"
#include "vhost_user.h"

#define VMM_HANG_LIMIT_MS	60000
#define VMM_RX			0u
#define VMM_TX			1u
#define VMM_EVENT		2u
#define VMM_QUEUES		3u
#define VMM_SERVED		2u
#define VMM_BUFFERS		16u
#define VMM_PAYLOAD		4096u
#define HOST_CID		2u

/* As a guest sends and gets it, in one buffer. */
struct vmm_packet {
	struct virtio_vsock_hdr hdr;
	uint8_t data[VMM_PAYLOAD];
};

/*
 * struct vsock_vmm - the VMM
 * @sock: to the daemon; -1: there is none
 * @features: of the device, offered
 * @protocol: features of the protocol, offered
 * @in: buffers to receive into, in guest memory
 * @out: one to send from
 */
struct vsock_vmm {
	int sock;
	uint32_t cid;
	uint64_t features;
	uint64_t protocol;
	struct gmem mem;
	struct ring ring[VMM_QUEUES];
	struct vmm_packet *in;
	struct vmm_packet *out;
};

/* Connects, agrees on features, hands over memory. Rings are there, and the daemon knows none. */
int vmm_open(struct vsock_vmm *m, const char *socket, uint32_t cid);
void vmm_close(struct vsock_vmm *m);

/* Accepts features, as after a reset. */
int vmm_accept(struct vsock_vmm *m);
/* All there is of a queue, from where its ring is, but that it isn't enabled. */
int vmm_place(struct vsock_vmm *m, unsigned int queue);
int vmm_enable(struct vsock_vmm *m, unsigned int queue, int on);
/* Both queues that are served. */
int vmm_start(struct vsock_vmm *m);

/*
 * Sends from @port of the guest to @host_port of the host. Whether the device has taken it within
 * the hang limit.
 */
bool vmm_send(struct vsock_vmm *m, uint32_t port, uint32_t host_port, uint16_t op,
	      const void *data, uint32_t len);
/* Shows the device the packet, and doesn't wait. */
void vmm_post(struct vsock_vmm *m, uint32_t port, uint32_t host_port, uint16_t op,
	      const void *data, uint32_t len);
/* The device has taken what was sent within @timeout_ms. */
bool vmm_taken(struct vsock_vmm *m, int timeout_ms);

/*
 * The next packet for @port that does something but tell credit; NULL: none within the hang limit.
 * It is there until the next call.
 */
const struct vmm_packet *vmm_receive(struct vsock_vmm *m, uint32_t port);

#endif
