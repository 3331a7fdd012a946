// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk on /dev/vhost-blk as a block device of this kernel: a VMM without a VM, whose guest is the
 * kernel's nbd module. Runs until it is told to end, by SIGTERM, SIGINT or a disconnect of the nbd
 * device; SIGHUP makes it take up the size that the store has now.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/pvio_vhost_blk.h>

#include "nbd_dev.h"
#include "nbd_serve.h"
#include "pattern.h"

#define MIB	(1024ul * 1024)

struct program {
	const char *nbd;
	struct blk_opts opts;
	struct nbd_conf conf;
	unsigned int timeout_s;
	int signal_fd;
	struct blk b;
	struct nbd_dev dev;
	struct nbd_server server;
};

static int say(const char *what, int err)
{
	if (err)
		fprintf(stderr, "blk_nbd: %s: %s\n", what, strerror(-err));
	return err;
}

static void die_of_usage(void)
{
	fputs("usage: blk_nbd --nbd /dev/nbdN --store PATH [OPTION]...\n"
	      "  --node PATH       instead of /dev/vhost-blk\n"
	      "  --queues N        rings, each with a thread and a stream to nbd (2)\n"
	      "  --num N           entries of a ring (256)\n"
	      "  --indirect 0|1    tables of descriptors (1)\n"
	      "  --event-idx 0|1   notifications by index (1)\n"
	      "  --readonly        open the store for reading alone\n"
	      "  --poll            look for answers instead of being called\n"
	      "  --serial TEXT     what the disk is called\n"
	      "  --depth N         requests that a queue takes at a time (128)\n"
	      "  --buffers MIB     data that a queue has room for (16); no request may be larger\n"
	      "  --timeout S       nbd's own, after which it fails a request (0: none)\n"
	      "  --hang-limit S    without an answer for so long the device counts as broken (300)\n",
	      stderr);
	exit(2);
}

enum option_id {
	OPT_NBD = 1,
	OPT_STORE,
	OPT_NODE,
	OPT_QUEUES,
	OPT_NUM,
	OPT_INDIRECT,
	OPT_EVENT_IDX,
	OPT_READONLY,
	OPT_POLL,
	OPT_SERIAL,
	OPT_DEPTH,
	OPT_BUFFERS,
	OPT_TIMEOUT,
	OPT_HANG_LIMIT,
};

static const struct option options[] = {
	{ "nbd", required_argument, NULL, OPT_NBD },
	{ "store", required_argument, NULL, OPT_STORE },
	{ "node", required_argument, NULL, OPT_NODE },
	{ "queues", required_argument, NULL, OPT_QUEUES },
	{ "num", required_argument, NULL, OPT_NUM },
	{ "indirect", required_argument, NULL, OPT_INDIRECT },
	{ "event-idx", required_argument, NULL, OPT_EVENT_IDX },
	{ "readonly", no_argument, NULL, OPT_READONLY },
	{ "poll", no_argument, NULL, OPT_POLL },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "depth", required_argument, NULL, OPT_DEPTH },
	{ "buffers", required_argument, NULL, OPT_BUFFERS },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "hang-limit", required_argument, NULL, OPT_HANG_LIMIT },
	{ NULL, 0, NULL, 0 },
};

static unsigned long number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 0);

	if (end == text || *end || n < min || n > max)
		die_of_usage();
	return n;
}

static void parse_one(struct program *p, int id)
{
	switch (id) {
	case OPT_NBD:
		p->nbd = optarg;
		break;
	case OPT_STORE:
		p->opts.store = optarg;
		break;
	case OPT_NODE:
		p->opts.node = optarg;
		break;
	case OPT_QUEUES:
		p->opts.queues = number(optarg, 1, 64);
		break;
	case OPT_NUM:
		p->opts.num = number(optarg, 4, 1024);
		break;
	case OPT_INDIRECT:
		if (!number(optarg, 0, 1))
			p->opts.without |= BIT(VIRTIO_RING_F_INDIRECT_DESC);
		break;
	case OPT_EVENT_IDX:
		if (!number(optarg, 0, 1))
			p->opts.without |= BIT(VIRTIO_RING_F_EVENT_IDX);
		break;
	case OPT_READONLY:
		p->opts.readonly = true;
		break;
	case OPT_POLL:
		p->conf.poll = true;
		break;
	case OPT_SERIAL:
		p->opts.serial = optarg;
		break;
	case OPT_DEPTH:
		p->conf.depth = number(optarg, 1, 4096);
		break;
	case OPT_BUFFERS:
		p->conf.buffers = number(optarg, 1, 1024) * MIB;
		break;
	case OPT_TIMEOUT:
		p->timeout_s = number(optarg, 0, 86400);
		break;
	case OPT_HANG_LIMIT:
		p->conf.hang_ms = number(optarg, 1, 86400) * 1000;
		break;
	default:
		die_of_usage();
	}
}

