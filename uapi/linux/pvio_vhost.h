/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_PVIO_VHOST_H
#define _UAPI_LINUX_PVIO_VHOST_H

#include <linux/types.h>
#include <linux/vhost.h>

/*
 * What every character device of pvio knows beside the generic ioctls of
 * linux/vhost.h: chains in flight, those that the device has taken and the driver
 * has not got back. pvio's ioctls are VHOST_VIRTIO 0xF0 to 0xFF. Fields called flags
 * and reserved are 0, from and to the kernel.
 */

/*
 * An entry for each descriptor of a split ring, by the head of a chain, as
 * vhost-user has it (DescStateSplit): whether the chain is in flight, the chain
 * that was used before it, and when it was taken, as a count.
 */
struct vhost_inflight_split_desc {
	__u8 inflight;
	__u8 padding[5];
	__u16 next;
	__u64 counter;
};

/* An in-flight region of a split ring (QueueRegionSplit). */
struct vhost_inflight_split {
	__u64 features;
	__u16 version;
	__u16 desc_num;
	__u16 last_batch_head;
	__u16 used_idx;
	struct vhost_inflight_split_desc desc[];
};

/*
 * An entry of a packed ring's region (DescStatePacked), with a copy of a
 * descriptor: used ones are written over those in the ring. @last, @num and
 * @counter are of a chain's first entry; @next leads to its next one, or from a
 * free entry to the next free one.
 */
struct vhost_inflight_packed_desc {
	__u8 inflight;
	__u8 padding;
	__u16 next;
	__u16 last;
	__u16 num;
	__u64 counter;
	__le16 id;
	__le16 flags;
	__le32 len;
	__le64 addr;
};

/* An in-flight region of a packed ring (QueueRegionPacked). */
struct vhost_inflight_packed {
	__u64 features;
	__u16 version;
	__u16 desc_num;
	__u16 free_head;
	__u16 old_free_head;
	__u16 used_idx;
	__u16 old_used_idx;
	__u8 used_wrap_counter;
	__u8 old_used_wrap_counter;
	__u8 padding[7];
	__u8 padding_to_8[3];
	struct vhost_inflight_packed_desc desc[];
};

/* The @version that a region has which is in use; with 0 it is new, whatever else is in it. */
#define VHOST_INFLIGHT_VERSION	1

/*
 * Where queue @index keeps its in-flight region, from its next start on: @addr in
 * the caller's memory, a multiple of 8, with room for @size bytes; @addr 0:
 * nowhere. The pages are pinned, and count as locked.
 *
 * One that is new is made by the start. One that was in use is carried on: the
 * start takes up where the former one ended, whatever VHOST_SET_VRING_BASE says,
 * and does again what was in flight, in the order in which it was taken. Who
 * resets the driver clears the region.
 */
struct vhost_vring_inflight {
	__u32 index;
	__u32 flags;
	__u64 addr;
	__u64 size;
};

#define VHOST_SET_VRING_INFLIGHT _IOW(VHOST_VIRTIO, 0xF0, struct vhost_vring_inflight)

/*
 * What queue @index has in flight: @active chains are being served, @completed
 * ones are yet to be shown to the driver, @again ones were in flight when a former
 * start ended and are yet to be taken up; 1 while nobody has counted these. The
 * first of the active ones was taken @oldest_ns nanoseconds ago.
 */
struct vhost_vring_inflight_info {
	__u32 index;
	__u32 flags;
	__u32 active;
	__u32 completed;
	__u32 again;
	__u32 reserved;
	__u64 oldest_ns;
};

#define VHOST_GET_VRING_INFLIGHT _IOWR(VHOST_VIRTIO, 0xF1, struct vhost_vring_inflight_info)

/*
 * Take no more chains, and wait up to @timeout_ms milliseconds until none is in
 * flight. Then all queues stand still, until VHOST_RESUME or their next start, and
 * @inflight is what broken queues had, which nobody will do. Where there are others
 * still, ETIMEDOUT is returned, @inflight says how many, and the queues go on as if
 * nothing had been asked.
 */
struct vhost_drain {
	__u32 flags;
	__u32 timeout_ms;
	__u32 inflight;
	__u32 reserved;
};

#define VHOST_DRAIN		_IOWR(VHOST_VIRTIO, 0xF2, struct vhost_drain)
#define VHOST_RESUME		_IO(VHOST_VIRTIO, 0xF3)

#endif
