// SPDX-License-Identifier: GPL-2.0-only
/* The stream of each queue, and the thread that carries its commands to the ring and back. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nbd_serve.h"

#define SLICE_MS	1000
#define SCRAP		65536u

static void list_init(struct nbd_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_add(struct nbd_list *l, struct nbd_job *j)
{
	j->next = NULL;
	*l->tail = j;
	l->tail = &j->next;
}

static struct nbd_job *list_take(struct nbd_list *l)
{
	struct nbd_job *j = l->head;

	l->head = j->next;
	if (!l->head)
		l->tail = &l->head;
	return j;
}

bool nbd_broken(struct nbd_server *s)
{
	return __atomic_load_n(&s->broken, __ATOMIC_ACQUIRE);
}

static void set_broken(struct nbd_queue *q, int err, const char *why)
{
	int none = 0;

	if (__atomic_compare_exchange_n(&q->server->broken, &none, err, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		fprintf(stderr, "blk_nbd: queue %u: %s: every request fails from now on\n",
			q->index, why);
}

static void end_stream(struct nbd_queue *q, int result)
{
	struct nbd_job *j = q->receiving;

	q->ending = true;
	q->result = result;
	q->have = 0;
	/* Half a command is none. */
	if (j) {
		q->receiving = NULL;
		nbd_job_end(q, j);
		list_add(&q->idle, j);
	}
}

/* Nobody is there any more: what is in the ring is waited for, and that is all. */
static void lose_stream(struct nbd_queue *q)
{
	q->gone = true;
	if (!q->ending)
		end_stream(q, -EPIPE);
}

static void job_ready(struct nbd_queue *q, struct nbd_job *j)
{
	list_add(j->error ? &q->replies : &q->ready, j);
}

/* Takes up the command whose header is there. Returns false while there is no room for it. */
static bool begin(struct nbd_queue *q)
{
	struct nbd_job *j = q->idle.head;

	if (!j || !nbd_job_begin(q, j))
		return false;
	list_take(&q->idle);
	q->have = 0;
	if (j->kind->pays && j->len)
		q->receiving = j;
	else
		job_ready(q, j);
	return true;
}

static bool wants_input(struct nbd_queue *q)
{
	if (q->ending)
		return false;
	return q->receiving || q->have < sizeof(q->header) || begin(q);
}

static void header_done(struct nbd_queue *q)
{
	if (be32toh(q->header.magic) != NBD_REQUEST_MAGIC) {
		fprintf(stderr, "blk_nbd: queue %u: the stream makes no sense\n", q->index);
		end_stream(q, -EPROTO);
	} else if ((be32toh(q->header.type) & 0xffff) == NBD_CMD_DISC) {
		end_stream(q, 0);
	}
}

static ssize_t receive_header(struct nbd_queue *q)
{
	ssize_t n = recv(q->sock, (char *)&q->header + q->have, sizeof(q->header) - q->have,
			 MSG_DONTWAIT);

	if (n > 0) {
		q->have += n;
		if (q->have == sizeof(q->header))
			header_done(q);
	}
	return n;
}

static ssize_t receive_data(struct nbd_queue *q)
{
	struct nbd_job *j = q->receiving;
	uint32_t left = j->len - j->received;
	struct iovec iov[NBD_IOVS];
	struct msghdr msg = { .msg_iov = iov };
	ssize_t n;

	if (nbd_job_keeps(j)) {
		msg.msg_iovlen = nbd_job_iov(q, j, j->received, iov);
		n = recvmsg(q->sock, &msg, MSG_DONTWAIT);
	} else {
		n = recv(q->sock, q->scrap, left < SCRAP ? left : SCRAP, MSG_DONTWAIT);
	}
	if (n > 0) {
		j->received += n;
		if (j->received == j->len) {
			q->receiving = NULL;
			job_ready(q, j);
		}
	}
	return n;
}

/* Returns whether something came. */
static bool receive(struct nbd_queue *q)
{
	bool any = false;
	ssize_t n;

	while ((q->listening = wants_input(q))) {
		n = q->receiving ? receive_data(q) : receive_header(q);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		any = true;
		if (n < 0)
			lose_stream(q);
		else if (!n)
			end_stream(q, -EPIPE);
	}
	return any;
}

/* What can't be asked, or can't any more. */
static void fail(struct nbd_queue *q, struct nbd_job *j)
{
	j->error = -EIO;
	list_add(&q->replies, j);
}

