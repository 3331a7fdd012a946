// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the vDPA bus drivers ask of a disk. vhost_vdpa calls on behalf of a VMM,
 * virtio_vdpa for this very kernel.
 */
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/vhost_types.h>
#include <uapi/linux/vdpa.h>

#include "vdpa.h"

#define PVBLK_VENDOR	0x1af4

/* Without these a driver can't be served. */
#define PVBLK_MUST	(BIT_ULL(VIRTIO_F_VERSION_1) | \
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))

static struct pvblk_queue *pvblk_dev_queue(struct pvblk_dev *dev, u16 idx)
{
	return dev->queue[array_index_nospec(idx, dev->pvdev.nvqs)];
}

/* A bus driver that is unregistered waits for a grace period before it goes. */
static bool pvblk_bound_to_kernel(const struct pvblk_dev *dev)
{
	const struct device_driver *drv;
	bool kernel;

	rcu_read_lock();
	drv = READ_ONCE(dev->vdpa.dev.driver);
	kernel = drv && !strcmp(drv->name, "virtio_vdpa");
	rcu_read_unlock();
	return kernel;
}

static int pvblk_set_vq_address(struct vdpa_device *vdpa, u16 idx, u64 desc,
				u64 driver, u64 device)
{
	const u64 iova[PVDEV_AREAS] = {
		[PVDEV_DESC] = desc,
		[PVDEV_DRIVER] = driver,
		[PVDEV_DEVICE] = device,
	};
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	/* virtio 1.4, 2.7. */
	if (!IS_ALIGNED(desc, 16) || !IS_ALIGNED(driver, 2) ||
	    !IS_ALIGNED(device, 4)) {
		pvdev_warn(&dev->pvdev, "queue %u: ring address is misaligned\n",
			   idx);
		return -EINVAL;
	}

	mutex_lock(&dev->pvdev.control);
	pvdev_vq_set_areas(&pvblk_dev_queue(dev, idx)->vq, iova);
	mutex_unlock(&dev->pvdev.control);
	return 0;
}

static void pvblk_set_vq_num(struct vdpa_device *vdpa, u16 idx, u32 num)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	/* For the next start, which checks its bounds. */
	mutex_lock(&dev->pvdev.control);
	pvblk_dev_queue(dev, idx)->vq.config.num = num;
	mutex_unlock(&dev->pvdev.control);
}

static void pvblk_kick_vq(struct vdpa_device *vdpa, u16 idx)
{
	pvdev_vq_kick(&pvblk_dev_queue(to_pvblk_dev(vdpa), idx)->vq);
}

/*
 * vhost_vdpa's callback reads its event without a lock, and drops its reference
 * to the old one before it tells us of the new: only a reference of our own is
 * safe to signal. A callback without an event is that of this kernel's driver.
 */
static void pvblk_set_vq_cb(struct vdpa_device *vdpa, u16 idx,
			    struct vdpa_callback *cb)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	struct pvblk_queue *q = pvblk_dev_queue(dev, idx);
	struct eventfd_ctx *event;

	if (!cb->callback || !cb->trigger) {
		pvdev_vq_set_call(&q->vq, cb->callback, cb->private);
		return;
	}

	event = pvdev_event_get(cb->trigger);
	if (!event)
		pvdev_warn(&dev->pvdev, "queue %u: its call event is closed already\n",
			   idx);
	pvdev_vq_set_event(&q->vq, event);
}

static int pvblk_start_queue(struct pvblk_dev *dev, u16 idx)
{
	struct pvblk_queue *q = pvblk_dev_queue(dev, idx);
	struct pvring_config *cfg = &q->vq.config;
	u64 f = dev->driver_features;
	int err = -EINVAL;

	/* QEMU makes all queues ready, those as well that no driver set up. */
	if (!cfg->num)
		return 0;

	if (!dev->identity && dev->pvdev.kind == PVMEM_USER &&
	    current->mm != dev->mm) {
		pvdev_warn(&dev->pvdev, "queue %u: only the process that owns the device can start it\n",
			   idx);
		return -EPERM;
	}
	if (cfg->num > dev->disk->queue_size)
		goto err_start;

	cfg->format = PVRING_SPLIT;
	cfg->kind = dev->pvdev.kind;
	cfg->event_idx = f & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	cfg->indirect = f & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	err = pvblk_queue_start(q, dev->identity ? PVWORKER_KERNEL :
						   PVWORKER_OWNER);
	if (!err)
		return 0;

err_start:
	pvdev_warn(&dev->pvdev, "queue %u of size %u can't be started (error %d)\n",
		   idx, cfg->num, err);
	return err;
}

