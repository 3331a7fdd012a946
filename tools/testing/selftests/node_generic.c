// SPDX-License-Identifier: GPL-2.0-only
/* The owner, features and memory. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "node.h"
#include "proc.h"

#define REGIONS_MAX	512u
#define OFFERED_NOT	(BIT(VIRTIO_BLK_F_SCSI) | BIT(63))

#define REGION(gpa, size, va)						\
	((struct vhost_memory_region){ .guest_phys_addr = (gpa), .memory_size = (size),	\
				       .userspace_addr = (va) })

/* A device that is open, and no more. */
static int node_open(void *ctx)
{
	struct env *e = ctx;

	memset(&e->b, 0, sizeof(e->b));
	e->b.mem.fd = -1;
	e->b.config_fd = -1;
	e->b.error_fd = -1;
	e->b.store_fd = -1;
	CHECK_OK(vhost_open(&e->b.v, e->opts.node));
	return 0;
}

static int owner_none(void *ctx)
{
	struct vhost_vring_state s = { .index = 0, .num = 256 };
	struct vhost_vring_file f = { .index = 0, .fd = -1 };
	struct vhost_memory mem = { };
	uint64_t features = 0;
	struct env *e = ctx;
	int n = 1;

	EXPECT(e, -EPERM, VHOST_RESET_OWNER, NULL);
	EXPECT(e, -EPERM, VHOST_SET_FEATURES, &features);
	EXPECT(e, -EPERM, VHOST_SET_FEATURES_ARRAY, &features);
	EXPECT(e, -EPERM, VHOST_SET_MEM_TABLE, &mem);
	EXPECT(e, -EPERM, VHOST_SET_VRING_NUM, &s);
	EXPECT(e, -EPERM, VHOST_GET_VRING_BASE, &s);
	EXPECT(e, -EPERM, VHOST_SET_VRING_KICK, &f);
	EXPECT(e, -EPERM, VHOST_BLK_SET_BACKEND, &f);
	EXPECT(e, -EPERM, VHOST_SET_NWORKERS, &n);
	/* What a VMM asks before it makes up its mind. */
	EXPECT(e, 0, VHOST_GET_FEATURES, &features);
	EXPECT(e, 0, VHOST_GET_BACKEND_FEATURES, &features);
	features = 0;
	EXPECT(e, 0, VHOST_GET_FEATURES_ARRAY, &features);
	return 0;
}

static int owner_twice(void *ctx)
{
	struct env *e = ctx;

	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	EXPECT(e, -EBUSY, VHOST_SET_OWNER, NULL);
	EXPECT(e, 0, VHOST_RESET_OWNER, NULL);
	EXPECT(e, -EPERM, VHOST_RESET_OWNER, NULL);
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	return 0;
}

static int child_is_nobody(struct env *e, void *arg)
{
	struct vhost_vring_state s = { .index = 0, .num = 256 };

	(void)arg;
	EXPECT(e, -EBUSY, VHOST_SET_OWNER, NULL);
	EXPECT(e, -EPERM, VHOST_SET_VRING_NUM, &s);
	EXPECT(e, -EPERM, VHOST_RESET_OWNER, NULL);
	return 0;
}

static int child_owns(struct env *e, void *arg)
{
	(void)arg;
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	EXPECT(e, 0, VHOST_RESET_OWNER, NULL);
	return 0;
}

static int owner_forked(void *ctx)
{
	struct env *e = ctx;

	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	CHECK_EQ(proc_wait(proc_run(child_is_nobody, e, NULL)), 0);
	EXPECT(e, 0, VHOST_RESET_OWNER, NULL);
	CHECK_EQ(proc_wait(proc_run(child_owns, e, NULL)), 0);
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	return 0;
}

static int features_values(void *ctx)
{
	uint64_t offered = 0, f;
	struct env *e = ctx;
	unsigned int bit;

	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	EXPECT(e, 0, VHOST_GET_FEATURES, &offered);
	CHECK_EQ(offered & OFFERED_NOT, 0);
	CHECK(offered & BIT(VIRTIO_F_VERSION_1), "VERSION_1 is not offered");
	for (bit = 0; bit < 64; bit++) {
		f = BIT(bit);
		EXPECT(e, offered & f ? 0 : -EOPNOTSUPP, VHOST_SET_FEATURES, &f);
	}
	EXPECT(e, 0, VHOST_SET_FEATURES, &offered);
	f = 0;
	EXPECT(e, 0, VHOST_SET_FEATURES, &f);
	return 0;
}

#define WORDS_MAX	512u

struct words {
	uint64_t count;
	uint64_t word[WORDS_MAX + 2];
};

static void words_set(struct words *w, uint64_t count, uint64_t first)
{
	memset(w, 0, sizeof(*w));
	w->count = count;
	w->word[0] = first;
}

