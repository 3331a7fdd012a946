// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "kept.h"

int kept_start(struct kept *k, struct blk *b)
{
	int err;

	*k = (struct kept){
		.b = b,
		.fd = -1,
		.desc = { .num_queues = b->nqueues, .queue_size = b->num },
	};
	err = vhost_user_get_inflight(b->v.fd, &k->desc, &k->fd);
	if (err)
		return err;
	if (k->fd < 0 || !k->desc.mmap_size)
		return -ENODATA;
	err = vhost_user_set_inflight(b->v.fd, &k->desc, k->fd, true);
	return err ? err : blk_start(b);
}

/* A back-end that keeps nothing itself is told where its predecessor stopped. */
static int set_bases(const struct kept *k)
{
	struct blk *b = k->b;
	unsigned int q;
	int err = 0;

	for (q = 0; q < b->nqueues && k->fd < 0 && !err; q++)
		err = vhost_user_set_state(b->v.fd, VHOST_USER_SET_VRING_BASE, q,
					   ring_device_base(&b->rings[q]), true);
	return err;
}

static int connect_anew(struct blk *b)
{
	uint64_t offered = b->offered, n;
	int err;

	vhost_close(&b->v);
	while (read(b->error_fd, &n, sizeof(n)) > 0)
		;
	err = b->transport->open(b);
	if (!err)
		err = b->transport->own(b);
	if (!err)
		err = b->transport->read(b);
	if (!err && b->offered != offered)
		err = -EPROTO;
	b->offered = offered;
	return err;
}

int kept_again(struct kept *k)
{
	struct blk *b = k->b;
	int err = connect_anew(b);

	if (!err)
		err = b->transport->map(b);
	if (!err && k->fd >= 0)
		err = vhost_user_set_inflight(b->v.fd, &k->desc, k->fd, true);
	if (!err)
		err = b->transport->prepare(b);
	if (!err)
		err = set_bases(k);
	return err ? err : b->transport->go(b);
}

void kept_end(struct kept *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}
