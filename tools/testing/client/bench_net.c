// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/if_tun.h>

#include "bench_net.h"
#include "eth.h"

#define PAGE		4096u
#define ROOM		1536u
#define MSS		1448
#define TCP_START	34
#define TCP_SUM		16

/* The kernel's own frames, such as IPv6 sends at once, would be among those that are counted. */
static int silence(const char *ifname)
{
	char path[80];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (write(fd, "1", 1) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int bring_up(struct ifreq *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	r->ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, r))
		err = -errno;
	close(fd);
	return err;
}

int bench_tap_open(char ifname[IFNAMSIZ], int hdr_len)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), err = 0;

	if (tap < 0)
		return -errno;
	if (ioctl(tap, TUNSETIFF, &r) || ioctl(tap, TUNSETVNETHDRSZ, &hdr_len))
		err = -errno;
	memcpy(ifname, r.ifr_name, IFNAMSIZ);
	if (!err)
		err = silence(ifname);
	if (!err)
		err = bring_up(&r);
	if (err)
		close(tap);
	return err ? err : tap;
}

static void add_seg(struct net *n, struct bench_frame *f, const void *p, uint32_t len, bool write)
{
	f->segs[f->count++] = (struct ring_seg){
		.addr = gmem_iova(&n->mem, p),
		.len = len,
		.write = write,
	};
}

static struct virtio_net_hdr_v1 tcp_header(void)
{
	return (struct virtio_net_hdr_v1){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = htole16(ETH_GSO_HDR),
		.gso_size = htole16(MSS),
		.csum_start = htole16(TCP_START),
		.csum_offset = htole16(TCP_SUM),
	};
}

static void make_long(struct net *n, struct bench_frame *f, uint32_t len)
{
	const struct virtio_net_hdr_v1 hdr = tcp_header();
	uint8_t *p = gmem_alloc(&n->mem, n->hdr_len + ETH_GSO_HDR, PAGE);
	uint8_t *frame = malloc(len);
	uint32_t at, part;

	if (!frame)
		abort();
	eth_fill_tcp(frame, len, 0);
	memcpy(p, &hdr, n->hdr_len);
	memcpy(p + n->hdr_len, frame, ETH_GSO_HDR);
	add_seg(n, f, p, n->hdr_len + ETH_GSO_HDR, false);
	for (at = ETH_GSO_HDR; at < len; at += part) {
		part = len - at < PAGE ? len - at : PAGE;
		p = gmem_alloc(&n->mem, part, PAGE);
		memcpy(p, frame + at, part);
		add_seg(n, f, p, part, false);
	}
	free(frame);
}

void bench_frame_out(struct net *n, struct bench_frame *f, uint32_t len)
{
	uint8_t *p;

	f->count = 0;
	if (len > ETH_USUAL) {
		make_long(n, f, len);
		return;
	}
	p = gmem_alloc(&n->mem, n->hdr_len + len, 64);
	eth_fill(p + n->hdr_len, len, ETH_FROM_GUEST, 0);
	add_seg(n, f, p, n->hdr_len + len, false);
}

void bench_frame_in(struct net *n, struct bench_frame *f)
{
	f->count = 0;
	add_seg(n, f, gmem_alloc(&n->mem, ROOM, 64), ROOM, true);
}
