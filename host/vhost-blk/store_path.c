// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores that are named by a path. It is looked up once, in the context
 * of whoever wrote it: with his rights, in his mount namespace, and held from
 * then on.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/namei.h>

#include "blk.h"

#define pvblk_store_err(disk, path, fmt, ...)				\
	pr_err(PVBLK_MODULE ": %s: path %s: " fmt "\n", disk, path, ##__VA_ARGS__)

/* Opening a device of another kind can have effects: don't. */
static int pvblk_store_check(const char *disk, const char *path)
{
	struct path p;
	umode_t mode;
	int err;

	err = kern_path(path, LOOKUP_FOLLOW, &p);
	if (err) {
		pvblk_store_err(disk, path, "can't be looked up (error %d)", err);
		return err;
	}
	mode = d_backing_inode(p.dentry)->i_mode;
	path_put(&p);

	if (!S_ISBLK(mode) && !S_ISREG(mode)) {
		pvblk_store_err(disk, path, "is neither a block device nor a file");
		return -ENOTBLK;
	}
	return 0;
}

static const char *pvblk_open_why(int err)
{
	switch (err) {
	case -EBUSY:
		return "is in use: mounted, swap, or opened exclusively";
	case -EACCES:
	case -EPERM:
		return "may not be opened by you";
	case -ENXIO:
	case -ENODEV:
		return "has no device behind it";
	}
	return "can't be opened";
}

/**
 * pvblk_store_close() - undo pvblk_store_open()
 * @store: the store, with no I/O in flight; one that isn't open is allowed
 */
void pvblk_store_close(struct pvblk_store *store)
{
	bool bdev = store->bdev;
	struct file *file = pvblk_store_put(store);

	if (!file)
		return;
	/* A claim goes now, so that the same device can be opened anew. */
	if (bdev)
		bdev_fput(file);
	else
		fput(file);
}

/**
 * pvblk_store_open() - open a backing store
 * @store: the result
 * @disk: name of the disk, for messages
 * @path: a block device or a file
 * @readonly: open it without the right to write
 *
 * Context: a system call of the operator.
 * Return: 0; -ENOTBLK for anything but a block device or a file, -EBUSY for one that is
 * in use, -EINVAL for one smaller than a block, -EACCES and -EPERM without the
 * right to it and for writing to one that is write-protected, and what else
 * opening a file returns. A message names the disk, the path and the reason.
 */
int pvblk_store_open(struct pvblk_store *store, const char *disk,
		     const char *path, bool readonly)
{
	/* For a file the exclusive flag means nothing. */
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_EXCL | O_LARGEFILE |
		    O_NONBLOCK;
	struct file *file;
	const char *why;
	int err;

	err = pvblk_store_check(disk, path);
	if (err)
		return err;

	file = filp_open(path, flags, 0);
	if (IS_ERR(file)) {
		err = PTR_ERR(file);
		pvblk_store_err(disk, path, "%s (error %d)",
				pvblk_open_why(err), err);
		return err;
	}

	/* The name may have changed hands since it was looked at. */
	store->file = file;
	store->readonly = readonly;
	store->exclusive = true;
	err = pvblk_store_probe(store, &why);
	if (err) {
		pvblk_store_err(disk, path, "%s", why);
		goto err_probe;
	}
	if (!readonly && store->bdev && bdev_read_only(store->bdev)) {
		pvblk_store_err(disk, path, "is write-protected: set readonly first");
		pvblk_store_close(store);
		return -EACCES;
	}
	if (!store->bdev && !store->direct)
		pr_info(PVBLK_MODULE ": %s: path %s: its file system has no direct I/O: data goes by the page cache\n",
			disk, path);
	return 0;

err_probe:
	filp_close(file, NULL);
	*store = (struct pvblk_store) { };
	return err;
}
