/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VSOCK_H
#define _PVIO_VSOCK_H

/*
 * The protocol of virtio-vsock (virtio 1.4, 5.10.6) beneath the kernel's AF_VSOCK, for both its
 * sides. A transport moves packets over links; what they say is done here.
 *
 * Locks, each taken inside those before it: a transport's for its device and its queues; the lock
 * of a listening socket; that of a connection's; what AF_VSOCK holds when it asks for a peer, and
 * what a transport has for @find; &pvvs_link.lock; that of orphans. The last two are not taken in
 * interrupts, softirqs included. Packets on their way hold a &struct pvvs_sock, which may have lost
 * its socket: that is reached through &pvvs_link.hash alone.
 */
#include <linux/refcount.h>
#include <linux/skbuff.h>
#include <linux/spinlock.h>
#include <linux/virtio_vsock.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "vsock_compat.h"

struct pvvs_link;
struct pvvs_sock;

/* By a name that only modules that were built with the same headers know. */
extern const char PVVS_LAYOUT[];

/* Of one packet. */
#define PVVS_PAYLOAD_MAX	SZ_64K

/* A peer's view of a window wraps around; half of that is far more than any buffer. */
#define PVVS_BUFFER_MAX		SZ_1G

/* Replies that wait for the peer before no more is taken from it. */
#define PVVS_REPLIES_MAX	128

/* So many packets that wait for a peer may be of sockets that were closed long ago. */
#define PVVS_KEPT_MAX		1024

/* Packets without payload that wait for the peer before no more connections to it are begun. */
#define PVVS_CONTROLS_MAX	4096

#define PVVS_HASH_BITS		9

/* Pages for large payloads that a link keeps for each way. */
#define PVVS_POOL_ORDER		3
#define PVVS_POOL_SIZE		(PAGE_SIZE << PVVS_POOL_ORDER)
#define PVVS_POOL_PAGES		8

/**
 * struct pvvs_transport - what AF_VSOCK has packets moved by
 * @ops: for AF_VSOCK: PVVS_OPS, and what is the transport's own
 * @find: the link to a context, with a reference; NULL: there is none. Context: process
 * @held_mb: MiB that &pvvs_link.held may be; 0: as much as there is. May change at any time
 */
struct pvvs_transport {
	struct vsock_transport ops;
	struct pvvs_link *(*find)(struct net *net, u32 cid);
	const unsigned int *held_mb;
};

/**
 * struct pvvs_pool - pages for large payloads
 * @lock: protects what follows
 * @open: they may be kept
 * @used: one was wanted since @idle ran
 * @armed: @idle is going to
 * @next: the next one to be looked at
 * @page: they, with a reference to each
 * @idle: frees them
 */
struct pvvs_pool {
	spinlock_t lock;
	bool open;
	bool used;
	bool armed;
	unsigned int next;
	struct page *page[PVVS_POOL_PAGES];
	struct delayed_work idle;
};

/**
 * struct pvvs_link - a way to peers: a virtio device
 * @ref: the transport has one, each socket with @link in it another
 * @t: the transport
 * @net: where its peers are
 * @wake: there are packets in @queue. @lock held, and @open
 * @owner: for @wake
 * @lock: protects what follows
 * @open: packets may be queued; changed under @lock, read anywhere
 * @ready: the driver is there, for all that is known; changed under @lock, read anywhere
 * @types: of sockets that it has peers for: a bit for each &enum virtio_vsock_type; likewise
 * @queue: packets for the peers
 * @held: bytes of memory of what has arrived for sockets and is not read
 * @refused: connections that ended because that was too much; written by who takes packets from the
 *	peers, one at a time
 * @replies: packets on their way that peers have asked for
 * @controls: others on their way that have no payload
 * @stale: there may be packets of connections that have ended among those that were taken
 * @out: for payloads to the peers
 * @in: for those from them
 * @seed: for @hash
 * @epoch: how often all connections have been ended
 * @hash: sockets by addresses, with references
 */
