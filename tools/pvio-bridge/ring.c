// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues. The kernel hears of one when it is complete: a VMM may say things in any order, and some
 * of them mean something only by others.
 */
#include <errno.h>
#include <string.h>
#include <linux/virtio_config.h>

#include "inflight.h"
#include "log.h"
#include "node.h"
#include "options.h"
#include "ring.h"
#include "say.h"

static int ring_of(struct session *s, uint64_t index, struct ring **r)
{
	if (index >= s->options->queues) {
		say("there is no queue %llu, but %u", (unsigned long long)index,
		    s->options->queues);
		return -ENOBUFS;
	}
	*r = &s->ring[index];
	return 0;
}

static unsigned int index_of(const struct session *s, const struct ring *r)
{
	return r - s->ring;
}

static bool packed(const struct session *s)
{
	return s->features & 1ull << VIRTIO_F_RING_PACKED;
}

static bool any_runs(const struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->options->queues; i++)
		if (s->ring[i].running)
			return true;
	return false;
}

/* The VMM's addresses in this process. An area is in one region or nowhere. */
static int translate_addr(const struct session *s, const struct ring *r,
			  struct vhost_vring_addr *a)
{
	uint64_t desc = 16ull * r->num;
	uint64_t driver = packed(s) ? 4 : 6 + 2ull * r->num;
	uint64_t device = packed(s) ? 4 : 6 + 8ull * r->num;
	uint64_t at[3];

	*a = r->addr;
	if (!memory_translate(&s->mem, a->desc_user_addr, desc, &at[0]) ||
	    !memory_translate(&s->mem, a->avail_user_addr, driver, &at[1]) ||
	    !memory_translate(&s->mem, a->used_user_addr, device, &at[2])) {
		say("queue %u is outside of the VMM's memory", index_of(s, r));
		return -EFAULT;
	}
	a->desc_user_addr = at[0];
	a->avail_user_addr = at[1];
	a->used_user_addr = at[2];
	return 0;
}

static int place(struct session *s, struct ring *r)
{
	unsigned int q = index_of(s, r);
	struct vhost_vring_addr a;
	int err = translate_addr(s, r, &a);

	if (!err && a.flags & 1u << VHOST_VRING_F_LOG)
		err = log_covers_ring(s, r);
	if (err)
		return err;
	err = node_queue_call(&s->node, q, VHOST_SET_VRING_ADDR, &a);
	if (err)
		say_err(err, "the kernel refuses the addresses of queue %u", q);
	return err;
}

static int tell_kernel(struct session *s, struct ring *r)
{
	unsigned int q = index_of(s, r);
	int err = node_set_num(&s->node, q, r->num);

	if (err) {
		say_err(err, "the kernel refuses size %u for queue %u", r->num, q);
		return err;
	}
	err = node_set_base(&s->node, q, r->base);
	if (err) {
		say_err(err, "the kernel refuses base 0x%x for queue %u", r->base, q);
		return err;
	}
	err = place(s, r);
	return err ? err : inflight_tell(s, q);
}

static int start(struct session *s, struct ring *r)
{
	bool first = !any_runs(s);
	unsigned int q = index_of(s, r);
	int err;

	if (first && s->kind->claim) {
		err = s->kind->claim();
		if (err)
			return err;
	}
	err = tell_kernel(s, r);
	if (!err) {
		err = s->kind->enable(&s->node, q, 1);
		if (err)
			say_err(err, "queue %u can't be started", q);
	}
	r->running = !err;
	if (err && first && s->kind->release)
		s->kind->release();
	return err;
}

static void stop(struct session *s, struct ring *r)
{
	if (!r->running)
		return;
	s->kind->enable(&s->node, index_of(s, r), 0);
	/* Its next start goes on from here, unless the VMM says otherwise. */
	node_get_base(&s->node, index_of(s, r), &r->base);
	r->running = false;
	if (!any_runs(s) && s->kind->release)
		s->kind->release();
}

/* Starts or stops what has to be by what is known of it. What is refused the caller takes back. */
static int settle(struct session *s, struct ring *r)
{
	bool enabled = r->enabled ||
		       !(s->features & 1ull << VHOST_USER_F_PROTOCOL_FEATURES);

	if (!(r->num && r->placed && r->kicked && enabled)) {
		stop(s, r);
		return 0;
	}
	return r->running ? 0 : start(s, r);
}

int ring_set_num(struct session *s, struct message *m)
{
	struct ring *r;
	int err = ring_of(s, m->payload.state.index, &r);

	if (err)
		return err;
	if (r->running) {
		say("queue %u runs, and can't get another size", index_of(s, r));
		return -EBUSY;
	}
	if (!m->payload.state.num || m->payload.state.num > 32768) {
		say("queue %u can't have %u entries", index_of(s, r), m->payload.state.num);
		return -EINVAL;
	}
	r->num = m->payload.state.num;
	return 0;
}

