// SPDX-License-Identifier: GPL-2.0-only
/*
 * Payloads between a guest's buffers and packets, piece by piece: both are in several places, and
 * mostly in few of them.
 */
#include <linux/highmem.h>

#include "vsock_host.h"

/**
 * struct pvhvs_cursor - a place in a guest's buffer
 * @seg: the piece
 * @left: pieces from there on
 * @off: bytes of that piece that are behind
 */
struct pvhvs_cursor {
	const struct pvmem_seg *seg;
	unsigned int left;
	u32 off;
};

typedef int (*pvhvs_copy)(u64 addr, void *data, u32 len);

static int pvhvs_from_guest(u64 addr, void *data, u32 len)
{
	return pvmem_copy_from(PVMEM_USER, data, addr, len);
}

static int pvhvs_to_guest(u64 addr, void *data, u32 len)
{
	return pvmem_copy_to(PVMEM_USER, addr, data, len);
}

/* Copies between what the cursor is at, and goes on, and @data. Returns 0 or -EFAULT. */
static __always_inline int pvhvs_copy_at(struct pvhvs_cursor *at, void *data, u32 len,
					 const pvhvs_copy copy)
{
	while (len) {
		u32 n;
		int err;

		if (unlikely(!at->left))
			return -EFAULT;
		n = min(len, at->seg->len - at->off);
		err = copy(at->seg->addr + at->off, data, n);
		if (unlikely(err))
			return -EFAULT;
		data += n;
		len -= n;
		at->off += n;
		if (at->off == at->seg->len) {
			at->seg++;
			at->left--;
			at->off = 0;
		}
	}
	return 0;
}

/* As pvhvs_copy_at(), with @len bytes from @off on of what a packet has in a page. */
static __always_inline int pvhvs_copy_frag(struct pvhvs_cursor *at, const skb_frag_t *frag, u32 off,
					   u32 len, const pvhvs_copy copy)
{
	struct page *page = skb_frag_page(frag);
	int err = 0;

	off += skb_frag_off(frag);
	while (len && !err) {
		u32 n = len, in_page = off;
		struct page *p = page;
		void *data;

		if (PageHighMem(page)) {
			p += off >> PAGE_SHIFT;
			in_page = offset_in_page(off);
			n = min_t(u32, n, PAGE_SIZE - in_page);
		}
		data = kmap_local_page(p);
		err = pvhvs_copy_at(at, data + in_page, n, copy);
		kunmap_local(data);
		off += n;
		len -= n;
	}
	return err;
}

static __always_inline int pvhvs_copy_skb(struct pvhvs_cursor *at, struct sk_buff *skb, u32 off,
					  u32 len, const pvhvs_copy copy)
{
	u32 head = skb_headlen(skb), i;
	int err = 0;

	if (off < head) {
		u32 n = min(len, head - off);

		err = pvhvs_copy_at(at, skb->data + off, n, copy);
		len -= n;
		off += n;
	}
	off -= head;
	for (i = 0; i < skb_shinfo(skb)->nr_frags && len && !err; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		u32 size = skb_frag_size(frag);
		u32 n;

		if (off >= size) {
			off -= size;
			continue;
		}
		n = min(len, size - off);
		err = pvhvs_copy_frag(at, frag, off, n, copy);
		len -= n;
		off = 0;
	}
	return err;
}

/**
 * pvhvs_copy_in() - read a payload
 * @skb: to be filled
 * @c: the buffer that it is in, from its first byte on, and at least as long
 *
 * Context: worker.
 * Return: 0 or -EFAULT.
 */
int pvhvs_copy_in(struct sk_buff *skb, const struct pvring_chain *c)
{
	struct pvhvs_cursor at = { .seg = c->seg, .left = c->nout };

	return pvhvs_copy_skb(&at, skb, 0, skb->len, pvhvs_from_guest);
}

/**
 * pvhvs_copy_out() - write a packet, or a part of it
 * @c: the buffer, with room for it
 * @hdr: the header
 * @skb: the packet
 * @len: bytes of its payload that go along
 *
 * Context: worker.
 * Return: 0 or -EFAULT.
 */
int pvhvs_copy_out(const struct pvring_chain *c, const struct virtio_vsock_hdr *hdr,
		   struct sk_buff *skb, u32 len)
{
	struct pvhvs_cursor at = { .seg = c->seg, .left = c->nin };
	int err;

	err = pvhvs_copy_at(&at, (void *)hdr, sizeof(*hdr), pvhvs_to_guest);
	if (err || !len)
		return err;
	return pvhvs_copy_skb(&at, skb, pvvs_cb(skb)->off, len, pvhvs_to_guest);
}
