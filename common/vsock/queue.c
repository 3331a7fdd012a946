// SPDX-License-Identifier: GPL-2.0-only
/*
 * What has arrived for a socket and is not read. A peer chooses how its data is cut into packets,
 * and the host pays for the memory of these: small ones are put together, so that whatever it does
 * a socket holds a small multiple of the bytes that the peer may send.
 */
#include "internal.h"

/* Small packets have up to so many bytes, and are put together. */
#define PVVS_SMALL		SZ_1K

/* As many bytes of them in one packet at most. */
#define PVVS_GATHER		SKB_WITH_OVERHEAD(SZ_8K)

/* A record of a packet that holds several messages: length, mark, and behind these the message. */
#define PVVS_RECORD_EOR		BIT(15)
#define PVVS_RECORD_LEN		(PVVS_RECORD_EOR - 1)

static_assert(PVVS_SMALL <= PVVS_RECORD_LEN);

/*
 * The worst that a peer can do is one large packet for each small one, where the larger one isn't
 * put behind the other: 1 and 1,025 bytes in three packets take less than 4 KiB.
 */
static u64 pvvs_mem_max(const struct pvvs_sock *s)
{
	return 4 * (u64)s->rx_bytes + SZ_128K;
}

/* Memory of what is kept for a socket: so much more, or less. */
static void pvvs_hold(struct pvvs_sock *s, long bytes)
{
	s->rx_mem += bytes;
	atomic_long_add(bytes, &s->link->held);
}

/* May a packet's memory be kept as well, for the socket and for all of its link? */
static bool pvvs_may_hold(const struct pvvs_sock *s, const struct sk_buff *skb)
{
	struct pvvs_link *link = s->link;
	u64 max = (u64)READ_ONCE(*link->t->held_mb) * SZ_1M;

	if (s->rx_mem + skb->truesize > pvvs_mem_max(s))
		return false;
	if (likely(!max || atomic_long_read(&link->held) + skb->truesize <= max))
		return true;
	WRITE_ONCE(link->refused, link->refused + 1);
	return false;
}

/**
 * pvvs_taken() - bytes that have arrived are read
 * @s: the socket, locked
 * @bytes: so many
 */
void pvvs_taken(struct pvvs_sock *s, u32 bytes)
{
	s->rx_bytes -= bytes;
	WRITE_ONCE(s->fwd_cnt, s->fwd_cnt + bytes);
}

/**
 * pvvs_unqueue() - take the first packet, all of which is read
 * @s: the socket, locked
 * @skb: the packet; the caller's now
 */
void pvvs_unqueue(struct pvvs_sock *s, struct sk_buff *skb)
{
	__skb_unlink(skb, &s->rx_queue);
	pvvs_hold(s, -(long)skb->truesize);
	if (pvvs_cb(skb)->flags & VIRTIO_VSOCK_SEQ_EOM)
		s->messages--;
}

/**
 * pvvs_purge() - drop what nobody is going to read
 * @s: the socket, locked; it has a link if anything has arrived
 */
void pvvs_purge(struct pvvs_sock *s)
{
	if (skb_queue_empty(&s->rx_queue))
		return;
	pvvs_taken(s, s->rx_bytes);
	__skb_queue_purge(&s->rx_queue);
	pvvs_hold(s, -(long)s->rx_mem);
	s->messages = 0;
}

/**
 * pvvs_record() - the next message of a packet that holds several
 * @skb: the packet, &pvvs_cb.packed
 * @len: gets its length; it begins PVVS_RECORD bytes behind &pvvs_cb.off
 *
 * Return: flags of &enum virtio_vsock_seq.
 */
u32 pvvs_record(const struct sk_buff *skb, u32 *len)
{
	u16 record;

	memcpy(&record, skb->data + pvvs_cb(skb)->off, sizeof(record));
	*len = record & PVVS_RECORD_LEN;
	return VIRTIO_VSOCK_SEQ_EOM | (record & PVVS_RECORD_EOR ? VIRTIO_VSOCK_SEQ_EOR : 0);
}

