// SPDX-License-Identifier: GPL-2.0-only
/* What a guest and its VMM do by turns: requests, memory that goes away, resets. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "blk_fuzz.h"

unsigned int fuzz_queue(struct fuzz *f, struct prng *p)
{
	return prng_range(p, 0, f->e->b.nqueues - 1);
}

static void requests(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct blk *b = &f->e->b;
	unsigned int q;

	scribble_submit(&f->s);
	for (q = 0; q < b->nqueues; q++) {
		ring_publish(&b->rings[q]);
		ring_kick(&b->rings[q]);
	}
	ring_wait(&b->rings[fuzz_queue(f, p)], 2);
	for (q = 0; q < b->nqueues; q++)
		blk_collect(b, q);
}

/* Into memory that comes and goes. */
static void requests_there(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct blk *b = &f->e->b;
	unsigned int q = fuzz_queue(f, p), i, n = prng_range(p, 1, SCRIBBLE_DEPTH);

	for (i = 0; i < n; i++) {
		struct blk_req *r = &f->s.reqs[q * SCRIBBLE_DEPTH + i];
		uint64_t at = prng_range(p, 0, FUZZ_MEM_SIZE - 1) & ~511ull;
		bool in = prng_chance(p, 50);

		blk_req_begin(r, in ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i * 64);
		blk_req_piece(r, r->hdr, 16, false);
		blk_req_piece_iova(r, FUZZ_MEM_IOVA + at, 512 * prng_range(p, 1, 64), in);
		blk_req_piece(r, r->status, 1, true);
		if (blk_queue(b, q, r, prng_range(p, RING_DIRECT, RING_MIXED)))
			break;
	}
	ring_publish(&b->rings[q]);
	ring_kick(&b->rings[q]);
}

static void collect(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	blk_collect(&f->e->b, fuzz_queue(f, p));
}

static void reset(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	blk_reset(&f->e->b);
	if (prng_chance(p, 80))
		blk_restart(&f->e->b, prng_next(p));
}

static void restart(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	blk_restart(&f->e->b, prng_chance(p, 50) ? 0 : prng_next(p));
}

/* Features that the client doesn't mean are negotiated, or are not. */
static void features(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct blk *b = &f->e->b;

	if (b->transport->reset(b))
		return;
	b->features = b->offered & (prng_chance(p, 50) ? prng_next(p) : prng_next(p) | b->features);
	b->features |= BIT(VIRTIO_F_VERSION_1) | (b->offered & BIT(VIRTIO_F_ACCESS_PLATFORM));
	if (!b->transport->prepare(b))
		b->transport->go(b);
}

/* The second memory is taken away from the VMM, in one of the ways there are. */
static void lose_memory(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	size_t off = prng_range(p, 0, FUZZ_MEM_SIZE / 4096 - 1) * 4096;
	size_t len = prng_chance(p, 50) ? FUZZ_MEM_SIZE - off : 4096;
	uint8_t *at = f->mem.va + off;

	switch (prng_range(p, 0, 5)) {
	case 0:
		munmap(at, len);
		break;
	case 1:
		mprotect(at, len, prng_range(p, PROT_NONE, PROT_READ));
		break;
	case 2:
		if (f->mem.fd >= 0)
			fallocate(f->mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
		break;
	case 3:
		if (f->mem.fd < 0 || ftruncate(f->mem.fd, off))
			return;
		break;
	case 4:
		madvise(at, len, MADV_DONTNEED);
		break;
	default:
		/* Back, and as it was, but for what was cut off. */
		if (f->mem.fd >= 0 && !ftruncate(f->mem.fd, FUZZ_MEM_SIZE))
			mmap(f->mem.va, FUZZ_MEM_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, f->mem.fd, 0);
		else
			mmap(f->mem.va, FUZZ_MEM_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	}
}

/* All pages go from the page tables, the rings' too; what is in them stays. */
static void page_out(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct gmem *m = &f->e->b.mem;

	if (m->fd >= 0)
		madvise(m->va, m->size, MADV_DONTNEED);
}

static void set_backend(const struct vhost *v, int fd)
{
	struct vhost_vring_file file = { .index = 0, .fd = fd };

	vhost_ioctl(v, VHOST_BLK_SET_BACKEND, &file);
}

static void backend_off(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	set_backend(v, -1);
}

static void backend_on(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	set_backend(v, f->e->b.store_fd);
}

static void resize(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	vhost_ioctl(v, VHOST_BLK_RESIZE, NULL);
}

static void ring_move(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct blk *b = &f->e->b;
	unsigned int q = fuzz_queue(f, p);
	const struct ring *r = &b->rings[q];
	uint64_t off = f->e->opts.name || f->e->opts.iotlb ? 0 : (uintptr_t)b->mem.va - b->mem.iova;

	vhost_set_vring_addr(v, q, fuzz_ring_address(f, p, r->desc_iova + off),
			     fuzz_ring_address(f, p, r->avail_iova + off),
			     fuzz_ring_address(f, p, r->used_iova + off));
}

static void ring_back(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct blk *b = &f->e->b;
	unsigned int q = fuzz_queue(f, p);
	const struct ring *r = &b->rings[q];

	b->transport->place(b, q, r->desc_iova, r->avail_iova, r->used_iova);
}

static void status(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	vdpa_set_status(v, prng_chance(p, 50) ? BIT(prng_range(p, 0, 7)) : prng_next(p));
}

static void suspend(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	vdpa_suspend(v);
}

static void resume(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	vdpa_resume(v);
}

const struct fuzz_op fuzz_vmm_ops[] = {
	{ "requests", FUZZ_ANY, requests },
	{ "requests", FUZZ_ANY, requests },
	{ "requests", FUZZ_ANY, requests },
	{ "requests there", FUZZ_ANY, requests_there },
	{ "requests there", FUZZ_ANY, requests_there },
	{ "collect", FUZZ_ANY, collect },
	{ "reset", FUZZ_ANY, reset },
	{ "restart", FUZZ_ANY, restart },
	{ "features", FUZZ_ANY, features },
	{ "lose memory", FUZZ_ANY | FUZZ_BESIDE, lose_memory },
	{ "page out", FUZZ_ANY | FUZZ_BESIDE, page_out },
	{ "backend off", FUZZ_NODE | FUZZ_BESIDE, backend_off },
	{ "backend on", FUZZ_NODE | FUZZ_BESIDE, backend_on },
	{ "resize", FUZZ_NODE | FUZZ_BESIDE, resize },
	{ "ring move", FUZZ_ANY | FUZZ_BESIDE, ring_move },
	{ "ring back", FUZZ_ANY, ring_back },
	{ "status", FUZZ_VDPA, status },
	{ "suspend", FUZZ_VDPA | FUZZ_BESIDE, suspend },
	{ "resume", FUZZ_VDPA | FUZZ_BESIDE, resume },
};

const unsigned int fuzz_vmm_count = sizeof(fuzz_vmm_ops) / sizeof(*fuzz_vmm_ops);
