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

/* Once for all requests. Whoever asks has seen that there is vDPA. */
static int vdpa_open(struct genl **g, const char **why)
{
	static struct genl *opened;
	int err = 0;

	*why = "";
	if (!opened) {
		*g = need(malloc(sizeof(**g)));
		err = genl_open(*g, VDPA_GENL_NAME);
		if (err)
			free(*g);
		else
			opened = *g;
	}
	if (err == -ENOENT)
		*why = "vDPA devices are seen from the first network namespace alone";
	*g = opened;
	return err;
}

int vdpa_add(const char *name, const uint64_t *features, const char **why)
{
	struct nlmsghdr *req;
	struct genl *g;
	int err = vdpa_open(&g, why);

	if (err)
		return err;
	req = genl_request(g, VDPA_CMD_DEV_NEW, 0);
	mnl_attr_put_strz(req, VDPA_ATTR_MGMTDEV_DEV_NAME, MODULE);
	mnl_attr_put_strz(req, VDPA_ATTR_DEV_NAME, name);
	if (features)
		mnl_attr_put_u64(req, VDPA_ATTR_DEV_FEATURES, *features);
	return genl_do(g, req, 0, NULL, NULL, why);
}

int vdpa_del(const char *name, const char **why)
{
	struct nlmsghdr *req;
	struct genl *g;
	int err = vdpa_open(&g, why);

	if (err)
		return err;
	req = genl_request(g, VDPA_CMD_DEV_DEL, 0);
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

int vdpa_parent(const char *name, char *buf, size_t len, const char **why)
{
	struct parent p = { .buf = buf, .len = len };
	struct nlmsghdr *req;
	struct genl *g;
	int err = vdpa_open(&g, why);

	*buf = 0;
	if (err)
		return err;
	req = genl_request(g, VDPA_CMD_DEV_GET, 0);
	mnl_attr_put_strz(req, VDPA_ATTR_DEV_NAME, name);
	return genl_do(g, req, VDPA_ATTR_MAX, take_parent, &p, why);
}
