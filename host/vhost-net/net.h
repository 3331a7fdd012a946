/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_NET_H
#define _PVIO_VHOST_NET_H

#include <linux/poll.h>
#include <linux/sizes.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>
#include <net/xdp.h>

#include "chr.h"
#include "frag.h"

struct file;
struct net_device;
struct ptr_ring;
struct socket;

/* Frames that are taken from a backend or given to it at once, and chains per pop. */
#define PVNET_BATCH		64

/* Of the header before a frame: with the fields for hashes and tunnels (virtio 1.4, 5.1.6). */
#define PVNET_HDR_MAX		24

/* What one turn may move before others of the worker's have theirs. */
#define PVNET_TURN_FRAMES	256
#define PVNET_TURN_BYTES	SZ_512K

/* More than any frame has, in one buffer. */
#define PVNET_BYTES_MAX		SZ_1M

/* As many pieces as the kernel takes from user space at once. */
#define PVNET_DESC_MAX		UIO_MAXIOV

/* With an IOTLB: a piece more for each descriptor, and for pages of frames of 64 KiB. */
#define PVNET_SPLITS_MAX	(PVNET_DESC_MAX + SZ_64K / SZ_4K + 2)

/* The queues of a device (virtio 1.4, 5.1.2). */
enum pvnet_index {
	PVNET_RX,
	PVNET_TX,
	PVNET_QUEUES,
};

/**
 * enum pvnet_kind - what is behind a queue
 * @PVNET_TAP: a tap
 * @PVNET_MACVTAP: a macvtap or an ipvtap
 * @PVNET_PACKET: a packet socket
 */
enum pvnet_kind {
	PVNET_TAP,
	PVNET_MACVTAP,
	PVNET_PACKET,
};

/**
 * struct pvnet_backend - where frames come from or go to
 * @file: keeps it; NULL: there is none
 * @sock: takes and gives frames
 * @ring: those for us; NULL: they are in the socket's queue
 * @kind: what it is
 */
struct pvnet_backend {
	struct file *file;
	struct socket *sock;
	struct ptr_ring *ring;
	enum pvnet_kind kind;
};

/**
 * struct pvnet_frame - a frame that was taken from a backend
 * @ptr: as it was in the backend's ring; NULL: it is in the socket's queue
 * @len: bytes, without a header
 * @plain: it is written without help of the backend
 * @hdr: for a plain one
 */
struct pvnet_frame {
	void *ptr;
	u32 len;
	bool plain;
	struct virtio_net_hdr hdr;
};

/**
 * struct pvnet_rx - what is between a backend and the receive queue
 * @ptr: as they come out of the backend's ring
 * @frame: taken from the backend
 * @first: the first of these that the driver hasn't got
 * @n: their end
 * @alone: the backend had one frame and no other: who adds one wakes us
 * @view: what the batch was popped under
 * @next: the first chain of the batch that isn't used
 * @popped_at: &pvdev_vq.now after the pop
 * @done: chains of the batch that are complete and not accounted for
 * @bytes: in these
 * @starved: there are frames, and too few buffers: what comes from the backend needs
 *	no wakeup. Who wakes looks at it without the lock
 * @placed: the driver was told once where to kick: beyond that it is silent
 * @known: the backend puts just the header before a frame that we would; asked again
 *	when @ask_in is 0
 * @ask_in: plain frames until then
 * @given: plain frames that the driver was given, and nobody has counted for their tap
 * @given_bytes: as the tap counts them
 * @dev: a tap's interface that was there when @gone had this value, for its counters
 * @gone: how many had gone then from where it is
 */
struct pvnet_rx {
	void *ptr[PVNET_BATCH];
	struct pvnet_frame frame[PVNET_BATCH];
	unsigned int first;
	unsigned int n;
	bool alone;
	struct pvdev_view *view;
	unsigned int next;
	u64 popped_at;
	unsigned int done;
	u64 bytes;
	bool starved;
	bool placed;
	bool known;
	unsigned int ask_in;
	unsigned int given;
	unsigned int given_bytes;
	struct net_device *dev;
	int gone;
};

struct pvnet_sent;
struct pvnet_zcopy;

/**
 * struct pvnet_tx - what is between the transmit queue and a backend
 * @frag: memory of frames
 * @zcopy: frames of which the network has the owner's memory; NULL: all are copied
 * @xdp: frames that go at once
 * @n: how many
 * @full: the backend takes no more for now. Who wakes looks at it without the lock
 */
