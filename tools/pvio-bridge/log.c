// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of dirty pages. The kernel sets bits wherever this process says that the log is, so it
 * must not be shorter than what is logged: behind it is other memory of this process.
 */
#include <errno.h>
#include <sys/stat.h>

#include "log.h"
#include "node.h"
#include "ring.h"
#include "say.h"

#define PAGE		4096ull
/* A byte has the bits of eight pages. */
#define BYTE_COVERS	(8 * PAGE)

static int covers(uint64_t size, uint64_t addr, uint64_t len)
{
	uint64_t last = addr + (len - 1);

	if (!len || (last >= addr && last / BYTE_COVERS < size))
		return 0;
	say("the log of dirty pages is too short: %llu bytes, and 0x%llx is to be noted",
	    (unsigned long long)size, (unsigned long long)last);
	return -EINVAL;
}

void log_drop(struct session *s)
{
	map_drop(&s->log.map);
	s->log = (struct dirty_log){ };
}

/* Does the VMM still want to know? It doesn't take back a log, but what makes one necessary. */
static bool wanted(const struct session *s)
{
	unsigned int q;

	if (s->features & 1ull << VHOST_F_LOG_ALL)
		return true;
	for (q = 0; q < QUEUES_MAX; q++)
		if (s->ring[q].addr.flags & 1u << VHOST_VRING_F_LOG)
			return true;
	return false;
}

/* Memory that came after a migration that was none need not be in a log that nobody wants. */
int log_covers(struct session *s, uint64_t addr, uint64_t len)
{
	if (s->log.map.at && !wanted(s) && !node_set_log(&s->node, 0))
		log_drop(s);
	return s->log.map.at ? covers(s->log.size, addr, len) : 0;
}

/* What is written of a ring: at most the descriptors of a packed one. */
static int covers_ring(uint64_t size, const struct ring *r)
{
	return covers(size, r->addr.log_guest_addr, 16ull * r->num + 6);
}

int log_covers_ring(const struct session *s, const struct ring *r)
{
	return s->log.map.at ? covers_ring(s->log.size, r) : 0;
}

static int log_check(const struct session *s, const struct vhost_user_log *l, int fd)
{
	struct stat st;
	unsigned int q;
	int err;

	if (fstat(fd, &st))
		return -errno;
	if (l->mmap_offset > INT64_MAX / 2 || l->mmap_size > INT64_MAX / 2 || !l->mmap_size ||
	    l->mmap_offset + l->mmap_size > (uint64_t)st.st_size) {
		say("a log of %llu bytes at %llu of a file of %llu is none",
		    (unsigned long long)l->mmap_size, (unsigned long long)l->mmap_offset,
		    (unsigned long long)st.st_size);
		return -EINVAL;
	}
	err = covers(l->mmap_size, memory_last(&s->mem), s->mem.count ? 1 : 0);
	for (q = 0; q < QUEUES_MAX && !err; q++)
		if (s->ring[q].running && s->ring[q].addr.flags & 1u << VHOST_VRING_F_LOG)
			err = covers_ring(l->mmap_size, &s->ring[q]);
	return err;
}

int log_set(struct session *s, const struct vhost_user_log *l, int fd)
{
	struct dirty_log new = { .size = l->mmap_size };
	int err = log_check(s, l, fd);

	if (err)
		return err;
	err = map_file(&new.map, fd, l->mmap_offset, l->mmap_size);
	if (err) {
		say_err(err, "the log of dirty pages can't be mapped");
		return err;
	}
	err = node_set_log(&s->node, new.map.va);
	if (err) {
		say_err(err, "the kernel refuses the log of dirty pages");
		/* Of several devices none may go on in what is unmapped. */
		if (s->node.count > 1 && node_set_log(&s->node, s->log.map.va)) {
			ring_reset_all(s);
			err = -ESHUTDOWN;
		}
		map_drop(&new.map);
		return err;
	}
	log_drop(s);
	s->log = new;
	return 0;
}
