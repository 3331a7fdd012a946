// SPDX-License-Identifier: GPL-2.0-only
/* What the family tells of devices and queues is what they are and do. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "netlink.h"

#define LEN	4096u
#define WRITES	37u
#define READS	11u

static int get_device(void *ctx)
{
	bool node = !((struct env *)ctx)->opts.name;
	struct env *e = ctx;
	struct nl_answer a;
	struct nl n;
	uint32_t id;

	CHECK_OK(nl_open(&n));
	id = netlink_own_id(&n);
	CHECK(id, "this process's device is not there, or there more than once");
	CHECK_OK(nl_get(&n, id, &a));
	CHECK_EQ(a.cmd, PVIO_CMD_DEV_GET);
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_ID), id);
	if (node)
		CHECK(!strncmp(nl_str(&a, PVIO_A_DEV_NAME), "vhost-blk", 9), "it is %s",
		      nl_str(&a, PVIO_A_DEV_NAME));
	else
		CHECK(!strcmp(nl_str(&a, PVIO_A_DEV_NAME), e->opts.name), "it is %s",
		      nl_str(&a, PVIO_A_DEV_NAME));
	CHECK(!strcmp(nl_str(&a, PVIO_A_DEV_MODULE), "pvio_vhost_blk"), "it is of %s",
	      nl_str(&a, PVIO_A_DEV_MODULE));
	CHECK(!strcmp(nl_str(&a, PVIO_A_DEV_FRONT), node ? "node" : "vdpa"), "it is a %s",
	      nl_str(&a, PVIO_A_DEV_FRONT));
	CHECK(!strcmp(nl_str(&a, PVIO_A_DEV_MEMORY), e->opts.kind == GMEM_SHARED ? "va" : "pa"),
	      "memory is %s", nl_str(&a, PVIO_A_DEV_MEMORY));
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_QUEUES), node ? 64 : e->b.nqueues);
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_PID), getpid());
	CHECK(a.attr[PVIO_A_DEV_UID].data, "it has no uid");
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_UID), getuid());
	CHECK_EQ(nl_u64(&a, PVIO_A_DEV_FEATURES), e->b.features);
	nl_close(&n);
	return 0;
}

/* Before anybody has it, and after that. */
static int get_owner(void *ctx)
{
	struct env *e = ctx;
	struct nl_answer a;
	struct nl n;
	uint32_t id;

	CHECK_OK(nl_open(&n));
	id = netlink_own_id(&n);
	CHECK_OK(nl_get(&n, id, &a));
	if (e->opts.name)
		CHECK_OK(vdpa_set_status(&e->b.v, 0));
	else
		CHECK_OK(vhost_ioctl(&e->b.v, VHOST_RESET_OWNER, NULL));
	CHECK_OK(nl_get(&n, id, &a));
	CHECK(!a.attr[PVIO_A_DEV_PID].data && !a.attr[PVIO_A_DEV_UID].data,
	      "nobody's device has an owner");
	CHECK_EQ(nl_u64(&a, PVIO_A_DEV_FEATURES), 0);
	nl_close(&n);
	return 0;
}

struct queues {
	uint32_t id;
	unsigned int n;
	bool odd;
	struct {
		uint32_t size, state, inflight, worker;
		bool why;
		uint64_t stats[PVIO_A_STATS_KICKS + 1];
		uint64_t latencies;
	} q[64];
};

static uint64_t sum(const struct nl_attr *attr)
{
	uint64_t value, total = 0;
	unsigned int i;

	for (i = 0; i + sizeof(value) <= attr->len; i += sizeof(value)) {
		memcpy(&value, (const char *)attr->data + i, sizeof(value));
		total += value;
	}
	return total;
}

static int take_queue(const struct nl_answer *a, void *arg)
{
	struct queues *qs = arg;
	struct nl_answer stats;
	unsigned int i;

	if (a->cmd != PVIO_CMD_QUEUE_GET)
		qs->odd = true;
	if (nl_u32(a, PVIO_A_QUEUE_DEV_ID) != qs->id)
		return 0;
	if (nl_u32(a, PVIO_A_QUEUE_INDEX) != qs->n || qs->n == 64) {
		qs->odd = true;
		return 0;
	}
	qs->q[qs->n].size = nl_u32(a, PVIO_A_QUEUE_SIZE);
	qs->q[qs->n].state = nl_u32(a, PVIO_A_QUEUE_STATE);
	qs->q[qs->n].inflight = nl_u32(a, PVIO_A_QUEUE_INFLIGHT);
	qs->q[qs->n].worker = nl_u32(a, PVIO_A_QUEUE_WORKER);
	qs->q[qs->n].why = *nl_str(a, PVIO_A_QUEUE_WHY);
	nl_nested(a, PVIO_A_QUEUE_STATS, &stats);
	for (i = PVIO_A_STATS_CHAINS; i <= PVIO_A_STATS_KICKS; i++) {
		qs->q[qs->n].stats[i] = nl_u64(&stats, i);
		if (!stats.attr[i].data)
			qs->odd = true;
	}
	qs->q[qs->n].latencies = sum(&stats.attr[PVIO_A_STATS_LATENCY]);
	qs->n++;
	return 0;
}

static int read_queues(struct nl *n, struct queues *qs)
{
	memset(qs, 0, sizeof(*qs));
	qs->id = netlink_own_id(n);
	CHECK(qs->id, "the device is not there");
	CHECK_OK(nl_dump(n, PVIO_CMD_QUEUE_GET, take_queue, qs));
	CHECK(!qs->odd, "queues are missing, twice, out of order, or without their counters");
	return 0;
}

