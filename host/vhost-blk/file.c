// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files as stores. A part of a request is a bio that no block device gets: it
 * says what to do, and holds the pages. Reads and writes are started without
 * blocking; what would block, and what there is no other way for, is done in
 * the pool from its beginning.
 */
#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/uio.h>

#include "file.h"

static const struct pvblk_target *pvblk_part_target(const struct pvblk_part *part)
{
	const struct pvblk_req *req = part->bio.bi_private;

	return &req->q->dev->target;
}

static loff_t pvblk_part_pos(const struct pvblk_part *part)
{
	return (loff_t)part->bio.bi_iter.bi_sector << SECTOR_SHIFT;
}

static void pvblk_part_iter(const struct pvblk_part *part,
			    struct iov_iter *iter)
{
	const struct bio *bio = &part->bio;

	iov_iter_bvec(iter, op_is_write(bio->bi_opf) ? ITER_SOURCE : ITER_DEST,
		      bio->bi_io_vec, bio->bi_vcnt, bio->bi_iter.bi_size);
}

static int pvblk_part_flags(const struct pvblk_part *part)
{
	const struct pvblk_target *t = pvblk_part_target(part);
	int flags = t->direct ? IOCB_DIRECT : 0;

	if (!op_is_write(part->bio.bi_opf))
		return flags;
	if (part->bio.bi_opf & REQ_FUA)
		flags |= IOCB_DSYNC;
	/* Whoever opened it may have asked for more. */
	flags |= t->file->f_iocb_flags & (IOCB_DSYNC | IOCB_SYNC);
	return flags | IOCB_WRITE;
}

/* A signal, or a freezer, that has nothing to do with the guest. */
static bool pvblk_interrupted(long err)
{
	return err == -EINTR || err == -ERESTARTSYS || err == -ERESTARTNOINTR ||
	       err == -ERESTARTNOHAND || err == -ERESTART_RESTARTBLOCK;
}

/* Called in any context. What did not go through as a whole is done again. */
static void pvblk_file_end(struct kiocb *iocb, long ret)
{
	struct pvblk_part *part = container_of(iocb, struct pvblk_part, iocb);
	struct super_block *sb = file_inode(iocb->ki_filp)->i_sb;

	if (iocb->ki_flags & IOCB_WRITE) {
		__sb_writers_acquired(sb, SB_FREEZE_WRITE);
		sb_end_write(sb);
	}

	if (ret == part->bio.bi_iter.bi_size)
		pvblk_part_end(part, BLK_STS_OK);
	else if (ret >= 0 || ret == -EAGAIN || ret == -EOPNOTSUPP ||
		 pvblk_interrupted(ret))
		pvblk_pool_add(part->pool, part);
	else
		pvblk_part_end(part, errno_to_blk_status(ret));
}

static bool pvblk_file_start(struct pvblk_part *part, struct file *file)
{
	bool write = op_is_write(part->bio.bi_opf);
	struct super_block *sb = file_inode(file)->i_sb;
	const struct cred *old;
	struct iov_iter iter;
	ssize_t ret;

	/* A frozen file system has its writers wait. */
	if (write) {
		if (!sb_start_write_trylock(sb))
			return false;
		__sb_writers_release(sb, SB_FREEZE_WRITE);
	}

	part->iocb = (struct kiocb) {
		.ki_filp = file,
		.ki_pos = pvblk_part_pos(part),
		.ki_complete = pvblk_file_end,
		.ki_flags = pvblk_part_flags(part) | IOCB_NOWAIT,
	};
	pvblk_part_iter(part, &iter);
	old = override_creds(file->f_cred);
	ret = write ? file->f_op->write_iter(&part->iocb, &iter) :
		      file->f_op->read_iter(&part->iocb, &iter);
	revert_creds(old);
	if (ret != -EIOCBQUEUED)
		pvblk_file_end(&part->iocb, ret);
	return true;
}

/**
 * pvblk_file_submit() - do a part of a request on a file
 * @part: the part; it ends by pvblk_part_end(), perhaps before this returns
 *
 * Context: worker of the queue.
 */
void pvblk_file_submit(struct pvblk_part *part)
{
	const struct pvblk_target *t = pvblk_part_target(part);

	if (!t->nowait || !part->bio.bi_vcnt ||
	    !pvblk_file_start(part, t->file))
		pvblk_pool_add(part->pool, part);
}

/* A file that ends too early, because somebody has cut it off, is read as zeroes. */
static int pvblk_file_rw(struct pvblk_part *part, struct file *file, bool write)
{
	struct iov_iter iter;
	struct kiocb iocb;

	init_sync_kiocb(&iocb, file);
	iocb.ki_pos = pvblk_part_pos(part);
	iocb.ki_flags = pvblk_part_flags(part);
	pvblk_part_iter(part, &iter);
	while (iov_iter_count(&iter)) {
		size_t left = iov_iter_count(&iter);
		ssize_t ret;

		if (write) {
			file_start_write(file);
			ret = file->f_op->write_iter(&iocb, &iter);
			file_end_write(file);
		} else {
			ret = file->f_op->read_iter(&iocb, &iter);
		}
		if (ret < 0)
			return ret;
		if (!ret && write)
			return -EIO;
		if (!ret && iov_iter_zero(left, &iter) != left)
			return -EIO;
	}
	return 0;
}

static int pvblk_file_op(struct pvblk_part *part, struct file *file)
{
	const struct bio *bio = &part->bio;
	int mode = FALLOC_FL_KEEP_SIZE;

	switch (bio_op(bio)) {
	case REQ_OP_READ:
		return pvblk_file_rw(part, file, false);
	case REQ_OP_WRITE:
		if (!bio->bi_vcnt)
			return vfs_fsync(file, 1);
		return pvblk_file_rw(part, file, true);
	case REQ_OP_WRITE_ZEROES:
		mode |= bio->bi_opf & REQ_NOUNMAP ? FALLOC_FL_ZERO_RANGE :
						    FALLOC_FL_PUNCH_HOLE;
		break;
	case REQ_OP_DISCARD:
		mode |= FALLOC_FL_PUNCH_HOLE;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return vfs_fallocate(file, mode, pvblk_part_pos(part),
			     bio->bi_iter.bi_size);
}

/**
 * pvblk_file_do() - do a part of a request on a file, and wait for it
 * @part: the part; it ends by pvblk_part_end()
 *
 * Context: a thread of the pool.
 */
void pvblk_file_do(struct pvblk_part *part)
{
	struct file *file = pvblk_part_target(part)->file;
	const struct cred *old = override_creds(file->f_cred);
	int err = pvblk_file_op(part, file);

	revert_creds(old);
	/* The thread takes the signal before it comes to this again. */
	if (pvblk_interrupted(err) && !fatal_signal_pending(current))
		pvblk_pool_add(part->pool, part);
	else
		pvblk_part_end(part, errno_to_blk_status(err));
}
