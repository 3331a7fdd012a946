// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
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