struct pvvs_link {
	refcount_t ref;
	struct pvvs_transport *t;
	struct net *net;
	void (*wake)(struct pvvs_link *link);
	void *owner;
	spinlock_t lock;
	bool open;
	bool ready;
	u16 types;
	struct sk_buff_head queue;
	atomic_t replies;
	atomic_t controls;
	bool stale;
	atomic_long_t held;
	u64 refused;
	struct pvvs_pool out;
	struct pvvs_pool in;
	u32 seed;
	u32 epoch;
	struct hlist_head hash[1 << PVVS_HASH_BITS];
};

/**
 * struct pvvs_cb - what is known of a packet besides its payload
 * @local_cid: this side's context
 * @remote_cid: the peer's
 * @local_port: this side's port
 * @remote_port: the peer's
 * @op: &enum virtio_vsock_op
 * @type: &enum virtio_vsock_type
 * @flags: as in the header
 * @off: bytes of the payload that are gone already
 * @reply: the peer has asked for it
 * @told: it has left with what it is to say
 * @small: it has little payload, or that of several which have
 * @packed: it has messages, each behind a record that tells its length
 * @s: whose packet it is, with a reference; NULL: nobody's. For packets to a peer alone
 */
struct pvvs_cb {
	struct pvvs_sock *s;
	u32 local_cid;
	u32 remote_cid;
	u32 local_port;
	u32 remote_port;
	u16 op;
	u16 type;
	u32 flags;
	u32 off;
	bool reply;
	bool told;
	bool small;
	bool packed;
};

static_assert(sizeof(struct pvvs_cb) <= sizeof_field(struct sk_buff, cb));

static inline struct pvvs_cb *pvvs_cb(const struct sk_buff *skb)
{
	return (struct pvvs_cb *)skb->cb;
}

/* Bytes of a packet's payload that aren't gone. */
static inline u32 pvvs_left(const struct sk_buff *skb)
{
	return skb->len - pvvs_cb(skb)->off;
}

/**
 * struct pvvs_addr - what tells connections of a link from each other
 * @local_port: this side's port
 * @remote_port: the peer's
 * @remote_cid: the peer's context
 */
struct pvvs_addr {
	u32 local_port;
	u32 remote_port;
	u32 remote_cid;
};

/**
 * struct pvvs_sock - a socket's part of the protocol: &vsock_sock.trans
 * @ref: the socket has one, and each of its packets that is on its way another
 * @vsk: the socket; this and what follows is under its lock where nothing else is said
 * @link: where its peer is; NULL: it has none
 * @orphan: among those whose peers are gone, under the lock of these; empty: it isn't there
 * @gone: its peer is, and it is to be reset; likewise
 * @addr: its addresses, while @hashed
 * @node: in @link, under the link's lock
 * @epoch: &pvvs_link.epoch when the connection began; likewise
 * @hashed: it is there: the connection has begun, and not ended; written under the link's lock,
 *	read anywhere
 * @rx_queue: packets that nobody has read
 * @rx_bytes: of payload in these that are not read
 * @rx_mem: bytes of memory in these
 * @messages: whole ones in these
 * @rx_cnt: bytes that have arrived, ever; as all such counters it wraps around
 * @fwd_cnt: of these, that were read; read anywhere
 * @buf_alloc: the room that the peer is told; read anywhere
 * @told_fwd: the last @fwd_cnt that the peer was told; written by who writes its header
 * @told_alloc: the last @buf_alloc; likewise
 * @edge: up to where @rx_cnt may go by what the peer was told; likewise
 * @updating: a credit update waits in @link to be sent; cleared likewise
 * @tx_cnt: bytes that were sent, ever
 * @sent_cnt: of these, that the peer has got; written by who writes headers
 * @peer_fwd_cnt: as the peer says
 * @peer_buf_alloc: likewise
 * @tx_packets: with data that were sent, ever
 * @sent_packets: of these, that the peer has got; written by who writes headers
 * @kept: it was closed, and what is on its way to the peer stays there
 * @waits: a sender waits for packets to leave; cleared by who has one leave
 * @sent_shutdown: what the peer was told
 */
struct pvvs_sock {
	refcount_t ref;
	struct vsock_sock *vsk;
	struct pvvs_link *link;
	struct pvvs_addr addr;
	struct hlist_node node;
	u32 epoch;
	struct list_head orphan;
	bool gone;
	bool hashed;

