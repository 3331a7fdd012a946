// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection: what each message has to look like, and what becomes of it. A VMM that breaks the
 * rules loses its connection, and nothing else.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>
#include <linux/virtio_config.h>

#include "inflight.h"
#include "log.h"
#include "node.h"
#include "options.h"
#include "ring.h"
#include "say.h"

#define FEATURE(name)	(1ull << VHOST_USER_PROTOCOL_F_##name)

static const uint64_t protocol_offered =
	FEATURE(MQ) | FEATURE(LOG_SHMFD) | FEATURE(REPLY_ACK) | FEATURE(BACKEND_REQ) |
	FEATURE(CONFIG) | FEATURE(INFLIGHT_SHMFD) | FEATURE(RESET_DEVICE) |
	FEATURE(CONFIGURE_MEM_SLOTS) | FEATURE(STATUS);

static int get_features(struct session *s, struct message *m)
{
	m->payload.u64 = s->offered | 1ull << VHOST_USER_F_PROTOCOL_FEATURES;
	return 0;
}

static int accept_features(struct session *s, uint64_t device)
{
	int err = node_set_features(&s->node, device);

	if (err)
		say_err(err, "the kernel refuses features 0x%llx", (unsigned long long)device);
	else if (s->kind->accept)
		err = s->kind->accept(device);
	return err;
}

/* What was accepted before still is after an error. */
static int set_features(struct session *s, struct message *m)
{
	uint64_t features = m->payload.u64;
	uint64_t device = features & ~(1ull << VHOST_USER_F_PROTOCOL_FEATURES);
	int err;

	if (device & ~s->offered) {
		say("features 0x%llx were not offered",
		    (unsigned long long)(device & ~s->offered));
		return -EINVAL;
	}
	err = accept_features(s, device);
	if (!err)
		s->features = features;
	else if (accept_features(s, s->features & ~(1ull << VHOST_USER_F_PROTOCOL_FEATURES)))
		err = -ESHUTDOWN;
	return err;
}

static int get_protocol_features(struct session *s, struct message *m)
{
	m->payload.u64 = protocol_offered & ~s->kind->protocol_withheld;
	return 0;
}

static int set_protocol_features(struct session *s, struct message *m)
{
	uint64_t not_offered = m->payload.u64 & (~protocol_offered | s->kind->protocol_withheld);

	if (not_offered) {
		say("protocol features 0x%llx were not offered", (unsigned long long)not_offered);
		return -EINVAL;
	}
	s->protocol = m->payload.u64;
	return 0;
}

static int get_queue_num(struct session *s, struct message *m)
{
	/* Of a network these are pairs. */
	m->payload.u64 = s->options->queues / (s->kind->unit ? s->kind->unit : 1);
	return 0;
}

/* The device has had an owner all the time; and who gives it up says so by other messages. */
static int nothing(struct session *s, struct message *m)
{
	(void)s;
	(void)m;
	return 0;
}

/* Both mappings are there while the rings move from one to the other. */
static int memory_changed(struct session *s, int err)
{
	if (!err)
		ring_replace_all(s);
	/* Where it is not known what the kernel uses, queues are stopped before anything goes. */
	if (err != -ESHUTDOWN)
		memory_settle(&s->mem, &s->old);
	return err;
}

static int set_mem_table(struct session *s, struct message *m)
{
	const struct vhost_user_table *t = &m->payload.table;
	unsigned int i;
	int err = 0;

	if (t->nregions > VHOST_USER_TABLE_MAX || m->nfds != t->nregions ||
	    m->head.size < offsetof(struct vhost_user_table, region[t->nregions])) {
		say("%u memory regions with %u descriptors", t->nregions, m->nfds);
		return -EINVAL;
	}
	for (i = 0; i < t->nregions && !err; i++)
		err = log_covers(s, t->region[i].guest_addr, t->region[i].size);
	if (!err)
		err = memory_set(&s->mem, &s->node, t->region, t->nregions, m->fd, &s->old);
	err = memory_changed(s, err);
	return err ? err : ring_settle_all(s);
}

