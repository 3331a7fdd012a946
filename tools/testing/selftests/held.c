// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "held.h"
#include "proc.h"

int held_stop(const struct env *e)
{
	const char *const argv[] = {
		"dmsetup", "suspend", "--noflush", "--nolockfs", strrchr(e->store, '/') + 1, NULL,
	};

	CHECK_EQ(proc_wait(proc_command(argv)), 0);
	return 0;
}

pid_t held_go(const struct env *e, bool later)
{
	char line[300];
	const char *const argv[] = { "sh", "-c", line, NULL };

	pid_t pid;
	int ms;

	snprintf(line, sizeof(line), "sleep %s; exec dmsetup resume %s", later ? "0.3" : "0",
		 strrchr(e->store, '/') + 1);
	pid = proc_command(argv);
	/* Until it is another program it has the device as well, and might close it last. */
	for (ms = 0; pid > 0 && !proc_is_other(pid) && ms < BLK_HANG_LIMIT_MS; ms++)
		usleep(1000);
	return pid;
}
