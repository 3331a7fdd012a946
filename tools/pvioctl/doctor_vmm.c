// SPDX-License-Identifier: GPL-2.0-only
/* The VMMs that have disks: may they, and can they, give their memory. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk.h"
#include "doctor.h"
#include "family.h"
#include "pvioctl.h"

#define MIB		(1024ull * 1024)
/* What a VM's memory is never below, and a VMM's other shared memory seldom above. */
#define MEMORY_LEAST	MIB
#define EXTENTS_PLENTY	65536

struct disk {
	const char *name;
	bool pinned;
};

/* Those that use a disk; @pid is 0 where this namespace has no number for the process. */
struct owners {
	unsigned int n;
	struct owner {
		char *name;
		pid_t pid;
	} *list;
};

struct memory {
	unsigned long long shared;	/* the largest writable mapping of a file that is shared */
	unsigned long long any;		/* the largest writable mapping */
};

static int read_memory(pid_t pid, struct memory *m)
{
	char path[PATH_LEN], line[1024], perms[8], file[256];
	unsigned long long from, to;
	FILE *f;

	memset(m, 0, sizeof(*m));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		*file = 0;
		if (sscanf(line, "%llx-%llx %7s %*s %*s %*s %255s", &from, &to,
			   perms, file) < 3 || perms[1] != 'w')
			continue;
		if (to - from > m->any)
			m->any = to - from;
		if (perms[3] == 's' && strncmp(file, "anon_inode:", 11) && to - from > m->shared)
			m->shared = to - from;
	}
	fclose(f);
	return 0;
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

/* A process that has ended meanwhile has no memory that could be wrong. */
static void check_vmm(pid_t pid, const struct disk *d)
{
	char program[64];
	struct memory m;
	int err;

	who_is(pid, program, sizeof(program));
	err = read_memory(pid, &m);
	if (err == -EACCES || err == -EPERM)
		doctor_blind("pvioctl doctor, as root",
			     "the memory of process %d (%s), which has disk %s, could not be seen: %s",
			     pid, program, d->name, strerror(-err));
	else if (!err && m.any)
		(d->pinned ? check_pinned : check_shared)(pid, program, d, &m);
}

/* Whoever started the device gave it memory; others may have the node by inheritance alone. */
static void check_owner(const struct owners *owners, const struct disk *d)
{
	unsigned int i;

	for (i = 0; i < owners->n; i++) {
		if (strcmp(owners->list[i].name, d->name))
			continue;
		if (owners->list[i].pid)
			check_vmm(owners->list[i].pid, d);
		else
			doctor_blind("pvioctl doctor, in the first pid namespace",
				     "the process that has disk %s could not be seen", d->name);
	}
}

static void take_owner(const struct nlattr *const *a, void *arg)
{
	struct owners *owners = arg;
	struct owner *o;

	if (!a[PVIO_A_DEV_NAME] || !a[PVIO_A_DEV_FRONT] || !a[PVIO_A_DEV_UID] ||
	    strcmp(mnl_attr_get_str(a[PVIO_A_DEV_FRONT]), "vdpa"))
		return;
	owners->list = need(realloc(owners->list, (owners->n + 1) * sizeof(*owners->list)));
	o = &owners->list[owners->n++];
	o->name = need(strdup(mnl_attr_get_str(a[PVIO_A_DEV_NAME])));
	o->pid = a[PVIO_A_DEV_PID] ? mnl_attr_get_u32(a[PVIO_A_DEV_PID]) : 0;
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

static bool check_disk(const char *name, const struct owners *owners)
{
	char value[VALUE_MAX + 2], node[PATH_LEN];
	struct disk d = { .name = name };
	struct stat st;

	if (!disk_read(name, "loop", value, sizeof(value)) && !strcmp(value, "1"))
		return false;
	d.pinned = !disk_read(name, "memory", value, sizeof(value)) && !strcmp(value, "pa");
	if (!vdpa_node(name, false, node, sizeof(node)) && !stat(node, &st))
		check_node(node, &st, name);
	check_owner(owners, &d);
	return d.pinned;
}

void doctor_vmms(void)
{
	struct owners owners = { 0 };
	char pinned[PATH_LEN] = "";
	const char *why;
	char **names;
	int i, n = disk_names("doctor", &names);

	/* That it can't be asked is said by doctor_queues(). */
	family_dump(PVIO_CMD_DEV_GET, PVIO_A_DEV_MAX, take_owner, &owners, &why);
	for (i = 0; i < n; i++) {
		if (check_disk(names[i], &owners) && !*pinned)
			snprintf(pinned, sizeof(pinned), "%s", names[i]);
		free(names[i]);
	}
	free(names);
	if (*pinned)
		check_extents(pinned);
	while (owners.n)
		free(owners.list[--owners.n].name);
	free(owners.list);
}
