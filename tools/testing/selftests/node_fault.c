// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults on /dev/vhost-blk: whatever can fail within a call fails once, each in its turn, and the
 * call does as it is told or has done nothing; what fails within a worker and on the way to the
 * store reaches the guest as the error of a request, and nothing hangs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>

#include "env.h"
#include "faults.h"

#define LEN		65536u
#define REQUESTS	32u
#define DEBUGFS		"/sys/kernel/debug/"

static int fault_open(void *ctx)
{
	struct env *e = ctx;
	struct faults f;
	struct vhost v;

	CHECK_PASS(faults_open(&f));
	do {
		faults_begin(&f);
		if (faults_end(&f, vhost_open(&v, e->opts.node)))
			f.refused++;
		else
			vhost_close(&v);
	} while (faults_next(&f));
	return faults_close(&f, "an opening");
}

/* One that was refused takes no number. */
static int fault_worker(void *ctx)
{
	struct env *e = ctx;
	struct faults f;
	unsigned int first, id;

	CHECK_PASS(faults_open(&f));
	CHECK_PASS(env_open(e));
	CHECK_OK(vhost_new_worker(&e->b.v, &first));
	CHECK_OK(vhost_free_worker(&e->b.v, first));
	do {
		faults_begin(&f);
		if (faults_end(&f, vhost_new_worker(&e->b.v, &id))) {
			f.refused++;
			CHECK_OK(vhost_new_worker(&e->b.v, &id));
		}
		CHECK_EQ(id, first);
		CHECK_OK(vhost_free_worker(&e->b.v, id));
	} while (faults_next(&f));
	CHECK_PASS(env_close(e));
	return faults_close(&f, "a worker");
}

static int start_once(struct env *e, struct faults *f)
{
	unsigned int id;

	CHECK_PASS(env_open(e));
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_OK(vhost_attach_worker(&e->b.v, 1, id));
	CHECK_OK(blk_prepare(&e->b));
	faults_begin(f);
	if (faults_end(f, e->b.transport->go(&e->b))) {
		f->refused++;
		CHECK_EQ(vhost_get_worker(&e->b.v, 0, &id), -EINVAL);
		CHECK_OK(e->b.transport->go(&e->b));
	}
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

static int fault_start(void *ctx)
{
	struct faults f;

	CHECK_PASS(faults_open(&f));
	do {
		CHECK_PASS(start_once(ctx, &f));
	} while (faults_next(&f));
	return faults_close(&f, "a start");
}

/* A running queue keeps its memory and its worker, or has the new ones. */
static int fault_running(void *ctx)
{
	struct env *e = ctx;
	struct faults f;
	unsigned int id[2], n = 0;

	CHECK_PASS(faults_open(&f));
	CHECK_PASS(env_start(e));
	CHECK_OK(vhost_new_worker(&e->b.v, &id[0]));
	CHECK_OK(vhost_new_worker(&e->b.v, &id[1]));
	do {
		faults_begin(&f);
		if (faults_end(&f, vhost_attach_worker(&e->b.v, 0, id[n++ % 2])))
			f.refused++;
		CHECK_PASS(env_verify(e));
	} while (faults_next(&f));
	f.nth = 1;
	do {
		faults_begin(&f);
		if (faults_end(&f, e->b.transport->map(&e->b)))
			f.refused++;
		CHECK_PASS(env_verify(e));
	} while (faults_next(&f));
	CHECK_PASS(env_close(e));
	return faults_close(&f, "a change");
}

/* Memory that is pinned for good, and counted as such. */
static int fault_region(void *ctx)
{
	struct env *e = ctx;
	struct vhost_vring_inflight in = { .size = 16384 };
	struct faults f;

	CHECK_PASS(faults_open(&f));
	CHECK_PASS(env_open(e));
	CHECK_OK(blk_prepare(&e->b));
	in.addr = (uintptr_t)gmem_alloc(&e->b.mem, in.size, 64);
	do {
		faults_begin(&f);
		if (faults_end(&f, vhost_ioctl(&e->b.v, VHOST_SET_VRING_INFLIGHT, &in)))
			f.refused++;
	} while (faults_next(&f));
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK_PASS(env_verify(e));
	CHECK_PASS(env_close(e));
	return faults_close(&f, "a region");
}

static int set(const char *dir, const char *name, const char *value)
{
	char path[128];
	int fd, ret;

	snprintf(path, sizeof(path), "%s%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Writes and reads many; errors are none of ours, hanging is. */
static int use(struct env *e, unsigned int *failed)
{
	size_t mark = gmem_mark(&e->b.mem);
	struct blk_req reqs[REQUESTS];
	unsigned int i, q = 0;

	*failed = 0;
	for (i = 0; i < REQUESTS; i++) {
		uint8_t *buf = gmem_alloc(&e->b.mem, LEN + 512, 4096);

		blk_req_init(&e->b, &reqs[i]);
		/* Every other one is not aligned, and is copied. */
		blk_req_usual(&reqs[i], i & 2 ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, i * (LEN / 512),
			      buf + i % 2 * 100, LEN);
		CHECK_OK(blk_submit(&e->b, q, &reqs[i]));
	}
	CHECK_OK(blk_drain(&e->b, q));
	for (i = 0; i < REQUESTS; i++) {
		CHECK(*reqs[i].status == VIRTIO_BLK_S_OK || *reqs[i].status == VIRTIO_BLK_S_IOERR,
		      "status %u", *reqs[i].status);
		*failed += *reqs[i].status != VIRTIO_BLK_S_OK;
	}
	gmem_release(&e->b.mem, mark);
	return 0;
}

/* The block layer refuses bios. */
static int fault_store(void *ctx)
{
	const char *name = strrchr(((struct env *)ctx)->store, '/');
	struct env *e = ctx;
	unsigned int failed;
	char dir[64];

	snprintf(dir, sizeof(dir), "/sys/block%s/", name);
	if (set(DEBUGFS "fail_make_request/", "probability", "100"))
		SKIP("this kernel has no fault injection");
	CHECK_PASS(env_start(e));
	CHECK_OK(set(DEBUGFS "fail_make_request/", "times", "-1"));
	CHECK_OK(set(dir, "make-it-fail", "1"));
	CHECK_PASS(use(e, &failed));
	CHECK_OK(set(dir, "make-it-fail", "0"));
	CHECK_OK(set(DEBUGFS "fail_make_request/", "times", "1"));
	CHECK_OK(set(DEBUGFS "fail_make_request/", "probability", "0"));
	ktap_diag("%u of %u failed", failed, REQUESTS);
	CHECK_EQ(failed, REQUESTS);
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

/* Says for every worker of this process whether what it allocates may fail. */
static int workers_fail(const char *value)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir))) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/", d->d_name);
		strcat(path, "comm");
		f = fopen(path, "r");
		if (f && fgets(name, sizeof(name), f) && !strncmp(name, "pv", 2)) {
			path[strlen(path) - 4] = '\0';
			n += !set(path, "make-it-fail", value);
		}
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return n;
}

