// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "say.h"

static const char usage[] =
	"usage: pvio-bridge [blk] OPTION...\n"
	"\n"
	"Serves a device of the kernel to a VMM that speaks vhost-user.\n"
	"\n"
	"  --socket-path=PATH    where VMMs connect; without it, and without --fd, the socket that\n"
	"                        systemd hands over\n"
	"  --fd=NUMBER           a descriptor that listens, or is connected to a VMM\n"
	"  --socket-group=GROUP  who may connect to PATH beside the user\n"
	"  --user=USER           become USER when all is open\n"
	"  --node=PATH           the kernel's device, /dev/vhost-blk by default\n"
	"  --queues=NUMBER       up to 64; by default one for each CPU\n"
	"  --workers=NUMBER      threads that serve them; by default each has its own\n"
	"  --no-sandbox          don't filter system calls\n"
	"  --print-capabilities  as the conventions of vhost-user have it\n"
	"  --help, --version\n"
	"\n"
	"  --blk-file=PATH       a block device, or a file\n"
	"  --read-only           without the right to write\n"
	"  --serial=TEXT         the disk's serial number, up to 20 bytes\n"
	"  --share=handover      another VM may use the disk when this one has stopped\n"
	"  --share=yes           several VMs may use it at the same time\n";

enum {
	OPT_SOCKET_PATH = 256,
	OPT_FD,
	OPT_SOCKET_GROUP,
	OPT_USER,
	OPT_NODE,
	OPT_QUEUES,
	OPT_WORKERS,
	OPT_NO_SANDBOX,
	OPT_CAPABILITIES,
	OPT_HELP,
	OPT_VERSION,
	OPT_BLK_FILE,
	OPT_READ_ONLY,
	OPT_SERIAL,
	OPT_SHARE,
};

static const struct option longs[] = {
	{ "socket-path", required_argument, NULL, OPT_SOCKET_PATH },
	{ "fd", required_argument, NULL, OPT_FD },
	{ "socket-group", required_argument, NULL, OPT_SOCKET_GROUP },
	{ "user", required_argument, NULL, OPT_USER },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "queues", required_argument, NULL, OPT_QUEUES },
	{ "workers", required_argument, NULL, OPT_WORKERS },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "print-capabilities", no_argument, NULL, OPT_CAPABILITIES },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "blk-file", required_argument, NULL, OPT_BLK_FILE },
	{ "read-only", no_argument, NULL, OPT_READ_ONLY },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "share", required_argument, NULL, OPT_SHARE },
	{ NULL, 0, NULL, 0 },
};

static unsigned int number_of(const char *what, const char *text, unsigned int min,
			      unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < min || n > max)
		die(0, "--%s=%s is no number from %u to %u", what, text, min, max);
	return n;
}

static enum share share_of(const char *text)
{
	if (!strcmp(text, "no"))
		return SHARE_NO;
	if (!strcmp(text, "handover"))
		return SHARE_HANDOVER;
	if (!strcmp(text, "yes"))
		return SHARE_YES;
	die(0, "--share=%s is none of no, handover and yes", text);
}

static const char *serial_of(const char *text)
{
	if (strlen(text) > 20)
		die(0, "--serial=%s has more than 20 bytes", text);
	return text;
}

__attribute__((noreturn)) static void answer(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) ? 1 : 0);
}

__attribute__((noreturn)) static void print_capabilities(const struct kind *k)
{
	printf("{\n  \"type\": \"%s\",\n  \"features\": [ %s ]\n}\n", k->type, k->capabilities);
	answer("");
}

/* Those that end the process. */
static void parse_question(const struct options *o, int opt)
{
	switch (opt) {
	case OPT_CAPABILITIES:
		print_capabilities(o->kind);
	case OPT_HELP:
		answer(usage);
	case OPT_VERSION:
		answer("pvio-bridge " PVIO_VERSION "\n");
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void parse_option(struct options *o, int opt)
{
	switch (opt) {
	case OPT_SOCKET_PATH:
		o->socket_path = optarg;
		break;
	case OPT_FD:
		o->socket_fd = number_of("fd", optarg, 0, 1 << 20);
		break;
	case OPT_SOCKET_GROUP:
		o->socket_group = optarg;
		break;
	case OPT_USER:
		o->user = optarg;
		break;
	case OPT_NODE:
		o->node = optarg;
		break;
	case OPT_QUEUES:
		o->queues = number_of("queues", optarg, 1, QUEUES_MAX);
		break;
	case OPT_WORKERS:
		o->workers = number_of("workers", optarg, 1, QUEUES_MAX);
		break;
	case OPT_NO_SANDBOX:
		o->sandbox = false;
		break;
	case OPT_BLK_FILE:
		o->path = optarg;
		break;
	case OPT_READ_ONLY:
		o->readonly = true;
		break;
	case OPT_SERIAL:
		o->serial = serial_of(optarg);
		break;
	case OPT_SHARE:
		o->share = share_of(optarg);
		break;
	default:
		parse_question(o, opt);
	}
}

static unsigned int cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > (long)QUEUES_MAX ? QUEUES_MAX : (unsigned int)n;
}

/* Before the options, because some ask about it. */
static const struct kind *kind_of(int *argc, char ***argv)
{
	const struct kind *k = &kind_blk;

	if (*argc > 1 && (*argv)[1][0] != '-') {
		k = kind_find((*argv)[1]);
		if (!k)
			die(0, "there is no device called %s", (*argv)[1]);
		++*argv;
		--*argc;
	}
	return k;
}

void options_parse(struct options *o, int argc, char **argv)
{
	int opt;

	*o = (struct options){ .socket_fd = -1, .sandbox = true, .queues = cpus() };
	o->kind = kind_of(&argc, &argv);
	o->node = o->kind->node;
	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1)
		parse_option(o, opt);
	if (optind < argc)
		die(0, "%s is one argument too many", argv[optind]);
	if (o->socket_path && o->socket_fd >= 0)
		die(0, "--socket-path and --fd exclude each other");
	if (!o->path)
		die(0, "--blk-file is missing");
}
