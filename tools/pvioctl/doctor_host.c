// SPDX-License-Identifier: GPL-2.0-only
/* The host: its kernel, modules, configfs, nodes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

#include "disk.h"
#include "doctor.h"

/* From the kernel's list of taints: what a crash or broken hardware leaves behind. */
static const struct {
	unsigned int bit;
	const char *what;
} taints[] = {
	{ 4, "a machine check was seen" },
	{ 5, "a page of memory was found in a bad state" },
	{ 7, "there was an oops" },
};

static void check_taints(void)
{
	unsigned long long mask;
	char line[64];
	unsigned int i;

	if (file_line(line, sizeof(line), "/proc/sys/kernel/tainted"))
		return;
	mask = strtoull(line, NULL, 10);
	for (i = 0; i < sizeof(taints) / sizeof(*taints); i++)
		if (mask & (1ull << taints[i].bit))
			doctor_found(DOCTOR_WRONG, "dmesg, to see where; then reboot",
				     "since this kernel was started %s", taints[i].what);
}

/* Only a module that is to be loaded has to be let in. */
static void check_signatures(void)
{
	static const char mend[] =
		"sign the modules with a key for mokutil --import, or switch Secure Boot off";
	char line[128];

	if (module_loaded(MODULE))
		return;
	if (!file_line(line, sizeof(line), "/sys/kernel/security/lockdown") && *line &&
	    !strstr(line, "[none]"))
		doctor_found(DOCTOR_WRONG, mend,
			     "this kernel is locked down, and refuses modules that aren't signed: %s",
			     line);
	else if (!file_line(line, sizeof(line), "/sys/module/module/parameters/sig_enforce") &&
		 *line == 'Y')
		doctor_found(DOCTOR_WRONG, mend,
			     "this kernel refuses modules that aren't signed (module.sig_enforce)");
}

void doctor_kernel(void)
{
	check_taints();
	check_signatures();
}

/* Whether modprobe would find a module. */
static bool is_installed(const char *module)
{
	char path[PATH_LEN], file[96];
	struct utsname u;

	uname(&u);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", u.release);
	snprintf(file, sizeof(file), "/%s.ko", module);
	return file_says(path, file);
}

static bool misc_is_there(char *minor, size_t len)
{
	FILE *f = fopen("/proc/misc", "re");
	char line[128], name[65];
	unsigned int nr;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%u %64s", &nr, name) == 2 && !strcmp(name, "vhost-blk");
	if (f)
		fclose(f);
	if (found)
		snprintf(minor, len, "%u", nr);
	return found;
}

static void check_rivals(void)
{
	char minor[16];

	if (module_loaded("vhost_blk"))
		doctor_found(DOCTOR_WRONG, "modprobe -r vhost_blk",
			     "another project's module vhost_blk is loaded, and has /dev/vhost-blk");
	else if (!module_loaded(MODULE) && misc_is_there(minor, sizeof(minor)))
		doctor_found(DOCTOR_WRONG, "lsmod, to see which one it is; then modprobe -r it",
			     "another module has /dev/vhost-blk: " MODULE " can't be loaded");
}

void doctor_modules(void)
{
	check_rivals();
	if (module_loaded(MODULE))
		return;
	if (is_installed(MODULE))
		doctor_found(DOCTOR_WRONG, "modprobe " MODULE, MODULE " is not loaded");
	else
		doctor_found(DOCTOR_WRONG,
			     "make modules_install && modprobe " MODULE ", in the sources of pvio",
			     MODULE " is neither loaded nor installed for this kernel");
}

static void check_driver(const char *module, const char *config)
{
	char mend[96];

	if (file_exists(BUS "/drivers/%s", module))
		return;
	if (is_installed(module)) {
		snprintf(mend, sizeof(mend), "modprobe %s", module);
		doctor_found(DOCTOR_WRONG, mend, "%s is not loaded: disks have no node", module);
		return;
	}
	doctor_found(DOCTOR_WRONG, "a kernel with that option, or a VMM that opens /dev/vhost-blk",
		     "this kernel has no %s (%s): disks have no node", module, config);
}

/* Without vDPA there is still the other way. */
void doctor_vdpa(void)
{
	if (!file_exists(BUS)) {
		if (is_installed("vdpa"))
			doctor_found(DOCTOR_NOTE, "modprobe vhost_vdpa", "vDPA is not loaded");
		else
			doctor_found(DOCTOR_NOTE,
				     "a kernel with CONFIG_VDPA, or a VMM that opens /dev/vhost-blk",
				     "this kernel has no vDPA, and so no disks for VMMs that want /dev/vhost-vdpa-N");
		return;
	}
	check_driver("vhost_vdpa", "CONFIG_VHOST_VDPA");
	if (module_loaded(MODULE) && !file_exists(DISKS))
		doctor_found(DOCTOR_WRONG, "mount -t configfs none " CONFIGFS,
			     "configfs is not mounted: no disk can be made");
}

void doctor_nodes(void)
{
	static const char path[] = "/dev/vhost-blk";
	char minor[16], mend[96];
	struct stat st;

	if (!module_loaded(MODULE) || !misc_is_there(minor, sizeof(minor)))
		return;
	snprintf(mend, sizeof(mend), "rm -f %s && mknod -m 0600 %s c 10 %s", path, path, minor);
	if (stat(path, &st))
		doctor_found(DOCTOR_WRONG, mend, "%s is missing: %s", path, strerror(errno));
	else if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(10, atoi(minor)))
		doctor_found(DOCTOR_WRONG, mend, "%s is not the device of " MODULE, path);
	else if (st.st_mode & 0007)
		doctor_found(DOCTOR_WRONG, "chmod o= /dev/vhost-blk",
			     "everybody on this host may open %s", path);
}
