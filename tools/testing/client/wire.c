// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>

#include "wire.h"

#ifndef TUN_F_UDP_TUNNEL_GSO
#define TUN_F_UDP_TUNNEL_GSO		0x080
#define TUN_F_UDP_TUNNEL_GSO_CSUM	0x100
#endif

#define QUEUE_LEN	2000
#define RCVBUF		(64 << 20)

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -EIO : 0;
}

int wire_namespace(void)
{
	if (unshare(CLONE_NEWNET))
		return -errno;
	/* It would look for routers and neighbours; not every kernel has it. */
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	return 0;
}

int wire_run(const char *fmt, ...)
{
	char command[512];
	size_t n;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	n = vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	if (n + 16 > sizeof(command))
		return -E2BIG;
	strcat(command, " >/dev/null 2>&1");
	rc = system(command);
	return rc ? -EIO : 0;
}

static int link_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	/* Not every kernel has IPv4. */
	if (fd < 0)
		fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	err = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return err;
}

int wire_link(const char *name, bool up)
{
	struct ifreq ifr = { };
	int err = link_ioctl(name, SIOCGIFFLAGS, &ifr);

	if (err)
		return err;
	ifr.ifr_flags |= IFF_NOARP;
	ifr.ifr_flags &= ~IFF_UP;
	ifr.ifr_flags |= up ? IFF_UP : 0;
	return link_ioctl(name, SIOCSIFFLAGS, &ifr);
}

static int set_up(const char *name, unsigned int mtu)
{
	struct ifreq queue = { .ifr_qlen = QUEUE_LEN };
	struct ifreq size = { .ifr_mtu = mtu };
	int err = link_ioctl(name, SIOCSIFTXQLEN, &queue);

	if (!err && mtu)
		err = link_ioctl(name, SIOCSIFMTU, &size);
	return err ? err : wire_link(name, true);
}

int wire_socket(const char *name, bool gso)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(name),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, size = RCVBUF, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	/* No queue of the interface's, which might do as it likes. */
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
	if ((gso && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one))) ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int tap_attach(const struct wire *w, int fd)
{
	unsigned int offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
	const unsigned int tunnels = TUN_F_UDP_TUNNEL_GSO | TUN_F_UDP_TUNNEL_GSO_CSUM;
	int size = w->opts.hdr_len;
	struct ifreq ifr = {
		.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE | (size ? IFF_VNET_HDR : 0),
	};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", w->name);
	if (w->opts.kind == WIRE_MACVTAP)
		ifr.ifr_flags &= ~IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &ifr))
		return -errno;
	if (w->opts.tunnels)
		offload |= tunnels;
	if (size && (ioctl(fd, TUNSETVNETHDRSZ, &size) || ioctl(fd, TUNSETOFFLOAD, offload)))
		return -errno;
	return 0;
}

int wire_reopen(const struct wire *w)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = tap_attach(w, fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static int open_tap(struct wire *w)
{
	memcpy(w->far, w->name, sizeof(w->far));
	w->backend = wire_reopen(w);
	return w->backend < 0 ? w->backend : set_up(w->name, w->opts.mtu);
}

static int open_veth(struct wire *w)
{
	int err = wire_run("ip link add %s type veth peer name %s", w->far, w->name);

	if (!err)
		err = set_up(w->far, w->opts.mtu);
	return err ? err : set_up(w->name, w->opts.mtu);
}

static int open_macvtap(struct wire *w)
{
	char path[64];
	int err = open_veth(w);

	if (!err)
		err = wire_run("ip link add link %s name mac%s type macvtap mode passthru",
			       w->name, w->name);
	if (err)
		return err;
	snprintf(path, sizeof(path), "mac%.8s", w->name);
	err = set_up(path, w->opts.mtu);
	snprintf(path, sizeof(path), "/dev/tap%u", if_nametoindex(path));
	w->backend = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (w->backend < 0)
		return -errno;
	return err ? err : tap_attach(w, w->backend);
}

static int open_packet(struct wire *w)
{
	int err = open_veth(w);

	if (err)
		return err;
	w->backend = wire_socket(w->name, w->opts.hdr_len);
	return w->backend < 0 ? w->backend : 0;
}

int wire_open(struct wire *w, const struct wire_opts *opts)
{
	static unsigned int nr;
	int err;

	memset(w, 0, sizeof(*w));
	w->opts = *opts;
	w->backend = -1;
	w->sock = -1;
	snprintf(w->name, sizeof(w->name), "pv%u", nr);
	snprintf(w->far, sizeof(w->far), "far%u", nr++);
	err = opts->kind == WIRE_TAP ? open_tap(w) :
	      opts->kind == WIRE_MACVTAP ? open_macvtap(w) : open_packet(w);
	if (!err) {
		w->sock = wire_socket(w->far, opts->gso);
		err = w->sock < 0 ? w->sock : 0;
	}
	if (err)
		wire_close(w);
	return err;
}

void wire_drop_backend(struct wire *w)
{
	if (w->backend >= 0)
		close(w->backend);
	w->backend = -1;
}

/*
 * Interfaces stay, down, until the namespace is gone with all of them at once: a kernel full of
 * checks takes seconds for each one.
 */
void wire_close(struct wire *w)
{
	if (w->backend >= 0 && w->opts.kind == WIRE_TAP)
		ioctl(w->backend, TUNSETPERSIST, 1);
	if (w->backend >= 0)
		wire_link(w->far, false);
	wire_drop_backend(w);
	if (w->sock >= 0)
		close(w->sock);
	w->sock = -1;
}

static int send_pieces(int fd, struct iovec *iov, unsigned int count)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };

	if (sendmsg(fd, &msg, MSG_DONTWAIT) >= 0)
		return 0;
	return errno == ENOBUFS ? -EAGAIN : -errno;
}

