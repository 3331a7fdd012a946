/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_PVIO_VHOST_BLK_H
#define _UAPI_LINUX_PVIO_VHOST_BLK_H

#include <linux/types.h>
#include <linux/vhost.h>
#include <linux/virtio_blk.h>

/*
 * /dev/vhost-blk: the ioctls beside the generic ones of linux/vhost.h. Its
 * configuration space is read and written by VHOST_VDPA_GET_CONFIG,
 * VHOST_VDPA_SET_CONFIG, VHOST_VDPA_GET_CONFIG_SIZE, and a change of it is told
 * by the event of VHOST_VDPA_SET_CONFIG_CALL.
 */

/*
 * The store: @index 0, and in @fd a descriptor of a block device or of a file. It starts
 * every queue that has a size and a ring. Without the right to write the disk is
 * read-only. @fd -1 completes what is in flight and stops all queues.
 */
#define VHOST_BLK_SET_BACKEND	_IOW(VHOST_VIRTIO, 0xFF, struct vhost_vring_file)

/* What VIRTIO_BLK_T_GET_ID answers. */
#define VHOST_BLK_SET_SERIAL	_IOW(VHOST_VIRTIO, 0xFE, char[VIRTIO_BLK_ID_BYTES])

/*
 * How worn the store is, as struct virtio_blk_lifetime tells the guest in the
 * CPU's byte order. The guest is offered it (VIRTIO_BLK_F_LIFETIME) if it is said
 * before VHOST_BLK_SET_BACKEND, and can be told news of it later. @reserved is 0.
 */
struct vhost_blk_lifetime {
	__u16 pre_eol_info;
	__u16 typ_a;
	__u16 typ_b;
	__u16 reserved;
};

#define VHOST_BLK_SET_LIFETIME	_IOW(VHOST_VIRTIO, 0xFB, struct vhost_blk_lifetime)

/* Take up the size that the store has now. */
#define VHOST_BLK_RESIZE	_IO(VHOST_VIRTIO, 0xFC)

/*
 * With 1 the store may be written by other disks at the same time that say so too; told
 * before VHOST_BLK_SET_BACKEND, 0 by default.
 */
#define VHOST_BLK_SET_SHARED	_IOW(VHOST_VIRTIO, 0xFA, int)

/*
 * How many threads serve the queues, in turn, from the next start on; without it
 * each queue has its own.
 */
#define VHOST_SET_NWORKERS	_IOW(VHOST_VIRTIO, 0x1F, int)

#endif