/* A queue that was made ready before goes on where it was stopped. */
static int pvblk_go_queue(struct pvblk_dev *dev, u16 idx)
{
	struct pvblk_queue *q = pvblk_dev_queue(dev, idx);

	int err = q->req ? 0 : pvblk_start_queue(dev, idx);

	return err || !q->req ? err : pvdev_vq_resume(&q->vq);
}

static void pvblk_set_vq_ready(struct vdpa_device *vdpa, u16 idx, bool ready)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	bool running;

	mutex_lock(&dev->pvdev.control);
	running = (dev->status & VIRTIO_CONFIG_S_DRIVER_OK) && !dev->suspended;
	if (!ready)
		pvdev_vq_suspend(&pvblk_dev_queue(dev, idx)->vq);
	else if (!dev->ready[idx] && running && pvblk_go_queue(dev, idx))
		ready = false;
	WRITE_ONCE(dev->ready[idx], ready);
	mutex_unlock(&dev->pvdev.control);
}

static bool pvblk_get_vq_ready(struct vdpa_device *vdpa, u16 idx)
{
	return READ_ONCE(to_pvblk_dev(vdpa)->ready[idx]);
}

static int pvblk_set_vq_state(struct vdpa_device *vdpa, u16 idx,
			      const struct vdpa_vq_state *state)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	/* Every stop has drained the ring: both indices are the same. */
	const struct pvring_state s = {
		.avail_idx = state->split.avail_index,
		.used_idx = state->split.avail_index,
	};
	int err;

	mutex_lock(&dev->pvdev.control);
	err = pvdev_vq_set_state(&pvblk_dev_queue(dev, idx)->vq, &s);
	mutex_unlock(&dev->pvdev.control);
	return err;
}

static int pvblk_get_vq_state(struct vdpa_device *vdpa, u16 idx,
			      struct vdpa_vq_state *state)
{
	struct pvring_state s;

	pvdev_vq_get_state(&pvblk_dev_queue(to_pvblk_dev(vdpa), idx)->vq, &s);
	state->split.avail_index = s.avail_idx;
	return 0;
}

static u32 pvblk_get_vq_align(struct vdpa_device *vdpa)
{
	return PAGE_SIZE;
}

static u32 pvblk_get_vq_group(struct vdpa_device *vdpa, u16 idx)
{
	return 0;
}

static u64 pvblk_get_device_features(struct vdpa_device *vdpa)
{
	return to_pvblk_dev(vdpa)->features;
}

static u64 pvblk_get_backend_features(const struct vdpa_device *vdpa)
{
	return BIT_ULL(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK);
}

static int pvblk_set_driver_features(struct vdpa_device *vdpa, u64 features)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	if ((features & PVBLK_MUST) != PVBLK_MUST ||
	    (features & ~dev->features))
		return -EINVAL;

	mutex_lock(&dev->pvdev.control);
	dev->driver_features = features;
	mutex_unlock(&dev->pvdev.control);
	return 0;
}

static u64 pvblk_get_driver_features(struct vdpa_device *vdpa)
{
	return READ_ONCE(to_pvblk_dev(vdpa)->driver_features);
}

static void pvblk_set_config_cb(struct vdpa_device *vdpa,
				struct vdpa_callback *cb)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	spin_lock_bh(&dev->cb_lock);
	dev->config_cb = *cb;
	spin_unlock_bh(&dev->cb_lock);
}

static u16 pvblk_get_vq_num_max(struct vdpa_device *vdpa)
{
	return to_pvblk_dev(vdpa)->disk->queue_size;
}

/* A bus driver takes 0 for no device, and leaves it. */
static u32 pvblk_get_device_id(struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	if (pvblk_bound_to_kernel(dev) && !dev->disk->loop) {
		pvdev_warn(&dev->pvdev, "is for a VMM: virtio_vdpa may not have it unless it is made with loop=1\n");
		return 0;
	}
	return VIRTIO_ID_BLOCK;
}

static u32 pvblk_get_vendor_id(struct vdpa_device *vdpa)
{
	return PVBLK_VENDOR;
}

