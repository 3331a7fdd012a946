// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk as its driver sees it: what it offers, its configuration space, its
 * queues. Who configures it, the vDPA bus or a VMM by ioctls, is not known here.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "file.h"
#include "zone.h"

/* virtio 1.4, 5.2.6: larger numbers are reserved. */
#define PVBLK_PRE_EOL_MAX	3
#define PVBLK_WEAR_MAX		11

const u64 pvblk_features =
	BIT_ULL(VIRTIO_F_VERSION_1) | BIT_ULL(VIRTIO_F_ACCESS_PLATFORM) |
	BIT_ULL(VIRTIO_F_RING_PACKED) | BIT_ULL(VIRTIO_F_IN_ORDER) |
	BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |
	BIT_ULL(VIRTIO_BLK_F_SIZE_MAX) | BIT_ULL(VIRTIO_BLK_F_SEG_MAX) |
	BIT_ULL(VIRTIO_BLK_F_RO) | BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) |
	BIT_ULL(VIRTIO_BLK_F_TOPOLOGY) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |
	BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) | BIT_ULL(VIRTIO_BLK_F_MQ) |
	BIT_ULL(VIRTIO_BLK_F_DISCARD) | BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES) |
	BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE) | BIT_ULL(VIRTIO_BLK_F_ZONED) |
	BIT_ULL(VIRTIO_BLK_F_LIFETIME);

static void pvblk_dev_free_queues(struct pvblk_dev *dev)
{
	while (dev->pvdev.nvqs)
		pvblk_queue_free(dev->queue[--dev->pvdev.nvqs]);
}

/**
 * pvblk_dev_init() - make a device without a store
 * @dev: the device, zeroed, with @queue_size and @changed filled in, and of
 *	@pvdev its name, kind and unmapped
 * @queues: how many
 *
 * Return: 0 or -ENOMEM.
 */
int pvblk_dev_init(struct pvblk_dev *dev, unsigned int queues)
{
	struct pvdev *pvdev = &dev->pvdev;

	spin_lock_init(&dev->config_lock);
	dev->config.wce = 1;
	pvdev->module = PVBLK_MODULE;
	pvdev->ops = &pvblk_ops;
	pvdev->vqs = dev->vqs;
	pvdev_init(pvdev);
	for (; pvdev->nvqs < queues; pvdev->nvqs++) {
		struct pvblk_queue *q = pvblk_queue_alloc(dev, pvdev->nvqs);

		if (!q)
			goto err_queue;
		dev->queue[pvdev->nvqs] = q;
		dev->vqs[pvdev->nvqs] = &q->vq;
	}
	return 0;

err_queue:
	pvblk_dev_free_queues(dev);
	return -ENOMEM;
}

/**
 * pvblk_dev_destroy() - undo pvblk_dev_init()
 * @dev: the device, reset; one that could not be made is allowed
 *
 * Context: may sleep.
 */
void pvblk_dev_destroy(struct pvblk_dev *dev)
{
	pvdev_destroy(&dev->pvdev);
	pvblk_dev_free_queues(dev);
}

static void pvblk_config_fill_topology(const struct pvblk_target *t,
				       struct virtio_blk_config *c)
{
	struct block_device *bdev = t->bdev;
	u32 block_size = t->block_mask + 1;
	u32 physical = bdev ? bdev_physical_block_size(bdev) :
			      i_blocksize(file_inode(t->file));
	u32 io_min = bdev ? bdev_io_min(bdev) / block_size : 0;
	u32 io_opt = bdev ? bdev_io_opt(bdev) / block_size : 0;
	int shift = bdev ? bdev_alignment_offset(bdev) : 0;

	physical = max(physical, block_size);
	c->physical_block_exp = ilog2(physical / block_size);
	c->alignment_offset = shift > 0 ? shift / block_size : 0;
	c->min_io_size = __cpu_to_virtio16(true, min_t(u32, io_min, U16_MAX));
	c->opt_io_size = __cpu_to_virtio32(true, io_opt);
}

/* virtio 1.4, 5.2.4. */
static void pvblk_config_fill(const struct pvblk_dev *dev,
			      struct virtio_blk_config *c)
{
	u32 seg_max = min_t(u32, PVBLK_SEG_MAX, dev->queue_size - 2);
	const struct pvblk_target *t = &dev->target;

