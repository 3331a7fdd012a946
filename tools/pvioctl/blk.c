// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl blk del, list, resize. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "pvioctl.h"
#include "show.h"
#include "users.h"

static bool is_loop(const char *name)
{
	char loop[8];

	return !disk_read(name, "loop", loop, sizeof(loop)) && !strcmp(loop, "1");
}

/* A node for VMMs opens once, and a block device can be claimed while nobody has: ask both. */
static bool is_busy(const char *node, bool loop)
{
	int fd = open(node, loop ? O_RDONLY | O_EXCL | O_CLOEXEC : O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno == EBUSY;
	close(fd);
	return false;
}

/* To delete a device that is in use would wait, for ever and unstoppably. */
static void refuse_if_used(const char *command, const char *name)
{
	bool loop = is_loop(name);
	struct users u;

	if (vdpa_node(name, loop, u.node, sizeof(u.node)))
		return;
	users_find(&u, 1);
	if (u.n || is_busy(u.node, loop))
		die("%s: %s: %s is in use%s%s; end that first", command, name, u.node,
		    u.n ? " by process " : ": mounted, or by somebody who can't be seen", u.names);
}

int cmd_blk_del(struct args *a)
{
	const char *name = args_word(a, "the disk's name"), *why;
	bool dev, dir;
	int err;

	args_end(a);
	disk_need(a->command);
	disk_find(a->command, name, &dir, &dev);
	if (dev)
		refuse_if_used(a->command, name);
	err = dev ? vdpa_del(name, &why) : 0;
	/* Somebody else was faster. */
	if (err && err != -ENODEV)
		die("%s: %s: the vDPA device can't be removed: %s%s%s%s", a->command, name,
		    strerror(-err), err == -EPERM ? "; it takes CAP_NET_ADMIN" : "",
		    *why ? ": " : "", why);
	err = dir ? disk_remove(name) : 0;
	if (err)
		die("%s: %s: the disk can't be removed: %s", a->command, name, strerror(-err));
	return 0;
}

static void show_attr(const char *name, const char *attr, bool number)
{
	char value[VALUE_MAX + 2];

	if (disk_read(name, attr, value, sizeof(value)))
		show_none(attr);
	else if (number)
		show_u64(attr, strtoull(value, NULL, 10));
	else
		show_str(attr, value);
}

static void show_users(const struct users *u)
{
	uint64_t pids[USERS_MAX];
	unsigned int i;

	for (i = 0; i < u->n; i++)
		pids[i] = u->pid[i];
	show_list("pids", pids, u->n);
	show_str("used_by", u->names);
}

static void show_disk(const char *name, const struct users *u)
{
	static const struct {
		const char *attr;
		bool number;
	} attrs[] = {
		{ "path", false }, { "memory", false }, { "queues", true },
		{ "queue_size", true }, { "block_size", true }, { "readonly", true },
		{ "discard", false }, { "serial", false }, { "lifetime", false }, { "loop", true },
		{ "resize", true },
	};
	unsigned int i;

	show_record();
	show_str("name", name);
	if (*u->node)
		show_str("node", u->node);
	else
		show_none("node");
	show_users(u);
	for (i = 0; i < sizeof(attrs) / sizeof(*attrs); i++)
		show_attr(name, attrs[i].attr, attrs[i].number);
}

int cmd_blk_list(struct args *a)
{
	struct users *users;
	char **names;
	int i, n;

	args_end(a);
	disk_need(a->command);
	n = disk_names(a->command, &names);
	users = need(calloc(n ? n : 1, sizeof(*users)));
	for (i = 0; i < n; i++)
		if (vdpa_node(names[i], is_loop(names[i]), users[i].node, sizeof(users[i].node)))
			*users[i].node = 0;
	users_find(users, n);
	show_begin();
	for (i = 0; i < n; i++) {
		show_disk(names[i], &users[i]);
		free(names[i]);
	}
	free(names);
	free(users);
	show_end();
	return 0;
}

int cmd_blk_resize(struct args *a)
{
	const char *name = args_word(a, "the disk's name");
	bool dev, dir;
	char differs[8];
	int err;

	args_end(a);
	disk_need(a->command);
	disk_find(a->command, name, &dir, &dev);
	if (!dir)
		die("%s: %s: it has no directory in configfs any more", a->command, name);
	if (!dev)
		die("%s: %s: it has no device yet, which would take the size of then",
		    a->command, name);
	err = disk_read(name, "resize", differs, sizeof(differs));
	if (!err && !strcmp(differs, "0")) {
		complain("%s: %s: the store has the size that the guest was told", a->command,
			 name);
		return 0;
	}
	err = disk_write(name, "resize", "1");
	if (err)
		die("%s: %s: the guest can't be told: %s", a->command, name, strerror(-err));
	return 0;
}
