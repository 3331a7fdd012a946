// SPDX-License-Identifier: GPL-2.0-only
/* The generic netlink family pvio: every message and attribute, good and bad. */
#include <unistd.h>

#include "netlink.h"

struct search {
	uint32_t id;
	unsigned int found;
};

static int find_own(const struct nl_answer *a, void *arg)
{
	struct search *s = arg;

	if (nl_u32(a, PVIO_A_DEV_PID) == (uint32_t)getpid()) {
		s->id = nl_u32(a, PVIO_A_DEV_ID);
		s->found++;
	}
	return 0;
}

uint32_t netlink_own_id(struct nl *n)
{
	struct search s = { 0 };

	return !nl_dump(n, PVIO_CMD_DEV_GET, find_own, &s) && s.found == 1 ? s.id : 0;
}

int netlink_works(struct nl *n, uint32_t own)
{
	struct nl_answer a;

	CHECK_OK(nl_get(n, own, &a));
	CHECK_EQ(nl_u32(&a, PVIO_A_DEV_ID), own);
	CHECK_EQ(netlink_own_id(n), own);
	return 0;
}

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		netlink_get_suite, netlink_bad_suite, netlink_event_suite, netlink_who_suite,
		netlink_many_suite,
	};

	env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
