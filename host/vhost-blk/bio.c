// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data of a request: guest pages into bios, or a copy where the pages are
 * not fit for the store. Nothing is submitted before all of it is there, so
 * that a request which can't be built leaves no trace.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "file.h"
#include "zone.h"

/**
 * pvblk_part_done() - a part of a request has ended, and its status is set
 * @part: the part; gone when this returns
 *
 * Context: any, also hard interrupts.
 */
void pvblk_part_done(struct pvblk_part *part)
{
	struct pvblk_req *req = part->bio.bi_private;

	if (atomic_dec_and_test(&req->pending))
		pvdev_vq_done(&req->q->vq, &req->done);
}

static u8 pvblk_status(const struct pvblk_req *req, blk_status_t status)
{
	if (status == BLK_STS_NOTSUPP)
		return VIRTIO_BLK_S_UNSUPP;
	if (req->q->dev->target.conv_zones)
		return pvblk_zone_status(status, req);
	return VIRTIO_BLK_S_IOERR;
}

/**
 * pvblk_part_end() - a part of a request has ended
 * @part: the part; gone when this returns
 * @status: how
 *
 * Context: any, also hard interrupts.
 */
void pvblk_part_end(struct pvblk_part *part, blk_status_t status)
{
	struct pvblk_req *req = part->bio.bi_private;

	if (unlikely(status))
		WRITE_ONCE(req->status, pvblk_status(req, status));
	pvblk_part_done(part);
}

static void pvblk_bio_end(struct bio *bio)
{
	struct pvblk_part *part = container_of(bio, struct pvblk_part, bio);

	if (unlikely(bio->bi_status) && pvblk_zone_asks(part, bio->bi_status))
		pvblk_pool_add(part->pool, part);
	else
		pvblk_part_end(part, bio->bi_status);
}

static void pvblk_part_init(struct pvblk_req *req, struct pvblk_part *part,
			    struct bio_vec *vec, unsigned int nvec,
			    blk_opf_t opf)
{
	bio_init(&part->bio, req->q->dev->target.bdev, vec, nvec, opf);
	part->bio.bi_iter.bi_sector = req->sector + (req->bytes >> SECTOR_SHIFT);
	part->bio.bi_private = req;
	part->bio.bi_end_io = pvblk_bio_end;
	part->pool = req->q->dev->pool;
	part->next = NULL;
	req->last = part;
}

/**
 * pvblk_bio_prepare_vecs() - begin a request's first bio
 * @req: the request
 * @sector: where on the disk, in units of 512 bytes
 * @opf: what to do there
 * @vec: vectors for it, which last as long as the request
 * @nvec: how many
 */
void pvblk_bio_prepare_vecs(struct pvblk_req *req, sector_t sector,
			    blk_opf_t opf, struct bio_vec *vec,
			    unsigned int nvec)
{
	req->sector = sector;
	pvblk_part_init(req, &req->first, vec, nvec, opf);
	req->started = true;
}

/**
 * pvblk_bio_prepare() - begin a request's first bio with the vectors it has
 * @req: the request
 * @sector: where on the disk, in units of 512 bytes
 * @opf: what to do there
 */
void pvblk_bio_prepare(struct pvblk_req *req, sector_t sector, blk_opf_t opf)
{
	pvblk_bio_prepare_vecs(req, sector, opf, req->vec, PVBLK_VECS);
}

/* The block layer is told at a block's boundary only: see pvblk_misaligned(). */
static int pvblk_part_grow(struct pvblk_req *req, unsigned int nvec)
{
	struct pvblk_part *prev = req->last, *part;

	part = kmalloc(struct_size(part, vec, nvec),
		       GFP_NOIO | __GFP_ACCOUNT | __GFP_NOWARN);
	if (!part)
		return -ENOMEM;

	pvblk_part_init(req, part, part->vec, nvec, prev->bio.bi_opf);
	prev->next = part;
	return 0;
}

/*
 * Adds a piece of physically contiguous memory, within a page or from a page's
 * start. Whole neighbouring pages share a vector; two pieces of one page don't,
 * because each has a pin of its own.
 */
static int pvblk_bio_add_piece(struct pvblk_req *req, struct page *page,
			       u32 off, u32 len)
{
	struct bio *bio = &req->last->bio;
	int err;

	if (bio->bi_vcnt && !off) {
		struct bio_vec *bv = &bio->bi_io_vec[bio->bi_vcnt - 1];
		u32 end = bv->bv_offset + bv->bv_len;

		if (PAGE_ALIGNED(end) &&
		    bv->bv_page + (end >> PAGE_SHIFT) == page) {
			bv->bv_len += len;
			bio->bi_iter.bi_size += len;
			req->bytes += len;
			return 0;
		}
	}

	if (bio->bi_vcnt == bio->bi_max_vecs) {
		err = pvblk_part_grow(req, BIO_MAX_VECS);
		if (err)
			return err;
		bio = &req->last->bio;
	}
	__bio_add_page(bio, page, len, off);
	req->bytes += len;
	return 0;
}

