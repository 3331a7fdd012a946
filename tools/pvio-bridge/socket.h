/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_SOCKET_H
#define PVIO_BRIDGE_SOCKET_H

#include <stdbool.h>

struct options;

/*
 * The socket that the options name, or that systemd handed over. @listens tells whether VMMs
 * connect to it, or one has. Returns its descriptor or a negative errno, and has said why.
 */
int socket_get(const struct options *o, bool *listens);

/* A VMM that connects; -EAGAIN where there is none. */
int socket_accept(int sock);

/* Tells systemd, if that has started this process, that VMMs can connect (sd_notify(3)). */
void socket_notify(void);

#endif
