/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_DEV_H
#define _PVIO_VHOST_DEV_H

#include <linux/irqreturn.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "ring.h"
#include "stats.h"
#include "worker.h"

struct eventfd_ctx;
struct vhost_vring_inflight_info;
/* By a name that only modules that were built with the same headers know. */
extern const char PVIO_LAYOUT[];

struct pvdev;
struct pvdev_vq;
struct pvlog;

/* The longest that a worker looks at an empty ring before it asks for a kick. */
#define PVDEV_POLL_US_MAX	10000

/**
 * struct pvdev_view - a memory table as one queue sees it
 * @ref: one while it is the current one, one for each chain popped under it
 * @table: the table
 *
 * Queues have one each so that their workers don't share a counter.
 */
struct pvdev_view {
	refcount_t ref;
	struct pvmem_table *table;
};

/**
 * struct pvdev_ops - what a backend does
 * @turn: serve a queue for a bounded time; returns true to be called again
 *	soon. Worker, the queue's lock held.
 * @reap: finish what is on &pvdev_vq.done: complete it if @publish, otherwise
 *	forget it. The queue's lock held.
 * @abandon: forget what is in flight without waiting for its end, if that matters to
 *	nobody any more; NULL: it always does. The queue's lock held.
 * @broken: a queue has stopped by itself. The queue's lock held.
 * @oldest: returns &pvdev_vq.now after the pop of the chain that has been in flight
 *	for the longest time, of a queue that has some. The queue's lock held.
 */
struct pvdev_ops {
	bool (*turn)(struct pvdev_vq *vq);
	void (*reap)(struct pvdev_vq *vq, bool publish);
	void (*abandon)(struct pvdev_vq *vq);
	void (*broken)(struct pvdev_vq *vq);
	u64 (*oldest)(struct pvdev_vq *vq);
};

enum pvdev_area {
	PVDEV_DESC,
	PVDEV_DRIVER,
	PVDEV_DEVICE,
	PVDEV_AREAS,
};

static_assert((int)PVDEV_DESC == (int)PVRING_AREA_DESC &&
	      (int)PVDEV_DRIVER == (int)PVRING_AREA_DRIVER &&
	      (int)PVDEV_DEVICE == (int)PVRING_AREA_DEVICE);

/**
 * struct pvdev_dirty - parts of a ring that are written, for the log
 * @n: how many
 * @span: the parts
 * @addr: where they are in the owner
 */
struct pvdev_dirty {
	unsigned int n;
	struct pvring_span span[PVRING_SPANS];
	unsigned long addr[PVRING_SPANS];
};

/**
 * enum pvdev_asks - what becomes of a queue's question for a translation
 * @PVDEV_ASKS_NOT: there is none
 * @PVDEV_ASKS: nobody has read it
 * @PVDEV_ASKED: the owner has
 * @PVDEV_REFUSED: the owner says no
 */
enum pvdev_asks {
	PVDEV_ASKS_NOT,
	PVDEV_ASKS,
	PVDEV_ASKED,
	PVDEV_REFUSED,
};

/**
 * struct pvdev_vq - a virtqueue and all it takes to run it
 * @dev: the device it belongs to
 * @index: which queue of the device
 * @lock: held by a turn and by whoever changes the queue
 * @config: what the next start makes of it
 * @iova: where its areas are, as the driver says
 * @direct: @iova are addresses of the owner's mm, and are not translated unless
 *	there is an IOTLB
 * @state: where the next start begins
 * @region: where what is in flight is noted, from the next start on; NULL: nowhere
 * @region_size: bytes there
 * @live: it is started; under &pvdev.map_lock
 * @running: turns may run
 * @draining: they take no new chains; without @running they go on to the end of
 *	what was popped
 * @broken: the driver broke it; stopping heals it
 * @why: the end of a sentence about that, for good
 * @ring: the ring, valid from start to reset
 * @batch: what pops fill, likewise
 * @now: in ns of the monotonic clock, at the last pop or the last reap
 * @stats: what it counts
 * @mem_lock: protects @view, @mapped, @map and the ring's addresses. User memory is
 *	reached under it with page faults disabled, because it is taken by those
 *	who hold the mmap lock.
 * @view: guest memory, now; NULL: there is none
 * @mapped: the ring's addresses are those of @view
 * @map: the ring's areas under @view
 * @tries: how often the current operation has faulted memory in
 * @miss: what the queue asks for; this and @asks is under &pvdev.miss_lock
 * @asks: whether it does. While it does it stands still
 * @log: where written pages are noted; NULL: nowhere. This and what follows is
 *	under @lock
 * @log_all: all that is written is
 * @log_ring: the ring is, its device area being at @log_addr for the driver
 * @log_addr: a guest physical address
 * @logged: something was noted since the owner was told
 * @done: finished requests, for the backend's reap
 * @poll_us: how long to look at an empty ring before a kick is asked for
 * @poll_until: when that ends, in ns of the monotonic clock; 0: it has not begun
 * @polling: this turn looks again at what was found empty
 * @turning: the worker, while in a turn
 * @wait: who drains waits here for @done
 * @worker: runs the queue, from start to stop; NULL also while it changes
 * @leaving: the worker, while the queue is being stopped
 * @work: the queue's turns
 * @call_lock: protects what follows
 * @event: tells the driver of completed chains
 * @call: does so where @event is NULL
 * @call_arg: for @call
 * @error: tells the owner that the queue has broken
 */
