// SPDX-License-Identifier: GPL-2.0-only
/* What is in flight: regions, VMMs that are killed, and draining. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <linux/pvio_vhost_blk.h>

#include "inflight.h"
#include "node.h"

void *shared_make(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void shared_free(void *p, size_t size)
{
	munmap(p, size);
}

static bool packed(const struct env *e)
{
	return e->b.features & BIT(VIRTIO_F_RING_PACKED);
}

size_t region_size(const struct env *e)
{
	return packed(e) ? sizeof(struct vhost_inflight_packed) +
			   e->b.num * sizeof(struct vhost_inflight_packed_desc) :
			   sizeof(struct vhost_inflight_split) +
			   e->b.num * sizeof(struct vhost_inflight_split_desc);
}

int region_set(const struct env *e, unsigned int q, const void *region, size_t size)
{
	struct vhost_vring_inflight in = {
		.index = q,
		.addr = (uintptr_t)region,
		.size = size,
	};

	return vhost_ioctl(&e->b.v, VHOST_SET_VRING_INFLIGHT, &in);
}

unsigned int region_inflight(const struct env *e, const void *region)
{
	const struct vhost_inflight_packed *p = region;
	const struct vhost_inflight_split *s = region;
	unsigned int i, n = 0;

	for (i = 0; i < e->b.num; i++)
		n += packed(e) ? p->desc[i].inflight : s->desc[i].inflight;
	return n;
}

uint16_t region_used_idx(const struct env *e, const void *region)
{
	const struct vhost_inflight_packed *p = region;
	const struct vhost_inflight_split *s = region;

	return packed(e) ? p->used_idx : s->used_idx;
}

/* What is no region, or none that can be held. */
static int region_refused(void *ctx)
{
	struct env *e = ctx;
	uint8_t *region = gmem_alloc(&e->b.mem, 1u << 16, 4096);
	struct vhost_vring_inflight in = { .index = 99, .addr = (uintptr_t)region, .size = 4096 };
	struct vhost_vring_inflight_info flight = { .index = 99 };
	size_t size = region_size(e);

	EXPECT(e, -ENOBUFS, VHOST_SET_VRING_INFLIGHT, &in);
	EXPECT(e, -ENOBUFS, VHOST_GET_VRING_INFLIGHT, &flight);
	EXPECT(e, -EFAULT, VHOST_SET_VRING_INFLIGHT, NULL);
	EXPECT(e, -EFAULT, VHOST_GET_VRING_INFLIGHT, NULL);
	EXPECT(e, -EFAULT, VHOST_DRAIN, NULL);
	EXPECT(e, -EINVAL, VHOST_DRAIN, &(struct vhost_drain){ .flags = 1 });
	EXPECT(e, -EINVAL, VHOST_DRAIN, &(struct vhost_drain){ .reserved = 1 });
	in.index = 0;
	in.flags = 1;
	EXPECT(e, -EINVAL, VHOST_SET_VRING_INFLIGHT, &in);
	CHECK_EQ(region_set(e, 0, region + 4, size), -EINVAL);
	CHECK_EQ(region_set(e, 0, region, 8), -EINVAL);
	CHECK_EQ(region_set(e, 0, (void *)KERNEL_ADDRESS, size), -EFAULT);
	CHECK_EQ(region_set(e, 0, (void *)-8ul, size), -EFAULT);
	CHECK_EQ(region_set(e, 0, (void *)4096, size), -EFAULT);

	/* One that is too small, or of something else, is found by the start. */
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(region_set(e, 0, region, size - 1));
	CHECK_EQ(e->b.transport->go(&e->b), -EINVAL);
	CHECK_OK(region_set(e, 0, region, size));
	((struct vhost_inflight_split *)region)->version = 2;
	CHECK_EQ(e->b.transport->go(&e->b), -EINVAL);
	((struct vhost_inflight_split *)region)->version = 1;
	CHECK_EQ(e->b.transport->go(&e->b), -EINVAL);

	/* With none it starts as ever. */
	CHECK_OK(region_set(e, 0, NULL, 0));
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK_EQ(region_set(e, 0, region, size), -EBUSY);
	return env_verify(e);
}

/* A region that fits the queue, but not what is in its ring. */
static int region_of_another(void *ctx)
{
	struct env *e = ctx;
	struct vhost_inflight_split *s = gmem_alloc(&e->b.mem, region_size(e), 64);

	s->version = 1;
	s->desc_num = e->b.num;
	if (packed(e))
		((struct vhost_inflight_packed *)s)->old_used_idx = 7;
	else
		s->used_idx = 30000;
	CHECK_OK(blk_prepare(&e->b));
	CHECK_OK(region_set(e, 0, s, region_size(e)));
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK(blk_wait_needs_reset(&e->b), "the queue takes it");
	return env_verify_reset(e);
}

/* After requests of all queues, as one that has done them leaves it. */
static int region_kept(void *ctx)
{
	struct env *e = ctx;
	void *region[QUEUES];
	unsigned int q;

	CHECK_OK(blk_prepare(&e->b));
	for (q = 0; q < QUEUES; q++) {
		region[q] = gmem_alloc(&e->b.mem, region_size(e), 64);
		CHECK_OK(region_set(e, q, region[q], region_size(e)));
	}
	CHECK_OK(e->b.transport->go(&e->b));
	CHECK_PASS(env_verify(e));
	/* The region follows when the driver has seen it. */
	CHECK_OK(vhost_ioctl(&e->b.v, VHOST_DRAIN, &(struct vhost_drain){ .timeout_ms = 60000 }));
	for (q = 0; q < QUEUES; q++) {
		const struct vhost_inflight_split *s = region[q];

		CHECK_EQ(s->version, 1);
		CHECK_EQ(s->desc_num, e->b.num);
		CHECK_EQ(region_inflight(e, s), 0);
		CHECK_EQ(region_used_idx(e, s), e->b.rings[q].used_idx);
	}
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(region_refused),
	KTAP_TEST(region_of_another),
	KTAP_TEST(region_kept),
};

const struct ktap_suite inflight_region_suite = {
	.name = "in-flight regions",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = env_open,
	.teardown = env_close,
};

int main(int argc, char **argv)
{
	static struct env e;
	struct ktap_suite suites[3];

	env_parse(&e, argc, argv);
	e.opts.queues = QUEUES;
	suites[0] = inflight_region_suite;
	suites[1] = inflight_drain_suite;
	suites[2] = inflight_vmm_suite;
	return ktap_run(suites, 3, e.only, &e);
}
