/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VMM and its guest's virtio-blk driver in one, on a vDPA device, on /dev/vhost-blk or on a
 * vhost-user back-end. Calls return 0 or a negative errno where nothing else is said. Queues are
 * independent: one thread each.
 */
#ifndef PVIO_SELFTEST_BLK_H
#define PVIO_SELFTEST_BLK_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/virtio_blk.h>

#include "gmem.h"
#include "ring.h"
#include "vdpa.h"

/* virtio 1.4, 5.2; the kernel's header lacks it. */
#define VIRTIO_BLK_F_LIFETIME		15
#define VIRTIO_BLK_T_GET_LIFETIME	10

#define BIT(n)			(1ull << (n))
#define BLK_MAX_SEGS		160
#define BLK_STATUS_UNSET	0xff
/* Generous: the machine is emulated, the kernel full of checks, the store slow on purpose. */
#define BLK_HANG_LIMIT_MS	60000

struct blk;

/* How a VMM reaches a device. */
struct blk_transport {
	int (*open)(struct blk *b);
	int (*own)(struct blk *b);
	/* What the device offers, and its configuration. */
	int (*read)(struct blk *b);
	int (*map)(struct blk *b);
	int (*unmap)(struct blk *b);
	/* Says that a queue's ring is there, in the device's addresses. */
	int (*place)(struct blk *b, unsigned int q, uint64_t desc, uint64_t avail, uint64_t used);
	/* All but the start. */
	int (*prepare)(struct blk *b);
	int (*go)(struct blk *b);
	/* Returns with the memory mapped, and nothing else set. */
	int (*reset)(struct blk *b);
	bool (*broken)(const struct blk *b);
};

extern const struct blk_transport blk_vdpa, blk_chr, blk_user, blk_scsi;

struct blk_opts {
	const char *name;	/* of the vDPA device; NULL: it is on @socket, @wwpn or @node */
	const char *socket;	/* of a vhost-user back-end */
	const char *wwpn;	/* of a target of the kernel's vhost-scsi, which serves @store */
	const char *node;	/* /dev/vhost-blk */
	const char *store;	/* for @node */
	bool readonly;		/* @store is opened so */
	const char *serial;	/* for @node */
	enum gmem_kind kind;
	size_t mem_size;
	unsigned int queues;	/* 0: all; on @node 4 */
	uint16_t num;		/* entries of a ring, 0: all that it takes; on @node 256 */
	uint16_t base;		/* index at which the rings start */
	uint64_t with;		/* features to acknowledge beside the usual ones */
	uint64_t without;	/* features not to acknowledge */
	bool iotlb;		/* on @node: its addresses are mapped by messages */
	bool iotlb_empty;	/* and nothing is mapped at the start */
};

struct blk_req {
	struct virtio_blk_outhdr *hdr;
	uint8_t *status;
	const struct gmem *mem;
	unsigned int count;
	struct ring_seg segs[BLK_MAX_SEGS];
	bool done;
	uint32_t used_len;
};

struct blk {
	const struct blk_transport *transport;
	struct vhost v;
	int store_fd;
	int error_fd;		/* tells of broken queues, where there is no status */
	struct gmem mem;
	struct blk_opts opts;
	uint64_t offered;
	uint64_t features;
	struct virtio_blk_config config;
	uint32_t config_size;
	unsigned int nqueues;
	uint16_t num;
	struct ring *rings;
	struct blk_req *reqs;	/* one for each queue, for blk_rw() */
	int config_fd;		/* configuration change notifications */
	bool expect_broken;	/* a queue is, on purpose: wait for the others nonetheless */
};

/* Opens the device and maps memory, but starts nothing. */
int blk_open(struct blk *b, const struct blk_opts *opts);
void blk_close(struct blk *b);
/* As if the VMM had opened it and then been handed over: takes an open file. */
int blk_adopt(struct blk *b, const struct blk_opts *opts, int fd);

/* Negotiates and sets the queues up, all but DRIVER_OK. */
int blk_prepare(struct blk *b);
int blk_start(struct blk *b);
/* Returns once the device has let go of everything; what was in flight is lost. */
int blk_reset(struct blk *b);
/* Reset, rings afresh from @base, start. */
int blk_restart(struct blk *b, uint16_t base);
/* Hands the rings as they are to a device that was reset: they go on where the device stopped. */
int blk_resume_at(struct blk *b, const unsigned int *bases);

uint8_t blk_status(const struct blk *b);
bool blk_needs_reset(const struct blk *b);
/* Waits until the device says that it needs a reset. */
bool blk_wait_needs_reset(const struct blk *b);

void blk_req_init(struct blk *b, struct blk_req *r);
/* Starts a request that has no pieces yet. */
void blk_req_begin(struct blk_req *r, uint32_t type, uint64_t sector);
void blk_req_piece(struct blk_req *r, const void *p, uint32_t len, bool write);
void blk_req_piece_iova(struct blk_req *r, uint64_t iova, uint32_t len, bool write);
/* The whole request in the usual layout: header, data, status. */
void blk_req_usual(struct blk_req *r, uint32_t type, uint64_t sector, const void *buf,
		   uint32_t len);

/* Adds to the ring, without telling the device. */
int blk_queue(struct blk *b, unsigned int q, struct blk_req *r, enum ring_layout layout);
/* Adds by way of an indirect table if there are such, and tells the device. */
int blk_submit(struct blk *b, unsigned int q, struct blk_req *r);
/* Marks what the device has used as done. Returns how many, or -EBADMSG for nonsense. */
int blk_collect(struct blk *b, unsigned int q);
/*
 * Waits for a request: -ETIMEDOUT after the hang limit, -EIO as soon as the device needs a reset
 * (unless @expect_broken), -EBADMSG when it returns what it was not given.
 */
int blk_wait(struct blk *b, unsigned int q, const struct blk_req *r);
/* Waits until nothing is in flight. */
int blk_drain(struct blk *b, unsigned int q);

/* Submits and waits. Returns the request's status byte, or a negative errno. */
int blk_do(struct blk *b, unsigned int q, struct blk_req *r);
int blk_rw(struct blk *b, unsigned int q, uint32_t type, uint64_t sector, const void *buf,
	   uint32_t len);

/* Of a clock that nobody sets. */
int64_t blk_now_ms(void);

uint64_t blk_capacity(const struct blk *b);
uint32_t blk_block_size(const struct blk *b);
/* Data pieces that one request may have. */
unsigned int blk_seg_max(const struct blk *b);

#endif
