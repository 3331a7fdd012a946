// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
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

int held_memory(void *va, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uint64_t)(uintptr_t)va, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -errno;
	return fd;
}

int held_memory_wanted(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, BLK_HANG_LIMIT_MS) == 1 ? 0 : -1;
}
