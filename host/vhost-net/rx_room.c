// SPDX-License-Identifier: GPL-2.0-only
/*
 * Buffers that the driver gives for frames. They are popped in batches for frames that are there;
 * what is left of a batch goes back at the end of a turn, unless a frame waits for more of them: to
 * be kicked for the next one these have to be taken.
 */
#include "net.h"

/* What is done of the batch is accounted for. */
static void pvnet_rx_settle(struct pvnet_queue *q)
{
	struct pvnet_rx *rx = q->rx;

	if (!rx->done)
		return;
	pvdev_view_put_many(rx->view, rx->done);
	q->vq.now = pvstats_clock();
	pvdev_vq_account(&q->vq, rx->done, rx->popped_at, rx->bytes, 0);
	rx->done = 0;
	rx->bytes = 0;
}

/**
 * pvnet_rx_unpop_batch() - give back what is left of a batch
 * @q: the receive queue, its lock held, with a batch
 */
void pvnet_rx_unpop_batch(struct pvnet_queue *q)
{
	struct pvnet_rx *rx = q->rx;
	struct pvdev_vq *vq = &q->vq;

	lockdep_assert_held(&q->vq.lock);
	if (rx->next < vq->batch->n)
		pvdev_vq_unpop(vq, rx->next, rx->view);
	pvdev_vq_popped(vq);
	pvnet_rx_settle(q);
	rx->view = NULL;
}

/**
 * pvnet_rx_publish() - show the driver the frames that it was given
 * @q: the receive queue, its lock held
 */
void pvnet_rx_publish(struct pvnet_queue *q)
{
	lockdep_assert_held(&q->vq.lock);
	/* First, so that whoever has seen a frame finds it counted. */
	if (q->rx->given)
		pvnet_count(q->rx);
	pvdev_vq_publish(&q->vq);
}

static const char *pvnet_rx_wrong(const struct pvnet_queue *q)
{
	const struct pvring_batch *b = q->vq.batch;
	unsigned int i;

	for (i = 0; i < b->n; i++) {
		if (unlikely(b->chain[i].nout))
			return "a buffer for frames has a readable descriptor";
		if (unlikely(b->chain[i].in_len < q->hdr))
			return "a buffer for frames has no room for a header";
	}
	return NULL;
}

/*
 * Returns how many, 0 for none, or a negative error with which the turn ends. Behind what is popped
 * there may be a chain that is wrong, or not there; with @whole that is an error.
 */
static int pvnet_rx_pop(struct pvnet_queue *q, unsigned int max, bool whole)
{
	struct pvnet_rx *rx = q->rx;
	const char *wrong;
	int n;

	pvnet_rx_unpop(q);
	/* Many at a time, or at the end of the turn: each may be a call. */
	if (q->vq.ring.npending >= PVNET_BATCH)
		pvnet_rx_publish(q);
	q->vq.batch->whole = whole;
	n = pvdev_vq_pop(&q->vq, max, &rx->view);
	if (n <= 0) {
		rx->view = NULL;
		return n;
	}
	rx->next = 0;
	rx->popped_at = q->vq.now;
	wrong = pvnet_rx_wrong(q);
	if (likely(!wrong))
		return n;

	pvnet_rx_unpop(q);
	pvdev_vq_break(&q->vq, wrong);
	return -EIO;
}

/* How many chains from the next one on a frame needs; 0 where there are too few. */
static unsigned int pvnet_rx_fits(const struct pvnet_queue *q, u32 len)
{
	const struct pvring_batch *b = q->vq.batch;
	const struct pvnet_rx *rx = q->rx;
	unsigned int i;
	u64 room = 0;

	if (!rx->view)
		return 0;
	for (i = rx->next; i < b->n; i++) {
		room += b->chain[i].in_len;
		if (likely(room >= len))
			return i + 1 - rx->next;
		if (!q->merges)
			break;
	}
	return 0;
}

