/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_INFLIGHT_H
#define PVIO_BRIDGE_INFLIGHT_H

#include "session.h"

/*
 * VHOST_USER_GET_INFLIGHT_FD: makes the memory, for the VMM to keep. Returns its descriptor, which
 * is the caller's, or a negative errno, and has said why.
 */
int inflight_make(struct session *s, struct vhost_user_inflight *desc);

/* VHOST_USER_SET_INFLIGHT_FD: the descriptor becomes the session's. Returns likewise, or 0. */
int inflight_take(struct session *s, const struct vhost_user_inflight *desc, int fd);

/* Tells the kernel where queue @q, which does not run, keeps what it has in flight. */
int inflight_tell(struct session *s, unsigned int q);

/*
 * The driver has begun anew: nothing is in flight. Returns 0 or a negative errno, and has said
 * why.
 */
int inflight_clear(struct session *s);

/* No queue runs. */
void inflight_drop(struct session *s);

#endif