static u8 pvblk_get_status(struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	return READ_ONCE(dev->status) |
	       (READ_ONCE(dev->broken) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

void pvblk_dev_broken(void *arg)
{
	struct pvblk_dev *dev = arg;

	WRITE_ONCE(dev->broken, true);

	spin_lock_bh(&dev->cb_lock);
	if (dev->config_cb.callback)
		dev->config_cb.callback(dev->config_cb.private);
	spin_unlock_bh(&dev->cb_lock);
}

/* Durable at once, unless the driver is going to flush (virtio 1.4, 5.2.5.2). */
static void pvblk_update_cache_mode(struct pvblk_dev *dev)
{
	u64 f = dev->driver_features;
	bool wce = f & BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) ?
		READ_ONCE(dev->config.wce) : f & BIT_ULL(VIRTIO_BLK_F_FLUSH);

	WRITE_ONCE(dev->target.writethrough, !wce);
}

static int pvblk_dev_start(struct pvblk_dev *dev)
{
	u16 i;
	int err;

	if (pvblk_bound_to_kernel(dev)) {
		err = dev->disk->loop ? pvdev_set_identity(&dev->pvdev) : -EPERM;
		if (err)
			return err;
		dev->identity = true;
	}

	pvblk_update_cache_mode(dev);
	for (i = 0; i < dev->pvdev.nvqs; i++) {
		err = dev->ready[i] ? pvblk_start_queue(dev, i) : 0;
		if (err)
			goto err_queue;
	}
	for (i = 0; i < dev->pvdev.nvqs; i++)
		if (dev->queue[i]->req)
			pvdev_vq_resume(&dev->queue[i]->vq);
	return 0;

err_queue:
	/* None has run yet. The driver may try again: what it set up stays. */
	while (i--)
		pvblk_queue_stop(dev->queue[i]);
	return err;
}

static void pvblk_set_status(struct vdpa_device *vdpa, u8 status)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	mutex_lock(&dev->pvdev.control);
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	if ((status & ~dev->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	    pvblk_dev_start(dev))
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	WRITE_ONCE(dev->status, status);
	mutex_unlock(&dev->pvdev.control);
}

/**
 * pvblk_dev_reset() - stop a device and forget what its driver said
 * @dev: the device
 *
 * Context: may sleep, for as long as the store takes.
 */
void pvblk_dev_reset(struct pvblk_dev *dev)
{
	u16 i;

	mutex_lock(&dev->pvdev.control);
	for (i = 0; i < dev->pvdev.nvqs; i++) {
		pvblk_queue_reset(dev->queue[i]);
		dev->ready[i] = false;
	}
	if (dev->identity)
		pvdev_clear_table(&dev->pvdev);
	dev->identity = false;
	dev->suspended = false;
	dev->driver_features = 0;
	WRITE_ONCE(dev->config.wce, 1);
	WRITE_ONCE(dev->status, 0);
	WRITE_ONCE(dev->broken, false);
	mutex_unlock(&dev->pvdev.control);

	/* The bus driver that gave it may be gone when the next one comes. */
	spin_lock_bh(&dev->cb_lock);
	dev->config_cb = (struct vdpa_callback) { };
	spin_unlock_bh(&dev->cb_lock);
}

static int pvblk_reset(struct vdpa_device *vdpa)
{
	pvblk_dev_reset(to_pvblk_dev(vdpa));
	return 0;
}

static void pvblk_suspend_queues(struct pvblk_dev *dev)
{
	u16 i;

	for (i = 0; i < dev->pvdev.nvqs; i++)
		pvdev_vq_suspend(&dev->queue[i]->vq);
	dev->suspended = true;
}

static int pvblk_suspend(struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	mutex_lock(&dev->pvdev.control);
	pvblk_suspend_queues(dev);
	mutex_unlock(&dev->pvdev.control);
	return 0;
}

static int pvblk_resume(struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	int err = 0;
	u16 i;

	mutex_lock(&dev->pvdev.control);
	for (i = 0; i < dev->pvdev.nvqs && !err; i++)
		if (dev->ready[i])
			err = pvblk_go_queue(dev, i);
	if (err)
		pvblk_suspend_queues(dev);
	else
		dev->suspended = false;
	mutex_unlock(&dev->pvdev.control);
	return err;
}

static size_t pvblk_get_config_size(struct vdpa_device *vdpa)
{
	return sizeof(struct virtio_blk_config);
}

/*
 * The bus holds a lock that the whole host's vDPA management may wait for: so
 * none is taken here that is held while a store is waited for. One byte alone
 * ever changes.
 */
static void pvblk_get_config(struct vdpa_device *vdpa, unsigned int offset,
			     void *buf, unsigned int len)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	if (offset > sizeof(dev->config) ||
	    len > sizeof(dev->config) - offset) {
		memset(buf, 0, len);
		return;
	}
	memcpy(buf, (u8 *)&dev->config + offset, len);
}

