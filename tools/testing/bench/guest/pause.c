// SPDX-License-Identifier: GPL-2.0-only
/*
 * pause DISK - in a VM: reads 4 KiB every 200 ms, and tells of each read that took longer than
 * 50 ms how many milliseconds it took; and now and then that it is still there.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096u
#define EVERY_MS	200
#define TOLD_MS		50
#define ALIVE_MS	2000

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	const struct timespec every = { .tv_nsec = EVERY_MS * 1000000 };
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECT) : -1;
	void *buf = aligned_alloc(BLOCK, BLOCK);
	long long said = 0, since, end;
	unsigned int i;

	if (fd < 0 || !buf) {
		fprintf(stderr, "pause: no disk to read: %s\n", strerror(errno));
		return 1;
	}
	for (i = 0;; i++) {
		since = now_ms();
		if (pread(fd, buf, BLOCK, (off_t)(i % 256) * BLOCK) != (ssize_t)BLOCK) {
			printf("PVIO-GUEST-LOST %s\n", strerror(errno));
			return 1;
		}
		end = now_ms();
		if (end - since > TOLD_MS)
			printf("PVIO-GUEST-TOOK %lld\n", end - since);
		if (end - said > ALIVE_MS) {
			printf("PVIO-GUEST-ALIVE %u\n", i);
			said = end;
		}
		fflush(stdout);
		nanosleep(&every, NULL);
	}
}
