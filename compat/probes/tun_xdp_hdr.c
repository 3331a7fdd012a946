// SPDX-License-Identifier: GPL-2.0-only
/* A tap wants the size of an XDP buffer before the header that is in it. */
#include <linux/if_tun.h>

int pvio_probe(const struct tun_xdp_hdr *hdr);
int pvio_probe(const struct tun_xdp_hdr *hdr)
{
	return hdr->buflen;
}