/* The one field that a driver may write (virtio 1.4, 5.2.5). */
static void pvblk_set_config(struct vdpa_device *vdpa, unsigned int offset,
			     const void *buf, unsigned int len)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	u8 wce;

	if (offset != offsetof(struct virtio_blk_config, wce) || len != 1 ||
	    !(READ_ONCE(dev->driver_features) &
	      BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE)))
		return;

	wce = *(const u8 *)buf & 1;
	WRITE_ONCE(dev->config.wce, wce);
	/* Of writes completed before nothing was promised without a flush. */
	WRITE_ONCE(dev->target.writethrough, !wce);
}

static int pvblk_table_fill(struct pvmem_table *t, struct vhost_iotlb *iotlb)
{
	struct vhost_iotlb_map *map;
	int err;

	list_for_each_entry(map, &iotlb->list, link) {
		if (t->kind == PVMEM_USER &&
		    !access_ok(u64_to_user_ptr(map->addr), map->size))
			return -EFAULT;
		err = pvmem_table_add(t, map->start, map->last, map->addr,
				      map->perm);
		if (err)
			return err;
	}
	return pvmem_table_seal(t);
}

/*
 * The bus driver may hold the mmap lock, and may not look at the answer: with
 * an error there is no memory at all rather than what was unmapped.
 */
static int pvblk_set_map(struct vdpa_device *vdpa, unsigned int asid,
			 struct vhost_iotlb *iotlb)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	struct pvmem_table *t;
	int err = -ENOMEM;

	t = pvmem_table_alloc(dev->pvdev.kind, iotlb->nmaps);
	if (!t)
		goto err_table;
	err = pvblk_table_fill(t, iotlb);
	if (!err)
		err = pvdev_set_table(&dev->pvdev, t);
	if (!err)
		return 0;

	pvmem_table_put(t);
err_table:
	pvdev_warn(&dev->pvdev, "guest memory can't be taken over (error %d)\n",
		   err);
	pvdev_clear_table(&dev->pvdev);
	return err;
}

static int pvblk_reset_map(struct vdpa_device *vdpa, unsigned int asid)
{
	pvdev_clear_table(&to_pvblk_dev(vdpa)->pvdev);
	return 0;
}

static int pvblk_bind_mm(struct vdpa_device *vdpa, struct mm_struct *mm)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	mutex_lock(&dev->pvdev.control);
	mmgrab(mm);
	dev->mm = mm;
	mutex_unlock(&dev->pvdev.control);
	return 0;
}

static void pvblk_unbind_mm(struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);

	mutex_lock(&dev->pvdev.control);
	if (dev->mm)
		mmdrop(dev->mm);
	dev->mm = NULL;
	mutex_unlock(&dev->pvdev.control);
}

static void pvblk_free(struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	u16 i;

	pvdev_destroy(&dev->pvdev);
	for (i = 0; i < dev->pvdev.nvqs; i++)
		pvblk_queue_free(dev->queue[i]);
	pvblk_dev_gone();
}

const struct vdpa_config_ops pvblk_vdpa_ops = {
	.set_vq_address = pvblk_set_vq_address,
	.set_vq_num = pvblk_set_vq_num,
	.kick_vq = pvblk_kick_vq,
	.set_vq_cb = pvblk_set_vq_cb,
	.set_vq_ready = pvblk_set_vq_ready,
	.get_vq_ready = pvblk_get_vq_ready,
	.set_vq_state = pvblk_set_vq_state,
	.get_vq_state = pvblk_get_vq_state,
	.get_vq_align = pvblk_get_vq_align,
	.get_vq_group = pvblk_get_vq_group,
	.get_device_features = pvblk_get_device_features,
	.get_backend_features = pvblk_get_backend_features,
	.set_driver_features = pvblk_set_driver_features,
	.get_driver_features = pvblk_get_driver_features,
	.set_config_cb = pvblk_set_config_cb,
	.get_vq_num_max = pvblk_get_vq_num_max,
	.get_device_id = pvblk_get_device_id,
	.get_vendor_id = pvblk_get_vendor_id,
	.get_status = pvblk_get_status,
	.set_status = pvblk_set_status,
	.reset = pvblk_reset,
	.suspend = pvblk_suspend,
	.resume = pvblk_resume,
	.get_config_size = pvblk_get_config_size,
	.get_config = pvblk_get_config,
	.set_config = pvblk_set_config,
	.set_map = pvblk_set_map,
	.reset_map = pvblk_reset_map,
	.bind_mm = pvblk_bind_mm,
	.unbind_mm = pvblk_unbind_mm,
	.free = pvblk_free,
};
