/* SPDX-License-Identifier: GPL-2.0-only */
/* A request that is made once and sent again and again, to a virtio disk or to vhost-scsi. */
#ifndef PVIO_CLIENT_BENCH_H
#define PVIO_CLIENT_BENCH_H

#include <linux/virtio_scsi.h>

#include "blk.h"

#define BENCH_LEN	4096u
#define BENCH_SECTORS	(BENCH_LEN / 512)

struct bench_io {
	struct blk_req r;
	struct virtio_scsi_cmd_req *cmd;
	struct virtio_scsi_cmd_resp *resp;
};

struct bench_kind {
	void (*make)(struct blk *b, struct bench_io *io, bool write);
	/* Says where it goes next. */
	void (*aim)(struct bench_io *io, uint64_t sector);
	bool (*good)(const struct bench_io *io);
	/* Gets the device ready, with what is allowed to fail at first. */
	int (*settle)(struct blk *b, struct bench_io *io);
};

extern const struct bench_kind bench_blk, bench_scsi;

#endif
