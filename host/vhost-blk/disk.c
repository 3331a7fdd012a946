// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk in configfs: its attributes, checked when they are written. While a
 * device is made of the disk they can be read alone.
 */
#include <linux/log2.h>
#include <linux/slab.h>

#include "blk.h"

#define pvblk_disk_err(disk, fmt, ...)					\
	pr_err(PVBLK_MODULE ": %s: " fmt "\n",				\
	       config_item_name(&(disk)->item), ##__VA_ARGS__)

static struct pvblk_disk *to_pvblk_disk(struct config_item *item)
{
	return container_of(item, struct pvblk_disk, item);
}

/* Locks a disk for a change; its lock is held only on success. */
static int pvblk_disk_change(struct pvblk_disk *disk, const char *attr)
{
	mutex_lock(&disk->lock);
	if (!disk->dev)
		return 0;

	mutex_unlock(&disk->lock);
	pvblk_disk_err(disk, "%s: is fixed while the device exists; vdpa dev del %s first",
		       attr, config_item_name(&disk->item));
	return -EBUSY;
}

static int pvblk_parse(struct pvblk_disk *disk, const char *attr,
		       const char *page, unsigned int min, unsigned int max,
		       unsigned int *val)
{
	int err = kstrtouint(page, 0, val);

	if (err) {
		pvblk_disk_err(disk, "%s: not a number", attr);
		return err;
	}
	if (*val < min || *val > max) {
		pvblk_disk_err(disk, "%s: %u is not between %u and %u", attr,
			       *val, min, max);
		return -ERANGE;
	}
	return 0;
}

static ssize_t pvblk_disk_path_show(struct config_item *item, char *page)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	int len;

	mutex_lock(&disk->lock);
	len = snprintf(page, PAGE_SIZE, "%s\n", disk->path ?: "");
	mutex_unlock(&disk->lock);
	return len;
}

static void pvblk_disk_close(struct pvblk_disk *disk)
{
	pvblk_store_close(&disk->store);
	kfree(disk->path);
	disk->path = NULL;
}

static int pvblk_disk_open(struct pvblk_disk *disk, const char *path)
{
	struct pvblk_store store = { };
	char *copy;
	int err;

	copy = kstrdup(path, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	/* It is held exclusively: the same one can only be opened anew. */
	if (disk->path && !strcmp(disk->path, copy))
		pvblk_disk_close(disk);
	err = pvblk_store_open(&store, config_item_name(&disk->item), copy,
			       disk->readonly);
	if (err) {
		kfree(copy);
		return err;
	}
	pvblk_disk_close(disk);
	pvblk_store_move(&disk->store, &store);
	disk->path = copy;
	return 0;
}

static ssize_t pvblk_disk_path_store(struct config_item *item,
				     const char *page, size_t count)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	char *copy, *path;
	int err;

	copy = kstrndup(page, count, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;

	err = pvblk_disk_change(disk, "path");
	if (err)
		goto out;
	path = strim(copy);
	if (*path)
		err = pvblk_disk_open(disk, path);
	else
		pvblk_disk_close(disk);
	mutex_unlock(&disk->lock);
out:
	kfree(copy);
	return err ?: count;
}

static ssize_t pvblk_disk_serial_show(struct config_item *item, char *page)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	int len;

	mutex_lock(&disk->lock);
	len = snprintf(page, PAGE_SIZE, "%.*s\n", VIRTIO_BLK_ID_BYTES,
		       disk->serial);
	mutex_unlock(&disk->lock);
	return len;
}

static ssize_t pvblk_disk_serial_store(struct config_item *item,
				       const char *page, size_t count)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	size_t len = strcspn(page, "\n");
	int err;

	if (len > VIRTIO_BLK_ID_BYTES) {
		pvblk_disk_err(disk, "serial: longer than %d bytes",
			       VIRTIO_BLK_ID_BYTES);
		return -ERANGE;
	}

	err = pvblk_disk_change(disk, "serial");
	if (err)
		return err;
	memset(disk->serial, 0, sizeof(disk->serial));
	memcpy(disk->serial, page, len);
	mutex_unlock(&disk->lock);
	return count;
}

static const char * const pvblk_memory_names[] = {
	[PVMEM_USER] = "va",
	[PVMEM_PHYS] = "pa",
};

static ssize_t pvblk_disk_memory_show(struct config_item *item, char *page)
{
	return sprintf(page, "%s\n",
		       pvblk_memory_names[READ_ONCE(to_pvblk_disk(item)->memory)]);
}

