// SPDX-License-Identifier: GPL-2.0-only
/*
 * race_direct DEVICE TIMES - writes its first blocks past the page cache, each from memory that
 * another thread changes meanwhile. What a store says to that is for the caller to see.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEN	65536u
#define BLOCKS	16u

static atomic_bool stop;

static void *change(void *buf)
{
	unsigned char byte = 0;

	while (!stop)
		memset(buf, byte++, LEN);
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned int i, times = argc == 3 ? strtoul(argv[2], NULL, 0) : 0;
	int fd = times ? open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC) : -1;
	pthread_t thread;
	int res = 0;
	void *buf;

	if (fd < 0 || posix_memalign(&buf, 4096, LEN)) {
		fprintf(stderr, "usage: race_direct DEVICE TIMES\n");
		return 2;
	}
	if (pthread_create(&thread, NULL, change, buf))
		return 2;
	for (i = 0; i < times && !res; i++)
		res = pwrite(fd, buf, LEN, (off_t)(i % BLOCKS) * LEN) != (ssize_t)LEN;
	stop = true;
	pthread_join(thread, NULL);
	close(fd);
	return res;
}
