// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's cgroup pays for what its disks do. A VMM sleeps in a group of its own, and somebody
 * outside of it has the rings: what the group uses is used by the threads of the disks.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "env.h"
#include "proc.h"

#define ROOT		"/sys/fs/cgroup"
#define GROUP		ROOT "/pvio-vmm"
#define CONTROLLERS	"+cpu +io"
#define QUEUES		4u
#define DEPTH		16u
#define LEN		16384u
#define SECTORS		(LEN / 512)
#define PERIOD_US	100000ull
#define QUOTA_US	10000ull
#define THREADS		64u

/* What the driver is to do, and how far it is; shared by all processes of a test. */
struct order {
	atomic_uint ready;
	atomic_uint failed;
	atomic_uint type;
	atomic_ulong wanted;	/* requests, since the start */
	atomic_ulong submitted;
	atomic_ulong done;
};

struct driver {
	struct blk_req reqs[QUEUES][DEPTH];
	uint8_t *bufs[QUEUES][DEPTH];
};

static int file_write(const char *path, const char *fmt, ...)
{
	char text[128];
	va_list ap;
	int fd, n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, n) == n ? 0 : -errno;
	close(fd);
	return n;
}

static int file_read(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return -errno;
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return 0;
}

/* The number behind a word, in the whole of @text or from @after on; 0 where it is not there. */
static unsigned long long number_of(const char *text, const char *after, const char *word)
{
	const char *p = after ? strstr(text, after) : text;

	p = p ? strstr(p, word) : NULL;
	return p ? strtoull(p + strlen(word), NULL, 10) : 0;
}

struct cpu_stat {
	unsigned long long usage, periods, throttled;
};

static int cpu_stat(struct cpu_stat *s)
{
	char buf[4096];

	CHECK_OK(file_read(GROUP "/cpu.stat", buf, sizeof(buf)));
	s->usage = number_of(buf, NULL, "usage_usec ");
	s->periods = number_of(buf, NULL, "nr_periods ");
	s->throttled = number_of(buf, NULL, "nr_throttled ");
	return 0;
}

static int driver_submit(struct env *e, struct driver *d, struct order *o, unsigned int q,
			 unsigned int i)
{
	uint64_t room = blk_capacity(&e->b) / SECTORS;
	uint64_t sector = o->submitted++ % room * SECTORS;

	blk_req_usual(&d->reqs[q][i], o->type, sector, d->bufs[q][i], LEN);
	return blk_submit(&e->b, q, &d->reqs[q][i]);
}

static int driver_turn(struct env *e, struct driver *d, struct order *o, unsigned int q)
{
	unsigned int i;
	int n = blk_collect(&e->b, q);

	CHECK(n >= 0, "queue %u lies", q);
	for (i = 0; i < DEPTH; i++) {
		struct blk_req *r = &d->reqs[q][i];

		if (r->count && !r->done)
			continue;
		if (r->count) {
			CHECK_EQ(*r->status, VIRTIO_BLK_S_OK);
			r->count = 0;
			o->done++;
		}
		if (o->submitted < o->wanted)
			CHECK_OK(driver_submit(e, d, o, q, i));
	}
	return 0;
}

/* Leaves the group of the VMM, and does what it is told. */
static int driver_main(struct env *e, void *arg)
{
	static struct driver d;
	struct order *o = arg;
	unsigned int q, i;
	int res = 0;

	CHECK_OK(file_write(ROOT "/cgroup.procs", "0"));
	for (q = 0; q < QUEUES; q++) {
		for (i = 0; i < DEPTH; i++) {
			blk_req_init(&e->b, &d.reqs[q][i]);
			d.bufs[q][i] = gmem_alloc(&e->b.mem, LEN, 4096);
		}
	}
	o->ready = 1;
	while (!res) {
		for (q = 0; q < QUEUES && !res; q++)
			res = driver_turn(e, &d, o, q);
		if (o->done == o->submitted)
			usleep(1000);
	}
	o->failed = 1;
	return res;
}

