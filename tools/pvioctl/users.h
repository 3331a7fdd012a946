/* SPDX-License-Identifier: GPL-2.0-only */
/* Who has nodes open. */
#ifndef PVIOCTL_USERS_H
#define PVIOCTL_USERS_H

#include <sys/types.h>

#include "files.h"

/* /dev/vhost-blk is open once for each VM. */
#define USERS_MAX	1024

struct users {
	char node[PATH_LEN];	/* set by the caller; empty: there is none */
	dev_t rdev;
	unsigned int n;
	pid_t pid[USERS_MAX];
	char names[PATH_LEN];
};

/* Fills in the rest for @nr nodes in one go through all processes, as far as one may see these. */
void users_find(struct users *users, unsigned int nr);

#endif
