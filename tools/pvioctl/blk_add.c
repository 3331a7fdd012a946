// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl blk add: a directory in configfs and a vDPA device in one step, or nothing. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk.h"
#include "pvioctl.h"
#include "show.h"

#define NODE_LIMIT_MS	10000

/* In the order in which they are written: later ones are checked against earlier ones. */
enum option_nr {
	OPTION_READONLY,
	OPTION_PATH,
	OPTION_QUEUES,
	OPTION_QUEUE_SIZE,
	OPTION_BLOCK_SIZE,
	OPTION_SERIAL,
	OPTION_MEMORY,
	OPTION_DISCARD,
	OPTION_LIFETIME,
	OPTION_LOOP,
	NR_OPTIONS,
};

static const struct option {
	const char *name;
	const char *attr;
	bool flag;
	const char *allowed;
	const char *help;
} options[NR_OPTIONS] = {
	[OPTION_READONLY] = { "readonly", "readonly", true, "0 or 1", "the guest may not write" },
	[OPTION_PATH] = { "path", "path", false, "a block device or a file", "the store" },
	[OPTION_QUEUES] = { "queues", "queues", false, "1 to 64", "request queues" },
	[OPTION_QUEUE_SIZE] = {
		"queue-size", "queue_size", false, "a power of two from 16 to 1024",
		"the largest size of each ring"
	},
	[OPTION_BLOCK_SIZE] = {
		"block-size", "block_size", false,
		"0, or a power of two from the store's block size to the size of a page",
		"the logical block size; 0: the store's"
	},
	[OPTION_SERIAL] = {
		"serial", "serial", false, "up to 20 bytes", "the disk's serial number"
	},
	[OPTION_MEMORY] = {
		"memory", "memory", false, "va or pa", "how the VM's memory is reached"
	},
	[OPTION_DISCARD] = {
		"discard", "discard", false, "none, zero or pass", "what becomes of discards"
	},
	[OPTION_LIFETIME] = {
		"lifetime", "lifetime", false, "three numbers, up to 3, 11 and 11, or nothing",
		"how worn the store is; an eMMC tells that by itself"
	},
	[OPTION_LOOP] = { "loop", "loop", true, "0 or 1", "a disk for this very kernel" },
};

#define FEATURES	"device-features"

struct add {
	const char *command;
	const char *name;
	const char *values[NR_OPTIONS];
	const char *features_text;
	uint64_t features;
	char *path;
	char lifetime[16];
	bool loop;
	bool made_dir;
	bool made_dev;
};

/* What the kernel means by an error, where its words don't tell. */
static const struct {
	int err;
	const char *what;
} path_errors[] = {
	{ ENOTBLK, "allowed: a block device or a file" },
	{ EBUSY, "it is mounted, swap, opened exclusively, or another disk's" },
	{ EACCES, "you have no right to it, or it is write-protected: --readonly" },
	{ EROFS, "its file system is read-only: --readonly" },
	{ EPERM, "you have no right to it" },
	{ EINVAL, "it is smaller than a block, or can't be read and written as a store" },
	{ ENXIO, "there is no device behind it" },
	{ ENODEV, "there is no device behind it" },
	{ EOPNOTSUPP, "it is zoned, or has blocks larger than a page" },
	{ ENAMETOOLONG, "allowed: up to 4000 bytes" },
};

void blk_add_help(FILE *f)
{
	unsigned int i;

	fputs("\noptions, and what they may be:\n", f);
	for (i = 0; i < NR_OPTIONS; i++)
		fprintf(f, "  --%s%s\n      %s (%s)\n", options[i].name,
			options[i].flag ? "" : " VALUE", options[i].help, options[i].allowed);
	fputs("  --" FEATURES " MASK\n      virtio features to offer, and no others (a number)\n",
	      f);
}

static const char *path_error(int err)
{
	unsigned int i;

	for (i = 0; i < sizeof(path_errors) / sizeof(*path_errors); i++)
		if (path_errors[i].err == err)
			return path_errors[i].what;
	return NULL;
}

/* Says which option was wrong. Returns false, for the callers' convenience. */
static bool blame(const struct add *a, unsigned int i, int err)
{
	const char *more = i == OPTION_PATH ? path_error(err) : options[i].allowed;

	complain("%s: --%s %s: %s%s%s%s", a->command, options[i].name, a->values[i], strerror(err),
		 more ? "; " : "", more && i != OPTION_PATH ? "allowed: " : "", more ? more : "");
	return false;
}

static void take_value(struct add *a, unsigned int i, const char *value)
{
	const char *name = options[i].name;

	if (a->values[i])
		die_usage("%s: --%s: it was given already", a->command, name);
	if (strchr(value, '\n'))
		die_usage("%s: --%s: it can't have more than a line", a->command, name);
	a->values[i] = value;
}

static void take_features(struct add *a, const char *value)
{
	char *end;

	if (a->features_text)
		die_usage("%s: --" FEATURES ": it was given already", a->command);
	errno = 0;
	a->features_text = value;
	a->features = strtoull(value, &end, 0);
	if (errno || end == value || *end || strchr(value, '-'))
		die_usage("%s: --" FEATURES " %s: not a number of 64 bits", a->command, value);
}

static void take_option(struct add *a, struct args *args, const char *name, const char *value)
{
	unsigned int i;

	if (!strcmp(name, FEATURES)) {
		take_features(a, args_value(args, name, value));
		return;
	}
	for (i = 0; i < NR_OPTIONS; i++)
		if (!strcmp(options[i].name, name))
			break;
	if (i == NR_OPTIONS)
		die_usage("%s: --%s: no such option; pvioctl blk add --help", a->command, name);
	if (!options[i].flag)
		value = args_value(args, name, value);
	take_value(a, i, value ? value : "1");
}

