// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests (virtio 1.4, 5.2.6): one row of a table for each type. Its prepare
 * checks what the guest asked for, its issue does it.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include "zone.h"

/**
 * struct pvblk_type - what to do for a type of request
 * @feature: what the driver must have accepted, VIRTIO_BLK_F_*; 0: nothing
 * @to_guest: its data goes to guest memory
 * @prepare: returns VIRTIO_BLK_S_OK, or the status that ends the request
 * @issue: returns 0 when pvblk_bio_end() is going to end the request, 1 when
 *	it has ended with its status set, or a negative error
 */
struct pvblk_type {
	u8 feature;
	bool to_guest;
	u8 (*prepare)(const struct pvblk_io *io);
	int (*issue)(struct pvblk_io *io);
};

/* Data that is not whole blocks in memory would be split within a block. */
static bool pvblk_misaligned(const struct pvblk_io *io)
{
	u64 all = 0;
	unsigned int i;

	for (i = 0; i < io->nseg; i++)
		all |= io->seg[i].addr | io->seg[i].len;
	return all & io->target->align_mask;
}

/**
 * pvblk_check_sectors() - do sectors make whole blocks of a disk
 * @t: the disk
 * @sector: the first one
 * @sectors: how many
 *
 * Return: VIRTIO_BLK_S_OK or VIRTIO_BLK_S_IOERR.
 */
