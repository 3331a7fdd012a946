/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_BLK_VDPA_H
#define _PVIO_VHOST_BLK_VDPA_H

#include <linux/vdpa.h>

#include "blk.h"

/**
 * struct pvblk_dev - a disk as a vDPA device
 * @vdpa: the device on the vDPA bus; must be the first
 * @pvdev: its queues and memory
 * @disk: what it is made of
 * @target: what its requests need of it
 * @queue: its queues; each one's &pvblk_queue.vq is also in @vqs
 * @vqs: for @pvdev
 * @ready: the driver uses the queue; this and what follows @config is under
 *	&pvdev.control
 * @features: what it offers
 * @config: its configuration space
 * @driver_features: what the driver accepted
 * @status: the device status, but for NEEDS_RESET
 * @broken: a queue is broken: NEEDS_RESET
 * @identity: memory is all of this host's
 * @suspended: queues are stopped until resume or reset
 * @mm: the owner, bound by vhost-vdpa
 * @cb_lock: protects @config_cb
 * @config_cb: tells the driver of a change of status or @config
 */
struct pvblk_dev {
	struct vdpa_device vdpa;
	struct pvdev pvdev;
	struct pvblk_disk *disk;
	struct pvblk_target target;
	struct pvblk_queue *queue[PVBLK_QUEUES_MAX];
	struct pvdev_vq *vqs[PVBLK_QUEUES_MAX];
	bool ready[PVBLK_QUEUES_MAX];
	u64 features;
	struct virtio_blk_config config;

	u64 driver_features;
	u8 status;
	bool broken;
	bool identity;
	bool suspended;
	struct mm_struct *mm;
	spinlock_t cb_lock;
	struct vdpa_callback config_cb;
};

extern const struct vdpa_config_ops pvblk_vdpa_ops;

static inline struct pvblk_dev *to_pvblk_dev(struct vdpa_device *vdpa)
{
	return container_of(vdpa, struct pvblk_dev, vdpa);
}

void pvblk_dev_broken(void *arg);
void pvblk_dev_reset(struct pvblk_dev *dev);
void pvblk_dev_gone(void);

#endif
