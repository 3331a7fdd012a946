// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl upgrade: other modules beneath VMs that go on. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "module.h"
#include "pvioctl.h"
#include "run.h"
#include "users.h"

#define UNITS		"pvio-bridge@*.service"
#define DAEMON		"pvio-bridge"
#define UNITS_MAX	1024

static struct {
	bool dry, force;
	const char *stop, *start;
	unsigned int nr_modules;
	struct module modules[MODULES_MAX];
	unsigned int nr_units;
	const char *units[UNITS_MAX];
	char unit_names[65536];
} up;

void upgrade_help(FILE *f)
{
	fputs("\n  --dry-run         say what would be done\n"
	      "  --force           also where what is loaded is what is installed\n"
	      "  --stop COMMAND    how to stop the daemons of " DAEMON ", and\n"
	      "  --start COMMAND   to start them again: for sh, where it isn't systemd that\n"
	      "                    runs them as " UNITS "\n", f);
}

static void take_options(struct args *a)
{
	const char *option, *value;

	while ((option = args_option(a, &value))) {
		if (!strcmp(option, "dry-run") && !value)
			up.dry = true;
		else if (!strcmp(option, "force") && !value)
			up.force = true;
		else if (!strcmp(option, "stop"))
			up.stop = args_value(a, option, value);
		else if (!strcmp(option, "start"))
			up.start = args_value(a, option, value);
		else
			die_usage("%s: --%s: no such option", a->command, option);
	}
	if (!up.stop != !up.start)
		die_usage("%s: --stop and --start belong together", a->command);
}

/* A disk of configfs belongs to a VMM or to this host, which would not come back to it. */
static void refuse_disks(const char *command)
{
	DIR *dir = opendir(DISKS);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			die("%s: %s is a vDPA disk: end its VM, and pvioctl blk del %s", command,
			    entry->d_name, entry->d_name);
	if (dir)
		closedir(dir);
}

static void find_users(struct users *u)
{
	snprintf(u->node, sizeof(u->node), "/dev/vhost-blk");
	users_find(u, 1);
}

static bool is_of_unit(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	return file_says(path, "/" DAEMON "@");
}

/* A VMM that has opened the node itself would not open it again. */
static void refuse_user(const char *command, pid_t pid, const char *node)
{
	char name[64];

	who_is(pid, name, sizeof(name));
	if (strcmp(name, DAEMON))
		die("%s: process %d (%s) has %s open, and would lose it: end it", command, pid,
		    name, node);
	if (!up.stop && !is_of_unit(pid))
		die("%s: process %d (%s) is of no unit " UNITS ": see --stop and --start",
		    command, pid, name);
}

static void refuse_users(const char *command)
{
	struct users *u = need(malloc(sizeof(*u)));
	unsigned int i;

	find_users(u);
	for (i = 0; i < u->n; i++)
		refuse_user(command, u->pid[i], u->node);
	free(u);
}

static void find_units(const char *command)
{
	static const char *const argv[] = { "systemctl", "list-units", "--plain", "--no-legend",
					    "--full", "--state=active,activating,reloading",
					    UNITS, NULL };
	char *line, *next;

	if (up.stop || access("/run/systemd/system", F_OK))
		return;
	if (run_read(argv, up.unit_names, sizeof(up.unit_names)))
		die("%s: systemctl doesn't say which of " UNITS " there are", command);
	if (strlen(up.unit_names) + 1 == sizeof(up.unit_names))
		die("%s: there are too many of " UNITS, command);
	line = strtok_r(up.unit_names, "\n", &next);
	for (; line; line = strtok_r(NULL, "\n", &next)) {
		if (up.nr_units == UNITS_MAX)
			die("%s: there are too many of " UNITS, command);
		line[strcspn(line, " ")] = 0;
		up.units[up.nr_units++] = line;
	}
}

/* Of all daemons at once, since each of them waits for what it has in flight. */
static int systemctl(const char *verb)
{
	const char *argv[UNITS_MAX + 3] = { "systemctl", verb };

	if (!up.nr_units)
		return 0;
	memcpy(argv + 2, up.units, up.nr_units * sizeof(*argv));
	return run(argv);
}

static int daemons(const char *command, const char *verb)
{
	const char *const argv[] = { "sh", "-c", command, NULL };

	return command ? run(argv) : systemctl(verb);
}

static int start_daemons(const char *command)
{
	int status = daemons(up.start, "start");

	if (status)
		complain("%s: the daemons don't start again (status %d): their VMs wait", command,
			 status);
	return status;
}

/* The old ones again, as far as they are gone. Returns the exit status. */
static int go_back(const char *command, unsigned int removed)
{
	while (removed)
		if (module_load(&up.modules[--removed]))
			complain("%s: %s can't be loaded again", command,
				 up.modules[removed].name);
	start_daemons(command);
	return EXIT_FAILURE;
}

static void say_in_use(const char *command, const struct module *m, int err)
{
	struct users *u = need(malloc(sizeof(*u)));

	find_users(u);
	complain("%s: %s can't be removed: %s%s%s; the daemons are started again", command, m->name,
		 strerror(-err), u->n ? ", /dev/vhost-blk is open in " : "", u->names);
	free(u);
}

static int replace(const char *command)
{
	unsigned int i;
	int err;

	for (i = 0; i < up.nr_modules; i++) {
		err = module_remove(&up.modules[i]);
		if (err) {
			say_in_use(command, &up.modules[i], err);
			return go_back(command, i);
		}
	}
	while (i--) {
		if (!module_load(&up.modules[i]))
			continue;
		complain("%s: the installed %s can't be loaded; dmesg says why", command,
			 up.modules[i].name);
		complain("%s: The VMs wait. Mend it, modprobe %s, and start the daemons", command,
			 up.modules[0].name);
		return EXIT_FAILURE;
	}
	return start_daemons(command) ? EXIT_FAILURE : 0;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int upgrade(const char *command)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	double since = now();
	unsigned int i;
	int status;

	/* Half an upgrade is VMs that stand still. */
	for (i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
	status = daemons(up.stop, "stop");
	if (status) {
		complain("%s: the daemons can't be stopped (status %d)", command, status);
		start_daemons(command);
		return EXIT_FAILURE;
	}
	status = replace(command);
	if (!status)
		printf("the daemons were stopped for %.3f s\n", now() - since);
	return status;
}

static bool say_modules(void)
{
	bool differ = false;
	unsigned int i;

	for (i = up.nr_modules; i--;) {
		const struct module *m = &up.modules[i];

		differ |= !!strcmp(m->loaded, m->installed);
		printf("%s: %s is loaded, %s is installed\n", m->name, m->loaded, m->installed);
	}
	for (i = 0; i < up.nr_units; i++)
		printf("%s runs\n", up.units[i]);
	return differ;
}

int cmd_upgrade(struct args *a)
{
	bool differ;

	take_options(a);
	up.nr_modules = modules_find(a->command, up.modules);
	if (!up.nr_modules)
		die("%s: no module of pvio is loaded: modprobe pvio_vhost_blk", a->command);
	refuse_disks(a->command);
	refuse_users(a->command);
	find_units(a->command);
	differ = say_modules();
	if (!differ && !up.force) {
		puts("nothing is to be done");
		return 0;
	}
	return up.dry ? 0 : upgrade(a->command);
}