static int vmm_main(struct env *e, void *arg)
{
	unsigned int id;

	CHECK_OK(file_write(GROUP "/cgroup.procs", "0"));
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(vhost_new_worker(&e->b.v, &id));
	CHECK_OK(vhost_attach_worker(&e->b.v, QUEUES - 1, id));
	CHECK_PASS(env_start_when_free(e));
	CHECK(proc_run(driver_main, e, arg) > 0, "no driver");
	for (;;)
		pause();
	return 0;
}

struct vmm {
	struct env *e;
	struct order *o;
	pid_t pid;
};

static int group_make(void)
{
	char buf[256];

	CHECK_OK(file_read(ROOT "/cgroup.controllers", buf, sizeof(buf)));
	if (!strstr(buf, "cpu") || !strstr(buf, "io"))
		SKIP("controllers: %s", buf);
	CHECK_OK(file_write(ROOT "/cgroup.subtree_control", CONTROLLERS));
	CHECK(!mkdir(GROUP, 0755) || errno == EEXIST, "%s", strerror(errno));
	return 0;
}

static int vmm_start(struct vmm *v, struct env *e)
{
	unsigned int ms;

	CHECK_PASS(group_make());
	v->e = e;
	v->o = mmap(NULL, sizeof(*v->o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	CHECK(v->o != MAP_FAILED, "out of memory");
	v->pid = proc_run(vmm_main, e, v->o);
	CHECK(v->pid > 0, "no process");
	for (ms = 0; !v->o->ready; ms++) {
		CHECK(ms < BLK_HANG_LIMIT_MS && !proc_ended(v->pid), "the VMM does not start");
		usleep(1000);
	}
	return 0;
}

/* With the last thread, those of its disks included, the group can go. */
static int vmm_end(struct vmm *v)
{
	unsigned int ms;

	CHECK(proc_kill(v->pid), "the VMM does not die");
	for (ms = 0; rmdir(GROUP) && ms < BLK_HANG_LIMIT_MS; ms++)
		usleep(1000);
	CHECK(ms < BLK_HANG_LIMIT_MS, "somebody is left in the group");
	munmap(v->o, sizeof(*v->o));
	return 0;
}

static int vmm_await(struct vmm *v)
{
	unsigned int ms;

	for (ms = 0; v->o->done < v->o->wanted; ms++) {
		CHECK(!v->o->failed, "a request failed");
		CHECK(ms < BLK_HANG_LIMIT_MS, "%lu requests of %lu", v->o->done, v->o->wanted);
		usleep(1000);
	}
	return 0;
}

struct thread {
	unsigned long tid;
	char name[32];
	unsigned long long ns;	/* that it has run */
};

/* The threads of disks in the group. */
static int threads_read(struct thread *t, unsigned int *count)
{
	char buf[8192], path[64], *line, *rest;

	*count = 0;
	CHECK_OK(file_read(GROUP "/cgroup.threads", buf, sizeof(buf)));
	for (line = strtok_r(buf, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char text[128];

		t->tid = strtoul(line, NULL, 10);
		snprintf(path, sizeof(path), "/proc/%lu/comm", t->tid);
		CHECK_OK(file_read(path, t->name, sizeof(t->name)));
		t->name[strcspn(t->name, "\n")] = '\0';
		snprintf(path, sizeof(path), "/proc/%lu/schedstat", t->tid);
		CHECK_OK(file_read(path, text, sizeof(text)));
		t->ns = strtoull(text, NULL, 10);
		if (strncmp(t->name, "pv", 2) || *count == THREADS)
			continue;
		t++;
		(*count)++;
	}
	return 0;
}

static unsigned int threads_named(const struct thread *t, unsigned int count, const char *name)
{
	unsigned int n = 0;

	while (count--)
		n += !strncmp(t++->name, name, strlen(name));
	return n;
}

static int threads(struct vmm *v)
{
	struct thread t[THREADS + 1];
	unsigned int count, i;

	CHECK_PASS(threads_read(t, &count));
	for (i = 0; i < count; i++)
		ktap_diag("%s", t[i].name);
	CHECK_EQ(threads_named(t, count, "pv0-vhost-blk"), 1);
	CHECK_EQ(threads_named(t, count, "pv1-vhost-blk"), 1);
	CHECK_EQ(threads_named(t, count, "pv2-vhost-blk"), 1);
	CHECK_EQ(threads_named(t, count, "pvw0-vhost-blk"), 1);
	CHECK_EQ(threads_named(t, count, "pvb"), env_store_is_file(v->e) ? 8 : 0);
	CHECK_EQ(count, env_store_is_file(v->e) ? 12 : 4);
	return 0;
}

static unsigned long long run_time(const struct thread *t, unsigned int count, const char *name)
{
	unsigned long long ns = 0;

	for (; count--; t++)
		ns += strncmp(t->name, name, strlen(name)) ? 0 : t->ns;
	return ns / 1000;
}

static int await_throttled(struct vmm *v, struct cpu_stat *s, unsigned long long wanted)
{
	unsigned int ms;

	for (ms = 0; ms < BLK_HANG_LIMIT_MS; ms += 10) {
		CHECK(!v->o->failed, "a request failed");
		CHECK_PASS(cpu_stat(s));
		if (s->throttled >= wanted)
			return 0;
		usleep(10000);
	}
	CHECK(false, "throttled %llu times in %llu periods", s->throttled, s->periods);
}

/*
 * By the group's own books: the threads' time is in its usage, it was throttled, and had no more
 * than its quota in each period. Ticks are late in a machine that is emulated: some more.
 */
static int cpu_time(struct vmm *v)
{
	struct thread before[THREADS + 1], after[THREADS + 1];
	unsigned long long ran, used, periods, pool;
	struct cpu_stat s, from;
	unsigned int n;

	CHECK_OK(file_write(GROUP "/cpu.max", "%llu %llu", QUOTA_US, PERIOD_US));
	CHECK_PASS(cpu_stat(&from));
	CHECK_PASS(threads_read(before, &n));
	v->o->type = VIRTIO_BLK_T_OUT;
	v->o->wanted = ~0ul;
	CHECK_PASS(await_throttled(v, &s, from.throttled + 10));
	v->o->wanted = 0;
	CHECK_PASS(threads_read(after, &n));
	CHECK_PASS(cpu_stat(&s));
	CHECK_OK(file_write(GROUP "/cpu.max", "max"));

	ran = run_time(after, n, "pv") - run_time(before, n, "pv");
	pool = run_time(after, n, "pvb") - run_time(before, n, "pvb");
	used = s.usage - from.usage;
	periods = s.periods - from.periods;
	ktap_diag("%lu requests in %llu periods, %llu throttled", v->o->done, periods,
		  s.throttled - from.throttled);
	ktap_diag("%llu us used; threads ran %llu us, the pool's %llu us", used, ran, pool);
	CHECK(ran, "the threads have not run");
	CHECK(used * 10 >= ran * 9, "the group does not pay");
	CHECK(used <= (periods + 1) * QUOTA_US * 3, "%llu us are too many", used);
	if (env_store_is_file(v->e))
		CHECK(pool, "the pool has not run");
	return 0;
}

/* The block device that all of it ends on. */
static dev_t store_dev(const struct env *e)
{
	struct stat st;

	if (stat(e->store, &st))
		return 0;
	return S_ISREG(st.st_mode) ? st.st_dev : st.st_rdev;
}

/* As the io controller calls it. */
static void store_number(const struct env *e, char *buf, size_t size)
{
	dev_t dev = store_dev(e);

	snprintf(buf, size, "%u:%u ", major(dev), minor(dev));
}

/* By somebody else, and past a file's lock that a write which has to wait may hold. */
static int store_read(const struct env *e, unsigned int n)
{
	const char *node = "/tmp/pvio-cgroup-store";
	ssize_t len = LEN;
	void *buf;
	int fd;

	CHECK_EQ(mknod(node, S_IFBLK | 0600, store_dev(e)), 0);
	fd = open(node, O_RDONLY | O_DIRECT | O_CLOEXEC);
	unlink(node);
	CHECK(fd >= 0, "%s", strerror(errno));
	CHECK(!posix_memalign(&buf, 4096, LEN), "out of memory");
	while (n-- && len == LEN)
		len = pread(fd, buf, LEN, (off_t)n * LEN);
	free(buf);
	close(fd);
	CHECK_EQ(len, LEN);
	return 0;
}

static int io_stat(const struct env *e, unsigned long long *rbytes, unsigned long long *wbytes)
{
	char number[32], buf[8192];

	store_number(e, number, sizeof(number));
	CHECK_OK(file_read(GROUP "/io.stat", buf, sizeof(buf)));
	*rbytes = number_of(buf, number, "rbytes=");
	*wbytes = number_of(buf, number, "wbytes=");
	return 0;
}

static int io_bytes(struct vmm *v)
{
	unsigned long long r[3], w[3], bytes = v->e->rounds * 64ull * LEN;

	CHECK_PASS(io_stat(v->e, &r[0], &w[0]));
	v->o->type = VIRTIO_BLK_T_OUT;
	v->o->wanted += bytes / LEN;
	CHECK_PASS(vmm_await(v));
	CHECK_PASS(io_stat(v->e, &r[1], &w[1]));
	v->o->wanted = 0;
	v->o->submitted = 0;
	v->o->done = 0;
	v->o->type = VIRTIO_BLK_T_IN;
	v->o->wanted = bytes / LEN;
	CHECK_PASS(vmm_await(v));
	CHECK_PASS(io_stat(v->e, &r[2], &w[2]));
	ktap_diag("%llu bytes each: %llu written, %llu read", bytes, w[1] - w[0], r[2] - r[1]);
	if (!env_store_is_file(v->e)) {
		CHECK_EQ(w[1] - w[0], bytes);
		CHECK_EQ(r[2] - r[1], bytes);
	}
	/* A file system has something of its own to write and read. */
	CHECK(w[1] - w[0] >= bytes, "it does not pay for what is written");
	CHECK(r[2] - r[1] >= bytes, "it does not pay for what is read");
	return 0;
}

/* While the VMM waits for its bytes others have had theirs; with the limit it goes on. */
static int io_limit(struct vmm *v, uint32_t type, const char *limit)
{
	unsigned long before = v->o->done;
	char number[32];

	store_number(v->e, number, sizeof(number));
	CHECK_OK(file_write(GROUP "/io.max", "%s%s=1024", number, limit));
	v->o->type = type;
	v->o->wanted = before + QUEUES * DEPTH;
	while (v->o->submitted < v->o->wanted)
		usleep(1000);
	CHECK_PASS(store_read(v->e, 2 * QUEUES * DEPTH));
	ktap_diag("%lu requests of %lu at %s=1024", v->o->done - before, v->o->wanted - before,
		  limit);
	CHECK(v->o->done < v->o->wanted, "nothing holds it back");
	CHECK_OK(file_write(GROUP "/io.max", "%srbps=max wbps=max", number));
	return vmm_await(v);
}

static int io_max(struct vmm *v)
{
	CHECK_PASS(io_limit(v, VIRTIO_BLK_T_OUT, "wbps"));
	return io_limit(v, VIRTIO_BLK_T_IN, "rbps");
}

static int on_vmm(struct env *e, int (*fn)(struct vmm *v))
{
	struct vmm v;
	int res, ended;

	CHECK_PASS(vmm_start(&v, e));
	res = fn(&v);
	ended = vmm_end(&v);
	return res ? res : ended;
}

static int cgroup_threads(void *ctx)
{
	return on_vmm(ctx, threads);
}

static int cgroup_cpu(void *ctx)
{
	return on_vmm(ctx, cpu_time);
}

static int cgroup_io_stat(void *ctx)
{
	return on_vmm(ctx, io_bytes);
}

static int cgroup_io_max(void *ctx)
{
	return on_vmm(ctx, io_max);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(cgroup_threads),
	KTAP_TEST(cgroup_cpu),
	KTAP_TEST(cgroup_io_stat),
	KTAP_TEST(cgroup_io_max),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "who pays",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
