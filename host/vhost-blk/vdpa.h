/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_BLK_VDPA_H
#define _PVIO_VHOST_BLK_VDPA_H

#include <linux/vdpa.h>

#include "blk.h"

/**
 * struct pvblk_vdpa - a disk as a vDPA device
 * @vdpa: the device on the vDPA bus; must be the first
 * @dev: the disk as its driver sees it
 * @disk: what it is made of
 * @ready: the driver uses the queue; this and what follows is under
 *	&pvdev.control
 * @status: the device status, but for NEEDS_RESET
 * @identity: memory is all of this host's
 * @suspended: queues are stopped until resume or reset
 * @mm: the owner, bound by vhost-vdpa
 * @cb_lock: protects @config_cb
 * @config_cb: tells the driver of a change of status or configuration
 */
struct pvblk_vdpa {
	struct vdpa_device vdpa;
	struct pvblk_dev dev;
	struct pvblk_disk *disk;
	bool ready[PVBLK_QUEUES_MAX];
	u8 status;
	bool identity;
	bool suspended;
	struct mm_struct *mm;
	spinlock_t cb_lock;
	struct vdpa_callback config_cb;
};

extern const struct vdpa_config_ops pvblk_vdpa_ops;

static inline struct pvblk_vdpa *to_pvblk_vdpa(struct vdpa_device *vdpa)
{
	return container_of(vdpa, struct pvblk_vdpa, vdpa);
}

void pvblk_vdpa_changed(struct pvblk_dev *dev);
void pvblk_vdpa_reset(struct pvblk_vdpa *v);
void pvblk_vdpa_gone(void);

#endif
