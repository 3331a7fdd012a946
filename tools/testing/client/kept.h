/* SPDX-License-Identifier: GPL-2.0-only */
/* A VMM that loses its vhost-user back-end, and goes on with the next one. */
#ifndef PVIO_CLIENT_KEPT_H
#define PVIO_CLIENT_KEPT_H

#include "blk.h"
#include "vhost_user.h"

/*
 * struct kept - what a VMM keeps of its connections
 * @b: the disk
 * @fd: the in-flight memory; -1: there is none
 * @desc: of it
 */
struct kept {
	struct blk *b;
	int fd;
	struct vhost_user_inflight desc;
};

/* Starts the open disk with in-flight memory. Returns 0 or a negative errno, like kept_again(). */
int kept_start(struct kept *k, struct blk *b);
/*
 * Connects anew to a back-end that is there again, and goes on; rings as they are. Can be tried
 * again. -EPROTO is a back-end that offers other features than the last one.
 */
int kept_again(struct kept *k);
void kept_end(struct kept *k);

#endif
