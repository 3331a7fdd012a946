// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl upgrade: other modules beneath VMs that go on. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "disk.h"
#include "module.h"
#include "pvioctl.h"
#include "run.h"
#include "users.h"

#define UNITS		"pvio-bridge@*.service"
#define NET_UNITS	"pvio-bridge-net@*.service"
#define VSOCK_UNITS	"pvio-bridge-vsock@*.service"
#define DAEMON		"pvio-bridge"
#define UNITS_MAX	1024

/* In seconds: what is in flight may take long. */
#define STOP_LIMIT	60

static struct {
	bool dry, force;
	unsigned int limit;
	const char *stop, *start;
	unsigned int nr_modules;
	struct module modules[MODULES_MAX];
	unsigned int nr_units;
	const char *units[UNITS_MAX];
	char unit_names[65536];
} up = { .limit = STOP_LIMIT };

void upgrade_help(FILE *f)
{
	fputs("\n  --dry-run         say what would be done\n"
	      "  --force           also where what is loaded is what is installed\n"
	      "  --limit SECONDS   how long the daemons may take to stop, 60\n"
	      "  --stop COMMAND    how to stop the daemons of " DAEMON ", and\n"
	      "  --start COMMAND   to start them again: for sh, where it isn't systemd that\n"
	      "                    runs them as " UNITS " and\n"
	      "                    " NET_UNITS ", or\n"
	      "                    " VSOCK_UNITS "\n", f);
}

static unsigned int limit_of(const struct args *a, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > 86400)
		die_usage("%s: --limit %s: it can be 1 to 86400", a->command, text);
	return n;
}

