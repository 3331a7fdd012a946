// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads or writes by ring client, and what they cost. In batches of one size, each submitted by one
 * kick when the batch before it has ended: where a machine counts instructions the same batches
 * cost the same. Or as a stream, where what has ended is followed at once, as drivers do it. Prints
 * the costs of one request in ns, and how often both sides told each other, for a thousand.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cost.h"

#define MOST_DEPTH	64u
#define MOST_QUEUES	16u
#define STRIDE		997u
#define SILENCE_MS	5000

struct bench;

struct queue {
	struct bench *x;
	pthread_t thread;
	unsigned int nr;
	uint64_t block;
	unsigned int requests;	/* of this round */
	unsigned int lost;	/* kicks that the device took no notice of */
	struct bench_io io[MOST_DEPTH];
};

struct bench {
	struct blk b;
	const struct bench_kind *kind;
	struct blk_opts opts;
	unsigned int depth;
	unsigned int requests;
	bool write;
	bool stream;
	pid_t pid;
	uint64_t blocks;
	struct queue queues[MOST_QUEUES];
};

static const struct option options[] = {
	{ "store", required_argument, NULL, 's' },
	{ "socket", required_argument, NULL, 'u' },
	{ "wwpn", required_argument, NULL, 't' },
	{ "name", required_argument, NULL, 'v' },
	{ "pid", required_argument, NULL, 'p' },
	{ "depth", required_argument, NULL, 'd' },
	{ "queues", required_argument, NULL, 'q' },
	{ "requests", required_argument, NULL, 'n' },
	{ "write", no_argument, NULL, 'w' },
	{ "stream", no_argument, NULL, 'f' },
	{ "packed", no_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 },
};

