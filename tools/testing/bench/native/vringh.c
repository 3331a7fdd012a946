// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's vringh, as its own tools build it for user space. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <linux/virtio.h>
#include <linux/vringh.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_config.h>
#include <linux/uaccess.h>

#include "native.h"

#define PIECES	8

/* What the kernel's shims want to have. */
bool user_addr_check;
void *__user_addr_min, *__user_addr_max, *__kmalloc_fake;
void *__kfree_ignore_start, *__kfree_ignore_end;

static struct vringh vrh;
static struct vringh_iov riov, wiov;
static struct iovec rvec[PIECES], wvec[PIECES];
static struct vringh_range ranges[NATIVE_REGIONS];

static bool find_range(struct vringh *v, u64 addr, struct vringh_range *r)
{
	unsigned int i;

	(void)v;
	for (i = 0; i < NATIVE_REGIONS; i++) {
		if (addr >= ranges[i].start && addr <= ranges[i].end_incl) {
			*r = ranges[i];
			return true;
		}
	}
	return false;
}

static const char *vringh_open(const struct native_ring *r)
{
	unsigned int i;

	if (r->packed)
		return "no packed rings";
	for (i = 0; i < NATIVE_REGIONS; i++) {
		ranges[i].start = r->mem[i].iova;
		ranges[i].end_incl = r->mem[i].iova + r->mem[i].size - 1;
		ranges[i].offset = (uintptr_t)r->mem[i].va - r->mem[i].iova;
	}
	__user_addr_min = NULL;
	__user_addr_max = (void *)~0ul;
	vringh_iov_init(&riov, rvec, PIECES);
	vringh_iov_init(&wiov, wvec, PIECES);
	if (vringh_init_user(&vrh, 1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_RING_F_INDIRECT_DESC,
			     NATIVE_NUM, true, r->desc, r->driver, r->device))
		return "cannot make a ring";
	return NULL;
}

static unsigned int vringh_serve(unsigned int n)
{
	struct vring_used_elem used[NATIVE_BATCH];
	char header[NATIVE_HDR];
	unsigned int i;
	u16 head;

	for (i = 0; i < n; i++) {
		vringh_iov_reset(&riov);
		vringh_iov_reset(&wiov);
		if (vringh_getdesc_user(&vrh, &riov, &wiov, find_range, &head) != 1)
			return 0;
		if (vringh_iov_pull_user(&riov, header, sizeof(header)) != sizeof(header))
			return 0;
		used[i].id = cpu_to_vringh32(&vrh, head);
		used[i].len = cpu_to_vringh32(&vrh, wiov.used ? NATIVE_DATA + 1 : 0);
	}
	if (vringh_complete_multi_user(&vrh, used, n) || vringh_need_notify_user(&vrh))
		return 0;
	return n;
}

const struct native_engine native_engine = {
	.open = vringh_open,
	.serve = vringh_serve,
};
