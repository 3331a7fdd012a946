// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "memory.h"
#include "node.h"
#include "say.h"

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

static const char *region_bad(const struct vhost_user_region *r)
{
	if (!r->size)
		return "it is empty";
	if (r->guest_addr + r->size < r->guest_addr || r->user_addr + r->size < r->user_addr ||
	    r->mmap_offset > INT64_MAX / 2 || r->size > INT64_MAX / 2)
		return "it goes beyond the last address";
	return NULL;
}

static int region_check(const struct memory *m, const struct vhost_user_region *r)
{
	const char *why = region_bad(r);
	unsigned int i;

	if (!why && m->count == MEMORY_SLOTS_MAX)
		why = "there are too many";
	for (i = 0; i < m->count && !why; i++) {
		const struct vhost_user_region *o = &m->slot[i].r;

		if (overlap(r->guest_addr, r->size, o->guest_addr, o->size) ||
		    overlap(r->user_addr, r->size, o->user_addr, o->size))
			why = "it overlaps another one";
	}
	if (!why)
		return 0;
	say("memory region at 0x%llx of %llu bytes is refused: %s",
	    (unsigned long long)r->guest_addr, (unsigned long long)r->size, why);
	return -EINVAL;
}

/* A file on huge pages is mapped by whole ones; what it says for itself is a power of two. */
static uint64_t map_unit(const struct stat *st)
{
	uint64_t unit = st->st_blksize > 4096 ? (uint64_t)st->st_blksize : 4096;

	return unit & (unit - 1) ? 4096 : unit;
}

static int slot_map(struct slot *s, const struct vhost_user_region *r, int fd)
{
	uint64_t unit, from, end;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	unit = map_unit(&st);
	from = r->mmap_offset & ~(unit - 1);
	end = r->mmap_offset + r->size;
	if (S_ISREG(st.st_mode) && end > (uint64_t)st.st_size) {
		say("memory region at 0x%llx ends at byte %llu of a file of %llu",
		    (unsigned long long)r->guest_addr, (unsigned long long)end,
		    (unsigned long long)st.st_size);
		return -EINVAL;
	}
	s->r = *r;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	s->map_len = (end - from + unit - 1) & ~(unit - 1);
	s->map = mmap(NULL, s->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		      (off_t)from);
	if (s->map == MAP_FAILED) {
		err = -errno;
		say_err(err, "memory region at 0x%llx can't be mapped",
			(unsigned long long)r->guest_addr);
		return err;
	}
	/* A core dump of this process is none of the guest's. */
	madvise(s->map, s->map_len, MADV_DONTDUMP);
	s->va = (uintptr_t)s->map + (r->mmap_offset - from);
	return 0;
}

static const struct slot *slot_find(const struct memory *m, const struct slot *s)
{
	unsigned int i;

	for (i = 0; i < m->count; i++)
		if (m->slot[i].map == s->map)
			return &m->slot[i];
	return NULL;
}

/* One that is what it was stays mapped. */
static int slot_take(struct memory *m, const struct memory *old, const struct vhost_user_region *r,
		     int fd)
{
	struct slot *s = &m->slot[m->count];
	unsigned int i;
	struct stat st;
	int err;

	err = region_check(m, r);
	if (!err && fstat(fd, &st))
		err = -errno;
	if (err)
		return err;
	for (i = 0; i < old->count; i++) {
		const struct slot *o = &old->slot[i];

		if (!memcmp(&o->r, r, sizeof(*r)) && o->dev == st.st_dev && o->ino == st.st_ino) {
			*s = *o;
			m->count++;
			return 0;
		}
	}
	err = slot_map(s, r, fd);
	if (!err)
		m->count++;
	return err;
}

int memory_tell(const struct memory *m, int node)
{
	struct vhost_memory *mem;
	unsigned int i;
	int err;

	mem = calloc(1, sizeof(*mem) + m->count * sizeof(mem->regions[0]));
	if (!mem)
		return -ENOMEM;
	mem->nregions = m->count;
	for (i = 0; i < m->count; i++) {
		mem->regions[i].guest_phys_addr = m->slot[i].r.guest_addr;
		mem->regions[i].memory_size = m->slot[i].r.size;
		mem->regions[i].userspace_addr = m->slot[i].va;
	}
	err = node_set_mem(node, mem);
	if (err)
		say_err(err, "the kernel refuses %u memory regions", m->count);
	free(mem);
	return err;
}

void memory_settle(const struct memory *m, struct memory *old)
{
	unsigned int i;

	for (i = 0; i < old->count; i++)
		if (!slot_find(m, &old->slot[i]))
			munmap(old->slot[i].map, old->slot[i].map_len);
	old->count = 0;
}

int memory_set(struct memory *m, int node, const struct vhost_user_region *r, unsigned int count,
	       const int *fds, struct memory *old)
{
	unsigned int i;
	int err = 0;

	*old = *m;
	m->count = 0;
	for (i = 0; i < count && !err; i++)
		err = slot_take(m, old, &r[i], fds[i]);
	if (!err)
		err = memory_tell(m, node);
	if (!err)
		return 0;

	memory_settle(old, m);
	*m = *old;
	old->count = 0;
	return err;
}

int memory_add(struct memory *m, int node, const struct vhost_user_region *r, int fd)
{
	const struct memory none = { .count = 0 };
	int err = slot_take(m, &none, r, fd);

	if (err)
		return err;
	err = memory_tell(m, node);
	if (err) {
		m->count--;
		munmap(m->slot[m->count].map, m->slot[m->count].map_len);
	}
	return err;
}

int memory_remove(struct memory *m, int node, const struct vhost_user_region *r,
		  struct memory *old)
{
	unsigned int i;
	int err;

	for (i = 0; i < m->count; i++)
		if (m->slot[i].r.guest_addr == r->guest_addr && m->slot[i].r.size == r->size &&
		    m->slot[i].r.user_addr == r->user_addr)
			break;
	if (i == m->count) {
		say("memory region at 0x%llx of %llu bytes can't be removed: there is none",
		    (unsigned long long)r->guest_addr, (unsigned long long)r->size);
		return -ENOENT;
	}
	*old = *m;
	m->slot[i] = m->slot[--m->count];
	err = memory_tell(m, node);
	if (err) {
		*m = *old;
		old->count = 0;
	}
	return err;
}

bool memory_translate(const struct memory *m, uint64_t user_addr, uint64_t len, uint64_t *va)
{
	unsigned int i;

	for (i = 0; i < m->count; i++) {
		const struct slot *s = &m->slot[i];

		if (user_addr >= s->r.user_addr && user_addr - s->r.user_addr < s->r.size &&
		    len <= s->r.size - (user_addr - s->r.user_addr)) {
			*va = s->va + (user_addr - s->r.user_addr);
			return true;
		}
	}
	return false;
}

uint64_t memory_last(const struct memory *m)
{
	uint64_t last = 0;
	unsigned int i;

	for (i = 0; i < m->count; i++)
		if (m->slot[i].r.guest_addr + (m->slot[i].r.size - 1) > last)
			last = m->slot[i].r.guest_addr + (m->slot[i].r.size - 1);
	return last;
}
