// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zoned disks. The store has conventional zones first, then sequential ones, of which only so many
 * may be open and active, with less capacity than size: see zoned_make in lib.sh.
 */
#include <stdlib.h>

#include "env.h"

#define LEN		4096u
#define SECTORS		(LEN / SECTOR_SIZE)
#define ZONES_MAX	64u
#define INVALID		VIRTIO_BLK_S_ZONE_INVALID_CMD
#define UNALIGNED	VIRTIO_BLK_S_ZONE_UNALIGNED_WP

struct zones {
	struct env *e;
	uint64_t size;		/* of a zone, in sectors */
	unsigned int nr;
	unsigned int first;	/* sequential one */
	uint64_t capacity;	/* of that, in sectors */
	struct virtio_blk_zone_report *report;
};

static int report(struct zones *z, uint64_t sector, uint32_t len)
{
	memset(z->report, 0xa5, len);
	return blk_rw(&z->e->b, 0, VIRTIO_BLK_T_ZONE_REPORT, sector, z->report, len);
}

static uint32_t report_len(unsigned int nr)
{
	return sizeof(struct virtio_blk_zone_report) +
	       nr * sizeof(struct virtio_blk_zone_descriptor);
}

/* A zone as the device reports it. */
static int look(struct zones *z, unsigned int zone, struct virtio_blk_zone_descriptor *d)
{
	CHECK_EQ(report(z, zone * z->size, report_len(1)), VIRTIO_BLK_S_OK);
	CHECK_EQ(le64toh(z->report->nr_zones), 1);
	*d = z->report->zones[0];
	CHECK_EQ(le64toh(d->z_start), zone * z->size);
	return 0;
}

static int check_state(struct zones *z, unsigned int zone, unsigned int state)
{
	struct virtio_blk_zone_descriptor d;

	CHECK_PASS(look(z, zone, &d));
	CHECK_EQ(d.z_state, state);
	return 0;
}

static int manage(struct zones *z, uint32_t type, uint64_t sector)
{
	return blk_rw(&z->e->b, 0, type, sector, NULL, 0);
}

/* The first sequential zone's sector, or that of one @n behind it. */
static uint64_t seq(const struct zones *z, unsigned int n)
{
	return (z->first + n) * z->size;
}

static int zones_get(struct env *e, struct zones *z)
{
	unsigned int i;

	*z = (struct zones) { .e = e, .size = le32toh(e->b.config.zoned.zone_sectors) };
	CHECK(z->size, "zones have no size");
	z->report = gmem_alloc(&e->b.mem, report_len(ZONES_MAX), 8);
	CHECK_EQ(report(z, 0, report_len(ZONES_MAX)), VIRTIO_BLK_S_OK);
	z->nr = le64toh(z->report->nr_zones);
	CHECK_EQ(z->nr, (blk_capacity(&e->b) + z->size - 1) / z->size);
	for (i = 0; i < z->nr && z->report->zones[i].z_type == VIRTIO_BLK_ZT_CONV; i++)
		;
	z->first = i;
	CHECK(i && i + 8 < z->nr, "%u of %u zones are conventional", i, z->nr);
	z->capacity = le64toh(z->report->zones[i].z_cap);
	CHECK_EQ(manage(z, VIRTIO_BLK_T_ZONE_RESET_ALL, 0), VIRTIO_BLK_S_OK);
	return 0;
}

static int zone_offers(void *ctx)
{
	struct env *e = ctx;
	const struct virtio_blk_zoned_characteristics c = e->b.config.zoned;
	const uint64_t never = BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_SECURE_ERASE);

	CHECK_EQ(c.model, VIRTIO_BLK_Z_HM);
	CHECK_EQ(le32toh(c.max_open_zones), 3);
	CHECK_EQ(le32toh(c.max_active_zones), 5);
	CHECK_EQ(le32toh(c.write_granularity) % SECTOR_SIZE, 0);
	CHECK(le32toh(c.max_append_sectors) >= SECTORS, "nothing can be appended");
	CHECK(!(e->b.offered & never), "offers 0x%llx", (unsigned long long)e->b.offered);
	CHECK_EQ(e->b.config.max_discard_sectors, 0);
	ktap_diag("zones of %u sectors, append up to %u", le32toh(c.zone_sectors),
		  le32toh(c.max_append_sectors));
	return 0;
}