/* A completion may reach us before its latency has been counted. */
static int read_quiet(struct nl *n, struct queues *qs, uint64_t completed)
{
	unsigned int ms;

	for (ms = 0; ms < BLK_HANG_LIMIT_MS; ms++) {
		CHECK_PASS(read_queues(n, qs));
		if (qs->q[0].stats[PVIO_A_STATS_COMPLETED] >= completed && !qs->q[0].inflight)
			return 0;
		usleep(1000);
	}
	CHECK(false, "%llu chains are completed, of %llu",
	      (unsigned long long)qs->q[0].stats[PVIO_A_STATS_COMPLETED],
	      (unsigned long long)completed);
}

/* Is it a thread of the queue's, of ours or of the kernel's */
static int check_worker(const struct queues *qs, unsigned int i)
{
	char path[64], name[32] = "", want[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/comm", qs->q[i].worker);
	snprintf(want, sizeof(want), "pv%u-", i);
	f = fopen(path, "r");
	CHECK(f, "queue %u has thread %u", i, qs->q[i].worker);
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	CHECK(!strncmp(name, want, strlen(want)), "queue %u has thread %s", i, name);
	return 0;
}

/* A thread is known once it has run. */
static int read_workers(struct nl *n, struct queues *qs, unsigned int queues)
{
	unsigned int ms, i;

	for (ms = 0; ms < BLK_HANG_LIMIT_MS; ms++) {
		CHECK_PASS(read_queues(n, qs));
		for (i = 0; i < queues && qs->q[i].worker; i++)
			;
		if (i == queues)
			return 0;
		usleep(1000);
	}
	CHECK(false, "queue %u has no thread", i);
}

static int get_states(void *ctx)
{
	struct env *e = ctx;
	struct queues qs;
	unsigned int i;
	struct nl n;

	CHECK_OK(nl_open(&n));
	CHECK_PASS(read_workers(&n, &qs, e->b.nqueues));
	CHECK_EQ(qs.n, e->opts.name ? e->b.nqueues : 64);
	for (i = 0; i < e->b.nqueues; i++) {
		CHECK_EQ(qs.q[i].size, e->b.num);
		CHECK_EQ(qs.q[i].state, PVIO_QUEUE_STATE_STARTED | PVIO_QUEUE_STATE_RUNNING);
		CHECK_EQ(qs.q[i].inflight, 0);
		CHECK_EQ(qs.q[i].why, 0);
		CHECK_PASS(check_worker(&qs, i));
	}
	for (; i < qs.n; i++)
		CHECK_EQ(qs.q[i].state, 0);
	CHECK_OK(blk_reset(&e->b));
	CHECK_OK(blk_start(&e->b));
	CHECK_PASS(read_queues(&n, &qs));
	CHECK_EQ(qs.q[0].state, PVIO_QUEUE_STATE_STARTED | PVIO_QUEUE_STATE_RUNNING);
	nl_close(&n);
	return 0;
}

static int get_counters(void *ctx)
{
	struct queues before, after;
	struct env *e = ctx;
	uint8_t *buf = gmem_alloc(&e->b.mem, LEN, LEN);
	unsigned int i;
	struct nl n;

#define GREW(counter)							\
	(after.q[0].stats[PVIO_A_STATS_##counter] -			\
	 before.q[0].stats[PVIO_A_STATS_##counter])

	CHECK_OK(nl_open(&n));
	CHECK_PASS(read_queues(&n, &before));
	for (i = 0; i < WRITES; i++)
		CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_OUT, i * 8, buf, LEN), VIRTIO_BLK_S_OK);
	for (i = 0; i < READS; i++)
		CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, i * 8, buf, LEN), VIRTIO_BLK_S_OK);
	CHECK_PASS(read_quiet(&n, &after,
			      before.q[0].stats[PVIO_A_STATS_COMPLETED] + WRITES + READS));
	CHECK_EQ(GREW(CHAINS), WRITES + READS);
	CHECK_EQ(GREW(COMPLETED), WRITES + READS);
	CHECK_EQ(GREW(BYTES_OUT), WRITES * LEN);
	CHECK_EQ(GREW(BYTES_IN), READS * LEN);
	CHECK_EQ(after.q[0].latencies - before.q[0].latencies, WRITES + READS);
	CHECK(GREW(BATCHES) >= 1 && GREW(BATCHES) <= WRITES + READS, "%llu batches",
	      (unsigned long long)GREW(BATCHES));
	CHECK(GREW(CALLS) + GREW(SUPPRESSED) >= 1, "nobody was called");
	CHECK(GREW(KICKS) >= 1, "there was no kick");
	CHECK(after.q[0].stats[PVIO_A_STATS_DEPTH_MAX] >= 1, "it was never in use");
	CHECK_EQ(GREW(ERRORS) + GREW(UNSUPPORTED) + GREW(BROKEN), 0);
	CHECK_EQ(after.q[1].stats[PVIO_A_STATS_CHAINS], before.q[1].stats[PVIO_A_STATS_CHAINS]);

	before = after;
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_IN, blk_capacity(&e->b), buf, LEN),
		 VIRTIO_BLK_S_IOERR);
	CHECK_EQ(blk_rw(&e->b, 0, 0x4711, 0, buf, LEN), VIRTIO_BLK_S_UNSUPP);
	CHECK_PASS(read_quiet(&n, &after, before.q[0].stats[PVIO_A_STATS_COMPLETED] + 2));
	CHECK_EQ(GREW(ERRORS), 1);
	CHECK_EQ(GREW(UNSUPPORTED), 1);
	nl_close(&n);
	return 0;
#undef GREW
}

static const struct ktap_test tests[] = {
	KTAP_TEST(get_device),
	KTAP_TEST(get_owner),
	KTAP_TEST(get_states),
	KTAP_TEST(get_counters),
};

const struct ktap_suite netlink_get_suite = {
	.name = "get",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_start,
	.teardown = env_close,
};
