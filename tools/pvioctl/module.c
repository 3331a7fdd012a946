// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <linux/module.h>

#include "files.h"
#include "module.h"
#include "pvioctl.h"
#include "run.h"

/* In milliseconds. What a process had open may be closed a little after its end. */
#define USE_LIMIT	10000
#define USE_STEP	10

/* Who needs others before those; the last one is for the daemons' devices alone. */
static const char *const names[MODULES_MAX] = {
	"pvio_vhost_vsock", "pvio_vhost_net", "pvio_vhost_blk", "pvio_vsock_common", "pvio_vhost",
};

static int modinfo(const char *name, const char *field, char *buf, size_t len)
{
	const char *const argv[] = { "modinfo", "-F", field, name, NULL };

	return run_read(argv, buf, len);
}

static void find_loaded(struct module *m)
{
	char version[32], sum[32];

	file_line(version, sizeof(version), "/sys/module/%s/version", m->name);
	file_line(sum, sizeof(sum), "/sys/module/%s/srcversion", m->name);
	snprintf(m->loaded, sizeof(m->loaded), "%s %s", version, sum);
}

/* Those that can be seen; a new module gets them whatever modprobe.d has. */
static void find_options(struct module *m)
{
	char path[PATH_LEN], value[64], *option;
	struct dirent *entry;
	DIR *dir;
	int len;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters", m->name);
	dir = opendir(path);
	while (dir && m->nr_options < MODULE_OPTIONS && (entry = readdir(dir))) {
		if (*entry->d_name == '.' ||
		    file_line(value, sizeof(value), "%s/%s", path, entry->d_name))
			continue;
		option = m->option[m->nr_options];
		len = snprintf(option, sizeof(m->option[0]), "%s=%s", entry->d_name, value);
		m->nr_options += len < (int)sizeof(m->option[0]);
	}
	if (dir)
		closedir(dir);
}

/*
 * Would the kernel take it? While there is one of that name it says so, and only after it has
 * looked at the signature and the version. What it can't unpack itself can't be tried.
 */
static int module_try(const char *path)
{
	const char *suffix = strrchr(path, '.');
	int flags = suffix && strcmp(suffix, ".ko") ? MODULE_INIT_COMPRESSED_FILE : 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = syscall(SYS_finit_module, fd, "", flags) ? -errno : 0;
	close(fd);
	return err == -EEXIST || (flags && err == -EOPNOTSUPP) ? 0 : err;
}

static void find_installed(const char *command, struct module *m)
{
	char version[32], sum[32], path[PATH_LEN];
	struct utsname u;
	int err;

	uname(&u);
	if (modinfo(m->name, "filename", path, sizeof(path)))
		die("%s: %s is not installed for kernel %s: make modules_install", command,
		    m->name, u.release);
	err = module_try(path);
	if (err)
		die("%s: the kernel would not take %s: %s; dmesg says why", command, path,
		    strerror(-err));
	modinfo(m->name, "version", version, sizeof(version));
	modinfo(m->name, "srcversion", sum, sizeof(sum));
	snprintf(m->installed, sizeof(m->installed), "%s %s", version, sum);
}

unsigned int modules_find(const char *command, struct module *modules)
{
	unsigned int i, n = 0;

	for (i = 0; i < MODULES_MAX; i++) {
		if (!module_loaded(names[i]))
			continue;
		modules[n].name = names[i];
		find_loaded(&modules[n]);
		find_options(&modules[n]);
		find_installed(command, &modules[n++]);
	}
	return n;
}

/* How many of our modules use it. */
static unsigned int used_by_ours(const struct module *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < MODULES_MAX; i++)
		n += file_exists("/sys/module/%s/holders/%s", m->name, names[i]);
	return n;
}

static bool is_in_use(const struct module *m)
{
	char line[32];

	return !file_line(line, sizeof(line), "/sys/module/%s/refcnt", m->name) &&
	       strtoul(line, NULL, 10) > used_by_ours(m);
}

const struct module *modules_in_use(const struct module *modules, unsigned int first,
				    unsigned int n)
{
	const struct timespec step = { .tv_nsec = USE_STEP * 1000000 };
	unsigned int i;
	int waited = 0;

	for (;;) {
		for (i = first; i < n && !is_in_use(&modules[i]); i++)
			;
		if (i >= n)
			return NULL;
		if (waited >= USE_LIMIT)
			return &modules[i];
		nanosleep(&step, NULL);
		waited += USE_STEP;
	}
}

/* Whoever asks the module for something holds it for a moment. */
int module_remove(const struct module *m)
{
	const struct timespec step = { .tv_nsec = USE_STEP * 1000000 };
	int waited;

	for (waited = 0; syscall(SYS_delete_module, m->name, O_NONBLOCK); waited += USE_STEP) {
		if (errno != EWOULDBLOCK || waited >= USE_LIMIT)
			return -errno;
		nanosleep(&step, NULL);
	}
	return 0;
}

int module_load(const struct module *m)
{
	const char *argv[MODULE_OPTIONS + 3] = { "modprobe", m->name };
	unsigned int i;

	for (i = 0; i < m->nr_options; i++)
		argv[2 + i] = m->option[i];
	return run(argv) ? -EIO : 0;
}
