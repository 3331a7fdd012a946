// SPDX-License-Identifier: GPL-2.0-only
/* How worn an eMMC is, which its card tells the kernel, in sysfs. */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "disk.h"

#define PRE_EOL_MAX	3
#define WEAR_MAX	11

bool store_lifetime(const char *path, char *buf, size_t len)
{
	unsigned int pre_eol, a, b;
	char dir[64], line[32];
	struct stat st;

	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev));
	/* A partition's directory is in that of its disk. */
	if (file_exists("%s/partition", dir))
		snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u/..", major(st.st_rdev),
			 minor(st.st_rdev));
	if (file_line(line, sizeof(line), "%s/device/life_time", dir) ||
	    sscanf(line, "%x %x", &a, &b) != 2)
		return false;
	if (file_line(line, sizeof(line), "%s/device/pre_eol_info", dir) ||
	    sscanf(line, "%x", &pre_eol) != 1)
		return false;
	/* Old cards have zeroes, which say nothing, and the kernel takes what is defined alone. */
	if (!(pre_eol | a | b) || pre_eol > PRE_EOL_MAX || a > WEAR_MAX || b > WEAR_MAX)
		return false;
	snprintf(buf, len, "%u %u %u", pre_eol, a, b);
	return true;
}