static int get_max_mem_slots(struct session *s, struct message *m)
{
	(void)s;
	m->payload.u64 = MEMORY_SLOTS_MAX;
	return 0;
}

static int add_mem_reg(struct session *s, struct message *m)
{
	const struct vhost_user_region *r = &m->payload.slot.region;
	int err = log_covers(s, r->guest_addr, r->size);

	if (!err)
		err = memory_add(&s->mem, &s->node, r, m->fd[0]);
	return err ? err : ring_settle_all(s);
}

static int rem_mem_reg(struct session *s, struct message *m)
{
	return memory_changed(s, memory_remove(&s->mem, &s->node, &m->payload.slot.region,
					       &s->old));
}

static int set_log_base(struct session *s, struct message *m)
{
	int err = log_set(s, &m->payload.log, m->fd[0]);

	m->payload.u64 = 0;
	return err;
}

static int set_log_fd(struct session *s, struct message *m)
{
	int err = node_set_log_fd(&s->node, m->fd[0]);

	if (err)
		say_err(err, "the log's event is none");
	return err;
}

static int set_backend_req_fd(struct session *s, struct message *m)
{
	if (s->channel >= 0)
		close(s->channel);
	s->channel = message_take_fd(m, 0);
	return 0;
}

static int config_check(const struct message *m)
{
	const struct vhost_user_config *c = &m->payload.config;

	if (c->size <= VHOST_USER_CONFIG_MAX && c->offset <= VHOST_USER_CONFIG_MAX - c->size &&
	    m->head.size == VHOST_USER_CONFIG_HEAD + c->size)
		return 0;
	say("%u bytes at %u are no part of the configuration", c->size, c->offset);
	return -EINVAL;
}

/* What the device doesn't have reads as zero. */
static int get_config(struct session *s, struct message *m)
{
	uint8_t all[VHOST_USER_CONFIG_MAX] = { };
	struct vhost_user_config *c = &m->payload.config;
	uint32_t len = s->kind->config_len;
	bool of_node = !len;
	int err = config_check(m);

	if (!err && of_node)
		err = node_get_config_size(&s->node, &len);
	if (len > sizeof(all))
		len = sizeof(all);
	if (!err && of_node)
		err = node_get_config(&s->node, 0, all, len);
	if (err)
		return err;
	s->kind->fill_config(s->options, all, len);
	memcpy(c->data, all + c->offset, c->size);
	return 0;
}

/* With a migrated state comes what this device has already. */
static int set_config(struct session *s, struct message *m)
{
	const struct vhost_user_config *c = &m->payload.config;
	int err = config_check(m);

	(void)s;
	if (err || c->flags == VHOST_USER_CONFIG_MIGRATION)
		return err;
	say("%u bytes at %u of the configuration can't be written", c->size, c->offset);
	return -EPERM;
}

static int get_inflight_fd(struct session *s, struct message *m)
{
	int fd = inflight_make(s, &m->payload.inflight);

	if (fd < 0)
		return fd;
	/* It goes along with the answer, and is closed with the question. */
	m->fd[0] = fd;
	m->nfds = 1;
	return 0;
}

static int set_inflight_fd(struct session *s, struct message *m)
{
	return inflight_take(s, &m->payload.inflight, message_take_fd(m, 0));
}

/* The memory of the VMM is none of the device's state. */
static int reset_all(struct session *s)
{
	int err;

	ring_reset_all(s);
	err = inflight_clear(s);
	if (!err)
		err = node_set_features(&s->node, 0);
	if (err)
		return -ESHUTDOWN;
	s->features &= 1ull << VHOST_USER_F_PROTOCOL_FEATURES;
	s->status = 0;
	return 0;
}

static int reset_device(struct session *s, struct message *m)
{
	(void)m;
	return reset_all(s);
}

static int set_status(struct session *s, struct message *m)
{
	if (m->payload.u64 > UINT8_MAX) {
		say("status 0x%llx is none", (unsigned long long)m->payload.u64);
		return -EINVAL;
	}
	if (!m->payload.u64)
		return reset_all(s);
	s->status = m->payload.u64;
	return 0;
}

static int get_status(struct session *s, struct message *m)
{
	m->payload.u64 = s->status;
	return 0;
}

