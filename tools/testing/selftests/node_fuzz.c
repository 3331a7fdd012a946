// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "ktap.h"
#include "node_fuzz.h"

static unsigned long did[NODE_FUZZ_OPS];

static const struct node_fuzz_op *op_of(const struct node_fuzz_kind *k, unsigned int i)
{
	return i < k->count ? &k->ops[i] : &node_fuzz_vmm_ops[i - k->count];
}

static unsigned int nr_ops(const struct node_fuzz_kind *k)
{
	return k->count + node_fuzz_vmm_count;
}

static void do_any(struct node_fuzz *f, const struct vhost *v, struct prng *p, bool beside)
{
	const struct node_fuzz_op *op;
	unsigned int i;

	do {
		i = prng_range(p, 0, nr_ops(f->kind) - 1);
		op = op_of(f->kind, i);
	} while (beside && !op->beside);
	op->fn(f, v, p);
	__atomic_add_fetch(&did[i], 1, __ATOMIC_RELAXED);
}

static void *do_beside(void *arg)
{
	struct node_fuzz *f = arg;

	while (!f->stop)
		do_any(f, &f->v, &f->beside, true);
	return NULL;
}

int node_fuzz_open(struct node_fuzz *f, uint64_t seed)
{
	f->prng.state = seed;
	f->beside.state = seed ^ 0xbe51de;
	f->v = *f->first;
	f->v.fd = dup(f->first->fd);
	if (f->v.fd < 0)
		return -errno;
	return gmem_create(&f->mem, GMEM_SHARED, NODE_FUZZ_MEM_IOVA, NODE_FUZZ_MEM_SIZE);
}

int node_fuzz_start(struct node_fuzz *f)
{
	return -pthread_create(&f->thread, NULL, do_beside, f);
}

void node_fuzz_run(struct node_fuzz *f, unsigned int ops)
{
	for (; ops; ops--)
		do_any(f, f->first, &f->prng, false);
}

void node_fuzz_stop(struct node_fuzz *f)
{
	/* In any order: who comes last ends the device. */
	if (prng_chance(&f->prng, 50)) {
		close(f->first->fd);
		f->first->fd = -1;
	}
	f->stop = true;
	pthread_join(f->thread, NULL);
	vhost_close(&f->v);
}

void node_fuzz_close(struct node_fuzz *f)
{
	gmem_destroy(&f->mem);
}

void node_fuzz_tell(const struct node_fuzz_kind *k)
{
	unsigned long all = 0;
	unsigned int i;

	for (i = 0; i < nr_ops(k); i++) {
		ktap_diag("%s: %lu", op_of(k, i)->name, did[i]);
		all += did[i];
	}
	ktap_diag("executions: %lu", all);
}
