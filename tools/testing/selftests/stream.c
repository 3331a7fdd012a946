// SPDX-License-Identifier: GPL-2.0-only
/*
 * A TCP or vsock connection on which both sides send at once, and each byte tells where in the
 * stream it belongs.
 *   stream [--vsock] --listen PORT               serves whoever connects, one process each
 *   stream [OPTION]... ADDRESS|vsock:CID PORT    connects, until SIGTERM or until all is sent
 *     --bytes N    so many in each direction, a multiple of 512
 *     --pause MS   between the pieces that a side sends
 *     --slow MS    before each time that this side reads
 *     --state FILE where the bytes sent and received are told while it runs
 * Who finds a wrong byte resets the connection, so that both sides fail.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#include "pattern.h"

#define MAGIC		0x6f697670u
#define PIECE		65536u
#define NO_END		UINT64_MAX
#define CONNECTS	60
#define BACKLOG		64
/* Nothing at all for so many seconds is a connection that has hung. */
#define SILENCE		240
/* Once the other side has ended, some kernels' vsock doesn't wake whoever waits for room. */
#define LOOK		1

/* What the one who connects wants of the other. */
struct hello {
	uint32_t magic;
	uint32_t pause;
	uint64_t bytes;
};

struct stream {
	int fd;
	int state;
	bool client;
	bool shut;
	bool ended;
	uint32_t pause;
	uint32_t slow;
	uint64_t bytes;
	uint64_t until;
	uint64_t sent;
	uint64_t received;
	int64_t next_send;
	int64_t next_receive;
	/* When something was sent or received, or it was time to. */
	int64_t moved;
	/* Received, but not a whole sector yet. */
	size_t kept;
	uint8_t out[PIECE];
	uint8_t in[PIECE];
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static uint64_t generation(bool of_client)
{
	return of_client ? 1 : 2;
}

/* The connection ends by a reset. */
static void give_up(const struct stream *s, const char *why, uint64_t at)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(s->fd);
	printf("stream: %s, byte %llu, sent %llu, received %llu\n", why, (unsigned long long)at,
	       (unsigned long long)s->sent, (unsigned long long)s->received);
	exit(1);
}

/*
 * By @error, which may be 0 for none. Where the other side is gone a vsock says so once, and then
 * that it has ended, or isn't connected.
 */
static void give_up_by(const struct stream *s, int error, uint64_t at)
{
	socklen_t len = sizeof(error);
	int first = 0;

	if (!getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &first, &len) && first)
		error = first;
	if (error)
		give_up(s, strerror(error), at);
}

static void tell_state(const struct stream *s)
{
	char line[64];
	int len;

	if (s->state < 0)
		return;
	len = snprintf(line, sizeof(line), "%020llu %020llu\n", (unsigned long long)s->sent,
		       (unsigned long long)s->received);
	if (pwrite(s->state, line, len, 0) != len)
		err(1, "the state");
}

/* Whole pieces only, so that the stream ends where a sector does. */
static void stop_sending(struct stream *s)
{
	uint64_t end = (s->sent + PIECE - 1) / PIECE * PIECE;

	if (s->until > end)
		s->until = end;
}

