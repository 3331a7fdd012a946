// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU's locks on images (its block/file-posix.c): a byte for each thing that a user does, and one
 * for each that he lets nobody else do. All hold them as readers, so that several can have the
 * same; who comes looks whether one that he minds is held.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "lock.h"

#define DOES		100
#define LETS_NOT	200
/* Ours: where QEMU has none. */
#define NAMES		4096
#define NAMES_MASK	0xfffffff

enum use {
	USE_READ,
	USE_WRITE,
	USE_WRITE_UNCHANGED,
	USE_RESIZE,
	USES,
};

static int lock_byte(int fd, int byte, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &l) ? -errno : 0;
}

static int byte_held(int fd, int byte)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (fcntl(fd, F_OFD_GETLK, &l))
		return -errno;
	return l.l_type == F_UNLCK ? 0 : -EBUSY;
}

static const struct {
	bool does;	/* by those who write: all do read */
	bool lets_not;
} by_use[USES] = {
	[USE_READ] = { .does = true },
	[USE_WRITE] = { .does = true, .lets_not = true },
	[USE_WRITE_UNCHANGED] = { },
	[USE_RESIZE] = { .lets_not = true },
};

static bool does(enum use u, bool write)
{
	return by_use[u].does && (write || u == USE_READ);
}

int lock_take(int fd, bool write)
{
	enum use u;
	int err = 0;

	for (u = 0; u < USES && !err; u++) {
		if (does(u, write))
			err = lock_byte(fd, DOES + u, F_RDLCK);
		if (!err && by_use[u].lets_not)
			err = lock_byte(fd, LETS_NOT + u, F_RDLCK);
	}
	for (u = 0; u < USES && !err; u++) {
		if (does(u, write))
			err = byte_held(fd, LETS_NOT + u);
		if (!err && by_use[u].lets_not)
			err = byte_held(fd, DOES + u);
	}
	if (err)
		lock_drop(fd);
	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}

void lock_drop(int fd)
{
	enum use u;

	for (u = 0; u < USES; u++) {
		lock_byte(fd, DOES + u, F_UNLCK);
		lock_byte(fd, LETS_NOT + u, F_UNLCK);
	}
}

/* FNV-1a: that two of different names meet is unlikely, and then one waits in vain. */
int lock_take_name(int fd, const char *name)
{
	uint32_t hash = 2166136261u;
	int err;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	err = lock_byte(fd, NAMES + (int)(hash & NAMES_MASK), F_WRLCK);
	if (err == -EBADF)
		return 0;
	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}
