// SPDX-License-Identifier: GPL-2.0-only
/* Calls on a device, with arguments that are good, or nearly so, or not at all. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>
#include <linux/pvio_vhost_blk.h>

#include "blk_fuzz.h"

#define REGIONS_MAX	6
/* So that no region of a table is as high as the log in the second memory reaches. */
#define REGIONS_APART	0x140000000ull
#define KERNEL_SPACE	0xffff888000000000ull

/* Anywhere but where nothing of the device may show up. */
static uint64_t any_address(struct fuzz *f, struct prng *p)
{
	const struct gmem *m = prng_chance(p, 50) ? &f->e->b.mem : &f->mem;

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

static bool by_iova(const struct fuzz *f)
{
	return f->e->opts.name || f->e->opts.iotlb;
}

uint64_t fuzz_ring_address(struct fuzz *f, struct prng *p, uint64_t real)
{
	uint64_t there = by_iova(f) ? FUZZ_MEM_IOVA : (uintptr_t)f->mem.va;

	switch (prng_range(p, 0, 7)) {
	case 0:
		return prng_next(p) & ~15ull;
	case 1:
		return real + 16 * prng_range(p, 0, 64);
	case 2:
		return there + FUZZ_MEM_SIZE - 16 * prng_range(p, 0, 4096);
	case 3:
		return KERNEL_SPACE;
	case 4:
		return any_address(f, p) & ~15ull;
	case 5:
		return there + (prng_next(p) & (FUZZ_MEM_SIZE - 16));
	default:
		return real;
	}
}

static int any_fd(struct fuzz *f, struct prng *p)
{
	const struct blk *b = &f->e->b;
	const struct ring *r = &b->rings[fuzz_queue(f, p)];

	switch (prng_range(p, 0, 7)) {
	case 0:
		return -1;
	case 1:
		return prng_chance(p, 50) ? 1000 : -2;
	case 2:
		return f->v.fd;
	case 3:
		return b->store_fd;
	case 4:
		return b->config_fd;
	case 5:
		return r->kick_fd;
	default:
		return r->call_fd;
	}
}

static void vring_file(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	static const unsigned long calls[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	struct vhost_vring_file file = { .index = fuzz_queue(f, p), .fd = any_fd(f, p) };
	int fresh = -1;

	/* One that is gone as soon as it is set. */
	if (prng_chance(p, 30)) {
		fresh = eventfd(prng_range(p, 0, 1), EFD_NONBLOCK | EFD_CLOEXEC);
		file.fd = fresh;
	}
	vhost_ioctl(v, calls[prng_range(p, 0, 2)], &file);
	if (fresh >= 0)
		close(fresh);
}

static void vring_back(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = fuzz_queue(f, p);
	const struct ring *r = &f->e->b.rings[q];

	vhost_set_vring_kick(v, q, r->kick_fd);
	vhost_set_vring_call(v, q, r->call_fd);
}

static void vring_state(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int q = fuzz_queue(f, p), base;

	switch (prng_range(p, 0, 3)) {
	case 0:
		vhost_set_vring_num(v, q, prng_chance(p, 70) ? 1u << prng_range(p, 0, 16) :
					  prng_next(p));
		break;
	case 1:
		vhost_set_vring_num(v, q, f->e->b.num);
		break;
	case 2:
		vhost_set_vring_base(v, q, prng_chance(p, 70) ? prng_range(p, 0, 0xffff) :
					   prng_next(p));
		break;
	default:
		vhost_get_vring_base(v, q, &base);
	}
}

static void enable(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	struct vhost_vring_state s = { .index = fuzz_queue(f, p), .num = prng_range(p, 0, 1) };

	vhost_ioctl(v, VHOST_VDPA_SET_VRING_ENABLE, &s);
}

/* Regions of what there is, or near it; now and then none. */
static void mem_table(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct gmem *all[] = { &f->e->b.mem, &f->mem };
	struct vhost_memory *m;
	unsigned int i, n = prng_range(p, 0, REGIONS_MAX);

	m = calloc(1, sizeof(*m) + REGIONS_MAX * sizeof(m->regions[0]));
	if (!m)
		return;
	m->nregions = prng_chance(p, 98) ? n : prng_next(p);
	for (i = 0; i < n; i++) {
		const struct gmem *g = all[i % 2];
		size_t off = prng_chance(p, 60) ? 0 : prng_range(p, 0, g->size - 1);
		struct vhost_memory_region *r = &m->regions[i];

		r->guest_phys_addr = g->iova + off + (i / 2) * REGIONS_APART;
		r->userspace_addr = (uintptr_t)g->va + off;
		r->memory_size = prng_chance(p, 80) ? g->size - off : prng_range(p, 0, g->size);
		if (prng_chance(p, 3))
			r->memory_size = prng_next(p);
		if (prng_chance(p, 3))
			r->userspace_addr = any_address(f, p);
	}
	vhost_ioctl(v, VHOST_SET_MEM_TABLE, m);
	free(m);
}

/* What the client believes in. */
static void mem_back(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct gmem *all[] = { &f->e->b.mem, &f->mem };
	struct vhost_memory *m = calloc(1, sizeof(*m) + 2 * sizeof(m->regions[0]));

	if (!m)
		return;
	m->nregions = 2;
	for (int i = 0; i < 2; i++) {
		m->regions[i].guest_phys_addr = all[i]->iova;
		m->regions[i].userspace_addr = (uintptr_t)all[i]->va;
		m->regions[i].memory_size = all[i]->size;
	}
	vhost_ioctl(v, VHOST_SET_MEM_TABLE, m);
	free(m);
}

static void iotlb(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct gmem *all[] = { &f->mem, &f->mem, &f->e->b.mem };
	const struct gmem *g = all[prng_range(p, 0, 2)];
	size_t off = prng_range(p, 0, g->size / 4096 - 1) * 4096;
	struct vhost_iotlb_msg msg = {
		.iova = g->iova + off,
		.size = prng_chance(p, 50) ? g->size - off : 4096,
		.uaddr = (uintptr_t)g->va + off,
		.perm = prng_range(p, 0, 3),
		.type = prng_range(p, 1, 6),
	};

	if (prng_chance(p, 5))
		msg.iova = any_address(f, p);
	if (prng_chance(p, 5))
		msg.size = prng_next(p) >> prng_range(p, 0, 63);
	if (prng_chance(p, 5))
		msg.uaddr = any_address(f, p);
	vhost_iotlb_send(v, &msg, prng_chance(p, 90) ? 0 : prng_range(p, 0, 3));
}

static void iotlb_back(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct gmem *g = prng_chance(p, 50) ? &f->e->b.mem : &f->mem;

	vhost_unmap_gmem(v, g);
	vhost_map_gmem(v, g);
}

static void workers(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	unsigned int id = prng_range(p, 0, 8), q = fuzz_queue(f, p);

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

/*
 * In memory that comes and goes, or nowhere. There it has room for all that memory tables name;
 * anywhere else it would lie over what the device is not to write, or over this program.
 */
static uint64_t log_base(struct fuzz *f, struct prng *p)
{
	switch (prng_range(p, 0, 9)) {
	case 0:
		return prng_next(p) | 1ull << 63;
	case 1:
		return UINT64_MAX - prng_range(p, 0, 0x2000);
	case 2:
		return KERNEL_SPACE + prng_range(p, 0, 0x2000);
	default:
		return (uintptr_t)f->mem.va;
	}
}

static void dirty_log(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	uint64_t base = log_base(f, p);
	int fd = prng_chance(p, 50) ? f->e->b.config_fd : any_fd(f, p);
	uint64_t features = f->e->b.features;

	vhost_ioctl(v, VHOST_SET_LOG_FD, &fd);
	vhost_ioctl(v, VHOST_SET_LOG_BASE, &base);
	if (prng_chance(p, 60))
		features |= BIT(VHOST_F_LOG_ALL);
	vhost_set_features(v, features);
}

/* In-flight regions that the guest scribbles into, and draining, with little patience. */
static void inflight(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	const struct gmem *g = prng_chance(p, 70) ? &f->e->b.mem : &f->mem;
	struct vhost_drain drain = { .timeout_ms = prng_range(p, 0, 20) };
	struct vhost_vring_inflight_info flight = { .index = fuzz_queue(f, p) };
	struct vhost_vring_inflight in = {
		.index = fuzz_queue(f, p),
		.addr = (uintptr_t)g->va + (prng_range(p, 0, 0x4000) & ~7ul),
		.size = prng_chance(p, 80) ? 0x2000 : prng_next(p) >> prng_range(p, 0, 63),
	};

	switch (prng_range(p, 0, 4)) {
	case 0:
		vhost_ioctl(v, VHOST_DRAIN, &drain);
		vhost_ioctl(v, VHOST_RESUME, NULL);
		break;
	case 1:
		vhost_ioctl(v, VHOST_GET_VRING_INFLIGHT, &flight);
		break;
	case 2:
		in.addr = prng_chance(p, 50) ? 0 : any_address(f, p);
		vhost_ioctl(v, VHOST_SET_VRING_INFLIGHT, &in);
		break;
	default:
		vhost_ioctl(v, VHOST_SET_VRING_INFLIGHT, &in);
	}
}

static void config(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	uint8_t buf[64] = { };
	uint32_t off = prng_chance(p, 80) ? prng_range(p, 0, 96) : prng_next(p);
	uint32_t len = prng_range(p, 0, sizeof(buf));

	buf[0] = prng_next(p);
	if (prng_chance(p, 50))
		vdpa_get_config(v, off, buf, len);
	else
		vdpa_set_config(v, off, buf, len);
	vdpa_set_config_call(v, any_fd(f, p));
}

/*
 * Any call with any argument. What would end the device for good, as a VMM may, is among them. New
 * ioctls need a place here.
 */
static void any_ioctl(struct fuzz *f, const struct vhost *v, struct prng *p)
{
	static const unsigned long calls[] = {
		VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_SET_OWNER, VHOST_RESET_OWNER,
		VHOST_SET_MEM_TABLE, VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD, VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_ADDR, VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
		VHOST_SET_VRING_ENDIAN, VHOST_GET_VRING_ENDIAN, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
		VHOST_GET_VRING_BUSYLOOP_TIMEOUT, VHOST_SET_BACKEND_FEATURES,
		VHOST_GET_BACKEND_FEATURES, VHOST_VDPA_GET_STATUS, VHOST_VDPA_GET_CONFIG,
		VHOST_VDPA_SET_CONFIG, VHOST_VDPA_SET_VRING_ENABLE, VHOST_VDPA_GET_VRING_NUM,
		VHOST_VDPA_GET_IOVA_RANGE, VHOST_BLK_SET_SERIAL, VHOST_BLK_SET_LIFETIME,
		VHOST_BLK_SET_SHARED, VHOST_SET_NWORKERS, VHOST_NEW_WORKER, VHOST_FREE_WORKER,
		VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER, VHOST_GET_FEATURES_ARRAY,
		VHOST_SET_FEATURES_ARRAY, VHOST_SET_VRING_INFLIGHT,
		VHOST_GET_VRING_INFLIGHT, VHOST_RESUME,
	};
	unsigned long call = calls[prng_range(p, 0, sizeof(calls) / sizeof(*calls) - 1)];
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
		room.file.index = fuzz_queue(f, p);
	if (prng_chance(p, 10))
		arg = (void *)(uintptr_t)any_address(f, p);
	if (prng_chance(p, 2))
		call = _IOC(prng_range(p, 0, 3), VHOST_VIRTIO, prng_range(p, 0, 255),
			    8 * prng_range(p, 0, 16));
	vhost_ioctl(v, call, arg);
}

const struct fuzz_op fuzz_ioctl_ops[] = {
	{ "queue's file", FUZZ_ANY | FUZZ_BESIDE, vring_file },
	{ "queue's file back", FUZZ_ANY | FUZZ_BESIDE, vring_back },
	{ "queue's state", FUZZ_ANY | FUZZ_BESIDE, vring_state },
	{ "enable", FUZZ_NODE | FUZZ_BESIDE, enable },
	{ "memory table", FUZZ_NODE | FUZZ_BESIDE, mem_table },
	{ "memory back", FUZZ_NODE | FUZZ_BESIDE, mem_back },
	{ "iotlb", FUZZ_ANY | FUZZ_BESIDE, iotlb },
	{ "iotlb back", FUZZ_ANY | FUZZ_BESIDE, iotlb_back },
	{ "workers", FUZZ_NODE | FUZZ_BESIDE, workers },
	{ "dirty log", FUZZ_NODE | FUZZ_BESIDE, dirty_log },
	{ "in flight", FUZZ_NODE | FUZZ_BESIDE, inflight },
	{ "config", FUZZ_ANY | FUZZ_BESIDE, config },
	{ "any ioctl", FUZZ_ANY | FUZZ_BESIDE, any_ioctl },
};

const unsigned int fuzz_ioctl_count = sizeof(fuzz_ioctl_ops) / sizeof(*fuzz_ioctl_ops);
