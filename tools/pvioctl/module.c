// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "module.h"
#include "pvioctl.h"
#include "run.h"

/* In milliseconds. What a process had open may be closed a little after its end. */
#define REMOVE_LIMIT	10000
#define REMOVE_STEP	10

/* Who needs others before those. */
static const char *const names[MODULES_MAX] = { "pvio_vhost_blk", "pvio_vhost" };

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

/* To load it is tried when the old one is gone: what can be known before has to be. */
static void find_installed(const char *command, struct module *m)
{
	char version[32], sum[32], magic[128], signer[128], line[8];
	struct utsname u;
	size_t len;

	uname(&u);
	len = strlen(u.release);
	if (modinfo(m->name, "vermagic", magic, sizeof(magic)))
		die("%s: %s is not installed for kernel %s: make modules_install", command,
		    m->name, u.release);
	if (strncmp(magic, u.release, len) || (magic[len] && magic[len] != ' '))
		die("%s: the installed %s is for another kernel: it says %s, this is %s", command,
		    m->name, magic, u.release);
	modinfo(m->name, "signer", signer, sizeof(signer));
	if (!file_line(line, sizeof(line), "/sys/module/module/parameters/sig_enforce") &&
	    *line == 'Y' && !*signer)
		die("%s: this kernel takes signed modules only, and the installed %s is not signed",
		    command, m->name);
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
		find_installed(command, &modules[n++]);
	}
	return n;
}

int module_remove(const struct module *m)
{
	const struct timespec step = { .tv_nsec = REMOVE_STEP * 1000000 };
	int waited = 0;

	while (syscall(SYS_delete_module, m->name, O_NONBLOCK)) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (waited >= REMOVE_LIMIT)
			return -EBUSY;
		nanosleep(&step, NULL);
		waited += REMOVE_STEP;
	}
	return 0;
}

int module_load(const struct module *m)
{
	const char *const argv[] = { "modprobe", m->name, NULL };

	return run(argv) ? -EIO : 0;
}
