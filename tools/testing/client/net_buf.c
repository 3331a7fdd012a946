// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net_buf.h"

#define CANARY_LEN	64u

void net_bufs_forget(struct net_bufs *b)
{
	unsigned int i;

	b->free = NULL;
	b->posted = 0;
	for (i = b->count; i > 0; i--) {
		b->bufs[i - 1].next = b->free;
		b->free = &b->bufs[i - 1];
	}
}

int net_bufs_init(struct net_bufs *b, struct net *n, unsigned int q, unsigned int count,
		  uint32_t room)
{
	unsigned int i;

	memset(b, 0, sizeof(*b));
	b->n = n;
	b->q = q;
	b->min = room;
	b->max = room;
	b->count = count;
	b->prng.state = q;
	b->bufs = calloc(count, sizeof(*b->bufs));
	b->linear = malloc(NET_FRAME_MAX);
	if (!b->bufs || !b->linear)
		return -ENOMEM;
	/*
	 * What follows a buffer tells whether somebody wrote past its end. No page has buffers and
	 * something else.
	 */
	for (i = 0; i < count; i++)
		b->bufs[i].va = gmem_alloc(&n->mem, room + CANARY_LEN, i ? 16 : 4096);
	net_bufs_forget(b);
	return 0;
}

void net_bufs_destroy(struct net_bufs *b)
{
	free(b->bufs);
	free(b->linear);
	memset(b, 0, sizeof(*b));
}

static int post(struct net_bufs *b, struct net_buf *buf)
{
	const struct shape_buf whole = {
		.addr = gmem_iova(&b->n->mem, buf->va),
		.len = buf->len,
		.hdr_len = b->n->hdr_len,
		.write = b->q == NET_RX,
	};
	int head = shape_add(&b->n->rings[b->q], &b->prng, b->shape, &whole, buf);

	if (head < 0)
		return head;
	b->free = buf->next;
	b->posted++;
	return 0;
}

static void give_back(struct net_bufs *b, struct net_buf *buf)
{
	buf->next = b->free;
	b->free = buf;
	b->posted--;
}

int net_rx_post(struct net_bufs *b, unsigned int count)
{
	bool some = false;
	int err = 0;

	while (b->free && count-- && !err) {
		struct net_buf *buf = b->free;

		buf->len = prng_range(&b->prng, b->min, b->max);
		memset(buf->va + buf->len, CANARY_BYTE, CANARY_LEN);
		err = post(b, buf);
		some |= !err;
	}
	if (some)
		ring_flush(&b->n->rings[b->q]);
	return err == -ENOSPC ? 0 : err;
}

int net_rx_fill(struct net_bufs *b)
{
	return net_rx_post(b, b->count);
}

/* Takes a buffer that belongs to the frame whose first @at bytes are there. */
static int take_one(struct net_bufs *b, uint32_t *at, bool *full)
{
	struct ring *r = &b->n->rings[b->q];
	struct net_buf *buf;
	uint32_t used;

	buf = ring_collect(r, &used);
	if (!buf)
		return r->lied || *at ? -EBADMSG : 0;
	if (used > buf->len || used > NET_FRAME_MAX - *at)
		return -EBADMSG;
	if (bytes_check(buf->va + buf->len, CANARY_LEN, CANARY_BYTE) >= 0)
		return -EBADMSG;
	memcpy(b->linear + *at, buf->va, used);
	*at += used;
	*full = used == buf->len;
	give_back(b, buf);
	return 1;
}

/* How much of a header of @len bytes there is before the part for tunnels. */
static uint32_t usual_part(uint32_t len)
{
	const uint32_t usual = sizeof(struct virtio_net_hdr_mrg_rxbuf);

	return len < usual ? len : usual;
}

int net_rx_take(struct net_bufs *b, struct net_frame *f)
{
	bool mergeable = b->n->features & BIT(VIRTIO_NET_F_MRG_RXBUF), full;
	uint32_t hdr_len = b->n->hdr_len, at = 0;
	unsigned int i;
	int res = take_one(b, &at, &full);

	if (res < 1)
		return res;
	memset(f, 0, sizeof(*f));
	if (at < hdr_len && !mergeable)
		return -EBADMSG;
	memcpy(&f->hdr, b->linear, usual_part(at < hdr_len ? at : hdr_len));
	f->buffers = mergeable ? le16toh(f->hdr.num_buffers) : 1;
	if (!f->buffers)
		return -EBADMSG;
	for (i = 1; i < f->buffers; i++)
		if (!full || take_one(b, &at, &full) < 1)
			return -EBADMSG;
	if (hdr_len > sizeof(f->hdr))
		memcpy(&f->tunnel, b->linear + sizeof(f->hdr), hdr_len - sizeof(f->hdr));
	f->data = b->linear + hdr_len;
	f->len = at - hdr_len;
	b->taken++;
	return 1;
}

int net_tx_put(struct net_bufs *b, const struct virtio_net_hdr_mrg_rxbuf *hdr, const void *data,
	       uint32_t len)
{
	struct net_buf *buf = b->free;

	if (!buf)
		return -ENOSPC;
	if (len + b->n->hdr_len > b->max)
		return -EMSGSIZE;
	buf->len = len + b->n->hdr_len;
	memset(buf->va, 0, b->n->hdr_len);
	if (hdr)
		memcpy(buf->va, hdr, usual_part(b->n->hdr_len));
	if (b->n->hdr_len > sizeof(*hdr))
		memcpy(buf->va + sizeof(*hdr), &b->tunnel, b->n->hdr_len - sizeof(*hdr));
	memcpy(buf->va + b->n->hdr_len, data, len);
	return post(b, buf);
}

void net_tx_flush(struct net_bufs *b)
{
	ring_flush(&b->n->rings[b->q]);
}

int net_tx_reap(struct net_bufs *b)
{
	struct ring *r = &b->n->rings[b->q];
	struct net_buf *buf;
	uint32_t used;
	int n = 0;

	while ((buf = ring_collect(r, &used))) {
		/* It writes nothing there. */
		if (used)
			return -EBADMSG;
		give_back(b, buf);
		n++;
	}
	return r->lied ? -EBADMSG : n;
}
