// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "meminfo.h"

static long value(const char *line, const char *name)
{
	long kib;

	if (strncmp(line, name, strlen(name)) || sscanf(line + strlen(name), ": %ld", &kib) != 1)
		return 0;
	return kib;
}

long meminfo_used(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[200];
	long used = 0;

	while (f && fgets(line, sizeof(line), f))
		used += value(line, "MemTotal") - value(line, "MemFree") -
			value(line, "Buffers") - value(line, "Cached") -
			value(line, "SReclaimable");
	if (f)
		fclose(f);
	return used;
}