/* Makes a packet that is a message by itself one that may hold several. */
static void pvvs_pack(struct sk_buff *skb)
{
	struct pvvs_cb *cb = pvvs_cb(skb);
	u16 record = skb->len | (cb->flags & VIRTIO_VSOCK_SEQ_EOR ? PVVS_RECORD_EOR : 0);

	memcpy(__skb_push(skb, PVVS_RECORD), &record, sizeof(record));
	cb->flags = 0;
	cb->packed = true;
}

/* Can the payloads of two packets be read as if they were of one? */
static bool pvvs_joins(const struct sk_buff *tail, const struct sk_buff *skb)
{
	return pvvs_cb(tail)->packed == pvvs_cb(skb)->packed &&
	       !(pvvs_cb(tail)->flags & VIRTIO_VSOCK_SEQ_EOM) &&
	       !skb_is_nonlinear(tail) && !skb_is_nonlinear(skb);
}

/* A larger packet in place of the last one, with room for as much again, or NULL. */
static struct sk_buff *pvvs_grow(struct pvvs_sock *s, struct sk_buff *tail, u32 len)
{
	u32 left = pvvs_left(tail);
	struct sk_buff *big;

	if (left + len > PVVS_GATHER)
		return NULL;
	big = alloc_skb(min_t(u32, 2 * (left + len), PVVS_GATHER), GFP_KERNEL_ACCOUNT);
	if (!big)
		return NULL;
	*pvvs_cb(big) = *pvvs_cb(tail);
	pvvs_cb(big)->off = 0;
	skb_put_data(big, tail->data + pvvs_cb(tail)->off, left);
	__skb_unlink(tail, &s->rx_queue);
	__skb_queue_tail(&s->rx_queue, big);
	pvvs_hold(s, (long)big->truesize - tail->truesize);
	consume_skb(tail);
	return big;
}

/* Puts a packet's payload behind that of the last one. */
static bool pvvs_append(struct pvvs_sock *s, struct sk_buff *tail, const struct sk_buff *skb)
{
	if (skb->len > skb_tailroom(tail)) {
		if (!pvvs_cb(tail)->small || !pvvs_cb(skb)->small)
			return false;
		tail = pvvs_grow(s, tail, skb->len);
		if (!tail)
			return false;
	}
	skb_put_data(tail, skb->data, skb->len);
	pvvs_cb(tail)->flags |= pvvs_cb(skb)->flags;
	return true;
}

/**
 * pvvs_enqueue() - keep a packet for the reader
 * @s: the socket, locked
 * @skb: the packet; it is gone in any case
 *
 * Context: may sleep.
 * Return: false where the peer sends more than it may, or there is no memory for it; nothing is
 * kept then.
 */
bool pvvs_enqueue(struct pvvs_sock *s, struct sk_buff *skb)
{
	struct sk_buff *tail = skb_peek_tail(&s->rx_queue);
	bool begins = !tail || pvvs_cb(tail)->packed ||
		      pvvs_cb(tail)->flags & VIRTIO_VSOCK_SEQ_EOM;
	bool ends = pvvs_cb(skb)->flags & VIRTIO_VSOCK_SEQ_EOM;
	u32 len = skb->len;

	if ((s32)(READ_ONCE(s->edge) - (s->rx_cnt + len)) < 0) {
		kfree_skb(skb);
		return false;
	}
	s->rx_cnt += len;
	s->rx_bytes += len;
	pvvs_cb(skb)->small = len <= PVVS_SMALL;
	if (begins && ends && pvvs_cb(skb)->small)
		pvvs_pack(skb);
	if (tail && pvvs_joins(tail, skb) && pvvs_append(s, tail, skb)) {
		consume_skb(skb);
	} else if (pvvs_may_hold(s, skb)) {
		pvvs_hold(s, skb->truesize);
		__skb_queue_tail(&s->rx_queue, skb);
	} else {
		/* Who reads looks at these, and waits for nothing where there are bytes. */
		s->rx_cnt -= len;
		s->rx_bytes -= len;
		kfree_skb(skb);
		return false;
	}
	s->messages += ends;
	return true;
}
