/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMM's side of vhost-user: messages to a back-end that is a process and listens on a Unix
 * socket. Calls return 0 or a negative errno; -EREMOTEIO is the back-end's refusal.
 */
#ifndef PVIO_CLIENT_VHOST_USER_H
#define PVIO_CLIENT_VHOST_USER_H

#include <stdbool.h>

#include "../../pvio-bridge/protocol.h"
#include "gmem.h"

int vhost_user_connect(const char *path, int *sock);

/* Anything at all, with up to VHOST_USER_TABLE_MAX descriptors; for what is wrong, too. */
int vhost_user_send(int sock, const struct vhost_user_header *head, const void *payload,
		    const int *fds, unsigned int nfds);
/*
 * An answer, or a request of the back-end's: its payload, which has @size bytes of room and gets as
 * many as there are, and a descriptor where one comes along and @fd is not NULL.
 */
int vhost_user_receive(int sock, struct vhost_user_header *head, void *payload, uint32_t size,
		       int *fd);

/* A message that has an answer of its own, of the same size, in @payload. */
int vhost_user_ask(int sock, enum vhost_user_request request, void *payload, uint32_t size,
		   uint32_t answers, int *fd);
/* One that has none; waits for success or failure where @ack says that this was agreed on. */
int vhost_user_tell(int sock, enum vhost_user_request request, const void *payload, uint32_t size,
		    const int *fds, unsigned int nfds, bool ack);

int vhost_user_get(int sock, enum vhost_user_request request, uint64_t *value);
int vhost_user_set(int sock, enum vhost_user_request request, uint64_t value, bool ack);
int vhost_user_get_config(int sock, void *buf, uint32_t len);
int vhost_user_set_config(int sock, uint32_t offset, const void *buf, uint32_t len, uint32_t flags,
			  bool ack);
int vhost_user_set_mem(int sock, const struct gmem *m, unsigned int count, bool ack);
/* One region, by VHOST_USER_ADD_MEM_REG or REM_MEM_REG. */
int vhost_user_slot(int sock, enum vhost_user_request request, const struct gmem *m, bool ack);
int vhost_user_set_state(int sock, enum vhost_user_request request, unsigned int queue,
			 unsigned int num, bool ack);
int vhost_user_set_addr(int sock, const struct vhost_vring_addr *addr, bool ack);
int vhost_user_set_fd(int sock, enum vhost_user_request request, unsigned int queue, int fd,
		      bool ack);
/* Stops a queue; @base is where. */
int vhost_user_stop(int sock, unsigned int queue, unsigned int *base);
/* Memory for what is in flight: its descriptor is the caller's. */
int vhost_user_get_inflight(int sock, struct vhost_user_inflight *desc, int *fd);
int vhost_user_set_inflight(int sock, const struct vhost_user_inflight *desc, int fd, bool ack);
int vhost_user_set_log(int sock, uint64_t size, uint64_t offset, int fd);

#endif
