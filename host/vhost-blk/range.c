// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that name ranges of sectors instead of carrying data (virtio 1.4,
 * 5.2.6): discard, write zeroes, secure erase. The ranges are the guest's: they
 * are copied first, all of them checked, and then done.
 */
#include <linux/slab.h>

#include "blk.h"

/**
 * struct pvblk_ranges - the ranges of a request
 * @n: how many
 * @writing: the store can't do it, so zeroes are written
 * @i: the range that is being written
 * @done: sectors of it that are
 * @raw: as the guest wrote them, checked
 */
struct pvblk_ranges {
	unsigned int n;
	bool writing;
	unsigned int i;
	u32 done;
	struct virtio_blk_discard_write_zeroes raw[PVBLK_RANGES_MAX];
};

static u8 pvblk_prepare_ranges(const struct pvblk_io *io, bool supported)
{
	const u32 size = sizeof(struct virtio_blk_discard_write_zeroes);

	if (!supported)
		return VIRTIO_BLK_S_UNSUPP;
	if (io->target->readonly || !io->len || io->len % size ||
	    io->len / size > PVBLK_RANGES_MAX)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

u8 pvblk_prepare_discard(const struct pvblk_io *io)
{
	return pvblk_prepare_ranges(io, io->target->discard !=
					PVBLK_DISCARD_NONE);
}

u8 pvblk_prepare_write_zeroes(const struct pvblk_io *io)
{
	return pvblk_prepare_ranges(io, !io->target->conv_zones);
}

u8 pvblk_prepare_secure_erase(const struct pvblk_io *io)
{
	return pvblk_prepare_ranges(io, io->target->erases);
}

static int pvblk_ranges_read(const struct pvblk_io *io, struct pvblk_ranges *r)
{
	struct pvblk_req *req = io->req;
	void *to = r->raw;
	unsigned int i;
	int err = 0;

	r->n = io->len / sizeof(r->raw[0]);
	for (i = 0; i < io->nseg && !err; i++) {
		err = pvdev_vq_read(&req->q->vq, req->view, to, &io->seg[i]);
		to += io->seg[i].len;
	}
	return err;
}

static u8 pvblk_range_check(const struct pvblk_target *t,
			    const struct virtio_blk_discard_write_zeroes *raw,
			    u32 flags, u32 most)
{
	u32 sectors = le32_to_cpu(raw->num_sectors);

	if (le32_to_cpu(raw->flags) & ~flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > most)
		return VIRTIO_BLK_S_IOERR;
	return pvblk_check_sectors(t, le64_to_cpu(raw->sector), sectors);
}

/*
 * Copies a request's ranges, and checks them. Returns 0, 1 when the request has
 * ended by that, or a negative error.
 */
static int pvblk_ranges_get(const struct pvblk_io *io, struct pvblk_ranges *r,
			    u32 flags, u32 most)
{
	struct pvblk_queue *q = io->req->q;
	unsigned int i, left = 0;
	u32 bytes = 0;
	int err;

	err = pvblk_ranges_read(io, r);
	if (err)
		return err;

	for (i = 0; i < r->n; i++) {
		u8 status = pvblk_range_check(io->target, &r->raw[i], flags,
					      most);

		if (status != VIRTIO_BLK_S_OK) {
			io->req->status = status;
			return 1;
		}
		if (!r->raw[i].num_sectors)
			continue;
		bytes += le32_to_cpu(r->raw[i].num_sectors) << SECTOR_SHIFT;
		r->raw[left++] = r->raw[i];
	}
	r->n = left;
	if (!left)
		return 1;
	if (q->ranged && q->ranged + bytes > PVBLK_RANGED_MAX)
		return -EAGAIN;
	io->req->ranged = bytes;
	q->ranged += bytes;
	return 0;
}

/**
 * pvblk_ranges_release() - undo what the ranges of a request hold
 * @req: the request; one without ranges is allowed
 *
 * Context: the queue's lock held.
 */
void pvblk_ranges_release(struct pvblk_req *req)
{
	lockdep_assert_held(&req->q->vq.lock);
	req->q->ranged -= req->ranged;
	req->ranged = 0;
	kfree(req->ranges);
	req->ranges = NULL;
}

static int pvblk_range_add(struct pvblk_req *req,
			   const struct virtio_blk_discard_write_zeroes *raw,
			   blk_opf_t opf)
{
	return pvblk_bio_add_range(req, le64_to_cpu(raw->sector),
				   le32_to_cpu(raw->num_sectors),
				   opf | REQ_SYNC);
}

static int pvblk_ranges_submit(struct pvblk_req *req, int err)
{
	if (!err)
		pvblk_bio_submit(req);
	return err;
}

int pvblk_issue_discard(struct pvblk_io *io)
{
	blk_opf_t opf = io->target->discard == PVBLK_DISCARD_PASS ?
			REQ_OP_DISCARD : REQ_OP_WRITE_ZEROES;
	struct pvblk_ranges r;
	unsigned int i;
	int err;

	err = pvblk_ranges_get(io, &r, 0, PVBLK_RANGE_SECTORS);
	if (err)
		return err;
	for (i = 0; i < r.n && !err; i++)
		err = pvblk_range_add(io->req, &r.raw[i], opf);
	return pvblk_ranges_submit(io->req, err);
}

int pvblk_issue_secure_erase(struct pvblk_io *io)
{
	struct pvblk_ranges r;
	unsigned int i;
	int err;

	err = pvblk_ranges_get(io, &r, 0, PVBLK_RANGE_SECTORS);
	if (err)
		return err;
	for (i = 0; i < r.n && !err; i++)
		err = pvblk_range_add(io->req, &r.raw[i], REQ_OP_SECURE_ERASE);
	io->req->then_flush = io->target->writethrough;
	return pvblk_ranges_submit(io->req, err);
}

/* Writes the next piece of the ranges. */
static int pvblk_ranges_write(struct pvblk_req *req)
{
	const struct pvblk_target *t = &req->q->dev->target;
	blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC;
	struct pvblk_ranges *r = req->ranges;
	const struct virtio_blk_discard_write_zeroes *raw = &r->raw[r->i];
	u32 left = le32_to_cpu(raw->num_sectors) - r->done;
	u32 part = min_t(u32, left, PVBLK_ZERO_SECTORS);
	int err;

	if (t->writethrough)
		opf |= REQ_FUA;
	req->bytes = 0;
	pvblk_bio_prepare(req, le64_to_cpu(raw->sector) + r->done, opf);
	err = pvblk_bio_add_zeroes(req, part << SECTOR_SHIFT);

	r->done += part;
	if (part == left) {
		r->done = 0;
		r->i++;
	}
	return pvblk_ranges_submit(req, err);
}

/* Some stores find out by trying; the first time they may call it an error. */
static bool pvblk_zeroes_refused(const struct pvblk_req *req)
{
	struct block_device *bdev = req->q->dev->target.bdev;

	return req->status == VIRTIO_BLK_S_UNSUPP ||
	       (req->status == VIRTIO_BLK_S_IOERR &&
		bdev && !bdev_write_zeroes_sectors(bdev));
}

/**
 * pvblk_ranges_go_on() - write zeroes where the store turned out not to
 * @req: the request, no part of which is in flight
 *
 * Context: worker.
 * Return: true if it is in flight again.
 */
bool pvblk_ranges_go_on(struct pvblk_req *req)
{
	struct pvblk_ranges *r = req->ranges;

	if (!r->writing && pvblk_zeroes_refused(req)) {
		r->writing = true;
		req->then_flush = false;
		req->status = VIRTIO_BLK_S_OK;
	}
	if (!r->writing || req->status != VIRTIO_BLK_S_OK || r->i == r->n)
		return false;

	pvblk_bio_release(req, false);
	if (!pvblk_ranges_write(req))
		return true;
	req->status = VIRTIO_BLK_S_IOERR;
	return false;
}

static int pvblk_ranges_zero(struct pvblk_req *req)
{
	const u32 unmap = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	const struct pvblk_ranges *r = req->ranges;
	unsigned int i;
	int err = 0;

	for (i = 0; i < r->n && !err; i++)
		err = pvblk_range_add(req, &r->raw[i],
				      le32_to_cpu(r->raw[i].flags) & unmap ?
				      REQ_OP_WRITE_ZEROES :
				      REQ_OP_WRITE_ZEROES | REQ_NOUNMAP);
	req->then_flush = req->q->dev->target.writethrough;
	return pvblk_ranges_submit(req, err);
}

int pvblk_issue_write_zeroes(struct pvblk_io *io)
{
	bool zeroes = io->target->zeroes;
	struct pvblk_ranges *r;
	int err;

	r = kzalloc(sizeof(*r), GFP_NOIO | __GFP_ACCOUNT);
	if (!r)
		return -ENOMEM;
	err = pvblk_ranges_get(io, r, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
			       zeroes ? PVBLK_RANGE_SECTORS : PVBLK_ZERO_SECTORS);
	/* Without a command for it there is one range of a few pages. */
	if (!err && !zeroes && r->n > 1) {
		io->req->status = VIRTIO_BLK_S_IOERR;
		err = 1;
	}
	if (err) {
		kfree(r);
		return err;
	}

	io->req->ranges = r;
	r->writing = !zeroes;
	return zeroes ? pvblk_ranges_zero(io->req) :
			pvblk_ranges_write(io->req);
}