/* As many words as were asked for, and not one more. */
static int features_array_get(void *ctx)
{
	static const uint64_t counts[] = { 0, 1, 2, 4, WORDS_MAX };
	static struct words w;
	struct env *e = ctx;
	unsigned int i, n;
	uint64_t offered;

	EXPECT(e, 0, VHOST_GET_FEATURES, &offered);
	for (i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		memset(&w, 0xff, sizeof(w));
		w.count = counts[i];
		EXPECT(e, 0, VHOST_GET_FEATURES_ARRAY, &w);
		CHECK_EQ(w.count, counts[i]);
		for (n = 0; n < counts[i]; n++)
			CHECK_EQ(w.word[n], n ? 0 : offered);
		CHECK_EQ(w.word[n], ~0ull);
	}
	w.count = WORDS_MAX + 1;
	EXPECT(e, -E2BIG, VHOST_GET_FEATURES_ARRAY, &w);
	w.count = ~0ull;
	EXPECT(e, -E2BIG, VHOST_GET_FEATURES_ARRAY, &w);
	w.count = 1ull << 61;
	EXPECT(e, -E2BIG, VHOST_GET_FEATURES_ARRAY, &w);
	return 0;
}

static int features_array_set(void *ctx)
{
	static struct words w;
	uint64_t offered = 0;
	struct env *e = ctx;
	unsigned int bit;

	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	EXPECT(e, 0, VHOST_GET_FEATURES, &offered);
	for (bit = 0; bit < 64; bit++) {
		words_set(&w, 1 + bit % 4, BIT(bit));
		EXPECT(e, offered & BIT(bit) ? 0 : -EOPNOTSUPP, VHOST_SET_FEATURES_ARRAY, &w);
	}
	for (bit = 64; bit < WORDS_MAX * 64; bit += 67) {
		words_set(&w, bit / 64, offered);
		w.word[bit / 64] = BIT(bit % 64);
		EXPECT(e, 0, VHOST_SET_FEATURES_ARRAY, &w);
		w.count++;
		EXPECT(e, -EOPNOTSUPP, VHOST_SET_FEATURES_ARRAY, &w);
	}
	words_set(&w, 0, ~0ull);
	EXPECT(e, 0, VHOST_SET_FEATURES_ARRAY, &w);
	words_set(&w, WORDS_MAX + 1, 0);
	EXPECT(e, -E2BIG, VHOST_SET_FEATURES_ARRAY, &w);
	w.count = ~0ull;
	EXPECT(e, -E2BIG, VHOST_SET_FEATURES_ARRAY, &w);
	return 0;
}

/* The array ends where nothing is mapped. */
static int features_array_cut_off(void *ctx)
{
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	struct env *e = ctx;
	uint64_t *words;
	uint64_t count;

	CHECK(p != MAP_FAILED, "out of memory");
	CHECK_EQ(munmap(p + page, page), 0);
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	words = (uint64_t *)(p + page) - 3;
	for (count = 0; count < 5; count++) {
		int want = count > 2 ? -EFAULT : 0;

		words[0] = count;
		EXPECT(e, want, VHOST_GET_FEATURES_ARRAY, words);
		words[0] = count;
		EXPECT(e, want, VHOST_SET_FEATURES_ARRAY, words);
	}
	words[2] = 0;
	EXPECT(e, 0, VHOST_GET_FEATURES_ARRAY, &words[2]);
	words[2] = 1;
	EXPECT(e, -EFAULT, VHOST_GET_FEATURES_ARRAY, &words[2]);
	EXPECT(e, -EFAULT, VHOST_SET_FEATURES_ARRAY, &words[2]);
	munmap(p, page);
	return 0;
}

static int backend_features(void *ctx)
{
	uint64_t offered = 1, f;
	struct env *e = ctx;

	EXPECT(e, 0, VHOST_GET_BACKEND_FEATURES, &offered);
	EXPECT(e, 0, VHOST_SET_BACKEND_FEATURES, &offered);
	f = ~0ull;
	EXPECT(e, -EOPNOTSUPP, VHOST_SET_BACKEND_FEATURES, &f);
	return 0;
}

/* Every call, with a pointer to where there is nothing. */
static int pointers_bad(void *ctx)
{
	static const unsigned long calls[] = {
		VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_GET_BACKEND_FEATURES,
		VHOST_SET_BACKEND_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_BASE, VHOST_GET_VRING_BASE, VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
		VHOST_BLK_SET_BACKEND, VHOST_BLK_SET_SERIAL, VHOST_SET_NWORKERS,
		VHOST_VDPA_GET_CONFIG, VHOST_VDPA_SET_CONFIG, VHOST_VDPA_GET_CONFIG_SIZE,
		VHOST_VDPA_SET_CONFIG_CALL, VHOST_GET_FEATURES_ARRAY, VHOST_SET_FEATURES_ARRAY,
		VHOST_SET_VRING_BUSYLOOP_TIMEOUT, VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
	};
	void *const pointers[] = { NULL, (void *)8, (void *)KERNEL_ADDRESS, (void *)-1L };
	struct env *e = ctx;
	unsigned int i, p;

	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (p = 0; p < sizeof(pointers) / sizeof(*pointers); p++)
			EXPECT(e, -EFAULT, calls[i], pointers[p]);
	return 0;
}

