/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel's header lacks of virtio 1.4, 5.2. */
#ifndef _PVIO_COMPAT_VIRTIO_BLK_H
#define _PVIO_COMPAT_VIRTIO_BLK_H

#ifdef PVIO_HAVE_VIRTIO_BLK_ZONED
#include <linux/virtio_blk.h>
#else

#define virtio_blk_config virtio_blk_config_unzoned
#include <linux/virtio_blk.h>
#undef virtio_blk_config

#define VIRTIO_BLK_F_ZONED		17

#define VIRTIO_BLK_T_ZONE_APPEND	15
#define VIRTIO_BLK_T_ZONE_REPORT	16
#define VIRTIO_BLK_T_ZONE_OPEN		18
#define VIRTIO_BLK_T_ZONE_CLOSE		20
#define VIRTIO_BLK_T_ZONE_FINISH	22
#define VIRTIO_BLK_T_ZONE_RESET		24
#define VIRTIO_BLK_T_ZONE_RESET_ALL	26

#define VIRTIO_BLK_S_ZONE_INVALID_CMD		3
#define VIRTIO_BLK_S_ZONE_UNALIGNED_WP		4
#define VIRTIO_BLK_S_ZONE_OPEN_RESOURCE		5
#define VIRTIO_BLK_S_ZONE_ACTIVE_RESOURCE	6

#define VIRTIO_BLK_Z_NONE	0
#define VIRTIO_BLK_Z_HM		1

#define VIRTIO_BLK_ZS_NOT_WP	0
#define VIRTIO_BLK_ZS_IOPEN	2
#define VIRTIO_BLK_ZS_OFFLINE	15

struct virtio_blk_zone_descriptor {
	__virtio64 z_cap;
	__virtio64 z_start;
	__virtio64 z_wp;
	__u8 z_type;
	__u8 z_state;
	__u8 reserved[38];
};

struct virtio_blk_zone_report {
	__virtio64 nr_zones;
	__u8 reserved[56];
	struct virtio_blk_zone_descriptor zones[];
};

struct virtio_blk_config {
	__virtio64 capacity;
	__virtio32 size_max;
	__virtio32 seg_max;
	struct {
		__virtio16 cylinders;
		__u8 heads;
		__u8 sectors;
	} geometry;
	__virtio32 blk_size;
	__u8 physical_block_exp;
	__u8 alignment_offset;
	__virtio16 min_io_size;
	__virtio32 opt_io_size;
	__u8 wce;
	__u8 unused;
	__virtio16 num_queues;
	__virtio32 max_discard_sectors;
	__virtio32 max_discard_seg;
	__virtio32 discard_sector_alignment;
	__virtio32 max_write_zeroes_sectors;
	__virtio32 max_write_zeroes_seg;
	__u8 write_zeroes_may_unmap;
	__u8 unused1[3];
	__virtio32 max_secure_erase_sectors;
	__virtio32 max_secure_erase_seg;
	__virtio32 secure_erase_sector_alignment;
	struct {
		__virtio32 zone_sectors;
		__virtio32 max_open_zones;
		__virtio32 max_active_zones;
		__virtio32 max_append_sectors;
		__virtio32 write_granularity;
		__u8 model;
		__u8 unused2[3];
	} zoned;
} __packed;

#endif

#ifndef VIRTIO_BLK_F_LIFETIME
#define VIRTIO_BLK_F_LIFETIME		15
#define VIRTIO_BLK_T_GET_LIFETIME	10

struct virtio_blk_lifetime {
	__le16 pre_eol_info;
	__le16 device_lifetime_est_typ_a;
	__le16 device_lifetime_est_typ_b;
};
#endif

#endif
