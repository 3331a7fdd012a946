// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "cve.h"

struct cve_thread {
	void (*fn)(void *arg);
	void *arg;
	atomic_bool stop;
	pthread_t thread;
};

static void *again_and_again(void *arg)
{
	struct cve_thread *t = arg;

	while (!t->stop)
		t->fn(t->arg);
	return NULL;
}

struct cve_thread *cve_thread_start(void (*fn)(void *arg), void *arg)
{
	struct cve_thread *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->fn = fn;
	t->arg = arg;
	if (pthread_create(&t->thread, NULL, again_and_again, t))
		abort();
	return t;
}

void cve_thread_stop(struct cve_thread *t)
{
	t->stop = true;
	pthread_join(t->thread, NULL);
	free(t);
}

static bool is_worker(const char *task)
{
	char path[600], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/comm", task);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	return comm[0] == 'p' && comm[1] == 'v' && strstr(comm, "-vhost-blk");
}

static unsigned long long run_time(const char *task)
{
	unsigned long long ran = 0;
	char path[600];
	FILE *f;

	snprintf(path, sizeof(path), "%s/schedstat", task);
	f = fopen(path, "r");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ran) != 1)
		ran = 0;
	fclose(f);
	return ran;
}

static void look_at(const char *process, struct cve_workers *w)
{
	char path[300], task[580];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", process);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		snprintf(task, sizeof(task), "%s/%s", path, d->d_name);
		if (d->d_name[0] == '.' || !is_worker(task))
			continue;
		w->n++;
		w->ran += run_time(task);
	}
	if (dir)
		closedir(dir);
}

struct cve_workers cve_workers(void)
{
	struct cve_workers w = { 0 };
	DIR *dir = opendir("/proc");
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] >= '0' && d->d_name[0] <= '9')
			look_at(d->d_name, &w);
	if (dir)
		closedir(dir);
	return w;
}

int cve_set_backend(const struct env *e, int fd)
{
	struct vhost_vring_file f = { .index = 0, .fd = fd };

	return vhost_ioctl(&e->b.v, VHOST_BLK_SET_BACKEND, &f);
}

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		cve_guest_suite, cve_owner_suite, cve_worker_suite,
	};

	env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
