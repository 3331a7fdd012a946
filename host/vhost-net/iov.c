// SPDX-License-Identifier: GPL-2.0-only
/* Pieces of chains as backends take them. */
#include "net.h"

/**
 * pvnet_iov_fill() - pieces of chains as the kernel takes them from user space
 * @q: the queue; gets them in @iov
 * @seg: the pieces
 * @n: how many
 * @skip: bytes of them to leave out first
 * @pieces: gets how many there are
 *
 * Return: bytes in them.
 */
u32 pvnet_iov_fill(struct pvnet_queue *q, const struct pvmem_seg *seg,
		   unsigned int n, u32 skip, unsigned int *pieces)
{
	struct iovec *iov = q->iov;
	unsigned int i;
	u32 len = 0;

	for (i = 0; i < n; i++) {
		u32 part = min(skip, seg[i].len);

		skip -= part;
		if (part == seg[i].len)
			continue;
		iov->iov_base = u64_to_user_ptr(seg[i].addr + part);
		iov->iov_len = seg[i].len - part;
		len += iov->iov_len;
		iov++;
	}
	*pieces = iov - q->iov;
	return len;
}
