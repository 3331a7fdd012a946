// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "faults.h"
#include "ktap.h"

/* Far more than any call has. */
#define FAULTS_MAX	5000u

int faults_open(struct faults *f)
{
	*f = (struct faults) { .nth = 1 };
	f->fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (f->fd < 0)
		SKIP("this kernel has no fault injection");
	return 0;
}

void faults_begin(const struct faults *f)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", f->nth);

	if (pwrite(f->fd, text, len, 0) != len)
		ktap_diag("fault injection does not take %s", text);
}

/* Hands on the result of the call in between. */
int faults_end(struct faults *f, int err)
{
	char left[16] = "";

	f->failed = pread(f->fd, left, sizeof(left) - 1, 0) <= 0 || !strtoul(left, NULL, 10);
	if (pwrite(f->fd, "0", 1, 0) != 1)
		f->failed = false;
	return err;
}

/* Whether there may be more to fail. */
bool faults_next(struct faults *f)
{
	return f->failed && f->nth++ < FAULTS_MAX;
}

int faults_close(struct faults *f, const char *what)
{
	close(f->fd);
	ktap_diag("%u faults, %s refused %u times", f->nth - 1, what, f->refused);
	CHECK(f->nth < FAULTS_MAX, "there is no end to what fails");
	CHECK(f->refused, "nothing ever failed");
	return 0;
}
