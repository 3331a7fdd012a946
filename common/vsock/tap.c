// SPDX-License-Identifier: GPL-2.0-only
/* Packets as those see them who look at vsockmon. */
#include <linux/module.h>
#include <linux/nospec.h>
#include <uapi/linux/vsockmon.h>

#include "internal.h"

/**
 * struct pvvs_seen - a packet that is looked at
 * @hdr: its header
 * @skb: its payload; NULL: there is none
 * @off: from there on
 * @len: bytes
 */
struct pvvs_seen {
	const struct virtio_vsock_hdr *hdr;
	const struct sk_buff *skb;
	u32 off;
	u32 len;
};

static const u16 pvvs_tap_ops[] = {
	[VIRTIO_VSOCK_OP_REQUEST] = AF_VSOCK_OP_CONNECT,
	[VIRTIO_VSOCK_OP_RESPONSE] = AF_VSOCK_OP_CONNECT,
	[VIRTIO_VSOCK_OP_RST] = AF_VSOCK_OP_DISCONNECT,
	[VIRTIO_VSOCK_OP_SHUTDOWN] = AF_VSOCK_OP_DISCONNECT,
	[VIRTIO_VSOCK_OP_RW] = AF_VSOCK_OP_PAYLOAD,
	[VIRTIO_VSOCK_OP_CREDIT_UPDATE] = AF_VSOCK_OP_CONTROL,
	[VIRTIO_VSOCK_OP_CREDIT_REQUEST] = AF_VSOCK_OP_CONTROL,
};

static u16 pvvs_tap_op(const struct virtio_vsock_hdr *hdr)
{
	unsigned int op = le16_to_cpu(hdr->op);

	if (op >= ARRAY_SIZE(pvvs_tap_ops))
		return AF_VSOCK_OP_UNKNOWN;
	/* What isn't in the table is 0, which is just that. */
	return pvvs_tap_ops[array_index_nospec(op, ARRAY_SIZE(pvvs_tap_ops))];
}

static struct sk_buff *pvvs_tap_build(void *opaque)
{
	const struct pvvs_seen *seen = opaque;
	const struct virtio_vsock_hdr *hdr = seen->hdr;
	struct af_vsockmon_hdr *mon;
	struct sk_buff *skb;

	skb = alloc_skb(sizeof(*mon) + sizeof(*hdr) + seen->len, GFP_ATOMIC);
	if (!skb)
		return NULL;
	mon = skb_put_zero(skb, sizeof(*mon));
	mon->src_cid = hdr->src_cid;
	mon->dst_cid = hdr->dst_cid;
	mon->src_port = hdr->src_port;
	mon->dst_port = hdr->dst_port;
	mon->op = cpu_to_le16(pvvs_tap_op(hdr));
	mon->transport = cpu_to_le16(AF_VSOCK_TRANSPORT_VIRTIO);
	mon->len = cpu_to_le16(sizeof(*hdr));
	skb_put_data(skb, hdr, sizeof(*hdr));
	if (seen->len && skb_copy_bits(seen->skb, seen->off, skb_put(skb, seen->len), seen->len)) {
		kfree_skb(skb);
		return NULL;
	}
	return skb;
}

/**
 * pvvs_tap() - show a packet to those who look
 * @hdr: its header
 * @skb: its payload, or NULL
 * @off: from there on
 * @len: bytes
 */
void pvvs_tap(const struct virtio_vsock_hdr *hdr, const struct sk_buff *skb, u32 off, u32 len)
{
	struct pvvs_seen seen = { .hdr = hdr, .skb = skb, .off = off, .len = len };

	vsock_deliver_tap(pvvs_tap_build, &seen);
}
