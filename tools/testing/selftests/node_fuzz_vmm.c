// SPDX-License-Identifier: GPL-2.0-only
/* Calls of a VMM, with arguments that are good, or nearly so, or not at all. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>

#include "node_fuzz.h"

#define PAGE		4096u
#define BIT(n)		(1ull << (n))
#define KERNEL_SPACE	0xffff888000000000ull

unsigned int node_fuzz_queue(const struct node_fuzz *f, struct prng *p)
{
	return prng_range(p, 0, f->queues - 1);
}

uint64_t node_fuzz_address(const struct node_fuzz *f, struct prng *p)
{
	const struct gmem *m = prng_chance(p, 50) ? f->guest : &f->mem;

	switch (prng_range(p, 0, 4)) {
	case 0:
		return prng_next(p);
	case 1:
		return UINT64_MAX - prng_range(p, 0, 0x2000);
	case 2:
		return KERNEL_SPACE + prng_range(p, 0, 0x2000);
	case 3:
		return m->iova + m->size - prng_range(p, 0, 0x2000);
	default:
		return (uintptr_t)m->va + m->size - prng_range(p, 0, 0x2000);
	}
}

static int any_fd(const struct node_fuzz *f, struct prng *p)
{
	static const int none[] = { -1, -2, 1000 };
	unsigned int i = prng_range(p, 0, 2 + f->nr_fds);

	return i < 3 ? none[i] : f->fds[i - 3];
}

static void vring_file(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	static const unsigned long calls[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	struct vhost_vring_file file = { .index = node_fuzz_queue(f, p), .fd = any_fd(f, p) };
	int fresh = -1;

	/* One that is gone as soon as it is set. */
	if (prng_chance(p, 30)) {
		fresh = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		file.fd = fresh;
	}
	vhost_ioctl(v, calls[prng_range(p, 0, 2)], &file);
	if (fresh >= 0)
		close(fresh);
}

static void vring_back(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = node_fuzz_queue(f, p);

	vhost_set_vring_kick(v, q, f->rings[q].kick_fd);
	vhost_set_vring_call(v, q, f->rings[q].call_fd);
}

static void vring_state(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = node_fuzz_queue(f, p), base;

	switch (prng_range(p, 0, 3)) {
	case 0:
		vhost_set_vring_num(v, q, prng_chance(p, 70) ? 1u << prng_range(p, 0, 16) :
					  prng_next(p));
		break;
	case 1:
		vhost_set_vring_num(v, q, f->num);
		break;
	case 2:
		vhost_set_vring_base(v, q, prng_chance(p, 70) ? prng_range(p, 0, 0xffff) :
					   prng_next(p));
		break;
	default:
		vhost_get_vring_base(v, q, &base);
	}
}

static uint64_t place(struct node_fuzz *f, struct prng *p, uint64_t real)
{
	switch (prng_range(p, 0, 5)) {
	case 0:
		return node_fuzz_address(f, p) & ~15ull;
	case 1:
		return real + 16 * prng_range(p, 0, 64);
	case 2:
		return (uintptr_t)f->mem.va + (prng_next(p) & (NODE_FUZZ_MEM_SIZE - 16));
	default:
		return real;
	}
}

static void ring_move(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = node_fuzz_queue(f, p);
	const struct ring *r = &f->rings[q];
	uint64_t off = f->iotlb ? 0 : (uintptr_t)f->guest->va - f->guest->iova;

	vhost_set_vring_addr(v, q, place(f, p, r->desc_iova + off),
			     place(f, p, r->avail_iova + off), place(f, p, r->used_iova + off));
}

static void ring_back(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = node_fuzz_queue(f, p);

	vhost_place_ring(v, q, &f->rings[q], f->guest, f->iotlb);
}

/* Both memories, or one of them, or something else. */
static void mem_table(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	struct vhost_memory *m = calloc(1, sizeof(*m) + 3 * sizeof(m->regions[0]));
	const struct gmem *mem[] = { f->guest, &f->mem };
	unsigned int i;

	if (!m)
		return;
	m->nregions = prng_chance(p, 80) ? 2 : prng_range(p, 0, 3);
	for (i = 0; i < m->nregions; i++) {
		struct vhost_memory_region *r = &m->regions[i];

		r->guest_phys_addr = mem[i % 2]->iova;
		r->userspace_addr = (uintptr_t)mem[i % 2]->va;
		r->memory_size = mem[i % 2]->size;
		/* Not so high that its log would lie beyond the memory that is meant for that. */
		if (prng_chance(p, 10))
			r->guest_phys_addr -= prng_range(p, 0, 0x2000);
		/* Less than there is, or more than anybody has: none of this program. */
		if (prng_chance(p, 5))
			r->memory_size = prng_chance(p, 50) ? prng_range(p, 0, r->memory_size) :
							      prng_next(p) | 1ull << 63;
		if (prng_chance(p, 5))
			r->userspace_addr = KERNEL_SPACE + prng_range(p, 0, 0x2000);
	}
	vhost_ioctl(v, VHOST_SET_MEM_TABLE, m);
	free(m);
}

static void iotlb(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct gmem *m = prng_chance(p, 50) ? f->guest : &f->mem;
	uint64_t off = (prng_next(p) % m->size) & ~(uint64_t)(PAGE - 1);

	switch (prng_range(p, 0, 3)) {
	case 0:
		vhost_iotlb_unmap(v, m->iova + off, PAGE);
		break;
	case 1:
		vhost_iotlb_map(v, m->iova + off, PAGE, m->va + off, prng_range(p, 0, 3));
		break;
	case 2:
		vhost_unmap_gmem(v, m);
		break;
	default:
		vhost_map_gmem(v, m);
	}
}

