// SPDX-License-Identifier: GPL-2.0-only
/* Memory that goes away while the device has I/O in flight into it. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "blk_life.h"
#include "held.h"
#include "proc.h"

#define LEN		4096u
#define FAR_IOVA	0x7f0000000000ull
#define EXTRA_SIZE	(4 * MIB)
#define CANARY_SIZE	(64 * MIB)
#define READS		16u

static int submit_reads(struct env *e, struct blk_req *reqs, uint64_t iova)
{
	unsigned int i;

	for (i = 0; i < READS; i++) {
		blk_req_init(&e->b, &reqs[i]);
		blk_req_begin(&reqs[i], VIRTIO_BLK_T_IN, i * 8);
		blk_req_piece(&reqs[i], reqs[i].hdr, 16, false);
		/* Every other one is not aligned, and takes another way through the backend. */
		blk_req_piece_iova(&reqs[i], iova + i * 4 * LEN + i % 2 * 100, LEN, true);
		blk_req_piece(&reqs[i], reqs[i].status, 1, true);
		CHECK_OK(blk_submit(&e->b, i % e->b.nqueues, &reqs[i]));
	}
	return 0;
}

/* Memory that would show it if the device wrote into pages that it must have let go of. */
static uint8_t *canary_make(void *where, size_t size)
{
	uint8_t *p = mmap(where, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | (where ? MAP_FIXED : 0), -1,
			  0);

	if (p != MAP_FAILED)
		memset(p, CANARY_BYTE, size);
	return p;
}

static int await_reads(struct env *e, const struct blk_req *reqs)
{
	unsigned int i;
	int err;

	for (i = 0; i < READS; i++) {
		err = blk_wait(&e->b, i % e->b.nqueues, &reqs[i]);
		CHECK(!err || err == -EIO, "request %u: %s", i, strerror(-err));
	}
	return 0;
}

/* Unmapped for the device and then for the VMM, which puts other data at the same address. */
static int memory_unmapped(void *ctx)
{
	struct env *e = ctx;
	struct blk_req reqs[READS];
	unsigned int i;

	for (i = 0; i < e->rounds / 4 + 1; i++) {
		uint8_t *same, *other;
		struct gmem extra;

		CHECK_PASS(env_start(e));
		CHECK_OK(gmem_create(&extra, e->opts.kind, FAR_IOVA, EXTRA_SIZE));
		CHECK_OK(vhost_map_gmem(&e->b.v, &extra));
		CHECK_PASS(submit_reads(e, reqs, extra.iova));
		/* Most often they are under way by then, sometimes not yet. */
		usleep(i * 30000);
		CHECK_OK(vhost_unmap_gmem(&e->b.v, &extra));
		same = canary_make(extra.va, EXTRA_SIZE);
		if (extra.fd >= 0)
			close(extra.fd);
		other = canary_make(NULL, CANARY_SIZE);
		CHECK(same == extra.va && other != MAP_FAILED, "mmap: %s", strerror(errno));
		CHECK_PASS(await_reads(e, reqs));
		CHECK_EQ(bytes_check(same, EXTRA_SIZE, CANARY_BYTE), -1);
		CHECK_EQ(bytes_check(other, CANARY_SIZE, CANARY_BYTE), -1);
		munmap(same, EXTRA_SIZE);
		munmap(other, CANARY_SIZE);
		CHECK_PASS(env_verify_reset(e));
		CHECK_PASS(env_close(e));
	}
	return 0;
}

/* A reset comes back only when nothing more will be written. */
static int memory_after_reset(void *ctx)
{
	struct env *e = ctx;
	struct blk_req reqs[READS];
	unsigned int i;

	CHECK_PASS(env_start(e));
	for (i = 0; i < e->rounds / 4 + 1; i++) {
		size_t mark = gmem_mark(&e->b.mem);
		uint8_t *buf = gmem_alloc(&e->b.mem, EXTRA_SIZE, LEN);

		CHECK_PASS(submit_reads(e, reqs, gmem_iova(&e->b.mem, buf)));
		usleep(i * 30000);
		CHECK_OK(blk_reset(&e->b));
		memset(buf, CANARY_BYTE, EXTRA_SIZE);
		usleep(1000000);
		CHECK_EQ(bytes_check(buf, EXTRA_SIZE, CANARY_BYTE), -1);
		CHECK_PASS(env_verify_reset(e));
		gmem_release(&e->b.mem, mark);
	}
	return env_close(e);
}

