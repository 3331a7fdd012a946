// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"
#include "pvioctl.h"

void disk_need(const char *command)
{
	if (file_exists(DISKS))
		return;
	if (!module_loaded(MODULE))
		die("%s: " MODULE " is not loaded: modprobe " MODULE, command);
	if (!file_exists(BUS))
		die("%s: this kernel has no vDPA: VMMs open /dev/vhost-blk, and need no disk made",
		    command);
	die("%s: configfs is not mounted: mount -t configfs none " CONFIGFS, command);
}

void disk_check_name(const char *command, const char *name)
{
	if (!*name || strpbrk(name, "/\n") || !strcmp(name, ".") || !strcmp(name, ".."))
		die("%s: '%s': a disk can't have such a name", command, name);
}

void disk_find(const char *command, const char *name, bool *dir, bool *dev)
{
	const char *why;
	char parent[64];
	int err;

	disk_check_name(command, name);
	err = vdpa_parent(name, parent, sizeof(parent), &why);
	if (err && err != -ENODEV)
		die("%s: %s: vDPA can't be asked for it: %s%s%s", command, name, strerror(-err),
		    *why ? "; " : "", why);
	*dev = !err && !strcmp(parent, MODULE);
	*dir = disk_exists(name);
	if (!*dir && !*dev)
		die("%s: %s: there is no such disk; pvioctl blk list", command, name);
}

int disk_read(const char *name, const char *attr, char *buf, size_t len)
{
	return file_line(buf, len, DISKS "/%s/%s", name, attr);
}

int disk_write(const char *name, const char *attr, const char *value)
{
	char path[PATH_LEN], line[VALUE_MAX + 2];
	int len, fd, err = 0;

	snprintf(path, sizeof(path), DISKS "/%s/%s", name, attr);
	len = snprintf(line, sizeof(line), "%s\n", value);
	if (len >= (int)sizeof(line))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, line, len) < 0)
		err = -errno;
	close(fd);
	return err;
}

int disk_make(const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), DISKS "/%s", name);
	return mkdir(path, 0755) ? -errno : 0;
}

int disk_remove(const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), DISKS "/%s", name);
	return rmdir(path) ? -errno : 0;
}

bool disk_exists(const char *name)
{
	return file_exists(DISKS "/%s", name);
}

static int is_name(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

int disk_names(const char *command, char ***names)
{
	struct dirent **entries;
	int i, n = scandir(DISKS, &entries, is_name, alphasort);

	if (n < 0 && errno != ENOENT)
		die("%s: the disks in " DISKS " can't be listed: %s", command, strerror(errno));
	*names = need(calloc(n > 0 ? n : 1, sizeof(**names)));
	for (i = 0; i < n; i++) {
		(*names)[i] = need(strdup(entries[i]->d_name));
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return n > 0 ? n : 0;
}

/* The name of the first entry of a directory that begins with @prefix. */
static int first_entry(const char *dir_path, const char *prefix, char *buf, size_t len)
{
	DIR *dir = opendir(dir_path);
	struct dirent *entry;
	int err = -ENOENT;

	while (dir && err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		snprintf(buf, len, "%s", entry->d_name);
		err = 0;
	}
	if (dir)
		closedir(dir);
	return err;
}

int vdpa_node(const char *name, bool loop, char *buf, size_t len)
{
	char path[PATH_LEN], entry[NAME_MAX + 1];
	struct stat st;
	int err;

	snprintf(path, sizeof(path), BUS "/devices/%s", name);
	err = first_entry(path, loop ? "virtio" : "vhost-vdpa-", entry, sizeof(entry));
	if (!err && loop) {
		snprintf(path, sizeof(path), BUS "/devices/%s/%.64s/block", name, entry);
		err = first_entry(path, "", entry, sizeof(entry));
	}
	if (err)
		return err;
	snprintf(buf, len, "/dev/%s", entry);
	if (stat(buf, &st))
		return -errno;
	return (loop ? S_ISBLK(st.st_mode) : S_ISCHR(st.st_mode)) ? 0 : -ENODEV;
}
