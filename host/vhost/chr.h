/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_VHOST_CHR_H
#define _PVIO_VHOST_CHR_H

#include <linux/poll.h>

#include "dev.h"
#include "inflight_map.h"

struct file;
struct iov_iter;
struct kiocb;
struct mm_struct;
struct pid;
struct pvchr;

/**
 * struct pvchr_ops - what a backend adds to the generic ioctls
 * @anyone: of these, one that whoever has the descriptor may ask for; 0: there is none
 * @ioctl: any other; returns -ENOIOCTLCMD for one that isn't the backend's. The
 *	caller is the owner, but for @anyone
 * @start: start a queue that isn't, or let it run again
 * @stop: complete what a queue has in flight, and stop it so that its next start
 *	goes on from there
 * @reset: stop and reset all queues, and forget all that was set
 *
 * Context: &pvdev.control held.
 */
struct pvchr_ops {
	unsigned int anyone;
	long (*ioctl)(struct pvchr *c, unsigned int cmd, void __user *argp);
	int (*start)(struct pvchr *c, unsigned int idx);
	void (*stop)(struct pvchr *c, unsigned int idx);
	void (*reset)(struct pvchr *c);
};

/* Workers that the owner of a device makes beside those that queues have by default. */
#define PVCHR_WORKERS_MAX	64

/**
 * struct pvchr_worker - a worker with a number that the owner knows it by
 * @w: the worker; NULL: there is none of this number
 * @queues: how many are attached to it
 * @slot: which of those that are there by default; -1: the owner made it
 */
struct pvchr_worker {
	struct pvworker *w;
	unsigned int queues;
	int slot;
};

/**
 * struct pvchr_vq - how the owner kicks a queue, and who runs it
 * @vq: the queue
 * @kick: the event that the driver's kicks signal; NULL: there is none
 * @head: where it is waited for
 * @wait: there
 * @table: finds @head
 * @placed: the owner said where the ring is
 * @worker: who runs it, now or from its start on; NULL: as by default
 * @region: where it notes what it has in flight
 */
struct pvchr_vq {
	struct pvdev_vq *vq;
	struct file *kick;
	wait_queue_head_t *head;
	wait_queue_entry_t wait;
	poll_table table;
	bool placed;
	struct pvchr_worker *worker;
	struct pvinflight_map region;
};

/**
 * struct pvchr - a device that a VMM configures by the ioctls of linux/vhost.h
 * @dev: the device, of kind PVMEM_USER
 * @ops: the backend
 * @features: what is offered
 * @features_hi: bits 64 to 127 of it
 * @acked: what the driver accepted; this and what follows is under
 *	&pvdev.control
 * @acked_hi: bits 64 to 127 of it
 * @backend_acked: what the owner accepted
 * @mem: guest memory as the owner says; NULL: it has said nothing
 * @log_base: where the log of dirty pages is in the owner; 0: nowhere
 * @logging: queues have a log
 * @log_event: signalled when something was noted there; NULL: nothing is
 * @shares: parts of @mem were other processes' as well, now or since the last reset
 * @mm: the owner; NULL: there is none. Changed under &pvdev.map_lock as well
 * @pid: the same as a process
 * @vq: one for each queue
 * @worker: by number; as many as @made can be, and one for each queue
 * @made: workers that the owner made
 * @shared: queues that share workers by default
 */
struct pvchr {
	struct pvdev *dev;
	const struct pvchr_ops *ops;
	u64 features;
	u64 features_hi;
	u64 acked;
	u64 acked_hi;
	u64 backend_acked;
	struct pvmem_table *mem;
	u64 log_base;
	bool logging;
	struct file *log_event;
	bool shares;
	struct mm_struct *mm;
	struct pid *pid;
	struct pvchr_vq *vq;
	struct pvchr_worker *worker;
	unsigned int made;
	unsigned int shared;
};

int pvchr_init(struct pvchr *c);
void pvchr_release(struct pvchr *c);
bool pvchr_started(const struct pvchr *c);
bool pvchr_guest_gone(const struct pvchr *c);
long pvchr_file_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

int pvchr_accept(struct pvchr *c, u64 features, u64 hi);
long pvchr_get_features_array(struct pvchr *c, void __user *argp);
long pvchr_set_features_array(struct pvchr *c, void __user *argp);

long pvchr_vring_ioctl(struct pvchr *c, unsigned int cmd, void __user *argp);
void pvchr_vring_reset(struct pvchr *c);

struct pvworker *pvchr_vq_worker(struct pvchr *c, unsigned int idx,
				 unsigned int share);
void pvchr_vq_stopped(struct pvchr *c, unsigned int idx);
void pvchr_stopped(struct pvchr *c);
void pvchr_worker_reset(struct pvchr *c);
long pvchr_new_worker(struct pvchr *c, void __user *argp);
long pvchr_free_worker(struct pvchr *c, void __user *argp);
long pvchr_attach_worker(struct pvchr *c, struct pvchr_vq *cvq,
			 void __user *argp);
long pvchr_get_worker(struct pvchr *c, struct pvchr_vq *cvq, void __user *argp);

ssize_t pvchr_file_read_iter(struct kiocb *iocb, struct iov_iter *to);
ssize_t pvchr_file_write_iter(struct kiocb *iocb, struct iov_iter *from);
__poll_t pvchr_file_poll(struct file *file, poll_table *wait);
int pvchr_set_memory(struct pvchr *c, u64 features);

int pvchr_log_update(struct pvchr *c, u64 features);
long pvchr_set_log_base(struct pvchr *c, void __user *argp);
long pvchr_set_log_fd(struct pvchr *c, void __user *argp);
void pvchr_log_reset(struct pvchr *c);

long pvchr_set_vring_inflight(struct pvchr *c, struct pvchr_vq *cvq,
			      void __user *argp);
void pvchr_inflight_reset(struct pvchr_vq *cvq);
long pvchr_get_vring_inflight(struct pvchr *c, struct pvchr_vq *cvq,
			      void __user *argp);
long pvchr_drain(struct pvchr *c, void __user *argp);
long pvchr_resume(struct pvchr *c, void __user *argp);

void pvchr_kick_init(struct pvchr_vq *cvq, struct pvdev_vq *vq);
int pvchr_kick_set(struct pvchr_vq *cvq, int fd);
void pvchr_kick_drop(struct pvchr_vq *cvq);

#endif