	struct sk_buff_head rx_queue;
	u32 rx_bytes;
	u64 rx_mem;
	u32 messages;
	u32 rx_cnt;
	u32 fwd_cnt;
	u32 buf_alloc;
	u32 told_fwd;
	u32 told_alloc;
	u32 edge;
	bool updating;

	u32 tx_cnt;
	u32 sent_cnt;
	u32 peer_fwd_cnt;
	u32 peer_buf_alloc;
	u32 tx_packets;
	u32 sent_packets;
	bool kept;
	bool waits;
	int sent_shutdown;
};

static inline struct pvvs_sock *pvvs_sock(const struct vsock_sock *vsk)
{
	return vsk->trans;
}

/**
 * struct pvvs_rx - packets that come from a link, one after the other
 * @link: the link
 * @s: the socket that the last one was for, held; NULL: there is none
 * @addr: its addresses
 * @list: its packets, of which it knows nothing yet
 * @bytes: of payload in these
 * @last: the header of the last of them
 */
struct pvvs_rx {
	struct pvvs_link *link;
	struct pvvs_sock *s;
	struct pvvs_addr addr;
	struct sk_buff_head list;
	u32 bytes;
	struct virtio_vsock_hdr last;
};

struct pvvs_link *pvvs_link_alloc(struct pvvs_transport *t, struct net *net,
				  void (*wake)(struct pvvs_link *link), void *owner);
void pvvs_link_put(struct pvvs_link *link);
void pvvs_link_open(struct pvvs_link *link);
void pvvs_link_reset(struct pvvs_link *link);
void pvvs_link_close(struct pvvs_link *link);

void pvvs_link_set_ready(struct pvvs_link *link, bool ready, u16 types);

bool pvvs_link_take(struct pvvs_link *link, struct sk_buff_head *list);
void pvvs_link_return(struct pvvs_link *link, struct sk_buff_head *list);
void pvvs_link_header(struct sk_buff *skb, u32 len, struct virtio_vsock_hdr *hdr);
void pvvs_link_sent(struct pvvs_link *link, struct sk_buff *skb, u32 len,
		    const struct virtio_vsock_hdr *hdr);
void pvvs_link_done(struct pvvs_link *link, struct sk_buff *skb);
void pvvs_link_drop(struct pvvs_link *link, struct sk_buff_head *list);

void pvvs_rx_begin(struct pvvs_rx *rx, struct pvvs_link *link);
struct sk_buff *pvvs_rx_room(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr, u32 len);
void pvvs_rx_packet(struct pvvs_rx *rx, const struct virtio_vsock_hdr *hdr, struct sk_buff *skb);
void pvvs_rx_end(struct pvvs_rx *rx);

/* What AF_VSOCK calls. */
int pvvs_init(struct vsock_sock *vsk, struct vsock_sock *parent);
void pvvs_destruct(struct vsock_sock *vsk);
void pvvs_release(struct vsock_sock *vsk);
int pvvs_connect(struct vsock_sock *vsk);
int pvvs_cancel(struct vsock_sock *vsk);
int pvvs_shutdown(struct vsock_sock *vsk, int mode);

ssize_t pvvs_stream_dequeue(struct vsock_sock *vsk, struct msghdr *msg, size_t len, int flags);
ssize_t pvvs_seqpacket_dequeue(struct vsock_sock *vsk, struct msghdr *msg, int flags);
int pvvs_read_skb(struct vsock_sock *vsk, skb_read_actor_t actor);
s64 pvvs_stream_has_data(struct vsock_sock *vsk);
u32 pvvs_seqpacket_has_data(struct vsock_sock *vsk);

ssize_t pvvs_stream_enqueue(struct vsock_sock *vsk, struct msghdr *msg, size_t len);
int pvvs_seqpacket_enqueue(struct vsock_sock *vsk, struct msghdr *msg, size_t len);
s64 pvvs_stream_has_space(struct vsock_sock *vsk);
ssize_t pvvs_unsent_bytes(struct vsock_sock *vsk);