static void parse(struct program *p, int argc, char **argv)
{
	int id;

	p->opts.node = "/dev/vhost-blk";
	p->opts.kind = GMEM_SHARED;
	p->opts.queues = 2;
	p->conf = (struct nbd_conf){ .depth = 128, .buffers = 16 * MIB, .hang_ms = 300000 };
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_one(p, id);
	if (!p->nbd || !p->opts.store || optind != argc)
		die_of_usage();
	p->opts.mem_size = nbd_memory(&p->conf, p->opts.queues);
}

/* Threads that are made later have them blocked as well. */
static int take_signals(struct program *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	return p->signal_fd < 0 ? -errno : 0;
}

/* A stream from the kernel to a queue's thread. */
static int connect_queue(struct program *p, unsigned int q)
{
	int sv[2];
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -errno;
	err = nbd_dev_add(&p->dev, sv[0]);
	close(sv[0]);
	if (!err)
		err = nbd_serve(&p->server, q, sv[1]);
	if (err)
		close(sv[1]);
	return err;
}

static int connect_all(struct program *p)
{
	unsigned int q;
	int err = 0;

	for (q = 0; q < p->b.nqueues && !err; q++)
		err = connect_queue(p, q);
	if (!err)
		err = nbd_dev_set(&p->dev, blk_capacity(&p->b) * SECTOR_SIZE,
				  blk_block_size(&p->b), nbd_flags(&p->b), p->timeout_s);
	return err ? err : nbd_dev_start(&p->dev);
}

static int config_changed(struct program *p)
{
	struct virtio_blk_config c = p->b.config;
	eventfd_t n;
	int err;

	eventfd_read(p->b.config_fd, &n);
	err = vdpa_get_config(&p->b.v, 0, &c.capacity, sizeof(c.capacity));
	if (err || c.capacity == p->b.config.capacity)
		return err;
	p->b.config.capacity = c.capacity;
	printf("resized %s %llu\n", p->nbd,
	       (unsigned long long)blk_capacity(&p->b) * SECTOR_SIZE);
	return nbd_dev_resize(&p->dev, blk_capacity(&p->b) * SECTOR_SIZE);
}

static void signalled(struct program *p)
{
	struct signalfd_siginfo info;

	if (read(p->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP)
		say("resize", vhost_ioctl(&p->b.v, VHOST_BLK_RESIZE, NULL));
	else
		say("disconnect", nbd_dev_disconnect(&p->dev));
}

static void attend(struct program *p)
{
	struct pollfd fds[] = {
		{ .fd = p->signal_fd, .events = POLLIN },
		{ .fd = p->b.config_fd, .events = POLLIN },
		{ .fd = p->dev.end_fd, .events = POLLIN },
	};

	while (!fds[2].revents) {
		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[0].revents)
			signalled(p);
		if (fds[1].revents)
			say("new size", config_changed(p));
	}
}

static int serve(struct program *p)
{
	int err = connect_all(p), ended;

	if (!err) {
		printf("%s is %s, %u queues\n", p->nbd, p->opts.store, p->b.nqueues);
		attend(p);
		err = nbd_dev_wait(&p->dev);
	}
	/* This ends what streams there still are. */
	nbd_dev_close(&p->dev);
	ended = nbd_serve_wait(&p->server);
	return err ? err : ended;
}

int main(int argc, char **argv)
{
	static struct program p;
	int err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	parse(&p, argc, argv);
	if (say("signals", take_signals(&p)) || say(p.nbd, nbd_dev_open(&p.dev, p.nbd)))
		return 1;
	if (access(p.opts.store, R_OK))
		return say(p.opts.store, -errno) != 0;
	if (say(p.opts.node, blk_open(&p.b, &p.opts)))
		return 1;
	err = say("queues", nbd_serve_init(&p.server, &p.b, &p.conf));
	if (!err)
		err = say(p.opts.node, blk_start(&p.b));
	if (!err) {
		err = say(p.nbd, serve(&p));
		nbd_serve_exit(&p.server);
	}
	blk_close(&p.b);
	return err ? 1 : 0;
}
