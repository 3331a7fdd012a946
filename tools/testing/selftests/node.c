// SPDX-License-Identifier: GPL-2.0-only
/* Every ioctl of /dev/vhost-blk, with good arguments and bad ones. */
#include "node.h"

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		node_generic_suite, node_vring_suite, node_store_suite, node_life_suite,
		node_enable_suite,
	};

	env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
