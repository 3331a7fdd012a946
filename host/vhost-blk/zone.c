// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zoned stores (virtio 1.4, 5.2.6): reports, the states of zones, appending.
 * What the store may take its time for is done in the pool.
 */
#include <linux/bitmap.h>
#include <linux/log2.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "zone.h"
#include "blkdev_compat.h"

/* The pieces of guest memory that eight bytes can be in. */
#define PVBLK_ANSWER_SEGS	8

/**
 * struct pvblk_append - what appending needs beside a write
 * @nseg: pieces in @seg
 * @seg: where the guest wants to be told the sector
 * @vec: vectors: one bio has them all, because an append can't be split
 */
struct pvblk_append {
	unsigned int nseg;
	struct pvmem_seg seg[PVBLK_ANSWER_SEGS];
	struct bio_vec vec[PVBLK_SEG_MAX];
};

static int pvblk_zone_note(struct blk_zone *zone, unsigned int idx, void *data)
{
	if (zone->type == BLK_ZONE_TYPE_CONVENTIONAL)
		__set_bit(idx, data);
	return 0;
}

/**
 * pvblk_zones_probe() - find out about the zones of a store
 * @store: a store on a zoned block device
 *
 * Context: may sleep.
 * Return: 0; -EOPNOTSUPP where it can't be appended to, -ENOMEM, or the error
 * of the store.
 */
int pvblk_zones_probe(struct pvblk_store *store)
{
	struct block_device *bdev = store->bdev;
	unsigned int nr = bdev_nr_zones(bdev);
	u32 sectors = bdev_zone_sectors(bdev);
	unsigned long *conv;
	int ret;

	if (!nr || bdev_is_partition(bdev) || !is_power_of_2(sectors) ||
	    !bdev_max_zone_append_sectors(bdev))
		return -EOPNOTSUPP;
	conv = kvcalloc(BITS_TO_LONGS(nr), sizeof(long), GFP_KERNEL_ACCOUNT);
	if (!conv)
		return -ENOMEM;

	ret = blkdev_report_zones(bdev, 0, nr, pvblk_zone_note, conv);
	if (ret >= 0 && ret != nr)
		ret = -EIO;
	if (ret < 0) {
		kvfree(conv);
		return ret;
	}
	store->conv_zones = conv;
	store->nr_zones = nr;
	store->zone_sectors = sectors;
	return 0;
}

/**
 * pvblk_zones_fill() - say what requests need to know of a store's zones
 * @t: the result, its @block_mask and @sectors set
 * @store: the store
 */
void pvblk_zones_fill(struct pvblk_target *t, const struct pvblk_store *store)
{
	struct block_device *bdev = store->bdev;
	u32 granularity = bdev_zone_write_granularity(bdev);

	t->conv_zones = store->conv_zones;
	t->nr_zones = store->nr_zones;
	t->zone_sectors = store->zone_sectors;
	/* The device may have got another table since it was looked at. */
	t->sectors = min(t->sectors, (u64)t->nr_zones * t->zone_sectors);
	t->append_sectors = min_t(u32, bdev_max_zone_append_sectors(bdev),
				  min_t(u32, queue_max_segments(bdev_get_queue(bdev)),
					PVBLK_SEG_MAX) << PAGE_SECTORS_SHIFT);
	t->granule_mask = max(granularity, t->block_mask + 1) - 1;
}

/**
 * pvblk_zones_config() - fill in the zones in a configuration space
 * @t: the disk
 * @c: the configuration
 */
void pvblk_zones_config(const struct pvblk_target *t,
			struct virtio_blk_config *c)
{
	if (!t->conv_zones)
		return;

	c->zoned.zone_sectors = __cpu_to_virtio32(true, t->zone_sectors);
	c->zoned.max_open_zones =
		__cpu_to_virtio32(true, bdev_max_open_zones(t->bdev));
	c->zoned.max_active_zones =
		__cpu_to_virtio32(true, bdev_max_active_zones(t->bdev));
	c->zoned.max_append_sectors = __cpu_to_virtio32(true, t->append_sectors);
	c->zoned.write_granularity = __cpu_to_virtio32(true, t->granule_mask + 1);
	c->zoned.model = VIRTIO_BLK_Z_HM;
}

