// SPDX-License-Identifier: GPL-2.0-only
/*
 * pvio-bridge: a VMM that is the test, the daemon, and the kernel's disk behind it. One daemon
 * serves most tests, one after the other.
 */
#include <signal.h>

#include "blk_io.h"
#include "bridged.h"

struct bridged bridge_common;

static struct ktap_suite with_limit(struct ktap_suite s)
{
	s.limit = 300;
	return s;
}

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		with_limit(blk_io_frame_suite), with_limit(blk_io_queue_suite), bridge_bad_suite,
		bridge_memory_suite, bridge_share_suite, bridge_options_suite, bridge_life_suite,
	};
	int res;

	env_parse(&e, argc, argv);
	if (!e.bridge)
		return 2;
	e.opts.queues = BRIDGE_QUEUES;
	e.opts.num = 256;
	if (bridged_start(&bridge_common, &e, NULL))
		return 1;
	e.opts.socket = bridge_common.socket;
	res = ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
	return bridge_common.pid && bridged_stop(&bridge_common, SIGTERM) ? 1 : res;
}
