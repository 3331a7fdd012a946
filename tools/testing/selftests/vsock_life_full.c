// SPDX-License-Identifier: GPL-2.0-only
/* VMMs that are killed while their guest gives room as fast as it is taken. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "proc.h"
#include "vsock_life.h"

/* So many packets are answered in a turn that the next one fills all buffers, and finds more. */
#define PACKETS		128u
#define BUFFERS		8u
#define KILLS		6u

/* What the test sees of its VMM. */
struct full_seen {
	const struct vsock_env *e;
	atomic_uint laps;
};

struct full_guest {
	struct full_seen *seen;
	struct vsock s;
	struct virtio_vsock_hdr *room;	/* of the receive queue */
	uint16_t shown[VSOCK_QUEUES];
};

/* All that the ring has room for, once more. */
static void show_all(struct full_guest *g, unsigned int q)
{
	struct ring *r = &g->s.rings[q];

	g->shown[q] += r->num;
	ring_raw_avail_idx(r, g->shown[q]);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (ring_wants_kick(r))
		ring_kick(r);
}

/* Each entry is a descriptor of its own, for good. */
static void fill_ring(struct full_guest *g, unsigned int q, struct virtio_vsock_hdr *hdrs)
{
	struct ring *r = &g->s.rings[q];
	unsigned int i;

	for (i = 0; i < r->num; i++) {
		ring_raw_desc(&r->desc[i], gmem_iova(&g->s.mem, &hdrs[i]), VSOCK_HDR_LEN,
			      q == VSOCK_RX ? VRING_DESC_F_WRITE : 0, 0);
		r->avail->ring[i] = htole16(i);
	}
}

static int full_start(struct full_guest *g, const struct vsock_env *e)
{
	/* Of no connection: it is answered by a reset. */
	const struct virtio_vsock_hdr hdr = vsock_hdr(e->opts.dev.cid, STREAM, VIRTIO_VSOCK_OP_RW,
						      GUEST_PORT, HOST_PORT);
	struct vsock_opts opts = e->opts.dev;
	struct virtio_vsock_hdr *sent;
	unsigned int i;

	opts.num = PACKETS;
	opts.base = 0;
	opts.iotlb = false;
	opts.with = 0;
	opts.without |= BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_F_IN_ORDER) |
			BIT(VIRTIO_RING_F_EVENT_IDX);
	CHECK_OK(vsock_open(&g->s, &opts));
	g->s.rings[VSOCK_RX].num = BUFFERS;
	g->room = gmem_alloc(&g->s.mem, BUFFERS * sizeof(hdr), 16);
	sent = gmem_alloc(&g->s.mem, PACKETS * sizeof(hdr), 16);
	for (i = 0; i < PACKETS; i++)
		sent[i] = hdr;
	fill_ring(g, VSOCK_RX, g->room);
	fill_ring(g, VSOCK_TX, sent);
	return vsock_start(&g->s);
}

/*
 * Each ring is full again as soon as its last entry was taken, which for the receive queue its
 * contents tell before the used index does.
 */
static void full_give(struct full_guest *g)
{
	struct virtio_vsock_hdr *last = &g->room[BUFFERS - 1];
	struct ring *tx = &g->s.rings[VSOCK_TX];

	show_all(g, VSOCK_RX);
	show_all(g, VSOCK_TX);
	for (;;) {
		if (__atomic_load_n(&last->op, __ATOMIC_ACQUIRE)) {
			last->op = 0;
			show_all(g, VSOCK_RX);
			g->seen->laps++;
		}
		if (le16toh(__atomic_load_n(&tx->used->idx, __ATOMIC_ACQUIRE)) ==
		    g->shown[VSOCK_TX])
			show_all(g, VSOCK_TX);
	}
}

/* A CPU of the guest that goes on for as long as its VMM is about to die. */
static int full_cpu(struct env *none, void *arg)
{
	struct full_guest *g = arg;

	(void)none;
	close(g->s.v.fd);
	full_give(g);
	return 0;
}

/* In a process of its own. */
static int full_victim(struct env *none, void *arg)
{
	static struct full_guest g;

	(void)none;
	g.seen = arg;
	CHECK_PASS(full_start(&g, g.seen->e));
	CHECK(proc_run(full_cpu, NULL, &g) > 0, "no process");
	for (;;)
		pause();
}

/* Whoever is killed gives back no more of what was taken, and finds no end of what there is. */
static int full_killed(void *ctx)
{
	struct vsock_env *e = ctx;
	struct full_seen *seen;
	unsigned int i;

	NEED_OURS(e, "it has no bound on its turns");
	CHECK_PASS(vsock_env_setup(e));
	CHECK_PASS(vsock_env_close(e));
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(seen != MAP_FAILED, "out of memory");
	seen->e = e;
	for (i = 0; i < KILLS * e->rounds; i++) {
		pid_t pid;

		seen->laps = 0;
		pid = proc_run(full_victim, NULL, seen);
		CHECK(pid > 0, "no process");
		AWAIT_HOST(seen->laps > i || proc_ended(pid));
		CHECK(!proc_ended(pid), "it has ended by itself");
		CHECK(proc_kill(pid), "kill %u: it does not die", i);
	}
	CHECK_PASS(vsock_env_start(e));
	CHECK_PASS(vsock_env_verify(e));
	return vsock_env_close(e);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(full_killed),
};

const struct ktap_suite vsock_life_full_suite = {
	.name = "VMMs that are killed with full rings",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 240,
};
