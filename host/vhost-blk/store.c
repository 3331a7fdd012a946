// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backing stores: what may be one, and what it can do. One that comes as a file
 * descriptor was opened by somebody who had the right to, and who need not be
 * the one that passes it on.
 */
#include <linux/blk-integrity.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/stat.h>

#include "zone.h"
#include "blkdev_compat.h"

/* Where nothing tells what direct I/O wants, every device takes this. */
#define PVBLK_FILE_ALIGN	SZ_4K

/* Block devices have claims of the kernel's; files have these. */
static DEFINE_MUTEX(pvblk_files_lock);
static LIST_HEAD(pvblk_files);

static bool pvblk_store_collides(const struct pvblk_store *a,
				 const struct pvblk_store *b)
{
	return file_inode(a->file) == file_inode(b->file) &&
	       !(a->readonly && b->readonly) && !(a->shared && b->shared);
}

/**
 * pvblk_store_claim() - keep other disks from a store
 * @store: the store; one that has a claim already is allowed
 *
 * A block device is claimed by whoever opened it, or not. Nor is a file claimed that
 * was opened by another for reading: who may only read, and was let, must not keep the
 * owner from writing.
 *
 * Return: 0, or -EBUSY where another disk has a claim, and not both share it.
 */
int pvblk_store_claim(struct pvblk_store *store)
{
	struct pvblk_store *other;
	int err = 0;

	if (store->bdev || (store->readonly && !store->exclusive))
		return 0;

	mutex_lock(&pvblk_files_lock);
	if (!list_empty(&store->node))
		goto out;
	list_for_each_entry(other, &pvblk_files, node)
		if (pvblk_store_collides(other, store))
			err = -EBUSY;
	if (!err)
		list_add(&store->node, &pvblk_files);
out:
	mutex_unlock(&pvblk_files_lock);
	return err;
}

/**
 * pvblk_store_unclaim() - undo pvblk_store_claim()
 * @store: the store, with no I/O in flight; one without a claim is allowed
 */
void pvblk_store_unclaim(struct pvblk_store *store)
{
	if (store->bdev)
		return;

	mutex_lock(&pvblk_files_lock);
	list_del_init(&store->node);
	mutex_unlock(&pvblk_files_lock);
}

/**
 * pvblk_store_move() - give a store another place in memory
 * @to: the new place
 * @from: an open store, not to be used any more
 */
void pvblk_store_move(struct pvblk_store *to, struct pvblk_store *from)
{
	mutex_lock(&pvblk_files_lock);
	*to = *from;
	if (!to->bdev)
		list_replace(&from->node, &to->node);
	mutex_unlock(&pvblk_files_lock);
	*from = (struct pvblk_store) { };
}

static void pvblk_file_alignment(struct pvblk_store *store)
{
	struct super_block *sb = file_inode(store->file)->i_sb;
	struct kstat stat = { };

	store->align = sb->s_bdev ? bdev_logical_block_size(sb->s_bdev) :
				    PVBLK_FILE_ALIGN;
	store->block_size = store->align;
	if (vfs_getattr(&store->file->f_path, &stat, STATX_DIOALIGN,
			AT_STATX_SYNC_AS_STAT) ||
	    !(stat.result_mask & STATX_DIOALIGN))
		return;

	store->direct = stat.dio_offset_align;
	store->align = stat.dio_mem_align;
	store->block_size = max_t(u32, stat.dio_offset_align, SECTOR_SIZE);
}

static int pvblk_probe_file(struct pvblk_store *store, const char **why)
{
	struct file *file = store->file;

	*why = "may only be appended to";
	if (!store->readonly && (file->f_flags & O_APPEND ||
				 IS_APPEND(file_inode(file))))
		return -EPERM;
	*why = "can't be read or written as a disk is";
	if (!file->f_op->read_iter ||
	    (!store->readonly && !file->f_op->write_iter))
		return -EINVAL;

	store->direct = file->f_mode & FMODE_CAN_ODIRECT;
	if (store->direct)
		pvblk_file_alignment(store);
	if (!store->direct) {
		store->align = 1;
		store->block_size = SECTOR_SIZE;
	}
	INIT_LIST_HEAD(&store->node);
	*why = "is in use by another disk";
	return store->exclusive ? pvblk_store_claim(store) : 0;
}

/* What lies in the page cache would be missed, and written over the guest's. */
static int pvblk_probe_bdev(struct pvblk_store *store, const char **why)
{
	struct block_device *bdev = file_bdev(store->file);
	int err;

	*why = "can't be written back from the page cache";
	err = sync_blockdev(bdev);
	if (err)
		return err;
	invalidate_bdev(bdev);

	store->bdev = bdev;
	store->block_size = bdev_logical_block_size(bdev);
	*why = "is zoned, and its zones are not such as can be used";
	return bdev_is_zoned(bdev) ? pvblk_zones_probe(store) : 0;
}

static void pvblk_store_forget(struct pvblk_store *store)
{
	kvfree(store->conv_zones);
	pvblk_store_unclaim(store);
}

/**
 * pvblk_store_bytes() - how large a store is now
 * @store: the store
 *
 * Return: bytes.
 */
u64 pvblk_store_bytes(const struct pvblk_store *store)
{
	return store->bdev ? bdev_nr_bytes(store->bdev) :
			     i_size_read(file_inode(store->file));
}

/**
 * pvblk_store_probe() - find out what a store is
 * @store: its file and readonly are set
 * @why: the end of a sentence about it, after an error
 *
 * Return: 0; -ENOTBLK for anything but a block device or a file, -EBUSY for a
 * file that is in use, -EPERM for one that may only be appended to, -EOPNOTSUPP
 * for zones that can't be used or blocks of more than a page, -EINVAL for a store
 * smaller than a block.
 */