static int check_descriptor(const struct zones *z, unsigned int i,
			    const struct virtio_blk_zone_descriptor *d)
{
	bool conv = i < z->first;
	unsigned int k;

	CHECK_EQ(d->z_type, conv ? VIRTIO_BLK_ZT_CONV : VIRTIO_BLK_ZT_SWR);
	CHECK_EQ(d->z_state, conv ? VIRTIO_BLK_ZS_NOT_WP : VIRTIO_BLK_ZS_EMPTY);
	CHECK_EQ(le64toh(d->z_start), i * z->size);
	CHECK_EQ(le64toh(d->z_cap), conv ? z->size : z->capacity);
	if (!conv)
		CHECK_EQ(le64toh(d->z_wp), i * z->size);
	for (k = 0; k < sizeof(d->reserved); k++)
		CHECK_EQ(d->reserved[k], 0);
	return 0;
}

static int zone_report(void *ctx)
{
	struct zones z;
	unsigned int i;

	CHECK_PASS(zones_get(ctx, &z));
	CHECK_EQ(report(&z, 0, report_len(ZONES_MAX)), VIRTIO_BLK_S_OK);
	CHECK_EQ(le64toh(z.report->nr_zones), z.nr);
	for (i = 0; i < z.nr; i++)
		CHECK_PASS(check_descriptor(&z, i, &z.report->zones[i]));
	/* From within a zone; no more than there is room for; half a descriptor is none. */
	CHECK_EQ(report(&z, 2 * z.size + 8, report_len(3) + 32), VIRTIO_BLK_S_OK);
	CHECK_EQ(le64toh(z.report->nr_zones), 3);
	for (i = 0; i < 3; i++)
		CHECK_PASS(check_descriptor(&z, 2 + i, &z.report->zones[i]));
	CHECK_EQ(report(&z, (z.nr - 1) * z.size, report_len(4)), VIRTIO_BLK_S_OK);
	CHECK_EQ(le64toh(z.report->nr_zones), 1);
	CHECK_EQ(report(&z, 0, report_len(0)), VIRTIO_BLK_S_OK);
	CHECK_EQ(le64toh(z.report->nr_zones), 0);
	return 0;
}

static int zone_report_bad(void *ctx)
{
	struct env *e = ctx;
	struct zones z;

	CHECK_PASS(zones_get(e, &z));
	CHECK_EQ(report(&z, 0, report_len(0) - 1), INVALID);
	CHECK_EQ(report(&z, 0, 1), INVALID);
	CHECK_EQ(report(&z, blk_capacity(&e->b), report_len(1)), INVALID);
	CHECK_EQ(report(&z, UINT64_MAX, report_len(1)), INVALID);
	return 0;
}

static int write_at(struct zones *z, uint64_t sector, uint32_t len, uint64_t generation)
{
	struct blk *b = &z->e->b;
	size_t mark = gmem_mark(&b->mem);
	uint8_t *buf = gmem_alloc(&b->mem, len, LEN);
	int res;

	pattern_fill(buf, len, sector, generation);
	res = blk_rw(b, 0, VIRTIO_BLK_T_OUT, sector, buf, len);
	gmem_release(&b->mem, mark);
	return res;
}

static int zone_write(void *ctx)
{
	struct virtio_blk_zone_descriptor d;
	struct zones z;
	uint64_t at;

	CHECK_PASS(zones_get(ctx, &z));
	at = seq(&z, 0);
	CHECK_EQ(write_at(&z, at, 2 * LEN, 1), VIRTIO_BLK_S_OK);
	CHECK_EQ(write_at(&z, at + 2 * SECTORS, LEN, 2), VIRTIO_BLK_S_OK);
	CHECK_PASS(env_store_check(ctx, at, 2 * LEN, 1));
	CHECK_PASS(env_store_check(ctx, at + 2 * SECTORS, LEN, 2));
	CHECK_PASS(look(&z, z.first, &d));
	CHECK_EQ(d.z_state, VIRTIO_BLK_ZS_IOPEN);
	CHECK_EQ(le64toh(d.z_wp), at + 3 * SECTORS);
	/* Anywhere else than at the write pointer, beyond the capacity, across a border. */
	CHECK_EQ(write_at(&z, at, LEN, 3), UNALIGNED);
	CHECK_EQ(write_at(&z, at + 8 * SECTORS, LEN, 3), UNALIGNED);
	CHECK_EQ(write_at(&z, at + z.size - SECTORS, 2 * LEN, 3), INVALID);
	CHECK_EQ(write_at(&z, at + z.capacity, LEN, 3), INVALID);
	CHECK_PASS(env_store_check(ctx, at, 2 * LEN, 1));
	/* A conventional zone has no such rules. */
	CHECK_EQ(write_at(&z, 8 * SECTORS, LEN, 4), VIRTIO_BLK_S_OK);
	CHECK_EQ(write_at(&z, 0, LEN, 4), VIRTIO_BLK_S_OK);
	return 0;
}

