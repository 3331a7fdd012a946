// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP datagrams of all lengths, whose bytes tell which datagram they belong to, there and back.
 *   dgram --listen PORT                      looks at each, and sends it back
 *   dgram [OPTION]... ADDRESS PORT
 *     --count N    so many, 1000; what is lost is sent again
 *     --length N   none is longer, 1472 bytes, and the last ones are as long
 * Says what was lost; fails for a wrong byte, for an answer of another length, and if nothing comes
 * back any more.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "pattern.h"

#define LENGTH_MAX	65507u
/*
 * So long nothing has to come before anything is sent again, and each time twice as long, or who is
 * slow is never done with what comes again and again.
 */
#define QUIET_MS	500
#define QUIET_MS_MAX	8000
/* Rounds without an answer, after which there will be none. */
#define QUIET_ROUNDS	25
#define WINDOW		8
#define LONGEST_ONES	8
#define BAD		"BAD"

struct dgram {
	uint64_t seq;
	uint8_t data[LENGTH_MAX - sizeof(uint64_t)];
};

static struct dgram got, expected;
/* A pattern is made by the sector. */
static uint8_t sectors[(LENGTH_MAX / SECTOR_SIZE + 1) * SECTOR_SIZE];

static void make(struct dgram *d, uint64_t seq, size_t len)
{
	size_t data = len - sizeof(d->seq);

	d->seq = seq;
	pattern_fill(sectors, (data + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE, seq, len);
	memcpy(d->data, sectors, data);
}

static bool is_right(size_t len)
{
	if (len < sizeof(got.seq))
		return false;
	make(&expected, got.seq, len);
	return !memcmp(&got, &expected, len);
}

static int serve(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) }, from;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size;
	ssize_t n;

	if (bind(fd, (void *)&addr, sizeof(addr)))
		err(1, "port %u", port);
	for (;;) {
		size = sizeof(from);
		n = recvfrom(fd, &got, sizeof(got), 0, (void *)&from, &size);
		if (n < 0)
			continue;
		/* An answer that finds no room is a lost one. */
		if (is_right(n))
			sendto(fd, &got, n, 0, (void *)&from, size);
		else
			sendto(fd, BAD, sizeof(BAD), 0, (void *)&from, size);
	}
}

struct client {
	int fd;
	uint64_t count;
	size_t length_max;
	uint64_t lost;
	uint64_t bytes;
};

static size_t length_of(const struct client *c, uint64_t seq)
{
	struct prng p = { .state = seq };

	if (seq + LONGEST_ONES >= c->count)
		return c->length_max;
	return prng_range(&p, sizeof(got.seq), c->length_max);
}

static void send_one(const struct client *c, uint64_t seq)
{
	size_t len = length_of(c, seq);

	make(&expected, seq, len);
	if (send(c->fd, &expected, len, 0) < 0 && errno != ENOBUFS && errno != EAGAIN &&
	    errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != ENETUNREACH)
		err(1, "datagram %llu of %zu bytes", (unsigned long long)seq, len);
}

/* Which of the window's this answers, or -1 for none of them. False if none came for a while. */
static bool take_answer(const struct client *c, uint64_t first, int *which)
{
	ssize_t n = recv(c->fd, &got, sizeof(got), 0);

	*which = -1;
	if (n < 0)
		return errno != EAGAIN;
	if (n == sizeof(BAD) && !memcmp(&got, BAD, sizeof(BAD)))
		errx(1, "the other side has got a wrong datagram, of %llu to %llu",
		     (unsigned long long)first, (unsigned long long)first + WINDOW - 1);
	if (!is_right(n) || got.seq >= c->count || (size_t)n != length_of(c, got.seq))
		errx(1, "a wrong answer of %zd bytes, by its number %llu", n,
		     (unsigned long long)got.seq);
	if (got.seq >= first && got.seq < first + WINDOW)
		*which = got.seq - first;
	return true;
}

static void be_patient(const struct client *c, unsigned int round)
{
	unsigned int ms = round < 5 ? QUIET_MS << round : QUIET_MS_MAX;
	struct timeval quiet;

	if (ms > QUIET_MS_MAX)
		ms = QUIET_MS_MAX;
	quiet.tv_sec = ms / 1000;
	quiet.tv_usec = ms % 1000 * 1000;
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet)))
		err(1, "the time to wait");
}

static void window(struct client *c, uint64_t first)
{
	unsigned int n = c->count - first < WINDOW ? c->count - first : WINDOW;
	unsigned int left = (1u << n) - 1, quiet, i;
	int which;

	for (quiet = 0; left; quiet++) {
		if (quiet == QUIET_ROUNDS)
			errx(1, "no answer to %llu and those after it", (unsigned long long)first);
		be_patient(c, quiet);
		for (i = 0; i < n; i++) {
			if (!(left & 1u << i))
				continue;
			send_one(c, first + i);
			c->lost += !!quiet;
		}
		while (left && take_answer(c, first, &which)) {
			if (which < 0 || !(left & 1u << which))
				continue;
			left &= ~(1u << which);
			c->bytes += length_of(c, first + which);
			quiet = 0;
		}
	}
}

static int ask(struct client *c, const char *address, uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	uint64_t seq;

	c->fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (inet_pton(AF_INET, address, &addr.sin_addr) != 1)
		errx(1, "%s is no address", address);
	if (connect(c->fd, (void *)&addr, sizeof(addr)))
		err(1, "%s port %u", address, port);
	for (seq = 0; seq < c->count; seq += WINDOW)
		window(c, seq);
	printf("dgram: %llu there and back, %llu bytes, %llu sent again\n",
	       (unsigned long long)c->count, (unsigned long long)c->bytes,
	       (unsigned long long)c->lost);
	return 0;
}

static int misused(void)
{
	errx(2, "needs --listen PORT or [--count N] [--length N] ADDRESS PORT");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'L' },
		{ "count", required_argument, NULL, 'c' },
		{ "length", required_argument, NULL, 'l' },
		{}
	};
	struct client c = { .count = 1000, .length_max = 1472 };
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (o == 'L')
			return serve(atoi(optarg));
		else if (o == 'c')
			c.count = strtoull(optarg, NULL, 0);
		else if (o == 'l')
			c.length_max = strtoul(optarg, NULL, 0);
		else
			return misused();
	}
	if (argc - optind != 2 || c.length_max > LENGTH_MAX || c.length_max < sizeof(got.seq))
		return misused();
	return ask(&c, argv[optind], atoi(argv[optind + 1]));
}
