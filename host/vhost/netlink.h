/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_NETLINK_H
#define _PVIO_VHOST_NETLINK_H

struct pvdev_vq;

void pvdev_vq_tell(struct pvdev_vq *vq);

int pvnetlink_init(void);
void pvnetlink_exit(void);

#endif