static void take_options(struct args *a)
{
	const char *option, *value;

	while ((option = args_option(a, &value))) {
		if (!strcmp(option, "dry-run") && !value)
			up.dry = true;
		else if (!strcmp(option, "force") && !value)
			up.force = true;
		else if (!strcmp(option, "limit"))
			up.limit = limit_of(a, args_value(a, option, value));
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

/* The node of a module; a network device may have another name than usual. */
static bool has_node(const struct module *m, struct users *u)
{
	char name[64] = "vhost-blk";

	if (!strcmp(m->name, "pvio_vhost"))
		return false;
	if (strcmp(m->name, "pvio_vhost_blk") &&
	    file_line(name, sizeof(name), "/sys/module/%s/parameters/node", m->name))
		return false;
	snprintf(u->node, sizeof(u->node), "/dev/%s", name);
	return true;
}

/* Returns whether the module has a node; who has it open is in @u then. */
static bool find_users(const struct module *m, struct users *u)
{
	if (!has_node(m, u))
		return false;
	users_find(u, 1);
	return true;
}

/* Its cgroup is that of one of those that will be stopped. */
static bool is_of_unit(pid_t pid)
{
	char path[64], name[PATH_LEN];
	unsigned int i;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	for (i = 0; i < up.nr_units; i++) {
		snprintf(name, sizeof(name), "/%s\n", up.units[i]);
		if (file_says(path, name))
			return true;
	}
	return false;
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
	unsigned int i, k;

	for (k = 0; k < up.nr_modules; k++) {
		if (!find_users(&up.modules[k], u))
			continue;
		if (u->n == USERS_MAX)
			die("%s: %s is open in too many processes", command, u->node);
		for (i = 0; i < u->n; i++)
			refuse_user(command, u->pid[i], u->node);
	}
	free(u);
}

static void find_units(const char *command)
{
	static const char *const argv[] = { "systemctl", "list-units", "--plain", "--no-legend",
					    "--full", "--state=active,activating,reloading",
					    UNITS, NET_UNITS, VSOCK_UNITS, NULL };
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
static int systemctl(const char *verb, bool wait, unsigned int limit)
{
	const char *argv[UNITS_MAX + 4] = { "systemctl", wait ? "--quiet" : "--no-block", verb };

	if (!up.nr_units)
		return 0;
	memcpy(argv + 3, up.units, up.nr_units * sizeof(*argv));
	return limit ? run_for(argv, limit) : run(argv);
}

static int start_daemons(const char *command)
{
	const char *const argv[] = { "sh", "-c", up.start, NULL };
	int status = up.start ? run(argv) : systemctl("start", true, 0);

	if (status)
		complain("%s: the daemons don't start again (status %d): their VMs wait", command,
			 status);
	return status;
}

static void say_stopping(void)
{
	static const char *const argv[] = { "systemctl", "list-units", "--plain", "--no-legend",
					    "--full", "--state=deactivating", UNITS, NET_UNITS,
					    VSOCK_UNITS, NULL };

	if (up.nr_units)
		run(argv);
}

/* Where one hangs, the others are not to wait for it. */
static int stop_daemons(const char *command)
{
	const char *const argv[] = { "sh", "-c", up.stop, NULL };
	int status = up.stop ? run_for(argv, up.limit) : systemctl("stop", true, up.limit);

	if (!status)
		return 0;
	if (status == 124) {
		complain("%s: the daemons have not stopped in %u s; they are started again",
			 command, up.limit);
		say_stopping();
	} else {
		complain("%s: the daemons can't be stopped (status %d)", command, status);
	}
	if (up.stop || !up.nr_units)
		start_daemons(command);
	else
		systemctl("start", false, 0);
	return status;
}

static int refuse_in_use(const char *command, const struct module *m)
{
	struct users *u = need(malloc(sizeof(*u)));

	if (find_users(m, u) && u->n)
		complain("%s: %s is in use, %s is open in %s; the daemons are started again",
			 command, m->name, u->node, u->names);
	else
		complain("%s: %s is in use; the daemons are started again", command, m->name);
	free(u);
	start_daemons(command);
	return EXIT_FAILURE;
}

/* A new module on an old one is not tried. */
static int replace(const char *command)
{
	const struct module *m;
	unsigned int i;
	int err = 0;

	for (i = 0; i < up.nr_modules && !err; i++) {
		m = &up.modules[i];
		err = module_remove(m);
		if (err)
			complain("%s: %s can't be removed: %s", command, m->name, strerror(-err));
	}
	if (err)
		return err;
	while (i) {
		m = &up.modules[--i];
		if (!module_load(m))
			continue;
		err = -EIO;
		complain("%s: the installed %s can't be loaded; dmesg says why", command, m->name);
	}
	return err;
}

/* Is there a module with a node, for the daemons of some VMs at least? The last one has none. */
static bool any_serves(void)
{
	unsigned int i;

	for (i = 0; i + 1 < up.nr_modules; i++)
		if (module_loaded(up.modules[i].name))
			return true;
	return false;
}

static int say_waiting(const char *command)
{
	char names[128] = "";
	unsigned int i;
	int at = 0;

	for (i = 0; i == 0 || i + 1 < up.nr_modules; i++)
		at += snprintf(names + at, sizeof(names) - at, " %s", up.modules[i].name);
	complain("%s: the VMs wait: mend it, modprobe -a%s, and start the daemons", command,
		 names);
	return EXIT_FAILURE;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Half an upgrade is VMs that stand still. */
static void ignore_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
	unsigned int i;

	for (i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		signal(ignored[i], SIG_IGN);
}

static int upgrade(const char *command)
{
	const struct module *m;
	double at[4];
	int err;

	ignore_signals();
	at[0] = now();
	if (stop_daemons(command))
		return EXIT_FAILURE;
	at[1] = now();
	m = modules_in_use(up.modules, 0, up.nr_modules);
	if (m)
		return refuse_in_use(command, m);
	err = replace(command);
	at[2] = now();
	if (err && !any_serves())
		return say_waiting(command);
	if (start_daemons(command) || err)
		return EXIT_FAILURE;
	at[3] = now();
	printf("the daemons were stopped for %.3f s (stop %.3f s, modules %.3f s, start %.3f s)\n",
	       at[3] - at[0], at[1] - at[0], at[2] - at[1], at[3] - at[2]);
	return 0;
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

/* The lock ends with the process. */
static void only_one(const char *command)
{
	int fd;

	if (geteuid())
		die("%s: it takes root", command);
	fd = open("/run/pvioctl-upgrade.lock", O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		die("%s: /run/pvioctl-upgrade.lock can't be had: %s", command,
		    errno == EWOULDBLOCK ? "another one is at work" : strerror(errno));
}

int cmd_upgrade(struct args *a)
{
	const struct module *m;
	bool differ;

	take_options(a);
	only_one(a->command);
	up.nr_modules = modules_find(a->command, up.modules);
	if (!up.nr_modules)
		die("%s: no module of pvio is loaded: modprobe pvio_vhost_blk", a->command);
	find_units(a->command);
	refuse_disks(a->command);
	refuse_users(a->command);
	/* The others are the daemons'; the one that they need is nobody's but theirs. */
	m = modules_in_use(up.modules, up.nr_modules - 1, up.nr_modules);
	if (m)
		die("%s: %s is in use by others: somebody traces it, or reads its netlink family",
		    a->command, m->name);
	differ = say_modules();
	if (!differ && !up.force) {
		puts("nothing is to be done");
		return 0;
	}
	return up.dry ? 0 : upgrade(a->command);
}