static int pvblk_bio_add_user(struct pvblk_req *req,
			      const struct pvmem_seg *seg)
{
	unsigned int flags = req->write_guest ? FOLL_WRITE : 0;
	struct page **pages = req->q->pages;
	unsigned long addr = seg->addr;
	u32 left = seg->len;

	while (left) {
		u32 off = offset_in_page(addr);
		int want = min_t(u32, DIV_ROUND_UP(off + left, PAGE_SIZE),
				 PVBLK_PIN_MAX);
		int got = pin_user_pages_fast(addr, want, flags, pages), i;

		if (got <= 0)
			return -EFAULT;
		for (i = 0; i < got; i++) {
			u32 part = min_t(u32, left, PAGE_SIZE - off);

			if (pvblk_bio_add_piece(req, pages[i], off, part)) {
				unpin_user_pages(pages + i, got - i);
				return -ENOMEM;
			}
			off = 0;
			addr += part;
			left -= part;
		}
	}
	return 0;
}

static int pvblk_bio_add_phys(struct pvblk_req *req,
			      const struct pvmem_seg *seg)
{
	unsigned long pfn = PHYS_PFN(seg->addr);

	/* Only an identity region can name frames that have no page. */
	if (!pfn_valid(pfn) || !pfn_valid(PHYS_PFN(seg->addr + seg->len - 1)))
		return -EFAULT;
	return pvblk_bio_add_piece(req, pfn_to_page(pfn),
				   offset_in_page(seg->addr), seg->len);
}

/**
 * pvblk_bio_add() - add guest memory to a request
 * @req: the request, its first bio prepared and @write_guest set
 * @seg: the pieces
 * @nseg: how many
 *
 * Context: worker.
 * Return: 0; -EFAULT where there is no memory, -ENOMEM.
 */
int pvblk_bio_add(struct pvblk_req *req, struct pvmem_seg *seg,
		  unsigned int nseg)
{
	bool user = req->q->vq.ring.kind == PVMEM_USER;
	unsigned int i;
	int err = 0;

	req->pinned = user;
	for (i = 0; i < nseg && !err; i++)
		err = user ? pvblk_bio_add_user(req, &seg[i]) :
			     pvblk_bio_add_phys(req, &seg[i]);
	return err;
}

static struct page *pvblk_bounce_page(const void *addr)
{
	return is_vmalloc_addr(addr) ? vmalloc_to_page(addr) :
				       virt_to_page(addr);
}

static int pvblk_bounce_from_guest(struct pvblk_req *req)
{
	struct pvblk_bounce *b = req->bounce;
	void *to = b->data;
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->nseg && !err; i++) {
		err = pvdev_vq_read(&req->q->vq, req->view, to, &b->seg[i]);
		to += b->seg[i].len;
	}
	return err;
}

/**
 * pvblk_bounce_to_guest() - copy what was read to where the guest wants it
 * @req: a request that has a copy
 *
 * Context: worker.
 * Return: as for pvdev_vq_write().
 */
int pvblk_bounce_to_guest(struct pvblk_req *req)
{
	struct pvblk_bounce *b = req->bounce;
	const void *from = b->data;
	unsigned int i;
	int err = 0;

	for (i = 0; i < b->nseg && !err; i++) {
		err = pvdev_vq_write(&req->q->vq, req->view, &b->seg[i], from);
		from += b->seg[i].len;
	}
	return err;
}

/* Zeroed: a store may call a read good and leave some of it out. */
static struct pvblk_bounce *pvblk_bounce_alloc(const struct pvmem_seg *seg,
					       unsigned int nseg, u32 len)
{
	struct pvblk_bounce *b;

	b = kvmalloc(struct_size(b, seg, nseg), GFP_NOIO | __GFP_ACCOUNT);
	if (!b)
		return NULL;
	/* From a page on it is aligned as any store wants it. */
	b->data = kvzalloc(max_t(u32, len, PAGE_SIZE), GFP_NOIO | __GFP_ACCOUNT);
	if (!b->data) {
		kvfree(b);
		return NULL;
	}
	b->len = len;
	b->nseg = nseg;
	memcpy(b->seg, seg, nseg * sizeof(*seg));
	return b;
}

/**
 * pvblk_bounce_make() - make room for a copy of a request's data
 * @req: the request
 * @seg: the pieces of guest memory
 * @nseg: how many
 * @len: their bytes
 *
 * Context: worker.
 * Return: 0; -EAGAIN when the queue has too much copied data in flight,
 * -ENOMEM.
 */