static void die(const char *what, int err)
{
	fprintf(stderr, "blk_bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void add(struct queue *q, struct bench_io *io)
{
	struct bench *x = q->x;
	int err;

	x->kind->aim(io, q->block * BENCH_SECTORS);
	q->block = (q->block + STRIDE) % x->blocks;
	io->r.done = false;
	err = blk_queue(&x->b, q->nr, &io->r, RING_INDIRECT);
	if (err)
		die("a request", err);
}

static void run_batches(struct queue *q)
{
	struct bench *x = q->x;
	unsigned int done, i;
	int err;

	for (done = 0; done < q->requests; done += x->depth) {
		for (i = 0; i < x->depth; i++)
			add(q, &q->io[i]);
		ring_flush(&x->b.rings[q->nr]);
		err = blk_drain(&x->b, q->nr);
		if (err)
			die("a batch", err);
		for (i = 0; i < x->depth; i++)
			if (!x->kind->good(&q->io[i]))
				die("a request", -EIO);
	}
}

/*
 * A device that has said nothing for long is kicked once more: one that had asked for no kick, or
 * lost it, would else say nothing for ever.
 */
static void wait_for_some(struct queue *q)
{
	struct ring *ring = &q->x->b.rings[q->nr];
	int ms;

	for (ms = 0; ms < BLK_HANG_LIMIT_MS; ms += SILENCE_MS) {
		if (ring_pending(ring) || ring_wait(ring, SILENCE_MS))
			return;
		q->lost++;
		ring_kick(ring);
	}
	die("a request", -ETIMEDOUT);
}

static void run_stream(struct queue *q)
{
	struct bench *x = q->x;
	struct ring *ring = &x->b.rings[q->nr];
	unsigned int left = q->requests - x->depth, i;
	struct bench_io *io;
	uint32_t len;
	int err;

	for (i = 0; i < x->depth; i++)
		add(q, &q->io[i]);
	ring_flush(ring);
	while (left) {
		wait_for_some(q);
		/* The request is the first in its bench_io. */
		while (left && (io = ring_collect(ring, &len))) {
			if (!x->kind->good(io))
				die("a request", -EIO);
			add(q, io);
			left--;
		}
		ring_flush(ring);
	}
	while (ring_in_flight(ring)) {
		wait_for_some(q);
		err = blk_collect(&x->b, q->nr);
		if (err < 0)
			die("the last of the stream", err);
	}
}

static void *run_queue(void *arg)
{
	struct queue *q = arg;

	if (q->x->stream)
		run_stream(q);
	else
		run_batches(q);
	return NULL;
}

/* By the main thread where one queue is all, as most VMMs have it. */
static void run(struct bench *x, unsigned int requests)
{
	unsigned int i;
	int err;

	for (i = 0; i < x->b.nqueues; i++)
		x->queues[i].requests = requests / x->b.nqueues / x->depth * x->depth;
	if (x->b.nqueues == 1) {
		run_queue(&x->queues[0]);
		return;
	}
	for (i = 0; i < x->b.nqueues; i++) {
		err = pthread_create(&x->queues[i].thread, NULL, run_queue, &x->queues[i]);
		if (err)
			die("a thread", -err);
	}
	for (i = 0; i < x->b.nqueues; i++)
		pthread_join(x->queues[i].thread, NULL);
}

static void prepare(struct bench *x)
{
	unsigned int q, i;
	int err = blk_open(&x->b, &x->opts);

	if (!err)
		err = blk_start(&x->b);
	if (err)
		die("the device", err);
	if (x->opts.with & ~x->b.features)
		die("packed rings", -EOPNOTSUPP);
	x->blocks = blk_capacity(&x->b) / BENCH_SECTORS;
	for (q = 0; q < x->b.nqueues; q++) {
		x->queues[q].x = x;
		x->queues[q].nr = q;
		x->queues[q].block = q * (x->blocks / MOST_QUEUES);
		for (i = 0; i < x->depth; i++)
			x->kind->make(&x->b, &x->queues[q].io[i], x->write);
	}
	err = x->kind->settle(&x->b, &x->queues[0].io[0]);
	if (err)
		die("the device is not ready", err);
	/* As a stream both sides run beside each other. */
	if (!x->stream)
		err = cost_settle();
	if (err)
		die("the threads", err);
	run(x, x->requests / 8);
}

static void measure(struct bench *x)
{
	uint64_t kicks = 0, calls = 0, done = 0, lost = 0;
	struct cost before, after;
	unsigned int q;
	int err;

	for (q = 0; q < x->b.nqueues; q++) {
		ring_take_calls(&x->b.rings[q]);
		x->b.rings[q].kicks = 0;
		x->b.rings[q].calls = 0;
	}
	err = cost_read(&before, x->pid);
	if (err)
		die("no thread serves the queues, or it is not of that process", err);
	run(x, x->requests);
	err = cost_read(&after, x->pid);
	if (err)
		die("the threads", err);
	for (q = 0; q < x->b.nqueues; q++) {
		ring_take_calls(&x->b.rings[q]);
		kicks += x->b.rings[q].kicks;
		calls += x->b.rings[q].calls;
		done += x->queues[q].requests;
		lost += x->queues[q].lost;
	}
	printf("backend %llu\n", (unsigned long long)(after.backend - before.backend) / done);
	printf("kernel %llu\n", (unsigned long long)(after.kernel - before.kernel) / done);
	printf("machine %llu\n", (unsigned long long)(after.clock - before.clock) / done);
	printf("kicks %llu\n", (unsigned long long)(kicks * 1000 / done));
	printf("calls %llu\n", (unsigned long long)(calls * 1000 / done));
	printf("lost %llu\n", (unsigned long long)lost);
}

static void set_option(struct bench *x, int c)
{
	switch (c) {
	case 's':
		x->opts.store = optarg;
		break;
	case 'u':
		x->opts.socket = optarg;
		break;
	case 't':
		x->opts.wwpn = optarg;
		break;
	case 'v':
		x->opts.name = optarg;
		break;
	case 'p':
		x->pid = strtoul(optarg, NULL, 0);
		break;
	case 'd':
		x->depth = strtoul(optarg, NULL, 0);
		break;
	case 'q':
		x->opts.queues = strtoul(optarg, NULL, 0);
		break;
	case 'n':
		x->requests = strtoul(optarg, NULL, 0);
		break;
	case 'w':
		x->write = true;
		break;
	case 'f':
		x->stream = true;
		break;
	case 'r':
		x->opts.with |= BIT(VIRTIO_F_RING_PACKED);
		break;
	default:
		exit(2);
	}
}

static void parse(struct bench *x, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(x, c);
	if (optind == argc && x->depth && x->depth <= MOST_DEPTH && x->opts.queues &&
	    x->opts.queues <= MOST_QUEUES && x->requests / x->opts.queues >= 8 * x->depth &&
	    (x->opts.store || x->opts.socket || x->opts.name))
		return;
	fprintf(stderr,
		"usage: blk_bench --store PATH [--wwpn NAME] | --socket PATH | --name VDPA\n"
		"\t[--pid OF_THE_BACKEND] [--depth 1..%u] [--queues 1..%u] [--requests N]\n"
		"\t[--write] [--stream] [--packed]\n", MOST_DEPTH, MOST_QUEUES);
	exit(2);
}

int main(int argc, char **argv)
{
	static struct bench x = {
		.opts = { .node = "/dev/vhost-blk", .mem_size = 8u << 20, .queues = 1 },
		.depth = 32,
		.requests = 64000,
	};

	parse(&x, argc, argv);
	x.kind = x.opts.wwpn ? &bench_scsi : &bench_blk;
	prepare(&x);
	measure(&x);
	blk_close(&x.b);
	return 0;
}
