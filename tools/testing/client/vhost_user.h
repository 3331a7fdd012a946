/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM's side of vhost-user: messages to a back-end that is a process and listens on a Unix
 * socket. Calls return 0 or a negative errno.
 */
#ifndef PVIO_CLIENT_VHOST_USER_H
#define PVIO_CLIENT_VHOST_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/vhost.h>

#include "gmem.h"

/* The numbers of the vhost-user specification. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_GET_CONFIG = 24,
};

#define VHOST_USER_F_PROTOCOL_FEATURES	30

#define VHOST_USER_PROTOCOL_F_MQ	0
#define VHOST_USER_PROTOCOL_F_REPLY_ACK	3
#define VHOST_USER_PROTOCOL_F_CONFIG	9

int vhost_user_connect(const char *path, int *sock);

/* A message whose answer is a number. */
int vhost_user_get(int sock, enum vhost_user_request request, uint64_t *value);
/* One that carries a number; waits for the answer where @ack says that answers were agreed on. */
int vhost_user_set(int sock, enum vhost_user_request request, uint64_t value, bool ack);
int vhost_user_get_config(int sock, void *buf, uint32_t len);
int vhost_user_set_mem(int sock, const struct gmem *m, unsigned int count, bool ack);
int vhost_user_set_state(int sock, enum vhost_user_request request, unsigned int queue,
			 unsigned int num, bool ack);
int vhost_user_set_addr(int sock, const struct vhost_vring_addr *addr, bool ack);
int vhost_user_set_fd(int sock, enum vhost_user_request request, unsigned int queue, int fd,
		      bool ack);
/* Stops a queue; @base is where. */
int vhost_user_stop(int sock, unsigned int queue, unsigned int *base);

#endif
