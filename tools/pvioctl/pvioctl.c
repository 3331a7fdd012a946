// SPDX-License-Identifier: GPL-2.0-only
/* pvioctl: disks of pvio, and a look at what its devices do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pvioctl.h"

bool json;

static const struct command {
	const char *name;
	int (*run)(struct args *a);
	const char *help;
} commands[] = {
	{ "list", cmd_list, "list                       devices and who uses them" },
	{ "stats", cmd_stats, "stats [NAME]               what the queues of all devices, or of one, count" },
	{ "blk", cmd_blk,
	  "blk add NAME --path PATH [--ATTRIBUTE VALUE]...\n"
	  "                           make a disk of a block device or a file\n"
	  "  blk del NAME               remove it\n"
	  "  blk list                   disks, with their attributes\n"
	  "  blk resize NAME            tell its guest that the store has another size" },
	{ "doctor", cmd_doctor, "doctor                     what stands in the way, and what mends it" },
};

#define NR_COMMANDS	(sizeof(commands) / sizeof(*commands))

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("pvioctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("pvioctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(EXIT_FAILURE);
}

void *need(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

const char *args_option(struct args *a, const char **value)
{
	char *word, *equals;

	*value = NULL;
	if (!a->argc)
		return NULL;
	word = *a->argv;
	if (strncmp(word, "--", 2))
		die("%s: %s: what is that? Options begin with --", a->command, word);
	a->argc--;
	a->argv++;
	word += 2;
	equals = strchr(word, '=');
	if (equals) {
		*equals = 0;
		*value = equals + 1;
	} else if (a->argc) {
		*value = *a->argv;
		a->argc--;
		a->argv++;
	}
	if (!*value)
		die("%s: --%s: a value is missing", a->command, word);
	return word;
}

const char *args_word(struct args *a, const char *what)
{
	if (!a->argc || !strncmp(*a->argv, "--", 2))
		die("%s: %s is missing", a->command, what);
	a->argc--;
	return *a->argv++;
}

void args_end(const struct args *a)
{
	if (a->argc)
		die("%s: %s: that is too much", a->command, *a->argv);
}

static void usage(FILE *f)
{
	unsigned int i;

	fputs("usage: pvioctl [--json] COMMAND\n\n", f);
	for (i = 0; i < NR_COMMANDS; i++)
		fprintf(f, "  %s\n", commands[i].help);
}

int main(int argc, char **argv)
{
	struct args a = { .argc = argc - 1, .argv = argv + 1 };
	unsigned int i;

	while (a.argc && !strcmp(*a.argv, "--json")) {
		json = true;
		a.argc--;
		a.argv++;
	}
	if (a.argc && !strcmp(*a.argv, "--help")) {
		usage(stdout);
		return 0;
	}
	if (!a.argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	a.command = *a.argv;
	a.argc--;
	a.argv++;
	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(a.command, commands[i].name))
			return commands[i].run(&a);
	complain("%s: no such command", a.command);
	usage(stderr);
	return EXIT_USAGE;
}
