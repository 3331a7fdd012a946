// SPDX-License-Identifier: GPL-2.0-only
/* pvio's engine: its plain-memory instance. */
#include <stdlib.h>
#include <string.h>

#include <linux/bug.h>
#include <linux/slab.h>

#include "native.h"
#include "ring.h"

static struct pvring ring;
static struct pvring_batch *batch;
static struct pvmem_table *table;

/* What the engine calls, as the kernel has it. */
unsigned int unit_warnings;
bool unit_warnings_expected;

void *kzalloc(size_t size, gfp_t gfp)
{
	return calloc(1, size ?: 1);
}

void kfree(const void *p)
{
	free((void *)p);
}

int pvmem_copy_from(enum pvmem_kind kind, void *to, u64 addr, u32 len)
{
	memcpy(to, (const void *)(uintptr_t)addr, len);
	return 0;
}

void pvmem_pages_put(struct pvmem_pages *pages)
{
}

static const char *pvio_open(const struct native_ring *r)
{
	const struct pvring_config cfg = {
		.format = r->packed ? PVRING_PACKED : PVRING_SPLIT,
		.kind = PVMEM_KERN,
		.num = NATIVE_NUM,
		.indirect = true,
		.limits = { .max_desc = 64, .max_bytes = 1u << 20, .hdr_len = NATIVE_HDR },
	};
	int err = pvring_init(&ring, &cfg), i;

	if (err)
		return err == -EOPNOTSUPP ? "no rings of this format" : "cannot make a ring";
	ring.desc = (unsigned long)r->desc;
	ring.driver = (unsigned long)r->driver;
	ring.device = (unsigned long)r->device;
	table = pvmem_table_alloc(PVMEM_KERN, NATIVE_REGIONS);
	for (i = 0; i < (int)NATIVE_REGIONS && !err; i++)
		err = pvmem_table_add(table, r->mem[i].iova, r->mem[i].iova + r->mem[i].size - 1,
				      (uintptr_t)r->mem[i].va, PVMEM_READ | PVMEM_WRITE);
	batch = pvring_batch_alloc(NATIVE_BATCH, &cfg.limits);
	if (err || !batch || pvmem_table_seal(table))
		return "cannot make a memory table";
	return NULL;
}

static unsigned int pvio_serve(unsigned int n)
{
	int got = pvring_pop(&ring, table, batch, n), i;

	for (i = 0; i < got; i++)
		pvring_complete(&ring, batch->chain[i].head, batch->chain[i].in_len);
	if (got > 0 && (pvring_publish(&ring) || pvring_notify_needed(&ring)))
		return 0;
	return got > 0 ? got : 0;
}

const struct native_engine native_engine = {
	.open = pvio_open,
	.serve = pvio_serve,
};