struct pvnet_tx {
	struct pvfrag frag;
	struct pvnet_zcopy *zcopy;
	struct xdp_buff xdp[PVNET_BATCH];
	unsigned int n;
	bool full;
};

/**
 * struct pvnet_queue - a queue of a network device
 * @vq: the queue
 * @head: where wakeups of the backend come from; this and what follows is under &pvdev.control
 * @wait: there
 * @table: finds @head
 * @hdr: bytes of the header that driver and device put before a frame; this and what follows is
 *	set before the queue runs and then read alone, by its turns and under &pvdev.control
 * @ours: the backend has none: it is made here, or dropped
 * @merges: a frame may be in several buffers
 * @iov: room for pieces of a frame in the owner's memory, for turns; NULL: the queue isn't started
 * @backend: its backend; changed with &pvdev.control and &pvdev_vq.lock, either is enough to read.
 *	What follows is under &pvdev_vq.lock
 * @rx: for PVNET_RX
 * @tx: for PVNET_TX
 */
struct pvnet_queue {
	struct pvdev_vq vq;

	wait_queue_head_t *head;
	wait_queue_entry_t wait;
	poll_table table;

	unsigned int hdr;
	bool ours;
	bool merges;
	struct iovec *iov;

	struct pvnet_backend backend;
	union {
		struct pvnet_rx *rx;
		struct pvnet_tx *tx;
	};
};

extern const struct pvdev_ops pvnet_ops;

static inline struct pvnet_queue *to_pvnet_queue(struct pvdev_vq *vq)
{
	return container_of(vq, struct pvnet_queue, vq);
}

int pvnet_chr_init(void);
void pvnet_chr_exit(void);
bool pvnet_guest_gone(const struct pvnet_queue *q);

int pvnet_backend_get(struct pvnet_backend *be, int fd);
void pvnet_backend_put(struct pvnet_backend *be);

void pvnet_queue_init(struct pvnet_queue *q, struct pvdev *dev, u16 index);
int pvnet_queue_start(struct pvnet_queue *q, u64 features, bool tunnels, struct pvworker *w);
void pvnet_queue_stop(struct pvnet_queue *q);
void pvnet_queue_release(struct pvnet_queue *q);
void pvnet_queue_set_backend(struct pvnet_queue *q,
			     const struct pvnet_backend *be);

u32 pvnet_iov_fill(struct pvnet_queue *q, const struct pvmem_seg *seg,
		   unsigned int n, u32 skip, unsigned int *pieces);

bool pvnet_tx_turn(struct pvnet_queue *q);

bool pvnet_tx_batches(const struct pvnet_queue *q);
int pvnet_tx_add(struct pvnet_queue *q, const struct pvring_chain *c);
void pvnet_tx_flush(struct pvnet_queue *q);

int pvnet_zcopy_make(struct pvnet_queue *q);
void pvnet_zcopy_put(struct pvnet_zcopy *z);
struct pvnet_sent *pvnet_zcopy_get(struct pvnet_queue *q, const struct pvring_chain *c,
				   const struct iov_iter *from);
void *pvnet_zcopy_ubuf(struct pvnet_sent *s);
bool pvnet_zcopy_sent(struct pvnet_sent *s, int err);
void pvnet_zcopy_reap(struct pvnet_queue *q, bool publish);
void pvnet_zcopy_abandon(struct pvnet_queue *q);
void pvnet_zcopy_exit(void);
u64 pvnet_zcopy_oldest(const struct pvnet_queue *q);

int pvnet_count_init(void);
void pvnet_count_exit(void);
bool pvnet_count_knows(const struct pvnet_rx *rx);
void pvnet_count_look(struct pvnet_rx *rx);
void pvnet_count(struct pvnet_rx *rx);

bool pvnet_rx_turn(struct pvnet_queue *q);
void pvnet_rx_return(struct pvnet_queue *q);

int pvnet_rx_room(struct pvnet_queue *q, u32 len);
void pvnet_rx_use(struct pvnet_queue *q, unsigned int n, u32 len);
void pvnet_rx_unpop_batch(struct pvnet_queue *q);
void pvnet_rx_publish(struct pvnet_queue *q);

/**
 * pvnet_rx_unpop() - give back what is left of a batch
 * @q: the receive queue, its lock held; it may have none
 */
static inline void pvnet_rx_unpop(struct pvnet_queue *q)
{
	if (q->rx->view)
		pvnet_rx_unpop_batch(q);
}

#endif
