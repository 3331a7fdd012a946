// SPDX-License-Identifier: GPL-2.0-only
/* The good path of a socket device: whatever well-behaved hosts and guests may do has to work. */
#include <stdlib.h>

#include "vsock_io.h"

const uint32_t io_sizes[] = {
	1, 2, 44, 511, 4051, 4052, 4053, 4095, 4096, 4097, 16384, 65491, 65492, 65493, 65535,
	65536, 65537, 131072, 256 * KIB,
};

const unsigned int io_nr_sizes = sizeof(io_sizes) / sizeof(*io_sizes);

/* Each transfer has bytes of its own. */
static uint64_t next_key(void)
{
	static uint64_t key = 1ull << 40;

	return key++;
}

static uint8_t *room(uint32_t len)
{
	uint8_t *p = malloc(len);

	if (!p)
		abort();
	return p;
}

/* Takes what is there of @len bytes, of which there are @at. */
static int guest_takes(const struct vsock_pair *p, uint8_t *buf, uint32_t len, uint32_t *at)
{
	int64_t n = vsock_conn_recv(p->c, buf + *at, len - *at, NULL);

	if (n == -EAGAIN)
		return 0;
	CHECK(n > 0, "%u of %u bytes, then %lld", *at, len, (long long)n);
	*at += n;
	return 0;
}

struct sending {
	int fd;
	const uint8_t *data;
	uint32_t len;
};

static int send_all(void *arg)
{
	struct sending *s = arg;
	uint32_t at;
	ssize_t n;

	for (at = 0; at < s->len; at += n) {
		n = send(s->fd, s->data + at, s->len - at, MSG_NOSIGNAL);
		CHECK(n > 0, "%u of %u bytes, then %s", at, s->len, strerror(errno));
	}
	return 0;
}

static int bytes_to_guest(struct vsock_env *e, const struct vsock_pair *p, uint8_t *out,
			  uint8_t *in, uint32_t len)
{
	struct sending s = { p->fd, out, len };
	uint32_t at = 0;

	/* There is room for all of it, if the host knows. */
	if (p->c->told_cnt != p->c->fwd_cnt)
		vsock_conn_tell(p->c, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
	CHECK_PASS(vsock_env_beside(e, send_all, &s));
	while (at < len) {
		AWAIT(e, p->c->type == STREAM ? p->c->len : p->c->nr_ends);
		CHECK_PASS(guest_takes(p, in, len, &at));
		CHECK(p->c->type == STREAM || at == len, "a message of %u bytes, not %u", at, len);
	}
	return 0;
}

static int check_same(const uint8_t *out, const uint8_t *in, uint32_t len, const char *to)
{
	uint32_t i;

	for (i = 0; i < len && out[i] == in[i]; i++)
		;
	CHECK(i == len, "byte %u of %u for %s is wrong", i, len, to);
	return 0;
}

int io_to_guest(struct vsock_env *e, const struct vsock_pair *p, uint32_t len)
{
	uint8_t *out = room(len), *in = room(len);
	int res;

	pattern_bytes_fill(out, len, 0, next_key());
	res = bytes_to_guest(e, p, out, in, len);
	if (!res)
		res = check_same(out, in, len, "the guest");
	free(out);
	free(in);
	return res;
}

static int bytes_to_host(struct vsock_env *e, const struct vsock_pair *p, const uint8_t *out,
			 uint8_t *in, uint32_t len)
{
	bool message = p->c->type == SEQPACKET;
	uint32_t sent = 0, at = 0;
	ssize_t n;

	while (at < len) {
		int64_t more = vsock_conn_send(p->c, out + sent, len - sent,
					       message ? VIRTIO_VSOCK_SEQ_EOM : 0);

		CHECK(more >= 0, "the guest can't send: %lld", (long long)more);
		sent += more;
		CHECK_PASS(vsock_env_turn(e, 5));
		n = host_recv(p->fd, in + at, len - at, 0);
		if (n == -EAGAIN)
			continue;
		CHECK(n > 0, "%u of %u bytes, then %zd", at, len, n);
		at += n;
		CHECK(!message || at == len, "a message of %u bytes, not %u", at, len);
	}
	return 0;
}

int io_to_host(struct vsock_env *e, const struct vsock_pair *p, uint32_t len)
{
	uint8_t *out = room(len), *in = room(len);
	int res;

	pattern_bytes_fill(out, len, 0, next_key());
	res = bytes_to_host(e, p, out, in, len);
	if (!res)
		res = check_same(out, in, len, "the host");
	free(out);
	free(in);
	return res;
}

int io_fill(const struct vsock_pair *p, uint32_t most, uint32_t *sent)
{
	static const uint8_t zeroes[1000];
	ssize_t n;

	for (*sent = 0; *sent < most; *sent += n) {
		uint32_t left = most - *sent;

		n = host_send(p->fd, zeroes, left < sizeof(zeroes) ? left : sizeof(zeroes), 0);
		if (n == -EAGAIN)
			break;
		CHECK(n > 0, "after %u bytes: %zd", *sent, n);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct vsock_env e;
	const struct ktap_suite suites[] = {
		vsock_io_connect_suite, vsock_io_stream_suite, vsock_io_message_suite,
		vsock_io_credit_suite, vsock_io_shut_suite, vsock_io_option_suite,
		vsock_io_watch_suite, vsock_io_map_suite, vsock_io_wake_suite,
	};

	vsock_env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