int wire_send_gso(const struct wire *w, const struct virtio_net_hdr *hdr, const void *frame,
		  uint32_t len)
{
	struct iovec iov[] = {
		{ (void *)hdr, sizeof(*hdr) }, { (void *)frame, len },
	};

	return send_pieces(w->sock, iov, 2);
}

int wire_send(const struct wire *w, const void *frame, uint32_t len)
{
	const struct virtio_net_hdr none = { };
	struct iovec iov = { (void *)frame, len };

	return w->opts.gso ? wire_send_gso(w, &none, frame, len) : send_pieces(w->sock, &iov, 1);
}

static int tag_of(struct msghdr *msg)
{
	const struct tpacket_auxdata *aux;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		aux = (void *)CMSG_DATA(c);
		if (aux->tp_status & TP_STATUS_VLAN_VALID)
			return aux->tp_vlan_tci;
	}
	return -1;
}

ssize_t wire_recv_gso(const struct wire *w, struct virtio_net_hdr *hdr, void *buf, uint32_t size,
		      int *tci)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov[] = { { hdr, sizeof(*hdr) }, { buf, size } };
	struct msghdr msg = {
		.msg_iov = w->opts.gso ? iov : iov + 1,
		.msg_iovlen = w->opts.gso ? 2 : 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(w->sock, &msg, MSG_DONTWAIT);

	if (n < 0)
		return errno == ENETDOWN ? -EAGAIN : -errno;
	*tci = tag_of(&msg);
	return w->opts.gso ? n - (ssize_t)sizeof(*hdr) : n;
}

ssize_t wire_recv(const struct wire *w, void *buf, uint32_t size)
{
	struct virtio_net_hdr hdr;
	int tci;

	return wire_recv_gso(w, &hdr, buf, size, &tci);
}

int wire_sndbuf(const struct wire *w, int bytes)
{
	int err;

	if (w->opts.kind == WIRE_PACKET)
		err = setsockopt(w->backend, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	else
		err = ioctl(w->backend, TUNSETSNDBUF, &bytes);
	return err ? -errno : 0;
}

int wire_queued(const struct wire *w)
{
	int zero = 0;

	return setsockopt(w->backend, SOL_PACKET, PACKET_QDISC_BYPASS, &zero, sizeof(zero)) ?
	       -errno : 0;
}

int wire_sent(const struct wire *w, unsigned long long *packets, unsigned long long *bytes)
{
	FILE *f = fopen("/proc/self/net/dev", "re");
	char line[512], at[IFNAMSIZ + 1];
	int found = -ENODEV;

	if (!f)
		return -errno;
	snprintf(at, sizeof(at), "%s:", w->name);
	while (found && fgets(line, sizeof(line), f)) {
		const char *p = strstr(line, at);

		/* Eight numbers of what it has received come first. */
		if (p && sscanf(p + strlen(at),
				"%*u %*u %*u %*u %*u %*u %*u %*u %llu %llu",
				bytes, packets) == 2)
			found = 0;
	}
	fclose(f);
	return found;
}
