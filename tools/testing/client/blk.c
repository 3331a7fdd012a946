// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "blk.h"

#define GUEST_IOVA	0x100000000ull
#define SLICE_MS	50

static const uint64_t wanted_features =
	BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
	BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
	BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_FLUSH) |
	BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_RO) |
	BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES) |
	BIT(VIRTIO_BLK_F_SECURE_ERASE) | BIT(VIRTIO_BLK_F_ZONED) | BIT(VIRTIO_BLK_F_LIFETIME);

int64_t blk_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

uint64_t blk_capacity(const struct blk *b)
{
	return le64toh(b->config.capacity);
}

uint32_t blk_block_size(const struct blk *b)
{
	return b->offered & BIT(VIRTIO_BLK_F_BLK_SIZE) ? le32toh(b->config.blk_size) : 512;
}

unsigned int blk_seg_max(const struct blk *b)
{
	unsigned int most = b->num > 3 ? b->num - 2 : 1;
	unsigned int max = b->offered & BIT(VIRTIO_BLK_F_SEG_MAX) ? le32toh(b->config.seg_max) : 1;

	/* The device doesn't know what ring it gets. */
	return max < most ? max : most;
}

static int make_queues(struct blk *b)
{
	bool indirect = b->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	const struct ring_features features = vhost_ring_features(b->features);
	unsigned int q;
	int err = 0;

	b->rings = calloc(b->nqueues, sizeof(*b->rings));
	b->reqs = calloc(b->nqueues, sizeof(*b->reqs));
	if (!b->rings || !b->reqs)
		return -ENOMEM;
	for (q = 0; q < b->nqueues && !err; q++) {
		blk_req_init(b, &b->reqs[q]);
		err = ring_init(&b->rings[q], &b->mem, b->num, indirect ? BLK_MAX_SEGS : 0,
				&features, b->opts.base);
	}
	return err;
}

/* The rings and their tables come on top of what the test asked for. */
static size_t memory_size(const struct blk *b)
{
	size_t rings = (size_t)b->nqueues * b->num * (BLK_MAX_SEGS + 4) * sizeof(struct vring_desc);

	return (b->opts.mem_size + rings + 0xffff) & ~(size_t)0xffff;
}

static int open_rest(struct blk *b)
{
	int err = b->transport->own(b);

	if (!err)
		err = b->transport->read(b);
	if (!err)
		err = gmem_create(&b->mem, b->opts.kind, GUEST_IOVA, memory_size(b));
	if (err)
		return err;
	b->features = b->offered & (wanted_features | b->opts.with) & ~b->opts.without;
	if (!b->opts.name && !b->opts.iotlb)
		b->features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	b->config_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	b->error_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (b->config_fd < 0 || b->error_fd < 0)
		return -errno;
	err = make_queues(b);
	if (!err)
		err = b->transport->map(b);
	return err;
}

static void init(struct blk *b, const struct blk_opts *opts)
{
	memset(b, 0, sizeof(*b));
	b->opts = *opts;
	b->transport = opts->name ? &blk_vdpa : opts->socket ? &blk_user :
		       opts->wwpn ? &blk_scsi : &blk_chr;
	b->v.fd = -1;
	b->mem.fd = -1;
	b->config_fd = -1;
	b->error_fd = -1;
	b->store_fd = -1;
}

int blk_adopt(struct blk *b, const struct blk_opts *opts, int fd)
{
	int err;

	init(b, opts);
	b->v.fd = fd;
	err = open_rest(b);
	if (err)
		blk_close(b);
	return err;
}

int blk_open(struct blk *b, const struct blk_opts *opts)
{
	int err;

	init(b, opts);
	err = b->transport->open(b);
	if (!err)
		err = open_rest(b);
	if (err)
		blk_close(b);
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void blk_close(struct blk *b)
{
	unsigned int q;

	vhost_close(&b->v);
	for (q = 0; b->rings && q < b->nqueues; q++)
		ring_destroy(&b->rings[q]);
	free(b->rings);
	free(b->reqs);
	b->rings = NULL;
	b->reqs = NULL;
	close_fd(&b->config_fd);
	close_fd(&b->error_fd);
	close_fd(&b->store_fd);
	gmem_destroy(&b->mem);
}

int blk_prepare(struct blk *b)
{
	return b->transport->prepare(b);
}

int blk_start(struct blk *b)
{
	int err = blk_prepare(b);

	return err ? err : b->transport->go(b);
}

int blk_reset(struct blk *b)
{
	return b->transport->reset(b);
}

int blk_restart(struct blk *b, uint16_t base)
{
	unsigned int q;
	int err = blk_reset(b);

	if (err)
		return err;
	for (q = 0; q < b->nqueues; q++)
		ring_restart(&b->rings[q], base);
	b->expect_broken = false;
	return blk_start(b);
}

int blk_resume_at(struct blk *b, const unsigned int *bases)
{
	unsigned int q;
	int err = blk_prepare(b);

	for (q = 0; q < b->nqueues && !err; q++)
		err = vhost_set_vring_base(&b->v, q, bases[q]);
	if (!err)
		err = b->transport->go(b);
	for (q = 0; q < b->nqueues && !err; q++)
		ring_kick(&b->rings[q]);
	return err;
}

bool blk_needs_reset(const struct blk *b)
{
	return b->transport->broken(b);
}

bool blk_wait_needs_reset(const struct blk *b)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;

	while (!blk_needs_reset(b)) {
		if (blk_now_ms() > end)
			return false;
		usleep(1000);
	}
	return true;
}

