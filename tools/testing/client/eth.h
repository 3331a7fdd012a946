/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ethernet frames every byte of which follows from a number, so that whoever gets one knows which
 * it is, and whether it is whole.
 */
#ifndef PVIO_SELFTEST_ETH_H
#define PVIO_SELFTEST_ETH_H

#include <stdint.h>

#define ETH_MIN		14u	/* addresses and a type, and nothing else */
#define ETH_USUAL	1514u
#define ETH_TEST_TYPE	0x88b5u
#define ETH_GSO_HDR	54u	/* of a TCP segment: Ethernet, IPv4, TCP */

/* Who sends it: frames of others are taken for wrong ones. */
enum eth_way {
	ETH_TO_GUEST = 1,
	ETH_FROM_GUEST,
};

/* @len is ETH_MIN to 65535. */
void eth_fill(uint8_t *buf, uint32_t len, enum eth_way way, uint32_t nr);
/* The number of a frame, or -1 for what is not a whole frame of that way. */
int64_t eth_check(const uint8_t *buf, uint32_t len, enum eth_way way);

/*
 * A frame of TCP over IPv4 with a checksum that is still to be completed, as a header with
 * csum_start 34 and csum_offset 16 says.
 */
void eth_fill_tcp(uint8_t *buf, uint32_t len, uint32_t nr);
/* The offset of the first byte that is not as eth_fill_tcp() made it, or -1. */
long eth_check_tcp(const uint8_t *buf, uint32_t len, uint32_t nr);

#endif
