// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data between a socket of the host and a guest of /dev/vhost-vsock, and what that costs. To: the
 * host sends, and the next goes when the guest has all of it. From: the guest sends, and the
 * host reads. Ping: a byte there and one back. Or as a stream, where both go on as far as credit
 * lets them. Prints what one send costs in ns, and how often both sides told each other, for a
 * thousand of them.
 *
 * The back-end's cost is that of its thread, and of the host's calls: send() and recv() go
 * through the kernel's core for such sockets, which is the same for every transport, then the
 * transport. Both copy the data once. What a copy of as many bytes takes is printed beside that,
 * measured by a call that has nothing to do with sockets: who subtracts it twice, as often as both
 * transports copy, has what is left for everything else. It is the same for both; a transport
 * that copies by cheaper means keeps that advantage, and one that copies once more is charged for
 * it.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench_told.h"
#include "vsock_conn.h"
#include "vsock_host.h"

/* As drivers have them: a page of data in each. */
#define RX_ROOM		(4096u + VSOCK_HDR_LEN)
#define RX_BUFS		128u
#define TX_BUFS		32u
#define NUM		256u
#define PORT		1234u
#define ALLOC		(256u * 1024)
#define CID		77u
#define EMPTY_CALLS	1000u

struct bench;

struct load {
	const char *name;
	void (*run)(struct bench *x, unsigned int sends);
	void (*stream)(struct bench *x, unsigned int sends);
};

struct bench {
	struct vsock_guest g;
	struct vsock_guest_opts opts;
	const struct load *load;
	struct vsock_conn *c;
	int fd;
	unsigned int len;
	unsigned int sends;
	bool stream;
	uint64_t host;		/* what its calls took */
	uint64_t calls;		/* how many */
	uint64_t empty;		/* what asking for it takes */
	uint8_t *out, *in;
};

static const struct option options[] = {
	{ "node", required_argument, NULL, 'f' },
	{ "len", required_argument, NULL, 'l' },
	{ "sends", required_argument, NULL, 'n' },
	{ "stream", no_argument, NULL, 's' },
	{ "packed", no_argument, NULL, 'r' },
	{ "in-order", no_argument, NULL, 'o' },
	{ NULL, 0, NULL, 0 },
};

static void die(const char *what, int err)
{
	fprintf(stderr, "vsock_bench: %s: %s\n", what, strerror(-err));
	exit(1);
}

static void check(const char *what, int64_t err)
{
	if (err < 0)
		die(what, err);
}

static void turn(struct bench *x)
{
	check("moving packets", vsock_guest_turn(&x->g));
	if (*x->g.wrong)
		die(x->g.wrong, -EBADMSG);
}

static void wait_for_more(struct bench *x)
{
	check("to wait", vsock_guest_wait(&x->g, NULL, 0, VSOCK_HANG_LIMIT_MS));
}

static void host_sends(struct bench *x, unsigned int len)
{
	uint64_t before = cost_of_thread();
	ssize_t n = send(x->fd, x->out, len, MSG_NOSIGNAL);

	x->host += cost_of_thread() - before;
	x->calls++;
	if (n != (ssize_t)len)
		die("to send", n < 0 ? -errno : -EIO);
}

/* It may come in parts. */
static void host_receives(struct bench *x, unsigned int len)
{
	while (len) {
		uint64_t before = cost_of_thread();
		ssize_t n = recv(x->fd, x->in, len, 0);

		x->host += cost_of_thread() - before;
		x->calls++;
		if (n <= 0)
			die("to receive", n ? -errno : -EIO);
		len -= n;
	}
}

static void guest_receives(struct bench *x, uint64_t until)
{
	turn(x);
	while (x->c->received < until) {
		wait_for_more(x);
		turn(x);
	}
}

static void guest_sends(struct bench *x, unsigned int len)
{
	while (len) {
		int64_t n = vsock_conn_send(x->c, x->out, len, 0);

		check("the guest", n);
		len -= n;
		/* There may be room since it was taken for granted that there is none. */
		if (!n)
			wait_for_more(x);
		turn(x);
	}
}

static void to_run(struct bench *x, unsigned int sends)
{
	while (sends--) {
		uint64_t until = x->c->received + x->len;

		host_sends(x, x->len);
		guest_receives(x, until);
	}
}

static void from_run(struct bench *x, unsigned int sends)
{
	while (sends--) {
		guest_sends(x, x->len);
		host_receives(x, x->len);
		turn(x);
	}
}

static void ping_run(struct bench *x, unsigned int sends)
{
	while (sends--) {
		uint64_t until = x->c->received + x->len;

		host_sends(x, x->len);
		guest_receives(x, until);
		guest_sends(x, x->len);
		host_receives(x, x->len);
	}
}

struct host_job {
	struct bench *x;
	unsigned int sends;
	void (*fn)(struct bench *x, unsigned int len);
	pthread_t thread;
};

static void *host_main(void *arg)
{
	struct host_job *j = arg;
	unsigned int i;

	/* By that one can tell what it does from what measuring does. */
	prctl(PR_SET_NAME, "vsock_host");
	for (i = 0; i < j->sends; i++)
		j->fn(j->x, j->x->len);
	return NULL;
}

