// SPDX-License-Identifier: GPL-2.0-only
/*
 * The directory /sys/kernel/config/pvio_blk, in which each directory is a disk.
 */
#include "blk.h"

static struct config_item *pvblk_make_item(struct config_group *group,
					   const char *name)
{
	struct pvblk_disk *disk = pvblk_disk_make(name);

	return disk ? &disk->item : ERR_PTR(-ENOMEM);
}

static struct configfs_group_operations pvblk_group_ops = {
	.make_item = pvblk_make_item,
};

static const struct config_item_type pvblk_group_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &pvblk_group_ops,
};

static struct configfs_subsystem pvblk_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "pvio_blk",
			.ci_type = &pvblk_group_type,
		},
	},
	.su_mutex = __MUTEX_INITIALIZER(pvblk_subsys.su_mutex),
};

/**
 * pvblk_disk_get() - find a disk, and keep its directory from being removed
 * @name: its name
 *
 * Context: may sleep; not from a configfs operation.
 * Return: the disk, for pvblk_disk_put(); -ENOENT where there is none, or the
 * error of holding it.
 */
struct pvblk_disk *pvblk_disk_get(const char *name)
{
	struct config_item *item;
	int err;

	mutex_lock(&pvblk_subsys.su_mutex);
	item = config_group_find_item(&pvblk_subsys.su_group, name);
	mutex_unlock(&pvblk_subsys.su_mutex);
	if (!item)
		return ERR_PTR(-ENOENT);

	err = configfs_depend_item(&pvblk_subsys, item);
	if (err) {
		config_item_put(item);
		return ERR_PTR(err);
	}
	return container_of(item, struct pvblk_disk, item);
}

/**
 * pvblk_disk_put() - undo pvblk_disk_get()
 * @disk: the disk
 */
void pvblk_disk_put(struct pvblk_disk *disk)
{
	configfs_undepend_item(&disk->item);
	config_item_put(&disk->item);
}

/**
 * pvblk_config_init() - make the directory
 *
 * Return: 0 or a negative error.
 */
int pvblk_config_init(void)
{
	config_group_init(&pvblk_subsys.su_group);
	return configfs_register_subsystem(&pvblk_subsys);
}

/**
 * pvblk_config_exit() - undo pvblk_config_init()
 */
void pvblk_config_exit(void)
{
	configfs_unregister_subsystem(&pvblk_subsys);
}
