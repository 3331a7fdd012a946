// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vDPA management device: it makes a vDPA device of a disk in configfs when
 * the operator says "vdpa dev add".
 */
#include <linux/blk-integrity.h>
#include <linux/rcupdate.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>
#include <linux/wait_bit.h>
#include <uapi/linux/vdpa.h>

#include "vdpa.h"
#include "vdpa_compat.h"

static const u64 pvblk_features =
	BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
	BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
	BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) | BIT_ULL(VIRTIO_BLK_F_SEG_MAX) |
	BIT_ULL(VIRTIO_BLK_F_RO) | BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |
	BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |
	BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) | BIT_ULL(VIRTIO_BLK_F_MQ);

static const char * const pvblk_unmapped[] = {
	[PVMEM_USER] =
	"its ring is in memory that the VMM did not map; give the VM shared memory (QEMU: -object memory-backend-memfd,share=on), or make the disk with memory=pa",
	[PVMEM_PHYS] =
	"its ring is in memory that the VMM did not map; with memory=pa all of the VM's memory has to fit RLIMIT_MEMLOCK and max_iotlb_entries of vhost_vdpa",
};

/* Devices whose memory is not freed yet: whoever holds one can outlive it. */
static atomic_t pvblk_devs = ATOMIC_INIT(0);

