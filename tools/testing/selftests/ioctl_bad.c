// SPDX-License-Identifier: GPL-2.0-only
#include <stdint.h>
#include <stdlib.h>
#include <linux/virtio_config.h>

#include "ioctl_bad.h"

#define BIT(n)	(1ull << (n))
#define PAGE	4096u

#define EXPECT(d, want, request, arg)	CHECK_EQ(vhost_ioctl((d)->v, request, arg), want)

/* Whose argument is bigger than nothing. */
static const unsigned long requests[] = {
	VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_GET_BACKEND_FEATURES,
	VHOST_SET_BACKEND_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM,
	VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK,
	VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR, VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD,
};

static int pointers(const struct ioctl_bad *d, const unsigned long *which, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		EXPECT(d, -EFAULT, which[i], NULL);
		EXPECT(d, -EFAULT, which[i], (void *)KERNEL_ADDRESS);
		EXPECT(d, -EFAULT, which[i], (void *)0x7fffffffffff);
	}
	return 0;
}

int ioctl_bad_pointers(const struct ioctl_bad *d, const unsigned long *own, unsigned int count)
{
	CHECK_PASS(pointers(d, requests, sizeof(requests) / sizeof(*requests)));
	return pointers(d, own, count);
}

int ioctl_bad_unknown(const struct ioctl_bad *d)
{
	uint64_t arg[16] = { };
	unsigned int nr;

	for (nr = 0x86; nr < 0x100; nr++)
		EXPECT(d, -ENOTTY, _IOW(VHOST_VIRTIO, nr, uint64_t), arg);
	EXPECT(d, -ENOTTY, _IOW('x', 0, uint64_t), arg);
	return 0;
}

int ioctl_bad_no_owner(const struct ioctl_bad *d, const unsigned long *own, unsigned int count)
{
	static const unsigned long of_owners[] = {
		VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR, VHOST_SET_LOG_BASE, VHOST_RESET_OWNER,
	};
	uint64_t arg[16] = { };
	struct vhost other;
	unsigned int i;

	CHECK_OK(vhost_open(&other, d->node));
	for (i = 0; i < sizeof(of_owners) / sizeof(*of_owners); i++)
		CHECK_EQ(vhost_ioctl(&other, of_owners[i], arg), -EPERM);
	for (i = 0; i < count; i++)
		CHECK_EQ(vhost_ioctl(&other, own[i], arg), -EPERM);
	CHECK_OK(vhost_set_owner(&other));
	CHECK_EQ(vhost_set_owner(&other), -EBUSY);
	vhost_close(&other);
	return 0;
}

int ioctl_bad_features(const struct ioctl_bad *d)
{
	uint64_t offered, f;
	unsigned int i;

	CHECK_OK(vhost_get_features(d->v, &offered));
	for (i = 0; i < 64; i++) {
		f = BIT(i);
		if (!(offered & f))
			EXPECT(d, -EOPNOTSUPP, VHOST_SET_FEATURES, &f);
	}
	EXPECT(d, 0, VHOST_GET_BACKEND_FEATURES, &offered);
	for (i = 0; i < 64; i++) {
		f = BIT(i);
		if (!(offered & f))
			EXPECT(d, -EOPNOTSUPP, VHOST_SET_BACKEND_FEATURES, &f);
	}
	/* There is no log yet. */
	f = BIT(VHOST_F_LOG_ALL);
	if (!d->peer)
		EXPECT(d, 0, VHOST_SET_FEATURES, &f);
	return 0;
}