static void send_some(struct stream *s)
{
	size_t at = s->sent % PIECE, len = PIECE - at;
	ssize_t n;

	if (!at)
		pattern_fill(s->out, PIECE, s->sent / SECTOR_SIZE, generation(s->client));
	if (len > s->until - s->sent)
		len = s->until - s->sent;
	n = send(s->fd, s->out + at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		give_up_by(s, errno, s->sent);
	if (n <= 0)
		return;
	s->moved = now_ms();
	s->sent += n;
	if (s->sent % PIECE == 0)
		s->next_send = now_ms() + s->pause;
}

static void check(struct stream *s)
{
	size_t len = s->kept / SECTOR_SIZE * SECTOR_SIZE;
	uint64_t first = s->received - s->kept;
	long bad = pattern_check(s->in, len, first / SECTOR_SIZE, generation(!s->client));

	if (bad >= 0)
		give_up(s, "a wrong byte", first + bad);
	s->kept -= len;
	memmove(s->in, s->in + len, s->kept);
}

static void receive_some(struct stream *s)
{
	ssize_t n = recv(s->fd, s->in + s->kept, sizeof(s->in) - s->kept, MSG_DONTWAIT);

	s->next_receive = now_ms() + s->slow;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		give_up_by(s, n ? errno : 0, s->received);
	if (!n) {
		s->ended = true;
		if (s->kept)
			give_up(s, "an end within a sector", s->received);
		return;
	}
	s->moved = now_ms();
	s->received += n;
	s->kept += n;
	check(s);
}

/* Whether it is time for something; if not, @timeout is when it will be, or was earlier. */
static bool is_time(int64_t at, int *timeout)
{
	int64_t left = at - now_ms();

	if (left > 0 && left < *timeout)
		*timeout = left;
	return left <= 0;
}

static void wait_for(struct stream *s)
{
	struct pollfd p = { .fd = s->fd };
	int timeout = (s->ended ? LOOK : SILENCE) * 1000;

	if (!s->ended && is_time(s->next_receive, &timeout))
		p.events |= POLLIN;
	if (s->sent != s->until && is_time(s->next_send, &timeout))
		p.events |= POLLOUT;
	if (!p.events)
		s->moved = now_ms();
	if (!poll(&p, 1, timeout) && now_ms() - s->moved >= SILENCE * 1000)
		give_up(s, "silence", s->received);
	if (s->ended && !p.revents)
		p.revents = p.events & POLLOUT;
	if (p.revents & POLLERR)
		give_up_by(s, 0, s->received);
	if (p.revents & (POLLIN | POLLHUP | POLLERR))
		receive_some(s);
	if (p.revents & POLLOUT)
		send_some(s);
}

static void run(struct stream *s)
{
	s->until = s->bytes;
	s->moved = now_ms();
	while (!s->shut || !s->ended) {
		if (s->client ? stopped : s->ended && s->bytes == NO_END)
			stop_sending(s);
		/*
		 * Who serves has all before it says that there is no more. So no side is gone while
		 * the other one reads, which vsock doesn't allow for long.
		 */
		if (!s->shut && s->sent == s->until && (s->client || s->ended)) {
			if (shutdown(s->fd, SHUT_WR))
				give_up(s, strerror(errno), s->sent);
			s->shut = true;
			continue;
		}
		if (s->client && s->bytes == NO_END && s->ended && !s->shut)
			give_up(s, "the other side has ended", s->received);
		wait_for(s);
		tell_state(s);
	}
	if (s->bytes != NO_END && s->received != s->bytes)
		give_up(s, "not all has come", s->received);
	printf("stream: sent %llu, received %llu, all of it right\n", (unsigned long long)s->sent,
	       (unsigned long long)s->received);
}

static struct stream *stream_new(int fd, const struct hello *hello, bool client)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		err(1, "memory");
	s->fd = fd;
	s->state = -1;
	s->client = client;
	s->pause = hello->pause;
	s->bytes = hello->bytes;
	return s;
}

/* Where one listens, or whom one connects to. */
struct place {
	socklen_t len;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_vm vm;
	};
};

