/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network behind a net device: a backend for it, and a packet socket at the other side, by
 * which a test sends frames to the guest and sees those that the guest sends. All of it is in a
 * network namespace of this process. Calls return 0 or a negative errno where nothing else is said.
 */
#ifndef PVIO_SELFTEST_WIRE_H
#define PVIO_SELFTEST_WIRE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/virtio_net.h>

enum wire_kind {
	WIRE_TAP,
	WIRE_MACVTAP,	/* on one end of a veth pair, whose other end the test has */
	WIRE_PACKET,	/* a packet socket there */
};

struct wire_opts {
	enum wire_kind kind;
	unsigned int hdr_len;	/* of the header before each frame of the backend; 0: it has none */
	bool tunnels;		/* the backend takes and gives those with segmentation */
	bool gso;		/* frames that the test sends and sees have a header too */
	unsigned int mtu;	/* 0: 1500 */
};

struct wire {
	struct wire_opts opts;
	int backend;		/* for the device */
	int sock;		/* for the test */
	char name[IFNAMSIZ];	/* of the interface that the backend is on */
	char far[IFNAMSIZ];	/* of that which the test's socket is bound to */
};

/* A network namespace without anything that sends by itself; once for a process. */
int wire_namespace(void);

int wire_open(struct wire *w, const struct wire_opts *opts);
void wire_close(struct wire *w);

/* -EAGAIN where there is no room now. */
int wire_send(const struct wire *w, const void *frame, uint32_t len);
int wire_send_gso(const struct wire *w, const struct virtio_net_hdr *hdr, const void *frame,
		  uint32_t len);
/* Returns the length of a frame or -EAGAIN. */
ssize_t wire_recv(const struct wire *w, void *buf, uint32_t size);
/* @tci is that of the frame's VLAN tag, which is not in the frame then; -1: there is none. */
ssize_t wire_recv_gso(const struct wire *w, struct virtio_net_hdr *hdr, void *buf, uint32_t size,
		      int *tci);

/* Another backend on the same interface, of a tap alone. Returns a file descriptor. */
int wire_reopen(const struct wire *w);
/* Closes the backend here; the interface goes with its last user. */
void wire_drop_backend(struct wire *w);
int wire_link(const char *name, bool up);
/* What the backend's interface has sent, which is to the device; taps alone count it. */
int wire_sent(const struct wire *w, unsigned long long *packets, unsigned long long *bytes);
/* Bytes that the backend takes before it has no room. */
int wire_sndbuf(const struct wire *w, int bytes);
/* What a packet socket sends goes by the interface's queue, which may refuse it. */
int wire_queued(const struct wire *w);
/* Another socket of the test on an interface. Returns a file descriptor. */
int wire_socket(const char *name, bool gso);
/* Runs a command with the shell, in silence. */
int wire_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
