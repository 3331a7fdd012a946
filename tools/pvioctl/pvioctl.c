// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl: disks of pvio, and a look at what its devices do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pvioctl.h"

bool json;

static const struct command {
	const char *name;
	int (*run)(struct args *a);
	const char *words;
	const char *help;
	void (*more)(FILE *f);
} commands[] = {
	{ "list", cmd_list, "", "devices, and who uses them", NULL },
	{ "stats", cmd_stats, " [NAME]", "what the queues of all devices, or of one, count", NULL },
	{ "blk add", cmd_blk_add, " NAME --path PATH [OPTION]...",
	  "make a disk of a block device or a file, and print its node", blk_add_help },
	{ "blk del", cmd_blk_del, " NAME", "remove a disk that nobody uses", NULL },
	{ "blk list", cmd_blk_list, "", "disks, with their attributes and who uses them", NULL },
	{ "blk resize", cmd_blk_resize, " NAME",
	  "tell a disk's guest that the store has another size", NULL },
	{ "doctor", cmd_doctor, "", "what stands in the way, and what mends it", NULL },
	{ "upgrade", cmd_upgrade, " [OPTION]...",
	  "replace the modules by those that are installed, beneath VMs on pvio-bridge",
	  upgrade_help },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

static void print(const char *fmt, va_list ap)
{
	fputs("pvioctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
	exit(EXIT_FAILURE);
}

void die_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	print(fmt, ap);
	va_end(ap);
	exit(EXIT_USAGE);
}

void *need(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

static char *args_next(struct args *a)
{
	a->argc--;
	return *a->argv++;
}

const char *args_option(struct args *a, const char **value)
{
	char *word, *equals;

	*value = NULL;
	if (!a->argc)
		return NULL;
	word = args_next(a);
	if (strncmp(word, "--", 2))
		die_usage("%s: %s: options begin with --", a->command, word);
	word += 2;
	equals = strchr(word, '=');
	if (equals) {
		*equals = 0;
		*value = equals + 1;
	}
	return word;
}

const char *args_value(struct args *a, const char *option, const char *value)
{
	if (value)
		return value;
	if (!a->argc)
		die_usage("%s: --%s: a value is missing", a->command, option);
	return args_next(a);
}

const char *args_word_or_none(struct args *a)
{
	return a->argc && strncmp(*a->argv, "--", 2) ? args_next(a) : NULL;
}

const char *args_word(struct args *a, const char *what)
{
	const char *word = args_word_or_none(a);

	if (!word)
		die_usage("%s: %s is missing", a->command, what);
	return word;
}

void args_end(const struct args *a)
{
	if (a->argc && !strncmp(*a->argv, "--", 2))
		die_usage("%s: %s: no such option", a->command, *a->argv);
	if (a->argc)
		die_usage("%s: %s: that is too much", a->command, *a->argv);
}

/* All commands, or those whose name begins with @prefix. */
static void help_all(FILE *f, const char *prefix)
{
	unsigned int i;

	fputs("usage: pvioctl [--json] COMMAND\n"
	      "       pvioctl --version | --help | COMMAND --help\n\n", f);
	for (i = 0; i < NR_COMMANDS; i++)
		if (!strncmp(commands[i].name, prefix, strlen(prefix)))
			fprintf(f, "  %s%s\n      %s\n", commands[i].name, commands[i].words,
				commands[i].help);
}

static void help_one(const struct command *c)
{
	printf("usage: pvioctl %s%s\n\n%s\n", c->name, c->words, c->help);
	if (c->more)
		c->more(stdout);
}

/* Takes a word out of the command line, wherever it stands. */
static bool take_word(struct args *a, const char *word)
{
	bool found = false;
	int i, n = 0;

	for (i = 0; i < a->argc; i++) {
		if (strcmp(a->argv[i], word))
			a->argv[n++] = a->argv[i];
		else
			found = true;
	}
	a->argc = n;
	return found;
}

/* How many words of the command line are the command's name. */
static int matches(const struct command *c, const struct args *a)
{
	const char *blank = strchr(c->name, ' ');
	size_t len = blank ? (size_t)(blank - c->name) : strlen(c->name);

	if (!a->argc || strlen(*a->argv) != len || strncmp(*a->argv, c->name, len))
		return 0;
	if (!blank)
		return 1;
	return a->argc > 1 && !strcmp(a->argv[1], blank + 1) ? 2 : 0;
}

static const struct command *find(struct args *a)
{
	unsigned int i;

	for (i = 0; i < NR_COMMANDS; i++) {
		int n = matches(&commands[i], a);

		if (!n)
			continue;
		a->argc -= n;
		a->argv += n;
		a->command = commands[i].name;
		return &commands[i];
	}
	return NULL;
}

static int no_command(const struct args *a)
{
	if (a->argc && strcmp(*a->argv, "blk"))
		complain("%s: no such command", *a->argv);
	else if (a->argc > 1)
		complain("blk %s: no such command", a->argv[1]);
	help_all(stderr, a->argc && !strcmp(*a->argv, "blk") ? "blk " : "");
	return EXIT_USAGE;
}

static int run(struct args *a)
{
	const struct command *c;
	bool help;

	json = take_word(a, "--json");
	help = take_word(a, "--help");
	c = find(a);
	if (c && !help)
		return c->run(a);
	if (c)
		help_one(c);
	else if (help)
		help_all(stdout, a->argc && !strcmp(*a->argv, "blk") ? "blk " : "");
	else if (a->argc == 1 && !strcmp(*a->argv, "--version"))
		puts("pvioctl " PVIO_VERSION);
	else
		return no_command(a);
	return 0;
}

int main(int argc, char **argv)
{
	struct args a = { .argc = argc - 1, .argv = argv + 1 };
	int res = run(&a);

	if (fflush(stdout) || ferror(stdout))
		die("%s%sthe output can't be written: %s", a.command ? a.command : "",
		    a.command ? ": " : "", strerror(errno));
	return res;
}
