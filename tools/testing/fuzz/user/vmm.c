// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of pvio-bridge's protocol: the input is a VMM, with messages in any order, of any
 * contents, with any descriptors. The kernel is a stand-in that knows what it was told, and looks
 * after each call and each mapping that goes: it must never have an address of this process that
 * is not in memory which the VMM handed over.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/pvio_vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#include "input.h"
#include "node.h"
#include "options.h"
#include "say.h"
#include "session.h"

#define QUEUES		4u
#define MAPS_MAX	1200u
#define MEMFD_SIZE	0x100000
#define MESSAGES_MAX	64u
#define NODE		1000000
#define FEATURE(bit)	(1ull << (bit))
#define PACKED		FEATURE(VIRTIO_F_RING_PACKED)
#define LOG_ALL		FEATURE(VHOST_F_LOG_ALL)
#define OFFERED		(PACKED | LOG_ALL | FEATURE(VIRTIO_F_VERSION_1) |		\
			 FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_F_ACCESS_PLATFORM))

void *real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off) __asm__("mmap");
int real_munmap(void *addr, size_t len) __asm__("munmap");

/* What the kernel was told of a queue. */
struct fake_ring {
	unsigned int num;
	unsigned int base;
	struct vhost_vring_addr addr;
	bool enabled;
};

static struct {
	uint64_t features;
	bool owned;
	unsigned int nregions;
	struct vhost_memory_region region[MEMORY_SLOTS_MAX];
	struct fake_ring ring[QUEUES];
	uint64_t log_base;
	unsigned int fails;	/* each of so many calls does; 0: none */
	unsigned int calls;
} fake;

static struct {
	uint64_t at;
	uint64_t len;
} maps[MAPS_MAX];
static unsigned int nmaps;

static bool mapped(uint64_t at, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < nmaps; i++)
		if (at >= maps[i].at && at - maps[i].at <= maps[i].len &&
		    len <= maps[i].len - (at - maps[i].at))
			return true;
	return false;
}

void *fuzz_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	void *p = real_mmap(addr, len, prot, flags, fd, off);

	if (p == MAP_FAILED)
		return p;
	FUZZ_CHECK(fd >= 0 && flags & MAP_SHARED && nmaps < MAPS_MAX, "a mapping of its own");
	maps[nmaps].at = (uintptr_t)p;
	maps[nmaps++].len = len;
	return p;
}

static bool packed(void)
{
	return fake.features & PACKED;
}

static void check_ring(const struct fake_ring *r)
{
	uint64_t num = r->num;
	const struct vhost_vring_addr *a = &r->addr;

	FUZZ_CHECK(mapped(a->desc_user_addr, 16 * num), "descriptors");
	FUZZ_CHECK(mapped(a->avail_user_addr, packed() ? 4 : 6 + 2 * num), "driver area");
	FUZZ_CHECK(mapped(a->used_user_addr, packed() ? 4 : 6 + 8 * num), "device area");
	if (fake.log_base && a->flags & 1u << VHOST_VRING_F_LOG) {
		uint64_t len = packed() ? 16 * num : 6 + 8 * num;

		FUZZ_CHECK(a->log_guest_addr + len >= len, "ring beyond the last address");
		FUZZ_CHECK(mapped(fake.log_base + (a->log_guest_addr + len - 1) / 4096 / 8, 1),
			   "log of a ring");
	}
}

/* All that the kernel may touch is there. */
static void check_all(void)
{
	unsigned int i;

	for (i = 0; i < fake.nregions; i++) {
		const struct vhost_memory_region *r = &fake.region[i];
		uint64_t last = r->guest_phys_addr + (r->memory_size - 1);

		FUZZ_CHECK(mapped(r->userspace_addr, r->memory_size), "region %u", i);
		if (fake.log_base)
			FUZZ_CHECK(mapped(fake.log_base + last / 4096 / 8, 1),
				   "log of region %u", i);
	}
	for (i = 0; i < QUEUES; i++)
		if (fake.ring[i].enabled)
			check_ring(&fake.ring[i]);
}

int fuzz_munmap(void *addr, size_t len)
{
	unsigned int i;

	for (i = 0; i < nmaps && maps[i].at != (uintptr_t)addr; i++)
		;
	FUZZ_CHECK(i < nmaps && maps[i].len == len, "unmaps what is not mapped");
	maps[i] = maps[--nmaps];
	check_all();
	return real_munmap(addr, len);
}

