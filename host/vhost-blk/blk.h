/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_BLK_H
#define _PVIO_VHOST_BLK_H

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/configfs.h>

#include "dev.h"
#include "virtio_blk_compat.h"

#define PVBLK_MODULE		"pvio_vhost_blk"

#define PVBLK_QUEUES_MAX	64
#define PVBLK_QUEUE_SIZE_MIN	16
#define PVBLK_QUEUE_SIZE_MAX	1024
#define PVBLK_SEG_MAX		126
#define PVBLK_SIZE_MAX		SZ_64K

/* What a request may carry, header and status included. */
#define PVBLK_BYTES_MAX		((PVBLK_SEG_MAX + 2) * PVBLK_SIZE_MAX)

/* Ranges that one discard, erasure or zeroing may name. */
#define PVBLK_RANGES_MAX	16

/* The longest of them, in sectors: what the store does by itself, and what is written. */
#define PVBLK_RANGE_SECTORS	(SZ_64M >> SECTOR_SHIFT)
#define PVBLK_ZERO_SECTORS	(SZ_4M >> SECTOR_SHIFT)

/* Vectors in a request itself: 64 KiB of scattered pages. */
#define PVBLK_VECS		16

/* Pieces of guest memory that a request itself can remember. */
#define PVBLK_KEPT		2

/* Pages pinned in one go. */
#define PVBLK_PIN_MAX		64

/* Copied data that a queue may have in flight; one request is always let by. */
#define PVBLK_BOUNCE_MAX	SZ_8M

/* Bytes in ranges that a queue may have in flight; likewise. */
#define PVBLK_RANGED_MAX	SZ_1G

struct pvblk_append;
struct pvblk_dev;
struct pvblk_pool;
struct pvblk_queue;
struct pvblk_ranges;
struct pvblk_vdpa;

/**
 * struct pvblk_store - an open backing store
 * @file: holds it, exclusively
 * @bdev: the block device; NULL for a file
 * @readonly: opened without the right to write
 * @exclusive: opened by its path, for nobody else to write
 * @shared: several disks may write it that are all of this mind
 * @direct: a file that is read and written past the page cache
 * @align: a file's least alignment of I/O in memory, in bytes
 * @block_size: least logical block size, in bytes
 * @conv_zones: of a zoned device, a bit for each zone that takes writes anywhere
 * @nr_zones: how many zones there were when these were found out
 * @zone_sectors: their size then, in units of 512 bytes
 * @node: a file among those that are in use
 */
struct pvblk_store {
	struct file *file;
	struct block_device *bdev;
	bool readonly;
	bool exclusive;
	bool shared;
	bool direct;
	u32 align;
	u32 block_size;
	unsigned long *conv_zones;
	u32 nr_zones;
	u32 zone_sectors;
	struct list_head node;
};

int pvblk_store_open(struct pvblk_store *store, const char *disk,
		     const char *path, bool readonly);
void pvblk_store_close(struct pvblk_store *store);
int pvblk_store_probe(struct pvblk_store *store, const char **why);
u64 pvblk_store_bytes(const struct pvblk_store *store);
void pvblk_store_move(struct pvblk_store *to, struct pvblk_store *from);
int pvblk_store_get(struct pvblk_store *store, int fd);
struct file *pvblk_store_put(struct pvblk_store *store);
int pvblk_store_claim(struct pvblk_store *store);
void pvblk_store_unclaim(struct pvblk_store *store);

/**
 * enum pvblk_discard - what becomes of a guest's discards
 * @PVBLK_DISCARD_NONE: there are none
 * @PVBLK_DISCARD_ZERO: zeroes are there afterwards, and no space is taken where the
 *	store can do that; only for a store that has commands for it
 * @PVBLK_DISCARD_PASS: the store is told, and decides what is read afterwards
 */
enum pvblk_discard {
	PVBLK_DISCARD_NONE,
	PVBLK_DISCARD_ZERO,
	PVBLK_DISCARD_PASS,
};