#define pvblk_dev_err(name, fmt, ...)					\
	pr_err(PVBLK_MODULE ": %s: " fmt "\n", name, ##__VA_ARGS__)

static void pvblk_target_init(struct pvblk_target *t,
			      const struct pvblk_disk *disk, u32 block_size)
{
	struct block_device *bdev = disk->store.bdev;

	t->bdev = bdev;
	t->sectors = round_down(bdev_nr_bytes(bdev), block_size) >> SECTOR_SHIFT;
	t->block_mask = block_size - 1;
	/* Pieces are whole blocks of the store, so it never splits within one. */
	t->align_mask = bdev_dma_alignment(bdev) |
			(bdev_logical_block_size(bdev) - 1);
	t->readonly = disk->readonly;
	t->bounce_writes = bdev_stable_writes(bdev);
	t->bounce_reads = bdev_get_integrity(bdev);
	memcpy(t->serial, disk->serial, sizeof(t->serial));
}

/* virtio 1.4, 5.2.4. */
static void pvblk_config_fill(struct virtio_blk_config *c,
			      const struct pvblk_target *t,
			      const struct pvblk_disk *disk, u32 block_size)
{
	u32 physical = max(bdev_physical_block_size(t->bdev), block_size);
	u32 io_min = bdev_io_min(t->bdev) / block_size;
	u32 io_opt = bdev_io_opt(t->bdev) / block_size;
	int shift = bdev_alignment_offset(t->bdev);

	c->capacity = (__force __virtio64)cpu_to_le64(t->sectors);
	c->size_max = (__force __virtio32)cpu_to_le32(PVBLK_SIZE_MAX);
	c->seg_max = (__force __virtio32)cpu_to_le32(min_t(u32, PVBLK_SEG_MAX,
						disk->queue_size - 2));
	c->blk_size = (__force __virtio32)cpu_to_le32(block_size);
	c->physical_block_exp = ilog2(physical / block_size);
	c->alignment_offset = shift > 0 ? shift / block_size : 0;
	c->min_io_size = (__force __virtio16)cpu_to_le16(min_t(u32, io_min,
							       U16_MAX));
	c->opt_io_size = (__force __virtio32)cpu_to_le32(io_opt);
	c->wce = 1;
	c->num_queues = (__force __virtio16)cpu_to_le16(disk->queues);
}

static int pvblk_dev_features(struct pvblk_dev *dev, const char *name,
			      const struct vdpa_dev_set_config *config)
{
	u64 must = BIT_ULL(VIRTIO_F_VERSION_1) |
		   BIT_ULL(VIRTIO_F_ACCESS_PLATFORM);

	dev->features = pvblk_features;
	if (!dev->target.readonly)
		dev->features &= ~BIT_ULL(VIRTIO_BLK_F_RO);
	if (!(config->mask & BIT_ULL(VDPA_ATTR_DEV_FEATURES)))
		return 0;

	if (config->device_features & ~pvblk_features) {
		pvblk_dev_err(name, "device_features: 0x%llx is not supported",
			      config->device_features & ~pvblk_features);
		return -EINVAL;
	}
	if ((config->device_features & must) != must) {
		pvblk_dev_err(name, "device_features: VERSION_1 and ACCESS_PLATFORM can't be left out");
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
		pvblk_dev_err(name, "the device exists already");
		return -EEXIST;
	}
	if (!disk->store.bdev) {
		pvblk_dev_err(name, "path: write the disk's path first");
		return -ENXIO;
	}

	least = bdev_logical_block_size(disk->store.bdev);
	if (least > PAGE_SIZE || bdev_is_zoned(disk->store.bdev)) {
		pvblk_dev_err(name, "path: %s is zoned, or has blocks of more than %lu bytes; such stores are not supported",
			      disk->path, PAGE_SIZE);
		return -EOPNOTSUPP;
	}
	if (!disk->readonly && bdev_read_only(disk->store.bdev)) {
		pvblk_dev_err(name, "path: %s is write-protected: set readonly first",
			      disk->path);
		return -EACCES;
	}
	*block_size = disk->block_size ?: least;
	if (*block_size < least) {
		pvblk_dev_err(name, "block_size: %u is below %u, that of %s",
			      *block_size, least, disk->path);
		return -EINVAL;
	}
	if (bdev_nr_bytes(disk->store.bdev) < *block_size) {
		pvblk_dev_err(name, "path: %s is smaller than a block",
			      disk->path);
		return -EINVAL;
	}
	return 0;
}

static int pvblk_alloc_queues(struct pvblk_dev *dev, unsigned int n)
{
	unsigned int i;

	dev->pvdev.vqs = dev->vqs;
	for (i = 0; i < n; i++) {
		dev->queue[i] = pvblk_queue_alloc(&dev->pvdev, i, &dev->target);
		if (!dev->queue[i])
			return -ENOMEM;
		dev->queue[i]->broken = pvblk_dev_broken;
		dev->queue[i]->broken_arg = dev;
		dev->vqs[i] = &dev->queue[i]->vq;
		dev->pvdev.nvqs = i + 1;
	}
	return 0;
}

/**
 * pvblk_dev_gone() - a device is freed
 */
void pvblk_dev_gone(void)
{
	/* Pairs with synchronize_rcu() in pvblk_vdpa_exit(). */
	rcu_read_lock();
	if (atomic_dec_and_test(&pvblk_devs))
		wake_up_var(&pvblk_devs);
	rcu_read_unlock();
}

static struct pvblk_dev *pvblk_dev_alloc(struct pvblk_disk *disk,
					 const char *name)
{
	bool use_va = !disk->loop && disk->memory == PVMEM_USER;
	struct vdpa_device *vdpa;
	struct pvblk_dev *dev;

	vdpa = pvcompat_vdpa_alloc(&pvblk_vdpa_ops, sizeof(*dev), name, use_va);
	if (IS_ERR(vdpa))
		return ERR_CAST(vdpa);

	atomic_inc(&pvblk_devs);
	dev = to_pvblk_dev(vdpa);
	dev->disk = disk;
	spin_lock_init(&dev->cb_lock);
	dev->pvdev.name = dev_name(&dev->vdpa.dev);
	dev->pvdev.module = PVBLK_MODULE;
	dev->pvdev.ops = &pvblk_ops;
	dev->pvdev.kind = use_va ? PVMEM_USER : PVMEM_PHYS;
	dev->pvdev.unmapped = pvblk_unmapped[dev->pvdev.kind];
	pvdev_init(&dev->pvdev);
	return dev;
}

static int pvblk_dev_register(struct pvblk_disk *disk, struct pvblk_dev *dev,
			      struct vdpa_mgmt_dev *mdev,
			      const struct vdpa_dev_set_config *config,
			      u32 block_size)
{
	const char *name = dev->pvdev.name;
	int err;

	pvblk_target_init(&dev->target, disk, block_size);
	pvblk_config_fill(&dev->config, &dev->target, disk, block_size);
	err = pvblk_dev_features(dev, name, config) ?:
	      pvblk_alloc_queues(dev, disk->queues) ?:
	      pvcompat_vdpa_bind_to(&dev->vdpa, disk->loop ? "virtio_vdpa" :
							     "vhost_vdpa");
	if (err)
		return err;

	dev->vdpa.mdev = mdev;
	return _vdpa_register_device(&dev->vdpa, disk->queues);
}

static int pvblk_dev_add(struct vdpa_mgmt_dev *mdev, const char *name,
			 const struct vdpa_dev_set_config *config)
{
	struct pvblk_disk *disk;
	struct pvblk_dev *dev;
	u32 block_size;
	int err;

	disk = pvblk_disk_get(name);
	if (IS_ERR(disk)) {
		pvblk_dev_err(name, "make the disk first: mkdir /sys/kernel/config/pvio_blk/%s",
			      name);
		return PTR_ERR(disk);
	}

	mutex_lock(&disk->lock);
	err = pvblk_disk_check(disk, name, &block_size);
	if (err)
		goto err_disk;

	dev = pvblk_dev_alloc(disk, name);
	if (IS_ERR(dev)) {
		err = PTR_ERR(dev);
		goto err_disk;
	}
	err = pvblk_dev_register(disk, dev, mdev, config, block_size);
	if (err)
		goto err_dev;

	disk->dev = dev;
	mutex_unlock(&disk->lock);
	return 0;

err_dev:
	put_device(&dev->vdpa.dev);
err_disk:
	mutex_unlock(&disk->lock);
	pvblk_disk_put(disk);
	return err;
}

/* Waits until the VMM has closed the device; that is the bus's way. */
static void pvblk_dev_del(struct vdpa_mgmt_dev *mdev, struct vdpa_device *vdpa)
{
	struct pvblk_dev *dev = to_pvblk_dev(vdpa);
	struct pvblk_disk *disk = dev->disk;

	get_device(&vdpa->dev);
	_vdpa_unregister_device(vdpa);
	/* A driver that failed half way may have left it running. */
	pvblk_dev_reset(dev);
	put_device(&vdpa->dev);

	mutex_lock(&disk->lock);
	disk->dev = NULL;
	mutex_unlock(&disk->lock);
	pvblk_disk_put(disk);
}

static const struct vdpa_mgmtdev_ops pvblk_mgmtdev_ops = {
	.dev_add = pvblk_dev_add,
	.dev_del = pvblk_dev_del,
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
 * pvblk_vdpa_init() - offer disks to the vDPA bus
 *
 * Return: 0 or a negative error.
 */
int pvblk_vdpa_init(void)
{
	int err;

	pvblk_mgmtdev.device = root_device_register(PVBLK_MODULE);
	if (IS_ERR(pvblk_mgmtdev.device))
		return PTR_ERR(pvblk_mgmtdev.device);

	pvblk_mgmtdev.supported_features = pvblk_features;
	err = vdpa_mgmtdev_register(&pvblk_mgmtdev);
	if (err)
		goto err_register;
	return 0;

err_register:
	root_device_unregister(pvblk_mgmtdev.device);
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

	wait_var_event(&pvblk_devs, !atomic_read(&pvblk_devs));
	/* The last one may still be on its way out of pvblk_dev_gone(). */
	synchronize_rcu();
}
