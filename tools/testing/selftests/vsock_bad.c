// SPDX-License-Identifier: GPL-2.0-only
/* Bad input for a socket device: from a hostile guest, and from a hostile VMM. */
#include <unistd.h>

#include "vsock_bad.h"

#define CHECKED	100u

static struct vsock_pair witness = { .fd = -1 };
static unsigned int restarts;

static void drop(struct vsock_pair *p)
{
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct vsock_pair){ .fd = -1 };
}

void bad_drop(struct bad_target *t)
{
	drop(&t->p);
}

int bad_setup(void *ctx)
{
	struct vsock_env *e = ctx;

	CHECK_PASS(vsock_env_setup(e));
	e->hostile = true;
	return vsock_env_connect(e, STREAM, GUEST_ALLOC, &witness);
}

int bad_teardown(void *ctx)
{
	drop(&witness);
	return vsock_env_close(ctx);
}

int bad_restart(struct vsock_env *e)
{
	drop(&witness);
	restarts++;
	CHECK_OK(vsock_guest_restart(&e->g));
	CHECK_PASS(vsock_env_turn(e, 0));
	return vsock_env_connect(e, STREAM, GUEST_ALLOC, &witness);
}

int bad_check(struct vsock_env *e)
{
	static uint8_t out[CHECKED], in[CHECKED];
	static uint64_t key;

	pattern_bytes_fill(out, CHECKED, 0, ++key);
	CHECK_EQ(host_send(witness.fd, out, CHECKED, 0), CHECKED);
	AWAIT(e, witness.c->len == CHECKED);
	CHECK_EQ(vsock_conn_recv(witness.c, in, CHECKED, NULL), CHECKED);
	CHECK_EQ(pattern_bytes_check(in, CHECKED, 0, key), -1);
	CHECK_EQ(vsock_conn_send(witness.c, out, CHECKED, 0), CHECKED);
	AWAIT(e, host_recv(witness.fd, in, CHECKED, MSG_PEEK) == CHECKED);
	CHECK_EQ(host_recv(witness.fd, in, CHECKED, 0), CHECKED);
	CHECK_EQ(pattern_bytes_check(in, CHECKED, 0, key), -1);
	return 0;
}

int bad_settle(struct vsock_env *e)
{
	AWAIT(e, vsock_broken(&e->g.s, VSOCK_TX) || !e->g.tx.posted);
	return vsock_broken(&e->g.s, VSOCK_TX) ? bad_restart(e) : 0;
}

int bad_send(struct vsock_env *e, const struct virtio_vsock_hdr *h, const void *data, uint32_t len)
{
	CHECK_OK(vsock_guest_put(&e->g, h, data, len));
	return bad_settle(e);
}

static bool is_alive(const struct bad_target *t, uint16_t type)
{
	static uint8_t any[256 * KIB];
	ssize_t n;

	/* A reset of the device has freed what the guest knew of it. */
	if (t->p.fd < 0 || t->restarts != restarts || t->p.c->type != type ||
	    t->p.c->state != VSOCK_OPEN)
		return false;
	while ((n = host_recv(t->p.fd, any, sizeof(any), 0)) > 0)
		;
	return n == -EAGAIN;
}

int bad_target(struct vsock_env *e, uint16_t type, struct bad_target *t)
{
	if (is_alive(t, type))
		return 0;
	bad_drop(t);
	t->restarts = restarts;
	return vsock_env_connect(e, type, GUEST_ALLOC, &t->p);
}

int main(int argc, char **argv)
{
	static struct vsock_env e;
	const struct ktap_suite suites[] = {
		vsock_bad_ioctl_suite, vsock_bad_running_suite, vsock_bad_header_suite,
		vsock_bad_state_suite, vsock_bad_chain_suite, vsock_bad_flood_suite,
	};

	vsock_env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
