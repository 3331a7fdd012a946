// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include <linux/kernel.h>

#include "guest.h"

#define GUEST_NEXT	0x1
#define GUEST_WRITE	0x2
#define GUEST_INDIRECT	0x4
#define GUEST_AVAIL	0x80	/* packed */
#define GUEST_USED	0x8000	/* packed */

/* The guest whose memory the engine reads. */
static struct guest *guest_reader;

void guest_init(struct guest *g, struct world *w, const struct pvring_config *cfg, u16 avail,
		bool wrap)
{
	*g = (struct guest) {
		.w = w,
		.format = cfg->format,
		.num = cfg->num,
		.avail = avail,
		.wrap = wrap,
	};
}

static void guest_put(struct guest *g, u8 *to, u64 value, size_t len)
{
	world_write(g->w, to, &value, len);
}

static void guest_desc(u8 *bytes, u64 addr, u32 len, u16 first, u16 second)
{
	memcpy(bytes, &addr, 8);
	memcpy(bytes + 8, &len, 4);
	memcpy(bytes + 12, &first, 2);
	memcpy(bytes + 14, &second, 2);
}

static u32 guest_len(struct fuzz_input *in)
{
	u8 what = fuzz_u8(in);

	switch (what >> 6) {
	case 0:
		return what;
	case 1:
		return 16 * (what & 0x3f);
	case 2:
		return 1 + fuzz_u16(in) % (2 * WORLD_PAGE);
	default:
		return fuzz_u32(in);
	}
}

/* A descriptor as the input says: of any ring, or of a table. */
static void guest_any_desc(struct guest *g, struct fuzz_input *in, u8 *bytes)
{
	u64 addr = world_iova(in);
	u32 len = guest_len(in);
	u8 bits = fuzz_u8(in);
	u16 flags = bits & 7, id = fuzz_u8(in);

	if (bits & 8)
		id = fuzz_u16(in);
	if (bits & 0x10)
		flags = fuzz_u16(in);
	if (g->format == PVRING_SPLIT) {
		guest_desc(bytes, addr, len, flags, id);
		return;
	}
	if (bits & 0x20)
		flags |= GUEST_AVAIL;
	if (bits & 0x40)
		flags |= GUEST_USED;
	guest_desc(bytes, addr, len, id, flags);
}

/* Cuts what would leave its memory. */
static void guest_aim(struct guest_write *wr, const struct world_mem *m, size_t off, size_t len)
{
	if (off >= m->len)
		return;
	wr->to = m->p + off;
	wr->len = min(len, m->len - off);
}

static void guest_aim_bytes(struct guest *g, struct fuzz_input *in, struct guest_write *wr)
{
	const struct world_mem *m = &g->w->mem[fuzz_u8(in) % WORLD_MEMS];
	size_t off = fuzz_u16(in), len = 1 + fuzz_u8(in) % GUEST_BYTES, i;

	guest_aim(wr, m, off % m->len, len);
	for (i = 0; i < len; i++)
		wr->bytes[i] = fuzz_u8(in);
}

static void guest_aim_desc(struct guest *g, struct fuzz_input *in, struct guest_write *wr)
{
	guest_aim(wr, &g->w->mem[WORLD_DESC], 16 * (fuzz_u8(in) % g->num), 16);
	guest_any_desc(g, in, wr->bytes);
}

static void guest_aim_table(struct guest *g, struct fuzz_input *in, struct guest_write *wr)
{
	const struct world_map *map = world_find(g->w, world_iova(in));
	size_t off = 16 * (fuzz_u8(in) % 8);
	struct world_mem m = { };

	if (map)
		m = (struct world_mem) { .p = map->mem, .len = map->len };
	guest_aim(wr, &m, off, 16);
	guest_any_desc(g, in, wr->bytes);
}

/* Two bytes of the driver area: index, an entry, flags, events. */
static void guest_aim_driver(struct guest *g, struct fuzz_input *in, struct guest_write *wr)
{
	const struct world_mem *m = &g->w->mem[WORLD_DRIVER];
	u16 off = 2 * fuzz_u8(in) % m->len, value = fuzz_u8(in);

	if (value == 0xff)
		value = fuzz_u16(in);
	else if ((off == 2 || off + 2 == m->len) && g->format == PVRING_SPLIT)
		value = g->avail + (s8)value;
	guest_aim(wr, m, off, 2);
	memcpy(wr->bytes, &value, 2);
}

