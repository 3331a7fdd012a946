// SPDX-License-Identifier: GPL-2.0-only
/* A disk that a process serves, by vhost-user. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "blk.h"
#include "vhost_user.h"

#define NUM	256

static const uint64_t wanted_protocol =
	BIT(VHOST_USER_PROTOCOL_F_MQ) | BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) |
	BIT(VHOST_USER_PROTOCOL_F_CONFIG) | BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE) |
	BIT(VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | BIT(VHOST_USER_PROTOCOL_F_LOG_SHMFD) |
	BIT(VHOST_USER_PROTOCOL_F_BACKEND_REQ) | BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD);

/* What was agreed on beyond the device's features is kept where a vDPA device has it. */
static bool acks(const struct blk *b)
{
	return b->v.backend_features & BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
}

static int user_blk_open(struct blk *b)
{
	b->v.backend_features = 0;
	return vhost_user_connect(b->opts.socket, &b->v.fd);
}

static int user_blk_own(struct blk *b)
{
	return vhost_user_set(b->v.fd, VHOST_USER_SET_OWNER, 0, false);
}

static int agree_on_protocol(struct blk *b)
{
	int err;

	if (!(b->offered & BIT(VHOST_USER_F_PROTOCOL_FEATURES)))
		return -EOPNOTSUPP;
	err = vhost_user_get(b->v.fd, VHOST_USER_GET_PROTOCOL_FEATURES, &b->v.backend_features);
	b->v.backend_features &= wanted_protocol;
	if (!err)
		err = vhost_user_set(b->v.fd, VHOST_USER_SET_PROTOCOL_FEATURES,
				     b->v.backend_features, false);
	return err;
}

/* Its memory is not behind an IOTLB. */
static int user_blk_read(struct blk *b)
{
	int err = vhost_user_get(b->v.fd, VHOST_USER_GET_FEATURES, &b->offered);

	if (!err)
		err = agree_on_protocol(b);
	b->offered &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	b->nqueues = b->opts.queues ? b->opts.queues : 1;
	b->num = b->opts.num ? b->opts.num : NUM;
	b->config_size = offsetof(struct virtio_blk_config, max_secure_erase_sectors);
	return err ? err : vhost_user_get_config(b->v.fd, &b->config, b->config_size);
}

static int user_blk_map(struct blk *b)
{
	return vhost_user_set_mem(b->v.fd, &b->mem, 1, acks(b));
}

static int user_blk_unmap(struct blk *b)
{
	return vhost_user_set_mem(b->v.fd, NULL, 0, acks(b));
}

static int user_blk_place(struct blk *b, unsigned int q, uint64_t desc, uint64_t avail,
			  uint64_t used)
{
	uint64_t off = (uintptr_t)b->mem.va - b->mem.iova;
	struct vhost_vring_addr a = {
		.index = q,
		.desc_user_addr = desc + off,
		.avail_user_addr = avail + off,
		.used_user_addr = used + off,
	};

	return vhost_user_set_addr(b->v.fd, &a, acks(b));
}

static int set_vring(struct blk *b, unsigned int q)
{
	const struct ring *r = &b->rings[q];
	int s = b->v.fd;
	int err = vhost_user_set_state(s, VHOST_USER_SET_VRING_NUM, q, r->num, acks(b));

	if (!err)
		err = vhost_user_set_state(s, VHOST_USER_SET_VRING_BASE, q, ring_base(r), acks(b));
	if (!err)
		err = user_blk_place(b, q, r->desc_iova, r->avail_iova, r->used_iova);
	if (!err)
		err = vhost_user_set_fd(s, VHOST_USER_SET_VRING_CALL, q, r->call_fd, acks(b));
	if (!err)
		err = vhost_user_set_fd(s, VHOST_USER_SET_VRING_ERR, q, b->error_fd, acks(b));
	if (!err)
		err = vhost_user_set_fd(s, VHOST_USER_SET_VRING_KICK, q, r->kick_fd, acks(b));
	return err;
}

static int user_blk_prepare(struct blk *b)
{
	uint64_t features = b->features | BIT(VHOST_USER_F_PROTOCOL_FEATURES);
	int err = vhost_user_set(b->v.fd, VHOST_USER_SET_FEATURES, features, acks(b));
	unsigned int q;

	for (q = 0; q < b->nqueues && !err; q++)
		err = set_vring(b, q);
	return err;
}

static int user_blk_go(struct blk *b)
{
	unsigned int q;
	int err = 0;

	for (q = 0; q < b->nqueues && !err; q++)
		err = vhost_user_set_state(b->v.fd, VHOST_USER_SET_VRING_ENABLE, q, 1, acks(b));
	return err;
}

static int user_blk_reset(struct blk *b)
{
	unsigned int q, base;
	uint64_t n;
	int err = 0;

	if (b->v.backend_features & BIT(VHOST_USER_PROTOCOL_F_RESET_DEVICE))
		err = vhost_user_set(b->v.fd, VHOST_USER_RESET_DEVICE, 0, acks(b));
	while (read(b->error_fd, &n, sizeof(n)) > 0)
		;
	for (q = 0; q < b->nqueues && !err; q++)
		err = vhost_user_stop(b->v.fd, q, &base);
	return err;
}

static bool user_blk_broken(const struct blk *b)
{
	struct pollfd p = { .fd = b->error_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

const struct blk_transport blk_user = {
	.open = user_blk_open,
	.own = user_blk_own,
	.read = user_blk_read,
	.map = user_blk_map,
	.unmap = user_blk_unmap,
	.place = user_blk_place,
	.prepare = user_blk_prepare,
	.go = user_blk_go,
	.reset = user_blk_reset,
	.broken = user_blk_broken,
};
