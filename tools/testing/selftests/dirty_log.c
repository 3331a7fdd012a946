// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <sys/mman.h>

#include "dirty_log.h"

#define PAGE	4096u

int dirty_log_open(struct dirty_log *d, const struct vhost *v, const struct gmem *mem)
{
	uint64_t base;

	d->mem = mem;
	d->size = ((mem->iova + mem->size) / PAGE / 8 + 2 * PAGE) & ~(PAGE - 1ul);
	d->log = mmap(NULL, d->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	d->copy = malloc(mem->size);
	CHECK(d->log != MAP_FAILED && d->copy, "out of memory");
	base = (uintptr_t)d->log;
	CHECK_OK(vhost_ioctl(v, VHOST_SET_LOG_BASE, &base));
	return 0;
}

void dirty_log_close(struct dirty_log *d)
{
	munmap(d->log, d->size);
	free(d->copy);
}

int dirty_log_place(const struct dirty_log *d, const struct vhost *v, unsigned int queue,
		    const struct ring *r, bool iotlb)
{
	uint64_t off = iotlb ? 0 : (uintptr_t)d->mem->va - d->mem->iova;
	struct vhost_vring_addr a = {
		.index = queue,
		.flags = 1 << VHOST_VRING_F_LOG,
		.desc_user_addr = r->desc_iova + off,
		.avail_user_addr = r->avail_iova + off,
		.used_user_addr = r->used_iova + off,
		.log_guest_addr = r->used_iova,
	};

	return vhost_ioctl(v, VHOST_SET_VRING_ADDR, &a);
}

void dirty_log_clean(struct dirty_log *d)
{
	memset(d->log, 0, d->size);
	memcpy(d->copy, d->mem->va, d->mem->size);
}

static bool is_marked(const struct dirty_log *d, uint64_t page)
{
	return d->log[page / 8] & 1u << page % 8;
}

bool dirty_log_in_ring(const struct ring *r, uint64_t iova)
{
	uint64_t page = iova / PAGE, from = r->used_iova, len = 6 + 8 * r->num;

	if (r->packed && page >= r->desc_iova / PAGE &&
	    page <= (r->desc_iova + 16 * r->num - 1) / PAGE)
		return true;
	if (r->packed)
		len = 4;
	return page >= from / PAGE && page <= (from + len - 1) / PAGE;
}

int dirty_log_check(const struct dirty_log *d, bool (*may_write)(const void *ctx, uint64_t iova),
		    const void *ctx, unsigned int *changed)
{
	const struct gmem *m = d->mem;
	uint64_t page;
	size_t off;

	*changed = 0;
	for (off = 0; off < m->size; off += PAGE) {
		bool differs = memcmp(m->va + off, d->copy + off, PAGE);

		page = (m->iova + off) / PAGE;
		*changed += differs;
		CHECK(!differs || is_marked(d, page), "page %zu is written and not in the log",
		      off / PAGE);
		CHECK(!is_marked(d, page) || may_write(ctx, m->iova + off),
		      "page %zu is in the log, and nothing that is written", off / PAGE);
	}
	for (page = 0; page < m->iova / PAGE; page += 8)
		CHECK(!d->log[page / 8], "page 0x%llx is none", (unsigned long long)page);
	return 0;
}

unsigned int dirty_log_follow(struct dirty_log *d)
{
	const struct gmem *m = d->mem;
	unsigned int copied = 0;
	size_t off;

	for (off = 0; off < m->size; off += PAGE) {
		uint64_t page = (m->iova + off) / PAGE;
		uint8_t bit = 1u << page % 8;

		if (!(__atomic_fetch_and(&d->log[page / 8], (uint8_t)~bit, __ATOMIC_SEQ_CST) &
		      bit))
			continue;
		memcpy(d->copy + off, m->va + off, PAGE);
		copied++;
	}
	return copied;
}

int dirty_log_same(const struct dirty_log *d, const void *p, size_t len, const char *what)
{
	size_t off = (const uint8_t *)p - d->mem->va;

	CHECK(!memcmp(p, d->copy + off, len), "%s at page %zu differ", what, off / PAGE);
	return 0;
}