static void to_stream(struct bench *x, unsigned int sends)
{
	struct host_job j = { .x = x, .sends = sends, .fn = host_sends };
	uint64_t until = x->c->received + (uint64_t)sends * x->len;

	check("a thread", -pthread_create(&j.thread, NULL, host_main, &j));
	guest_receives(x, until);
	pthread_join(j.thread, NULL);
}

static void from_stream(struct bench *x, unsigned int sends)
{
	struct host_job j = { .x = x, .sends = sends, .fn = host_receives };
	unsigned int i;

	check("a thread", -pthread_create(&j.thread, NULL, host_main, &j));
	for (i = 0; i < sends; i++)
		guest_sends(x, x->len);
	pthread_join(j.thread, NULL);
	turn(x);
}

static const struct load loads[] = {
	{ "to", to_run, to_stream },
	{ "from", from_run, from_stream },
	{ "ping", ping_run, ping_run },
	{ }
};

static void connect_both(struct bench *x)
{
	struct vsock_listener *l =
		vsock_guest_listen(&x->g, VIRTIO_VSOCK_TYPE_STREAM, PORT, ALLOC);
	int res;

	x->fd = host_connect(VIRTIO_VSOCK_TYPE_STREAM, CID, PORT);
	check("to connect", x->fd);
	while (!(res = host_connected(x->fd))) {
		turn(x);
		check("to wait", vsock_guest_wait(&x->g, NULL, 0, 10));
	}
	check("to be connected", res);
	host_set_nonblock(x->fd, false);
	host_set_timeouts(x->fd, VSOCK_HANG_LIMIT_MS);
	x->c = vsock_accept(l);
	x->c->sink = true;
}

static void prepare(struct bench *x)
{
	unsigned int i;

	x->in = calloc(1, x->len);
	x->out = calloc(1, x->len);
	if (!x->in || !x->out)
		die("memory", -ENOMEM);
	check("the device", vsock_guest_open(&x->g, &x->opts));
	/* The header by itself, as drivers have it. */
	x->g.tx.shape = SHAPE_SPLIT;
	check("to start", vsock_start(&x->g.s));
	connect_both(x);
	/* As a stream they may run beside each other. */
	if (!x->stream)
		check("the threads", cost_settle());
	for (i = 0; i < EMPTY_CALLS; i++) {
		uint64_t before = cost_of_thread();

		x->empty += cost_of_thread() - before;
	}
	x->empty /= EMPTY_CALLS;
}

static void run(struct bench *x, unsigned int sends)
{
	(x->stream ? x->load->stream : x->load->run)(x, sends);
}

static uint64_t packets(const struct vsock_guest *g)
{
	uint64_t n = 0;
	unsigned int i;

	for (i = 0; i < VSOCK_OPS; i++)
		n += g->in[i] + g->out[i];
	return n;
}

static void measure(struct bench *x)
{
	struct cost before;

	memset(x->g.in, 0, sizeof(x->g.in));
	memset(x->g.out, 0, sizeof(x->g.out));
	x->host = 0;
	x->calls = 0;
	check("no thread serves the queues",
	      bench_begin(&before, 0, x->g.s.rings, VSOCK_QUEUES));
	run(x, x->sends);
	check("the threads", bench_tell_costs(&before, 0, x->sends));
	printf("host %llu\n", (unsigned long long)(x->host - x->calls * x->empty) / x->sends);
	printf("copy %llu\n", (unsigned long long)cost_of_copy(x->len));
	bench_tell("packets", packets(&x->g), x->sends);
	bench_tell("updates", x->g.in[VIRTIO_VSOCK_OP_CREDIT_UPDATE] +
			      x->g.in[VIRTIO_VSOCK_OP_CREDIT_REQUEST], x->sends);
	bench_tell_events(x->g.s.rings, VSOCK_QUEUES, x->sends);
}

static void set_option(struct bench *x, int c)
{
	switch (c) {
	case 'f':
		x->opts.dev.node = optarg;
		break;
	case 'l':
		x->len = strtoul(optarg, NULL, 0);
		break;
	case 'n':
		x->sends = strtoul(optarg, NULL, 0);
		break;
	case 's':
		x->stream = true;
		break;
	case 'r':
		x->opts.dev.with |= BIT(VIRTIO_F_RING_PACKED);
		break;
	case 'o':
		x->opts.dev.with |= BIT(VIRTIO_F_IN_ORDER);
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
	if (x->load && optind + 1 == argc && x->len && x->len <= VSOCK_DATA_MAX && x->sends >= 8)
		return;
	fprintf(stderr,
		"usage: vsock_bench [--node PATH] [--len 1..%u] [--sends N] [--stream]\n"
		"\t[--packed] [--in-order] to|from|ping\n", VSOCK_DATA_MAX);
	exit(2);
}

int main(int argc, char **argv)
{
	static struct bench x = {
		.opts = {
			.dev = { .node = "/dev/vhost-vsock", .cid = CID, .num = NUM },
			.rx_bufs = RX_BUFS, .tx_bufs = TX_BUFS,
			.rx_room = RX_ROOM, .tx_room = VSOCK_DATA_MAX + VSOCK_HDR_LEN,
		},
		.len = VSOCK_DATA_MAX,
		.sends = 1024,
	};

	parse(&x, argc, argv);
	prepare(&x);
	run(&x, x.sends / 8);
	measure(&x);
	close(x.fd);
	vsock_guest_close(&x.g);
	return 0;
}
