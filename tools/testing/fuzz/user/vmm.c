// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of pvio-bridge's protocol: the input is a VMM, with messages in any order, of any
 * contents, with any descriptors.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fake.h"
#include "node.h"
#include "options.h"
#include "say.h"
#include "session.h"
#include "vhost_user.h"

#define MEMFD_SIZE	0x100000
#define MESSAGES_MAX	64u

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

static int kind_attach(const struct node *n)
{
	return 0;
}

static void kind_nothing(const struct node *n)
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

static const struct kind fuzz_kind = {
	.attach = kind_attach,
	.enable = node_enable,
	.detach = kind_nothing,
	.claim = kind_claim,
	.release = kind_release,
	.refresh = kind_nothing,
	.fill_config = kind_fill_config,
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

static void letter_table(struct letter *l, u8 n, u8 where)
{
	unsigned int i;

	l->p.table.nregions = n >> 6;
	for (i = 0; i < l->p.table.nregions; i++)
		l->p.table.region[i] = usual_region(n + i);
	l->head.size = 8 + i * sizeof(l->p.table.region[0]);
	l->nfds = i;
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

static void letter_features(struct letter *l, u8 n, u8 where)
{
	l->words[0] = FEATURE(VIRTIO_F_VERSION_1) | (n & 1 ? PACKED : 0) | (n & 2 ? LOG_ALL : 0) |
		      (n & 4 ? FEATURE(VHOST_USER_F_PROTOCOL_FEATURES) : 0);
}

static void letter_protocol(struct letter *l, u8 n, u8 where)
{
	l->words[0] = 0x1b22b;
}

/* A queue, and a number. */
static void letter_state(struct letter *l, u8 n, u8 where)
{
	l->halves[0] = n & 3;
	l->halves[1] = n >> 2;
}

static void letter_num(struct letter *l, u8 n, u8 where)
{
	l->halves[0] = n & 3;
	l->halves[1] = 1u << (n >> 4);
}

static void letter_enable(struct letter *l, u8 n, u8 where)
{
	l->halves[0] = n & 3;
	l->halves[1] = n >> 2 & 1;
}

static void letter_event(struct letter *l, u8 n, u8 where)
{
	l->words[0] = n & 3;
	l->nfds = 1;
}

static void letter_slot(struct letter *l, u8 n, u8 where)
{
	l->p.slot.region = usual_region(n);
	l->nfds = l->head.request == VHOST_USER_ADD_MEM_REG;
}

static void letter_log(struct letter *l, u8 n, u8 where)
{
	l->p.log.mmap_size = n;
	l->nfds = 1;
}

static void letter_inflight(struct letter *l, u8 n, u8 where)
{
	l->nfds = l->head.request == VHOST_USER_SET_INFLIGHT_FD;
	l->p.inflight.num_queues = (n & 3) + 1;
	l->p.inflight.queue_size = 1u << (n >> 4);
	l->p.inflight.mmap_size = 0x10000;
}

static void letter_status(struct letter *l, u8 n, u8 where)
{
	l->words[0] = n & 0xf;
}

#define SIZE(field)	sizeof(((union vhost_user_payload *)NULL)->field)
/* Of make_fd(). */
#define AN_EVENT	1
#define MEMORY		0xfe

static const struct {
	u8 request;
	u8 size;
	u8 what;
	void (*fn)(struct letter *l, u8 n, u8 where);
} usual[16] = {
	{ VHOST_USER_SET_FEATURES, SIZE(u64), 0, letter_features },
	{ VHOST_USER_SET_PROTOCOL_FEATURES, SIZE(u64), 0, letter_protocol },
	{ VHOST_USER_SET_MEM_TABLE, 0, MEMORY, letter_table },
	{ VHOST_USER_SET_VRING_NUM, SIZE(state), 0, letter_num },
	{ VHOST_USER_SET_VRING_ADDR, SIZE(addr), 0, letter_addr },
	{ VHOST_USER_SET_VRING_BASE, SIZE(state), 0, letter_state },
	{ VHOST_USER_GET_VRING_BASE, SIZE(state), 0, letter_state },
	{ VHOST_USER_SET_VRING_KICK, SIZE(u64), AN_EVENT, letter_event },
	{ VHOST_USER_SET_VRING_CALL, SIZE(u64), AN_EVENT, letter_event },
	{ VHOST_USER_SET_VRING_ENABLE, SIZE(state), 0, letter_enable },
	{ VHOST_USER_ADD_MEM_REG, SIZE(slot), MEMORY, letter_slot },
	{ VHOST_USER_REM_MEM_REG, SIZE(slot), MEMORY, letter_slot },
	{ VHOST_USER_SET_LOG_BASE, SIZE(log), MEMORY, letter_log },
	{ VHOST_USER_GET_INFLIGHT_FD, SIZE(inflight), MEMORY, letter_inflight },
	{ VHOST_USER_SET_INFLIGHT_FD, SIZE(inflight), MEMORY, letter_inflight },
	{ VHOST_USER_SET_STATUS, SIZE(u64), 0, letter_status },
};

/* What a VMM means when it sets up a device, or nearly so. */
static void letter_usual(struct letter *l, struct fuzz_input *in)
{
	u8 which = fuzz_u8(in) & 15, n = fuzz_u8(in);

	l->head.request = usual[which].request;
	l->head.size = usual[which].size;
	l->what = usual[which].what;
	usual[which].fn(l, n, usual[which].fn == letter_addr ? fuzz_u8(in) : 0);
}

static void vmm_message(int sock, struct fuzz_input *in)
{
	u8 flags = fuzz_u8(in);
	struct letter l = { };
	int fds[VHOST_USER_TABLE_MAX];
	unsigned int i;

	if (flags & 1)
		letter_usual(&l, in);
	else
		letter_any(&l, in);
	l.head.flags = flags < 240 ? VHOST_USER_VERSION | (flags & 8) : flags;
	for (i = 0; i < l.nfds; i++)
		fds[i] = make_fd(l.what >> (i % 6));
	vhost_user_send(sock, &l.head, l.head.size <= sizeof(l.words) ? l.words : NULL, fds,
			l.nfds);
	for (i = 0; i < l.nfds; i++)
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
	static const struct options o = { .queues = FAKE_QUEUES, .kind = &fuzz_kind };
	struct node node = { .fd = { FAKE_NODE, FAKE_NODE + 1 } };
	struct fuzz_input in = { .at = data, .left = size };
	int fd = lowest_fd(), i;
	u8 how = fuzz_u8(&in);

	memset(&s, 0, sizeof(s));
	fake_init(how & 0xf);
	claims = how >> 4 & 1;
	/* One device, or two that are one. */
	node.count = 1 + (how >> 5 & 1);
	node.queues = FAKE_QUEUES / node.count;
	s.node = node;
	s.config_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (i = 0; i < 2; i++) {
		FUZZ_CHECK(!session_init(&s, &o), "no session");
		vmm(&s, &in);
	}
	FUZZ_CHECK(!fake_mappings() && !claimed, "%u mappings are left", fake_mappings());
	close(s.config_event);
	FUZZ_CHECK(lowest_fd() == fd, "a descriptor is left");
	return 0;
}