/**
 * struct pvblk_disk - a disk as the operator describes it
 * @item: its directory in configfs
 * @lock: protects the rest
 * @dev: the device made of it; while there is one nothing else may change
 * @path: what was opened; NULL: nothing
 * @store: the backing store
 * @queues: number of request queues
 * @queue_size: the largest size of each
 * @block_size: logical block size for the guest, in bytes; 0: the store's
 * @readonly: the guest may not write
 * @loop: the driver is this kernel, which sees itself as guest memory
 * @memory: how guest memory is reached
 * @discard: what becomes of discards
 * @ages: there is a @lifetime
 * @lifetime: how worn the store is, see pvblk_lifetime_pack()
 * @serial: what VIRTIO_BLK_T_GET_ID answers
 */
struct pvblk_disk {
	struct config_item item;
	struct mutex lock;
	struct pvblk_vdpa *dev;
	char *path;
	struct pvblk_store store;
	unsigned int queues;
	unsigned int queue_size;
	unsigned int block_size;
	bool readonly;
	bool loop;
	enum pvmem_kind memory;
	enum pvblk_discard discard;
	bool ages;
	u64 lifetime;
	char serial[VIRTIO_BLK_ID_BYTES];
};

int pvblk_config_init(void);
void pvblk_config_exit(void);
struct pvblk_disk *pvblk_disk_get(const char *name);
void pvblk_disk_put(struct pvblk_disk *disk);

extern const struct config_item_type pvblk_disk_type;
struct pvblk_disk *pvblk_disk_make(const char *name);

/**
 * struct pvblk_part - a bio of a request
 * @next: the next one
 * @pool: where it is done if it would block; NULL: nothing would
 * @todo: among those that the pool is to do
 * @iocb: its I/O on a file
 * @bio: the bio
 * @vec: its vectors; those of a request's first part are in the request
 */
struct pvblk_part {
	struct pvblk_part *next;
	struct pvblk_pool *pool;
	struct list_head todo;
	struct kiocb iocb;
	struct bio bio;
	struct bio_vec vec[];
};

/**
 * struct pvblk_bounce - data that is copied on its way
 * @data: the copy
 * @len: bytes
 * @nseg: pieces of guest memory
 * @seg: where a read goes in the end
 */
struct pvblk_bounce {
	void *data;
	u32 len;
	unsigned int nseg;
	struct pvmem_seg seg[];
};

/**
 * struct pvblk_req - a request in flight
 * @done: in the queue's list when all its parts have ended
 * @q: its queue
 * @view: guest memory at its pop
 * @popped_at: when that was
 * @head: its chain
 * @status: VIRTIO_BLK_S_*
 * @write_guest: its data goes to guest memory
 * @pinned: its pages are pinned user pages
 * @started: there is a bio in @first
 * @then_flush: it is done when a flush after it is
 * @sector: where the next part begins
 * @bytes: data in all parts
 * @in_len: bytes of guest memory that a success has written
 * @status_seg: where the status goes
 * @bounce: the copy of its data; NULL: there is none
 * @kept: what the store writes, for the log of dirty pages; NULL: nothing
 * @nkept: pieces in @kept
 * @keep: room for a few
 * @append: what appending to a zone needs; NULL: it is something else
 * @ranges: what to write zeroes to if the store can't do it; NULL: nothing
 * @ranged: bytes in its ranges
 * @pending: parts that have not ended
 * @last: the part that grows
 * @vec: vectors of the first part
 * @first: the first part; not a &struct pvblk_part for its vectors' sake
 */
struct pvblk_req {
	struct llist_node done;
	struct pvblk_queue *q;
	struct pvdev_view *view;
	u64 popped_at;
	u16 head;
	u8 status;
	bool write_guest;
	bool pinned;
	bool started;
	bool then_flush;
	u32 bytes;
	u32 in_len;
	sector_t sector;
	struct pvmem_seg status_seg;
	struct pvblk_bounce *bounce;
	struct pvmem_seg *kept;
	unsigned int nkept;
	struct pvmem_seg keep[PVBLK_KEPT];
	struct pvblk_append *append;
	struct pvblk_ranges *ranges;
	u32 ranged;
	atomic_t pending;
	struct pvblk_part *last;
	struct bio_vec vec[PVBLK_VECS];
	struct pvblk_part first;
};

/**
 * struct pvblk_queue - a request queue
 * @vq: its virtqueue
 * @dev: the disk
 * @req: one for each head
 * @pages: room for pinning
 * @active: requests that the store has
 * @bounced: bytes of copied data in flight
 * @ranged: bytes in ranges in flight
 * @stalled: a request waits for others of this queue to end
 */
