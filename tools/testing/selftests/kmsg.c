// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	lseek(fd, 0, SEEK_END);
	return fd;
}

/* Reads what there is, a record at a time. */
static bool find_now(int fd, const char *text, const char *other)
{
	char record[8192];
	ssize_t n;

	for (;;) {
		n = read(fd, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)	/* overtaken by the log */
			continue;
		if (n <= 0)
			return false;
		record[n] = '\0';
		if (strstr(record, text) && (!other || strstr(record, other)))
			return true;
	}
}

bool kmsg_find(int fd, const char *text, const char *other, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int waited;

	for (waited = 0; waited <= timeout_ms; waited += 50) {
		if (find_now(fd, text, other))
			return true;
		poll(&p, 1, 50);
	}
	return false;
}
