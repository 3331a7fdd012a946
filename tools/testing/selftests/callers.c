// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <sys/eventfd.h>

#include "callers.h"

static const unsigned long common[] = {
	VHOST_SET_OWNER, VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE,
	VHOST_SET_VRING_NUM, VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE,
	VHOST_SET_VRING_ADDR, VHOST_SET_VRING_ADDR, VHOST_SET_VRING_KICK,
	VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR, VHOST_RESET_OWNER, VHOST_NEW_WORKER,
	VHOST_FREE_WORKER, VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER,
	VHOST_SET_VRING_BUSYLOOP_TIMEOUT, VHOST_GET_BACKEND_FEATURES,
};

#define COMMON	(sizeof(common) / sizeof(*common))

static void set_place(const struct callers_opts *o, unsigned int q, struct vhost_vring_addr *a)
{
	*a = (struct vhost_vring_addr){
		.index = q,
		.desc_user_addr = (uintptr_t)o->rings[q].desc,
		.avail_user_addr = (uintptr_t)o->rings[q].avail,
		.used_user_addr = (uintptr_t)o->rings[q].used,
	};
}

static void set_memory(const struct callers_opts *o, struct prng *p, union caller_arg *arg)
{
	memset(arg, 0, sizeof(*arg));
	arg->raw[0] = 1;
	arg->raw[1] = o->mem->iova;
	arg->raw[2] = prng_range(p, 0, o->mem->size);
	arg->raw[3] = (uintptr_t)o->mem->va;
}

static void fill(const struct callers_opts *o, unsigned long request, struct prng *p,
		 union caller_arg *arg)
{
	unsigned int i, q = prng_range(p, 0, o->queues - 1);

	for (i = 0; i < 16; i++)
		arg->raw[i] = prng_next(p);
	arg->state.index = prng_range(p, 0, o->queues);
	if (_IOC_SIZE(request) == sizeof(arg->state))
		arg->state.num = prng_range(p, 0, 300);
	if (request == VHOST_SET_VRING_NUM)
		arg->state.num = 1u << prng_range(p, 0, 8);
	if (request == VHOST_SET_VRING_KICK || request == VHOST_SET_VRING_CALL ||
	    request == VHOST_SET_VRING_ERR)
		arg->file.fd = prng_chance(p, 70) ? o->rings[q].call_fd : -1;
	if (request == VHOST_SET_FEATURES)
		arg->raw[0] = o->offered & prng_next(p) & ~(1ull << VHOST_F_LOG_ALL);
	if (request == VHOST_SET_VRING_ADDR)
		set_place(o, q, &arg->addr);
	if (request == VHOST_SET_MEM_TABLE)
		set_memory(o, p, arg);
	if (o->fill)
		o->fill(o->ctx, request, p, arg);
}

static void *call_on(void *arg)
{
	struct caller *c = arg;
	const struct callers_opts *o = &c->all->opts;

	while (!c->all->stop) {
		unsigned int nr = prng_range(&c->prng, 0, COMMON + o->own_count - 1);
		unsigned long request = nr < COMMON ? common[nr] : o->own[nr - COMMON];
		union caller_arg a;

		fill(o, request, &c->prng, &a);
		c->calls++;
		if (vhost_ioctl(o->v, request, &a))
			c->refused++;
		eventfd_write(o->rings[prng_range(&c->prng, 0, o->queues - 1)].kick_fd, 1);
	}
	return NULL;
}

int callers_start(struct callers *c, const struct callers_opts *opts)
{
	unsigned int i;
	int err = 0;

	memset(c, 0, sizeof(*c));
	c->opts = *opts;
	for (i = 0; i < CALLERS && !err; i++) {
		c->one[i].all = c;
		c->one[i].prng.state = opts->seed * 1000 + i;
		err = -pthread_create(&c->one[i].thread, NULL, call_on, &c->one[i]);
	}
	return err;
}

void callers_stop(struct callers *c, unsigned long *calls, unsigned long *refused)
{
	unsigned int i;

	*calls = 0;
	*refused = 0;
	c->stop = true;
	for (i = 0; i < CALLERS; i++) {
		pthread_join(c->one[i].thread, NULL);
		*calls += c->one[i].calls;
		*refused += c->one[i].refused;
	}
}
