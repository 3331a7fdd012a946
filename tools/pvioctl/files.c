// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "pvioctl.h"

int file_line(char *buf, size_t len, const char *fmt, ...)
{
	char path[PATH_LEN];
	va_list ap;
	int err = 0;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	*buf = 0;
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (!fgets(buf, len, f) && ferror(f))
		err = -errno;
	fclose(f);
	buf[strcspn(buf, "\n")] = 0;
	return err;
}

bool file_exists(const char *fmt, ...)
{
	char path[PATH_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return !access(path, F_OK);
}

bool file_says(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	bool found = false;
	size_t len = 0;

	while (f && !found && getline(&line, &len, f) > 0)
		found = strstr(line, text);
	free(line);
	if (f)
		fclose(f);
	return found;
}

bool module_loaded(const char *name)
{
	return file_exists("/sys/module/%s", name);
}

void who_is(pid_t pid, char *buf, size_t len)
{
	if (file_line(buf, len, "/proc/%d/comm", pid))
		snprintf(buf, len, "gone");
}