/* Numbers that no kernel has, and those of other kinds of device. */
static int calls_unknown(void *ctx)
{
	static const unsigned long calls[] = {
		0, ~0u, _IO(VHOST_VIRTIO, 0xFD), _IOW(VHOST_VIRTIO, 0xFF, int),
		VHOST_NET_SET_BACKEND, VHOST_SCSI_GET_ABI_VERSION, VHOST_VDPA_SET_STATUS,
		VHOST_VSOCK_SET_GUEST_CID,
	};
	struct env *e = ctx;
	uint64_t arg[8] = { 0 };
	unsigned int i;

	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		EXPECT(e, -ENOTTY, calls[i], arg);
	return 0;
}

static struct vhost_memory *table_alloc(unsigned int n)
{
	struct vhost_memory *mem = calloc(1, sizeof(*mem) + n * sizeof(mem->regions[0]));

	if (mem)
		mem->nregions = n;
	return mem;
}

static int memory_many_regions(void *ctx)
{
	struct vhost_memory *mem = table_alloc(REGIONS_MAX + 1);
	struct env *e = ctx;
	unsigned int i;

	CHECK(mem, "out of memory");
	for (i = 0; i <= REGIONS_MAX; i++)
		mem->regions[i] = REGION(i * 0x10000ull, 0x8000, 0x10000);
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	EXPECT(e, -E2BIG, VHOST_SET_MEM_TABLE, mem);
	mem->nregions = ~0u;
	EXPECT(e, -E2BIG, VHOST_SET_MEM_TABLE, mem);
	mem->nregions = REGIONS_MAX;
	EXPECT(e, 0, VHOST_SET_MEM_TABLE, mem);
	mem->nregions = 0;
	EXPECT(e, 0, VHOST_SET_MEM_TABLE, mem);
	free(mem);
	return 0;
}

static int memory_values(void *ctx)
{
	const struct {
		struct vhost_memory_region a, b;
		int want;
	} cases[] = {
		{ REGION(0, 0x1000, 0x10000), REGION(0x1000, 0x1000, 0x20000), 0 },
		{ REGION(0x1000, 0x1000, 0x20000), REGION(0, 0x1000, 0x10000), 0 },
		{ REGION(0, 0x1001, 0x10000), REGION(0x1000, 0x1000, 0x20000), -EEXIST },
		{ REGION(0, 0x1000, 0x10000), REGION(0, 0x1000, 0x10000), -EEXIST },
		{ REGION(0, 0, 0x10000), REGION(0, 0, 0), 0 },
		{ REGION(0, 0x1000, KERNEL_ADDRESS), REGION(0, 0, 0), -EFAULT },
		{ REGION(0, ~0ull, 0), REGION(0, 0, 0), -EFAULT },
		{ REGION(0, 1ull << 63, 1ull << 63), REGION(0, 0, 0), -EFAULT },
		{ REGION(~0ull, 2, 0x10000), REGION(0, 0, 0), -EINVAL },
		{ REGION(~0ull - 0xfff, 0x1000, 0x10000), REGION(0, 0x1000, 0x20000), 0 },
	};
	struct vhost_memory *mem = table_alloc(2);
	struct env *e = ctx;
	unsigned int i;

	CHECK(mem, "out of memory");
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		mem->regions[0] = cases[i].a;
		mem->regions[1] = cases[i].b;
		ktap_diag("case %u", i);
		EXPECT(e, cases[i].want, VHOST_SET_MEM_TABLE, mem);
	}
	mem->padding = 1;
	EXPECT(e, -EOPNOTSUPP, VHOST_SET_MEM_TABLE, mem);
	free(mem);
	return 0;
}

/* The table ends where nothing is mapped. */
static int memory_cut_off(void *ctx)
{
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	struct vhost_memory *mem;
	struct env *e = ctx;

	CHECK(p != MAP_FAILED, "out of memory");
	CHECK_EQ(munmap(p + page, page), 0);
	mem = (struct vhost_memory *)(p + page - sizeof(*mem) - sizeof(mem->regions[0]));
	mem->nregions = 2;
	EXPECT(e, 0, VHOST_SET_OWNER, NULL);
	EXPECT(e, -EFAULT, VHOST_SET_MEM_TABLE, mem);
	mem->nregions = 1;
	EXPECT(e, 0, VHOST_SET_MEM_TABLE, mem);
	munmap(p, page);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(owner_none),
	KTAP_TEST(owner_twice),
	KTAP_TEST(owner_forked),
	KTAP_TEST(features_values),
	KTAP_TEST(features_array_get),
	KTAP_TEST(features_array_set),
	KTAP_TEST(features_array_cut_off),
	KTAP_TEST(backend_features),
	KTAP_TEST(pointers_bad),
	KTAP_TEST(calls_unknown),
	KTAP_TEST(memory_many_regions),
	KTAP_TEST(memory_values),
	KTAP_TEST(memory_cut_off),
};

const struct ktap_suite node_generic_suite = {
	.name = "generic ioctls",
	.tests = tests,
	.count = sizeof(tests) / sizeof(*tests),
	.limit = 180,
	.setup = node_open,
	.teardown = env_close,
};
