// SPDX-License-Identifier: GPL-2.0-only
/* vDPA devices, by the kernel's own generic netlink family. */
#include <errno.h>
#include <linux/vdpa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "genl.h"
#include "pvioctl.h"

static struct genl *vdpa_open(void)
{
	static struct genl *g;
	int err;

	if (g)
		return g;
	g = need(malloc(sizeof(*g)));
	err = genl_open(g, VDPA_GENL_NAME);
	if (err)
		die("vDPA can't be asked: %s", strerror(-err));
	return g;
}

int vdpa_add(const char *name, const uint64_t *features, const char **why)
{
	struct genl *g = vdpa_open();
	struct nlmsghdr *req = genl_request(g, VDPA_CMD_DEV_NEW, 0);

	mnl_attr_put_strz(req, VDPA_ATTR_MGMTDEV_DEV_NAME, MODULE);
	mnl_attr_put_strz(req, VDPA_ATTR_DEV_NAME, name);
	if (features)
		mnl_attr_put_u64(req, VDPA_ATTR_DEV_FEATURES, *features);
	return genl_do(g, req, 0, NULL, NULL, why);
}

int vdpa_del(const char *name, const char **why)
{
	struct genl *g = vdpa_open();
	struct nlmsghdr *req = genl_request(g, VDPA_CMD_DEV_DEL, 0);

	mnl_attr_put_strz(req, VDPA_ATTR_DEV_NAME, name);
	return genl_do(g, req, 0, NULL, NULL, why);
}

struct parent {
	char *buf;
	size_t len;
};

static void take_parent(const struct nlattr *const *attrs, void *arg)
{
	struct parent *p = arg;

	if (attrs[VDPA_ATTR_MGMTDEV_DEV_NAME])
		snprintf(p->buf, p->len, "%s",
			 mnl_attr_get_str(attrs[VDPA_ATTR_MGMTDEV_DEV_NAME]));
}

int vdpa_parent(const char *name, char *buf, size_t len)
{
	struct parent p = { .buf = buf, .len = len };
	struct genl *g = vdpa_open();
	struct nlmsghdr *req = genl_request(g, VDPA_CMD_DEV_GET, 0);
	const char *why;

	*buf = 0;
	mnl_attr_put_strz(req, VDPA_ATTR_DEV_NAME, name);
	return genl_do(g, req, VDPA_ATTR_MAX, take_parent, &p, &why);
}
