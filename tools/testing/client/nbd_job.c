// SPDX-License-Identifier: GPL-2.0-only
/* Commands of the network block device protocol as requests to a virtio disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "nbd_serve.h"
#include "pattern.h"

#define RANGES_MAX	16u

static uint32_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint32_t part_data(struct nbd_queue *q, struct nbd_job *j)
{
	unsigned int i = j->done / NBD_PIECE, n;
	uint32_t off = j->done, part = 0;
	uint32_t len;

	blk_req_begin(&j->req, j->kind->virtio, (j->from + j->done) / SECTOR_SIZE);
	blk_req_piece(&j->req, j->req.hdr, sizeof(*j->req.hdr), false);
	for (n = 0; off < j->len && n < q->server->seg_max; n++, i++) {
		len = least(j->len - off, NBD_PIECE);
		blk_req_piece(&j->req, q->data + (size_t)j->pieces[i] * NBD_PIECE, len,
			      j->kind->answers);
		off += len;
		part += len;
	}
	blk_req_piece(&j->req, j->req.status, 1, true);
	return part;
}

static uint32_t part_ranges(struct nbd_job *j, uint32_t sectors, uint32_t ranges, uint32_t flags)
{
	uint64_t sector = (j->from + j->done) / SECTOR_SIZE;
	uint32_t left = (j->len - j->done) / SECTOR_SIZE, all = 0, n = 0, some;

	for (; left && n < ranges; n++) {
		some = least(left, sectors);
		j->ranges[n] = (struct virtio_blk_discard_write_zeroes){
			.sector = htole64(sector),
			.num_sectors = htole32(some),
			.flags = htole32(flags),
		};
		sector += some;
		left -= some;
		all += some;
	}
	blk_req_usual(&j->req, j->kind->virtio, 0, j->ranges, n * sizeof(*j->ranges));
	return all * SECTOR_SIZE;
}

static uint32_t part_discard(struct nbd_queue *q, struct nbd_job *j)
{
	return part_ranges(j, q->server->discard_sectors, q->server->discard_ranges, 0);
}

static uint32_t part_zeroes(struct nbd_queue *q, struct nbd_job *j)
{
	bool unmap = q->server->zeroes_unmap && !(j->flags & NBD_CMD_FLAG_NO_HOLE);

	return part_ranges(j, q->server->zeroes_sectors, q->server->zeroes_ranges,
			   unmap ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0);
}

static const struct nbd_kind kinds[] = {
	[NBD_CMD_READ] = { .virtio = VIRTIO_BLK_T_IN, .answers = true, .part = part_data },
	[NBD_CMD_WRITE] = { .virtio = VIRTIO_BLK_T_OUT, .pays = true, .part = part_data },
	[NBD_CMD_FLUSH] = { .flushes = true },
	[NBD_CMD_TRIM] = { .virtio = VIRTIO_BLK_T_DISCARD, .part = part_discard },
	[NBD_CMD_WRITE_ZEROES] = { .virtio = VIRTIO_BLK_T_WRITE_ZEROES, .part = part_zeroes },
};

static const struct nbd_kind *kind_of(uint32_t type)
{
	static const struct nbd_kind unknown;

	type &= 0xffff;
	if (type >= sizeof(kinds) / sizeof(*kinds))
		return &unknown;
	return &kinds[type];
}

/* What is wrong with it, before the device is asked. */
static int job_check(struct nbd_queue *q, const struct nbd_job *j)
{
	const struct nbd_server *s = q->server;

	if (!j->kind->part)
		return j->kind->flushes && !j->len ? 0 : -EINVAL;
	if (!j->len || j->len % SECTOR_SIZE || j->from % SECTOR_SIZE)
		return -EINVAL;
	if (j->kind->part == part_discard && !s->discard_sectors)
		return -EOPNOTSUPP;
	if (j->kind->part == part_zeroes && !s->zeroes_sectors)
		return -EOPNOTSUPP;
	if (j->kind->part == part_data && j->len > (uint64_t)s->npieces * NBD_PIECE) {
		if (!q->told++)
			fprintf(stderr, "blk_nbd: %u bytes at a time are refused: room is for %u\n",
				j->len, s->npieces * NBD_PIECE);
		return -EINVAL;
	}
	return 0;
}

static bool take_pieces(struct nbd_queue *q, struct nbd_job *j)
{
	unsigned int n = ((uint64_t)j->len + NBD_PIECE - 1) / NBD_PIECE;

	if (n > q->nfree)
		return false;
	while (j->npieces < n)
		j->pieces[j->npieces++] = q->free[--q->nfree];
	return true;
}

bool nbd_job_begin(struct nbd_queue *q, struct nbd_job *j)
{
	const struct nbd_request *h = &q->header;
	uint32_t type = be32toh(h->type);

	j->kind = kind_of(type);
	j->flags = type;
	j->cookie = h->cookie;
	j->from = be64toh(h->from);
	j->len = be32toh(h->len);
	j->flush = j->kind->flushes ||
		   (type & NBD_CMD_FLAG_FUA && j->kind->part && !j->kind->answers);
	j->received = 0;
	j->done = 0;
	j->npieces = 0;
	j->error = job_check(q, j);
	/* The device may still be at what it did not answer: its memory stays as it is. */
	if (!j->error && nbd_broken(q->server))
		j->error = -EIO;
	if (j->error || j->kind->part != part_data)
		return true;
	return take_pieces(q, j);
}

