// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>

#include "blk.h"
#include "bridge_vsock_vmm.h"

#define RING_NUM	64u
#define MEM_SIZE	0x100000u
#define CREDIT		0x40000u

static const uint64_t wanted_protocol =
	BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |
	BIT(VHOST_USER_PROTOCOL_F_CONFIG) | BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE);

int vmm_accept(struct vsock_vmm *m)
{
	uint64_t accept = BIT(VIRTIO_F_VERSION_1) | BIT(VHOST_USER_F_PROTOCOL_FEATURES);

	return vhost_user_set(m->sock, VHOST_USER_SET_FEATURES, m->features & accept, true);
}

static int agree(struct vsock_vmm *m)
{
	int err = vhost_user_set(m->sock, VHOST_USER_SET_OWNER, 0, false);

	if (!err)
		err = vhost_user_get(m->sock, VHOST_USER_GET_FEATURES, &m->features);
	if (!err)
		err = vhost_user_get(m->sock, VHOST_USER_GET_PROTOCOL_FEATURES, &m->protocol);
	if (!err)
		err = vhost_user_set(m->sock, VHOST_USER_SET_PROTOCOL_FEATURES,
				     m->protocol & wanted_protocol, false);
	if (!err)
		err = vmm_accept(m);
	return err ? err : vhost_user_set_mem(m->sock, &m->mem, 1, true);
}

static int make_rings(struct vsock_vmm *m)
{
	const struct ring_features f = { };
	unsigned int q;
	int err = 0;

	for (q = 0; q < VMM_QUEUES && !err; q++)
		err = ring_init(&m->ring[q], &m->mem, RING_NUM, 0, &f, 0);
	m->in = gmem_alloc(&m->mem, VMM_BUFFERS * sizeof(*m->in), 64);
	m->out = gmem_alloc(&m->mem, sizeof(*m->out), 64);
	return err;
}

int vmm_open(struct vsock_vmm *m, const char *socket, uint32_t cid)
{
	int err;

	*m = (struct vsock_vmm){ .sock = -1, .cid = cid };
	err = gmem_create(&m->mem, GMEM_SHARED, 0x100000, MEM_SIZE);
	if (!err)
		err = make_rings(m);
	if (!err)
		err = vhost_user_connect(socket, &m->sock);
	return err ? err : agree(m);
}

void vmm_close(struct vsock_vmm *m)
{
	unsigned int q;

	if (m->sock >= 0)
		close(m->sock);
	m->sock = -1;
	for (q = 0; q < VMM_QUEUES; q++)
		ring_destroy(&m->ring[q]);
	gmem_destroy(&m->mem);
}

int vmm_place(struct vsock_vmm *m, unsigned int queue)
{
	uint64_t off = (uintptr_t)m->mem.va - m->mem.iova;
	const struct ring *r = &m->ring[queue];
	const struct vhost_vring_addr a = {
		.index = queue,
		.desc_user_addr = r->desc_iova + off,
		.avail_user_addr = r->avail_iova + off,
		.used_user_addr = r->used_iova + off,
	};
	int s = m->sock;
	int err = vhost_user_set_state(s, VHOST_USER_SET_VRING_NUM, queue, r->num, true);

	if (!err)
		err = vhost_user_set_state(s, VHOST_USER_SET_VRING_BASE, queue,
					   ring_device_base(r), true);
	if (!err)
		err = vhost_user_set_addr(s, &a, true);
	if (!err)
		err = vhost_user_set_fd(s, VHOST_USER_SET_VRING_CALL, queue, r->call_fd, true);
	return err ? err : vhost_user_set_fd(s, VHOST_USER_SET_VRING_KICK, queue, r->kick_fd, true);
}

int vmm_enable(struct vsock_vmm *m, unsigned int queue, int on)
{
	return vhost_user_set_state(m->sock, VHOST_USER_SET_VRING_ENABLE, queue, on, true);
}

static void give_buffer(struct vsock_vmm *m, struct vmm_packet *p)
{
	const struct ring_seg seg = { gmem_iova(&m->mem, p), sizeof(*p), true };

	ring_add(&m->ring[VMM_RX], &seg, 1, RING_DIRECT, p);
}

int vmm_start(struct vsock_vmm *m)
{
	unsigned int q, i;
	int err = 0;

	for (i = ring_in_flight(&m->ring[VMM_RX]); i < VMM_BUFFERS; i++)
		give_buffer(m, &m->in[i]);
	ring_publish(&m->ring[VMM_RX]);
	for (q = 0; q < VMM_SERVED && !err; q++) {
		err = vmm_place(m, q);
		if (!err)
			err = vmm_enable(m, q, 1);
	}
	return err;
}

void vmm_post(struct vsock_vmm *m, uint32_t port, uint32_t host_port, uint16_t op,
	      const void *data, uint32_t len)
{
	struct ring_seg seg = {
		gmem_iova(&m->mem, m->out), (uint32_t)sizeof(m->out->hdr) + len, false
	};

	m->out->hdr = (struct virtio_vsock_hdr){
		.src_cid = htole64(m->cid),
		.dst_cid = htole64(HOST_CID),
		.src_port = htole32(port),
		.dst_port = htole32(host_port),
		.len = htole32(len),
		.type = htole16(VIRTIO_VSOCK_TYPE_STREAM),
		.op = htole16(op),
		.buf_alloc = htole32(CREDIT),
	};
	if (len)
		memcpy(m->out->data, data, len);
	ring_add(&m->ring[VMM_TX], &seg, 1, RING_DIRECT, m->out);
	ring_flush(&m->ring[VMM_TX]);
}

bool vmm_taken(struct vsock_vmm *m, int timeout_ms)
{
	uint32_t len;

	return ring_wait(&m->ring[VMM_TX], timeout_ms) && ring_collect(&m->ring[VMM_TX], &len);
}

bool vmm_send(struct vsock_vmm *m, uint32_t port, uint32_t host_port, uint16_t op,
	      const void *data, uint32_t len)
{
	vmm_post(m, port, host_port, op, data, len);
	return vmm_taken(m, VMM_HANG_LIMIT_MS);
}

static bool tells(const struct vmm_packet *p, uint32_t port)
{
	uint16_t op = le16toh(p->hdr.op);

	return le32toh(p->hdr.dst_port) == port && op != VIRTIO_VSOCK_OP_CREDIT_UPDATE &&
	       op != VIRTIO_VSOCK_OP_CREDIT_REQUEST;
}

const struct vmm_packet *vmm_receive(struct vsock_vmm *m, uint32_t port)
{
	static struct vmm_packet got;
	struct ring *r = &m->ring[VMM_RX];
	struct vmm_packet *p;
	uint32_t len;

	while (ring_wait(r, VMM_HANG_LIMIT_MS)) {
		p = ring_collect(r, &len);
		if (!p)
			continue;
		got = *p;
		give_buffer(m, p);
		ring_flush(r);
		if (tells(&got, port))
			return &got;
	}
	return NULL;
}