static void ask(struct nbd_queue *q)
{
	bool any = false;
	int err;

	while (q->ready.head) {
		if (nbd_broken(q->server)) {
			fail(q, list_take(&q->ready));
			continue;
		}
		err = nbd_job_ask(q, q->ready.head);
		if (err == -ENOSPC && q->in_ring)
			break;
		if (err) {
			fail(q, list_take(&q->ready));
			continue;
		}
		if (!q->in_ring++)
			q->since = blk_now_ms();
		list_take(&q->ready)->in_ring = true;
		any = true;
	}
	if (any)
		ring_flush(q->ring);
}

static void answered(struct nbd_queue *q, struct blk_req *r, uint32_t len)
{
	struct nbd_job *j = (struct nbd_job *)((char *)r - offsetof(struct nbd_job, req));

	j->req.used_len = len;
	j->in_ring = false;
	q->in_ring--;
	list_add(nbd_job_answered(j) ? &q->ready : &q->replies, j);
}

/* Answers instead of the device; what it does to their memory later is nobody's any more. */
static void give_up(struct nbd_queue *q)
{
	unsigned int i;

	for (i = 0; i < q->server->conf.depth && q->in_ring; i++) {
		struct nbd_job *j = &q->jobs[i];

		if (!j->in_ring)
			continue;
		j->in_ring = false;
		j->npieces = 0;
		q->in_ring--;
		fail(q, j);
	}
}

static bool collect(struct nbd_queue *q)
{
	struct blk_req *r;
	uint32_t len;
	bool any = false;

	if (nbd_broken(q->server)) {
		any = q->in_ring;
		give_up(q);
		return any;
	}
	while ((r = ring_collect(q->ring, &len))) {
		answered(q, r, len);
		any = true;
	}
	if (q->ring->lied)
		set_broken(q, -EIO, "the device answered what it was not asked");
	if (any)
		q->since = blk_now_ms();
	return any;
}

