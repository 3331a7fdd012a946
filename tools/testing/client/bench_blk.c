// SPDX-License-Identifier: GPL-2.0-only
#include "bench.h"

static void make(struct blk *b, struct bench_io *io, bool write)
{
	blk_req_init(b, &io->r);
	blk_req_usual(&io->r, write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN, 0,
		      gmem_alloc(&b->mem, BENCH_LEN, BENCH_LEN), BENCH_LEN);
}

static void aim(struct bench_io *io, uint64_t sector)
{
	io->r.hdr->sector = htole64(sector);
	*io->r.status = BLK_STATUS_UNSET;
}

static bool good(const struct bench_io *io)
{
	return *(volatile uint8_t *)io->r.status == VIRTIO_BLK_S_OK;
}

static int settle(struct blk *b, struct bench_io *io)
{
	(void)b;
	(void)io;
	return 0;
}

const struct bench_kind bench_blk = { make, aim, good, settle };
