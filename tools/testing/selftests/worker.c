// SPDX-License-Identifier: GPL-2.0-only
/* Who runs the queues of /dev/vhost-blk: the ioctls about it, and changes while queues run. */
#include "worker.h"

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		worker_ioctl_suite, worker_move_suite, worker_kill_suite, worker_poll_suite,
	};

	env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
