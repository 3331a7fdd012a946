// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vsock.h"

static const uint64_t wanted_features =
	BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
	BIT(VIRTIO_RING_F_EVENT_IDX) | BIT(VIRTIO_F_RING_RESET) | BIT(VIRTIO_VSOCK_F_STREAM) |
	BIT(VIRTIO_VSOCK_F_SEQPACKET) | BIT(VIRTIO_VSOCK_F_NO_IMPLIED_STREAM);

int64_t vsock_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

static int make_rings(struct vsock *s)
{
	bool indirect = s->features & BIT(VIRTIO_RING_F_INDIRECT_DESC);
	const struct ring_features features = vhost_ring_features(s->features);
	unsigned int q;
	int err = 0;

	for (q = 0; q < VSOCK_QUEUES && !err; q++)
		err = ring_init(&s->rings[q], &s->mem, s->opts.num, indirect ? SHAPE_MAX_SEGS : 0,
				&features, s->opts.base);
	return err;
}

/* The rings and their tables come on top of what the test asked for. */
static size_t memory_size(const struct vsock *s)
{
	size_t rings = (size_t)VSOCK_QUEUES * s->opts.num * (SHAPE_MAX_SEGS + 4) * 16;

	return (s->opts.mem_size + rings + 0xffff) & ~(size_t)0xffff;
}

static int open_rest(struct vsock *s)
{
	unsigned int q;
	int err = vhost_set_owner(&s->v);

	if (!err)
		err = vhost_get_features(&s->v, &s->offered);
	if (!err)
		err = gmem_create(&s->mem, GMEM_SHARED, VSOCK_GUEST_IOVA, memory_size(s));
	if (err)
		return err;
	s->features = s->offered & (wanted_features | s->opts.with) & ~s->opts.without;
	if (!s->opts.iotlb)
		s->features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	if (s->opts.with & ~s->features)
		return -EOPNOTSUPP;
	for (q = 0; q < VSOCK_QUEUES; q++) {
		s->error_fd[q] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (s->error_fd[q] < 0)
			return -errno;
	}
	return make_rings(s);
}

void vsock_forget(struct vsock *s)
{
	memset(s, 0, sizeof(*s));
	s->v.fd = -1;
	s->mem.fd = -1;
	s->error_fd[VSOCK_RX] = -1;
	s->error_fd[VSOCK_TX] = -1;
}

int vsock_open(struct vsock *s, const struct vsock_opts *opts)
{
	int err;

	vsock_forget(s);
	s->opts = *opts;
	err = vhost_open(&s->v, opts->node);
	if (!err)
		err = open_rest(s);
	if (err)
		vsock_close(s);
	return err;
}

void vsock_close(struct vsock *s)
{
	unsigned int q;

	vhost_close(&s->v);
	for (q = 0; q < VSOCK_QUEUES; q++) {
		ring_destroy(&s->rings[q]);
		if (s->error_fd[q] >= 0)
			close(s->error_fd[q]);
	}
	gmem_destroy(&s->mem);
	vsock_forget(s);
}

int vsock_place(const struct vsock *s, unsigned int q)
{
	return vhost_place_ring(&s->v, q, &s->rings[q], &s->mem, s->opts.iotlb);
}

int vsock_set_vring(const struct vsock *s, unsigned int q, unsigned int base)
{
	return vhost_set_queue(&s->v, q, &s->rings[q], &s->mem, s->opts.iotlb, base,
			       s->error_fd[q]);
}

static int prepare_at(struct vsock *s, const unsigned int *bases)
{
	unsigned int q;
	int err = vhost_set_features(&s->v, s->features);

	if (!err)
		err = vhost_ack_backend_features(&s->v, BIT(VHOST_BACKEND_F_IOTLB_MSG_V2));
	if (!err)
		err = vhost_set_gmem(&s->v, &s->mem);
	if (!err && s->opts.iotlb && !s->opts.iotlb_empty)
		err = vhost_map_gmem(&s->v, &s->mem);
	for (q = 0; q < VSOCK_QUEUES && !err; q++)
		err = vsock_set_vring(s, q, bases[q]);
	return err;
}

int vsock_prepare(struct vsock *s)
{
	const unsigned int bases[VSOCK_QUEUES] = {
		ring_base(&s->rings[VSOCK_RX]), ring_base(&s->rings[VSOCK_TX]),
	};

	return prepare_at(s, bases);
}

int vsock_set_cid(const struct vsock *s, uint64_t cid)
{
	return vhost_ioctl(&s->v, VHOST_VSOCK_SET_GUEST_CID, &cid);
}

int vsock_set_running(struct vsock *s, int running)
{
	int err = vhost_ioctl(&s->v, VHOST_VSOCK_SET_RUNNING, &running);

	if (err || !running)
		return err;
	ring_kick(&s->rings[VSOCK_RX]);
	ring_kick(&s->rings[VSOCK_TX]);
	return 0;
}

static int run(struct vsock *s)
{
	int err = vsock_set_cid(s, s->opts.cid);

	return err ? err : vsock_set_running(s, 1);
}

int vsock_start(struct vsock *s)
{
	int err = vsock_prepare(s);

	return err ? err : run(s);
}

int vsock_stop(struct vsock *s)
{
	unsigned int q;
	eventfd_t told;
	int err = vsock_set_running(s, 0);

	for (q = 0; q < VSOCK_QUEUES; q++)
		eventfd_read(s->error_fd[q], &told);
	return err;
}

int vsock_restart(struct vsock *s)
{
	unsigned int q;
	int err = vsock_stop(s);

	for (q = 0; q < VSOCK_QUEUES; q++)
		ring_restart(&s->rings[q], 0);
	return err ? err : vsock_start(s);
}

static int take_over(struct vsock *s, const unsigned int *bases)
{
	int err = vhost_open(&s->v, s->opts.node);

	if (!err)
		err = vhost_set_owner(&s->v);
	if (!err)
		err = prepare_at(s, bases);
	return err ? err : run(s);
}

int vsock_move(struct vsock *s)
{
	unsigned int bases[VSOCK_QUEUES], q;
	int err = vsock_set_running(s, 0);

	for (q = 0; q < VSOCK_QUEUES && !err; q++)
		err = vhost_get_vring_base(&s->v, q, &bases[q]);
	if (err)
		return err;
	/* Two can't have the same CID. */
	vhost_close(&s->v);
	return take_over(s, bases);
}

bool vsock_broken(const struct vsock *s, unsigned int q)
{
	return vhost_told(s->error_fd[q], 0);
}

bool vsock_wait_broken(const struct vsock *s, unsigned int q)
{
	return vhost_told(s->error_fd[q], VSOCK_HANG_LIMIT_MS);
}
