// SPDX-License-Identifier: GPL-2.0-only
/*
 * hold NODE [owner] [uid=N] [private=MIB] [shared=MIB] [start] [break=STORE]
 *
 * A process that has a vhost device open, as a VMM would, and a VMM's faults on request: says
 * "ready", and stays until its standard input ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "blk.h"
#include "vdpa.h"

#define MIB	(1024u * 1024u)
/* Low enough to be the process's own, and nothing is there. */
#define NOWHERE	0x10000u

static struct vhost v;

static int take_owner(const char *arg)
{
	(void)arg;
	return vhost_set_owner(&v);
}

static int take_uid(const char *arg)
{
	return setresuid(atoi(arg), atoi(arg), atoi(arg)) ? -errno : 0;
}

static int map(const char *mib, int flags)
{
	size_t len = strtoul(mib, NULL, 0) * MIB;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int take_private(const char *arg)
{
	return map(arg, MAP_PRIVATE);
}

static int take_shared(const char *arg)
{
	return map(arg, MAP_SHARED);
}

/* As far as the kernel takes the process for the disk's user. */
static int take_start(const char *arg)
{
	int err = vhost_set_owner(&v);

	(void)arg;
	if (!err)
		err = vdpa_negotiate(&v, BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM));
	return err ? err : vdpa_driver_ok(&v);
}

/* A ring where there is no memory breaks the queue at the first look. */
static int take_break(const char *store)
{
	struct vhost_vring_file backend = { .fd = open(store, O_RDWR | O_CLOEXEC) };
	int kick = eventfd(1, EFD_CLOEXEC);
	int err = vhost_set_features(&v, BIT(VIRTIO_F_VERSION_1));

	if (!err)
		err = vhost_set_vring_num(&v, 0, 16);
	if (!err)
		err = vhost_set_vring_addr(&v, 0, NOWHERE, NOWHERE + 4096, NOWHERE + 8192);
	if (!err)
		err = vhost_set_vring_kick(&v, 0, kick);
	return err ? err : vhost_ioctl(&v, VHOST_BLK_SET_BACKEND, &backend);
}

static const struct {
	const char *word;
	int (*take)(const char *arg);
} words[] = {
	{ "owner", take_owner },
	{ "uid=", take_uid },
	{ "private=", take_private },
	{ "shared=", take_shared },
	{ "start", take_start },
	{ "break=", take_break },
};

static int take(const char *arg)
{
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(arg, words[i].word, strlen(words[i].word)))
			return words[i].take(arg + strlen(words[i].word));
	return -EINVAL;
}

int main(int argc, char **argv)
{
	int i, err = argc < 2 ? -EINVAL : vhost_open(&v, argv[1]);
	char c;

	for (i = 2; i < argc && !err; i++)
		err = take(argv[i]);
	if (err) {
		fprintf(stderr, "hold: %s\n", strerror(-err));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
