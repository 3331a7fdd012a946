// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores that come as a file descriptor: whoever opened it had the right
 * to, and need not be the one who passes it on.
 */
#include <linux/file.h>
#include <linux/fs.h>

#include "blk.h"
#include "blkdev_compat.h"

/**
 * pvblk_store_get() - take a backing store from a file descriptor
 * @store: the result
 * @disk: name of the disk, for messages
 * @fd: the descriptor, of the calling process
 *
 * Context: a system call of the VMM.
 * Return: 0; -EBADF for what is no descriptor or can't be read, -ENOTBLK for
 * anything but a block device, -EBUSY for swap, -EOPNOTSUPP for one that is
 * zoned or has blocks of more than a page, -EINVAL for one smaller than a block,
 * and the error of writing back what the page cache has of it.
 */
int pvblk_store_get(struct pvblk_store *store, const char *disk, int fd)
{
	struct file *file = fget(fd);
	struct block_device *bdev;
	int err = -EBADF;

	if (!file)
		return err;
	if (!(file->f_mode & FMODE_READ))
		goto err_file;
	err = -ENOTBLK;
	if (!S_ISBLK(file_inode(file)->i_mode))
		goto err_file;

	bdev = file_bdev(file);
	err = -EBUSY;
	if (IS_SWAPFILE(file->f_mapping->host))
		goto err_file;
	err = -EOPNOTSUPP;
	if (bdev_logical_block_size(bdev) > PAGE_SIZE || bdev_is_zoned(bdev))
		goto err_file;
	err = -EINVAL;
	if (bdev_nr_bytes(bdev) < bdev_logical_block_size(bdev))
		goto err_file;

	/* What lies in the page cache would be missed, and written over the guest's. */
	err = sync_blockdev(bdev);
	if (err)
		goto err_file;
	invalidate_bdev(bdev);

	store->file = file;
	store->bdev = bdev;
	store->readonly = !(file->f_mode & FMODE_WRITE) || bdev_read_only(bdev);
	return 0;

err_file:
	fput(file);
	return err;
}

/**
 * pvblk_store_put() - undo pvblk_store_get()
 * @store: the store, with no I/O in flight; one that isn't there is allowed
 */
void pvblk_store_put(struct pvblk_store *store)
{
	if (store->file) {
		invalidate_bdev(store->bdev);
		fput(store->file);
	}
	*store = (struct pvblk_store) { };
}
