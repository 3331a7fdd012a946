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
#include <net/netlink.h>
#include <uapi/linux/vdpa.h>

#include "vdpa.h"

#define PVBLK_VENDOR	0x1af4

/* Without these a driver can't be served. */
#define PVBLK_MUST	(BIT_ULL(VIRTIO_F_VERSION_1) | \
			 BIT_ULL(VIRTIO_F_ACCESS_PLATFORM))

static struct pvblk_queue *pvblk_vdpa_queue(struct pvblk_vdpa *v, u16 idx)
{
	return v->dev.queue[array_index_nospec(idx, v->dev.pvdev.nvqs)];
}

/* A bus driver that is unregistered waits for a grace period before it goes. */
static bool pvblk_bound_to_kernel(const struct pvblk_vdpa *v)
{
	const struct device_driver *drv;
	bool kernel;

	rcu_read_lock();
	drv = READ_ONCE(v->vdpa.dev.driver);
	kernel = drv && !strcmp(drv->name, "virtio_vdpa");
	rcu_read_unlock();
	return kernel;
}

static bool pvblk_vdpa_packed(const struct pvblk_vdpa *v)
{
	return READ_ONCE(v->dev.driver_features) & BIT_ULL(VIRTIO_F_RING_PACKED);
}

static int pvblk_set_vq_address(struct vdpa_device *vdpa, u16 idx, u64 desc,
				u64 driver, u64 device)
{
	const u64 iova[PVDEV_AREAS] = {
		[PVDEV_DESC] = desc,
		[PVDEV_DRIVER] = driver,
		[PVDEV_DEVICE] = device,
	};
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	/* virtio 1.4, 2.7 and 2.8. */
	if (!IS_ALIGNED(desc, 16) ||
	    !IS_ALIGNED(driver, pvblk_vdpa_packed(v) ? 4 : 2) ||
	    !IS_ALIGNED(device, 4)) {
		pvdev_warn(&v->dev.pvdev, "queue %u: ring address is misaligned\n",
			   idx);
		return -EINVAL;
	}

	mutex_lock(&v->dev.pvdev.control);
	pvdev_vq_set_areas(&pvblk_vdpa_queue(v, idx)->vq, iova, false);
	mutex_unlock(&v->dev.pvdev.control);
	return 0;
}

static void pvblk_set_vq_num(struct vdpa_device *vdpa, u16 idx, u32 num)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	/* For the next start, which checks its bounds. */
	mutex_lock(&v->dev.pvdev.control);
	pvblk_vdpa_queue(v, idx)->vq.config.num = num;
	mutex_unlock(&v->dev.pvdev.control);
}

static void pvblk_kick_vq(struct vdpa_device *vdpa, u16 idx)
{
	pvdev_vq_kick(&pvblk_vdpa_queue(to_pvblk_vdpa(vdpa), idx)->vq);
}

/*
 * vhost_vdpa's callback reads its event without a lock, and drops its reference
 * to the old one before it tells us of the new: only a reference of our own is
 * safe to signal. A callback without an event is that of this kernel's driver.
 */
static void pvblk_set_vq_cb(struct vdpa_device *vdpa, u16 idx,
			    struct vdpa_callback *cb)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	struct pvblk_queue *q = pvblk_vdpa_queue(v, idx);
	struct eventfd_ctx *event;

	if (!cb->callback || !cb->trigger) {
		pvdev_vq_set_call(&q->vq, cb->callback, cb->private);
		return;
	}

	event = pvdev_event_get(cb->trigger);
	if (!event)
		pvdev_warn(&v->dev.pvdev, "queue %u: its call event is closed already\n",
			   idx);
	pvdev_vq_set_event(&q->vq, event);
}

static int pvblk_start_queue(struct pvblk_vdpa *v, u16 idx)
{
	enum pvworker_kind kind = v->identity ? PVWORKER_KERNEL :
						PVWORKER_OWNER;
	struct pvdev *pvdev = &v->dev.pvdev;
	struct pvworker *w;
	int err;

	/* QEMU makes all queues ready, those as well that no driver set up. */
	if (!v->dev.queue[idx]->vq.config.num)
		return 0;

	if (!v->identity && pvdev->kind == PVMEM_USER && current->mm != v->mm) {
		pvdev_warn(pvdev, "queue %u: only the process that owns the device can start it\n",
			   idx);
		return -EPERM;
	}

	err = pvblk_dev_start_pool(&v->dev, kind);
	if (err)
		return err;
	w = pvdev_worker_start(pvdev, "pv", idx, kind);
	if (IS_ERR(w)) {
		pvdev_warn(pvdev, "queue %u: can't have a thread (error %ld)\n",
			   idx, PTR_ERR(w));
		return PTR_ERR(w);
	}
	err = pvblk_dev_start_queue(&v->dev, idx, w);
	pvworker_put(w);
	return err;
}