struct pvblk_queue {
	struct pvdev_vq vq;
	struct pvblk_dev *dev;
	struct pvblk_req *req;
	struct page *pages[PVBLK_PIN_MAX];
	unsigned int active;
	u32 bounced;
	u32 ranged;
	bool stalled;
};

/**
 * struct pvblk_target - what requests need to know of a disk
 * @bdev: the store; NULL where it is @file
 * @file: the store
 * @direct: @file is used past the page cache
 * @nowait: I/O on @file can be started without blocking
 * @sectors: capacity in units of 512 bytes
 * @block_mask: logical block size minus 1, in bytes
 * @align_mask: data that isn't aligned to this is copied
 * @readonly: writes are refused
 * @bounce_writes: data must not change while it is written
 * @bounce_reads: data must not change before it is verified
 * @writethrough: writes are durable when they are completed
 * @zeroes: the store writes zeroes by itself
 * @erases: the store erases securely
 * @conv_zones: of a zoned store, as in &struct pvblk_store; otherwise NULL
 * @nr_zones: how many
 * @zone_sectors: their size, in units of 512 bytes
 * @append_sectors: the most that can be appended at a time, likewise
 * @granule_mask: least size of a write to a zone minus 1, in bytes
 * @ages: the operator says how worn the store is
 * @lifetime: that, see pvblk_lifetime_pack()
 * @discard: what becomes of discards
 * @serial: what VIRTIO_BLK_T_GET_ID answers
 */
struct pvblk_target {
	struct block_device *bdev;
	struct file *file;
	bool direct;
	bool nowait;
	u64 sectors;
	u32 block_mask;
	u32 align_mask;
	bool readonly;
	bool bounce_writes;
	bool bounce_reads;
	bool writethrough;
	bool zeroes;
	bool erases;
	const unsigned long *conv_zones;
	u32 nr_zones;
	u32 zone_sectors;
	u32 append_sectors;
	u32 granule_mask;
	bool ages;
	u64 lifetime;
	enum pvblk_discard discard;
	char serial[VIRTIO_BLK_ID_BYTES];
};

/**
 * struct pvblk_dev - a disk as its driver sees it, however it is configured
 * @pvdev: its queues and memory
 * @target: what its requests need of it
 * @pool: does what would block, for a file
 * @queue: its queues; each one's &pvblk_queue.vq is also in @vqs
 * @vqs: for @pvdev
 * @queue_size: the largest size of each
 * @features: what it offers
 * @config_lock: protects @config and @generation
 * @config: its configuration space
 * @generation: of @config: another one has other values
 * @driver_features: what the driver accepted; under &pvdev.control
 * @changed: called with bottom halves disabled or not when @broken or @config
 *	has changed
 * @broken: a queue is broken: NEEDS_RESET
 */
struct pvblk_dev {
	struct pvdev pvdev;
	struct pvblk_target target;
	struct pvblk_pool *pool;
	struct pvblk_queue *queue[PVBLK_QUEUES_MAX];
	struct pvdev_vq *vqs[PVBLK_QUEUES_MAX];
	unsigned int queue_size;
	u64 features;
	spinlock_t config_lock;
	struct virtio_blk_config config;
	u32 generation;
	u64 driver_features;
	void (*changed)(struct pvblk_dev *dev);
	bool broken;
};

extern const u64 pvblk_features;

int pvblk_dev_init(struct pvblk_dev *dev, unsigned int queues);
void pvblk_dev_destroy(struct pvblk_dev *dev);
void pvblk_target_init(struct pvblk_target *t, const struct pvblk_store *store,
		       u32 block_size, enum pvblk_discard discard);
void pvblk_dev_attach(struct pvblk_dev *dev, const struct pvblk_store *store,
		      u32 block_size, enum pvblk_discard discard,
		      const char *serial);
bool pvblk_dev_suits(const struct pvblk_dev *dev, u64 features);
int pvblk_dev_start_pool(struct pvblk_dev *dev, enum pvworker_kind kind);
int pvblk_dev_start_queue(struct pvblk_dev *dev, u16 idx, struct pvworker *w);
void pvblk_dev_stop(struct pvblk_dev *dev);
void pvblk_dev_park(struct pvblk_dev *dev);
void pvblk_dev_park_queue(struct pvblk_dev *dev, u16 idx);
void pvblk_dev_reset(struct pvblk_dev *dev);
void pvblk_dev_update_cache_mode(struct pvblk_dev *dev);
int pvblk_lifetime_pack(u64 *lifetime, unsigned int pre_eol, unsigned int a,
			unsigned int b);