void nbd_job_end(struct nbd_queue *q, struct nbd_job *j)
{
	while (j->npieces)
		q->free[q->nfree++] = j->pieces[--j->npieces];
}

bool nbd_job_keeps(const struct nbd_job *j)
{
	return j->npieces;
}

int nbd_job_ask(struct nbd_queue *q, struct nbd_job *j)
{
	struct blk *b = q->server->b;
	bool indirect = b->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);

	j->part = 0;
	if (j->done < j->len)
		j->part = j->kind->part(q, j);
	else
		blk_req_usual(&j->req, VIRTIO_BLK_T_FLUSH, 0, NULL, 0);
	return blk_queue(b, q->index, &j->req, indirect ? RING_INDIRECT : RING_DIRECT);
}

static int error_of(uint8_t status)
{
	switch (status) {
	case VIRTIO_BLK_S_OK:
		return 0;
	case VIRTIO_BLK_S_UNSUPP:
		return -EOPNOTSUPP;
	default:
		return -EIO;
	}
}

bool nbd_job_answered(struct nbd_job *j)
{
	uint32_t in = j->kind->answers ? j->part + 1 : 1;

	j->error = error_of(*(volatile uint8_t *)j->req.status);
	if (!j->error && j->req.used_len != in) {
		fprintf(stderr, "blk_nbd: the device says that it wrote %u bytes instead of %u\n",
			j->req.used_len, in);
		j->error = -EIO;
	}
	if (j->error)
		return false;
	if (j->part)
		j->done += j->part;
	else
		j->flush = false;
	return j->done < j->len || j->flush;
}

int nbd_job_iov(const struct nbd_queue *q, const struct nbd_job *j, uint32_t off, struct iovec *iov)
{
	uint32_t in, len;
	int n;

	for (n = 0; off < j->len && n < NBD_IOVS; n++) {
		in = off % NBD_PIECE;
		len = least(j->len - off, NBD_PIECE - in);
		iov[n].iov_base = q->data + (size_t)j->pieces[off / NBD_PIECE] * NBD_PIECE + in;
		iov[n].iov_len = len;
		off += len;
	}
	return n;
}

int nbd_job_init(struct nbd_queue *q, struct nbd_job *j)
{
	struct blk *b = q->server->b;

	blk_req_init(b, &j->req);
	j->ranges = gmem_alloc(&b->mem, RANGES_MAX * sizeof(*j->ranges), 16);
	j->pieces = calloc(q->server->npieces, sizeof(*j->pieces));
	return j->pieces ? 0 : -ENOMEM;
}

void nbd_job_exit(struct nbd_job *j)
{
	free(j->pieces);
	j->pieces = NULL;
}

static void read_limits(struct nbd_server *s)
{
	const struct virtio_blk_config *c = &s->b->config;
	uint64_t features = s->b->features;

	if (features & BIT(VIRTIO_BLK_F_DISCARD)) {
		s->discard_sectors = le32toh(c->max_discard_sectors);
		s->discard_ranges = least(le32toh(c->max_discard_seg), RANGES_MAX);
	}
	if (features & BIT(VIRTIO_BLK_F_WRITE_ZEROES)) {
		s->zeroes_sectors = le32toh(c->max_write_zeroes_sectors);
		s->zeroes_ranges = least(le32toh(c->max_write_zeroes_seg), RANGES_MAX);
		s->zeroes_unmap = c->write_zeroes_may_unmap;
	}
}

size_t nbd_memory(const struct nbd_conf *conf, unsigned int queues)
{
	/* Pieces from their own boundary on; header, status and ranges of each job. */
	return (conf->buffers + 2 * NBD_PIECE + conf->depth * 512) * queues + NBD_PIECE;
}

uint32_t nbd_flags(const struct blk *b)
{
	uint32_t flags = NBD_FLAG_HAS_FLAGS;

	if (b->opts.readonly)
		flags |= NBD_FLAG_READ_ONLY;
	if (b->features & BIT(VIRTIO_BLK_F_FLUSH))
		flags |= NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA;
	if (b->features & BIT(VIRTIO_BLK_F_DISCARD))
		flags |= NBD_FLAG_SEND_TRIM;
	if (b->features & BIT(VIRTIO_BLK_F_WRITE_ZEROES))
		flags |= NBD_FLAG_SEND_WRITE_ZEROES;
	/* A flush of one queue is one of all. */
	if (b->nqueues > 1)
		flags |= NBD_FLAG_CAN_MULTI_CONN;
	return flags;
}

int nbd_job_limits(struct nbd_server *s)
{
	const struct virtio_blk_config *c = &s->b->config;

	if (s->b->features & BIT(VIRTIO_BLK_F_SIZE_MAX) && le32toh(c->size_max) < NBD_PIECE)
		return -EOPNOTSUPP;
	s->seg_max = blk_seg_max(s->b);
	read_limits(s);
	return 0;
}