struct pvdev_vq {
	struct pvdev *dev;
	u16 index;

	struct mutex lock;
	struct pvring_config config;
	u64 iova[PVDEV_AREAS];
	bool direct;
	struct pvring_state state;
	void *region;
	size_t region_size;
	bool live;
	bool running;
	bool draining;
	bool broken;
	const char *why;
	struct pvring ring;
	struct pvring_batch *batch;
	u64 now;
	struct pvstats stats;

	struct mutex mem_lock;
	struct pvdev_view *view;
	bool mapped;
	struct pvmem_map map[PVDEV_AREAS];
	unsigned int tries;
	struct pvring_miss miss;
	enum pvdev_asks asks;

	struct pvlog *log;
	bool log_all;
	bool log_ring;
	u64 log_addr;
	bool logged;

	struct llist_head done;
	u32 poll_us;
	u64 poll_until;
	bool polling;
	struct task_struct *turning;
	wait_queue_head_t wait;
	struct pvworker __rcu *worker;
	struct pvworker *leaving;
	struct pvwork work;

	spinlock_t call_lock;
	struct eventfd_ctx *event;
	irqreturn_t (*call)(void *arg);
	void *call_arg;
	struct eventfd_ctx *error;
};

/**
 * struct pvdev - a device: queues that see the same memory
 * @name: what messages call it
 * @module: what messages say before it
 * @ops: the backend
 * @kind: how guest memory is reached
 * @unmapped: the end of a sentence about a ring in memory that is not mapped,
 *	with the remedy
 * @front: how it is configured, for those who look at it
 * @id: tells it from others; 0: nobody can see it
 * @node: among those that can be seen
 * @owner: the process that uses it; NULL: none
 * @uid: of that process
 * @features: what the driver accepted
 * @nvqs: queues
 * @vqs: the queues, each in a structure of the backend
 * @control: held by a backend that starts, stops or configures queues; no turn
 *	takes it
 * @map_lock: serialises changes of the memory table
 * @table: guest memory; NULL: there is none
 * @iotlb: @table is an IOTLB
 * @copies: turns read and write guest memory without &pvdev_vq.mem_lock, by views that they
 *	popped: who takes memory away waits for them
 * @logs: there may be a log of dirty pages: backends keep for that what a request
 *	is going to write
 * @miss_lock: protects what the queues ask for
 * @miss_next: the queue whose question is read next
 * @miss_wait: who reads questions waits here
 * @limit: keeps a guest from filling the log; NULL at pvdev_init(): @own_limit
 * @own_limit: for this device alone
 */
struct pvdev {
	const char *name;
	const char *module;
	const struct pvdev_ops *ops;
	enum pvmem_kind kind;
	const char *unmapped;
	const char *front;
	u32 id;
	struct list_head node;
	struct pid *owner;
	kuid_t uid;
	u64 features;
	unsigned int nvqs;
	struct pvdev_vq **vqs;
	struct mutex control;
	struct mutex map_lock;
	struct pvmem_table *table;
	bool iotlb;
	bool copies;
	bool logs;
	spinlock_t miss_lock;
	unsigned int miss_next;
	wait_queue_head_t miss_wait;
	struct ratelimit_state *limit;
	struct ratelimit_state own_limit;
};

