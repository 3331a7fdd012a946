/* SPDX-License-Identifier: GPL-2.0-only */
/* A vDPA device bound to vhost_vdpa: what /dev/vhost-vdpa-N has beyond other vhost devices. */
#ifndef PVIO_SELFTEST_VDPA_H
#define PVIO_SELFTEST_VDPA_H

#include <stddef.h>
#include <stdint.h>
#include <linux/virtio_config.h>

#include "vhost.h"

#ifndef VHOST_VDPA_SUSPEND
#define VHOST_VDPA_SUSPEND	_IO(VHOST_VIRTIO, 0x7D)
#endif
#ifndef VHOST_VDPA_RESUME
#define VHOST_VDPA_RESUME	_IO(VHOST_VIRTIO, 0x7E)
#endif
#ifndef VHOST_VDPA_GET_VQS_COUNT
#define VHOST_VDPA_GET_VQS_COUNT	_IOR(VHOST_VIRTIO, 0x80, __u32)
#endif

/* Finds the character device of the vDPA device @name. Returns 0 or a negative errno. */
int vdpa_find(const char *name, char *path, size_t len);

int vdpa_get_device_id(const struct vhost *v, uint32_t *id);
int vdpa_get_status(const struct vhost *v, uint8_t *status);
int vdpa_set_status(const struct vhost *v, uint8_t status);
int vdpa_get_vqs_count(const struct vhost *v, uint32_t *count);
int vdpa_get_vring_num(const struct vhost *v, uint16_t *num);
int vdpa_get_config_size(const struct vhost *v, uint32_t *size);
int vdpa_get_config(const struct vhost *v, uint32_t off, void *buf, uint32_t len);
int vdpa_set_config(const struct vhost *v, uint32_t off, const void *buf, uint32_t len);
int vdpa_set_config_call(const struct vhost *v, int fd);
int vdpa_set_vring_enable(const struct vhost *v, unsigned int queue, unsigned int enable);
int vdpa_suspend(const struct vhost *v);
int vdpa_resume(const struct vhost *v);

/*
 * The driver's part of the status handshake: up to FEATURES_OK, and then DRIVER_OK. Either gives
 * -EPROTO where the device does not keep that bit set: it can't go on.
 */
int vdpa_negotiate(const struct vhost *v, uint64_t features);
int vdpa_driver_ok(const struct vhost *v);

#endif
