/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_VSOCK_H
#define _PVIO_VHOST_VSOCK_H

#include <linux/sizes.h>
#include <linux/uio.h>

#include "chr.h"
#include "vsock.h"

/* Chains per pop. */
#define PVHVS_BATCH		64

/* What one turn may move before others of the worker's have theirs. */
#define PVHVS_TURN_PACKETS	256
#define PVHVS_TURN_BYTES	SZ_512K

/* More than any packet has, in one buffer. */
#define PVHVS_BYTES_MAX		SZ_1M

/* As many pieces as the kernel takes from user space at once. */
#define PVHVS_DESC_MAX		UIO_MAXIOV

/* With an IOTLB: a piece more for each descriptor, and for pages of a payload. */
#define PVHVS_SPLITS_MAX	(PVHVS_DESC_MAX + PVVS_PAYLOAD_MAX / SZ_4K + 2)

#define PVHVS_NAME		16

/* The queues of a device that are ours (virtio 1.4, 5.10.2). */
enum pvhvs_index {
	PVHVS_RX,
	PVHVS_TX,
	PVHVS_QUEUES,
};

/**
 * struct pvhvs_dev - a socket device made by opening /dev/vhost-vsock
 * @pvdev: the device
 * @chr: the generic ioctls
 * @vq: by &enum pvhvs_index
 * @vqs: the same for @pvdev
 * @link: what the host's sockets know of it
 * @net: where these are
 * @node: among devices with a context, by @cid; this and @cid change under a lock of all devices
 * @cid: the guest's context, read anywhere; 0: it has none yet
 * @running: the owner wants it to; this and what follows is under &pvdev.control
 * @stopped: queues have been stopped, and where they were then is in @last
 * @last: by &enum pvhvs_index
 * @list: packets that are being written; this and what follows is under the lock of the receive
 *	queue, or it is stopped
 * @room: for a payload in the last buffer of that
 * @placed: the driver was told once where to kick: beyond that it is silent
 * @stalled: the transmit queue waits for replies to leave; read and written anywhere
 * @refused: what was told of &pvvs_link.refused; under the lock of the transmit queue
 * @id: tells it from others
 * @name: what messages call it
 */
struct pvhvs_dev {
	struct pvdev pvdev;
	struct pvchr chr;
	struct pvdev_vq vq[PVHVS_QUEUES];
	struct pvdev_vq *vqs[PVHVS_QUEUES];
	struct pvvs_link *link;
	struct net *net;
	struct hlist_node node;
	u32 cid;
	bool running;
	bool stopped;
	struct pvring_state last[PVHVS_QUEUES];
	struct sk_buff_head list;
	u32 room;
	bool placed;
	bool stalled;
	u64 refused;
	int id;
	char name[PVHVS_NAME];
};

extern const struct pvdev_ops pvhvs_ops;

static inline struct pvhvs_dev *to_pvhvs_dev(const struct pvdev_vq *vq)
{
	return container_of(vq->dev, struct pvhvs_dev, pvdev);
}

int pvhvs_chr_init(void);
void pvhvs_chr_exit(void);

int pvhvs_transport_init(void);
void pvhvs_transport_exit(void);
struct pvvs_link *pvhvs_link_alloc(struct pvhvs_dev *d, void (*wake)(struct pvvs_link *link));
int pvhvs_set_cid(struct pvhvs_dev *d, u64 cid);
void pvhvs_drop_cid(struct pvhvs_dev *d);

bool pvhvs_rx_turn(struct pvhvs_dev *d);
bool pvhvs_tx_turn(struct pvhvs_dev *d);

int pvhvs_copy_in(struct sk_buff *skb, const struct pvring_chain *c);
int pvhvs_copy_out(const struct pvring_chain *c, const struct virtio_vsock_hdr *hdr,
		   struct sk_buff *skb, u32 len);

#endif
