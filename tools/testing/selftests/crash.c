// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>

#include "crash.h"

#define MAGIC	0x70766372u

struct head {
	uint32_t magic;
	uint32_t number;
};

void crash_fill(void *buf, uint32_t sector, uint32_t sectors, uint32_t number)
{
	const struct head head = { MAGIC, number };
	uint8_t *p = buf;
	uint32_t i;

	pattern_fill(p, (size_t)sectors * SECTOR_SIZE, sector, number);
	for (i = 0; i < sectors; i++)
		memcpy(p + (size_t)i * SECTOR_SIZE, &head, sizeof(head));
}

int64_t crash_number(const void *buf, uint32_t sector)
{
	uint8_t want[SECTOR_SIZE];
	struct head head;

	memcpy(&head, buf, sizeof(head));
	if (!head.magic && bytes_check(buf, SECTOR_SIZE, 0) < 0)
		return 0;
	if (head.magic != MAGIC)
		return -1;
	crash_fill(want, sector, 1, head.number);
	return memcmp(buf, want, SECTOR_SIZE) ? -1 : (int64_t)head.number;
}

uint32_t crash_claim(const void *buf)
{
	struct head head;

	memcpy(&head, buf, sizeof(head));
	return head.magic == MAGIC ? head.number : 0;
}

int crash_record_save(const struct crash_record *r, const char *path)
{
	FILE *f = fopen(path, "w");
	int err = 0;

	if (!f)
		return -errno;
	if (fwrite(r->writes, sizeof(*r->writes), r->count, f) != r->count)
		err = -EIO;
	return fclose(f) ? -errno : err;
}

int crash_record_load(struct crash_record *r, const char *path)
{
	FILE *f = fopen(path, "r");
	long len;

	if (!f)
		return -errno;
	fseek(f, 0, SEEK_END);
	len = ftell(f);
	rewind(f);
	r->count = len / sizeof(*r->writes);
	r->writes = calloc(r->count + 1, sizeof(*r->writes));
	if (!r->writes || fread(r->writes, sizeof(*r->writes), r->count, f) != r->count)
		r->count = 0;
	fclose(f);
	return r->count ? 0 : -EIO;
}

int crash_mark(const char *name, uint64_t tick)
{
	struct {
		struct dm_ioctl io;
		struct dm_target_msg msg;
		char text[64];
	} call = { .io = { .version = { DM_VERSION_MAJOR, 0, 0 } } };
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	call.io.data_size = sizeof(call);
	call.io.data_start = offsetof(typeof(call), msg);
	snprintf(call.io.name, sizeof(call.io.name), "%s", name);
	snprintf(call.msg.message, sizeof(call.text), "mark " CRASH_MARK "%llu",
		 (unsigned long long)tick);
	if (ioctl(fd, DM_TARGET_MSG, &call))
		err = -errno;
	close(fd);
	return err;
}