/* Fills a zone up to its capacity: in order, with large requests of many pages. */
static int zone_fill(void *ctx)
{
	const uint32_t step = 256 * 1024;
	struct zones z;
	uint64_t done;

	CHECK_PASS(zones_get(ctx, &z));
	for (done = 0; done < z.capacity; done += step / SECTOR_SIZE)
		CHECK_EQ(write_at(&z, seq(&z, 1) + done, step, 7), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first + 1, VIRTIO_BLK_ZS_FULL));
	CHECK_PASS(env_store_check(ctx, seq(&z, 1), step, 7));
	CHECK_EQ(write_at(&z, seq(&z, 1) + z.capacity, LEN, 7), INVALID);
	return 0;
}

struct append {
	struct blk_req *req;
	uint8_t *data;
	uint8_t *answer;
	uint32_t len;
	uint32_t answer_len;
};

/* The answer in pieces of @piece bytes, 0 for one with the status. */
static void append_make(struct zones *z, struct append *a, uint64_t sector, uint32_t piece)
{
	struct blk *b = &z->e->b;
	uint32_t done, part;

	a->data = gmem_alloc(&b->mem, a->len + 1, 64);
	a->answer = gmem_alloc(&b->mem, a->answer_len + 1, 8);
	memset(a->answer, 0xff, a->answer_len + 1);
	blk_req_begin(a->req, VIRTIO_BLK_T_ZONE_APPEND, sector);
	blk_req_piece(a->req, a->req->hdr, sizeof(*a->req->hdr), false);
	if (a->len)
		blk_req_piece(a->req, a->data, a->len, false);
	if (!piece) {
		a->req->status = a->answer + a->answer_len;
		blk_req_piece(a->req, a->answer, a->answer_len + 1, true);
		return;
	}
	for (done = 0; done < a->answer_len; done += part) {
		part = a->answer_len - done < piece ? a->answer_len - done : piece;
		blk_req_piece(a->req, a->answer + done, part, true);
	}
	blk_req_piece(a->req, a->req->status, 1, true);
}

static uint64_t append_sector(const struct append *a)
{
	__le64 sector;

	memcpy(&sector, a->answer, sizeof(sector));
	return le64toh(sector);
}

/* Appends a pattern for the sector where it is expected to go. */
static int append(struct zones *z, uint64_t zone, uint64_t expected, uint32_t len,
		  uint32_t answer_len, uint32_t piece)
{
	struct append a = { .len = len, .answer_len = answer_len };
	struct blk *b = &z->e->b;
	size_t mark = gmem_mark(&b->mem);
	struct blk_req req;
	int res;

	blk_req_init(b, &req);
	a.req = &req;
	append_make(z, &a, zone, piece);
	pattern_fill(a.data, len, expected, 9);
	res = blk_do(b, 0, &req);
	if (res == VIRTIO_BLK_S_OK) {
		CHECK_EQ(append_sector(&a), expected);
		CHECK_EQ(req.used_len, answer_len + 1);
		CHECK_PASS(env_store_check(z->e, expected, len, 9));
	}
	gmem_release(&b->mem, mark);
	return res;
}

static int zone_append(void *ctx)
{
	struct env *e = ctx;
	struct zones z;
	uint64_t at, most;

	CHECK_PASS(zones_get(e, &z));
	most = le32toh(e->b.config.zoned.max_append_sectors) / SECTORS * SECTORS;
	at = seq(&z, 0);
	CHECK_EQ(append(&z, at, at, LEN, 8, 8), VIRTIO_BLK_S_OK);
	CHECK_EQ(append(&z, at, at + SECTORS, 3 * LEN, 8, 0), VIRTIO_BLK_S_OK);
	CHECK_EQ(append(&z, at, at + 4 * SECTORS, LEN, 8, 1), VIRTIO_BLK_S_OK);
	CHECK_EQ(append(&z, at, at + 5 * SECTORS, LEN, 8, 3), VIRTIO_BLK_S_OK);
	CHECK_EQ(append(&z, at, at + 6 * SECTORS, most * SECTOR_SIZE, 8, 8), VIRTIO_BLK_S_OK);
	return 0;
}