static int kind_set(const char *dir, const char *probability, const char *times)
{
	int err = set(dir, "task-filter", "Y");

	if (!err)
		err = set(dir, "probability", probability);
	return err ? err : set(dir, "times", times);
}

/* A worker that gets no memory fails requests, and goes on when there is some. */
static int fault_worker_memory(void *ctx)
{
	static const char *const kinds[] = {
		DEBUGFS "failslab/", DEBUGFS "fail_page_alloc/", DEBUGFS "fail_usercopy/",
	};
	struct env *e = ctx;
	unsigned int k, i, failed, all;

	if (kind_set(kinds[0], "0", "1"))
		SKIP("this kernel has no fault injection");
	for (k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		all = 0;
		CHECK_PASS(env_start(e));
		CHECK_EQ(workers_fail("1"), e->b.nqueues);
		CHECK_OK(kind_set(kinds[k], "30", "-1"));
		for (i = 0; i < e->rounds; i++) {
			/* Memory of the ring that can't be had breaks the queue: a reset heals. */
			e->b.expect_broken = false;
			if (use(e, &failed) && !blk_needs_reset(&e->b))
				return KTAP_FAIL;
			all += failed;
			if (blk_needs_reset(&e->b))
				break;
		}
		CHECK_OK(kind_set(kinds[k], "0", "1"));
		workers_fail("0");
		ktap_diag("%s: %u rounds, %u requests failed%s", kinds[k], i, all,
			  blk_needs_reset(&e->b) ? ", broken" : "");
		/* A copy that fails is repeated, with the page present. */
		CHECK(all || blk_needs_reset(&e->b) || k == 2, "nothing failed");
		CHECK_PASS(env_verify_reset(e));
		CHECK_PASS(env_close(e));
	}
	return 0;
}

/* What a test has left, whether it passed or not. */
static int faults_off(void *ctx)
{
	static const char *const kinds[] = {
		DEBUGFS "failslab/", DEBUGFS "fail_page_alloc/", DEBUGFS "fail_usercopy/",
		DEBUGFS "fail_make_request/",
	};
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		set(kinds[i], "probability", "0");
	return env_close(ctx);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(fault_open),
	KTAP_TEST(fault_worker),
	KTAP_TEST(fault_start),
	KTAP_TEST(fault_running),
	KTAP_TEST(fault_region),
	KTAP_TEST(fault_store),
	KTAP_TEST(fault_worker_memory),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "faults",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 900,
		.teardown = faults_off,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
