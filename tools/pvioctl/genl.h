/* SPDX-License-Identifier: GPL-2.0-only */
/* Generic netlink families, by libmnl. */
#ifndef PVIOCTL_GENL_H
#define PVIOCTL_GENL_H

#include <libmnl/libmnl.h>
#include <linux/genetlink.h>

struct genl {
	struct mnl_socket *sock;
	uint16_t family;
	uint32_t seq;
	char buf[8192];
};

/* Returns 0, or -ENOENT where the kernel has no such family, or another negative errno. */
int genl_open(struct genl *g, const char *family);
void genl_close(struct genl *g);

/* A request, to which attributes are put. */
struct nlmsghdr *genl_request(struct genl *g, uint8_t cmd, uint16_t flags);

/*
 * Sends it, and calls @fn for each answer with its attributes by type, up to @max. Returns 0 or a
 * negative errno; what the kernel says of an error is in *@why, until the next call.
 */
int genl_do(struct genl *g, struct nlmsghdr *req, uint16_t max,
	    void (*fn)(const struct nlattr *const *attrs, void *arg), void *arg,
	    const char **why);

#endif