/* A queue that was made ready before goes on where it was stopped. */
static int pvblk_go_queue(struct pvblk_vdpa *v, u16 idx)
{
	struct pvblk_queue *q = pvblk_vdpa_queue(v, idx);

	int err = q->req ? 0 : pvblk_start_queue(v, idx);

	return err || !q->req ? err : pvdev_vq_resume(&q->vq);
}

static void pvblk_set_vq_ready(struct vdpa_device *vdpa, u16 idx, bool ready)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	bool running;

	mutex_lock(&v->dev.pvdev.control);
	running = (v->status & VIRTIO_CONFIG_S_DRIVER_OK) && !v->suspended;
	if (!ready)
		pvdev_vq_suspend(&pvblk_vdpa_queue(v, idx)->vq);
	else if (!v->ready[idx] && running && pvblk_go_queue(v, idx))
		ready = false;
	WRITE_ONCE(v->ready[idx], ready);
	mutex_unlock(&v->dev.pvdev.control);
}

static bool pvblk_get_vq_ready(struct vdpa_device *vdpa, u16 idx)
{
	return READ_ONCE(to_pvblk_vdpa(vdpa)->ready[idx]);
}

static int pvblk_set_vq_state(struct vdpa_device *vdpa, u16 idx,
			      const struct vdpa_vq_state *state)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	/* Every stop has drained the ring: both indices are the same. */
	struct pvring_state s = {
		.avail_idx = state->split.avail_index,
		.used_idx = state->split.avail_index,
	};
	int err;

	mutex_lock(&v->dev.pvdev.control);
	if (pvblk_vdpa_packed(v))
		s = (struct pvring_state) {
			.avail_idx = state->packed.last_avail_idx,
			.avail_wrap = state->packed.last_avail_counter,
			.used_idx = state->packed.last_used_idx,
			.used_wrap = state->packed.last_used_counter,
		};
	err = pvdev_vq_set_state(&pvblk_vdpa_queue(v, idx)->vq, &s);
	mutex_unlock(&v->dev.pvdev.control);
	return err;
}

static int pvblk_get_vq_state(struct vdpa_device *vdpa, u16 idx,
			      struct vdpa_vq_state *state)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	struct pvring_state s;

	pvdev_vq_get_state(&pvblk_vdpa_queue(v, idx)->vq, &s);
	if (pvblk_vdpa_packed(v))
		state->packed = (struct vdpa_vq_state_packed) {
			.last_avail_idx = s.avail_idx,
			.last_avail_counter = s.avail_wrap,
			.last_used_idx = s.used_idx,
			.last_used_counter = s.used_wrap,
		};
	else
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
	return to_pvblk_vdpa(vdpa)->dev.features;
}

static u64 pvblk_get_backend_features(const struct vdpa_device *vdpa)
{
	return BIT_ULL(VHOST_BACKEND_F_ENABLE_AFTER_DRIVER_OK);
}

static bool pvblk_features_ok(const struct pvblk_vdpa *v, u64 features)
{
	return (features & PVBLK_MUST) == PVBLK_MUST &&
	       !(features & ~v->dev.features) &&
	       pvblk_dev_suits(&v->dev, features);
}

static int pvblk_set_driver_features(struct vdpa_device *vdpa, u64 features)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	if (!pvblk_features_ok(v, features))
		return -EINVAL;

	mutex_lock(&v->dev.pvdev.control);
	v->dev.driver_features = features;
	mutex_unlock(&v->dev.pvdev.control);
	return 0;
}

static u64 pvblk_get_driver_features(struct vdpa_device *vdpa)
{
	return READ_ONCE(to_pvblk_vdpa(vdpa)->dev.driver_features);
}

static void pvblk_set_config_cb(struct vdpa_device *vdpa,
				struct vdpa_callback *cb)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	spin_lock_bh(&v->cb_lock);
	v->config_cb = *cb;
	spin_unlock_bh(&v->cb_lock);
}