int ioctl_bad_indices(const struct ioctl_bad *d)
{
	const unsigned int bad[] = { d->queues, d->queues + 1, 64, 0x7fffffff, 0x80000000, ~0u };
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct vhost_vring_state s = { .index = bad[i], .num = 16 };
		struct vhost_vring_file f = { .index = bad[i], .fd = -1 };
		struct vhost_vring_addr a = { .index = bad[i] };

		EXPECT(d, -ENOBUFS, VHOST_SET_VRING_NUM, &s);
		EXPECT(d, -ENOBUFS, VHOST_SET_VRING_BASE, &s);
		EXPECT(d, -ENOBUFS, VHOST_GET_VRING_BASE, &s);
		EXPECT(d, -ENOBUFS, VHOST_SET_VRING_ADDR, &a);
		EXPECT(d, -ENOBUFS, VHOST_SET_VRING_KICK, &f);
		EXPECT(d, -ENOBUFS, VHOST_SET_VRING_CALL, &f);
		EXPECT(d, -ENOBUFS, VHOST_SET_VRING_ERR, &f);
	}
	return 0;
}

static int bad_places(const struct ioctl_bad *d, unsigned int q)
{
	const struct ring *r = &d->rings[q];
	struct vhost_vring_addr a = {
		.index = q,
		.flags = 2,
		.desc_user_addr = (uintptr_t)r->desc,
		.avail_user_addr = (uintptr_t)r->avail,
		.used_user_addr = (uintptr_t)r->used,
	};

	EXPECT(d, -EOPNOTSUPP, VHOST_SET_VRING_ADDR, &a);
	a.flags = 0;
	a.desc_user_addr += 8;
	if (!d->peer)
		EXPECT(d, -EINVAL, VHOST_SET_VRING_ADDR, &a);
	a.desc_user_addr -= 8;
	a.avail_user_addr++;
	EXPECT(d, -EINVAL, VHOST_SET_VRING_ADDR, &a);
	a.avail_user_addr--;
	a.used_user_addr += 2;
	EXPECT(d, -EINVAL, VHOST_SET_VRING_ADDR, &a);
	return 0;
}

static int bad_files(const struct ioctl_bad *d, unsigned int q, int fd, int want)
{
	struct vhost_vring_file f = { .index = q, .fd = fd };

	EXPECT(d, want, VHOST_SET_VRING_KICK, &f);
	EXPECT(d, want, VHOST_SET_VRING_CALL, &f);
	EXPECT(d, want, VHOST_SET_VRING_ERR, &f);
	return 0;
}

int ioctl_bad_vrings(const struct ioctl_bad *d)
{
	static const unsigned int nums[] = { 0, 3, 100, 0x10000, 0x18000, 0x80000000, ~0u };
	unsigned int q, i;

	for (q = 0; q < d->queues; q++) {
		struct vhost_vring_state s = { .index = q };

		CHECK_OK(vhost_set_features(d->v, BIT(VIRTIO_F_VERSION_1)));
		for (i = 0; i < sizeof(nums) / sizeof(*nums); i++) {
			s.num = nums[i];
			EXPECT(d, -EINVAL, VHOST_SET_VRING_NUM, &s);
		}
		s.num = 0x10000;
		EXPECT(d, -EINVAL, VHOST_SET_VRING_BASE, &s);
		CHECK_PASS(bad_files(d, q, 12345, -EBADF));
		CHECK_PASS(bad_files(d, q, d->v->fd, -EINVAL));
		CHECK_PASS(bad_places(d, q));
	}
	return 0;
}

int ioctl_bad_memory(const struct ioctl_bad *d)
{
	struct vhost_memory *m = calloc(1, sizeof(*m) + 2 * sizeof(m->regions[0]));

	CHECK(m, "out of memory");
	m->padding = 1;
	EXPECT(d, -EOPNOTSUPP, VHOST_SET_MEM_TABLE, m);
	m->padding = 0;
	m->nregions = 0x7fffffff;
	EXPECT(d, -E2BIG, VHOST_SET_MEM_TABLE, m);
	m->nregions = ~0u;
	EXPECT(d, -E2BIG, VHOST_SET_MEM_TABLE, m);
	m->nregions = 1;
	m->regions[0].memory_size = PAGE;
	m->regions[0].userspace_addr = KERNEL_ADDRESS;
	/* The peer looks when a queue starts. */
	if (!d->peer)
		EXPECT(d, -EFAULT, VHOST_SET_MEM_TABLE, m);
	free(m);
	return 0;
}