void pvdev_init(struct pvdev *dev);
void pvdev_destroy(struct pvdev *dev);
void pvdev_register(struct pvdev *dev);
void pvdev_unregister(struct pvdev *dev);
void pvdev_changed(struct pvdev *dev);
void pvdev_set_owner(struct pvdev *dev, bool me);
int pvdev_set_table(struct pvdev *dev, struct pvmem_table *table);
int pvdev_set_identity(struct pvdev *dev);
void pvdev_clear_table(struct pvdev *dev);
void pvdev_wait_turns(struct pvdev *dev);
struct pvworker *pvdev_worker_start(const struct pvdev *dev, const char *what,
				    unsigned int nr, enum pvworker_kind kind);

bool pvdev_may_tell(const struct pvdev *dev);

void pvdev_view_put(struct pvdev_view *view);
void pvdev_view_put_many(struct pvdev_view *view, unsigned int n);
struct pvdev_view *pvdev_view_alloc(struct pvmem_table *table);
struct pvdev_view *pvdev_vq_swap_view(struct pvdev_vq *vq,
				      struct pvdev_view *view);

int pvdev_iotlb_update(struct pvdev *dev, const struct pvmem_region *r);
int pvdev_iotlb_invalidate(struct pvdev *dev, u64 start, u64 last);
int pvdev_iotlb_refuse(struct pvdev *dev, u64 start, u64 last, u32 perm);
bool pvdev_iotlb_next(struct pvdev *dev, struct pvring_miss *miss);
void pvdev_iotlb_again(struct pvdev *dev, const struct pvring_miss *miss);
bool pvdev_iotlb_asks(const struct pvdev *dev);
void pvdev_vq_ask(struct pvdev_vq *vq);
void pvdev_vq_ask_no_more(struct pvdev_vq *vq);

void pvdev_stop(struct pvdev *dev);
void pvdev_park(struct pvdev *dev);

void pvdev_vq_init(struct pvdev_vq *vq, struct pvdev *dev, u16 index);
int pvdev_vq_start(struct pvdev_vq *vq, struct pvworker *w);
void pvdev_vq_park(struct pvdev_vq *vq);
void pvdev_vq_suspend(struct pvdev_vq *vq);
int pvdev_vq_resume(struct pvdev_vq *vq);
void pvdev_vq_reset(struct pvdev_vq *vq);
int pvdev_vq_set_worker(struct pvdev_vq *vq, struct pvworker *w);
int pvdev_vq_set_poll(struct pvdev_vq *vq, u32 us);
bool pvdev_vq_polls(struct pvdev_vq *vq);
void pvdev_vq_wake(struct pvdev_vq *vq);
void pvdev_vq_kick(struct pvdev_vq *vq);
void pvdev_vq_done(struct pvdev_vq *vq, struct llist_node *node);
void pvdev_vq_set_areas(struct pvdev_vq *vq, const u64 iova[PVDEV_AREAS],
			bool direct);
int pvdev_vq_set_state(struct pvdev_vq *vq, const struct pvring_state *state);
void pvdev_vq_get_state(struct pvdev_vq *vq, struct pvring_state *state);
void pvdev_vq_set_call(struct pvdev_vq *vq, irqreturn_t (*call)(void *arg),
		       void *arg);
void pvdev_vq_set_event(struct pvdev_vq *vq, struct eventfd_ctx *event);
void pvdev_vq_set_error(struct pvdev_vq *vq, struct eventfd_ctx *error);
struct eventfd_ctx *pvdev_event_get(const struct eventfd_ctx *event);

int pvdev_vq_pop(struct pvdev_vq *vq, unsigned int max,
		 struct pvdev_view **view);
void pvdev_vq_popped(struct pvdev_vq *vq);
void pvdev_vq_unpop(struct pvdev_vq *vq, unsigned int from,
		    struct pvdev_view *view);
void pvdev_vq_account(struct pvdev_vq *vq, unsigned int n, u64 popped_at,
		      u64 in, u64 out);
void pvdev_vq_publish_some(struct pvdev_vq *vq);
void pvdev_vq_refuse_kicks(struct pvdev_vq *vq);
bool pvdev_vq_idle(struct pvdev_vq *vq);
bool pvdev_vq_want_kick(struct pvdev_vq *vq);
int pvdev_vq_read(struct pvdev_vq *vq, const struct pvdev_view *view,
		  void *to, const struct pvmem_seg *seg);
int pvdev_vq_write(struct pvdev_vq *vq, const struct pvdev_view *view,
		   const struct pvmem_seg *seg, const void *from);
void pvdev_vq_break(struct pvdev_vq *vq, const char *why);