u8 pvblk_check_sectors(const struct pvblk_target *t, u64 sector, u64 sectors)
{
	/* The disk may be resized meanwhile. */
	u64 end = READ_ONCE(t->sectors);

	if ((sector | sectors) & (t->block_mask >> SECTOR_SHIFT))
		return VIRTIO_BLK_S_IOERR;
	if (sector > end || sectors > end - sector)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static u8 pvblk_prepare_rw(const struct pvblk_io *io)
{
	if (io->len & (SECTOR_SIZE - 1))
		return VIRTIO_BLK_S_IOERR;
	return pvblk_check_sectors(io->target, io->sector,
				   io->len >> SECTOR_SHIFT);
}

static u8 pvblk_prepare_out(const struct pvblk_io *io)
{
	u8 status;

	if (io->target->readonly)
		return VIRTIO_BLK_S_IOERR;
	status = pvblk_prepare_rw(io);
	if (status != VIRTIO_BLK_S_OK || !io->target->conv_zones)
		return status;
	return pvblk_zone_check_write(io->target, io->sector,
				      io->len >> SECTOR_SHIFT);
}

static u8 pvblk_prepare_any(const struct pvblk_io *io)
{
	return VIRTIO_BLK_S_OK;
}

/* What the store writes past us is noted when it has, by the time logging may be on. */
static int pvblk_req_keep(struct pvblk_req *req, const struct pvmem_seg *seg,
			  unsigned int nseg)
{
	if (!req->q->dev->pvdev.logs || !req->write_guest)
		return 0;

	req->kept = req->keep;
	if (nseg > PVBLK_KEPT)
		req->kept = kvmalloc_array(nseg, sizeof(*seg),
					   GFP_NOIO | __GFP_ACCOUNT);
	if (!req->kept)
		return -ENOMEM;
	memcpy(req->kept, seg, nseg * sizeof(*seg));
	req->nkept = nseg;
	return 0;
}

static void pvblk_req_forget_kept(struct pvblk_req *req)
{
	if (unlikely(req->kept && req->kept != req->keep))
		kvfree(req->kept);
	req->kept = NULL;
	req->nkept = 0;
}

static int pvblk_issue_data(struct pvblk_io *io, blk_opf_t opf, bool bounce)
{
	struct pvblk_req *req = io->req;
	int err;

	if (!io->len)
		return 1;

	pvblk_bio_prepare(req, io->sector, opf);
	if (bounce || pvblk_misaligned(io))
		err = pvblk_bio_add_bounced(req, io->seg, io->nseg, io->len);
	else
		err = pvblk_bio_add(req, io->seg, io->nseg) ?:
		      pvblk_req_keep(req, io->seg, io->nseg);

	/* Pinned before it was unmapped, or not at all. */
	if (unlikely(!pvdev_vq_view_current(&req->q->vq, req->view)))
		return -ESTALE;
	if (unlikely(err))
		return err;
	pvblk_bio_submit(req);
	return 0;
}

static int pvblk_issue_in(struct pvblk_io *io)
{
	return pvblk_issue_data(io, REQ_OP_READ, io->target->bounce_reads);
}

static int pvblk_issue_out(struct pvblk_io *io)
{
	blk_opf_t opf = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;

	if (io->target->writethrough)
		opf |= REQ_FUA;
	return pvblk_issue_data(io, opf, io->target->bounce_writes);
}

static int pvblk_issue_flush(struct pvblk_io *io)
{
	if (io->target->readonly)
		return 1;

	pvblk_bio_prepare(io->req, 0, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	pvblk_bio_submit(io->req);
	return 0;
}

/* Answers by as many bytes as the guest has room for. */
static int pvblk_answer(struct pvblk_io *io, const void *from, u32 len)
{
	struct pvblk_req *req = io->req;
	u32 done = 0;
	unsigned int i;

	for (i = 0; i < io->nseg && done < len; i++) {
		struct pvmem_seg seg = io->seg[i];
		int err;

		seg.len = min_t(u32, seg.len, len - done);
		err = pvdev_vq_write(&req->q->vq, req->view, &seg, from + done);
		if (err)
			return err;
		done += seg.len;
	}
	/* What lies behind the answer stays as it was. */
	if (done < io->len)
		req->in_len = done;
	return 1;
}

static int pvblk_issue_get_id(struct pvblk_io *io)
{
	return pvblk_answer(io, io->target->serial, VIRTIO_BLK_ID_BYTES);
}

static u8 pvblk_prepare_get_lifetime(const struct pvblk_io *io)
{
	return io->target->ages ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_UNSUPP;
}

static int pvblk_issue_get_lifetime(struct pvblk_io *io)
{
	u64 lifetime = READ_ONCE(io->target->lifetime);
	const struct virtio_blk_lifetime answer = {
		.pre_eol_info = cpu_to_le16(lifetime),
		.device_lifetime_est_typ_a = cpu_to_le16(lifetime >> 16),
		.device_lifetime_est_typ_b = cpu_to_le16(lifetime >> 32),
	};

	return pvblk_answer(io, &answer, sizeof(answer));
}

static const struct pvblk_type pvblk_types[] = {
	[VIRTIO_BLK_T_IN] = {
		.to_guest = true,
		.prepare = pvblk_prepare_rw,
		.issue = pvblk_issue_in,
	},
	[VIRTIO_BLK_T_OUT] = {
		.prepare = pvblk_prepare_out,
		.issue = pvblk_issue_out,
	},
	[VIRTIO_BLK_T_FLUSH] = {
		.prepare = pvblk_prepare_any,
		.issue = pvblk_issue_flush,
	},
	[VIRTIO_BLK_T_GET_ID] = {
		.to_guest = true,
		.prepare = pvblk_prepare_any,
		.issue = pvblk_issue_get_id,
	},
	[VIRTIO_BLK_T_GET_LIFETIME] = {
		.feature = VIRTIO_BLK_F_LIFETIME,
		.to_guest = true,
		.prepare = pvblk_prepare_get_lifetime,
		.issue = pvblk_issue_get_lifetime,
	},
	[VIRTIO_BLK_T_DISCARD] = {
		.feature = VIRTIO_BLK_F_DISCARD,
		.prepare = pvblk_prepare_discard,
		.issue = pvblk_issue_discard,
	},
	[VIRTIO_BLK_T_WRITE_ZEROES] = {
		.feature = VIRTIO_BLK_F_WRITE_ZEROES,
		.prepare = pvblk_prepare_write_zeroes,
		.issue = pvblk_issue_write_zeroes,
	},
	[VIRTIO_BLK_T_SECURE_ERASE] = {
		.feature = VIRTIO_BLK_F_SECURE_ERASE,
		.prepare = pvblk_prepare_secure_erase,
		.issue = pvblk_issue_secure_erase,
	},
	[VIRTIO_BLK_T_ZONE_APPEND] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.prepare = pvblk_prepare_zone_append,
		.issue = pvblk_issue_zone_append,
	},
	[VIRTIO_BLK_T_ZONE_REPORT] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.to_guest = true,
		.prepare = pvblk_prepare_zone_report,
		.issue = pvblk_issue_zone_report,
	},
	[VIRTIO_BLK_T_ZONE_OPEN] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.prepare = pvblk_prepare_zone_mgmt,
		.issue = pvblk_issue_zone_open,
	},
	[VIRTIO_BLK_T_ZONE_CLOSE] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.prepare = pvblk_prepare_zone_mgmt,
		.issue = pvblk_issue_zone_close,
	},
	[VIRTIO_BLK_T_ZONE_FINISH] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.prepare = pvblk_prepare_zone_mgmt,
		.issue = pvblk_issue_zone_finish,
	},
	[VIRTIO_BLK_T_ZONE_RESET] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.prepare = pvblk_prepare_zone_mgmt,
		.issue = pvblk_issue_zone_reset,
	},
	[VIRTIO_BLK_T_ZONE_RESET_ALL] = {
		.feature = VIRTIO_BLK_F_ZONED,
		.prepare = pvblk_prepare_zone_reset_all,
		.issue = pvblk_issue_zone_reset_all,
	},
};

