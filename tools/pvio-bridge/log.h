/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_LOG_H
#define PVIO_BRIDGE_LOG_H

#include "session.h"

/* Both return 0 or a negative errno, and have said why. */
int log_set(struct session *s, const struct vhost_user_log *l, int fd);

/*
 * Is there a bit for each page of @len bytes at a guest physical address. Without a log there need
 * not.
 */
int log_covers(struct session *s, uint64_t addr, uint64_t len);

/* The same for what is written of a ring. */
int log_covers_ring(const struct session *s, const struct ring *r);

/* No queue logs any more. */
void log_drop(struct session *s);

#endif
