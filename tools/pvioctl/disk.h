/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk: its directory in configfs, its vDPA device, its node. Calls return 0 or -errno. */
#ifndef PVIOCTL_DISK_H
#define PVIOCTL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"

#define MODULE		"pvio_vhost_blk"
#define CONFIGFS	"/sys/kernel/config"
#define DISKS		CONFIGFS "/pvio_blk"
#define BUS		"/sys/bus/vdpa"

/* Ends the program with the remedy where this kernel has no place for disks now. */
void disk_need(const char *command);

/* Ends the program where no disk can be called so. */
void disk_check_name(const char *command, const char *name);
/*
 * Which parts of a disk there are: its directory, and its vDPA device if that is pvio's. Ends the
 * program where there is neither, or where that can't be known.
 */
void disk_find(const char *command, const char *name, bool *dir, bool *dev);

/* A value longer than this is cut off by configfs. */
#define VALUE_MAX	4000

int disk_read(const char *name, const char *attr, char *buf, size_t len);
int disk_write(const char *name, const char *attr, const char *value);
int disk_make(const char *name);
int disk_remove(const char *name);
bool disk_exists(const char *name);
/* Their names, in order, for free(); ends the program where that can't be had. */
int disk_names(const char *command, char ***names);

/* What the kernel says of an error is in *@why, until the next call. */
int vdpa_add(const char *name, const uint64_t *features, const char **why);
int vdpa_del(const char *name, const char **why);
/* The management device that made a vDPA device; -ENODEV: there is no such device. */
int vdpa_parent(const char *name, char *buf, size_t len, const char **why);

/* The node by which a device is used; -ENOENT: it has none, now. */
int vdpa_node(const char *name, bool loop, char *buf, size_t len);

/* The attribute lifetime of a store, where the kernel knows it: an eMMC, or a partition of one. */
bool store_lifetime(const char *path, char *buf, size_t len);

#endif