static int zone_append_bad(void *ctx)
{
	struct env *e = ctx;
	struct zones z;
	uint32_t most;
	uint64_t at;

	CHECK_PASS(zones_get(e, &z));
	most = le32toh(e->b.config.zoned.max_append_sectors) * SECTOR_SIZE;
	at = seq(&z, 0);
	CHECK_EQ(append(&z, at + SECTORS, at, LEN, 8, 8), INVALID);
	CHECK_EQ(append(&z, 0, 0, LEN, 8, 8), INVALID);
	CHECK_EQ(append(&z, blk_capacity(&e->b), 0, LEN, 8, 8), INVALID);
	CHECK_EQ(append(&z, at, at, most + LEN, 8, 8), INVALID);
	CHECK_EQ(append(&z, at, at, 0, 8, 8), UNALIGNED);
	CHECK_EQ(append(&z, at, at, 100, 8, 8), UNALIGNED);
	CHECK_EQ(append(&z, at, at, LEN, 7, 7), VIRTIO_BLK_S_IOERR);
	CHECK_EQ(append(&z, at, at, LEN, 16, 16), VIRTIO_BLK_S_IOERR);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_EMPTY));
	/* Full, or nearly. */
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_FINISH, at), VIRTIO_BLK_S_OK);
	CHECK_EQ(append(&z, at, at, LEN, 8, 8), INVALID);
	return 0;
}

#define DEEP	16u

/* Many at once: each goes somewhere, no two to the same place, none is lost. */
static int zone_append_deep(void *ctx)
{
	struct env *e = ctx;
	struct append a[DEEP];
	struct blk_req req[DEEP];
	uint32_t seen, i, slot;
	unsigned int round;
	struct zones z;

	CHECK_PASS(zones_get(e, &z));
	for (round = 0; round < e->rounds; round++) {
		size_t mark = gmem_mark(&e->b.mem);
		uint64_t at = seq(&z, 0) + round * DEEP * SECTORS;

		for (i = 0; i < DEEP; i++) {
			blk_req_init(&e->b, &req[i]);
			a[i] = (struct append) { .req = &req[i], .len = LEN, .answer_len = 8 };
			append_make(&z, &a[i], seq(&z, 0), 8);
			pattern_fill(a[i].data, LEN, i, round);
			CHECK_OK(blk_submit(&e->b, 0, &req[i]));
		}
		for (i = 0, seen = 0; i < DEEP; i++) {
			uint8_t buf[LEN];

			CHECK_OK(blk_wait(&e->b, 0, &req[i]));
			CHECK_EQ(*req[i].status, VIRTIO_BLK_S_OK);
			slot = (append_sector(&a[i]) - at) / SECTORS;
			CHECK(slot < DEEP && !(seen & 1u << slot), "sector %llu again",
			      (unsigned long long)append_sector(&a[i]));
			seen |= 1u << slot;
			CHECK_OK(env_store_read(e, append_sector(&a[i]), buf, LEN));
			CHECK(pattern_check(buf, LEN, i, round) < 0, "other data");
		}
		gmem_release(&e->b.mem, mark);
	}
	return 0;
}

static int zone_states(void *ctx)
{
	struct zones z;
	uint64_t at;

	CHECK_PASS(zones_get(ctx, &z));
	at = seq(&z, 0);
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_OPEN, at), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_EOPEN));
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_CLOSE, at), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_EMPTY));
	CHECK_EQ(write_at(&z, at, LEN, 1), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_IOPEN));
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_CLOSE, at), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_CLOSED));
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_FINISH, at), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_FULL));
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_RESET, at), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_EMPTY));
	CHECK_EQ(write_at(&z, at, LEN, 1), VIRTIO_BLK_S_OK);
	CHECK_EQ(write_at(&z, seq(&z, 1), LEN, 1), VIRTIO_BLK_S_OK);
	/* Its sector means nothing. */
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_RESET_ALL, 12345), VIRTIO_BLK_S_OK);
	CHECK_PASS(check_state(&z, z.first, VIRTIO_BLK_ZS_EMPTY));
	return check_state(&z, z.first + 1, VIRTIO_BLK_ZS_EMPTY);
}