/* Closed with I/O in flight; the VMM lives on and uses its memory for something else. */
static int memory_after_close(void *ctx)
{
	struct env *e = ctx;
	struct blk_req reqs[READS];
	unsigned int i;

	for (i = 0; i < e->rounds / 4 + 1; i++) {
		uint8_t *same;
		size_t size;

		CHECK_PASS(env_start(e));
		CHECK_PASS(submit_reads(e, reqs, e->b.mem.iova + e->b.mem.size - EXTRA_SIZE));
		vhost_close(&e->b.v);
		size = e->b.mem.size;
		same = canary_make(e->b.mem.va, size);
		CHECK(same == e->b.mem.va, "mmap: %s", strerror(errno));
		usleep(1000000);
		CHECK_EQ(bytes_check(same, size, CANARY_BYTE), -1);
		CHECK_PASS(env_close(e));
	}
	return life_goes_on(e);
}

static long pinned_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "VmPin: %ld kB", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* What was pinned is unpinned, whatever was in flight. */
static int memory_accounting(void *ctx)
{
	struct env *e = ctx;
	struct blk_req reqs[READS];
	long before = pinned_kib();
	unsigned int i;

	for (i = 0; i < e->rounds / 2 + 1; i++) {
		CHECK_PASS(env_start(e));
		CHECK_PASS(submit_reads(e, reqs, e->b.mem.iova + e->b.mem.size - EXTRA_SIZE));
		if (i % 2)
			CHECK_OK(vhost_unmap_gmem(&e->b.v, &e->b.mem));
		CHECK_PASS(env_close(e));
	}
	CHECK_EQ(pinned_kib(), before);
	return 0;
}

static int child_is_limited(struct env *e, void *arg)
{
	struct gmem extra;
	int err;

	(void)arg;
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ EXTRA_SIZE / 2, EXTRA_SIZE / 2 });
	if (env_open(e))
		return 0;
	if (gmem_create(&extra, GMEM_SHARED, FAR_IOVA, EXTRA_SIZE))
		return 1;
	err = vhost_map_gmem(&e->b.v, &extra);
	/* Where nothing is pinned the limit does not matter. */
	return e->opts.kind == GMEM_LOCKED ? !err : err;
}

/* A VMM that may not lock as much memory as it maps is refused. */
static int memory_limit(void *ctx)
{
	struct env *e = ctx;

	CHECK_EQ(proc_wait(proc_run(child_is_limited, e, NULL)), 0);
	return life_goes_on(e);
}

enum stuck_in {
	STUCK_DATA,
	STUCK_RESET,
	STUCK_CLOSE,
};

struct stuck {
	enum stuck_in in;
	struct vmm_report *report;
};

static int child_gets_stuck(struct env *e, void *arg)
{
	struct stuck *s = arg;
	struct blk_req reqs[READS];
	struct gmem extra;

	if (env_start(e) || gmem_create(&extra, GMEM_SHARED, FAR_IOVA, EXTRA_SIZE) ||
	    vhost_map_gmem(&e->b.v, &extra))
		return 1;
	if (held_memory(extra.va, extra.size) < 0)
		return 4;
	if (submit_reads(e, reqs, extra.iova))
		return 1;
	usleep(100000);
	s->report->running = 1;
	if (s->in == STUCK_RESET)
		blk_reset(&e->b);
	if (s->in == STUCK_CLOSE)
		return 0;
	pause();
	return 0;
}

/* A VMM can hold its own worker up for ever; it harms itself alone, and dies when it is killed. */
static int memory_never_present(void *ctx)
{
	struct env *e = ctx;
	struct stuck s = { .report = vmm_report_make() };
	unsigned int i;
	pid_t pid;

	if (e->opts.kind != GMEM_SHARED)
		SKIP("for memory=va");
	CHECK(s.report, "out of memory");
	for (i = 0; i < 9; i++) {
		s.in = i % 3;
		s.report->running = 0;
		pid = proc_run(child_gets_stuck, e, &s);
		while (!s.report->running && !proc_ended(pid))
			usleep(1000);
		CHECK(s.report->running, "no userfaultfd, or no VMM");
		usleep(i * 50000);
		CHECK(proc_kill(pid), "the VMM does not die");
		CHECK_PASS(life_goes_on(e));
	}
	vmm_report_free(s.report);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(memory_unmapped),
	KTAP_TEST(memory_after_reset),
	KTAP_TEST(memory_after_close),
	KTAP_TEST(memory_accounting),
	KTAP_TEST(memory_limit),
	KTAP_TEST(memory_never_present),
};

const struct ktap_suite blk_life_memory_suite = {
	.name = "memory",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 600,
};