int ring_set_base(struct session *s, struct message *m)
{
	struct ring *r;
	int err = ring_of(s, m->payload.state.index, &r);

	if (err)
		return err;
	if (r->running) {
		say("queue %u runs, and can't be moved on", index_of(s, r));
		return -EBUSY;
	}
	r->base = m->payload.state.num;
	return 0;
}

/* The one way to stop a queue. */
int ring_get_base(struct session *s, struct message *m)
{
	struct ring *r;
	int err = ring_of(s, m->payload.state.index, &r);

	if (err)
		return err;
	stop(s, r);
	node_set_kick(&s->node, index_of(s, r), -1);
	r->kicked = false;
	m->payload.state.num = r->base;
	return 0;
}

int ring_set_addr(struct session *s, struct message *m)
{
	struct ring *r, was;
	int err = ring_of(s, m->payload.addr.index, &r);

	if (err)
		return err;
	if (m->payload.addr.flags & ~(1u << VHOST_VRING_F_LOG)) {
		say("queue %u has flags 0x%x that nobody knows", index_of(s, r),
		    m->payload.addr.flags);
		return -EOPNOTSUPP;
	}
	was = *r;
	r->addr = m->payload.addr;
	r->placed = true;
	if (!r->running)
		err = settle(s, r);
	else
		err = place(s, r);
	if (!err)
		return 0;
	/* What the kernel has of a queue that runs is not known. */
	stop(s, r);
	r->addr = was.addr;
	r->placed = was.placed;
	return err;
}

/* The event of a message about one queue; it is the message's. -1: there is none. */
static int event_of(struct session *s, struct message *m, struct ring **r, int *fd)
{
	uint64_t v = m->payload.u64;
	bool none = v & VHOST_USER_VRING_NOFD;

	if (v & ~(uint64_t)(VHOST_USER_VRING_INDEX_MASK | VHOST_USER_VRING_NOFD) ||
	    m->nfds != !none) {
		say("an event that is none: 0x%llx with %u descriptors", (unsigned long long)v,
		    m->nfds);
		return -EINVAL;
	}
	*fd = none ? -1 : m->fd[0];
	return ring_of(s, v & VHOST_USER_VRING_INDEX_MASK, r);
}

int ring_set_kick(struct session *s, struct message *m)
{
	struct ring *r;
	bool was;
	int fd, err = event_of(s, m, &r, &fd);

	if (err)
		return err;
	if (fd < 0) {
		say("queue %u has no event for kicks: there is no polling without", index_of(s, r));
		return -EOPNOTSUPP;
	}
	err = node_set_kick(&s->node, index_of(s, r), fd);
	if (err) {
		say_err(err, "queue %u: its kicks are no event", index_of(s, r));
		return err;
	}
	was = r->kicked;
	r->kicked = true;
	err = settle(s, r);
	if (err)
		r->kicked = was;
	return err;
}

static int set_event(struct session *s, struct message *m, const char *what,
		     int (*set)(const struct node *n, unsigned int queue, int fd))
{
	struct ring *r;
	int fd, err = event_of(s, m, &r, &fd);

	if (err)
		return err;
	err = set(&s->node, index_of(s, r), fd);
	if (err)
		say_err(err, "queue %u: its %s are no event", index_of(s, r), what);
	return err;
}

int ring_set_call(struct session *s, struct message *m)
{
	return set_event(s, m, "calls", node_set_call);
}

int ring_set_err(struct session *s, struct message *m)
{
	return set_event(s, m, "errors", node_set_err);
}

int ring_enable(struct session *s, struct message *m)
{
	struct ring *r;
	bool was;
	int err = ring_of(s, m->payload.state.index, &r);

	if (err)
		return err;
	if (m->payload.state.num > 1) {
		say("queue %u can't be enabled by %u", index_of(s, r), m->payload.state.num);
		return -EINVAL;
	}
	was = r->enabled;
	r->enabled = m->payload.state.num;
	err = settle(s, r);
	if (err)
		r->enabled = was;
	return err;
}

void ring_replace_all(struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->options->queues; i++) {
		struct ring *r = &s->ring[i];

		/* The kernel must not go on where other memory of this process will be. */
		if (r->running && place(s, r)) {
			say("queue %u is stopped", i);
			stop(s, r);
		}
	}
}

int ring_settle_all(struct session *s)
{
	unsigned int i;
	int err, ret = 0;

	for (i = 0; i < s->options->queues; i++) {
		err = settle(s, &s->ring[i]);
		/* Its memory may come by another message. */
		if (err && err != -EFAULT)
			ret = -ESHUTDOWN;
	}
	return ret;
}

void ring_reset_all(struct session *s)
{
	unsigned int i;

	for (i = 0; i < s->options->queues; i++)
		stop(s, &s->ring[i]);
	memset(s->ring, 0, sizeof(s->ring));
}
