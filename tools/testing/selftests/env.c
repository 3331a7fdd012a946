// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "options.h"

#define VERIFY_LEN	8192u

static int parse_mem(void *at, const char *arg)
{
	enum gmem_kind *kind = at;

	*kind = GMEM_SHARED;
	if (!strcmp(arg, "va"))
		return 0;
	if (strcmp(arg, "pa"))
		return -1;
	/* vhost-vdpa counts what it pins against the limit, whatever the capabilities. */
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
	*kind = GMEM_LOCKED;
	return 0;
}

#define AT(field)	offsetof(struct env, field)
#define ROW(name, value, field)	{ name, value, AT(field), 0, NULL }

static const struct option_row options[] = {
	ROW("dev", OPTION_TEXT, opts.name),
	ROW("node", OPTION_TEXT, opts.node),
	ROW("socket", OPTION_TEXT, opts.socket),
	ROW("store", OPTION_TEXT, store),
	ROW("back", OPTION_TEXT, back),
	{ "mem", OPTION_PARSED, AT(opts.kind), 0, parse_mem },
	ROW("serial", OPTION_TEXT, serial),
	ROW("queues", OPTION_NUMBER, opts.queues),
	ROW("num", OPTION_NUMBER16, opts.num),
	ROW("readonly", OPTION_FLAG, readonly),
	ROW("slow", OPTION_FLAG, slow),
	ROW("iotlb", OPTION_FLAG, opts.iotlb),
	ROW("only", OPTION_TEXT, only),
	ROW("seed", OPTION_NUMBER64, seed),
	ROW("rounds", OPTION_NUMBER, rounds),
	ROW("log", OPTION_TEXT, log),
	ROW("record", OPTION_TEXT, record),
	ROW("bridge", OPTION_TEXT, bridge),
	{ "packed", OPTION_BITS, AT(opts.with), BIT(VIRTIO_F_RING_PACKED), NULL },
	{ "in-order", OPTION_BITS, AT(opts.with), BIT(VIRTIO_F_IN_ORDER), NULL },
};

#define OPTIONS	(sizeof(options) / sizeof(*options))

static void die_of_usage(const char *program)
{
	fprintf(stderr,
		"usage: %s --dev NAME | --node PATH | --socket PATH | --bridge PROGRAM\n"
		"       --store PATH [--back PATH] [--mem va|pa]\n"
		"       [--serial S] [--queues N] [--num N] [--readonly] [--slow] [--iotlb]\n"
		"       [--only TEST] [--packed] [--in-order]\n"
		"       [--seed N] [--rounds N] [--log MAPPING --record FILE]\n",
		program);
	exit(2);
}

void env_parse(struct env *e, int argc, char **argv)
{
	const struct blk_opts *o = &e->opts;

	memset(e, 0, sizeof(*e));
	e->opts.mem_size = 32 * MIB;
	e->seed = 1;
	e->rounds = 20;
	if (options_take(e, options, OPTIONS, argc, argv) || !e->store ||
	    !!o->name + !!o->node + !!o->socket + !!e->bridge != 1)
		die_of_usage(argv[0]);
	if (!e->back)
		e->back = e->store;
	e->opts.store = e->store;
	e->opts.serial = e->serial;
	e->opts.readonly = e->readonly;
	ktap_diag("device %s, memory %s, seed %llu",
		  o->name ? o->name : o->node ? o->node : o->socket ? o->socket : e->bridge,
		  o->kind == GMEM_SHARED ? "va" : "pa", (unsigned long long)e->seed);
}

int env_open(void *ctx)
{
	struct env *e = ctx;

	CHECK_OK(blk_open(&e->b, &e->opts));
	return 0;
}

int env_start(void *ctx)
{
	struct env *e = ctx;

	CHECK_PASS(env_open(e));
	CHECK_OK(blk_start(&e->b));
	return 0;
}

int env_start_when_free(struct env *e)
{
	int err;

	CHECK_OK(blk_prepare(&e->b));
	while ((err = e->b.transport->go(&e->b)) == -EBUSY)
		usleep(1000);
	CHECK_OK(err);
	return 0;
}

int env_close(void *ctx)
{
	struct env *e = ctx;

	blk_close(&e->b);
	return 0;
}

bool env_store_is_file(const struct env *e)
{
	struct stat st;

	return !stat(e->store, &st) && S_ISREG(st.st_mode);
}

int env_store_read(const struct env *e, uint64_t sector, void *buf, uint32_t len)
{
	uint32_t room = (len + 4095) & ~4095u;
	int fd = open(e->back, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ssize_t n = -1;
	void *tmp;
	int err;

	/* Files in memory may know no other way than the page cache. */
	if (fd < 0 && errno == EINVAL)
		fd = open(e->back, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (posix_memalign(&tmp, 4096, room)) {
		close(fd);
		return -ENOMEM;
	}
	n = pread(fd, tmp, len, (off_t)(sector * SECTOR_SIZE));
	err = n < 0 ? -errno : n == (ssize_t)len ? 0 : -EIO;
	if (!err)
		memcpy(buf, tmp, len);
	free(tmp);
	close(fd);
	return err;
}

int env_store_check(const struct env *e, uint64_t sector, uint32_t len, uint64_t generation)
{
	void *buf = malloc(len);
	long wrong = -1;
	int err = buf ? env_store_read(e, sector, buf, len) : -ENOMEM;

	if (!err)
		wrong = pattern_check(buf, len, sector, generation);
	free(buf);
	CHECK_OK(err);
	CHECK(wrong < 0, "the store's sector %llu, byte %ld, is not of generation %llu",
	      (unsigned long long)sector, wrong, (unsigned long long)generation);
	return 0;
}

int env_verify_queue(struct env *e, unsigned int q, uint64_t sector)
{
	size_t mark = gmem_mark(&e->b.mem);
	uint8_t *out = gmem_alloc(&e->b.mem, VERIFY_LEN, 4096);
	uint8_t *in = gmem_alloc(&e->b.mem, VERIFY_LEN, 4096);
	static uint64_t generation;

	generation++;
	pattern_fill(out, VERIFY_LEN, sector, generation);
	CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_OUT, sector, out, VERIFY_LEN), VIRTIO_BLK_S_OK);
	CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_FLUSH, 0, NULL, 0), VIRTIO_BLK_S_OK);
	CHECK_PASS(env_store_check(e, sector, VERIFY_LEN, generation));
	CHECK_EQ(blk_rw(&e->b, q, VIRTIO_BLK_T_IN, sector, in, VERIFY_LEN), VIRTIO_BLK_S_OK);
	CHECK(pattern_check(in, VERIFY_LEN, sector, generation) < 0, "queue %u reads other data",
	      q);
	gmem_release(&e->b.mem, mark);
	return 0;
}

int env_verify(struct env *e)
{
	unsigned int q;

	for (q = 0; q < e->b.nqueues; q++)
		CHECK_PASS(env_verify_queue(e, q, 1024 + q * 64));
	return 0;
}

int env_verify_reset(struct env *e)
{
	CHECK_OK(blk_restart(&e->b, 0));
	CHECK(!blk_needs_reset(&e->b), "status is 0x%x", blk_status(&e->b));
	return env_verify(e);
}
