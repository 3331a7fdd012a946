// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vDPA management device: it makes a vDPA device of a disk in configfs when
 * the operator says "vdpa dev add".
 */
#include <linux/rcupdate.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/wait_bit.h>
#include <uapi/linux/vdpa.h>

#include "vdpa.h"
#include "vdpa_compat.h"

static const char * const pvblk_unmapped[] = {
	[PVMEM_USER] =
	"its ring is in memory that the VMM did not map; give the VM shared memory (QEMU: -object memory-backend-memfd,share=on), or make the disk with memory=pa",
	[PVMEM_PHYS] =
	"its ring is in memory that the VMM did not map; with memory=pa all of the VM's memory has to fit RLIMIT_MEMLOCK and max_iotlb_entries of vhost_vdpa",
};

/* Devices whose memory is not freed yet: whoever holds one can outlive it. */
static atomic_t pvblk_vdpas = ATOMIC_INIT(0);

#define pvblk_vdpa_err(name, fmt, ...)					\
	pr_err(PVBLK_MODULE ": %s: " fmt "\n", name, ##__VA_ARGS__)

static int pvblk_vdpa_features(struct pvblk_dev *dev,
			       const struct vdpa_dev_set_config *config)
{
	u64 must = BIT_ULL(VIRTIO_F_VERSION_1) |
		   BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);
	const char *name = dev->pvdev.name;

	if (!(config->mask & BIT_ULL(VDPA_ATTR_DEV_FEATURES)))
		return 0;

	if (config->device_features & ~pvblk_features) {
		pvblk_vdpa_err(name, "device_features: 0x%llx is not supported",
			       config->device_features & ~pvblk_features);
		return -EINVAL;
	}
	if ((config->device_features & must) != must) {
		pvblk_vdpa_err(name, "device_features: VERSION_1 and ACCESS_PLATFORM can't be left out");
		return -EINVAL;
	}
	/* That a disk is read-only is not for the operator to hide. */
	dev->features &= config->device_features | BIT_ULL(VIRTIO_BLK_F_RO);
	return 0;
}

static int pvblk_disk_check(struct pvblk_disk *disk, const char *name,
			    u32 *block_size)
{
	u32 least;

	if (disk->dev) {
		pvblk_vdpa_err(name, "the device exists already");
		return -EEXIST;
	}
	if (!disk->store.file) {
		pvblk_vdpa_err(name, "path: write the disk's path first");
		return -ENXIO;
	}

	least = disk->store.block_size;
	if (!disk->readonly && disk->store.bdev &&
	    bdev_read_only(disk->store.bdev)) {
		pvblk_vdpa_err(name, "path: %s is write-protected: set readonly first",
			       disk->path);
		return -EACCES;
	}
	*block_size = disk->block_size ?: least;
	if (*block_size < least) {
		pvblk_vdpa_err(name, "block_size: %u is below %u, that of %s",
			       *block_size, least, disk->path);
		return -EINVAL;
	}
	if (pvblk_store_bytes(&disk->store) < *block_size) {
		pvblk_vdpa_err(name, "path: %s is smaller than a block",
			       disk->path);
		return -EINVAL;
	}
	return 0;
}

/**
 * pvblk_vdpa_gone() - a device is freed
 */
void pvblk_vdpa_gone(void)
{
	/* Pairs with synchronize_rcu() in pvblk_vdpa_exit(). */
	rcu_read_lock();
	if (atomic_dec_and_test(&pvblk_vdpas))
		wake_up_var(&pvblk_vdpas);
	rcu_read_unlock();
}

static struct pvblk_vdpa *pvblk_vdpa_alloc(struct pvblk_disk *disk,
					   const char *name)
{
	bool use_va = !disk->loop && disk->memory == PVMEM_USER;
	struct vdpa_device *vdpa;
	struct pvblk_vdpa *v;
	struct pvdev *pvdev;
	int err;

	vdpa = pvcompat_vdpa_alloc(&pvblk_vdpa_ops, sizeof(*v), name, use_va);
	if (IS_ERR(vdpa))
		return ERR_CAST(vdpa);

	atomic_inc(&pvblk_vdpas);
	v = to_pvblk_vdpa(vdpa);
	v->disk = disk;
	spin_lock_init(&v->cb_lock);
	v->dev.queue_size = disk->queue_size;
	v->dev.changed = pvblk_vdpa_changed;
	pvdev = &v->dev.pvdev;
	pvdev->name = dev_name(&vdpa->dev);
	pvdev->front = "vdpa";
	pvdev->kind = use_va ? PVMEM_USER : PVMEM_PHYS;
	pvdev->unmapped = pvblk_unmapped[pvdev->kind];
	err = pvblk_dev_init(&v->dev, disk->queues);
	if (err) {
		put_device(&vdpa->dev);
		return ERR_PTR(err);
	}
	return v;
}

static int pvblk_vdpa_register(struct pvblk_vdpa *v, struct vdpa_mgmt_dev *mdev,
			       const struct vdpa_dev_set_config *config,
			       u32 block_size)
{
	struct pvblk_disk *disk = v->disk;
	struct pvblk_store store = disk->store;
	int err;

	/* For this device; how the path was opened is another matter. */
	store.readonly |= disk->readonly;
	pvblk_dev_attach(&v->dev, &store, block_size, disk->discard,
			 disk->serial);
	pvblk_dev_set_lifetime(&v->dev, disk->ages, disk->lifetime);
	err = pvblk_vdpa_features(&v->dev, config) ?:
	      pvcompat_vdpa_bind_to(&v->vdpa, disk->loop ? "virtio_vdpa" :
							   "vhost_vdpa");
	if (err)
		return err;

	v->vdpa.mdev = mdev;
	return _vdpa_register_device(&v->vdpa, disk->queues);
}