static const struct pvblk_type *pvblk_type_find(u32 type)
{
	if (type >= ARRAY_SIZE(pvblk_types))
		return NULL;
	type = array_index_nospec(type, ARRAY_SIZE(pvblk_types));
	return pvblk_types[type].issue ? &pvblk_types[type] : NULL;
}

static bool pvblk_type_accepted(const struct pvblk_dev *dev,
				const struct pvblk_type *type)
{
	return likely(!type->feature) ||
	       READ_ONCE(dev->driver_features) & BIT_ULL(type->feature);
}

/* Takes the last writable byte for the status; the rest of the chain is data. */
static void pvblk_req_init(struct pvblk_req *req, const struct pvring_chain *c,
			   struct pvdev_view *view)
{
	struct pvmem_seg *last = &c->seg[c->nout + c->nin - 1];

	req->view = view;
	req->popped_at = req->q->vq.now;
	req->head = c->head;
	req->status = VIRTIO_BLK_S_OK;
	req->write_guest = false;
	req->pinned = false;
	req->started = false;
	req->then_flush = false;
	req->bytes = 0;
	req->in_len = c->in_len;
	req->bounce = NULL;
	req->kept = NULL;
	req->nkept = 0;
	req->append = NULL;
	req->ranges = NULL;
	req->ranged = 0;

	last->len--;
	req->status_seg = (struct pvmem_seg) {
		.addr = last->addr + last->len,
		.iova = last->iova + last->len,
		.len = 1,
	};
}

static void pvblk_io_init(struct pvblk_io *io, struct pvblk_req *req,
			  const struct pvring_chain *c, bool to_guest)
{
	io->req = req;
	io->target = &req->q->dev->target;
	io->seg = c->seg + (to_guest ? c->nout : 0);
	io->nseg = to_guest ? c->nin : c->nout;
	io->len = to_guest ? c->in_len - 1 : c->out_len;
	io->answer = c->seg + c->nout;
	io->nanswer = c->nin;
	io->answer_len = c->in_len - 1;
	if (to_guest && !io->seg[io->nseg - 1].len)
		io->nseg--;
	req->write_guest = to_guest;
}

static int pvblk_req_issue(struct pvblk_req *req, const struct pvring_chain *c)
{
	const struct virtio_blk_outhdr *hdr = (const void *)c->hdr;
	const struct pvblk_type *type;
	struct pvblk_io io;

	req->status = VIRTIO_BLK_S_IOERR;
	if (c->hdr_len < sizeof(*hdr))
		return 1;

	req->status = VIRTIO_BLK_S_UNSUPP;
	type = pvblk_type_find(le32_to_cpu((__force __le32)hdr->type));
	if (!type || !pvblk_type_accepted(req->q->dev, type))
		return 1;

	pvblk_io_init(&io, req, c, type->to_guest);
	io.sector = le64_to_cpu((__force __le64)hdr->sector);
	req->status = type->prepare(&io);
	if (req->status != VIRTIO_BLK_S_OK)
		return 1;
	return type->issue(&io);
}

static void pvblk_req_release_extra(struct pvblk_req *req)
{
	pvblk_req_forget_kept(req);
	if (unlikely(req->append))
		pvblk_append_release(req);
	if (unlikely(req->ranges || req->ranged))
		pvblk_ranges_release(req);
}

/**
 * pvblk_req_start() - start what a chain asks for
 * @q: the queue, its lock held
 * @c: the chain
 * @view: guest memory at its pop; the request owns a reference on success
 *
 * Context: worker.
 * Return: 0: it is on its way or finished; -EAGAIN: it has to wait for others
 * of this queue; -ESTALE: it is to be popped again, -ENXIO: when memory is mapped;
 * -EBADMSG: the chain has no room for a status. Nothing has happened after an
 * error.
 */
int pvblk_req_start(struct pvblk_queue *q, const struct pvring_chain *c,
		    struct pvdev_view *view)
{
	struct pvblk_req *req = &q->req[c->head];
	int ret;