/* Are there no more buffers to come that would help? */
static bool pvnet_rx_hopeless(const struct pvnet_queue *q)
{
	const struct pvring_batch *b = q->vq.batch;

	return !q->merges || b->n == b->max || q->vq.ring.taken == q->vq.ring.num;
}

/* Pops anew. Returns how many chains a frame needs, 0 where there are too few, or an error. */
static int pvnet_rx_try(struct pvnet_queue *q, u32 len, unsigned int max, bool whole)
{
	int n = pvnet_rx_pop(q, max, whole);

	if (n <= 0)
		return n;
	n = pvnet_rx_fits(q, len);
	if (likely(n))
		return n;
	/* What the driver has back it can give again. */
	pvnet_rx_publish(q);
	return pvnet_rx_hopeless(q) ? -EMSGSIZE : 0;
}

static unsigned int pvnet_rx_popped(const struct pvnet_queue *q)
{
	return q->rx->view ? q->vq.batch->n : 0;
}

/*
 * The driver will kick when there is one more, or there is one: it came just now, or is wrong, or
 * not there, or has no place in the batch.
 */
static int pvnet_rx_wait(struct pvnet_queue *q, u32 len)
{
	unsigned int had;
	int n;

	while (pvdev_vq_want_kick(&q->vq)) {
		had = pvnet_rx_popped(q);
		n = pvnet_rx_try(q, len, q->vq.batch->max, true);
		if (n)
			return n;
		if (pvnet_rx_popped(q) <= had)
			return had ? -EMSGSIZE : 0;
	}
	return q->vq.broken ? -EIO : 0;
}

/**
 * pvnet_rx_room() - find buffers for a frame
 * @q: the receive queue, its lock held
 * @len: bytes, with the header
 *
 * Context: worker.
 * Return: chains of the batch, from &pvnet_rx.next on; 0 where the driver has to give more, and
 * will kick; -EMSGSIZE for a frame that it can't get; another negative error where the queue is
 * broken or asks for memory to be mapped.
 */
int pvnet_rx_room(struct pvnet_queue *q, u32 len)
{
	struct pvnet_rx *rx = q->rx;
	unsigned int max = max(rx->n - rx->first, 1U);
	int n;

	lockdep_assert_held(&q->vq.lock);
	n = pvnet_rx_fits(q, len);
	if (likely(n))
		return n;
	if (!q->merges && rx->view && rx->next < q->vq.batch->n)
		return -EMSGSIZE;
	/* As many as there are frames, which is mostly enough. */
	n = pvnet_rx_try(q, len, max, false);
	if (!n && pvnet_rx_popped(q) == max)
		n = pvnet_rx_try(q, len, q->vq.batch->max, false);
	return n ?: pvnet_rx_wait(q, len);
}

static void pvnet_rx_log(struct pvdev_vq *vq, const struct pvring_chain *c, u32 len)
{
	struct pvmem_seg part;
	unsigned int i;

	for (i = 0; i < c->nin && len; i++) {
		part = c->seg[i];
		part.len = min(part.len, len);
		len -= part.len;
		pvdev_vq_log(vq, &part, 1);
	}
}

/**
 * pvnet_rx_use() - give a frame to the driver
 * @q: the receive queue, its lock held
 * @n: chains, from &pvnet_rx.next on
 * @len: bytes that were written into them
 */
void pvnet_rx_use(struct pvnet_queue *q, unsigned int n, u32 len)
{
	struct pvdev_vq *vq = &q->vq;
	struct pvnet_rx *rx = q->rx;

	lockdep_assert_held(&vq->lock);
	rx->done += n;
	rx->bytes += len;
	for (; n; n--) {
		const struct pvring_chain *c = &vq->batch->chain[rx->next++];
		u32 part = min(len, c->in_len);

		if (unlikely(vq->log_all))
			pvnet_rx_log(vq, c, part);
		pvring_complete(&vq->ring, c->head, part);
		len -= part;
	}
}
