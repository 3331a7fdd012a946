// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames by ring client on /dev/vhost-net, and what they cost. Out: to a tap that drops them. In:
 * from the kernel's packet generator. Back, bounce: one goes out, the tap gives it back, and the
 * next goes when it has come. In batches of one size, each begun when the batch before has ended:
 * where a machine counts instructions the same batches cost the same. Or as a stream, as drivers
 * do it. Prints the costs of one frame in ns, and how often both sides told each other, for a
 * thousand.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_net.h"
#include "bench_told.h"
#include "eth.h"
#include "net_gen.h"
#include "net_hook.h"

#define NUM		256u
#define MOST_LEN	(ETH_MIN + 65535u)

struct bench;

struct load {
	const char *name;
	void (*prepare)(struct bench *x);
	void (*run)(struct bench *x, unsigned int frames);
	void (*stream)(struct bench *x, unsigned int frames);
};

struct bench {
	struct net n;
	struct net_gen gen;
	const struct load *load;
	struct net_opts opts;
	char ifname[IFNAMSIZ];
	int tap;
	unsigned int len;
	unsigned int depth;
	unsigned int frames;
	bool stream;
	unsigned int next;
	struct bench_frame out[NUM];
	struct bench_frame in[NUM];
};

static const struct option options[] = {
	{ "node", required_argument, NULL, 'f' },
	{ "len", required_argument, NULL, 'l' },
	{ "depth", required_argument, NULL, 'd' },
	{ "frames", required_argument, NULL, 'n' },
	{ "stream", no_argument, NULL, 's' },
	{ "packed", no_argument, NULL, 'r' },
	{ "in-order", no_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static void die(const char *what, int err)
{
	fprintf(stderr, "net_bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void check(const char *what, int err)
{
	if (err < 0)
		die(what, err);
}

static void add(struct ring *r, struct bench_frame *f)
{
	check("a chain", ring_add(r, f->segs, f->count, f->count > 1 ? RING_INDIRECT : RING_DIRECT,
				  f));
}

static void wait_for_some(struct ring *r)
{
	if (!ring_pending(r) && !ring_wait(r, NET_HANG_LIMIT_MS))
		die("a frame", -ETIMEDOUT);
}

/* What has come, as many as @most; the buffers are the device's again. */
static unsigned int take_in(struct bench *x, unsigned int most)
{
	struct ring *r = &x->n.rings[NET_RX];
	struct bench_frame *f;
	unsigned int n = 0;
	uint32_t len;

	while (n < most && (f = ring_collect(r, &len))) {
		if (len != x->n.hdr_len + x->len)
			die("a frame of another length", -EIO);
		add(r, f);
		n++;
	}
	if (r->lied)
		die("a frame", -EIO);
	ring_flush(r);
	return n;
}

static unsigned int take_out(struct bench *x)
{
	struct ring *r = &x->n.rings[NET_TX];
	unsigned int n = 0;
	uint32_t len;

	while (ring_collect(r, &len))
		n++;
	if (r->lied)
		die("a frame", -EIO);
	return n;
}

static void add_out(struct bench *x)
{
	add(&x->n.rings[NET_TX], &x->out[x->next++ % x->depth]);
}

static void drain_out(struct bench *x)
{
	struct ring *r = &x->n.rings[NET_TX];

	while (ring_in_flight(r)) {
		wait_for_some(r);
		take_out(x);
	}
}

static void prepare_in(struct bench *x)
{
	unsigned int i;

	for (i = 0; i < NUM; i++) {
		bench_frame_in(&x->n, &x->in[i]);
		add(&x->n.rings[NET_RX], &x->in[i]);
	}
	ring_flush(&x->n.rings[NET_RX]);
}

static void prepare_out(struct bench *x)
{
	unsigned int i;

	for (i = 0; i < x->depth; i++)
		bench_frame_out(&x->n, &x->out[i], x->len);
}

static void attach(struct bench *x, enum xdp_action action)
{
	check("an XDP program", net_hook_xdp(x->ifname, action));
}

/*
 * The tap drops what goes out before it becomes an sk_buff. With an XDP program it would copy what
 * is too long for that once more: such frames are dropped by IP, being for someone else.
 */
static void out_prepare(struct bench *x)
{
	prepare_out(x);
	if (x->len <= ETH_USUAL)
		attach(x, XDP_DROP);
}

static void out_run(struct bench *x, unsigned int frames)
{
	unsigned int done, i;

	for (done = 0; done < frames; done += x->depth) {
		for (i = 0; i < x->depth; i++)
			add_out(x);
		ring_flush(&x->n.rings[NET_TX]);
		drain_out(x);
	}
}

/*
 * Each frame is told of by itself. What has gone is seen to before the next is sent; no call
 * is wanted until there is no room, and then one when most of it has gone.
 */
static void out_stream(struct bench *x, unsigned int frames)
{
	struct ring *r = &x->n.rings[NET_TX];
	unsigned int flying = 0, i;

	ring_suppress_calls(r);
	for (i = 0; i < frames; i++) {
		flying -= take_out(x);
		while (flying == x->depth) {
			if (!ring_wait_ahead(r, flying * 3 / 4, NET_HANG_LIMIT_MS))
				die("room for a frame", -ETIMEDOUT);
			ring_suppress_calls(r);
			flying -= take_out(x);
		}
		add_out(x);
		ring_flush(r);
		flying++;
	}
	drain_out(x);
}

static void in_prepare(struct bench *x)
{
	prepare_in(x);
	check("the packet generator", net_gen_open(&x->gen, x->ifname, x->len,
						   x->stream ? NET_GEN_ENDLESS : x->depth,
						   !x->stream));
	if (x->stream)
		check("the packet generator", net_gen_go(&x->gen));
}

static void in_some(struct bench *x, unsigned int frames)
{
	unsigned int done = 0;

	while (done < frames) {
		wait_for_some(&x->n.rings[NET_RX]);
		done += take_in(x, frames - done);
	}
}

static void in_run(struct bench *x, unsigned int frames)
{
	unsigned int done;

	for (done = 0; done < frames; done += x->depth) {
		check("the packet generator", net_gen_go(&x->gen));
		in_some(x, x->depth);
	}
}

static void in_stream(struct bench *x, unsigned int frames)
{
	in_some(x, frames);
}

static void back_prepare(struct bench *x)
{
	prepare_out(x);
	prepare_in(x);
	check("a TC program", net_hook_redirect(x->ifname));
}

static void back_run(struct bench *x, unsigned int frames)
{
	unsigned int done, i;

	ring_suppress_calls(&x->n.rings[NET_TX]);
	for (done = 0; done < frames; done += x->depth) {
		for (i = 0; i < x->depth; i++)
			add_out(x);
		ring_flush(&x->n.rings[NET_TX]);
		in_some(x, x->depth);
		take_out(x);
	}
	drain_out(x);
}

/* What is given back is not an sk_buff, but for some at first, as any tap has some time. */
static void bounce_prepare(struct bench *x)
{
	back_prepare(x);
	back_run(x, 2 * x->depth);
	attach(x, XDP_TX);
}

static const struct load loads[] = {
	{ "out", out_prepare, out_run, out_stream },
	{ "in", in_prepare, in_run, in_stream },
	{ "back", back_prepare, back_run, back_run },
	{ "bounce", bounce_prepare, back_run, back_run },
	{ }
};

static void prepare(struct bench *x)
{
	x->opts.mem_size = (NUM * 2 + x->depth * (x->len > ETH_USUAL ? 18 : 1)) * 4096u;
	check("the device", net_open(&x->n, &x->opts));
	x->tap = bench_tap_open(x->ifname, x->n.hdr_len);
	check("a tap", x->tap);
	check("to start", net_start(&x->n, x->tap));
	x->load->prepare(x);
	/* As a stream they may run beside each other. */
	if (!x->stream)
		check("the threads", cost_settle());
}

static void run(struct bench *x, unsigned int frames)
{
	(x->stream ? x->load->stream : x->load->run)(x, frames);
}

static void measure(struct bench *x)
{
	struct cost before;

	check("no thread serves the queues", bench_begin(&before, 0, x->n.rings, NET_QUEUES));
	run(x, x->frames);
	check("the threads", bench_tell_costs(&before, 0, x->frames));
	bench_tell_events(x->n.rings, NET_QUEUES, x->frames);
}

static void set_option(struct bench *x, int c)
{
	switch (c) {
	case 'f':
		x->opts.node = optarg;
		break;
	case 'l':
		x->len = strtoul(optarg, NULL, 0);
		break;
	case 'd':
		x->depth = strtoul(optarg, NULL, 0);
		break;
	case 'n':
		x->frames = strtoul(optarg, NULL, 0);
		break;
	case 's':
		x->stream = true;
		break;
	case 'r':
		x->opts.with |= BIT(VIRTIO_F_RING_PACKED);
		break;
	case 'o':
		x->opts.with |= BIT(VIRTIO_F_IN_ORDER);
		break;
	default:
		exit(2);
	}
}

static const struct load *load_named(const char *name)
{
	const struct load *l;

	for (l = loads; name && l->name; l++)
		if (!strcmp(name, l->name))
			return l;
	return NULL;
}

static void parse(struct bench *x, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(x, c);
	x->load = load_named(argv[optind]);
	if (x->load && optind + 1 == argc && x->depth && x->depth <= NUM && x->len >= 64 &&
	    x->len <= MOST_LEN && x->frames >= 8 * x->depth && !(x->frames % (8 * x->depth)))
		return;
	fprintf(stderr,
		"usage: net_bench [--node PATH] [--len 64..%u] [--depth 1..%u] [--frames N]\n"
		"\t[--stream] [--packed] [--in-order] out|in|back|bounce\n"
		"N is a multiple of 8 times the depth.\n", MOST_LEN, NUM);
	exit(2);
}

int main(int argc, char **argv)
{
	static struct bench x = {
		.opts = { .node = "/dev/vhost-net", .num = NUM },
		.len = 64,
		.depth = 64,
		.frames = 16384,
	};

	parse(&x, argc, argv);
	prepare(&x);
	run(&x, x.frames / 8);
	measure(&x);
	net_gen_close(&x.gen);
	net_close(&x.n);
	return 0;
}
