// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fuzzer of a disk: rounds of random operations of a guest and of its VMM, each on an opening of
 * the device of its own, while one thread scribbles over rings, tables and headers and another
 * makes calls beside. Round N of seed S is round 0 of seed S + N, so that the last one that was
 * announced can be done again. The device may refuse and break what it likes; after it a sane VMM
 * finds a device that works, and the kernel has nothing to report.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_fuzz.h"

#define FUZZ_OPS	64
/* Rounds after which a sane VMM looks. */
#define FUZZ_SANE	8
#define FUZZ_OPS_MAX	64

static void fuzz_do(struct fuzz *f, const struct vhost *v, struct prng *p, unsigned int who)
{
	unsigned int kind = f->e->opts.name ? FUZZ_VDPA : FUZZ_NODE, i;
	const struct fuzz_op *op;

	do {
		i = prng_range(p, 0, fuzz_vmm_count + fuzz_ioctl_count - 1);
		op = i < fuzz_vmm_count ? &fuzz_vmm_ops[i] : &fuzz_ioctl_ops[i - fuzz_vmm_count];
	} while (!(op->who & kind) || (op->who & who) != who);
	op->fn(f, v, p);
	__atomic_add_fetch(&f->did[i], 1, __ATOMIC_RELAXED);
}

static void *fuzz_beside(void *arg)
{
	struct fuzz *f = arg;

	while (!f->stop)
		fuzz_do(f, &f->v, &f->beside, FUZZ_BESIDE);
	return NULL;
}

static int fuzz_open(struct fuzz *f, struct env *e, uint64_t seed)
{
	static const uint64_t odd[] = {
		BIT(VIRTIO_RING_F_EVENT_IDX), BIT(VIRTIO_RING_F_INDIRECT_DESC),
		BIT(VIRTIO_BLK_F_FLUSH), BIT(VIRTIO_BLK_F_CONFIG_WCE), 0, 0,
	};
	struct prng *p = &f->prng;

	p->state = seed;
	f->beside.state = seed ^ 0xbe51de;
	f->e = e;
	e->seed = seed;
	e->opts.without = odd[prng_range(p, 0, 5)];
	e->opts.with = (prng_chance(p, 50) ? BIT(VIRTIO_F_RING_PACKED) : 0) |
		       (prng_chance(p, 30) ? BIT(VIRTIO_F_IN_ORDER) : 0);
	e->opts.iotlb = e->opts.node && prng_chance(p, 40);
	e->opts.base = prng_range(p, 0, 2) ? prng_next(p) : 0;
	CHECK_OK(blk_open(&e->b, &e->opts));
	/* What the client itself doesn't know: whatever is in memory is rubbish then. */
	if (prng_chance(p, 25))
		e->b.features |= e->b.offered & prng_next(p);
	CHECK_PASS(scribbler_make(&f->s, e, prng_range(p, 1, TARGET_ALL), SCRIBBLE_LEN));
	CHECK_OK(gmem_create(&f->mem, e->opts.kind, FUZZ_MEM_IOVA, FUZZ_MEM_SIZE));
	if (e->opts.name || e->opts.iotlb)
		vhost_map_gmem(&e->b.v, &f->mem);
	f->v = e->b.v;
	f->v.fd = dup(e->b.v.fd);
	CHECK(f->v.fd >= 0, "no descriptor");
	/* It may not like the features. */
	blk_start(&e->b);
	return 0;
}

static void fuzz_close(struct fuzz *f)
{
	/* In any order: who comes last ends the device. */
	if (prng_chance(&f->prng, 50)) {
		close(f->e->b.v.fd);
		f->e->b.v.fd = -1;
	}
	f->stop = true;
	pthread_join(f->thread, NULL);
	vhost_close(&f->v);
	scribble_stop(&f->s);
	if (f->mem.va)
		gmem_destroy(&f->mem);
	scribbler_free(&f->s);
	blk_close(&f->e->b);
}

static int fuzz_round(struct env *e, uint64_t seed, unsigned long *did)
{
	struct fuzz f = { .did = did };
	unsigned int i;
	int res;

	CHECK_PASS(fuzz_open(&f, e, seed));
	CHECK_PASS(scribble_start(&f.s));
	CHECK_EQ(pthread_create(&f.thread, NULL, fuzz_beside, &f), 0);
	for (i = prng_range(&f.prng, 1, FUZZ_OPS); i; i--)
		fuzz_do(&f, &e->b.v, &f.prng, 0);
	res = scribbler_check(&f.s);
	fuzz_close(&f);
	return res;
}

static int fuzz_sane(struct env *e)
{
	int res;

	e->opts.without = 0;
	e->opts.with = 0;
	e->opts.iotlb = false;
	e->opts.base = 0;
	CHECK_OK(blk_open(&e->b, &e->opts));
	CHECK_OK(blk_start(&e->b));
	res = env_verify(e);
	blk_close(&e->b);
	return res;
}

static void fuzz_tell(const unsigned long *did)
{
	unsigned long all = 0;
	unsigned int i;

	for (i = 0; i < fuzz_vmm_count; i++) {
		ktap_diag("%s: %lu", fuzz_vmm_ops[i].name, did[i]);
		all += did[i];
	}
	for (i = 0; i < fuzz_ioctl_count; i++) {
		ktap_diag("%s: %lu", fuzz_ioctl_ops[i].name, did[fuzz_vmm_count + i]);
		all += did[fuzz_vmm_count + i];
	}
	ktap_diag("executions: %lu", all);
}

static int fuzz(void *ctx)
{
	static unsigned long did[FUZZ_OPS_MAX];
	struct env *e = ctx;
	uint64_t seed = e->seed;
	unsigned int i;

	for (i = 0; i < e->rounds; i++) {
		ktap_diag("round --seed %llu --rounds 1", (unsigned long long)(seed + i));
		CHECK_PASS(fuzz_round(e, seed + i, did));
		if (i % FUZZ_SANE == FUZZ_SANE - 1 || i == e->rounds - 1)
			CHECK_PASS(fuzz_sane(e));
	}
	fuzz_tell(did);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(fuzz),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "any operation",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 3600,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