static u16 pvblk_get_vq_num_max(struct vdpa_device *vdpa)
{
	return to_pvblk_vdpa(vdpa)->disk->queue_size;
}

/* A bus driver takes 0 for no device, and leaves it. */
static u32 pvblk_get_device_id(struct vdpa_device *vdpa)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	if (pvblk_bound_to_kernel(v) && !v->disk->loop) {
		pvdev_warn(&v->dev.pvdev, "is for a VMM: virtio_vdpa may not have it unless it is made with loop=1\n");
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
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	return READ_ONCE(v->status) |
	       (READ_ONCE(v->dev.broken) ? VIRTIO_CONFIG_S_NEEDS_RESET : 0);
}

void pvblk_vdpa_changed(struct pvblk_dev *dev)
{
	struct pvblk_vdpa *v = container_of(dev, struct pvblk_vdpa, dev);

	spin_lock_bh(&v->cb_lock);
	if (v->config_cb.callback)
		v->config_cb.callback(v->config_cb.private);
	spin_unlock_bh(&v->cb_lock);
}

static int pvblk_vdpa_start(struct pvblk_vdpa *v)
{
	u16 i;
	int err;

	if (!pvblk_features_ok(v, v->dev.driver_features))
		return -EINVAL;
	if (pvblk_bound_to_kernel(v)) {
		err = v->disk->loop ? pvdev_set_identity(&v->dev.pvdev) : -EPERM;
		if (err)
			return err;
		v->identity = true;
	}

	pvblk_dev_update_cache_mode(&v->dev);
	for (i = 0; i < v->dev.pvdev.nvqs; i++) {
		err = v->ready[i] ? pvblk_start_queue(v, i) : 0;
		if (err)
			goto err_queue;
	}
	for (i = 0; i < v->dev.pvdev.nvqs; i++)
		if (v->dev.queue[i]->req)
			pvdev_vq_resume(&v->dev.queue[i]->vq);
	WRITE_ONCE(v->dev.pvdev.features, v->dev.driver_features);
	pvdev_set_owner(&v->dev.pvdev, !v->identity);
	return 0;

err_queue:
	/* None has run yet. The driver may try again: what it set up stays. */
	pvblk_dev_stop(&v->dev);
	return err;
}

static void pvblk_set_status(struct vdpa_device *vdpa, u8 status)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	mutex_lock(&v->dev.pvdev.control);
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	if ((status & ~v->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
	    pvblk_vdpa_start(v))
		status &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	WRITE_ONCE(v->status, status);
	mutex_unlock(&v->dev.pvdev.control);
}

/**
 * pvblk_vdpa_reset() - stop a device and forget what its driver said
 * @v: the device
 *
 * Context: may sleep, for as long as the store takes.
 */
void pvblk_vdpa_reset(struct pvblk_vdpa *v)
{
	struct pvdev *pvdev = &v->dev.pvdev;

	mutex_lock(&pvdev->control);
	pvblk_dev_reset(&v->dev);
	memset(v->ready, 0, sizeof(v->ready));
	if (v->identity)
		pvdev_clear_table(pvdev);
	v->identity = false;
	v->suspended = false;
	WRITE_ONCE(v->dev.pvdev.features, 0);
	pvdev_set_owner(&v->dev.pvdev, false);
	WRITE_ONCE(v->status, 0);
	mutex_unlock(&pvdev->control);

	/* The bus driver that gave it may be gone when the next one comes. */
	spin_lock_bh(&v->cb_lock);
	v->config_cb = (struct vdpa_callback) { };
	spin_unlock_bh(&v->cb_lock);
}

static int pvblk_reset(struct vdpa_device *vdpa)
{
	pvblk_vdpa_reset(to_pvblk_vdpa(vdpa));
	return 0;
}

static void pvblk_suspend_queues(struct pvblk_vdpa *v)
{
	u16 i;

	for (i = 0; i < v->dev.pvdev.nvqs; i++)
		pvdev_vq_suspend(&v->dev.queue[i]->vq);
	v->suspended = true;
}

static int pvblk_suspend(struct vdpa_device *vdpa)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	mutex_lock(&v->dev.pvdev.control);
	pvblk_suspend_queues(v);
	mutex_unlock(&v->dev.pvdev.control);
	return 0;
}