	lockdep_assert_held(&q->vq.lock);
	if (unlikely(!c->in_len))
		return -EBADMSG;

	pvblk_req_init(req, c, view);
	ret = pvblk_req_issue(req, c);
	if (likely(!ret)) {
		q->active++;
		return 0;
	}

	/* Memory that runs short is worth waiting for while others end. */
	if (ret == -ENOMEM && q->active)
		ret = -EAGAIN;
	if (ret == -EAGAIN || ret == -ESTALE || ret == -ENXIO) {
		pvblk_bio_release(req, false);
		pvblk_req_release_extra(req);
		req->view = NULL;
		return ret;
	}
	if (ret < 0)
		req->status = VIRTIO_BLK_S_IOERR;
	/* What a store refused at once may go on in another way. */
	if (!pvblk_req_finish(req, true))
		q->active++;
	return 0;
}

static void pvblk_req_count(const struct pvblk_req *req)
{
	struct pvdev_vq *vq = &req->q->vq;
	/* Zeroes that are written are nobody's data. */
	u32 bytes = req->status == VIRTIO_BLK_S_OK && !req->ranges ?
		    req->bytes : 0;

	pvdev_vq_account(vq, 1, req->popped_at, req->write_guest ? bytes : 0,
			 req->write_guest ? 0 : bytes);
	if (unlikely(req->status != VIRTIO_BLK_S_OK))
		pvstats_add(&vq->stats, req->status == VIRTIO_BLK_S_UNSUPP ?
			    PVSTATS_UNSUPP : PVSTATS_IOERR, 1);
}

/* Writes all that the guest is told. It may be done again after -ENXIO. */
static int pvblk_req_tell(struct pvblk_req *req)
{
	int err = 0;

	/* Of a read that failed a part may be there. */
	if (req->nkept)
		pvdev_vq_log(&req->q->vq, req->kept, req->nkept);
	if (req->status == VIRTIO_BLK_S_OK && req->bounce && req->write_guest)
		err = pvblk_bounce_to_guest(req);
	if (req->status == VIRTIO_BLK_S_OK && req->append && !err)
		err = pvblk_append_answer(req);
	if (err == -ENXIO)
		return err;
	if (err)
		req->status = VIRTIO_BLK_S_IOERR;

	/* Memory that is gone takes its status with it. */
	err = pvdev_vq_write(&req->q->vq, req->view, &req->status_seg,
			     &req->status);
	return err == -ENXIO ? err : 0;
}

static void pvblk_req_complete(struct pvblk_req *req)
{
	struct pvdev_vq *vq = &req->q->vq;
	u32 len;

	/* Bytes from the first writable one on: data of a failure is none. */
	len = req->in_len;
	if ((req->status != VIRTIO_BLK_S_OK ||
	     !(req->write_guest || req->append)) && len > 1)
		len = 0;
	pvring_complete(&vq->ring, req->head, len);
	pvblk_req_count(req);
}

/* Commands that know of no FUA are durable once a flush after them is done. */
static void pvblk_req_flush(struct pvblk_req *req)
{
	pvblk_bio_release(req, false);
	req->then_flush = false;
	req->bytes = 0;
	pvblk_bio_prepare(req, 0, REQ_OP_WRITE | REQ_PREFLUSH | REQ_SYNC);
	pvblk_bio_submit(req);
}

/**
 * pvblk_req_finish() - end a request
 * @req: the request; no part of it is in flight
 * @publish: complete it; otherwise the guest doesn't ask any more
 *
 * Context: the queue's lock held; with @publish the worker.
 * Return: false where it isn't done yet: it is in flight again, or on
 * &pvdev_vq.done again until memory is mapped.
 */
bool pvblk_req_finish(struct pvblk_req *req, bool publish)
{
	lockdep_assert_held(&req->q->vq.lock);
	if (publish && req->ranges && pvblk_ranges_go_on(req))
		return false;
	if (publish && req->then_flush && req->status == VIRTIO_BLK_S_OK) {
		pvblk_req_flush(req);
		return false;
	}

	if (publish && pvblk_req_tell(req)) {
		llist_add(&req->done, &req->q->vq.done);
		return false;
	}

	if (publish)
		pvblk_req_complete(req);
	else
		pvring_forget(&req->q->vq.ring, req->head);

	pvblk_bio_release(req, req->write_guest);
	pvblk_req_release_extra(req);
	pvdev_view_put(req->view);
	req->view = NULL;
	return true;
}
