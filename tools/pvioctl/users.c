// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "users.h"

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A container may have its nodes elsewhere, but seldom without a /dev, and under other names. */
static bool may_be_node(const char *link, const struct users *users, unsigned int nr)
{
	unsigned int i;

	if (*link != '/')
		return false;
	if (strstr(link, "/dev/"))
		return true;
	for (i = 0; i < nr; i++)
		if (*users[i].node && !strcmp(base(link), base(users[i].node)))
			return true;
	return false;
}

/*
 * The device behind a descriptor, 0 if it isn't worth a look: a link is followed only where its
 * text may be a node's, because a file's server may not answer.
 */
static dev_t open_device(int dir, const char *fd, const struct users *users, unsigned int nr)
{
	char link[PATH_LEN];
	ssize_t len = readlinkat(dir, fd, link, sizeof(link) - 1);
	struct statx st;

	if (len < 0)
		return 0;
	link[len] = 0;
	if (!may_be_node(link, users, nr))
		return 0;
	if (statx(dir, fd, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE, &st) ||
	    (!S_ISCHR(st.stx_mode) && !S_ISBLK(st.stx_mode)))
		return 0;
	return makedev(st.stx_rdev_major, st.stx_rdev_minor);
}

/* A process may have a node open more than once. */
static void take_user(struct users *u, pid_t pid)
{
	size_t used = strlen(u->names);
	char name[64];

	if (u->n && u->pid[u->n - 1] == pid)
		return;
	if (u->n == USERS_MAX)
		return;
	u->pid[u->n++] = pid;
	who_is(pid, name, sizeof(name));
	snprintf(u->names + used, sizeof(u->names) - used, "%s%d (%s)", used ? ", " : "", pid,
		 name);
}

static void find_in_process(pid_t pid, struct users *users, unsigned int nr)
{
	char path[PATH_LEN];
	struct dirent *entry;
	unsigned int i;
	dev_t rdev;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		rdev = open_device(dirfd(dir), entry->d_name, users, nr);
		for (i = 0; rdev && i < nr; i++)
			if (users[i].rdev == rdev)
				take_user(&users[i], pid);
	}
	if (dir)
		closedir(dir);
}

void users_find(struct users *users, unsigned int nr)
{
	struct dirent *entry;
	struct stat st;
	unsigned int i;
	DIR *dir;

	for (i = 0; i < nr; i++) {
		users[i].n = 0;
		*users[i].names = 0;
		users[i].rdev = *users[i].node && !stat(users[i].node, &st) ? st.st_rdev : 0;
	}
	dir = opendir("/proc");
	while (dir && (entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid > 0 && pid != getpid())
			find_in_process(pid, users, nr);
	}
	if (dir)
		closedir(dir);
}