void blk_req_init(struct blk *b, struct blk_req *r)
{
	memset(r, 0, sizeof(*r));
	r->mem = &b->mem;
	r->hdr = gmem_alloc(&b->mem, sizeof(*r->hdr), 16);
	r->status = gmem_alloc(&b->mem, 1, 16);
}

void blk_req_begin(struct blk_req *r, uint32_t type, uint64_t sector)
{
	r->hdr->type = htole32(type);
	r->hdr->ioprio = 0;
	r->hdr->sector = htole64(sector);
	*r->status = BLK_STATUS_UNSET;
	r->count = 0;
	r->done = false;
	r->used_len = 0;
}

void blk_req_piece_iova(struct blk_req *r, uint64_t iova, uint32_t len, bool write)
{
	if (r->count == BLK_MAX_SEGS)
		abort();
	r->segs[r->count++] = (struct ring_seg){ .addr = iova, .len = len, .write = write };
}

void blk_req_piece(struct blk_req *r, const void *p, uint32_t len, bool write)
{
	blk_req_piece_iova(r, gmem_iova(r->mem, p), len, write);
}

void blk_req_usual(struct blk_req *r, uint32_t type, uint64_t sector, const void *buf, uint32_t len)
{
	blk_req_begin(r, type, sector);
	blk_req_piece(r, r->hdr, sizeof(*r->hdr), false);
	if (len)
		blk_req_piece(r, buf, len, !(type & VIRTIO_BLK_T_OUT));
	blk_req_piece(r, r->status, 1, true);
}

int blk_queue(struct blk *b, unsigned int q, struct blk_req *r, enum ring_layout layout)
{
	int head = ring_add(&b->rings[q], r->segs, r->count, layout, r);

	return head < 0 ? head : 0;
}

int blk_submit(struct blk *b, unsigned int q, struct blk_req *r)
{
	bool indirect = b->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	int err = blk_queue(b, q, r, indirect ? RING_INDIRECT : RING_DIRECT);

	if (!err)
		ring_flush(&b->rings[q]);
	return err;
}

int blk_collect(struct blk *b, unsigned int q)
{
	struct blk_req *r;
	uint32_t len;
	int n = 0;

	while ((r = ring_collect(&b->rings[q], &len))) {
		r->used_len = len;
		r->done = true;
		n++;
	}
	return b->rings[q].lied ? -EBADMSG : n;
}

/* One turn of waiting: 0, or why there is no point in going on. */
static int wait_slice(struct blk *b, unsigned int q, int64_t end)
{
	int n;

	if (!ring_wait(&b->rings[q], SLICE_MS)) {
		if (!b->expect_broken && blk_needs_reset(b) && !ring_pending(&b->rings[q]))
			return -EIO;
		if (blk_now_ms() > end)
			return -ETIMEDOUT;
	}
	n = blk_collect(b, q);
	return n < 0 ? n : 0;
}

int blk_wait(struct blk *b, unsigned int q, const struct blk_req *r)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	int err = 0;

	while (!r->done && !err)
		err = wait_slice(b, q, end);
	return r->done ? 0 : err;
}

int blk_drain(struct blk *b, unsigned int q)
{
	int64_t end = blk_now_ms() + BLK_HANG_LIMIT_MS;
	int err = 0;

	while (!err && ring_in_flight(&b->rings[q]))
		err = wait_slice(b, q, end);
	return err;
}

int blk_do(struct blk *b, unsigned int q, struct blk_req *r)
{
	int err = blk_submit(b, q, r);

	if (!err)
		err = blk_wait(b, q, r);
	return err ? err : *(volatile uint8_t *)r->status;
}

int blk_rw(struct blk *b, unsigned int q, uint32_t type, uint64_t sector, const void *buf,
	   uint32_t len)
{
	blk_req_usual(&b->reqs[q], type, sector, buf, len);
	return blk_do(b, q, &b->reqs[q]);
}