/* Is there a zone at a sector that must be written in order? */
static bool pvblk_zone_sequential(const struct pvblk_target *t, u64 sector)
{
	u64 zone = sector >> ilog2(t->zone_sectors);

	return sector < READ_ONCE(t->sectors) && zone < t->nr_zones &&
	       !test_bit(array_index_nospec(zone, t->nr_zones), t->conv_zones);
}

static bool pvblk_zone_begins(const struct pvblk_target *t, u64 sector)
{
	/* The kernel knows no zones of other sizes than powers of two. */
	return !(sector & (t->zone_sectors - 1));
}

/**
 * pvblk_zone_status() - what the guest is told of an error of a zoned store
 * @status: the error
 * @req: the request
 *
 * Return: VIRTIO_BLK_S_*.
 */
u8 pvblk_zone_status(blk_status_t status, const struct pvblk_req *req)
{
	if (status == BLK_STS_ZONE_OPEN_RESOURCE)
		return VIRTIO_BLK_S_ZONE_OPEN_RESOURCE;
	if (status == BLK_STS_ZONE_ACTIVE_RESOURCE)
		return VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE;
	return op_is_zone_mgmt(bio_op(&req->first.bio)) ?
		VIRTIO_BLK_S_ZONE_INVALID_CMD : VIRTIO_BLK_S_IOERR;
}

/**
 * pvblk_zone_check_write() - may the guest write sectors by zones' rules
 * @t: the disk
 * @sector: the first one
 * @sectors: how many, not beyond the disk's end
 *
 * Where the write pointer is the store alone knows.
 *
 * Return: VIRTIO_BLK_S_*.
 */
u8 pvblk_zone_check_write(const struct pvblk_target *t, u64 sector, u32 sectors)
{
	u64 last = sector + sectors - 1;

	if (!t->conv_zones || !sectors ||
	    !pvblk_zone_sequential(t, sector))
		return VIRTIO_BLK_S_OK;
	if (((sector | sectors) << SECTOR_SHIFT) & t->granule_mask)
		return VIRTIO_BLK_S_ZONE_UNALIGNED_WP;
	if ((sector ^ last) & ~((u64)t->zone_sectors - 1))
		return VIRTIO_BLK_S_ZONE_INVALID_CMD;
	return VIRTIO_BLK_S_OK;
}

u8 pvblk_prepare_zone_report(const struct pvblk_io *io)
{
	if (!io->target->conv_zones)
		return VIRTIO_BLK_S_UNSUPP;
	if (io->len < sizeof(struct virtio_blk_zone_report) ||
	    io->sector >= READ_ONCE(io->target->sectors))
		return VIRTIO_BLK_S_ZONE_INVALID_CMD;
	return VIRTIO_BLK_S_OK;
}

u8 pvblk_prepare_zone_mgmt(const struct pvblk_io *io)
{
	const struct pvblk_target *t = io->target;

	if (!t->conv_zones)
		return VIRTIO_BLK_S_UNSUPP;
	if (t->readonly)
		return VIRTIO_BLK_S_IOERR;
	if (!pvblk_zone_begins(t, io->sector) ||
	    !pvblk_zone_sequential(t, io->sector))
		return VIRTIO_BLK_S_ZONE_INVALID_CMD;
	return VIRTIO_BLK_S_OK;
}

