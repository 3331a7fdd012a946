/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_BLK_FILE_H
#define _PVIO_VHOST_BLK_FILE_H

#include "blk.h"

struct pvblk_pool *pvblk_pool_start(const struct pvdev *pvdev,
				    enum pvworker_kind kind);
void pvblk_pool_stop(struct pvblk_pool *pool);
void pvblk_pool_add(struct pvblk_pool *pool, struct pvblk_part *part);

void pvblk_file_submit(struct pvblk_part *part);
void pvblk_file_do(struct pvblk_part *part);

#endif