u64 pvvs_stream_rcvhiwat(struct vsock_sock *vsk);
bool pvvs_stream_is_active(struct vsock_sock *vsk);
bool pvvs_stream_allow(PVVSOCK_FOR(vsk) u32 cid, u32 port);
bool pvvs_seqpacket_allow(struct pvvs_transport *t, struct net *net, u32 cid);
bool pvvs_msgzerocopy_allow(void);
void pvvs_notify_buffer_size(struct vsock_sock *vsk, u64 *size);
int pvvs_notify_set_rcvlowat(struct vsock_sock *vsk, int low);
int pvvs_notify_poll_in(struct vsock_sock *vsk, size_t target, bool *ready);
int pvvs_notify_poll_out(struct vsock_sock *vsk, size_t target, bool *room);

int pvvs_dgram_bind(struct vsock_sock *vsk, struct sockaddr_vm *addr);
int pvvs_dgram_dequeue(struct vsock_sock *vsk, struct msghdr *msg, size_t len, int flags);
int pvvs_dgram_enqueue(struct vsock_sock *vsk, struct sockaddr_vm *addr, struct msghdr *msg,
		       size_t len);
bool pvvs_dgram_allow(PVVSOCK_FOR(vsk) u32 cid, u32 port);

int pvvs_recv_notify(struct vsock_sock *vsk, size_t target,
		     struct vsock_transport_recv_notify_data *data);
int pvvs_recv_post_dequeue(struct vsock_sock *vsk, size_t target, ssize_t copied, bool read,
			   struct vsock_transport_recv_notify_data *data);
int pvvs_send_notify(struct vsock_sock *vsk, struct vsock_transport_send_notify_data *data);
int pvvs_send_post_enqueue(struct vsock_sock *vsk, ssize_t written,
			   struct vsock_transport_send_notify_data *data);

/* All of &struct vsock_transport but for what is a transport's own. */
#define PVVS_OPS							\
	.init = pvvs_init,						\
	.destruct = pvvs_destruct,					\
	.release = pvvs_release,					\
	.connect = pvvs_connect,					\
	.cancel_pkt = pvvs_cancel,					\
	.shutdown = pvvs_shutdown,					\
	.dgram_bind = pvvs_dgram_bind,					\
	.dgram_dequeue = pvvs_dgram_dequeue,				\
	.dgram_enqueue = pvvs_dgram_enqueue,				\
	.dgram_allow = pvvs_dgram_allow,				\
	.stream_dequeue = pvvs_stream_dequeue,				\
	.stream_enqueue = pvvs_stream_enqueue,				\
	.stream_has_data = pvvs_stream_has_data,			\
	.stream_has_space = pvvs_stream_has_space,			\
	.stream_rcvhiwat = pvvs_stream_rcvhiwat,			\
	.stream_is_active = pvvs_stream_is_active,			\
	.stream_allow = pvvs_stream_allow,				\
	.seqpacket_dequeue = pvvs_seqpacket_dequeue,			\
	.seqpacket_enqueue = pvvs_seqpacket_enqueue,			\
	.seqpacket_has_data = pvvs_seqpacket_has_data,			\
	.notify_poll_in = pvvs_notify_poll_in,				\
	.notify_poll_out = pvvs_notify_poll_out,			\
	.notify_recv_init = pvvs_recv_notify,				\
	.notify_recv_pre_block = pvvs_recv_notify,			\
	.notify_recv_pre_dequeue = pvvs_recv_notify,			\
	.notify_recv_post_dequeue = pvvs_recv_post_dequeue,		\
	.notify_send_init = pvvs_send_notify,				\
	.notify_send_pre_block = pvvs_send_notify,			\
	.notify_send_pre_enqueue = pvvs_send_notify,			\
	.notify_send_post_enqueue = pvvs_send_post_enqueue,		\
	.notify_buffer_size = pvvs_notify_buffer_size,			\
	PVVSOCK_SET_RCVLOWAT(pvvs_notify_set_rcvlowat)			\
	PVVSOCK_UNSENT_BYTES(pvvs_unsent_bytes)				\
	PVVSOCK_MSGZEROCOPY_ALLOW(pvvs_msgzerocopy_allow)		\
	PVVSOCK_READ_SKB(pvvs_read_skb)

#endif