/*
 * struct request - what a message has to look like
 * @name: without VHOST_USER_
 * @size: bytes of payload
 * @least: 0: as many; otherwise they may be less, down to these; FROM_NOTHING: or none
 * @fds: descriptors; FDS_ANY: the handler looks
 * @answers: bytes of the answer, ANSWERS_SAME: as many as were asked; 0: none but success
 * @needs: feature of the protocol that has to be agreed on
 * @fn: returns 0 or a negative errno, and has said why; -ESHUTDOWN ends the session
 */
struct request {
	const char *name;
	unsigned int size;
	unsigned int least;
	unsigned int fds;
	unsigned int answers;
	uint64_t needs;
	int (*fn)(struct session *s, struct message *m);
};

#define FROM_NOTHING	~0u
#define FDS_ANY		~0u
#define ANSWERS_SAME	~0u
#define PAYLOAD(field)	sizeof(((union vhost_user_payload *)NULL)->field)

static const struct request requests[VHOST_USER_REQUESTS] = {
	[VHOST_USER_GET_FEATURES] = {
		"GET_FEATURES", 0, 0, 0, PAYLOAD(u64), 0, get_features
	},
	[VHOST_USER_SET_FEATURES] = {
		"SET_FEATURES", PAYLOAD(u64), 0, 0, 0, 0, set_features
	},
	[VHOST_USER_SET_OWNER] = {
		"SET_OWNER", 0, 0, 0, 0, 0, nothing
	},
	[VHOST_USER_RESET_OWNER] = {
		"RESET_OWNER", 8, FROM_NOTHING, 0, 0, 0, nothing
	},
	[VHOST_USER_SET_MEM_TABLE] = {
		"SET_MEM_TABLE", PAYLOAD(table), 8, FDS_ANY, 0, 0, set_mem_table
	},
	[VHOST_USER_SET_LOG_BASE] = {
		"SET_LOG_BASE", PAYLOAD(log), 0, 1, PAYLOAD(u64), FEATURE(LOG_SHMFD),
		set_log_base
	},
	[VHOST_USER_SET_LOG_FD] = {
		"SET_LOG_FD", 8, FROM_NOTHING, 1, 0, 0, set_log_fd
	},
	[VHOST_USER_SET_VRING_NUM] = {
		"SET_VRING_NUM", PAYLOAD(state), 0, 0, 0, 0, ring_set_num
	},
	[VHOST_USER_SET_VRING_ADDR] = {
		"SET_VRING_ADDR", PAYLOAD(addr), 0, 0, 0, 0, ring_set_addr
	},
	[VHOST_USER_SET_VRING_BASE] = {
		"SET_VRING_BASE", PAYLOAD(state), 0, 0, 0, 0, ring_set_base
	},
	[VHOST_USER_GET_VRING_BASE] = {
		"GET_VRING_BASE", PAYLOAD(state), 0, 0, PAYLOAD(state), 0, ring_get_base
	},
	[VHOST_USER_SET_VRING_KICK] = {
		"SET_VRING_KICK", PAYLOAD(u64), 0, FDS_ANY, 0, 0, ring_set_kick
	},
	[VHOST_USER_SET_VRING_CALL] = {
		"SET_VRING_CALL", PAYLOAD(u64), 0, FDS_ANY, 0, 0, ring_set_call
	},
	[VHOST_USER_SET_VRING_ERR] = {
		"SET_VRING_ERR", PAYLOAD(u64), 0, FDS_ANY, 0, 0, ring_set_err
	},
	[VHOST_USER_GET_PROTOCOL_FEATURES] = {
		"GET_PROTOCOL_FEATURES", 0, 0, 0, PAYLOAD(u64), 0, get_protocol_features
	},
	[VHOST_USER_SET_PROTOCOL_FEATURES] = {
		"SET_PROTOCOL_FEATURES", PAYLOAD(u64), 0, 0, 0, 0, set_protocol_features
	},
	[VHOST_USER_GET_QUEUE_NUM] = {
		"GET_QUEUE_NUM", 0, 0, 0, PAYLOAD(u64), FEATURE(MQ), get_queue_num
	},
	[VHOST_USER_SET_VRING_ENABLE] = {
		"SET_VRING_ENABLE", PAYLOAD(state), 0, 0, 0, 0, ring_enable
	},
	[VHOST_USER_SET_BACKEND_REQ_FD] = {
		"SET_BACKEND_REQ_FD", 8, FROM_NOTHING, 1, 0,
		FEATURE(BACKEND_REQ), set_backend_req_fd
	},
	[VHOST_USER_GET_CONFIG] = {
		"GET_CONFIG", PAYLOAD(config), VHOST_USER_CONFIG_HEAD, 0, ANSWERS_SAME,
		FEATURE(CONFIG), get_config
	},
	[VHOST_USER_SET_CONFIG] = {
		"SET_CONFIG", PAYLOAD(config), VHOST_USER_CONFIG_HEAD, 0, 0,
		FEATURE(CONFIG), set_config
	},
	[VHOST_USER_GET_INFLIGHT_FD] = {
		"GET_INFLIGHT_FD", PAYLOAD(inflight), VHOST_USER_INFLIGHT_SIZE, 0, ANSWERS_SAME,
		FEATURE(INFLIGHT_SHMFD), get_inflight_fd
	},
	[VHOST_USER_SET_INFLIGHT_FD] = {
		"SET_INFLIGHT_FD", PAYLOAD(inflight), VHOST_USER_INFLIGHT_SIZE, 1, 0,
		FEATURE(INFLIGHT_SHMFD), set_inflight_fd
	},
	[VHOST_USER_RESET_DEVICE] = {
		"RESET_DEVICE", 0, 0, 0, 0, FEATURE(RESET_DEVICE), reset_device
	},
	[VHOST_USER_GET_MAX_MEM_SLOTS] = {
		"GET_MAX_MEM_SLOTS", 0, 0, 0, PAYLOAD(u64),
		FEATURE(CONFIGURE_MEM_SLOTS), get_max_mem_slots
	},
	[VHOST_USER_ADD_MEM_REG] = {
		"ADD_MEM_REG", PAYLOAD(slot), 0, 1, 0, FEATURE(CONFIGURE_MEM_SLOTS), add_mem_reg
	},
	/* Some send a descriptor along: it is closed. */
	[VHOST_USER_REM_MEM_REG] = {
		"REM_MEM_REG", PAYLOAD(slot), 0, FDS_ANY, 0,
		FEATURE(CONFIGURE_MEM_SLOTS), rem_mem_reg
	},
	[VHOST_USER_SET_STATUS] = {
		"SET_STATUS", PAYLOAD(u64), 0, 0, 0, FEATURE(STATUS), set_status
	},
	[VHOST_USER_GET_STATUS] = {
		"GET_STATUS", 0, 0, 0, PAYLOAD(u64), FEATURE(STATUS), get_status
	},
};