	c->capacity = __cpu_to_virtio64(true, t->sectors);
	c->size_max = __cpu_to_virtio32(true, PVBLK_SIZE_MAX);
	c->seg_max = __cpu_to_virtio32(true, seg_max);
	c->blk_size = __cpu_to_virtio32(true, t->block_mask + 1);
	c->num_queues = __cpu_to_virtio16(true, dev->pvdev.nvqs);
}

static void pvblk_config_fill_ranges(const struct pvblk_target *t,
				     struct virtio_blk_config *c)
{
	u32 granularity = t->bdev ? bdev_discard_granularity(t->bdev) :
				    i_blocksize(file_inode(t->file));
	u32 align = max(granularity, t->block_mask + 1);
	__virtio32 sectors = __cpu_to_virtio32(true, PVBLK_RANGE_SECTORS);
	__virtio32 most = __cpu_to_virtio32(true, PVBLK_RANGES_MAX);
	__virtio32 granule = __cpu_to_virtio32(true, align >> SECTOR_SHIFT);

	if (t->discard != PVBLK_DISCARD_NONE) {
		c->max_discard_sectors = sectors;
		c->max_discard_seg = most;
		c->discard_sector_alignment = granule;
	}
	if (t->erases) {
		c->max_secure_erase_sectors = sectors;
		c->max_secure_erase_seg = most;
		c->secure_erase_sector_alignment = granule;
	}
	c->max_write_zeroes_sectors = t->zeroes ? sectors :
		__cpu_to_virtio32(true, PVBLK_ZERO_SECTORS);
	c->max_write_zeroes_seg = t->zeroes ? most : __cpu_to_virtio32(true, 1);
	c->write_zeroes_may_unmap = t->zeroes;
}

static u64 pvblk_target_features(const struct pvblk_target *t)
{
	u64 f = pvblk_features & ~BIT_ULL(VIRTIO_BLK_F_LIFETIME);

	if (!t->conv_zones)
		f &= ~BIT_ULL(VIRTIO_BLK_F_ZONED);
	if (t->readonly || t->conv_zones)
		f &= ~(BIT_ULL(VIRTIO_BLK_F_DISCARD) |
		       BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES) |
		       BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE));
	if (t->readonly)
		return f;

	f &= ~BIT_ULL(VIRTIO_BLK_F_RO);
	if (t->discard == PVBLK_DISCARD_NONE)
		f &= ~BIT_ULL(VIRTIO_BLK_F_DISCARD);
	if (!t->erases)
		f &= ~BIT_ULL(VIRTIO_BLK_F_SECURE_ERASE);
	return f;
}

/**
 * pvblk_dev_attach() - give a device its store
 * @dev: the device, with no queue started
 * @store: the store
 * @block_size: logical block size for the driver, in bytes: the store's or more
 * @discard: what is to become of discards, if the store can do it
 * @serial: VIRTIO_BLK_ID_BYTES of it
 */
void pvblk_dev_attach(struct pvblk_dev *dev, const struct pvblk_store *store,
		      u32 block_size, enum pvblk_discard discard,
		      const char *serial)
{
	struct virtio_blk_config config = { .wce = dev->config.wce };

	pvblk_target_init(&dev->target, store, block_size, discard);
	memcpy(dev->target.serial, serial, sizeof(dev->target.serial));
	pvblk_config_fill(dev, &config);
	pvblk_config_fill_topology(&dev->target, &config);
	pvblk_config_fill_ranges(&dev->target, &config);
	pvblk_zones_config(&dev->target, &config);
	spin_lock(&dev->config_lock);
	dev->config = config;
	dev->generation++;
	spin_unlock(&dev->config_lock);
	dev->features = pvblk_target_features(&dev->target);
}

/**
 * pvblk_lifetime_pack() - check what is said of a store's wear
 * @lifetime: the result, in one word that is read and written at once
 * @pre_eol: how many of the reserved blocks are gone, VIRTIO_BLK_PRE_EOL_INFO_*
 * @a: wear of cells of one bit, in tenths, 11 for all of it; 0: not known
 * @b: wear of cells of several bits, likewise
 *
 * Return: 0, or -ERANGE for a number that is reserved (virtio 1.4, 5.2.6).
 */
int pvblk_lifetime_pack(u64 *lifetime, unsigned int pre_eol, unsigned int a,
			unsigned int b)
{
	if (pre_eol > PVBLK_PRE_EOL_MAX || a > PVBLK_WEAR_MAX ||
	    b > PVBLK_WEAR_MAX)
		return -ERANGE;

	*lifetime = pre_eol | (u64)a << 16 | (u64)b << 32;
	return 0;
}

