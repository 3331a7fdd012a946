// SPDX-License-Identifier: GPL-2.0-only
/* What a VMM does to a net device, and what happens to it, in the middle of traffic. */
#include "net_life.h"

int main(int argc, char **argv)
{
	static struct net_env e;
	const struct ktap_suite suites[] = {
		net_life_backend_suite, net_life_owner_suite, net_life_kill_suite,
		net_life_move_suite, net_life_worker_suite,
	};

	net_env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