u8 pvblk_prepare_zone_reset_all(const struct pvblk_io *io)
{
	if (!io->target->conv_zones)
		return VIRTIO_BLK_S_UNSUPP;
	return io->target->readonly ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

u8 pvblk_prepare_zone_append(const struct pvblk_io *io)
{
	u8 status = pvblk_prepare_zone_mgmt(io);

	if (status != VIRTIO_BLK_S_OK)
		return status;
	if (io->answer_len != sizeof(__le64))
		return VIRTIO_BLK_S_IOERR;
	if (!io->len || io->len & io->target->granule_mask)
		return VIRTIO_BLK_S_ZONE_UNALIGNED_WP;
	if (io->len >> SECTOR_SHIFT > io->target->append_sectors)
		return VIRTIO_BLK_S_ZONE_INVALID_CMD;
	return VIRTIO_BLK_S_OK;
}

/* A zone has no data: its bio is one of no bytes. */
static int pvblk_zone_submit(struct pvblk_io *io, enum req_op op)
{
	pvblk_bio_prepare(io->req, io->sector, op | REQ_SYNC);
	pvblk_bio_submit(io->req);
	return 0;
}

int pvblk_issue_zone_open(struct pvblk_io *io)
{
	return pvblk_zone_submit(io, REQ_OP_ZONE_OPEN);
}

int pvblk_issue_zone_close(struct pvblk_io *io)
{
	return pvblk_zone_submit(io, REQ_OP_ZONE_CLOSE);
}

int pvblk_issue_zone_finish(struct pvblk_io *io)
{
	return pvblk_zone_submit(io, REQ_OP_ZONE_FINISH);
}

int pvblk_issue_zone_reset(struct pvblk_io *io)
{
	return pvblk_zone_submit(io, REQ_OP_ZONE_RESET);
}

int pvblk_issue_zone_reset_all(struct pvblk_io *io)
{
	io->sector = 0;
	return pvblk_zone_submit(io, REQ_OP_ZONE_RESET_ALL);
}

int pvblk_issue_zone_report(struct pvblk_io *io)
{
	struct pvblk_req *req = io->req;
	int err;

	err = pvblk_bounce_make(req, io->seg, io->nseg, io->len);
	if (err)
		return err;
	pvblk_bio_prepare(req, io->sector, REQ_OP_DRV_IN);
	pvblk_bio_submit(req);
	return 0;
}

static int pvblk_append_make(struct pvblk_io *io)
{
	struct pvblk_append *a;
	unsigned int i;

	a = kmalloc(sizeof(*a), GFP_NOIO | __GFP_ACCOUNT);
	if (!a)
		return -ENOMEM;

	a->nseg = 0;
	for (i = 0; i < io->nanswer; i++)
		if (io->answer[i].len)
			a->seg[a->nseg++] = io->answer[i];
	io->req->append = a;
	return 0;
}

/* Of all writes this one has to fit the store as it is: a copy always does. */
int pvblk_issue_zone_append(struct pvblk_io *io)
{
	blk_opf_t opf = REQ_OP_ZONE_APPEND | REQ_SYNC | REQ_IDLE;
	struct pvblk_req *req = io->req;
	int err;

	err = pvblk_append_make(io);
	if (err)
		return err;
	if (io->target->writethrough)
		opf |= REQ_FUA;
	pvblk_bio_prepare_vecs(req, io->sector, opf, req->append->vec,
			       ARRAY_SIZE(req->append->vec));
	err = pvblk_bio_add_bounced(req, io->seg, io->nseg, io->len);
	if (unlikely(!pvdev_vq_view_current(&req->q->vq, req->view)))
		return -ESTALE;
	if (err)
		return err;
	pvblk_bio_submit(req);
	return 0;
}

/**
 * pvblk_append_answer() - tell the guest where its data went
 * @req: an append that has succeeded
 *
 * Context: worker.
 * Return: as for pvdev_vq_write().
 */
int pvblk_append_answer(struct pvblk_req *req)
{
	__le64 sector = cpu_to_le64(req->first.bio.bi_iter.bi_sector);
	struct pvblk_append *a = req->append;
	void *from = &sector;
	unsigned int i;
	int err = 0;

	for (i = 0; i < a->nseg && !err; i++) {
		err = pvdev_vq_write(&req->q->vq, req->view, &a->seg[i], from);
		from += a->seg[i].len;
	}
	return err;
}

/**
 * pvblk_append_release() - free what an append needed
 * @req: any request; none of it is in flight
 */
void pvblk_append_release(struct pvblk_req *req)
{
	kfree(req->append);
	req->append = NULL;
}

static int pvblk_zone_describe(struct blk_zone *zone, unsigned int idx,
			       void *data)
{
	struct virtio_blk_zone_report *report = data;
	struct virtio_blk_zone_descriptor *d = &report->zones[idx];

	/* Types and states have the same numbers; newer states are writable ones. */
	d->z_cap = __cpu_to_virtio64(true, zone->capacity);
	d->z_start = __cpu_to_virtio64(true, zone->start);
	d->z_wp = __cpu_to_virtio64(true, zone->wp);
	d->z_type = zone->type;
	d->z_state = zone->cond <= VIRTIO_BLK_ZS_OFFLINE ? zone->cond :
							   VIRTIO_BLK_ZS_IOPEN;
	return 0;
}

static int pvblk_zones_report(struct pvblk_req *req)
{
	struct virtio_blk_zone_report *report = req->bounce->data;
	u32 room = req->bounce->len - sizeof(*report);
	unsigned int nr = room / sizeof(report->zones[0]);
	int ret = 0;

	if (nr)
		ret = blkdev_report_zones(req->q->dev->target.bdev,
					  req->first.bio.bi_iter.bi_sector, nr,
					  pvblk_zone_describe, report);
	if (ret >= 0)
		report->nr_zones = __cpu_to_virtio64(true, ret);
	return min(ret, 0);
}

/**
 * pvblk_zone_slow() - does a part of a request belong into the pool
 * @part: the part, on a block device
 *
 * Return: true if it does.
 */
bool pvblk_zone_slow(const struct pvblk_part *part)
{
	enum req_op op = bio_op(&part->bio);

	return op == REQ_OP_DRV_IN || op == REQ_OP_ZONE_RESET_ALL;
}

static int pvblk_zone_copy(struct blk_zone *zone, unsigned int idx, void *data)
{
	*(struct blk_zone *)data = *zone;
	return 0;
}

/* A store has one error for all that may be wrong with a write; its zone tells more. */
static u8 pvblk_zone_blame(const struct pvblk_req *req)
{
	struct block_device *bdev = req->q->dev->target.bdev;
	u64 end = req->sector + (req->bytes >> SECTOR_SHIFT);
	bool append = bio_op(&req->first.bio) == REQ_OP_ZONE_APPEND;
	struct blk_zone zone = { };

	if (blkdev_report_zones(bdev, req->sector, 1, pvblk_zone_copy,
				&zone) != 1 ||
	    zone.type == BLK_ZONE_TYPE_CONVENTIONAL)
		return VIRTIO_BLK_S_IOERR;
	if (append)
		end += zone.wp - zone.start;
	if (zone.cond >= BLK_ZONE_COND_READONLY &&
	    zone.cond <= BLK_ZONE_COND_OFFLINE)
		return VIRTIO_BLK_S_ZONE_INVALID_CMD;
	if (end > zone.start + zone.capacity)
		return VIRTIO_BLK_S_ZONE_INVALID_CMD;
	return append || req->sector == zone.wp ?
		VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_ZONE_UNALIGNED_WP;
}

/**
 * pvblk_zone_asks() - has a part failed so that its zone must be asked why
 * @part: the part, on a block device
 * @status: how it ended
 *
 * Context: any, also hard interrupts.
 * Return: true if it has.
 */
bool pvblk_zone_asks(const struct pvblk_part *part, blk_status_t status)
{
	enum req_op op = bio_op(&part->bio);

	return status == BLK_STS_IOERR && part->pool &&
	       (op == REQ_OP_ZONE_APPEND || op == REQ_OP_WRITE);
}

/**
 * pvblk_zone_do() - do a part on a zoned store, and wait for it
 * @part: the part; it ends by pvblk_part_done()
 *
 * Context: a thread of the pool.
 */
void pvblk_zone_do(struct pvblk_part *part)
{
	struct pvblk_req *req = part->bio.bi_private;
	struct block_device *bdev = req->q->dev->target.bdev;
	unsigned int flags = memalloc_noio_save();
	int err = 0;

	switch (bio_op(&part->bio)) {
	case REQ_OP_DRV_IN:
		err = pvblk_zones_report(req);
		break;
	case REQ_OP_ZONE_RESET_ALL:
		err = blkdev_zone_mgmt(bdev, REQ_OP_ZONE_RESET, 0,
				       bdev_nr_sectors(bdev));
		break;
	default:
		WRITE_ONCE(req->status, pvblk_zone_blame(req));
		break;
	}
	memalloc_noio_restore(flags);
	if (err)
		WRITE_ONCE(req->status, VIRTIO_BLK_S_IOERR);
	pvblk_part_done(part);
}