static void guest_decode(struct guest *g, struct fuzz_input *in, struct guest_write *wr)
{
	static void (*const aims[])(struct guest *g, struct fuzz_input *in,
				    struct guest_write *wr) = {
		guest_aim_bytes, guest_aim_desc, guest_aim_table, guest_aim_driver,
	};

	*wr = (struct guest_write) { };
	aims[fuzz_u8(in) % ARRAY_SIZE(aims)](g, in, wr);
}

/* Writes now. */
void guest_write(struct guest *g, struct fuzz_input *in)
{
	struct guest_write wr;

	guest_decode(g, in, &wr);
	if (wr.len)
		world_write(g->w, wr.to, wr.bytes, wr.len);
}

/* Writes during the engine's next operation. */
void guest_arm(struct guest *g, struct fuzz_input *in)
{
	u8 after = fuzz_u8(in);

	/* Or spoils all that is read: nothing may be read once more. */
	if (after == 0xff) {
		g->flip = fuzz_u8(in);
		return;
	}
	if (g->narmed == GUEST_ARMED_MAX)
		return;
	guest_decode(g, in, &g->armed[g->narmed]);
	g->armed[g->narmed++].after = after;
}

static void guest_offer_split(struct guest *g, u16 head)
{
	u8 *avail = g->w->mem[WORLD_DRIVER].p;

	guest_put(g, avail + 4 + 2 * (g->avail % g->num), head, 2);
	guest_put(g, avail + 2, ++g->avail, 2);
}

/* The descriptor @i of the chain, its last one if not @more. */
static void guest_chain_desc(struct guest *g, struct fuzz_input *in, u16 head, unsigned int i,
			     bool more)
{
	u8 bytes[16], bits = fuzz_u8(in);
	u16 flags = bits & (GUEST_WRITE | GUEST_INDIRECT), slot;
	u64 addr = world_iova(in);
	u32 len = guest_len(in);

	/* A table only where it is likely to be one. */
	if (flags & GUEST_INDIRECT && (more || bits & 8))
		flags &= ~GUEST_INDIRECT;
	if (flags & GUEST_INDIRECT)
		len = 16 * (1 + len % 8);
	if (more)
		flags |= GUEST_NEXT;

	if (g->format == PVRING_SPLIT) {
		slot = (head + i) % g->num;
		guest_desc(bytes, addr, len, flags, (slot + 1) % g->num);
	} else {
		slot = g->avail;
		flags |= g->wrap ? GUEST_AVAIL : GUEST_USED;
		guest_desc(bytes, addr, len, head, flags);
		if (++g->avail == g->num) {
			g->avail = 0;
			g->wrap = !g->wrap;
		}
	}
	world_write(g->w, g->w->mem[WORLD_DESC].p + 16 * slot, bytes, 16);
}

/* What a driver does that means well, more or less. */
void guest_offer(struct guest *g, struct fuzz_input *in)
{
	u16 head = fuzz_u8(in) % g->num;
	unsigned int n = 1 + fuzz_u8(in) % 4, i;

	for (i = 0; i < n; i++)
		guest_chain_desc(g, in, head, i, i + 1 < n);
	if (g->format == PVRING_SPLIT)
		guest_offer_split(g, head);
}

/* What was armed happens from now on. */
void guest_begin(struct guest *g)
{
	g->nreads = 0;
	g->changed = false;
	g->acting = true;
	guest_reader = g;
}

void guest_end(struct guest *g)
{
	g->acting = false;
	g->narmed = 0;
	g->flip = 0;
	guest_reader = NULL;
}

static void guest_flip(struct guest *g, u8 *p, size_t len)
{
	unsigned int i;
	u8 byte;

	for (i = 0; i < WORLD_MEMS; i++) {
		struct world_mem *m = &g->w->mem[i];

		if (p < m->p || p + len > m->p + m->len)
			continue;
		for (; len; len--, p++) {
			byte = *p ^ g->flip;
			world_write(g->w, p, &byte, 1);
		}
		g->changed = true;
		return;
	}
}

/* The engine has read something: here and only here another CPU intervenes. */
void fuzz_has_read(const volatile void *p, size_t len)
{
	struct guest *g = guest_reader;
	unsigned int i;

	if (!g || !g->acting)
		return;
	g->nreads++;
	if (g->flip)
		guest_flip(g, (u8 *)p, len);
	for (i = 0; i < g->narmed; i++) {
		struct guest_write *wr = &g->armed[i];

		if (wr->after + 1U != g->nreads || !wr->len)
			continue;
		world_write(g->w, wr->to, wr->bytes, wr->len);
		g->changed = true;
	}
}