static bool size_fits(const struct request *r, uint32_t size)
{
	if (size == r->size)
		return true;
	if (!r->least || size > r->size)
		return false;
	return r->least == FROM_NOTHING || size >= r->least;
}

static const struct request *request_of(const struct session *s, const struct message *m)
{
	const struct request *r = m->head.request < VHOST_USER_REQUESTS ?
				  &requests[m->head.request] : NULL;

	if ((m->head.flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
	    m->head.flags & VHOST_USER_REPLY)
		say("message %u has flags 0x%x", m->head.request, m->head.flags);
	else if (!r || !r->fn)
		say("message %u is not known", m->head.request);
	else if (!size_fits(r, m->head.size))
		say("%s comes with %u bytes", r->name, m->head.size);
	else if (r->fds != FDS_ANY && m->nfds != r->fds)
		say("%s comes with %u descriptors", r->name, m->nfds);
	else if (r->needs & ~s->protocol)
		say("%s was not agreed on", r->name);
	else
		return r;
	return NULL;
}

static int reply(struct session *s, struct message *m, uint32_t size)
{
	bool gives = m->head.request == VHOST_USER_GET_INFLIGHT_FD;
	struct vhost_user_header head = {
		.request = m->head.request,
		.flags = VHOST_USER_VERSION | VHOST_USER_REPLY,
		.size = size,
	};

	return message_send(s->sock, &head, &m->payload, gives ? m->fd[0] : -1);
}

/* Success or not, for those who asked for that. */
static int acknowledge(struct session *s, struct message *m, int err)
{
	if (!(m->head.flags & VHOST_USER_NEED_REPLY) ||
	    !session_has(s, VHOST_USER_PROTOCOL_F_REPLY_ACK))
		return err;
	m->payload.u64 = !!err;
	return reply(s, m, sizeof(m->payload.u64));
}

static int session_do(struct session *s, struct message *m)
{
	const struct request *r = request_of(s, m);
	int err;

	if (!r)
		return -EPROTO;
	err = r->fn(s, m);
	if (err)
		say("%s has failed", r->name);
	/* Half of it can't be taken back: the VMM may try anew. */
	if (err == -ESHUTDOWN)
		return err;
	if (!r->answers)
		return acknowledge(s, m, err);
	if (!err)
		return reply(s, m, r->answers == ANSWERS_SAME ? m->head.size : r->answers);
	/* An answer of no bytes is an error; of others there is none. */
	return m->head.request == VHOST_USER_GET_CONFIG ? reply(s, m, 0) : err;
}

void session_receive(struct session *s)
{
	int ret = message_receive(&s->in, s->sock);

	if (!ret)
		return;
	if (ret > 0)
		ret = session_do(s, &s->in);
	message_clear(&s->in);
	if (ret >= 0)
		return;
	if (ret == -ECONNRESET)
		say("the VMM has left");
	else
		say_err(ret, "the VMM is let go");
	session_end(s);
}

void session_config_changed(struct session *s)
{
	const struct vhost_user_header head = {
		.request = VHOST_USER_BACKEND_CONFIG_CHANGE_MSG,
		.flags = VHOST_USER_VERSION,
	};
	uint64_t n;
	int err = 0;

	while (read(s->config_event, &n, sizeof(n)) > 0)
		;
	if (s->channel >= 0 && session_has(s, VHOST_USER_PROTOCOL_F_CONFIG))
		err = message_send(s->channel, &head, NULL, -1);
	if (err)
		say_err(err, "the VMM can't be told that the configuration has changed");
}

static int node_own(struct session *s)
{
	int err = node_call(&s->node, VHOST_SET_OWNER, NULL);

	if (err)
		say_err(err, "%s can't be owned", s->options->node);
	return err;
}

static int session_attach(struct session *s)
{
	bool config = !(s->kind->protocol_withheld & FEATURE(CONFIG)) && !s->kind->config_len;
	int err = node_own(s);

	if (!err && s->kind->attach)
		err = s->kind->attach(&s->node);
	if (err)
		return err;
	err = config ? node_set_config_call(&s->node, s->config_event) : 0;
	if (!err)
		err = node_get_features(&s->node);
	if (err)
		say_err(err, "%s can't be asked", s->options->node);
	/* What is on an IOTLB is not forwarded. */
	s->node.features &= ~(1ull << VIRTIO_F_ACCESS_PLATFORM | s->kind->withheld);
	s->offered = s->node.features | (s->kind->features ? s->kind->features() : 0);
	return err;
}

int session_init(struct session *s, const struct options *o)
{
	s->options = o;
	s->kind = o->kind;
	s->sock = -1;
	s->channel = -1;
	s->inflight.fd = -1;
	return session_attach(s);
}

void session_begin(struct session *s, int sock)
{
	s->sock = sock;
}

void session_end(struct session *s)
{
	ring_reset_all(s);
	s->kind->detach(&s->node);
	inflight_drop(s);
	node_call(&s->node, VHOST_RESET_OWNER, NULL);
	log_drop(s);
	memory_settle(&s->mem, &s->old);
	s->old = s->mem;
	s->mem.count = 0;
	memory_settle(&s->mem, &s->old);
	message_clear(&s->in);
	if (s->channel >= 0)
		close(s->channel);
	close(s->sock);
	s->channel = -1;
	s->sock = -1;
	s->features = 0;
	s->protocol = 0;
	s->status = 0;
}
