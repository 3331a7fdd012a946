// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

static int slot_map(struct slot *s, const struct vhost_user_region *r, int fd)
{
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return -errno;
	s->r = *r;
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	err = map_file(&s->map, fd, r->mmap_offset, r->size);
	if (err == -ERANGE)
		say("memory region at 0x%llx ends at byte %llu of a file of %llu",
		    (unsigned long long)r->guest_addr,
		    (unsigned long long)(r->mmap_offset + r->size), (unsigned long long)st.st_size);
	else if (err)
		say_err(err, "memory region at 0x%llx can't be mapped",
			(unsigned long long)r->guest_addr);
	return err;
}

static const struct slot *slot_find(const struct memory *m, const struct slot *s)
{
	unsigned int i;

	for (i = 0; i < m->count; i++)
		if (m->slot[i].map.at == s->map.at)
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

static int tell(const struct memory *m, const struct node *n)
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
		mem->regions[i].userspace_addr = m->slot[i].map.va;
	}
	err = node_set_mem(n, mem);
	if (err)
		say_err(err, "the kernel refuses %u memory regions", m->count);
	free(mem);
	return err;
}

/* Of several devices all see the same, or else none may go on. */
static int tell_all(const struct memory *m, const struct memory *old, const struct node *n)
{
	int err = tell(m, n);

	return err && n->count > 1 && tell(old, n) ? -ESHUTDOWN : err;
}

void memory_settle(const struct memory *m, struct memory *old)
{
	unsigned int i;

	for (i = 0; i < old->count; i++)
		if (!slot_find(m, &old->slot[i]))
			map_drop(&old->slot[i].map);
	old->count = 0;
}

int memory_set(struct memory *m, const struct node *n, const struct vhost_user_region *r,
	       unsigned int count, const int *fds, struct memory *old)
{
	unsigned int i;
	int err = 0;

	*old = *m;
	m->count = 0;
	for (i = 0; i < count && !err; i++)
		err = slot_take(m, old, &r[i], fds[i]);
	if (!err)
		err = tell_all(m, old, n);
	if (!err || err == -ESHUTDOWN)
		return err;

	memory_settle(old, m);
	*m = *old;
	old->count = 0;
	return err;
}

int memory_add(struct memory *m, const struct node *n, const struct vhost_user_region *r, int fd)
{
	static const struct memory none;
	struct memory old = *m;
	int err = slot_take(m, &none, r, fd);

	if (err)
		return err;
	err = tell_all(m, &old, n);
	if (err && err != -ESHUTDOWN) {
		m->count--;
		map_drop(&m->slot[m->count].map);
	}
	return err;
}

int memory_remove(struct memory *m, const struct node *n, const struct vhost_user_region *r,
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
	err = tell_all(m, old, n);
	if (err && err != -ESHUTDOWN) {
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
			*va = s->map.va + (user_addr - s->r.user_addr);
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