static void place_vsock(struct place *p, unsigned int cid, unsigned int port)
{
	p->vm = (struct sockaddr_vm){ .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
	p->len = sizeof(p->vm);
}

static void place_inet(struct place *p, const char *address, uint16_t port)
{
	p->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	if (inet_pton(AF_INET, address, &p->in.sin_addr) != 1)
		errx(1, "%s is no address", address);
	p->len = sizeof(p->in);
}

static void place_of(struct place *p, const char *address, unsigned int port)
{
	static const char vsock[] = "vsock:";

	if (!strncmp(address, vsock, sizeof(vsock) - 1))
		place_vsock(p, strtoul(address + sizeof(vsock) - 1, NULL, 0), port);
	else
		place_inet(p, address, port);
}

static int place_socket(const struct place *p)
{
	int fd = socket(p->any.sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		err(1, "a socket");
	return fd;
}

static int serve_one(int fd)
{
	struct hello hello;

	if (recv(fd, &hello, sizeof(hello), MSG_WAITALL) != sizeof(hello) || hello.magic != MAGIC)
		errx(1, "no hello");
	run(stream_new(fd, &hello, false));
	return 0;
}

static int serve(struct place *at)
{
	int fd = place_socket(at), on = 1, one;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &at->any, at->len) || listen(fd, BACKLOG))
		err(1, "can't listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		one = accept(fd, NULL, NULL);
		if (one < 0)
			err(1, "accept");
		if (!fork()) {
			close(fd);
			exit(serve_one(one));
		}
		close(one);
	}
}

/* The other side may still be starting, and its address unknown. Of vsock a reset says so. */
static bool not_yet(const struct place *to, int error)
{
	if (to->any.sa_family == AF_VSOCK)
		return error == ECONNRESET || error == ENODEV || error == ETIMEDOUT;
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

static int reach(struct place *to, const char *name)
{
	int fd, i;

	for (i = 0; i < CONNECTS && !stopped; i++) {
		fd = place_socket(to);
		if (!connect(fd, &to->any, to->len))
			return fd;
		if (!not_yet(to, errno))
			break;
		close(fd);
		usleep(500000);
	}
	err(1, "%s", name);
}

static int misused(void)
{
	errx(2, "needs [--vsock] --listen PORT, or [OPTION]... ADDRESS PORT, as its source says");
}

struct settings {
	struct hello hello;
	uint32_t slow;
	const char *state;
	const char *port;
	bool vsock;
};

static int parse(struct settings *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "bytes", required_argument, NULL, 'b' },
		{ "pause", required_argument, NULL, 'p' },
		{ "slow", required_argument, NULL, 'r' },
		{ "state", required_argument, NULL, 's' },
		{ "vsock", no_argument, NULL, 'v' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (c == 'l')
			a->port = optarg;
		else if (c == 'b')
			a->hello.bytes = strtoull(optarg, NULL, 0);
		else if (c == 'p')
			a->hello.pause = atoi(optarg);
		else if (c == 'r')
			a->slow = atoi(optarg);
		else if (c == 's')
			a->state = optarg;
		else if (c == 'v')
			a->vsock = true;
		else
			return misused();
	}
	return 0;
}

static int connect_and_run(const struct settings *a, const char *address, const char *port)
{
	struct sigaction action = { .sa_handler = stop };
	struct place to;
	struct stream *s;
	int fd;

	sigaction(SIGTERM, &action, NULL);
	place_of(&to, address, atoi(port));
	fd = reach(&to, address);
	if (send(fd, &a->hello, sizeof(a->hello), MSG_NOSIGNAL) != sizeof(a->hello))
		err(1, "hello");
	s = stream_new(fd, &a->hello, true);
	s->slow = a->slow;
	if (a->state)
		s->state = open(a->state, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	run(s);
	return 0;
}

int main(int argc, char **argv)
{
	struct settings a = { .hello = { .magic = MAGIC, .bytes = NO_END } };
	struct place at;

	setlinebuf(stdout);
	parse(&a, argc, argv);
	if (a.port && a.vsock)
		place_vsock(&at, VMADDR_CID_ANY, atoi(a.port));
	else if (a.port)
		place_inet(&at, "0.0.0.0", atoi(a.port));
	if (a.port)
		return serve(&at);
	if (argc - optind != 2 || (a.hello.bytes != NO_END && a.hello.bytes % SECTOR_SIZE))
		return misused();
	return connect_and_run(&a, argv[optind], argv[optind + 1]);
}