void pvdev_vq_set_region(struct pvdev_vq *vq, void *region, size_t size);
bool pvdev_vq_recover(struct pvdev_vq *vq);
void pvdev_vq_set_draining(struct pvdev_vq *vq, bool draining);
bool pvdev_vq_settled(const struct pvdev_vq *vq);
void pvdev_vq_inflight(struct pvdev_vq *vq,
		       struct vhost_vring_inflight_info *info);
int pvdev_drain(struct pvdev *dev, u32 ms, u32 *left);
int pvdev_resume(struct pvdev *dev);

void pvdev_vq_log(struct pvdev_vq *vq, const struct pvmem_seg *seg,
		  unsigned int n);
void pvdev_vq_dirty_at(struct pvdev_vq *vq, struct pvdev_dirty *d);
void pvdev_vq_log_dirty(struct pvdev_vq *vq, const struct pvdev_dirty *d);
void pvdev_vq_log_tell(struct pvdev_vq *vq);
int pvdev_vq_set_log(struct pvdev_vq *vq, struct pvlog *log, bool all);
void pvdev_vq_set_log_ring(struct pvdev_vq *vq, bool on, u64 gpa);

/* The worker, for those who start and stop it. */
static inline struct pvworker *pvdev_vq_worker(struct pvdev_vq *vq)
{
	return rcu_dereference_protected(vq->worker,
					 lockdep_is_held(&vq->dev->control));
}

/**
 * pvdev_vq_logs_ring() - is it noted what is written into a queue's ring
 * @vq: the queue, its lock held
 *
 * Return: true if it is.
 */
static inline bool pvdev_vq_logs_ring(const struct pvdev_vq *vq)
{
	return vq->log && (vq->log_all || vq->log_ring);
}

/**
 * pvdev_vq_view_current() - is memory still what a chain was popped under
 * @vq: the queue
 * @view: what pvdev_vq_pop() gave
 *
 * Context: any. A caller that pins pages asks afterwards: with pages pinned,
 * an unmap that comes later is that of memory with I/O in flight.
 * Return: true if it is.
 */
static inline bool pvdev_vq_view_current(const struct pvdev_vq *vq,
					 const struct pvdev_view *view)
{
	return READ_ONCE(vq->view) == view;
}

/**
 * pvdev_vq_asks() - does a queue stand still until memory is mapped
 * @vq: the queue
 *
 * Context: any.
 * Return: true if it does; the answer brings its next turn.
 */
static inline bool pvdev_vq_asks(const struct pvdev_vq *vq)
{
	return READ_ONCE(vq->asks) != PVDEV_ASKS_NOT;
}

/**
 * pvdev_vq_publish() - show the driver what is completed, and notify it if it
 *	wants that
 * @vq: the queue, its lock held
 *
 * Context: worker.
 */
static inline void pvdev_vq_publish(struct pvdev_vq *vq)
{
	if (vq->ring.npending)
		pvdev_vq_publish_some(vq);
}

/**
 * pvdev_vq_busy() - tell the driver that a turn has begun
 * @vq: the queue, its lock held
 *
 * With an event index it stays silent by itself.
 *
 * Context: worker.
 */
static inline void pvdev_vq_busy(struct pvdev_vq *vq)
{
	if (!vq->ring.event_idx && !vq->ring.kicks_off)
		pvdev_vq_refuse_kicks(vq);
}

/**
 * pvdev_vq_took_all() - was the ring empty behind what a pop took
 * @vq: the queue, its lock held
 * @n: chains that pvdev_vq_pop() returned
 * @max: as it was told
 *
 * Context: worker.
 * Return: true if it was, or else pvdev_vq_idle() finds the rest of it.
 */
static inline bool pvdev_vq_took_all(const struct pvdev_vq *vq, int n, int max)
{
	/* What a former device had popped is found by pops alone. */
	return n < max && !vq->ring.nagain;
}

/**
 * pvdev_vq_started() - is a queue between its start and its stop
 * @vq: the queue
 *
 * Context: &pvdev.control held.
 * Return: true if it is; it may be suspended.
 */
static inline bool pvdev_vq_started(const struct pvdev_vq *vq)
{
	return vq->batch;
}

#define pvdev_warn(dev, fmt, ...)					\
do {									\
	if (pvdev_may_tell(dev))					\
		pr_warn("%s: %s: " fmt, (dev)->module, (dev)->name,	\
			##__VA_ARGS__);					\
} while (0)

#endif
