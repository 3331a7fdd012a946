// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "eth.h"

#define IP_OFF		14u
#define TCP_OFF		34u
#define TCP_SUM_OFF	(TCP_OFF + 16)

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static void put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static uint64_t seed_of(uint32_t len, enum eth_way way, uint32_t nr)
{
	return mix(nr + 0x9e3779b97f4a7c15ull * (len * 4ull + way));
}

/* Local addresses of single stations, so that nobody takes the frame for something special. */
static void fill_addresses(uint8_t *buf, uint32_t len, enum eth_way way, uint32_t nr)
{
	uint64_t seed = seed_of(len, way, nr);

	buf[0] = 0x02;
	buf[1] = way;
	put32(buf + 2, nr);
	buf[6] = 0x06;
	buf[7] = seed >> 16;
	put16(buf + 8, len);
	put16(buf + 10, seed);
}

static uint64_t word_at(uint64_t seed, uint32_t off)
{
	return seed + (off + 1) * 0x9e3779b97f4a7c15ull;
}

static void fill_data(uint8_t *buf, uint32_t from, uint32_t len, uint64_t seed)
{
	uint32_t off;

	for (off = from; off < len; off += 8) {
		uint64_t word = word_at(seed, off);

		memcpy(buf + off, &word, len - off < 8 ? len - off : 8);
	}
}

/* The offset of the first piece of the data that is wrong, or -1. */
static long check_data(const uint8_t *buf, uint32_t from, uint32_t len, uint64_t seed)
{
	uint32_t off;

	for (off = from; off < len; off += 8) {
		uint64_t word = word_at(seed, off);

		if (memcmp(buf + off, &word, len - off < 8 ? len - off : 8))
			return off;
	}
	return -1;
}

void eth_fill(uint8_t *buf, uint32_t len, enum eth_way way, uint32_t nr)
{
	fill_addresses(buf, len, way, nr);
	put16(buf + 12, ETH_TEST_TYPE);
	fill_data(buf, ETH_MIN, len, seed_of(len, way, nr));
}

int64_t eth_check(const uint8_t *buf, uint32_t len, enum eth_way way)
{
	uint8_t head[ETH_MIN];
	uint32_t nr;

	if (len < ETH_MIN)
		return -1;
	nr = get32(buf + 2);
	fill_addresses(head, len, way, nr);
	put16(head + 12, ETH_TEST_TYPE);
	if (memcmp(buf, head, ETH_MIN) ||
	    check_data(buf, ETH_MIN, len, seed_of(len, way, nr)) >= 0)
		return -1;
	return nr;
}

static uint16_t sum_of(const uint8_t *p, uint32_t len, uint32_t sum)
{
	uint32_t i;

	for (i = 0; i < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

void eth_fill_tcp(uint8_t *buf, uint32_t len, uint32_t nr)
{
	uint8_t *ip = buf + IP_OFF, *tcp = buf + TCP_OFF;

	memset(buf, 0, ETH_GSO_HDR);
	fill_addresses(buf, len, ETH_TO_GUEST, nr);
	put16(buf + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, len - IP_OFF);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + 12, 0x0a630001);
	put32(ip + 16, 0x0a630002);
	put16(ip + 10, ~sum_of(ip, 20, 0));
	put16(tcp, 4242);
	put16(tcp + 2, 4243);
	put32(tcp + 4, nr);
	tcp[12] = 5 << 4;
	tcp[13] = 0x10;
	put16(tcp + 14, 0xffff);
	/* Of the pseudo header alone. */
	put16(buf + TCP_SUM_OFF, sum_of(ip + 12, 8, 6 + len - TCP_OFF));
	fill_data(buf, ETH_GSO_HDR, len, seed_of(len, ETH_TO_GUEST, nr));
}

long eth_check_tcp(const uint8_t *buf, uint32_t len, uint32_t nr)
{
	uint8_t *want = malloc(len);
	long at = -1;
	uint32_t i;

	if (!want)
		abort();
	eth_fill_tcp(want, len, nr);
	for (i = 0; i < len && at < 0; i++)
		if (buf[i] != want[i])
			at = i;
	free(want);
	return at;
}