static ssize_t send_some(struct nbd_queue *q, struct nbd_job *j, bool data)
{
	struct nbd_reply reply = {
		.magic = htobe32(NBD_REPLY_MAGIC),
		.error = htobe32(-j->error),
		.cookie = j->cookie,
	};
	struct iovec iov[NBD_IOVS + 1];
	struct msghdr msg = { .msg_iov = iov };

	if (q->sent < sizeof(reply)) {
		iov[0].iov_base = (char *)&reply + q->sent;
		iov[0].iov_len = sizeof(reply) - q->sent;
		msg.msg_iovlen = 1;
	}
	if (data)
		msg.msg_iovlen += nbd_job_iov(q, j, q->sent < sizeof(reply) ? 0 :
					      q->sent - sizeof(reply), iov + msg.msg_iovlen);
	return sendmsg(q->sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void drop_reply(struct nbd_queue *q)
{
	struct nbd_job *j = list_take(&q->replies);

	q->sent = 0;
	nbd_job_end(q, j);
	list_add(&q->idle, j);
}

/* Returns whether something went. */
static bool reply(struct nbd_queue *q)
{
	bool any = false;

	while (q->replies.head) {
		struct nbd_job *j = q->replies.head;
		bool data = j->kind->answers && !j->error;
		ssize_t n = 0;

		if (!q->gone)
			n = send_some(q, j, data);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		any = true;
		if (n < 0)
			lose_stream(q);
		q->sent += n < 0 ? 0 : n;
		if (q->gone || q->sent == sizeof(struct nbd_reply) + (data ? j->len : 0))
			drop_reply(q);
	}
	return any;
}

static bool finished(const struct nbd_queue *q)
{
	return q->ending && !q->in_ring && !q->ready.head && !q->replies.head;
}

/* How long to wait at most: not at all where an answer came before it could be called for. */
static int patience(struct nbd_queue *q)
{
	if (q->server->conf.poll)
		return q->in_ring ? 0 : SLICE_MS;
	ring_take_calls(q->ring);
	ring_arm_call(q->ring, 1);
	return ring_pending(q->ring) ? 0 : SLICE_MS;
}

/* Nothing is to be done before the stream moves, the device answers, or it breaks. */
static void wait(struct nbd_queue *q)
{
	bool broken = nbd_broken(q->server);
	struct pollfd p[] = {
		{ .fd = q->gone ? -1 : q->sock,
		  .events = (q->listening ? POLLIN : 0) | (q->replies.head ? POLLOUT : 0) },
		{ .fd = broken || q->server->conf.poll ? -1 : q->ring->call_fd, .events = POLLIN },
		{ .fd = broken ? -1 : q->server->b->error_fd, .events = POLLIN },
	};
	int n = poll(p, 3, broken ? SLICE_MS : patience(q));

	if (!q->server->conf.poll)
		ring_suppress_calls(q->ring);
	/* A peer that is gone and whose words nobody wants would be told of for ever. */
	if (n > 0 && p[0].revents & (POLLHUP | POLLERR) && !q->listening)
		lose_stream(q);
	if (broken || ring_pending(q->ring))
		return;
	if (n > 0 && p[2].revents)
		set_broken(q, -EIO, "the device broke");
	else if (q->in_ring && blk_now_ms() - q->since > q->server->conf.hang_ms)
		set_broken(q, -ETIMEDOUT, "the device gives no answer");
}

static void *serve(void *arg)
{
	struct nbd_queue *q = arg;
	bool any;

	ring_suppress_calls(q->ring);
	while (!finished(q)) {
		any = collect(q);
		any |= receive(q);
		ask(q);
		any |= reply(q);
		if (!any && !finished(q))
			wait(q);
	}
	close(q->sock);
	return NULL;
}

static int queue_init(struct nbd_server *s, unsigned int index)
{
	struct nbd_queue *q = &s->queues[index];
	unsigned int i;
	int err = 0;

	*q = (struct nbd_queue){ .server = s, .index = index, .ring = &s->b->rings[index] };
	list_init(&q->idle);
	list_init(&q->ready);
	list_init(&q->replies);
	q->data = gmem_alloc(&s->b->mem, (size_t)s->npieces * NBD_PIECE, NBD_PIECE);
	q->scrap = malloc(SCRAP);
	q->free = calloc(s->npieces, sizeof(*q->free));
	q->jobs = calloc(s->conf.depth, sizeof(*q->jobs));
	if (!q->scrap || !q->free || !q->jobs)
		return -ENOMEM;
	while (q->nfree < s->npieces) {
		q->free[q->nfree] = q->nfree;
		q->nfree++;
	}
	for (i = 0; i < s->conf.depth && !err; i++) {
		err = nbd_job_init(q, &q->jobs[i]);
		list_add(&q->idle, &q->jobs[i]);
	}
	return err;
}

static void queue_exit(struct nbd_queue *q, unsigned int depth)
{
	unsigned int i;

	for (i = 0; q->jobs && i < depth; i++)
		nbd_job_exit(&q->jobs[i]);
	free(q->jobs);
	free(q->free);
	free(q->scrap);
}

int nbd_serve_init(struct nbd_server *s, struct blk *b, const struct nbd_conf *conf)
{
	unsigned int q;
	int err;

	*s = (struct nbd_server){ .b = b, .conf = *conf, .npieces = conf->buffers / NBD_PIECE };
	/* Pieces are counted by 16 bits. */
	if (!s->npieces || s->npieces > UINT16_MAX || !conf->depth)
		return -EINVAL;
	err = nbd_job_limits(s);
	if (err)
		return err;
	s->queues = calloc(b->nqueues, sizeof(*s->queues));
	if (!s->queues)
		return -ENOMEM;
	for (q = 0; q < b->nqueues && !err; q++)
		err = queue_init(s, q);
	if (err)
		nbd_serve_exit(s);
	return err;
}

int nbd_serve(struct nbd_server *s, unsigned int index, int sock)
{
	struct nbd_queue *q = &s->queues[index];
	int err;

	q->sock = sock;
	q->ending = false;
	q->listening = true;
	q->gone = false;
	q->result = 0;
	err = pthread_create(&q->thread, NULL, serve, q);
	q->running = !err;
	return -err;
}

int nbd_serve_wait(struct nbd_server *s)
{
	unsigned int i;
	int result = 0;

	for (i = 0; i < s->b->nqueues; i++) {
		struct nbd_queue *q = &s->queues[i];

		if (!q->running)
			continue;
		pthread_join(q->thread, NULL);
		q->running = false;
		if (!result)
			result = q->result;
	}
	return s->broken ? s->broken : result;
}

void nbd_serve_exit(struct nbd_server *s)
{
	unsigned int q;

	for (q = 0; s->queues && q < s->b->nqueues; q++)
		queue_exit(&s->queues[q], s->conf.depth);
	free(s->queues);
	s->queues = NULL;
}