static int pvblk_resume(struct vdpa_device *vdpa)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	int err = 0;
	u16 i;

	mutex_lock(&v->dev.pvdev.control);
	for (i = 0; i < v->dev.pvdev.nvqs && !err; i++)
		if (v->ready[i])
			err = pvblk_go_queue(v, i);
	if (err)
		pvblk_suspend_queues(v);
	else
		v->suspended = false;
	mutex_unlock(&v->dev.pvdev.control);
	return err;
}

static size_t pvblk_get_config_size(struct vdpa_device *vdpa)
{
	return sizeof(struct virtio_blk_config);
}

static void pvblk_get_config(struct vdpa_device *vdpa, unsigned int offset,
			     void *buf, unsigned int len)
{
	pvblk_dev_get_config(&to_pvblk_vdpa(vdpa)->dev, offset, buf, len);
}

static void pvblk_set_config(struct vdpa_device *vdpa, unsigned int offset,
			     const void *buf, unsigned int len)
{
	pvblk_dev_set_config(&to_pvblk_vdpa(vdpa)->dev, offset, buf, len);
}

static int pvblk_put_stat(struct sk_buff *msg, const char *name, u64 value)
{
	return nla_put_string(msg, VDPA_ATTR_DEV_VENDOR_ATTR_NAME, name) ?:
	       nla_put_u64_64bit(msg, VDPA_ATTR_DEV_VENDOR_ATTR_VALUE, value,
				 VDPA_ATTR_PAD);
}

static int pvblk_get_vendor_vq_stats(struct vdpa_device *vdpa, u16 idx,
				     struct sk_buff *msg,
				     struct netlink_ext_ack *extack)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	struct pvstats_values values;
	unsigned int i;
	int err;

	if (idx >= v->dev.pvdev.nvqs) {
		NL_SET_ERR_MSG(extack, "no such queue");
		return -EINVAL;
	}

	pvstats_read(&pvblk_vdpa_queue(v, idx)->vq.stats, &values);
	err = pvblk_put_stat(msg, "kicks", values.kicks);
	for (i = 0; i < PVSTATS_COUNTERS && !err; i++)
		err = pvblk_put_stat(msg, pvstats_name(i), values.n[i]);
	return err;
}

static u32 pvblk_get_generation(struct vdpa_device *vdpa)
{
	return READ_ONCE(to_pvblk_vdpa(vdpa)->dev.generation);
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
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	struct pvmem_table *t;
	int err = -ENOMEM;

	t = pvmem_table_alloc(v->dev.pvdev.kind, iotlb->nmaps);
	if (!t)
		goto err_table;
	err = pvblk_table_fill(t, iotlb);
	if (!err)
		err = pvdev_set_table(&v->dev.pvdev, t);
	if (!err)
		return 0;

	pvmem_table_put(t);
err_table:
	pvdev_warn(&v->dev.pvdev, "guest memory can't be taken over (error %d)\n",
		   err);
	pvdev_clear_table(&v->dev.pvdev);
	return err;
}

static int pvblk_reset_map(struct vdpa_device *vdpa, unsigned int asid)
{
	pvdev_clear_table(&to_pvblk_vdpa(vdpa)->dev.pvdev);
	return 0;
}

static int pvblk_bind_mm(struct vdpa_device *vdpa, struct mm_struct *mm)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	mutex_lock(&v->dev.pvdev.control);
	mmgrab(mm);
	v->mm = mm;
	mutex_unlock(&v->dev.pvdev.control);
	return 0;
}

static void pvblk_unbind_mm(struct vdpa_device *vdpa)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);

	mutex_lock(&v->dev.pvdev.control);
	if (v->mm)
		mmdrop(v->mm);
	v->mm = NULL;
	mutex_unlock(&v->dev.pvdev.control);
}

static void pvblk_free(struct vdpa_device *vdpa)
{
	pvblk_dev_destroy(&to_pvblk_vdpa(vdpa)->dev);
	pvblk_vdpa_gone();
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
	.get_vendor_vq_stats = pvblk_get_vendor_vq_stats,
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
	.get_generation = pvblk_get_generation,
	.set_map = pvblk_set_map,
	.reset_map = pvblk_reset_map,
	.bind_mm = pvblk_bind_mm,
	.unbind_mm = pvblk_unbind_mm,
	.free = pvblk_free,
};