/**
 * pvblk_dev_set_lifetime() - say how worn a device's store is
 * @dev: the device, with its store
 * @ages: offer to tell it; only before a driver has asked for the features
 * @lifetime: by pvblk_lifetime_pack()
 */
void pvblk_dev_set_lifetime(struct pvblk_dev *dev, bool ages, u64 lifetime)
{
	WRITE_ONCE(dev->target.lifetime, lifetime);
	dev->target.ages = ages;
	if (ages)
		dev->features |= BIT_ULL(VIRTIO_BLK_F_LIFETIME);
}

/**
 * pvblk_dev_suits() - can a driver that accepted features deal with a device
 * @dev: the device
 * @features: what it accepted
 *
 * Return: false, with a message, where it can't (virtio 1.4, 5.2.5.2).
 */
bool pvblk_dev_suits(const struct pvblk_dev *dev, u64 features)
{
	if (!dev->target.conv_zones || features & BIT_ULL(VIRTIO_BLK_F_ZONED))
		return true;
	pvdev_warn(&dev->pvdev, "the store is zoned, and the driver can't deal with zones\n");
	return false;
}

/**
 * pvblk_dev_start_pool() - make what a device's store needs beside the queues
 * @dev: the device
 * @kind: whose threads
 *
 * Context: as for pvworker_start(); &pvdev.control held.
 * Return: as for pvworker_start().
 */
int pvblk_dev_start_pool(struct pvblk_dev *dev, enum pvworker_kind kind)
{
	struct pvblk_pool *pool;

	lockdep_assert_held(&dev->pvdev.control);
	if (dev->pool || !(dev->target.file || dev->target.conv_zones))
		return 0;

	pool = pvblk_pool_start(&dev->pvdev, kind);
	if (IS_ERR(pool)) {
		pvdev_warn(&dev->pvdev, "can't have threads for what would block (error %ld)\n",
			   PTR_ERR(pool));
		return PTR_ERR(pool);
	}
	dev->pool = pool;
	return 0;
}

/**
 * pvblk_dev_start_queue() - start a queue by what its driver said
 * @dev: the device
 * @idx: the queue
 * @w: the worker that runs it
 *
 * Context: as for pvdev_vq_start().
 * Return: as for pvdev_vq_start().
 */
int pvblk_dev_start_queue(struct pvblk_dev *dev, u16 idx, struct pvworker *w)
{
	struct pvblk_queue *q = dev->queue[idx];
	struct pvring_config *cfg = &q->vq.config;
	u64 f = dev->driver_features;
	int err = -EINVAL;

	if (cfg->num <= dev->queue_size) {
		cfg->format = f & BIT_ULL(VIRTIO_F_RING_PACKED) ?
			      PVRING_PACKED : PVRING_SPLIT;
		cfg->kind = dev->pvdev.kind;
		cfg->event_idx = f & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
		cfg->indirect = f & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
		cfg->in_order = f & BIT_ULL(VIRTIO_F_IN_ORDER);
		err = pvblk_queue_start(q, w);
	}
	if (err)
		pvdev_warn(&dev->pvdev, "queue %u of size %u can't be started (error %d)\n",
			   idx, cfg->num, err);
	return err;
}

static void pvblk_dev_release(struct pvblk_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->pvdev.nvqs; i++)
		pvblk_queue_free_requests(dev->queue[i]);
	pvblk_pool_stop(dev->pool);
	dev->pool = NULL;
}

/**
 * pvblk_dev_stop() - stop all queues, and the pool
 * @dev: the device
 *
 * Context: as for pvdev_stop().
 */
void pvblk_dev_stop(struct pvblk_dev *dev)
{
	pvdev_stop(&dev->pvdev);
	pvblk_dev_release(dev);
}

/**
 * pvblk_dev_park() - stop all queues so that their next start goes on from here
 * @dev: the device
 *
 * Context: as for pvdev_park().
 */
void pvblk_dev_park(struct pvblk_dev *dev)
{
	pvdev_park(&dev->pvdev);
	pvblk_dev_release(dev);
}

/**
 * pvblk_dev_park_queue() - stop one queue so that its next start goes on from here
 * @dev: the device
 * @idx: the queue
 *
 * The pool stays.
 *
 * Context: as for pvdev_vq_park().
 */