/* configfs takes blanks at either end away, and knows no other directory than the caller's. */
static void check_path(struct add *a)
{
	const char *path = a->values[OPTION_PATH];
	char *cwd = NULL;

	if (!*path || strspn(path, " \t\v\f\r") || strchr(" \t\v\f\r", path[strlen(path) - 1]))
		die("%s: --path '%s': it may not be empty, or begin or end with a blank",
		    a->command, path);
	if (*path == '/')
		return;
	cwd = need(get_current_dir_name());
	if (asprintf(&a->path, "%s/%s", cwd, path) < 0)
		need(NULL);
	free(cwd);
	a->values[OPTION_PATH] = a->path;
}

static void check_name(const struct add *a)
{
	disk_check_name(a->command, a->name);
	if (disk_exists(a->name))
		die("%s: %s: there is such a disk already; pvioctl blk list", a->command, a->name);
}

static void find_lifetime(struct add *a)
{
	if (!a->values[OPTION_LIFETIME] &&
	    store_lifetime(a->values[OPTION_PATH], a->lifetime, sizeof(a->lifetime)))
		a->values[OPTION_LIFETIME] = a->lifetime;
}

static void check_driver(const struct add *a)
{
	const char *driver = a->loop ? "virtio_vdpa" : "vhost_vdpa";

	if (!file_exists(BUS "/drivers/%s", driver))
		die("%s: %s is not loaded: modprobe %s", a->command, driver, driver);
}

static bool make_dir(struct add *a)
{
	int err = disk_make(a->name);

	a->made_dir = !err;
	if (err)
		complain("%s: %s: the disk can't be made: %s%s", a->command, a->name,
			 strerror(-err), err == -EACCES || err == -EPERM ? "; are you root?" : "");
	return !err;
}

static bool write_attributes(const struct add *a)
{
	unsigned int i;
	int err;

	for (i = 0; i < NR_OPTIONS; i++) {
		err = a->values[i] ? disk_write(a->name, options[i].attr, a->values[i]) : 0;
		if (err)
			return blame(a, i, -err);
	}
	return true;
}

/* The kernel gives a number alone for what it finds out only now. */
static bool make_dev(struct add *a)
{
	const char *why;
	int err = vdpa_add(a->name, a->features_text ? &a->features : NULL, &why);

	a->made_dev = !err;
	if (!err)
		return true;
	if (err == -EINVAL && a->features_text)
		complain("%s: --" FEATURES " %s: %s; allowed: %s", a->command,
			 a->features_text, strerror(-err),
			 "what pvio offers, VERSION_1 (bit 32) and ACCESS_PLATFORM (33) with it");
	else if (err == -EINVAL && a->values[OPTION_BLOCK_SIZE])
		blame(a, OPTION_BLOCK_SIZE, -err);
	else if (err == -EINVAL || err == -EACCES || err == -EOPNOTSUPP)
		blame(a, OPTION_PATH, -err);
	else if (err == -EEXIST)
		complain("%s: %s: there is a vDPA device of this name already", a->command,
			 a->name);
	else
		complain("%s: %s: the vDPA device can't be made: %s%s", a->command, a->name,
			 strerror(-err), err == -EPERM ? "; it takes CAP_NET_ADMIN" : "");
	if (*why)
		complain("%s: %s: %s", a->command, a->name, why);
	return false;
}

static bool await_node(const struct add *a, char *node, size_t len)
{
	unsigned int ms;
	int err = -ENOENT;

	for (ms = 0; ms < NODE_LIMIT_MS && err; ms += 10) {
		err = vdpa_node(a->name, a->loop, node, len);
		if (err)
			usleep(10000);
	}
	if (err)
		complain("%s: %s: there is no node for it: %s; is devtmpfs mounted on /dev%s?",
			 a->command, a->name, strerror(-err),
			 a->loop ? ", and virtio_blk loaded" : "");
	return !err;
}

static void undo(struct add *a)
{
	const char *why = "";
	int err = 0;

	if (a->made_dev)
		err = vdpa_del(a->name, &why);
	if (!err && a->made_dir)
		err = disk_remove(a->name);
	if (err)
		complain("%s: %s: what was made stays: %s%s%s; to remove it: pvioctl blk del %s",
			 a->command, a->name, strerror(-err), *why ? ": " : "", why, a->name);
}

static void show_result(const struct add *a, const char *node)
{
	if (!json) {
		puts(node);
		return;
	}
	show_begin();
	show_record();
	show_str("name", a->name);
	show_str("node", node);
	show_end();
}

int cmd_blk_add(struct args *args)
{
	struct add a = { .command = args->command };
	const char *option, *value;
	char node[PATH_LEN];
	sigset_t all;
	bool ok;

	a.name = args_word(args, "the disk's name");
	while ((option = args_option(args, &value)))
		take_option(&a, args, option, value);
	if (!a.values[OPTION_PATH])
		die_usage("%s: --path is missing", a.command);
	disk_need(a.command);
	check_path(&a);
	check_name(&a);
	a.loop = a.values[OPTION_LOOP] && strcmp(a.values[OPTION_LOOP], "0");
	check_driver(&a);
	find_lifetime(&a);

	/* Half a disk is left to nobody. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	ok = make_dir(&a) && write_attributes(&a) && make_dev(&a) &&
	     await_node(&a, node, sizeof(node));
	if (ok)
		show_result(&a, node);
	else
		undo(&a);
	free(a.path);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