int pvblk_bounce_make(struct pvblk_req *req, const struct pvmem_seg *seg,
		      unsigned int nseg, u32 len)
{
	struct pvblk_queue *q = req->q;

	if (q->bounced && q->bounced + len > PVBLK_BOUNCE_MAX)
		return -EAGAIN;

	req->bounce = pvblk_bounce_alloc(seg, nseg, len);
	if (!req->bounce)
		return -ENOMEM;
	q->bounced += len;
	return 0;
}

/**
 * pvblk_bio_add_bounced() - add a copy of guest memory to a request
 * @req: the request, its first bio prepared and @write_guest set
 * @seg: the pieces
 * @nseg: how many
 * @len: their bytes
 *
 * Context: worker.
 * Return: 0; -ESTALE when memory has changed since the pop, -EFAULT where there
 * is no memory, and what pvblk_bounce_make() returns.
 */
int pvblk_bio_add_bounced(struct pvblk_req *req, struct pvmem_seg *seg,
			  unsigned int nseg, u32 len)
{
	u32 done, part;
	int err;

	err = pvblk_bounce_make(req, seg, nseg, len);
	if (err)
		return err;
	if (!req->write_guest) {
		err = pvblk_bounce_from_guest(req);
		if (err)
			return err;
	}
	for (done = 0; done < len; done += part) {
		void *data = req->bounce->data + done;

		part = min_t(u32, len - done, PAGE_SIZE - offset_in_page(data));
		err = pvblk_bio_add_piece(req, pvblk_bounce_page(data),
					  offset_in_page(data), part);
		if (err)
			return err;
	}
	return 0;
}

/**
 * pvblk_bio_add_range() - add a range without data to a request
 * @req: the request, without a bio or with such ranges alone
 * @sector: where it begins, in units of 512 bytes
 * @sectors: how long it is
 * @opf: what to do there
 *
 * Context: worker.
 * Return: 0 or -ENOMEM.
 */
int pvblk_bio_add_range(struct pvblk_req *req, sector_t sector, u32 sectors,
			blk_opf_t opf)
{
	int err;

	if (!req->started) {
		pvblk_bio_prepare(req, sector, opf);
	} else {
		req->sector = sector;
		err = pvblk_part_grow(req, 0);
		if (err)
			return err;
	}
	req->last->bio.bi_opf = opf;
	req->last->bio.bi_iter.bi_size = sectors << SECTOR_SHIFT;
	return 0;
}

/**
 * pvblk_bio_add_zeroes() - add zeroes to write to a request
 * @req: the request, its first bio prepared
 * @len: bytes
 *
 * Context: worker.
 * Return: 0 or -ENOMEM.
 */
int pvblk_bio_add_zeroes(struct pvblk_req *req, u32 len)
{
	int err = 0;

	while (len && !err) {
		u32 part = min_t(u32, len, PAGE_SIZE);

		err = pvblk_bio_add_piece(req, ZERO_PAGE(0), 0, part);
		len -= part;
	}
	return err;
}

/**
 * pvblk_bio_submit() - hand a request's bios to the store
 * @req: the request; it may have ended when this returns
 *
 * Context: worker.
 */
void pvblk_bio_submit(struct pvblk_req *req)
{
	bool file = req->q->dev->target.file;
	struct pvblk_part *part, *next;
	int n = 0;

	for (part = &req->first; part; part = part->next)
		n++;
	atomic_set(&req->pending, n);

	for (part = &req->first; part; part = next) {
		/* With the last one submitted @part can be gone. */
		next = part->next;
		if (file)
			pvblk_file_submit(part);
		else if (unlikely(pvblk_zone_slow(part)))
			pvblk_pool_add(part->pool, part);
		else
			submit_bio(&part->bio);
	}
}

static void pvblk_part_unpin(struct pvblk_part *part, bool dirty)
{
	unsigned int i;

	for (i = 0; i < part->bio.bi_vcnt; i++) {
		struct bio_vec *bv = &part->bio.bi_io_vec[i];
		unsigned int end = bv->bv_offset + bv->bv_len;

		unpin_user_page_range_dirty_lock(bv->bv_page, PFN_UP(end), dirty);
	}
}

/**
 * pvblk_bio_release() - free a request's bios, pins and copy
 * @req: the request; no part of it is in flight
 * @dirty: the store has written to its pages
 *
 * Context: may sleep.
 */
void pvblk_bio_release(struct pvblk_req *req, bool dirty)
{
	struct pvblk_part *part = req->started ? &req->first : NULL, *next;

	for (; part; part = next) {
		next = part->next;
		if (req->pinned)
			pvblk_part_unpin(part, dirty);
		bio_uninit(&part->bio);
		if (part != &req->first)
			kfree(part);
	}
	req->started = false;

	if (req->bounce) {
		req->q->bounced -= req->bounce->len;
		kvfree(req->bounce->data);
		kvfree(req->bounce);
		req->bounce = NULL;
	}
}