static bool any_enabled(void)
{
	unsigned int i;

	for (i = 0; i < QUEUES; i++)
		if (fake.ring[i].enabled)
			return true;
	return false;
}

static int fake_set_features(uint64_t features)
{
	if (features & ~OFFERED)
		return -EOPNOTSUPP;
	if (any_enabled() && (features ^ fake.features) & ~LOG_ALL)
		return -EBUSY;
	if (any_enabled() && features & LOG_ALL && !fake.log_base)
		return -EINVAL;
	fake.features = features;
	return 0;
}

static int fake_set_mem(const struct vhost_memory *m)
{
	unsigned int i, j;

	if (m->nregions > MEMORY_SLOTS_MAX)
		return -E2BIG;
	for (i = 0; i < m->nregions; i++)
		for (j = 0; j < i; j++)
			if (m->regions[i].guest_phys_addr < m->regions[j].guest_phys_addr +
							    m->regions[j].memory_size &&
			    m->regions[j].guest_phys_addr < m->regions[i].guest_phys_addr +
							    m->regions[i].memory_size)
				return -EEXIST;
	fake.nregions = m->nregions;
	memcpy(fake.region, m->regions, m->nregions * sizeof(m->regions[0]));
	return 0;
}

static int fake_set_addr(struct fake_ring *r, const struct vhost_vring_addr *a)
{
	if (a->flags & ~(1u << VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (a->desc_user_addr % 16 || a->avail_user_addr % 2 || a->used_user_addr % 4 ||
	    a->log_guest_addr % 4)
		return -EINVAL;
	r->addr = *a;
	return 0;
}

static int fake_state(struct fake_ring *r, unsigned long call, struct vhost_vring_state *s)
{
	if (call == VHOST_GET_VRING_BASE) {
		s->num = r->base;
		return 0;
	}
	if (call == VHOST_VDPA_SET_VRING_ENABLE) {
		if (s->num && !r->num)
			return -EINVAL;
		r->enabled = s->num;
		return 0;
	}
	if (r->enabled)
		return -EBUSY;
	if (call == VHOST_SET_VRING_BASE) {
		r->base = s->num;
		return packed() || s->num <= UINT16_MAX ? 0 : -EINVAL;
	}
	if (!s->num || s->num > 32768)
		return -EINVAL;
	r->num = s->num;
	return 0;
}

static int fake_inflight(const struct fake_ring *r, const struct vhost_vring_inflight *in)
{
	if (r->enabled)
		return -EBUSY;
	if (!in->addr)
		return 0;
	if (in->addr % 8 || in->size < 16)
		return -EINVAL;
	FUZZ_CHECK(mapped(in->addr, in->size), "in-flight memory");
	return 0;
}

static int fake_event(const struct vhost_vring_file *f)
{
	eventfd_t n;

	if (f->fd == -1 || !eventfd_read(f->fd, &n) || errno == EAGAIN)
		return 0;
	return -EINVAL;
}

static int fake_vring(unsigned long call, void *arg)
{
	uint32_t index;
	struct fake_ring *r;

	memcpy(&index, arg, sizeof(index));
	FUZZ_CHECK(index < QUEUES, "queue %u", index);
	r = &fake.ring[index];
	switch (call) {
	case VHOST_SET_VRING_ADDR:
		return fake_set_addr(r, arg);
	case VHOST_SET_VRING_INFLIGHT:
		return fake_inflight(r, arg);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return fake_event(arg);
	}
	return fake_state(r, call, arg);
}

static int fake_call(unsigned long call, void *arg)
{
	struct vhost_vdpa_config *config = arg;

	switch (call) {
	case VHOST_SET_OWNER:
		fake.owned = true;
		return 0;
	case VHOST_RESET_OWNER:
		memset(&fake, 0, offsetof(typeof(fake), fails));
		return 0;
	case VHOST_GET_FEATURES:
		*(uint64_t *)arg = OFFERED;
		return 0;
	case VHOST_SET_FEATURES:
		return fake_set_features(*(uint64_t *)arg);
	case VHOST_SET_MEM_TABLE:
		return fake_set_mem(arg);
	case VHOST_SET_LOG_BASE:
		fake.log_base = *(uint64_t *)arg;
		return 0;
	case VHOST_VDPA_GET_CONFIG_SIZE:
		*(uint32_t *)arg = 96;
		return 0;
	case VHOST_VDPA_GET_CONFIG:
		FUZZ_CHECK(config->off <= 96 && config->len <= 96 - config->off, "config");
		memset(config->buf, 7, config->len);
		return 0;
	case VHOST_VDPA_SET_CONFIG:
	case VHOST_VDPA_SET_CONFIG_CALL:
	case VHOST_SET_LOG_FD:
		return 0;
	}
	return fake_vring(call, arg);
}

/* Those that can't fail are those that give up something. */
static bool may_fail(unsigned long call, const void *arg)
{
	const struct vhost_vring_state *s = arg;

	if (call == VHOST_VDPA_SET_VRING_ENABLE)
		return s->num;
	return call == VHOST_SET_MEM_TABLE || call == VHOST_SET_VRING_ADDR ||
	       call == VHOST_SET_LOG_BASE || call == VHOST_SET_FEATURES ||
	       call == VHOST_SET_VRING_INFLIGHT || call == VHOST_SET_VRING_NUM;
}

int fuzz_ioctl(int fd, unsigned long call, void *arg)
{
	int err;

	FUZZ_CHECK(fd == NODE, "a call to %d", fd);
	if (fake.fails && may_fail(call, arg) && ++fake.calls % fake.fails == 0)
		err = -ENOMEM;
	else
		err = fake_call(call, arg);
	check_all();
	errno = -err;
	return err ? -1 : 0;
}

void say(const char *fmt, ...)
{
}

void say_err(int err, const char *fmt, ...)
{
}

void die(int err, const char *fmt, ...)
{
	abort();
}

static unsigned int claims, claimed;

static int kind_attach(int node)
{
	return 0;
}

static void kind_nothing(int node)
{
}

static void kind_reset(void)
{
}

static int kind_claim(void)
{
	FUZZ_CHECK(!claimed, "claimed twice");
	if (claims && ++claims % 8 == 0)
		return -EBUSY;
	claimed = 1;
	return 0;
}

static void kind_release(void)
{
	FUZZ_CHECK(claimed, "released what is not claimed");
	claimed = 0;
}

static void kind_fill_config(const struct options *o, uint8_t *config, uint32_t len)
{
	config[len - 1] = 1;
}

static bool kind_may_set(uint32_t offset, uint32_t len)
{
	return offset == 32 && len == 1;
}

static const struct kind fuzz_kind = {
	.attach = kind_attach,
	.detach = kind_nothing,
	.reset = kind_reset,
	.accepted = kind_nothing,
	.claim = kind_claim,
	.release = kind_release,
	.refresh = kind_nothing,
	.fill_config = kind_fill_config,
	.may_set_config = kind_may_set,
	.set_config = node_set_config,
};

static int make_fd(u8 what)
{
	int fd;

	if (what & 1)
		return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	fd = memfd_create("vmm", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, what & 2 ? MEMFD_SIZE : 4096), "no memory");
	return fd;
}

/* Numbers near those that mean something, or any. */
static u64 vmm_number(struct fuzz_input *in)
{
	u8 how = fuzz_u8(in);
	u64 n = fuzz_u8(in);

	switch (how & 7) {
	case 0:
		return n;
	case 1:
		return n << 12;
	case 2:
		return n << 16;
	case 3:
		return n << 32;
	case 4:
		return -n;
	case 5:
		return -(n << 12);
	case 6:
		return n << 4;
	}
	return fuzz_u64(in);
}

static u32 vmm_size(struct fuzz_input *in, u32 request)
{
	static const u8 usual[VHOST_USER_REQUESTS] = {
		[2] = 8, [5] = 40, [6] = 16, [8] = 8, [9] = 40, [10] = 8, [11] = 8, [12] = 8,
		[13] = 8, [14] = 8, [16] = 8, [18] = 8, [24] = 20, [25] = 13, [31] = 24,
		[32] = 24, [37] = 40, [38] = 40, [39] = 8,
	};
	u8 how = fuzz_u8(in);

	if (how < 230 && request < VHOST_USER_REQUESTS)
		return usual[request];
	return how < 250 ? fuzz_u8(in) : fuzz_u32(in);
}

/*
 * struct letter - a message on its way
 * @nfds: descriptors, by make_fd(@what)
 */
struct letter {
	struct vhost_user_header head;
	union {
		union vhost_user_payload p;
		uint64_t words[40];
		uint32_t halves[80];
	};
	unsigned int nfds;
	u8 what;
};

/* Anything at all. */
static void letter_any(struct letter *l, struct fuzz_input *in)
{
	unsigned int i, n;

	l->head.request = fuzz_u8(in) % (VHOST_USER_REQUESTS + 4);
	l->nfds = fuzz_u8(in);
	l->what = fuzz_u8(in);
	l->head.size = vmm_size(in, l->head.request);
	n = l->head.size / 8 < 40 ? l->head.size / 8 : 40;
	if (l->what & 0x80)
		for (i = 0; i < 2; i++)
			l->halves[i] = fuzz_u8(in) % 9;
	else
		l->words[0] = vmm_number(in);
	for (i = 1; i < n; i++)
		l->words[i] = vmm_number(in);
	l->nfds = l->nfds < 200 ? l->nfds % 3 : l->nfds % (VHOST_USER_TABLE_MAX + 1);
}

/* One of four regions, of which the last two overlap. */
static struct vhost_user_region usual_region(u8 n)
{
	return (struct vhost_user_region){
		.guest_addr = (n & 3) * 0xc0000ull,
		.user_addr = 0x7f0000000000ull + (n & 3) * 0x100000ull,
		.size = n & 4 ? 0x40000 : n & 8 ? 0xc0000 : 0x80000,
		.mmap_offset = n & 16 ? 0x1000 : 0,
	};
}

static void letter_table(struct letter *l, u8 n)
{
	unsigned int i;

	l->p.table.nregions = n >> 6;
	for (i = 0; i < l->p.table.nregions; i++)
		l->p.table.region[i] = usual_region(n + i);
	l->head.size = 8 + i * sizeof(l->p.table.region[0]);
	l->nfds = i;
	l->what = 0xfe;
}

static void letter_addr(struct letter *l, u8 n, u8 where)
{
	uint64_t base = 0x7f0000000000ull + (where & 3) * 0x100000ull;

	l->p.addr = (struct vhost_vring_addr){
		.index = n & 3,
		.flags = n >> 2 & 1,
		.desc_user_addr = base + (where >> 2) * 0x2000ull,
		.avail_user_addr = base + 0x10000,
		.used_user_addr = base + (n & 8 ? 0x7ffc0 : 0x20000),
		.log_guest_addr = (n >> 4) * 0x40000ull,
	};
}

/* What a VMM means when it sets up a device, or nearly so. */
static void letter_usual(struct letter *l, struct fuzz_input *in)
{
	static const u8 requests[] = {
		VHOST_USER_SET_FEATURES, VHOST_USER_SET_PROTOCOL_FEATURES,
		VHOST_USER_SET_MEM_TABLE, VHOST_USER_SET_VRING_NUM, VHOST_USER_SET_VRING_ADDR,
		VHOST_USER_SET_VRING_BASE, VHOST_USER_GET_VRING_BASE, VHOST_USER_SET_VRING_KICK,
		VHOST_USER_SET_VRING_CALL, VHOST_USER_SET_VRING_ENABLE, VHOST_USER_ADD_MEM_REG,
		VHOST_USER_REM_MEM_REG, VHOST_USER_SET_LOG_BASE, VHOST_USER_GET_INFLIGHT_FD,
		VHOST_USER_SET_INFLIGHT_FD, VHOST_USER_SET_STATUS,
	};
	u8 which = fuzz_u8(in), n = fuzz_u8(in);

	l->head.request = requests[which & 15];
	l->head.size = 8;
	l->what = 1;
	switch (l->head.request) {
	case VHOST_USER_SET_FEATURES:
		l->words[0] = 1ull << VIRTIO_F_VERSION_1 | (n & 1 ? PACKED : 0) |
			      (n & 2 ? LOG_ALL : 0) | (n & 4 ? 1ull << 30 : 0);
		break;
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		l->words[0] = 0x1b22b;
		break;
	case VHOST_USER_SET_MEM_TABLE:
		letter_table(l, n);
		break;
	case VHOST_USER_SET_VRING_ADDR:
		l->head.size = sizeof(l->p.addr);
		letter_addr(l, n, fuzz_u8(in));
		break;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
		l->words[0] = n & 3;
		l->nfds = 1;
		break;
	case VHOST_USER_ADD_MEM_REG:
	case VHOST_USER_REM_MEM_REG:
		l->head.size = sizeof(l->p.slot);
		l->p.slot.region = usual_region(n);
		l->nfds = l->head.request == VHOST_USER_ADD_MEM_REG;
		l->what = 0xfe;
		break;
	case VHOST_USER_SET_LOG_BASE:
		l->head.size = sizeof(l->p.log);
		l->p.log.mmap_size = n;
		l->nfds = 1;
		l->what = 0xfe;
		break;
	case VHOST_USER_SET_INFLIGHT_FD:
	case VHOST_USER_GET_INFLIGHT_FD:
		l->nfds = l->head.request == VHOST_USER_SET_INFLIGHT_FD;
		l->what = 0xfe;
		l->head.size = sizeof(l->p.inflight);
		l->p.inflight.num_queues = (n & 3) + 1;
		l->p.inflight.queue_size = 1u << (n >> 4);
		l->p.inflight.mmap_size = 0x10000;
		break;
	case VHOST_USER_SET_STATUS:
		l->words[0] = n & 0xf;
		break;
	default:
		/* A queue, and a number or a power of two. */
		l->halves[0] = n & 3;
		l->halves[1] = l->head.request == VHOST_USER_SET_VRING_ENABLE ? n >> 2 & 1 :
			       l->head.request == VHOST_USER_SET_VRING_NUM ? 1u << (n >> 4) : n;
	}
}

static void vmm_message(int sock, struct fuzz_input *in)
{
	u8 flags = fuzz_u8(in);
	struct letter l = { };
	int fds[VHOST_USER_TABLE_MAX];
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(fds))];
	} control = { };
	struct iovec iov[] = {
		{ &l.head, sizeof(l.head) }, { l.words, 0 },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	unsigned int i, nfds;

	if (flags & 1)
		letter_usual(&l, in);
	else
		letter_any(&l, in);
	l.head.flags = flags < 240 ? VHOST_USER_VERSION | (flags & 8) : flags;
	iov[1].iov_len = l.head.size < sizeof(l.words) ? l.head.size : sizeof(l.words);
	nfds = l.nfds;
	for (i = 0; i < nfds; i++)
		fds[i] = make_fd(l.what >> (i % 6));
	if (nfds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(*fds));
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(nfds * sizeof(*fds));
		memcpy(CMSG_DATA(&control.h), fds, nfds * sizeof(*fds));
	}
	sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (i = 0; i < nfds; i++)
		close(fds[i]);
}

