/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel tells of its sockets, as ss does: needs its module vsock_diag. */
#ifndef PVIO_SELFTEST_VSOCK_DIAG_H
#define PVIO_SELFTEST_VSOCK_DIAG_H

#include <stdint.h>
#include <sys/socket.h>
#include <linux/vm_sockets_diag.h>

/* Calls @fn for each socket. Returns 0 or a negative errno. */
int vsock_diag_each(void (*fn)(const struct vsock_diag_msg *m, void *arg), void *arg);
/* How many are connected to that CID, or are to be, or a negative errno. */
int vsock_diag_count(uint32_t cid);

#endif
