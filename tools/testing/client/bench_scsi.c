// SPDX-License-Identifier: GPL-2.0-only
/* Reads and writes as SCSI commands: READ(10) and WRITE(10), in blocks of 512 bytes. */
#include <errno.h>
#include <string.h>

#include "bench.h"

#define READ_10		0x28
#define WRITE_10	0x2a
#define UNSET		0xff
#define TRIES		8

static void make(struct blk *b, struct bench_io *io, bool write)
{
	static const uint8_t unit[8] = { 1, 1, 0x40, 0 };
	void *buf = gmem_alloc(&b->mem, BENCH_LEN, BENCH_LEN);

	io->r.mem = &b->mem;
	io->r.count = 0;
	io->cmd = gmem_alloc(&b->mem, sizeof(*io->cmd), 64);
	io->resp = gmem_alloc(&b->mem, sizeof(*io->resp), 64);
	/* Target 1, as its group is called, and its first unit. */
	memcpy(io->cmd->lun, unit, sizeof(unit));
	io->cmd->tag = (uintptr_t)io;
	io->cmd->cdb[0] = write ? WRITE_10 : READ_10;
	io->cmd->cdb[8] = BENCH_SECTORS;
	blk_req_piece(&io->r, io->cmd, sizeof(*io->cmd), false);
	if (write)
		blk_req_piece(&io->r, buf, BENCH_LEN, false);
	blk_req_piece(&io->r, io->resp, sizeof(*io->resp), true);
	if (!write)
		blk_req_piece(&io->r, buf, BENCH_LEN, true);
}

static void aim(struct bench_io *io, uint64_t sector)
{
	uint32_t be = htobe32((uint32_t)sector);

	memcpy(&io->cmd->cdb[2], &be, sizeof(be));
	io->resp->status = UNSET;
	io->resp->response = UNSET;
}

static bool good(const struct bench_io *io)
{
	const volatile struct virtio_scsi_cmd_resp *resp = io->resp;

	return !resp->status && resp->response == VIRTIO_SCSI_S_OK;
}

/* A unit tells what happened to it, one thing a command, before it does anything. */
static int settle(struct blk *b, struct bench_io *io)
{
	int err, i;

	for (i = 0; i < TRIES; i++) {
		io->r.done = false;
		aim(io, 0);
		err = blk_submit(b, 0, &io->r);
		if (!err)
			err = blk_wait(b, 0, &io->r);
		if (err)
			return err;
		if (good(io))
			return 0;
	}
	return -EIO;
}

const struct bench_kind bench_scsi = { make, aim, good, settle };
