/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VSOCK_INTERNAL_H
#define _PVIO_VSOCK_INTERNAL_H

#include "vsock.h"

/* What is before each message of a packet that holds several. */
#define PVVS_RECORD	sizeof(u16)

/* Payloads from here on are put into a link's pages: those have at least half of them. */
#define PVVS_POOL_MIN	(PVVS_POOL_SIZE / 2)

void pvvs_attach(struct pvvs_sock *s, struct pvvs_link *link);
void pvvs_detach(struct pvvs_sock *s);
int pvvs_hash(struct pvvs_sock *s);
void pvvs_unhash(struct pvvs_sock *s);
void pvvs_drop_unsent(struct pvvs_sock *s);
struct pvvs_sock *pvvs_lookup(struct pvvs_link *link, const struct pvvs_addr *addr);

void pvvs_sock_put(struct pvvs_sock *s);

int pvvs_queue(struct pvvs_link *link, struct sk_buff *skb);
int pvvs_send(struct pvvs_sock *s, u16 op, u32 flags);
int pvvs_reply(struct pvvs_sock *s, u16 op);
void pvvs_send_rst(struct pvvs_link *link, const struct virtio_vsock_hdr *hdr);
void pvvs_send_credit(struct pvvs_sock *s);
struct sk_buff *pvvs_alloc(struct pvvs_pool *pool, u32 len, u32 room);

void pvvs_orphan_add(struct pvvs_sock *s);
void pvvs_orphan_forget(struct pvvs_sock *s);
void pvvs_orphans_tell(void);
int pvvs_orphans_init(void);
void pvvs_orphans_exit(void);

void pvvs_pool_init(struct pvvs_pool *pool);
void pvvs_pool_close(struct pvvs_pool *pool);
bool pvvs_pool_fill(struct pvvs_pool *pool, struct sk_buff *skb, u32 len);

bool pvvs_wants_credit(const struct pvvs_sock *s);
u32 pvvs_space(struct pvvs_sock *s);

bool pvvs_enqueue(struct pvvs_sock *s, struct sk_buff *skb);
void pvvs_taken(struct pvvs_sock *s, u32 bytes);
void pvvs_unqueue(struct pvvs_sock *s, struct sk_buff *skb);
void pvvs_purge(struct pvvs_sock *s);
u32 pvvs_record(const struct sk_buff *skb, u32 *len);

void pvvs_forget(struct pvvs_sock *s);
void pvvs_done(struct pvvs_sock *s);
void pvvs_reset(struct pvvs_sock *s, int err);

void pvvs_tap(const struct virtio_vsock_hdr *hdr, const struct sk_buff *skb, u32 off, u32 len);

static inline u16 pvvs_type(const struct sock *sk)
{
	return sk->sk_type == SOCK_STREAM ? VIRTIO_VSOCK_TYPE_STREAM :
					    VIRTIO_VSOCK_TYPE_SEQPACKET;
}

/* Sends what the peer needs to go on, if it does. */
static inline void pvvs_update_credit(struct pvvs_sock *s)
{
	if (pvvs_wants_credit(s))
		pvvs_send_credit(s);
}

#endif
