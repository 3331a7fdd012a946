// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/pvio_vhost.h>

#include "node.h"

#define CONFIG_MAX	256u

int node_call(int node, unsigned long request, void *arg)
{
	return ioctl(node, request, arg) < 0 ? -errno : 0;
}

int node_get_features(int node, uint64_t *features)
{
	return node_call(node, VHOST_GET_FEATURES, features);
}

int node_set_features(int node, uint64_t features)
{
	return node_call(node, VHOST_SET_FEATURES, &features);
}

int node_set_mem(int node, const struct vhost_memory *mem)
{
	return node_call(node, VHOST_SET_MEM_TABLE, (void *)mem);
}

int node_set_log(int node, uint64_t base)
{
	return node_call(node, VHOST_SET_LOG_BASE, &base);
}

int node_set_log_fd(int node, int fd)
{
	return node_call(node, VHOST_SET_LOG_FD, &fd);
}

static int set_state(int node, unsigned long request, unsigned int queue, unsigned int num)
{
	struct vhost_vring_state s = { .index = queue, .num = num };

	return node_call(node, request, &s);
}

int node_set_num(int node, unsigned int queue, unsigned int num)
{
	return set_state(node, VHOST_SET_VRING_NUM, queue, num);
}

int node_set_base(int node, unsigned int queue, unsigned int base)
{
	return set_state(node, VHOST_SET_VRING_BASE, queue, base);
}

int node_get_base(int node, unsigned int queue, unsigned int *base)
{
	struct vhost_vring_state s = { .index = queue };
	int err = node_call(node, VHOST_GET_VRING_BASE, &s);

	*base = s.num;
	return err;
}

int node_enable(int node, unsigned int queue, int on)
{
	return set_state(node, VHOST_VDPA_SET_VRING_ENABLE, queue, !!on);
}

static int set_file(int node, unsigned long request, unsigned int queue, int fd)
{
	struct vhost_vring_file f = { .index = queue, .fd = fd };

	return node_call(node, request, &f);
}

int node_set_kick(int node, unsigned int queue, int fd)
{
	return set_file(node, VHOST_SET_VRING_KICK, queue, fd);
}

int node_set_call(int node, unsigned int queue, int fd)
{
	return set_file(node, VHOST_SET_VRING_CALL, queue, fd);
}

int node_set_err(int node, unsigned int queue, int fd)
{
	return set_file(node, VHOST_SET_VRING_ERR, queue, fd);
}

int node_set_inflight(int node, unsigned int queue, uint64_t addr, uint64_t size)
{
	struct vhost_vring_inflight in = { .index = queue, .addr = addr, .size = size };

	return node_call(node, VHOST_SET_VRING_INFLIGHT, &in);
}

union config_part {
	struct vhost_vdpa_config part;
	uint8_t room[sizeof(struct vhost_vdpa_config) + CONFIG_MAX];
};

int node_get_config(int node, uint32_t offset, void *buf, uint32_t len)
{
	union config_part c = { .part = { .off = offset, .len = len } };
	int err = len > CONFIG_MAX ? -EINVAL : node_call(node, VHOST_VDPA_GET_CONFIG, &c);

	if (!err)
		memcpy(buf, c.room + sizeof(c.part), len);
	return err;
}

int node_get_config_size(int node, uint32_t *size)
{
	return node_call(node, VHOST_VDPA_GET_CONFIG_SIZE, size);
}

int node_set_config_call(int node, int fd)
{
	return node_call(node, VHOST_VDPA_SET_CONFIG_CALL, &fd);
}
