// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads through /dev/vhost-blk in batches of one size, each submitted by one kick when the batch
 * before it has ended, and prints how long the thread of the queue ran for one of them. Where a
 * machine counts instructions the same batches cost the same.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blk.h"

#define LEN	4096u
#define SECTORS	(LEN / 512)
#define MOST	64u

struct bench {
	struct blk b;
	struct blk_req req[MOST];
	unsigned int depth;
	uint64_t sector;
	uint64_t blocks;
};

static const struct option options[] = {
	{ "store", required_argument, NULL, 's' },
	{ "depth", required_argument, NULL, 'd' },
	{ "requests", required_argument, NULL, 'n' },
	{ NULL, 0, NULL, 0 },
};

static void die(const char *what, int err)
{
	fprintf(stderr, "blk_bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

static bool is_worker(const char *tid)
{
	char path[300], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%s/comm", tid);
	f = fopen(path, "r");
	if (f && !fgets(name, sizeof(name), f))
		name[0] = 0;
	if (f)
		fclose(f);
	return !strncmp(name, "pv0-", 4);
}

/* What the queue's thread has run, in ns. */
static unsigned long long worker_ns(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned long long ns = 0;
	struct dirent *d;
	char path[300];
	FILE *f;

	while (dir && (d = readdir(dir))) {
		if (!is_worker(d->d_name))
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", d->d_name);
		f = fopen(path, "r");
		if (!f || fscanf(f, "%llu", &ns) != 1)
			ns = 0;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	if (!ns)
		die("no thread serves the queue, or it is not of this process", -ESRCH);
	return ns;
}

static void read_batch(struct bench *x)
{
	unsigned int i;
	int err;

	for (i = 0; i < x->depth; i++) {
		*x->req[i].status = BLK_STATUS_UNSET;
		x->req[i].hdr->sector = htole64(x->sector);
		x->sector = (x->sector + 997 * SECTORS) % (x->blocks * SECTORS);
		x->req[i].done = false;
		err = blk_queue(&x->b, 0, &x->req[i], RING_INDIRECT);
		if (err)
			die("a request", err);
	}
	ring_flush(&x->b.rings[0]);
	err = blk_drain(&x->b, 0);
	if (err)
		die("a batch", err);
	for (i = 0; i < x->depth; i++)
		if (*x->req[i].status != VIRTIO_BLK_S_OK)
			die("a read", -EIO);
}

static void prepare(struct bench *x, const char *store)
{
	const struct blk_opts opts = {
		.node = "/dev/vhost-blk", .store = store, .mem_size = 4u << 20, .queues = 1,
	};
	unsigned int i;
	int err = blk_open(&x->b, &opts);

	if (!err)
		err = blk_start(&x->b);
	if (err)
		die(store, err);
	x->blocks = blk_capacity(&x->b) / SECTORS;
	for (i = 0; i < x->depth; i++) {
		blk_req_init(&x->b, &x->req[i]);
		blk_req_usual(&x->req[i], VIRTIO_BLK_T_IN, 0,
			      gmem_alloc(&x->b.mem, LEN, LEN), LEN);
	}
}

int main(int argc, char **argv)
{
	static struct bench x = { .depth = 32 };
	unsigned int requests = 64000, done;
	const char *store = NULL;
	unsigned long long ns;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			store = optarg;
		else if (c == 'd')
			x.depth = strtoul(optarg, NULL, 0);
		else if (c == 'n')
			requests = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (!store || !x.depth || x.depth > MOST || optind != argc) {
		fprintf(stderr, "usage: blk_bench --store PATH [--depth 1..%u] [--requests N]\n",
			MOST);
		return 2;
	}
	prepare(&x, store);
	for (done = 0; done < requests / 8; done += x.depth)
		read_batch(&x);
	ns = worker_ns();
	for (done = 0; done < requests; done += x.depth)
		read_batch(&x);
	printf("%llu\n", (worker_ns() - ns) / done);
	blk_close(&x.b);
	return 0;
}
