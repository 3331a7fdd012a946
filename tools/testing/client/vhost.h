/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every vhost character device has: owner, features, queues, the IOTLB. Calls return 0 or a
 * negative errno.
 */
#ifndef PVIO_SELFTEST_VHOST_H
#define PVIO_SELFTEST_VHOST_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/vhost.h>

#include "gmem.h"
#include "ring.h"

#ifndef VHOST_BACKEND_F_IOTLB_PERSIST
#define VHOST_BACKEND_F_IOTLB_PERSIST	0x8
#endif
#ifndef VHOST_BACKEND_F_RESUME
#define VHOST_BACKEND_F_RESUME		0x5
#endif
#ifndef VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK
#define VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK	0x6
#endif

#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	unsigned int worker_id;
};

struct vhost_vring_worker {
	unsigned int index;
	unsigned int worker_id;
};

#define VHOST_NEW_WORKER	_IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_FREE_WORKER	_IOW(VHOST_VIRTIO, 0x9, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER	_IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#define VHOST_GET_VRING_WORKER	_IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_worker)
#endif
#ifndef VHOST_GET_FEATURES_ARRAY
struct vhost_features_array {
	__u64 count;
	__u64 features[];
};

#define VHOST_GET_FEATURES_ARRAY	_IOR(VHOST_VIRTIO, 0x83, struct vhost_features_array)
#define VHOST_SET_FEATURES_ARRAY	_IOW(VHOST_VIRTIO, 0x83, struct vhost_features_array)
#endif

/* Of features: as many words as anybody has. */
#define VHOST_FEATURE_WORDS	2u

struct vhost {
	int fd;
	uint64_t backend_features;	/* acknowledged, by bit number */
};

int vhost_open(struct vhost *v, const char *path);
void vhost_close(struct vhost *v);

/*
 * An ioctl whose result is 0 or a negative errno; for calls that need no wrapper, and for wrong
 * ones.
 */
int vhost_ioctl(const struct vhost *v, unsigned long request, void *arg);

int vhost_set_owner(const struct vhost *v);
int vhost_get_features(const struct vhost *v, uint64_t *features);
int vhost_set_features(const struct vhost *v, uint64_t features);
/* Of more than 64: as many words as there are in @words. */
int vhost_get_feature_words(const struct vhost *v, uint64_t *words, unsigned int count);
int vhost_set_feature_words(const struct vhost *v, const uint64_t *words, unsigned int count);
/* Acknowledges what the device offers of @wanted, a mask by bit number. */
int vhost_ack_backend_features(struct vhost *v, uint64_t wanted);

int vhost_set_vring_num(const struct vhost *v, unsigned int queue, unsigned int num);
int vhost_set_vring_base(const struct vhost *v, unsigned int queue, unsigned int base);
int vhost_get_vring_base(const struct vhost *v, unsigned int queue, unsigned int *base);
int vhost_set_vring_addr(const struct vhost *v, unsigned int queue, uint64_t desc, uint64_t avail,
			 uint64_t used);
int vhost_set_vring_kick(const struct vhost *v, unsigned int queue, int fd);
int vhost_set_vring_call(const struct vhost *v, unsigned int queue, int fd);

/* Workers, by number. */
int vhost_new_worker(const struct vhost *v, unsigned int *id);
int vhost_free_worker(const struct vhost *v, unsigned int id);
int vhost_attach_worker(const struct vhost *v, unsigned int queue, unsigned int id);
int vhost_get_worker(const struct vhost *v, unsigned int queue, unsigned int *id);

/* How long an empty queue is looked at, in microseconds. */
int vhost_set_busyloop(const struct vhost *v, unsigned int queue, unsigned int us);
int vhost_get_busyloop(const struct vhost *v, unsigned int queue, unsigned int *us);

/* Size, base, addresses and both eventfds of a ring in one go. */
int vhost_set_vring(const struct vhost *v, unsigned int queue, const struct ring *r);

/* What of @features a ring is to know. */
struct ring_features vhost_ring_features(uint64_t features);

/* For nodes that know no addresses but this process's and the guest's: all memory, in one piece. */
int vhost_set_gmem(const struct vhost *v, const struct gmem *m);
/* Where a ring is: in this process, or with @iotlb at addresses that messages map. */
int vhost_place_ring(const struct vhost *v, unsigned int queue, const struct ring *r,
		     const struct gmem *m, bool iotlb);
/* Size, base, place, and all eventfds; @error_fd is for that of a queue that breaks. */
int vhost_set_queue(const struct vhost *v, unsigned int queue, const struct ring *r,
		    const struct gmem *m, bool iotlb, unsigned int base, int error_fd);
/* Whether an eventfd tells of something within @ms. */
bool vhost_told(int fd, int ms);

/* IOTLB messages, a write(2) each. A batch takes effect as a whole at its end. */
int vhost_iotlb_map(const struct vhost *v, uint64_t iova, uint64_t size, const void *va,
		    uint8_t perm);
int vhost_iotlb_unmap(const struct vhost *v, uint64_t iova, uint64_t size);
int vhost_iotlb_batch_begin(const struct vhost *v);
int vhost_iotlb_batch_end(const struct vhost *v);
/* Any message at all, for wrong ones. */
int vhost_iotlb_send(const struct vhost *v, const struct vhost_iotlb_msg *msg, uint32_t asid);

int vhost_map_gmem(const struct vhost *v, const struct gmem *m);
int vhost_unmap_gmem(const struct vhost *v, const struct gmem *m);

#endif