static ssize_t pvblk_disk_memory_store(struct config_item *item,
				       const char *page, size_t count)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	int kind = sysfs_match_string(pvblk_memory_names, page), err;

	if (kind < 0) {
		pvblk_disk_err(disk, "memory: neither va nor pa");
		return -EINVAL;
	}

	err = pvblk_disk_change(disk, "memory");
	if (err)
		return err;
	disk->memory = kind;
	mutex_unlock(&disk->lock);
	return count;
}

static const char * const pvblk_discard_names[] = {
	[PVBLK_DISCARD_NONE] = "none",
	[PVBLK_DISCARD_ZERO] = "zero",
	[PVBLK_DISCARD_PASS] = "pass",
};

static ssize_t pvblk_disk_discard_show(struct config_item *item, char *page)
{
	return sprintf(page, "%s\n",
		       pvblk_discard_names[READ_ONCE(to_pvblk_disk(item)->discard)]);
}

static ssize_t pvblk_disk_discard_store(struct config_item *item,
					const char *page, size_t count)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	int discard = sysfs_match_string(pvblk_discard_names, page), err;

	if (discard < 0) {
		pvblk_disk_err(disk, "discard: neither none nor zero nor pass");
		return -EINVAL;
	}

	err = pvblk_disk_change(disk, "discard");
	if (err)
		return err;
	disk->discard = discard;
	mutex_unlock(&disk->lock);
	return count;
}

static ssize_t pvblk_disk_lifetime_show(struct config_item *item, char *page)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	u64 n = READ_ONCE(disk->lifetime);

	if (!READ_ONCE(disk->ages))
		return sprintf(page, "\n");
	return sprintf(page, "%u %u %u\n", (u16)n, (u16)(n >> 16),
		       (u16)(n >> 32));
}

/* Takes a new value; whether there is one is fixed while the device exists. */
static int pvblk_disk_set_lifetime(struct pvblk_disk *disk, bool ages, u64 n)
{
	if (disk->dev && (!ages || !disk->ages))
		return -EBUSY;

	WRITE_ONCE(disk->lifetime, n);
	WRITE_ONCE(disk->ages, ages);
	if (disk->dev)
		pvblk_vdpa_set_lifetime(disk->dev, n);
	return 0;
}

static ssize_t pvblk_disk_lifetime_store(struct config_item *item,
					 const char *page, size_t count)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	bool ages = *skip_spaces(page);
	unsigned int pre_eol, a, b;
	char rest;
	u64 n = 0;
	int err;

	if (ages && (sscanf(page, "%u %u %u %c", &pre_eol, &a, &b, &rest) != 3 ||
		     pvblk_lifetime_pack(&n, pre_eol, a, b))) {
		pvblk_disk_err(disk, "lifetime: is not three numbers, up to 3, 11 and 11");
		return -EINVAL;
	}

	mutex_lock(&disk->lock);
	err = pvblk_disk_set_lifetime(disk, ages, n);
	mutex_unlock(&disk->lock);
	if (err)
		pvblk_disk_err(disk, "lifetime: can't come or go while the device exists; vdpa dev del %s first",
			       config_item_name(&disk->item));
	return err ?: count;
}

/* The check of a number, with the disk's lock held. */
static int pvblk_check_any(struct pvblk_disk *disk, unsigned int val)
{
	return 0;
}

static int pvblk_check_queue_size(struct pvblk_disk *disk, unsigned int val)
{
	if (is_power_of_2(val))
		return 0;
	pvblk_disk_err(disk, "queue_size: %u is not a power of two", val);
	return -EINVAL;
}

static int pvblk_check_block_size(struct pvblk_disk *disk, unsigned int val)
{
	unsigned int least = disk->store.file ? disk->store.block_size :
						SECTOR_SIZE;

	if (!val || (is_power_of_2(val) && val >= least))
		return 0;
	pvblk_disk_err(disk, "block_size: %u is not a power of two from %u on",
		       val, least);
	return -EINVAL;
}

static int pvblk_check_readonly(struct pvblk_disk *disk, unsigned int val)
{
	if (val || !disk->store.readonly)
		return 0;
	pvblk_disk_err(disk, "readonly: the path was opened without the right to write; close it first: echo > path");
	return -EBUSY;
}