static int zone_states_bad(void *ctx)
{
	static const uint32_t types[] = {
		VIRTIO_BLK_T_ZONE_OPEN, VIRTIO_BLK_T_ZONE_CLOSE, VIRTIO_BLK_T_ZONE_FINISH,
		VIRTIO_BLK_T_ZONE_RESET,
	};
	struct env *e = ctx;
	struct zones z;
	unsigned int i;

	CHECK_PASS(zones_get(e, &z));
	for (i = 0; i < sizeof(types) / sizeof(*types); i++) {
		CHECK_EQ(manage(&z, types[i], 0), INVALID);
		CHECK_EQ(manage(&z, types[i], seq(&z, 0) + SECTORS), INVALID);
		CHECK_EQ(manage(&z, types[i], blk_capacity(&e->b)), INVALID);
		CHECK_EQ(manage(&z, types[i], UINT64_MAX), INVALID);
		CHECK_EQ(manage(&z, types[i], UINT64_MAX - z.size + 1), INVALID);
	}
	return 0;
}

static int zone_resources(void *ctx)
{
	struct zones z;
	unsigned int i;

	CHECK_PASS(zones_get(ctx, &z));
	for (i = 0; i < 3; i++)
		CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_OPEN, seq(&z, i)), VIRTIO_BLK_S_OK);
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_OPEN, seq(&z, 3)), VIRTIO_BLK_S_ZONE_OPEN_RESOURCE);
	CHECK_EQ(write_at(&z, seq(&z, 3), LEN, 1), VIRTIO_BLK_S_ZONE_OPEN_RESOURCE);
	CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_RESET_ALL, 0), VIRTIO_BLK_S_OK);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(write_at(&z, seq(&z, i), LEN, 1), VIRTIO_BLK_S_OK);
		CHECK_EQ(manage(&z, VIRTIO_BLK_T_ZONE_CLOSE, seq(&z, i)), VIRTIO_BLK_S_OK);
	}
	CHECK_EQ(write_at(&z, seq(&z, 5), LEN, 1), VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE);
	CHECK_EQ(append(&z, seq(&z, 5), seq(&z, 5), LEN, 8, 8),
		 VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE);
	return 0;
}

/* Ranges would go past the write pointer. */
static int zone_ranges(void *ctx)
{
	struct virtio_blk_discard_write_zeroes *range;
	struct env *e = ctx;

	range = gmem_alloc(&e->b.mem, sizeof(*range), 8);
	*range = (struct virtio_blk_discard_write_zeroes) { .num_sectors = htole32(SECTORS) };
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_DISCARD, 0, range, sizeof(*range)),
		 VIRTIO_BLK_S_UNSUPP);
	CHECK_EQ(blk_rw(&e->b, 0, VIRTIO_BLK_T_WRITE_ZEROES, 0, range, sizeof(*range)),
		 VIRTIO_BLK_S_UNSUPP);
	return 0;
}

/* virtio 1.4, 5.2.5.2: who knows nothing of zones can't have such a disk. */
static int zone_unknown(void *ctx)
{
	struct env *e = ctx;
	struct blk_opts opts = e->opts;
	int err;

	blk_close(&e->b);
	opts.without = BIT(VIRTIO_BLK_F_ZONED);
	err = blk_open(&e->b, &opts);
	if (!err)
		err = blk_start(&e->b);
	CHECK_EQ(err, -EINVAL);
	return 0;
}

static const struct ktap_test tests[] = {
	KTAP_TEST(zone_offers),
	KTAP_TEST(zone_report),
	KTAP_TEST(zone_report_bad),
	KTAP_TEST(zone_write),
	KTAP_TEST(zone_fill),
	KTAP_TEST(zone_append),
	KTAP_TEST(zone_append_bad),
	KTAP_TEST(zone_append_deep),
	KTAP_TEST(zone_states),
	KTAP_TEST(zone_states_bad),
	KTAP_TEST(zone_resources),
	KTAP_TEST(zone_ranges),
	KTAP_TEST(zone_unknown),
};

int main(int argc, char **argv)
{
	static struct env e;
	const struct ktap_suite suite = {
		.name = "zones",
		.tests = tests,
		.count = sizeof(tests) / sizeof(*tests),
		.limit = 180,
		.setup = env_start,
		.teardown = env_close,
	};

	env_parse(&e, argc, argv);
	return ktap_run(&suite, 1, e.only, &e);
}
