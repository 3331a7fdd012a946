// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <linux/pvio_vhost.h>

#include "fake.h"
#include "memory.h"

#define MAPS_MAX	1200u

void *real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off) __asm__("mmap");
int real_munmap(void *addr, size_t len) __asm__("munmap");

/* What the kernel was told of a queue. */
struct fake_ring {
	unsigned int num;
	unsigned int base;
	struct vhost_vring_addr addr;
	bool enabled;
};

/* What it was told of a node; the one that is asked is @fake. */
static struct fake_node {
	uint64_t features;
	bool owned;
	unsigned int nregions;
	struct vhost_memory_region region[MEMORY_SLOTS_MAX];
	struct fake_ring ring[FAKE_QUEUES];
	uint64_t log_base;
} fakes[FAKE_NODES], *fake = fakes;

static unsigned int fails;	/* each of so many calls does; 0: none */
static unsigned int calls;

static struct {
	uint64_t at;
	uint64_t len;
} maps[MAPS_MAX];
static unsigned int nmaps;

static bool mapped(uint64_t at, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < nmaps; i++)
		if (at >= maps[i].at && at - maps[i].at <= maps[i].len &&
		    len <= maps[i].len - (at - maps[i].at))
			return true;
	return false;
}

void *fuzz_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p = real_mmap(addr, len, prot, flags, fd, off);

	if (p == MAP_FAILED)
		return p;
	FUZZ_CHECK(fd >= 0 && flags & MAP_SHARED && nmaps < MAPS_MAX, "a mapping of its own");
	maps[nmaps].at = (uintptr_t)p;
	maps[nmaps++].len = len;
	return p;
}

static bool packed(void)
{
	return fake->features & PACKED;
}

static void check_ring(const struct fake_ring *r)
{
	uint64_t num = r->num;
	const struct vhost_vring_addr *a = &r->addr;

	FUZZ_CHECK(mapped(a->desc_user_addr, 16 * num), "descriptors");
	FUZZ_CHECK(mapped(a->avail_user_addr, packed() ? 4 : 6 + 2 * num), "driver area");
	FUZZ_CHECK(mapped(a->used_user_addr, packed() ? 4 : 6 + 8 * num), "device area");
	if (fake->log_base && a->flags & 1u << VHOST_VRING_F_LOG) {
		uint64_t len = packed() ? 16 * num : 6 + 8 * num;

		FUZZ_CHECK(a->log_guest_addr + len >= len, "ring beyond the last address");
		FUZZ_CHECK(mapped(fake->log_base + (a->log_guest_addr + len - 1) / 4096 / 8, 1),
			   "log of a ring");
	}
}

static void check_node(void)
{
	unsigned int i;

	for (i = 0; i < fake->nregions; i++) {
		const struct vhost_memory_region *r = &fake->region[i];
		uint64_t last = r->guest_phys_addr + (r->memory_size - 1);

		FUZZ_CHECK(mapped(r->userspace_addr, r->memory_size), "region %u", i);
		if (fake->log_base)
			FUZZ_CHECK(mapped(fake->log_base + last / 4096 / 8, 1),
				   "log of region %u", i);
	}
	for (i = 0; i < FAKE_QUEUES; i++)
		if (fake->ring[i].enabled)
			check_ring(&fake->ring[i]);
}

/* All that the kernel may touch is there. */
static void check_all(void)
{
	for (fake = fakes; fake < fakes + FAKE_NODES; fake++)
		check_node();
}

int fuzz_munmap(void *addr, size_t len)
{
	unsigned int i;

	for (i = 0; i < nmaps && maps[i].at != (uintptr_t)addr; i++)
		;
	FUZZ_CHECK(i < nmaps && maps[i].len == len, "unmaps what is not mapped");
	maps[i] = maps[--nmaps];
	check_all();
	return real_munmap(addr, len);
}

static bool any_enabled(void)
{
	unsigned int i;

	for (i = 0; i < FAKE_QUEUES; i++)
		if (fake->ring[i].enabled)
			return true;
	return false;
}

static int fake_set_features(uint64_t features)
{
	if (features & ~OFFERED)
		return -EOPNOTSUPP;
	if (any_enabled() && (features ^ fake->features) & ~LOG_ALL)
		return -EBUSY;
	if (any_enabled() && features & LOG_ALL && !fake->log_base)
		return -EINVAL;
	fake->features = features;
	return 0;
}

static int fake_set_mem(const struct vhost_memory *m)
{
	unsigned int i, j;

	if (m->nregions > MEMORY_SLOTS_MAX)
		return -E2BIG;
	for (i = 0; i < m->nregions; i++)
		for (j = 0; j < i; j++)
			if (m->regions[i].guest_phys_addr < m->regions[j].guest_phys_addr +
							    m->regions[j].memory_size &&
			    m->regions[j].guest_phys_addr < m->regions[i].guest_phys_addr +
							    m->regions[i].memory_size)
				return -EEXIST;
	fake->nregions = m->nregions;
	memcpy(fake->region, m->regions, m->nregions * sizeof(m->regions[0]));
	return 0;
}