void pvblk_dev_set_lifetime(struct pvblk_dev *dev, bool ages, u64 lifetime);
u64 pvblk_dev_store_sectors(const struct pvblk_dev *dev,
			    const struct pvblk_store *store);
void pvblk_dev_resize(struct pvblk_dev *dev, const struct pvblk_store *store);
void pvblk_dev_get_config(struct pvblk_dev *dev, unsigned int offset,
			  void *buf, unsigned int len);
void pvblk_dev_set_config(struct pvblk_dev *dev, unsigned int offset,
			  const void *buf, unsigned int len);

extern const struct pvdev_ops pvblk_ops;
struct pvblk_queue *pvblk_queue_alloc(struct pvblk_dev *dev, u16 index);
void pvblk_queue_free(struct pvblk_queue *q);
int pvblk_queue_start(struct pvblk_queue *q, struct pvworker *w);
void pvblk_queue_free_requests(struct pvblk_queue *q);

int pvblk_req_start(struct pvblk_queue *q, const struct pvring_chain *c,
		    struct pvdev_view *view);
bool pvblk_req_finish(struct pvblk_req *req, bool publish);

/**
 * struct pvblk_io - a request while it is being started
 * @req: the request
 * @target: the disk
 * @sector: from the header
 * @seg: its data, without header and status
 * @nseg: pieces in @seg
 * @len: bytes in @seg
 * @answer: where the guest may be told more than a status
 * @nanswer: pieces in @answer
 * @answer_len: bytes in @answer
 */
struct pvblk_io {
	struct pvblk_req *req;
	const struct pvblk_target *target;
	u64 sector;
	struct pvmem_seg *seg;
	unsigned int nseg;
	u32 len;
	struct pvmem_seg *answer;
	unsigned int nanswer;
	u32 answer_len;
};

u8 pvblk_check_sectors(const struct pvblk_target *t, u64 sector, u64 sectors);
u8 pvblk_prepare_discard(const struct pvblk_io *io);
u8 pvblk_prepare_write_zeroes(const struct pvblk_io *io);
u8 pvblk_prepare_secure_erase(const struct pvblk_io *io);
int pvblk_issue_discard(struct pvblk_io *io);
int pvblk_issue_write_zeroes(struct pvblk_io *io);
int pvblk_issue_secure_erase(struct pvblk_io *io);
bool pvblk_ranges_go_on(struct pvblk_req *req);
void pvblk_ranges_release(struct pvblk_req *req);

void pvblk_bio_prepare(struct pvblk_req *req, sector_t sector, blk_opf_t opf);
void pvblk_bio_prepare_vecs(struct pvblk_req *req, sector_t sector,
			    blk_opf_t opf, struct bio_vec *vec,
			    unsigned int nvec);
int pvblk_bio_add(struct pvblk_req *req, struct pvmem_seg *seg,
		  unsigned int nseg);
int pvblk_bio_add_bounced(struct pvblk_req *req, struct pvmem_seg *seg,
			  unsigned int nseg, u32 len);
int pvblk_bio_add_range(struct pvblk_req *req, sector_t sector, u32 sectors,
			blk_opf_t opf);
int pvblk_bio_add_zeroes(struct pvblk_req *req, u32 len);
void pvblk_part_done(struct pvblk_part *part);
void pvblk_part_end(struct pvblk_part *part, blk_status_t status);
void pvblk_bio_submit(struct pvblk_req *req);
void pvblk_bio_release(struct pvblk_req *req, bool dirty);
int pvblk_bounce_make(struct pvblk_req *req, const struct pvmem_seg *seg,
		      unsigned int nseg, u32 len);
int pvblk_bounce_to_guest(struct pvblk_req *req);

int pvblk_chr_init(void);
void pvblk_chr_exit(void);
void pvblk_vdpa_set_lifetime(struct pvblk_vdpa *v, u64 lifetime);
bool pvblk_vdpa_resize(struct pvblk_vdpa *v, const struct pvblk_store *store,
		       bool look);
int pvblk_vdpa_init(void);
void pvblk_vdpa_exit(void);

#endif