static int pvblk_vdpa_add(struct vdpa_mgmt_dev *mdev, const char *name,
			  const struct vdpa_dev_set_config *config)
{
	struct pvblk_disk *disk;
	struct pvblk_vdpa *v;
	u32 block_size;
	int err;

	disk = pvblk_disk_get(name);
	if (IS_ERR(disk)) {
		pvblk_vdpa_err(name, "make the disk first: mkdir /sys/kernel/config/pvio_blk/%s",
			       name);
		return PTR_ERR(disk);
	}

	mutex_lock(&disk->lock);
	err = pvblk_disk_check(disk, name, &block_size);
	if (err)
		goto err_disk;

	v = pvblk_vdpa_alloc(disk, name);
	if (IS_ERR(v)) {
		err = PTR_ERR(v);
		goto err_disk;
	}
	err = pvblk_vdpa_register(v, mdev, config, block_size);
	if (err)
		goto err_register;

	pvdev_register(&v->dev.pvdev);
	disk->dev = v;
	mutex_unlock(&disk->lock);
	return 0;

err_register:
	put_device(&v->vdpa.dev);
err_disk:
	mutex_unlock(&disk->lock);
	pvblk_disk_put(disk);
	return err;
}

/**
 * pvblk_vdpa_resize() - take up the size that a disk's store has now
 * @v: the device made of the disk
 * @store: the store
 * @look: change nothing
 *
 * Context: &pvblk_disk.lock held, so the device stays.
 * Return: true if the size is another one.
 */
bool pvblk_vdpa_resize(struct pvblk_vdpa *v, const struct pvblk_store *store,
		       bool look)
{
	bool differs = pvblk_dev_store_sectors(&v->dev, store) !=
		       v->dev.target.sectors;

	lockdep_assert_held(&v->disk->lock);
	if (!look)
		pvblk_dev_resize(&v->dev, store);
	return differs;
}

/**
 * pvblk_vdpa_set_lifetime() - say how worn a disk's store is now
 * @v: the device made of the disk, which offers to tell it
 * @lifetime: by pvblk_lifetime_pack()
 *
 * Context: &pvblk_disk.lock held, so the device stays.
 */
void pvblk_vdpa_set_lifetime(struct pvblk_vdpa *v, u64 lifetime)
{
	lockdep_assert_held(&v->disk->lock);
	WRITE_ONCE(v->dev.target.lifetime, lifetime);
}

/* Waits until the VMM has closed the device; that is the bus's way. */
static void pvblk_vdpa_del(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdpa)
{
	struct pvblk_vdpa *v = to_pvblk_vdpa(vdpa);
	struct pvblk_disk *disk = v->disk;

	get_device(&vdpa->dev);
	_vdpa_unregister_device(vdpa);
	/* A driver that failed half way may have left it running. */
	pvblk_vdpa_reset(v);
	pvdev_unregister(&v->dev.pvdev);
	put_device(&vdpa->dev);

	mutex_lock(&disk->lock);
	disk->dev = NULL;
	mutex_unlock(&disk->lock);
	pvblk_disk_put(disk);
}

static const struct vdpa_mgmtdev_ops pvblk_mgmtdev_ops = {
	.dev_add = pvblk_vdpa_add,
	.dev_del = pvblk_vdpa_del,
};

static struct virtio_device_id pvblk_id_table[] = {
	{ VIRTIO_ID_BLOCK, VIRTIO_DEV_ANY_ID },
	{ },
};

static struct vdpa_mgmt_dev pvblk_mgmtdev = {
	.ops = &pvblk_mgmtdev_ops,
	.id_table = pvblk_id_table,
	.config_attr_mask = BIT_ULL(VDPA_ATTR_DEV_FEATURES),
	.max_supported_vqs = PVBLK_QUEUES_MAX,
};

/**
 * pvblk_vdpa_init() - make disks in configfs, and offer them to the vDPA bus
 *
 * Return: 0 or a negative error.
 */
int pvblk_vdpa_init(void)
{
	int err;

	err = pvblk_config_init();
	if (err)
		return err;
	pvblk_mgmtdev.device = root_device_register(PVBLK_MODULE);
	err = PTR_ERR_OR_ZERO(pvblk_mgmtdev.device);
	if (err)
		goto err_device;

	pvblk_mgmtdev.supported_features = pvblk_features;
	err = vdpa_mgmtdev_register(&pvblk_mgmtdev);
	if (err)
		goto err_register;
	return 0;

err_register:
	root_device_unregister(pvblk_mgmtdev.device);
err_device:
	pvblk_config_exit();
	return err;
}

/**
 * pvblk_vdpa_exit() - undo pvblk_vdpa_init(), and remove all devices
 *
 * Context: sleeps until every VMM has closed its disk.
 */
void pvblk_vdpa_exit(void)
{
	vdpa_mgmtdev_unregister(&pvblk_mgmtdev);
	root_device_unregister(pvblk_mgmtdev.device);

	wait_var_event(&pvblk_vdpas, !atomic_read(&pvblk_vdpas));
	/* The last one may still be on its way out of pvblk_vdpa_gone(). */
	synchronize_rcu();
	pvblk_config_exit();
}
