/* SPDX-License-Identifier: GPL-2.0-only */
/* What a benchmark of networks needs beside the device: an interface, and chains for frames. */
#ifndef PVIO_CLIENT_BENCH_NET_H
#define PVIO_CLIENT_BENCH_NET_H

#include <net/if.h>

#include "net.h"

/* A header and 64 KiB in pages. */
#define BENCH_SEGS	18u

/* A frame's chain, which is sent again and again, or one for what comes in. */
struct bench_frame {
	struct ring_seg segs[BENCH_SEGS];
	unsigned int count;
};

/*
 * A tap that is up and on which nobody but the device sends. Returns a file descriptor, with whose
 * end it is gone, or a negative errno.
 */
int bench_tap_open(char ifname[IFNAMSIZ], int hdr_len);

/*
 * A frame of @len bytes to an address that nobody has. One that is longer than an interface's
 * may be is TCP that is still to be cut up, in pages, as a driver gets it.
 */
void bench_frame_out(struct net *n, struct bench_frame *f, uint32_t len);
/* Room for one, as a driver that merges buffers has it. */
void bench_frame_in(struct net *n, struct bench_frame *f);

#endif
