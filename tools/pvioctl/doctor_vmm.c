// SPDX-License-Identifier: GPL-2.0-only
/* The VMMs that have disks: may they, and can they, give their memory. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk.h"
#include "doctor.h"
#include "pvioctl.h"

#define MIB		(1024ull * 1024)
/* What a VM's memory is never below, and a VMM's other shared memory seldom above. */
#define MEMORY_LEAST	MIB
#define EXTENTS_PLENTY	65536

struct disk {
	const char *name;
	bool pinned;
};

struct memory {
	unsigned long long shared;	/* the largest writable mapping of a file that is shared */
	unsigned long long any;		/* the largest writable mapping */
};

static void read_memory(pid_t pid, struct memory *m)
{
	char path[PATH_LEN], line[1024], perms[8], file[256];
	unsigned long long from, to;
	FILE *f;

	memset(m, 0, sizeof(*m));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		*file = 0;
		if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %255s", &from, &to,
			   perms, file) < 3 || perms[1] != 'w')
			continue;
		if (to - from > m->any)
			m->any = to - from;
		if (perms[3] == 's' && strncmp(file, "anon_inode:", 11) && to - from > m->shared)
			m->shared = to - from;
	}
	if (f)
		fclose(f);
}

/* Bytes that a process may lock; ULLONG_MAX: any. */
static unsigned long long lock_limit(pid_t pid)
{
	static const char title[] = "Max locked memory";
	unsigned long long limit = ULLONG_MAX;
	char path[PATH_LEN], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, title, strlen(title)) &&
		    sscanf(line + strlen(title), "%llu", &limit) != 1)
			limit = ULLONG_MAX;
	if (f)
		fclose(f);
	return limit;
}

static void check_pinned(pid_t pid, const char *program, const struct disk *d,
			 const struct memory *m)
{
	unsigned long long limit = lock_limit(pid);
	char mend[192];

	if (limit >= m->any || m->any < MEMORY_LEAST)
		return;
	snprintf(mend, sizeof(mend),
		 "prlimit --pid %d --memlock=unlimited; for the next: ulimit -l unlimited", pid);
	doctor_found(DOCTOR_WRONG, mend,
		     "process %d (%s) has disk %s with memory=pa, and may lock %llu KiB of %llu",
		     pid, program, d->name, limit / 1024, m->any / 1024);
}

static void check_shared(pid_t pid, const char *program, const struct disk *d,
			 const struct memory *m)
{
	static const char mend[] =
		"QEMU: -object memory-backend-memfd,share=on,...; or make it with --memory pa";

	if (m->shared >= MEMORY_LEAST)
		return;
	doctor_found(DOCTOR_WRONG, mend,
		     "process %d (%s) has disk %s with memory=va, and no shared memory", pid,
		     program, d->name);
}

static void check_vmm(pid_t pid, void *arg)
{
	const struct disk *d = arg;
	char program[64];
	struct memory m;

	who_is(pid, program, sizeof(program));
	read_memory(pid, &m);
	(d->pinned ? check_pinned : check_shared)(pid, program, d, &m);
}

static void check_node(const char *node, const struct stat *st, const char *name)
{
	char mend[PATH_LEN + 16];

	if (!(st->st_mode & 0007))
		return;
	snprintf(mend, sizeof(mend), "chmod o= %s", node);
	doctor_found(DOCTOR_WRONG, mend,
		     "everybody on this host may read and write disk %s, by %s", name, node);
}

/* Where a parameter lives has changed: whoever has it counts. */
static void check_extents(const char *name)
{
	static const char *const modules[] = { "vhost_vdpa", "vhost_iotlb", "vhost" };
	char line[32], mend[128];
	unsigned int i;

	for (i = 0; i < sizeof(modules) / sizeof(*modules); i++) {
		if (file_line(line, sizeof(line), "/sys/module/%s/parameters/max_iotlb_entries",
			      modules[i]) || strtoull(line, NULL, 0) >= EXTENTS_PLENTY)
			continue;
		snprintf(mend, sizeof(mend),
			 "with %s not loaded: modprobe %s max_iotlb_entries=1000000", modules[i],
			 modules[i]);
		doctor_found(DOCTOR_NOTE, mend,
			     "disk %s has memory=pa: a VM's memory may lie in no more than %s pieces, which takes huge pages",
			     name, line);
	}
}

static bool check_disk(const char *name)
{
	char value[VALUE_MAX + 2], node[PATH_LEN];
	struct disk d = { .name = name };
	struct stat st;

	if (!disk_read(name, "loop", value, sizeof(value)) && !strcmp(value, "1"))
		return false;
	d.pinned = !disk_read(name, "memory", value, sizeof(value)) && !strcmp(value, "pa");
	if (!vdpa_node(name, false, node, sizeof(node)) && !stat(node, &st)) {
		check_node(node, &st, name);
		who_has(st.st_rdev, check_vmm, &d);
	}
	return d.pinned;
}

void doctor_vmms(void)
{
	char pinned[PATH_LEN] = "";
	char **names;
	int i, n = disk_names(&names);

	for (i = 0; i < n; i++) {
		if (check_disk(names[i]) && !*pinned)
			snprintf(pinned, sizeof(pinned), "%s", names[i]);
		free(names[i]);
	}
	free(names);
	if (*pinned)
		check_extents(pinned);
}
