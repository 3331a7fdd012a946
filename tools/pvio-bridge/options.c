// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "say.h"

static const char usage[] =
	"usage: pvio-bridge [blk | net | vsock] OPTION...\n"
	"\n"
	"Serves a device of the kernel to a VMM that speaks vhost-user.\n"
	"\n"
	"  --socket-path=PATH    where VMMs connect; without it, and without --fd, the socket that\n"
	"                        systemd hands over\n"
	"  --fd=NUMBER           a descriptor that listens, or is connected to a VMM\n"
	"  --socket-group=GROUP  who may connect to PATH beside the user\n"
	"  --user=USER           become USER when all is open\n"
	"  --node=PATH           the kernel's device, by default /dev/vhost-blk, /dev/vhost-net or\n"
	"                        /dev/vhost-vsock\n"
	"  --queues=NUMBER       of a disk up to 64, by default one for each CPU; of a network pairs, up\n"
	"                        to 32, by default one\n"
	"  --no-sandbox          don't filter system calls\n"
	"  --print-capabilities  as the conventions of vhost-user have it\n"
	"  --help, --version\n"
	"\n"
	"blk:\n"
	"  --blk-file=PATH       a block device, or a file\n"
	"  --workers=NUMBER      threads that serve the queues; by default each has its own\n"
	"  --read-only           without the right to write\n"
	"  --serial=TEXT         the disk's serial number, up to 20 bytes\n"
	"  --share=handover      another VM may use the disk when this one has stopped\n"
	"  --share=yes           several VMs may use it at the same time\n"
	"\n"
	"net:\n"
	"  --tap=NAME            a tap, or with a / the node of a macvtap\n"
	"\n"
	"vsock:\n"
	"  --guest-cid=NUMBER    the VM's address, from 3 on\n";

struct rule {
	const char *name;
	void (*take)(struct options *o, const struct rule *r, const char *text);
	int has_arg;
	const struct kind *kind;
	size_t field;
	unsigned int min;
	unsigned int max;
	bool needed;
};

static void *field(struct options *o, const struct rule *r)
{
	return (char *)o + r->field;
}

static void take_text(struct options *o, const struct rule *r, const char *text)
{
	*(const char **)field(o, r) = text;
}

static void take_number(struct options *o, const struct rule *r, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || n < r->min || n > r->max)
		die(0, "--%s=%s is no number from %u to %u", r->name, text, r->min, r->max);
	*(unsigned int *)field(o, r) = n;
}

static void take_word(struct options *o, const struct rule *r, const char *text)
{
	(void)text;
	*(bool *)field(o, r) = r->max;
}

static void take_serial(struct options *o, const struct rule *r, const char *text)
{
	if (strlen(text) > r->max)
		die(0, "--%s=%s has more than %u bytes", r->name, text, r->max);
	take_text(o, r, text);
}

static void take_share(struct options *o, const struct rule *r, const char *text)
{
	static const char *const words[] = {
		[SHARE_NO] = "no", [SHARE_HANDOVER] = "handover", [SHARE_YES] = "yes",
	};
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]))
			continue;
		o->share = i;
		return;
	}
	die(0, "--%s=%s is none of no, handover and yes", r->name, text);
}

__attribute__((noreturn)) static void answer(const char *text)
{
	fputs(text, stdout);
	exit(fflush(stdout) ? 1 : 0);
}

static void take_capabilities(struct options *o, const struct rule *r, const char *text)
{
	const struct kind *k = o->kind;

	(void)r;
	(void)text;
	printf("{\n  \"type\": \"%s\",\n  \"features\": [ %s ]\n}\n", k->type, k->capabilities);
	answer("");
}

static void take_help(struct options *o, const struct rule *r, const char *text)
{
	(void)o;
	(void)r;
	(void)text;
	answer(usage);
}

static void take_version(struct options *o, const struct rule *r, const char *text)
{
	(void)o;
	(void)r;
	(void)text;
	answer("pvio-bridge " PVIO_VERSION "\n");
}

#define FIELD(name)	.field = offsetof(struct options, name)
#define TEXT		.take = take_text, .has_arg = required_argument
#define NUMBER(lo, hi)	.take = take_number, .has_arg = required_argument, .min = lo, .max = hi

#define BLK		.kind = &kind_blk
#define NET		.kind = &kind_net
#define VSOCK		.kind = &kind_vsock

/* Those of a kind are wrong with another one. */
static const struct rule rules[] = {
	{ "socket-path", TEXT, FIELD(socket_path) },
	{ "fd", NUMBER(0, 1 << 20), FIELD(socket_fd) },
	{ "socket-group", TEXT, FIELD(socket_group) },
	{ "user", TEXT, FIELD(user) },
	{ "node", TEXT, FIELD(node) },
	{ "queues", NUMBER(1, QUEUES_MAX), FIELD(queues) },
	{ "no-sandbox", .take = take_word, FIELD(sandbox), .max = false },
	{ "print-capabilities", .take = take_capabilities },
	{ "help", .take = take_help },
	{ "version", .take = take_version },
	{ "blk-file", TEXT, FIELD(path), BLK, .needed = true },
	{ "workers", NUMBER(1, QUEUES_MAX), FIELD(workers), BLK },
	{ "read-only", .take = take_word, FIELD(readonly), .max = true, BLK },
	{ "serial", .take = take_serial, required_argument, FIELD(serial), .max = 20, BLK },
	{ "share", .take = take_share, required_argument, BLK },
	{ "tap", TEXT, FIELD(path), NET, .needed = true },
	{ "guest-cid", NUMBER(3, UINT32_MAX - 1), FIELD(guest_cid), VSOCK, .needed = true },
};

#define NR_RULES	(sizeof(rules) / sizeof(*rules))

static void parse(struct options *o, int argc, char **argv)
{
	struct option longs[NR_RULES + 1] = { };
	bool given[NR_RULES] = { };
	unsigned int i;
	int which, opt;

	for (i = 0; i < NR_RULES; i++)
		longs[i] = (struct option){ .name = rules[i].name, .has_arg = rules[i].has_arg };
	while ((opt = getopt_long(argc, argv, "", longs, &which)) != -1) {
		if (opt) {
			fputs(usage, stderr);
			exit(2);
		}
		if (rules[which].kind && rules[which].kind != o->kind)
			die(0, "--%s is for %s", rules[which].name, rules[which].kind->name);
		rules[which].take(o, &rules[which], optarg);
		given[which] = true;
	}
	for (i = 0; i < NR_RULES; i++)
		if (rules[i].needed && rules[i].kind == o->kind && !given[i])
			die(0, "--%s is missing", rules[i].name);
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

static void count_queues(struct options *o)
{
	unsigned int unit = o->kind->unit ? o->kind->unit : 1;

	if (o->queues && o->kind->queues_fixed)
		die(0, "--queues is not for %s", o->kind->name);
	if (!o->queues)
		o->queues = o->kind->queues ? o->kind->queues : cpus();
	if (o->queues > QUEUES_MAX / unit)
		die(0, "--queues=%u: there can be %u", o->queues, QUEUES_MAX / unit);
	o->queues *= unit;
}

void options_parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){ .socket_fd = -1, .sandbox = true };
	o->kind = kind_of(&argc, &argv);
	o->node = o->kind->node;
	parse(o, argc, argv);
	count_queues(o);
	if (optind < argc)
		die(0, "%s is one argument too many", argv[optind]);
	if (o->socket_path && o->socket_fd >= 0)
		die(0, "--socket-path and --fd exclude each other");
}