#define PVBLK_NUMBER(field, min, max, check)				\
static ssize_t pvblk_disk_##field##_show(struct config_item *item,	\
					 char *page)			\
{									\
	struct pvblk_disk *disk = to_pvblk_disk(item);			\
	unsigned int val = READ_ONCE(disk->field);			\
									\
	return sprintf(page, "%u\n", val);				\
}									\
									\
static ssize_t pvblk_disk_##field##_store(struct config_item *item,	\
					  const char *page, size_t count) \
{									\
	struct pvblk_disk *disk = to_pvblk_disk(item);			\
	unsigned int val;						\
	int err;							\
									\
	err = pvblk_parse(disk, #field, page, min, max, &val) ?:	\
	      pvblk_disk_change(disk, #field);				\
	if (err)							\
		return err;						\
	err = check(disk, val);						\
	if (!err)							\
		WRITE_ONCE(disk->field, val);				\
	mutex_unlock(&disk->lock);					\
	return err ?: count;						\
}									\
CONFIGFS_ATTR(pvblk_disk_, field)

PVBLK_NUMBER(queues, 1, PVBLK_QUEUES_MAX, pvblk_check_any);
PVBLK_NUMBER(queue_size, PVBLK_QUEUE_SIZE_MIN, PVBLK_QUEUE_SIZE_MAX,
	     pvblk_check_queue_size);
PVBLK_NUMBER(block_size, 0, PAGE_SIZE, pvblk_check_block_size);
PVBLK_NUMBER(readonly, 0, 1, pvblk_check_readonly);
PVBLK_NUMBER(loop, 0, 1, pvblk_check_any);
CONFIGFS_ATTR(pvblk_disk_, path);
CONFIGFS_ATTR(pvblk_disk_, serial);
CONFIGFS_ATTR(pvblk_disk_, memory);
CONFIGFS_ATTR(pvblk_disk_, discard);
CONFIGFS_ATTR(pvblk_disk_, lifetime);

/* Whether the store has another size than the guest was told. */
static ssize_t pvblk_disk_resize_show(struct config_item *item, char *page)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	bool differs;

	mutex_lock(&disk->lock);
	differs = disk->dev && pvblk_vdpa_resize(disk->dev, &disk->store, true);
	mutex_unlock(&disk->lock);
	return sprintf(page, "%d\n", differs);
}

static ssize_t pvblk_disk_resize_store(struct config_item *item,
				       const char *page, size_t count)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);
	unsigned int val;
	int err;

	err = pvblk_parse(disk, "resize", page, 1, 1, &val);
	if (err)
		return err;
	mutex_lock(&disk->lock);
	if (disk->dev)
		pvblk_vdpa_resize(disk->dev, &disk->store, false);
	mutex_unlock(&disk->lock);
	return count;
}
CONFIGFS_ATTR(pvblk_disk_, resize);

static struct configfs_attribute *pvblk_disk_attrs[] = {
	&pvblk_disk_attr_path,
	&pvblk_disk_attr_queues,
	&pvblk_disk_attr_queue_size,
	&pvblk_disk_attr_block_size,
	&pvblk_disk_attr_readonly,
	&pvblk_disk_attr_loop,
	&pvblk_disk_attr_serial,
	&pvblk_disk_attr_memory,
	&pvblk_disk_attr_discard,
	&pvblk_disk_attr_lifetime,
	&pvblk_disk_attr_resize,
	NULL,
};

static void pvblk_disk_release(struct config_item *item)
{
	struct pvblk_disk *disk = to_pvblk_disk(item);

	pvblk_disk_close(disk);
	kfree(disk);
}

static struct configfs_item_operations pvblk_disk_ops = {
	.release = pvblk_disk_release,
};

const struct config_item_type pvblk_disk_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &pvblk_disk_ops,
	.ct_attrs = pvblk_disk_attrs,
};

/**
 * pvblk_disk_make() - make a disk with its defaults and no path
 * @name: its name
 *
 * Return: the disk, with one reference of its item, or NULL without memory.
 */
struct pvblk_disk *pvblk_disk_make(const char *name)
{
	struct pvblk_disk *disk;

	disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	if (!disk)
		return NULL;

	mutex_init(&disk->lock);
	disk->queues = min(4U, num_online_cpus());
	/* What QEMU gives its guests, whatever the device says. */
	disk->queue_size = PVBLK_QUEUE_SIZE_MAX;
	disk->memory = PVMEM_USER;
	disk->discard = PVBLK_DISCARD_ZERO;
	config_item_init_type_name(&disk->item, name, &pvblk_disk_type);
	return disk;
}
