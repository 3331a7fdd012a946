// SPDX-License-Identifier: GPL-2.0-only
/* A driver that always sends the same chains. It wants no calls. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_ring.h>

#include "native.h"

#define REGION_SIZE	(4u << 20)
#define GUEST_BASE	0x100000000ull
#define GUEST_GAP	0x40000000ull
#define LONGEST		3u

/* A descriptor as both formats have it, but for what says where the chain goes on. */
struct piece {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
};

static struct piece chains[NATIVE_CHAINS][LONGEST];
static unsigned int pieces;	/* of a chain, in the ring */
static uint16_t avail;		/* split: index; packed: position */
static uint16_t used;
static bool avail_wrap;
static bool used_wrap;

static struct piece piece(struct gmem *m, uint32_t len, uint16_t flags)
{
	return (struct piece){
		.addr = gmem_iova(m, gmem_alloc(m, len, 64)),
		.len = len,
		.flags = flags,
	};
}

static void make_table(struct native_ring *r, struct piece *c)
{
	struct gmem *m = &r->mem[0];
	struct vring_desc *split = gmem_alloc(m, LONGEST * sizeof(*split), 16);
	struct vring_packed_desc *packed = (void *)split;
	unsigned int i;

	for (i = 0; i < LONGEST; i++) {
		if (r->packed)
			packed[i] = (struct vring_packed_desc){ c[i].addr, c[i].len, 0,
				c[i].flags & VRING_DESC_F_WRITE };
		else
			split[i] = (struct vring_desc){ c[i].addr, c[i].len, c[i].flags,
				i + 1 < LONGEST ? i + 1 : 0 };
	}
	c[0] = (struct piece){
		.addr = gmem_iova(m, split),
		.len = LONGEST * sizeof(*split),
		.flags = VRING_DESC_F_INDIRECT,
	};
}

static void make_chain(struct native_ring *r, unsigned int i, enum native_shape shape)
{
	struct gmem *m = &r->mem[shape == NATIVE_TURNS ? i % NATIVE_REGIONS : 0];
	struct piece *c = chains[i];

	if (shape == NATIVE_ONE) {
		c[0] = piece(m, NATIVE_HDR + NATIVE_DATA, 0);
		return;
	}
	c[0] = piece(m, NATIVE_HDR, VRING_DESC_F_NEXT);
	c[1] = piece(m, NATIVE_DATA, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE);
	c[2] = piece(m, 1, VRING_DESC_F_WRITE);
	if (shape == NATIVE_INDIRECT)
		make_table(r, c);
}

/* The descriptors of a split ring stay; only heads go in. */
static void make_split(struct native_ring *r)
{
	struct vring_desc *desc = r->desc;
	unsigned int i, j, at;

	for (i = 0; i < NATIVE_CHAINS; i++) {
		for (j = 0; j < pieces; j++) {
			at = i * pieces + j;
			desc[at] = (struct vring_desc){ chains[i][j].addr, chains[i][j].len,
				chains[i][j].flags, j + 1 < pieces ? at + 1 : 0 };
		}
	}
	((struct vring_avail *)r->driver)->flags = htole16(VRING_AVAIL_F_NO_INTERRUPT);
}

static void make_packed(struct native_ring *r)
{
	struct vring_packed_desc_event *e = r->driver;

	e->flags = htole16(VRING_PACKED_EVENT_FLAG_DISABLE);
	avail_wrap = true;
	used_wrap = true;
}

void native_guest_open(struct native_ring *r, bool packed, enum native_shape shape)
{
	unsigned int i;

	*r = (struct native_ring){ .packed = packed };
	for (i = 0; i < NATIVE_REGIONS; i++) {
		if (gmem_create(&r->mem[i], GMEM_SHARED, GUEST_BASE + i * GUEST_GAP, REGION_SIZE)) {
			fprintf(stderr, "no memory\n");
			exit(1);
		}
	}
	r->desc = gmem_alloc(&r->mem[0], NATIVE_NUM * sizeof(struct vring_desc), 4096);
	r->driver = gmem_alloc(&r->mem[0], 4096, 4096);
	r->device = gmem_alloc(&r->mem[0], 4 * 4096, 4096);
	for (i = 0; i < NATIVE_CHAINS; i++)
		make_chain(r, i, shape);
	pieces = shape == NATIVE_ONE || shape == NATIVE_INDIRECT ? 1 : LONGEST;
	if (packed)
		make_packed(r);
	else
		make_split(r);
}

static void fill_split(struct native_ring *r)
{
	struct vring_avail *a = r->driver;
	unsigned int i;

	for (i = 0; i < NATIVE_CHAINS; i++)
		a->ring[avail++ % NATIVE_NUM] = htole16(i * pieces);
	__atomic_store_n(&a->idx, htole16(avail), __ATOMIC_RELEASE);
}

static void put_packed(struct native_ring *r, const struct piece *p, uint16_t id)
{
	const uint16_t a = 1 << VRING_PACKED_DESC_F_AVAIL, u = 1 << VRING_PACKED_DESC_F_USED;
	struct vring_packed_desc *d = (struct vring_packed_desc *)r->desc + avail;

	d->addr = htole64(p->addr);
	d->len = htole32(p->len);
	d->id = htole16(id);
	__atomic_store_n(&d->flags, htole16(p->flags | (avail_wrap ? a : u)), __ATOMIC_RELEASE);
	if (++avail == NATIVE_NUM) {
		avail = 0;
		avail_wrap = !avail_wrap;
	}
}

void native_guest_fill(struct native_ring *r)
{
	unsigned int i, j;

	if (!r->packed) {
		fill_split(r);
		return;
	}
	for (i = 0; i < NATIVE_CHAINS; i++)
		for (j = 0; j < pieces; j++)
			put_packed(r, &chains[i][j], i);
}

static bool came_back_split(struct native_ring *r, unsigned int i)
{
	const struct vring_used *u = r->device;

	return le16toh(u->idx) == avail &&
	       le32toh(u->ring[used++ % NATIVE_NUM].id) == i * pieces;
}

static bool came_back_packed(struct native_ring *r, unsigned int i)
{
	const struct vring_packed_desc *d = (struct vring_packed_desc *)r->desc + used;
	uint16_t flags = le16toh(d->flags);

	used += pieces;
	if (!!(flags & 1 << VRING_PACKED_DESC_F_AVAIL) != used_wrap ||
	    !!(flags & 1 << VRING_PACKED_DESC_F_USED) != used_wrap)
		return false;
	if (used >= NATIVE_NUM) {
		used -= NATIVE_NUM;
		used_wrap = !used_wrap;
	}
	return le16toh(d->id) == i;
}

void native_guest_reap(struct native_ring *r)
{
	unsigned int i;

	for (i = 0; i < NATIVE_CHAINS; i++) {
		if (r->packed ? came_back_packed(r, i) : came_back_split(r, i))
			continue;
		fprintf(stderr, "chain %u has not come back\n", i);
		exit(1);
	}
}
