// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "map.h"

/* A file on huge pages is mapped by whole ones; what it says for itself is a power of two. */
static uint64_t unit_of(const struct stat *st)
{
	uint64_t unit = st->st_blksize > 4096 ? (uint64_t)st->st_blksize : 4096;

	return unit & (unit - 1) ? 4096 : unit;
}

int map_file(struct mapping *m, int fd, uint64_t offset, uint64_t size)
{
	uint64_t unit, from, end = offset + size;
	struct stat st;
	void *at;

	if (fstat(fd, &st))
		return -errno;
	if (S_ISREG(st.st_mode) && end > (uint64_t)st.st_size)
		return -ERANGE;
	unit = unit_of(&st);
	from = offset & ~(unit - 1);
	m->len = (end - from + unit - 1) & ~(unit - 1);
	at = mmap(NULL, m->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		  (off_t)from);
	if (at == MAP_FAILED)
		return -errno;
	/* A core dump of this process is none of the guest's. */
	madvise(at, m->len, MADV_DONTDUMP);
	m->at = at;
	m->va = (uintptr_t)at + (offset - from);
	return 0;
}

void map_drop(struct mapping *m)
{
	if (m->at)
		munmap(m->at, m->len);
	m->at = NULL;
}
