// SPDX-License-Identifier: GPL-2.0-only
/* How VMMs, devices and memory come and go while I/O is in flight. */
#include "blk_life.h"

int life_goes_on(struct env *e)
{
	CHECK_PASS(env_start(e));
	CHECK_EQ(blk_needs_reset(&e->b), 0);
	CHECK_PASS(env_verify(e));
	return env_close(e);
}

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suites[] = {
		blk_life_kill_suite, blk_life_share_suite, blk_life_memory_suite,
		blk_life_race_suite,
	};

	env_parse(&e, argc, argv);
	return ktap_run(suites, sizeof(suites) / sizeof(*suites), e.only, &e);
}
