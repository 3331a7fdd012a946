/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_BLK_ZONE_H
#define _PVIO_VHOST_BLK_ZONE_H

#include "blk.h"

int pvblk_zones_probe(struct pvblk_store *store);
void pvblk_zones_fill(struct pvblk_target *t, const struct pvblk_store *store);
void pvblk_zones_config(const struct pvblk_target *t,
			struct virtio_blk_config *c);

u8 pvblk_prepare_zone_report(const struct pvblk_io *io);
u8 pvblk_prepare_zone_mgmt(const struct pvblk_io *io);
u8 pvblk_prepare_zone_reset_all(const struct pvblk_io *io);
u8 pvblk_prepare_zone_append(const struct pvblk_io *io);
int pvblk_issue_zone_report(struct pvblk_io *io);
int pvblk_issue_zone_open(struct pvblk_io *io);
int pvblk_issue_zone_close(struct pvblk_io *io);
int pvblk_issue_zone_finish(struct pvblk_io *io);
int pvblk_issue_zone_reset(struct pvblk_io *io);
int pvblk_issue_zone_reset_all(struct pvblk_io *io);
int pvblk_issue_zone_append(struct pvblk_io *io);

u8 pvblk_zone_status(blk_status_t status, const struct pvblk_req *req);
u8 pvblk_zone_check_write(const struct pvblk_target *t, u64 sector, u32 sectors);
int pvblk_append_answer(struct pvblk_req *req);
void pvblk_append_release(struct pvblk_req *req);
bool pvblk_zone_slow(const struct pvblk_part *part);
bool pvblk_zone_asks(const struct pvblk_part *part, blk_status_t status);
void pvblk_zone_do(struct pvblk_part *part);

#endif
