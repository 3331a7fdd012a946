// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"

int gmem_create(struct gmem *m, enum gmem_kind kind, uint64_t iova, size_t size)
{
	int err;

	*m = (struct gmem){ .iova = iova, .size = size, .fd = -1 };
	if (kind == GMEM_SHARED) {
		m->fd = memfd_create("guest", MFD_CLOEXEC);
		if (m->fd < 0)
			return -errno;
		if (ftruncate(m->fd, (off_t)size))
			goto err_close;
		m->va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	} else {
		m->va = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	}
	if (m->va == MAP_FAILED)
		goto err_close;
	if (kind == GMEM_LOCKED) {
		/*
		 * vhost-vdpa limits the physically contiguous extents; not every kernel has huge
		 * pages.
		 */
		madvise(m->va, size, MADV_HUGEPAGE);
		if (mlock(m->va, size))
			goto err_unmap;
	}
	return 0;

err_unmap:
	err = -errno;
	munmap(m->va, size);
	errno = -err;
err_close:
	err = -errno;
	if (m->fd >= 0)
		close(m->fd);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
	return err;
}

void gmem_destroy(struct gmem *m)
{
	if (m->va)
		munmap(m->va, m->size);
	if (m->fd >= 0)
		close(m->fd);
	memset(m, 0, sizeof(*m));
	m->fd = -1;
}

void *gmem_alloc(struct gmem *m, size_t size, size_t align)
{
	size_t start = (m->used + align - 1) & ~(align - 1);

	if (start > m->size || size > m->size - start) {
		fprintf(stderr, "guest memory exhausted: %zu of %zu used, %zu wanted\n",
			m->used, m->size, size);
		exit(2);
	}
	m->used = start + size;
	memset(m->va + start, 0, size);
	return m->va + start;
}

size_t gmem_mark(const struct gmem *m)
{
	return m->used;
}

void gmem_release(struct gmem *m, size_t mark)
{
	m->used = mark;
}

uint64_t gmem_iova(const struct gmem *m, const void *p)
{
	return m->iova + (uint64_t)((const uint8_t *)p - m->va);
}

bool gmem_contains(const struct gmem *m, const void *p)
{
	const uint8_t *b = p;

	return b >= m->va && b < m->va + m->size;
}
