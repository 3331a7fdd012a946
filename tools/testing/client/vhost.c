// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/virtio_config.h>

#include "vhost.h"

int vhost_open(struct vhost *v, const char *path)
{
	v->backend_features = 0;
	v->fd = open(path, O_RDWR | O_CLOEXEC);
	return v->fd < 0 ? -errno : 0;
}

void vhost_close(struct vhost *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

int vhost_ioctl(const struct vhost *v, unsigned long request, void *arg)
{
	return ioctl(v->fd, request, arg) < 0 ? -errno : 0;
}

int vhost_set_owner(const struct vhost *v)
{
	return vhost_ioctl(v, VHOST_SET_OWNER, NULL);
}

int vhost_get_features(const struct vhost *v, uint64_t *features)
{
	return vhost_ioctl(v, VHOST_GET_FEATURES, features);
}

int vhost_set_features(const struct vhost *v, uint64_t features)
{
	return vhost_ioctl(v, VHOST_SET_FEATURES, &features);
}

int vhost_get_feature_words(const struct vhost *v, uint64_t *words, unsigned int count)
{
	uint64_t array[VHOST_FEATURE_WORDS + 1] = { count };
	int err;

	if (count > VHOST_FEATURE_WORDS)
		return -E2BIG;
	err = vhost_ioctl(v, VHOST_GET_FEATURES_ARRAY, array);
	memcpy(words, array + 1, count * sizeof(*words));
	return err;
}

int vhost_set_feature_words(const struct vhost *v, const uint64_t *words, unsigned int count)
{
	uint64_t array[VHOST_FEATURE_WORDS + 1] = { count };

	if (count > VHOST_FEATURE_WORDS)
		return -E2BIG;
	memcpy(array + 1, words, count * sizeof(*words));
	return vhost_ioctl(v, VHOST_SET_FEATURES_ARRAY, array);
}

int vhost_ack_backend_features(struct vhost *v, uint64_t wanted)
{
	uint64_t offered;
	int err = vhost_ioctl(v, VHOST_GET_BACKEND_FEATURES, &offered);

	if (err)
		return err;
	v->backend_features = offered & wanted;
	return vhost_ioctl(v, VHOST_SET_BACKEND_FEATURES, &v->backend_features);
}

static int set_vring_state(const struct vhost *v, unsigned long request, unsigned int queue,
			   unsigned int num)
{
	struct vhost_vring_state s = { .index = queue, .num = num };

	return vhost_ioctl(v, request, &s);
}

int vhost_set_vring_num(const struct vhost *v, unsigned int queue, unsigned int num)
{
	return set_vring_state(v, VHOST_SET_VRING_NUM, queue, num);
}

int vhost_set_vring_base(const struct vhost *v, unsigned int queue, unsigned int base)
{
	return set_vring_state(v, VHOST_SET_VRING_BASE, queue, base);
}

int vhost_get_vring_base(const struct vhost *v, unsigned int queue, unsigned int *base)
{
	struct vhost_vring_state s = { .index = queue };
	int err = vhost_ioctl(v, VHOST_GET_VRING_BASE, &s);

	*base = s.num;
	return err;
}

int vhost_set_vring_addr(const struct vhost *v, unsigned int queue, uint64_t desc, uint64_t avail,
			 uint64_t used)
{
	struct vhost_vring_addr a = {
		.index = queue,
		.desc_user_addr = desc,
		.avail_user_addr = avail,
		.used_user_addr = used,
	};

	return vhost_ioctl(v, VHOST_SET_VRING_ADDR, &a);
}

static int set_vring_file(const struct vhost *v, unsigned long request, unsigned int queue, int fd)
{
	struct vhost_vring_file f = { .index = queue, .fd = fd };

	return vhost_ioctl(v, request, &f);
}

int vhost_set_vring_kick(const struct vhost *v, unsigned int queue, int fd)
{
	return set_vring_file(v, VHOST_SET_VRING_KICK, queue, fd);
}

int vhost_set_vring_call(const struct vhost *v, unsigned int queue, int fd)
{
	return set_vring_file(v, VHOST_SET_VRING_CALL, queue, fd);
}

int vhost_new_worker(const struct vhost *v, unsigned int *id)
{
	struct vhost_worker_state s = { .worker_id = ~0u };
	int err = vhost_ioctl(v, VHOST_NEW_WORKER, &s);

	*id = s.worker_id;
	return err;
}

int vhost_free_worker(const struct vhost *v, unsigned int id)
{
	struct vhost_worker_state s = { .worker_id = id };

	return vhost_ioctl(v, VHOST_FREE_WORKER, &s);
}

int vhost_attach_worker(const struct vhost *v, unsigned int queue, unsigned int id)
{
	struct vhost_vring_worker w = { .index = queue, .worker_id = id };

	return vhost_ioctl(v, VHOST_ATTACH_VRING_WORKER, &w);
}

int vhost_get_worker(const struct vhost *v, unsigned int queue, unsigned int *id)
{
	struct vhost_vring_worker w = { .index = queue, .worker_id = ~0u };
	int err = vhost_ioctl(v, VHOST_GET_VRING_WORKER, &w);

	*id = w.worker_id;
	return err;
}

int vhost_set_busyloop(const struct vhost *v, unsigned int queue, unsigned int us)
{
	return set_vring_state(v, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, queue, us);
}

int vhost_get_busyloop(const struct vhost *v, unsigned int queue, unsigned int *us)
{
	struct vhost_vring_state s = { .index = queue };
	int err = vhost_ioctl(v, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &s);

	*us = s.num;
	return err;
}

int vhost_set_vring(const struct vhost *v, unsigned int queue, const struct ring *r)
{
	int err = vhost_set_vring_num(v, queue, r->num);

	if (!err)
		err = vhost_set_vring_base(v, queue, ring_base(r));
	if (!err)
		err = vhost_set_vring_addr(v, queue, r->desc_iova, r->avail_iova, r->used_iova);
	if (!err)
		err = vhost_set_vring_kick(v, queue, r->kick_fd);
	if (!err)
		err = vhost_set_vring_call(v, queue, r->call_fd);
	return err;
}

static bool has_feature(uint64_t features, unsigned int bit)
{
	return features >> bit & 1;
}

struct ring_features vhost_ring_features(uint64_t features)
{
	return (struct ring_features){
		.event_idx = has_feature(features, VIRTIO_RING_F_EVENT_IDX),
		.packed = has_feature(features, VIRTIO_F_RING_PACKED),
		.in_order = has_feature(features, VIRTIO_F_IN_ORDER),
	};
}

int vhost_set_gmem(const struct vhost *v, const struct gmem *m)
{
	struct vhost_memory *mem = calloc(1, sizeof(*mem) + sizeof(mem->regions[0]));
	int err;

	if (!mem)
		return -ENOMEM;
	mem->nregions = 1;
	mem->regions[0] = (struct vhost_memory_region){
		.guest_phys_addr = m->iova,
		.memory_size = m->size,
		.userspace_addr = (uintptr_t)m->va,
	};
	err = vhost_ioctl(v, VHOST_SET_MEM_TABLE, mem);
	free(mem);
	return err;
}

int vhost_place_ring(const struct vhost *v, unsigned int queue, const struct ring *r,
		     const struct gmem *m, bool iotlb)
{
	uint64_t off = iotlb ? 0 : (uintptr_t)m->va - m->iova;

	return vhost_set_vring_addr(v, queue, r->desc_iova + off, r->avail_iova + off,
				    r->used_iova + off);
}

int vhost_set_queue(const struct vhost *v, unsigned int queue, const struct ring *r,
		    const struct gmem *m, bool iotlb, unsigned int base, int error_fd)
{
	int err = vhost_set_vring_num(v, queue, r->num);

	if (!err)
		err = vhost_set_vring_base(v, queue, base);
	if (!err)
		err = vhost_place_ring(v, queue, r, m, iotlb);
	if (!err)
		err = vhost_set_vring_kick(v, queue, r->kick_fd);
	if (!err)
		err = vhost_set_vring_call(v, queue, r->call_fd);
	return err ? err : set_vring_file(v, VHOST_SET_VRING_ERR, queue, error_fd);
}

bool vhost_told(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

int vhost_iotlb_send(const struct vhost *v, const struct vhost_iotlb_msg *msg, uint32_t asid)
{
	struct vhost_msg_v2 m;
	ssize_t n;

	memset(&m, 0, sizeof(m));
	m.type = VHOST_IOTLB_MSG_V2;
	m.asid = asid;
	m.iotlb = *msg;
	n = write(v->fd, &m, sizeof(m));
	if (n < 0)
		return -errno;
	return n == sizeof(m) ? 0 : -EIO;
}

int vhost_iotlb_map(const struct vhost *v, uint64_t iova, uint64_t size, const void *va,
		    uint8_t perm)
{
	struct vhost_iotlb_msg msg = {
		.iova = iova,
		.size = size,
		.uaddr = (uint64_t)(uintptr_t)va,
		.perm = perm,
		.type = VHOST_IOTLB_UPDATE,
	};

	return vhost_iotlb_send(v, &msg, 0);
}

int vhost_iotlb_unmap(const struct vhost *v, uint64_t iova, uint64_t size)
{
	struct vhost_iotlb_msg msg = {
		.iova = iova,
		.size = size,
		.type = VHOST_IOTLB_INVALIDATE,
	};

	return vhost_iotlb_send(v, &msg, 0);
}

int vhost_iotlb_batch_begin(const struct vhost *v)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_BATCH_BEGIN };

	return vhost_iotlb_send(v, &msg, 0);
}

int vhost_iotlb_batch_end(const struct vhost *v)
{
	struct vhost_iotlb_msg msg = { .type = VHOST_IOTLB_BATCH_END };

	return vhost_iotlb_send(v, &msg, 0);
}

int vhost_map_gmem(const struct vhost *v, const struct gmem *m)
{
	return vhost_iotlb_map(v, m->iova, m->size, m->va, VHOST_ACCESS_RW);
}

int vhost_unmap_gmem(const struct vhost *v, const struct gmem *m)
{
	return vhost_iotlb_unmap(v, m->iova, m->size);
}