static int fake_set_addr(struct fake_ring *r, const struct vhost_vring_addr *a)
{
	if (a->flags & ~(1u << VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (a->desc_user_addr % 16 || a->avail_user_addr % 2 || a->used_user_addr % 4 ||
	    a->log_guest_addr % 4)
		return -EINVAL;
	r->addr = *a;
	return 0;
}

static int fake_state(struct fake_ring *r, unsigned long call, struct vhost_vring_state *s)
{
	if (call == VHOST_GET_VRING_BASE) {
		s->num = r->base;
		return 0;
	}
	if (call == VHOST_VDPA_SET_VRING_ENABLE) {
		if (s->num && !r->num)
			return -EINVAL;
		r->enabled = s->num;
		return 0;
	}
	if (r->enabled)
		return -EBUSY;
	if (call == VHOST_SET_VRING_BASE) {
		r->base = s->num;
		return packed() || s->num <= UINT16_MAX ? 0 : -EINVAL;
	}
	if (!s->num || s->num > 32768)
		return -EINVAL;
	r->num = s->num;
	return 0;
}

static int fake_inflight(const struct fake_ring *r, const struct vhost_vring_inflight *in)
{
	if (r->enabled)
		return -EBUSY;
	if (!in->addr)
		return 0;
	if (in->addr % 8 || in->size < 16)
		return -EINVAL;
	FUZZ_CHECK(mapped(in->addr, in->size), "in-flight memory");
	return 0;
}

static int fake_event(const struct vhost_vring_file *f)
{
	eventfd_t n;

	if (f->fd == -1 || !eventfd_read(f->fd, &n) || errno == EAGAIN)
		return 0;
	return -EINVAL;
}

static int fake_vring(unsigned long call, void *arg)
{
	uint32_t index;
	struct fake_ring *r;

	memcpy(&index, arg, sizeof(index));
	FUZZ_CHECK(index < FAKE_QUEUES, "queue %u", index);
	r = &fake->ring[index];
	switch (call) {
	case VHOST_SET_VRING_ADDR:
		return fake_set_addr(r, arg);
	case VHOST_SET_VRING_INFLIGHT:
		return fake_inflight(r, arg);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return fake_event(arg);
	}
	return fake_state(r, call, arg);
}

static int fake_call(unsigned long call, void *arg)
{
	struct vhost_vdpa_config *config = arg;

	switch (call) {
	case VHOST_SET_OWNER:
		fake->owned = true;
		return 0;
	case VHOST_RESET_OWNER:
		memset(fake, 0, sizeof(*fake));
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = OFFERED;
		return 0;
	case VHOST_SET_FEATURES:
		return fake_set_features(*(uint64_t *)arg);
	case VHOST_SET_MEM_TABLE:
		return fake_set_mem(arg);
	case VHOST_SET_LOG_BASE:
		fake->log_base = *(uint64_t *)arg;
		return 0;
	case VHOST_VDPA_GET_CONFIG_SIZE:
		*(uint32_t *)arg = 96;
		return 0;
	case VHOST_VDPA_GET_CONFIG:
		FUZZ_CHECK(config->off <= 96 && config->len <= 96 - config->off, "config");
		memset(config->buf, 7, config->len);
		return 0;
	case VHOST_VDPA_SET_CONFIG_CALL:
	case VHOST_SET_LOG_FD:
		return 0;
	}
	return fake_vring(call, arg);
}

/* Those that can't fail are those that give up something. */
static bool may_fail(unsigned long call, const void *arg)
{
	const struct vhost_vring_state *s = arg;

	if (call == VHOST_VDPA_SET_VRING_ENABLE)
		return s->num;
	return call == VHOST_SET_MEM_TABLE || call == VHOST_SET_VRING_ADDR ||
	       call == VHOST_SET_LOG_BASE || call == VHOST_SET_FEATURES ||
	       call == VHOST_SET_VRING_INFLIGHT || call == VHOST_SET_VRING_NUM;
}

int fuzz_ioctl(int fd, unsigned long call, void *arg)
{
	int err;

	FUZZ_CHECK(fd >= FAKE_NODE && fd < FAKE_NODE + FAKE_NODES, "a call to %d", fd);
	fake = &fakes[fd - FAKE_NODE];
	if (fails && may_fail(call, arg) && ++calls % fails == 0)
		err = -ENOMEM;
	else
		err = fake_call(call, arg);
	check_all();
	errno = -err;
	return err ? -1 : 0;
}

void fake_init(unsigned int each)
{
	memset(fakes, 0, sizeof(fakes));
	fails = each;
	calls = 0;
}

unsigned int fake_mappings(void)
{
	return nmaps;
}
