/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_RING_H
#define PVIO_BRIDGE_RING_H

#include "session.h"

/* The handlers of messages about one queue return 0 or a negative errno, and have said why. */
int ring_set_num(struct session *s, struct message *m);
int ring_set_base(struct session *s, struct message *m);
int ring_get_base(struct session *s, struct message *m);
int ring_set_addr(struct session *s, struct message *m);
int ring_set_kick(struct session *s, struct message *m);
int ring_set_call(struct session *s, struct message *m);
int ring_set_err(struct session *s, struct message *m);
int ring_enable(struct session *s, struct message *m);

/* Tells the kernel where the queues are that run. One that is in memory no more is stopped. */
void ring_replace_all(struct session *s);

/*
 * Starts those that wait for nothing but memory: it was taken away, and given back. Returns 0, or
 * -ESHUTDOWN where one doesn't start in its memory.
 */
int ring_settle_all(struct session *s);

/* Completes what is in flight, stops, and forgets what the VMM said. */
void ring_reset_all(struct session *s);

#endif
