/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PVIO_BRIDGE_MESSAGE_H
#define PVIO_BRIDGE_MESSAGE_H

#include <stddef.h>

#include "protocol.h"

/*
 * struct message - one message, and the descriptors that came with it
 * @head: as on the wire
 * @payload: @head.size bytes
 * @got: bytes of both that have come
 * @fd: the descriptors; -1: taken
 * @nfds: how many came
 */
struct message {
	struct vhost_user_header head;
	union vhost_user_payload payload;
	size_t got;
	int fd[VHOST_USER_TABLE_MAX];
	unsigned int nfds;
};

/* Forgets a message, and closes the descriptors that nobody took. */
void message_clear(struct message *m);

/*
 * Reads on from a socket that doesn't block. Returns 1 when the message is whole, 0 when there is
 * more to come, -ECONNRESET at the end of the connection, -EBADMSG for what is no message, or
 * another negative errno.
 */
int message_receive(struct message *m, int sock);

/* The descriptor is the caller's from now on. */
int message_take_fd(struct message *m, unsigned int i);

/*
 * Sends head and payload, and @fd beside them unless it is -1. Returns 0 or a negative errno: who
 * doesn't read what he asked for is not waited for (-EAGAIN).
 */
int message_send(int sock, const struct vhost_user_header *head, const void *payload, int fd);

#endif
