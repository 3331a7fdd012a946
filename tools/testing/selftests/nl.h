/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family pvio, over a plain socket: one may say what is wrong as well. */
#ifndef PVIO_SELFTEST_NL_H
#define PVIO_SELFTEST_NL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/pvio.h>

#define NL_ATTRS	32
#define NL_BUF		16384

struct nl {
	int fd;
	uint16_t family;
	uint32_t group;
	uint32_t seq;
	bool explained;	/* the last error came with words */
	void (*pause)(void *arg);	/* called before each part of an answer is read, if set */
	void *pause_arg;
	char buf[NL_BUF];
};

/* A request while it is put together. */
struct nl_msg {
	union {
		struct nlmsghdr hdr;
		char raw[1024];
	};
};

struct nl_attr {
	const void *data;	/* NULL: absent */
	uint16_t len;
};

struct nl_answer {
	uint8_t cmd;
	struct nl_attr attr[NL_ATTRS];
};

/* Returns 0, -ENOENT where there is no such family, or another negative errno. */
int nl_open(struct nl *n);
void nl_close(struct nl *n);

void nl_begin(struct nl *n, struct nl_msg *m, uint8_t cmd, uint16_t flags);
void nl_put(struct nl_msg *m, uint16_t type, const void *data, uint16_t len);
void nl_put_u32(struct nl_msg *m, uint16_t type, uint32_t value);
struct genlmsghdr *nl_genl(struct nl_msg *m);

/*
 * Sends, and calls @fn for each answer until it returns other than 0, or all are there. Returns
 * what @fn did, 0, or the kernel's error.
 */
int nl_talk(struct nl *n, struct nl_msg *m,
	    int (*fn)(const struct nl_answer *answer, void *arg), void *arg);
/* As nl_talk(), of a command without attributes for all there is. */
int nl_dump(struct nl *n, uint8_t cmd, int (*fn)(const struct nl_answer *answer, void *arg),
	    void *arg);
/* Asks for a device. The answer holds until the next call. */
int nl_get(struct nl *n, uint32_t id, struct nl_answer *answer);
/* Only sends. */
int nl_send(struct nl *n, const struct nl_msg *m);

/* Takes part in events; a negative errno if that is not allowed. */
int nl_join(struct nl *n);
/* The next event: 0, -EAGAIN if none has come for @timeout_ms, or a negative errno. */
int nl_event(struct nl *n, struct nl_answer *event, int timeout_ms);

uint32_t nl_u32(const struct nl_answer *a, unsigned int type);
uint64_t nl_u64(const struct nl_answer *a, unsigned int type);
const char *nl_str(const struct nl_answer *a, unsigned int type);
void nl_nested(const struct nl_answer *a, unsigned int type, struct nl_answer *inner);

#endif