/* What it has answered is not of interest, but must not stand in the way. */
static void vmm_read(int sock)
{
	char buf[4096];

	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { buf, sizeof(buf) };

	for (;;) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof(control),
		};
		const struct cmsghdr *c;
		int fd;

		if (recvmsg(sock, &msg, MSG_DONTWAIT) <= 0)
			return;
		c = CMSG_FIRSTHDR(&msg);
		if (c && c->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			close(fd);
		}
	}
}

static int lowest_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void vmm(struct session *s, struct fuzz_input *in)
{
	unsigned int i;
	int pair[2];

	FUZZ_CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
		   "no sockets");
	session_begin(s, pair[0]);
	for (i = 0; i < MESSAGES_MAX && in->left && s->sock >= 0; i++) {
		vmm_message(pair[1], in);
		session_receive(s);
		vmm_read(pair[1]);
	}
	close(pair[1]);
	/* What came in pieces that are messages of their own is read before the end. */
	for (i = 0; i < MESSAGES_MAX * sizeof(struct letter) && s->sock >= 0; i++)
		session_receive(s);
	FUZZ_CHECK(s->sock < 0, "the session goes on");
}

int fuzz_one_input(const uint8_t *data, size_t size)
{
	static struct session s;
	static const struct options o = { .queues = QUEUES, .kind = &fuzz_kind };
	struct fuzz_input in = { .at = data, .left = size };
	int fd = lowest_fd(), i;
	u8 how = fuzz_u8(&in);

	memset(&fake, 0, sizeof(fake));
	memset(&s, 0, sizeof(s));
	fake.fails = how & 0xf;
	claims = how >> 4 & 1;
	s.config_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (i = 0; i < 2; i++) {
		FUZZ_CHECK(!session_init(&s, &o, &fuzz_kind, NODE), "no session");
		vmm(&s, &in);
	}
	FUZZ_CHECK(!nmaps && !claimed, "%u mappings are left", nmaps);
	close(s.config_event);
	FUZZ_CHECK(lowest_fd() == fd, "a descriptor is left");
	return 0;
}
