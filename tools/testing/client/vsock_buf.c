// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vsock_buf.h"

#define CANARY_LEN	64u

void vsock_bufs_forget(struct vsock_bufs *b)
{
	unsigned int i;

	b->free = NULL;
	b->held = NULL;
	b->posted = 0;
	for (i = b->count; i > 0; i--) {
		b->bufs[i - 1].next = b->free;
		b->free = &b->bufs[i - 1];
	}
}

int vsock_bufs_init(struct vsock_bufs *b, struct vsock *s, unsigned int q, unsigned int count,
		    uint32_t room)
{
	unsigned int i;

	*b = (struct vsock_bufs){
		.s = s, .q = q, .min = room, .max = room, .count = count, .prng.state = q,
	};
	b->bufs = calloc(count, sizeof(*b->bufs));
	if (!b->bufs)
		return -ENOMEM;
	/* What follows a buffer tells whether somebody wrote past its end. */
	for (i = 0; i < count; i++)
		b->bufs[i].va = gmem_alloc(&s->mem, room + CANARY_LEN, i ? 16 : 4096);
	vsock_bufs_forget(b);
	return 0;
}

void vsock_bufs_destroy(struct vsock_bufs *b)
{
	free(b->bufs);
	memset(b, 0, sizeof(*b));
}

static int post(struct vsock_bufs *b, struct vsock_buf *buf)
{
	const struct shape_buf whole = {
		.addr = gmem_iova(&b->s->mem, buf->va),
		.len = buf->len,
		.hdr_len = VSOCK_HDR_LEN,
		.write = b->q == VSOCK_RX,
	};
	int head = shape_add(&b->s->rings[b->q], &b->prng, b->shape, &whole, buf);

	if (head < 0)
		return head;
	b->free = buf->next;
	b->posted++;
	return 0;
}

static void give_back(struct vsock_bufs *b, struct vsock_buf *buf)
{
	buf->next = b->free;
	b->free = buf;
}

int vsock_rx_post(struct vsock_bufs *b, unsigned int count)
{
	bool some = false;
	int err = 0;

	while (b->free && count-- && !err) {
		struct vsock_buf *buf = b->free;

		buf->len = prng_range(&b->prng, b->min, b->max);
		memset(buf->va + buf->len, CANARY_BYTE, CANARY_LEN);
		err = post(b, buf);
		some |= !err;
	}
	if (some)
		ring_flush(&b->s->rings[b->q]);
	return err == -ENOSPC ? 0 : err;
}

int vsock_rx_take(struct vsock_bufs *b, struct vsock_pkt *p)
{
	struct ring *r = &b->s->rings[b->q];
	struct vsock_buf *buf;
	uint32_t used;

	if (b->held)
		give_back(b, b->held);
	b->held = NULL;
	buf = ring_collect(r, &used);
	if (!buf)
		return r->lied ? -EBADMSG : 0;
	b->posted--;
	b->held = buf;
	if (used > buf->len || used < VSOCK_HDR_LEN ||
	    bytes_check(buf->va + buf->len, CANARY_LEN, CANARY_BYTE) >= 0)
		return -EBADMSG;
	memcpy(&p->hdr, buf->va, VSOCK_HDR_LEN);
	p->data = buf->va + VSOCK_HDR_LEN;
	p->len = used - VSOCK_HDR_LEN;
	p->room = buf->len - VSOCK_HDR_LEN;
	return 1;
}

int vsock_tx_put(struct vsock_bufs *b, const struct virtio_vsock_hdr *hdr, const void *data,
		 uint32_t len)
{
	struct vsock_buf *buf = b->free;

	if (!buf)
		return -ENOSPC;
	if (len > b->max - VSOCK_HDR_LEN)
		return -EMSGSIZE;
	buf->len = VSOCK_HDR_LEN + len;
	memcpy(buf->va, hdr, VSOCK_HDR_LEN);
	if (len)
		memcpy(buf->va + VSOCK_HDR_LEN, data, len);
	return post(b, buf);
}

void vsock_tx_flush(struct vsock_bufs *b)
{
	ring_flush(&b->s->rings[b->q]);
}

int vsock_tx_reap(struct vsock_bufs *b)
{
	struct ring *r = &b->s->rings[b->q];
	struct vsock_buf *buf;
	uint32_t used;
	int n = 0;

	while ((buf = ring_collect(r, &used))) {
		/* It writes nothing there. */
		if (used)
			return -EBADMSG;
		give_back(b, buf);
		b->posted--;
		n++;
	}
	return r->lied ? -EBADMSG : n;
}
