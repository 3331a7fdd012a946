// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "family.h"
#include "files.h"

static struct genl family;

int family_open(const char **why)
{
	int err = family.sock ? 0 : genl_open(&family, PVIO_FAMILY_NAME);

	*why = "";
	if (err == -ENOENT && module_loaded("pvio_vhost"))
		*why = "devices can be seen from the first network namespace alone";
	else if (err == -ENOENT)
		*why = "pvio_vhost is not loaded: modprobe pvio_vhost_blk";
	return err;
}

int family_dump(uint8_t cmd, uint16_t max,
		void (*fn)(const struct nlattr *const *attrs, void *arg), void *arg,
		const char **why)
{
	int err = family_open(why);

	if (err)
		return err;
	return genl_do(&family, genl_request(&family, cmd, NLM_F_DUMP), max, fn, arg, why);
}
