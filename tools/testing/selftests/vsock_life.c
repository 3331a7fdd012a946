// SPDX-License-Identifier: GPL-2.0-only
/* What a VMM does to a socket device, and what happens to it, in the middle of traffic. */
#include "vsock_life.h"

int main(int argc, char **argv)
{
	static struct vsock_env e;
	const struct ktap_suite suites[] = {
		vsock_life_end_suite, vsock_life_kill_suite, vsock_life_full_suite,
		vsock_life_run_suite, vsock_life_many_suite, vsock_life_links_suite,
		vsock_life_random_suite, vsock_life_space_suite,
	};

	vsock_env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
