// SPDX-License-Identifier: GPL-2.0-only
/* The good path of a block device: whatever a well-behaved driver may do has to work. */
#include "blk_io.h"

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite readonly[] = { blk_io_config_suite, blk_io_readonly_suite };
	const struct ktap_suite node[] = {
		blk_io_frame_suite, blk_io_queue_suite, blk_io_event_suite,
	};
	const struct ktap_suite all[] = {
		blk_io_config_suite, blk_io_frame_suite, blk_io_queue_suite, blk_io_event_suite,
		blk_io_state_suite, blk_io_map_suite,
	};

	env_parse(&e, argc, argv);
	if (e.opts.node)
		return e.readonly ? ktap_run(&blk_io_readonly_suite, 1, e.only, &e) :
				    ktap_run(node, sizeof(node) / sizeof(*node), e.only, &e);
	if (e.readonly)
		return ktap_run(readonly, 2, e.only, &e);
	return ktap_run(all, sizeof(all) / sizeof(*all), e.only, &e);
}