void pvblk_dev_park_queue(struct pvblk_dev *dev, u16 idx)
{
	pvdev_vq_park(dev->vqs[idx]);
	pvblk_queue_free_requests(dev->queue[idx]);
}

/**
 * pvblk_dev_reset() - stop all queues and forget what the driver said
 * @dev: the device
 *
 * Context: as for pvdev_stop().
 */
void pvblk_dev_reset(struct pvblk_dev *dev)
{
	unsigned int i;

	pvblk_dev_stop(dev);
	for (i = 0; i < dev->pvdev.nvqs; i++)
		pvdev_vq_reset(dev->vqs[i]);
	WRITE_ONCE(dev->driver_features, 0);
	WRITE_ONCE(dev->config.wce, 1);
	WRITE_ONCE(dev->broken, false);
}

/**
 * pvblk_dev_update_cache_mode() - take up what the driver accepted
 * @dev: the device
 *
 * Writes are durable at once, unless the driver is going to flush (virtio 1.4,
 * 5.2.5.2).
 */
void pvblk_dev_update_cache_mode(struct pvblk_dev *dev)
{
	u64 f = READ_ONCE(dev->driver_features);
	bool wce = f & BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE) ?
		READ_ONCE(dev->config.wce) : f & BIT_ULL(VIRTIO_BLK_F_FLUSH);

	/* Of writes completed before nothing was promised without a flush. */
	WRITE_ONCE(dev->target.writethrough, !wce);
}

/**
 * pvblk_dev_store_sectors() - how large a device's store makes it now
 * @dev: the device
 * @store: its store
 *
 * Return: units of 512 bytes, in whole blocks of the device.
 */
u64 pvblk_dev_store_sectors(const struct pvblk_dev *dev,
			    const struct pvblk_store *store)
{
	/* What was found out about zones is for those that there were. */
	if (dev->target.conv_zones)
		return dev->target.sectors;
	return round_down(pvblk_store_bytes(store),
			  dev->target.block_mask + 1) >> SECTOR_SHIFT;
}

/**
 * pvblk_dev_resize() - take up the size that a device's store has now
 * @dev: the device
 * @store: its store
 *
 * The driver is told of a change. Requests that were started before may still
 * go where the store was larger; the store refuses them itself.
 *
 * Context: may sleep.
 */
void pvblk_dev_resize(struct pvblk_dev *dev, const struct pvblk_store *store)
{
	u64 sectors = pvblk_dev_store_sectors(dev, store);

	if (sectors == dev->target.sectors)
		return;

	WRITE_ONCE(dev->target.sectors, sectors);
	spin_lock(&dev->config_lock);
	dev->config.capacity = __cpu_to_virtio64(true, sectors);
	dev->generation++;
	spin_unlock(&dev->config_lock);
	dev->changed(dev);
	pvdev_changed(&dev->pvdev);
}

/**
 * pvblk_dev_get_config() - read the configuration space
 * @dev: the device
 * @offset: first byte
 * @buf: where they go; zeroed where there are not as many
 * @len: bytes
 *
 * No lock is taken that is held while a store is waited for: the caller's may
 * be one that the whole host's vDPA management waits for.
 *
 * Context: process context.
 */
void pvblk_dev_get_config(struct pvblk_dev *dev, unsigned int offset,
			  void *buf, unsigned int len)
{
	if (offset > sizeof(dev->config) || len > sizeof(dev->config) - offset) {
		memset(buf, 0, len);
		return;
	}
	spin_lock(&dev->config_lock);
	memcpy(buf, (const u8 *)&dev->config + offset, len);
	spin_unlock(&dev->config_lock);
}

/**
 * pvblk_dev_set_config() - write the configuration space
 * @dev: the device
 * @offset: first byte
 * @buf: the bytes
 * @len: how many
 *
 * There is one field that a driver may write, if it accepted that (virtio 1.4,
 * 5.2.5); everything else is ignored.
 *
 * Context: any.
 */
void pvblk_dev_set_config(struct pvblk_dev *dev, unsigned int offset,
			  const void *buf, unsigned int len)
{
	if (offset != offsetof(struct virtio_blk_config, wce) || len != 1 ||
	    !(READ_ONCE(dev->driver_features) &
	      BIT_ULL(VIRTIO_BLK_F_CONFIG_WCE)))
		return;

	WRITE_ONCE(dev->config.wce, *(const u8 *)buf & 1);
	pvblk_dev_update_cache_mode(dev);
}
