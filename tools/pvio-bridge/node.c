// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/pvio_vhost.h>

#include "node.h"

#define CONFIG_MAX	256u

static int call(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

int node_call(const struct node *n, unsigned long request, void *arg)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < n->count && !err; i++)
		err = call(n->fd[i], request, arg);
	return err;
}

int node_queue_call(const struct node *n, unsigned int queue, unsigned long request, void *arg)
{
	if (queue >= n->count * n->queues)
		return 0;
	*(unsigned int *)arg = queue % n->queues;
	return call(n->fd[queue / n->queues], request, arg);
}

int node_get_features(struct node *n)
{
	return node_call(n, VHOST_GET_FEATURES, &n->features);
}

int node_set_features(const struct node *n, uint64_t features)
{
	features &= n->features;
	return node_call(n, VHOST_SET_FEATURES, &features);
}

int node_set_mem(const struct node *n, const struct vhost_memory *mem)
{
	return node_call(n, VHOST_SET_MEM_TABLE, (void *)mem);
}

int node_set_log(const struct node *n, uint64_t base)
{
	return node_call(n, VHOST_SET_LOG_BASE, &base);
}

int node_set_log_fd(const struct node *n, int fd)
{
	return node_call(n, VHOST_SET_LOG_FD, &fd);
}

static int set_state(const struct node *n, unsigned long request, unsigned int queue,
		     unsigned int num)
{
	struct vhost_vring_state s = { .num = num };

	return node_queue_call(n, queue, request, &s);
}

int node_set_num(const struct node *n, unsigned int queue, unsigned int num)
{
	return set_state(n, VHOST_SET_VRING_NUM, queue, num);
}

int node_set_base(const struct node *n, unsigned int queue, unsigned int base)
{
	return set_state(n, VHOST_SET_VRING_BASE, queue, base);
}

int node_get_base(const struct node *n, unsigned int queue, unsigned int *base)
{
	struct vhost_vring_state s = { .num = *base };
	int err = node_queue_call(n, queue, VHOST_GET_VRING_BASE, &s);

	*base = s.num;
	return err;
}

int node_enable(const struct node *n, unsigned int queue, int on)
{
	return set_state(n, VHOST_VDPA_SET_VRING_ENABLE, queue, !!on);
}

static int set_file(const struct node *n, unsigned long request, unsigned int queue, int fd)
{
	struct vhost_vring_file f = { .fd = fd };

	return node_queue_call(n, queue, request, &f);
}

int node_set_kick(const struct node *n, unsigned int queue, int fd)
{
	return set_file(n, VHOST_SET_VRING_KICK, queue, fd);
}

int node_set_call(const struct node *n, unsigned int queue, int fd)
{
	return set_file(n, VHOST_SET_VRING_CALL, queue, fd);
}

int node_set_err(const struct node *n, unsigned int queue, int fd)
{
	return set_file(n, VHOST_SET_VRING_ERR, queue, fd);
}

int node_set_inflight(const struct node *n, unsigned int queue, uint64_t addr, uint64_t size)
{
	struct vhost_vring_inflight in = { .addr = addr, .size = size };

	return node_queue_call(n, queue, VHOST_SET_VRING_INFLIGHT, &in);
}

union config_part {
	struct vhost_vdpa_config part;
	uint8_t room[sizeof(struct vhost_vdpa_config) + CONFIG_MAX];
};

int node_get_config(const struct node *n, uint32_t offset, void *buf, uint32_t len)
{
	union config_part c = { .part = { .off = offset, .len = len } };
	int err = len > CONFIG_MAX ? -EINVAL : node_call(n, VHOST_VDPA_GET_CONFIG, &c);

	if (!err)
		memcpy(buf, c.room + sizeof(c.part), len);
	return err;
}

int node_get_config_size(const struct node *n, uint32_t *size)
{
	return node_call(n, VHOST_VDPA_GET_CONFIG_SIZE, size);
}

int node_set_config_call(const struct node *n, int fd)
{
	return node_call(n, VHOST_VDPA_SET_CONFIG_CALL, &fd);
}