static void workers(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = node_fuzz_queue(f, p), id = prng_range(p, 0, 5);

	switch (prng_range(p, 0, 4)) {
	case 0:
		vhost_new_worker(v, &id);
		break;
	case 1:
		vhost_free_worker(v, id);
		break;
	case 2:
		vhost_get_worker(v, q, &id);
		break;
	case 3:
		vhost_set_busyloop(v, q, prng_range(p, 0, 1) ? 0 : 1u << prng_range(p, 0, 16));
		break;
	default:
		vhost_attach_worker(v, q, id);
	}
}

/* Where no memory is that the device isn't to write. */
static void dirty_log(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	uint64_t base = prng_chance(p, 80) ? (uintptr_t)f->mem.va : KERNEL_SPACE;
	uint64_t features = f->features;
	int fd = any_fd(f, p);

	vhost_ioctl(v, VHOST_SET_LOG_FD, &fd);
	vhost_ioctl(v, VHOST_SET_LOG_BASE, &base);
	if (prng_chance(p, 60))
		features |= BIT(VHOST_F_LOG_ALL);
	vhost_set_features(v, features);
}

static void drain(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	struct vhost_drain d = { .timeout_ms = prng_range(p, 0, 20) };

	vhost_ioctl(v, VHOST_DRAIN, &d);
	if (prng_chance(p, 80))
		vhost_ioctl(v, VHOST_RESUME, NULL);
}

static void enable(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	struct vhost_vring_state s = { .index = node_fuzz_queue(f, p), .num = prng_range(p, 0, 1) };

	vhost_ioctl(v, VHOST_VDPA_SET_VRING_ENABLE, &s);
}

/* Any call with any argument. New ioctls need a place here. */
static void any_ioctl(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	static const unsigned long calls[] = {
		VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_SET_OWNER, VHOST_RESET_OWNER,
		VHOST_SET_MEM_TABLE, VHOST_SET_LOG_FD, VHOST_SET_VRING_NUM, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE, VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR, VHOST_SET_VRING_ENDIAN,
		VHOST_GET_VRING_ENDIAN, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_SET_BACKEND_FEATURES,
		VHOST_GET_BACKEND_FEATURES, VHOST_VDPA_SET_VRING_ENABLE, VHOST_NEW_WORKER,
		VHOST_FREE_WORKER, VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER,
		VHOST_GET_FEATURES_ARRAY, VHOST_SET_FEATURES_ARRAY, VHOST_SET_VRING_INFLIGHT,
		VHOST_GET_VRING_INFLIGHT, VHOST_RESUME,
	};
	const unsigned int common = sizeof(calls) / sizeof(*calls);
	unsigned int nr = prng_range(p, 0, common + f->kind->nr_calls - 1);
	unsigned long call = nr < common ? calls[nr] : f->kind->calls[nr - common];
	union {
		uint64_t words[64];
		struct vhost_vring_file file;
	} room;
	void *arg = &room;
	unsigned int i;

	for (i = 0; i < 64; i++)
		room.words[i] = prng_chance(p, 50) ? prng_range(p, 0, 8) : prng_next(p);
	room.file.fd = any_fd(f, p);
	if (prng_chance(p, 50))
		room.file.index = node_fuzz_queue(f, p);
	if (prng_chance(p, 10))
		arg = (void *)(uintptr_t)node_fuzz_address(f, p);
	vhost_ioctl(v, call, arg);
}

/* The second memory is taken away from the VMM, in one of the ways there are. */
static void lose_memory(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	size_t off = prng_range(p, 0, NODE_FUZZ_MEM_SIZE / PAGE - 1) * PAGE;
	size_t len = prng_chance(p, 50) ? NODE_FUZZ_MEM_SIZE - off : PAGE;
	uint8_t *at = f->mem.va + off;

	switch (prng_range(p, 0, 4)) {
	case 0:
		munmap(at, len);
		break;
	case 1:
		mprotect(at, len, prng_range(p, PROT_NONE, PROT_READ));
		break;
	case 2:
		fallocate(f->mem.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
		break;
	case 3:
		if (ftruncate(f->mem.fd, off))
			return;
		break;
	default:
		/* Back, and as it was, but for what was cut off. */
		if (!ftruncate(f->mem.fd, NODE_FUZZ_MEM_SIZE))
			mmap(f->mem.va, NODE_FUZZ_MEM_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_FIXED, f->mem.fd, 0);
	}
}

/* All pages go from the page tables, the rings' too; what is in them stays. */
static void page_out(struct node_fuzz *f, const struct vhost *v, struct prng *p)
{
	madvise(f->guest->va, f->guest->size, MADV_DONTNEED);
}

const struct node_fuzz_op node_fuzz_vmm_ops[] = {
	{ "queue's file", true, vring_file },
	{ "queue's file back", true, vring_back },
	{ "queue's state", true, vring_state },
	{ "ring move", true, ring_move },
	{ "ring back", false, ring_back },
	{ "memory table", true, mem_table },
	{ "memory table", true, mem_table },
	{ "iotlb", true, iotlb },
	{ "workers", true, workers },
	{ "dirty log", true, dirty_log },
	{ "drain", true, drain },
	{ "enable", true, enable },
	{ "any ioctl", true, any_ioctl },
	{ "lose memory", true, lose_memory },
	{ "page out", true, page_out },
};

const unsigned int node_fuzz_vmm_count = sizeof(node_fuzz_vmm_ops) / sizeof(*node_fuzz_vmm_ops);
