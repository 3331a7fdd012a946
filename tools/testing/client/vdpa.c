// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vdpa.h"

#define STATUS_DRIVER	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)

int vdpa_find(const char *name, char *path, size_t len)
{
	static const char prefix[] = "vhost-vdpa-";
	struct dirent *entry;
	char dir_path[256];
	int err = -ENODEV;
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "/sys/bus/vdpa/devices/%s", name);
	dir = opendir(dir_path);
	if (!dir)
		return -errno;
	while (err && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(path, len, "/dev/%s", entry->d_name);
		err = 0;
	}
	closedir(dir);
	return err;
}

int vdpa_get_device_id(const struct vhost *v, uint32_t *id)
{
	return vhost_ioctl(v, VHOST_VDPA_GET_DEVICE_ID, id);
}

int vdpa_get_status(const struct vhost *v, uint8_t *status)
{
	return vhost_ioctl(v, VHOST_VDPA_GET_STATUS, status);
}

int vdpa_set_status(const struct vhost *v, uint8_t status)
{
	return vhost_ioctl(v, VHOST_VDPA_SET_STATUS, &status);
}

int vdpa_get_vqs_count(const struct vhost *v, uint32_t *count)
{
	return vhost_ioctl(v, VHOST_VDPA_GET_VQS_COUNT, count);
}

int vdpa_get_vring_num(const struct vhost *v, uint16_t *num)
{
	return vhost_ioctl(v, VHOST_VDPA_GET_VRING_NUM, num);
}

int vdpa_get_config_size(const struct vhost *v, uint32_t *size)
{
	return vhost_ioctl(v, VHOST_VDPA_GET_CONFIG_SIZE, size);
}

static struct vhost_vdpa_config *config_message(uint32_t off, uint32_t len)
{
	struct vhost_vdpa_config *c = calloc(1, sizeof(*c) + len);

	if (c) {
		c->off = off;
		c->len = len;
	}
	return c;
}

int vdpa_get_config(const struct vhost *v, uint32_t off, void *buf, uint32_t len)
{
	struct vhost_vdpa_config *c = config_message(off, len);
	int err;

	if (!c)
		return -ENOMEM;
	err = vhost_ioctl(v, VHOST_VDPA_GET_CONFIG, c);
	if (!err)
		memcpy(buf, c->buf, len);
	free(c);
	return err;
}

int vdpa_set_config(const struct vhost *v, uint32_t off, const void *buf, uint32_t len)
{
	struct vhost_vdpa_config *c = config_message(off, len);
	int err;

	if (!c)
		return -ENOMEM;
	memcpy(c->buf, buf, len);
	err = vhost_ioctl(v, VHOST_VDPA_SET_CONFIG, c);
	free(c);
	return err;
}

int vdpa_set_config_call(const struct vhost *v, int fd)
{
	return vhost_ioctl(v, VHOST_VDPA_SET_CONFIG_CALL, &fd);
}

int vdpa_set_vring_enable(const struct vhost *v, unsigned int queue, unsigned int enable)
{
	struct vhost_vring_state s = { .index = queue, .num = enable };

	return vhost_ioctl(v, VHOST_VDPA_SET_VRING_ENABLE, &s);
}

int vdpa_suspend(const struct vhost *v)
{
	return vhost_ioctl(v, VHOST_VDPA_SUSPEND, NULL);
}

int vdpa_resume(const struct vhost *v)
{
	return vhost_ioctl(v, VHOST_VDPA_RESUME, NULL);
}

int vdpa_negotiate(const struct vhost *v, uint64_t features)
{
	uint8_t status;
	int err = vdpa_set_status(v, STATUS_DRIVER);

	if (!err)
		err = vhost_set_features(v, features);
	if (!err)
		err = vdpa_set_status(v, STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
	if (!err)
		err = vdpa_get_status(v, &status);
	if (!err && !(status & VIRTIO_CONFIG_S_FEATURES_OK))
		err = -EPROTO;
	return err;
}

int vdpa_driver_ok(const struct vhost *v)
{
	uint8_t status;
	int err = vdpa_set_status(v, STATUS_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
				     VIRTIO_CONFIG_S_DRIVER_OK);

	if (!err)
		err = vdpa_get_status(v, &status);
	if (!err && !(status & VIRTIO_CONFIG_S_DRIVER_OK))
		err = -EPROTO;
	return err;
}