int pvblk_store_probe(struct pvblk_store *store, const char **why)
{
	umode_t mode = file_inode(store->file)->i_mode;
	int err = -ENOTBLK;

	*why = "is swap";
	if (IS_SWAPFILE(store->file->f_mapping->host))
		return -EBUSY;
	*why = "is neither a block device nor a file";
	if (S_ISBLK(mode))
		err = pvblk_probe_bdev(store, why);
	else if (S_ISREG(mode))
		err = pvblk_probe_file(store, why);
	if (err)
		return err;

	err = -EOPNOTSUPP;
	*why = "has blocks of more than a page; such stores are not supported";
	if (store->block_size > PAGE_SIZE)
		goto err_store;
	err = -EINVAL;
	*why = "is smaller than a block";
	if (pvblk_store_bytes(store) < store->block_size)
		goto err_store;
	return 0;

err_store:
	pvblk_store_forget(store);
	return err;
}

/**
 * pvblk_store_get() - take a backing store from a file descriptor
 * @store: the result
 * @fd: the descriptor, of the calling process
 *
 * Context: a system call of the VMM.
 * Return: 0; -EBADF for what is no descriptor or can't be read, and what
 * pvblk_store_probe() returns.
 */
int pvblk_store_get(struct pvblk_store *store, int fd)
{
	struct file *file = fget(fd);
	const char *why;
	int err = -EBADF;

	if (!file)
		return err;
	if (!(file->f_mode & FMODE_READ))
		goto err_file;

	*store = (struct pvblk_store) {
		.file = file,
		.readonly = !(file->f_mode & FMODE_WRITE),
	};
	err = pvblk_store_probe(store, &why);
	if (err)
		goto err_file;
	if (store->bdev && bdev_read_only(store->bdev))
		store->readonly = true;
	return 0;

err_file:
	fput(file);
	*store = (struct pvblk_store) { };
	return err;
}

/**
 * pvblk_store_put() - let go of a store, but for what its file holds
 * @store: the store, with no I/O in flight; one that isn't there is allowed
 *
 * Return: the file, for the caller to close; NULL: there is none.
 */
struct file *pvblk_store_put(struct pvblk_store *store)
{
	struct file *file = store->file;

	if (file)
		pvblk_store_forget(store);
	if (store->bdev)
		invalidate_bdev(store->bdev);
	*store = (struct pvblk_store) { };
	return file;
}

/* Zeroes are safe for anybody to read; what a store makes of a discard need not be. */
static enum pvblk_discard pvblk_target_discard(const struct pvblk_target *t,
					       enum pvblk_discard want)
{
	if (t->bdev ? !bdev_max_discard_sectors(t->bdev) : !t->zeroes)
		return PVBLK_DISCARD_NONE;
	if (want == PVBLK_DISCARD_ZERO && !t->zeroes)
		return PVBLK_DISCARD_NONE;
	return want;
}

/*
 * A mirror reads what it writes once for each leg, and md doesn't ask for data
 * that stays as it is: a guest could make the legs differ.
 */
static bool pvblk_bdev_copies(struct block_device *bdev)
{
	return bdev_stable_writes(bdev) || bdev->bd_disk->major == MD_MAJOR;
}

static void pvblk_target_init_bdev(struct pvblk_target *t,
				   struct block_device *bdev)
{
	/* Pieces are whole blocks of the store, so it never splits within one. */
	t->align_mask = bdev_dma_alignment(bdev) |
			(bdev_logical_block_size(bdev) - 1);
	t->bounce_writes = pvblk_bdev_copies(bdev);
	t->bounce_reads = bdev_get_integrity(bdev);
	t->zeroes = bdev_write_zeroes_sectors(bdev);
	t->erases = bdev_max_secure_erase_sectors(bdev);
}

/*
 * A file system without a device of its own may have checksums of the data that
 * goes by: it gets what nobody changes.
 */
static void pvblk_target_init_file(struct pvblk_target *t,
				   const struct pvblk_store *store)
{
	const struct super_block *sb = file_inode(store->file)->i_sb;
	struct block_device *bdev = sb->s_bdev;

	t->file = store->file;
	t->direct = store->direct;
	t->nowait = store->direct && (store->file->f_mode & FMODE_NOWAIT);
	t->align_mask = (store->align - 1) | (store->block_size - 1);
	t->bounce_writes = t->direct && (!bdev || pvblk_bdev_copies(bdev) ||
					 mapping_stable_writes(store->file->f_mapping));
	t->bounce_reads = t->direct && (!bdev || bdev_get_integrity(bdev));
	t->zeroes = store->file->f_op->fallocate;
}

/**
 * pvblk_target_init() - say what requests need to know of a store
 * @t: the result
 * @store: the store
 * @block_size: logical block size for the driver, in bytes
 * @discard: what is to become of discards, if the store can do it
 */
void pvblk_target_init(struct pvblk_target *t, const struct pvblk_store *store,
		       u32 block_size, enum pvblk_discard discard)
{
	*t = (struct pvblk_target) {
		.bdev = store->bdev,
		.block_mask = block_size - 1,
		.readonly = store->readonly,
		.sectors = round_down(pvblk_store_bytes(store), block_size) >>
			   SECTOR_SHIFT,
	};
	if (store->bdev)
		pvblk_target_init_bdev(t, store->bdev);
	if (store->conv_zones)
		pvblk_zones_fill(t, store);
	if (!store->bdev)
		pvblk_target_init_file(t, store);
	t->discard = pvblk_target_discard(t, discard);
	if (store->conv_zones) {
		/* Ranges would go past the write pointers. */
		t->discard = PVBLK_DISCARD_NONE;
		t->erases = false;
	}
}
