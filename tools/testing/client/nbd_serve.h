/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server's side of the network block device protocol, on a disk that the library drives: a
 * stream and a thread for each queue. What comes from the stream goes into the queue's ring, and is
 * answered in the order in which the device ends it.
 */
#ifndef PVIO_SELFTEST_NBD_SERVE_H
#define PVIO_SELFTEST_NBD_SERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include <linux/nbd.h>

#include "blk.h"

/* Data lies in guest memory in pieces of so many bytes. */
#define NBD_PIECE	65536u
#define NBD_IOVS	16

struct nbd_queue;
struct nbd_job;

struct nbd_conf {
	unsigned int depth;	/* requests that a queue takes from its stream at a time */
	size_t buffers;		/* bytes of data that a queue has room for */
	unsigned int hang_ms;	/* without an answer for so long the device counts as broken */
	bool poll;		/* look for answers, instead of being called */
};

/* What a command is: it asks the device for its data part by part, and perhaps for a flush. */
struct nbd_kind {
	uint32_t virtio;
	bool pays;	/* data comes with it */
	bool answers;	/* data goes with the answer */
	bool flushes;
	/* Makes a request of the next part. Returns its bytes. */
	uint32_t (*part)(struct nbd_queue *q, struct nbd_job *j);
};

/* A command on its way. */
struct nbd_job {
	struct nbd_job *next;
	const struct nbd_kind *kind;
	struct blk_req req;
	struct virtio_blk_discard_write_zeroes *ranges;
	uint16_t *pieces;
	unsigned int npieces;
	__be64 cookie;
	uint32_t flags;
	uint64_t from;
	uint32_t len;
	uint32_t received;
	uint32_t part;	/* bytes that the device is asked for now */
	uint32_t done;	/* bytes that it has ended before */
	bool flush;	/* is yet to be asked for */
	bool in_ring;
	int error;	/* to be answered, a negative errno */
};

struct nbd_list {
	struct nbd_job *head;
	struct nbd_job **tail;
};

struct nbd_queue {
	struct nbd_server *server;
	struct ring *ring;
	unsigned int index;
	int sock;
	pthread_t thread;
	bool running;
	int result;
	struct nbd_job *jobs;
	struct nbd_list idle, ready, replies;
	struct nbd_job *receiving;	/* its data comes next */
	struct nbd_request header;
	size_t have;	/* bytes of @header */
	size_t sent;	/* bytes of the first reply */
	bool listening;	/* there is room for what comes */
	bool ending;	/* nothing more comes from the stream */
	unsigned int told;	/* of requests that are too large: once is enough */
	bool gone;	/* nobody reads the answers */
	unsigned int in_ring;
	int64_t since;	/* when the device was last seen to do something */
	uint8_t *data;
	uint16_t *free;	/* pieces of @data that nobody has, a stack */
	unsigned int nfree;
	uint8_t *scrap;	/* where data goes that nobody wants */
};

struct nbd_server {
	struct blk *b;
	struct nbd_conf conf;
	unsigned int npieces;	/* of each queue */
	unsigned int seg_max;
	uint32_t discard_sectors, discard_ranges;
	uint32_t zeroes_sectors, zeroes_ranges;
	bool zeroes_unmap;
	int broken;	/* set once, by any thread: nothing is asked of the device any more */
	struct nbd_queue *queues;
};

/* Guest memory that a server takes. */
size_t nbd_memory(const struct nbd_conf *conf, unsigned int queues);
/* NBD_FLAG_ of what the disk can do. */
uint32_t nbd_flags(const struct blk *b);

/* @b is open, and nobody else uses its rings. Messages go to stderr. */
int nbd_serve_init(struct nbd_server *s, struct blk *b, const struct nbd_conf *conf);
/* A thread for queue @q; the socket is closed at its end. */
int nbd_serve(struct nbd_server *s, unsigned int q, int sock);
/*
 * Waits until every stream has ended. 0 where all were told to disconnect; -EPIPE where a stream
 * ended without that, -EPROTO where it made no sense, -EIO where the device broke, -ETIMEDOUT where
 * it gave no answer.
 */
int nbd_serve_wait(struct nbd_server *s);
void nbd_serve_exit(struct nbd_server *s);

/* nbd_job.c: what becomes of a command. */
/* What the device bounds; -EOPNOTSUPP where a piece is too large for it. */
int nbd_job_limits(struct nbd_server *s);
int nbd_job_init(struct nbd_queue *q, struct nbd_job *j);
void nbd_job_exit(struct nbd_job *j);
/* Fills a job from the queue's header. Returns false where there is no room for its data yet. */
bool nbd_job_begin(struct nbd_queue *q, struct nbd_job *j);
/* Gives its room back. */
void nbd_job_end(struct nbd_queue *q, struct nbd_job *j);
/* Puts its next part into the ring. -ENOSPC: the ring is full. */
int nbd_job_ask(struct nbd_queue *q, struct nbd_job *j);
/* The device has ended the part. Returns whether there is another. */
bool nbd_job_answered(struct nbd_job *j);
/* Where its data lies, from byte @off on. Returns how many of @iov are used. */
int nbd_job_iov(const struct nbd_queue *q, const struct nbd_job *j, uint32_t off,
		struct iovec *iov);
/* Whether data comes from the stream, and is kept. */
bool nbd_job_keeps(const struct nbd_job *j);

bool nbd_broken(struct nbd_server *s);

#endif
