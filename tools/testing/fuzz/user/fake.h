/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _FUZZ_FAKE_H
#define _FUZZ_FAKE_H

/*
 * A kernel that is none, for pvio-bridge: it knows what it was told, and looks after each call and
 * each mapping that goes. It must never have an address of this process that is not in memory
 * which the VMM handed over.
 */

#include <stdbool.h>
#include <stdint.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

/* The kernel's names, which input.h has from the stand-ins of other fuzzers. */
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#include "input.h"

#define FAKE_QUEUES	4u
/* The first of so many; queues are numbered through. */
#define FAKE_NODE	1000000
#define FAKE_NODES	2
#define FEATURE(bit)	(1ull << (bit))
#define PACKED		FEATURE(VIRTIO_F_RING_PACKED)
#define LOG_ALL		FEATURE(VHOST_F_LOG_ALL)
#define OFFERED		(PACKED | LOG_ALL | FEATURE(VIRTIO_F_VERSION_1) |		\
			 FEATURE(VIRTIO_RING_F_EVENT_IDX) | FEATURE(VIRTIO_F_ACCESS_PLATFORM))

/* As after boot. Every so many calls that may fail one does; 0: none. */
void fake_init(unsigned int each);

/* Mappings that pvio-bridge has. */
unsigned int fake_mappings(void);

#endif
