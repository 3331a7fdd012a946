// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a queue writes into guest memory, and notes in the log of dirty pages when
 * it has: data before the chain is published, the ring when it was. Where that
 * can't be noted the queue breaks, because a copy of the guest would lack it.
 */
#include <linux/eventfd.h>
#include <linux/export.h>

#include "dev.h"
#include "log.h"

static void pvdev_vq_log_result(struct pvdev_vq *vq, int err)
{
	if (likely(!err)) {
		vq->logged = true;
		return;
	}
	if (vq->log->event)
		eventfd_signal(vq->log->event);
	pvdev_vq_break(vq, err == -ENOENT ?
		       "what was written is in no memory that can be logged" :
		       "the log of dirty pages is not there");
}

/**
 * pvdev_vq_log() - note that a backend has written pieces of a chain
 * @vq: the queue, its lock held
 * @seg: the pieces, as they were popped
 * @n: how many
 *
 * For what was not written by pvdev_vq_write(). Before pvring_complete().
 *
 * Context: worker.
 */
void pvdev_vq_log(struct pvdev_vq *vq, const struct pvmem_seg *seg,
		  unsigned int n)
{
	unsigned int i;
	int err = 0;

	lockdep_assert_held(&vq->lock);
	if (likely(!vq->log_all))
		return;
	for (i = 0; i < n && !err; i++)
		err = vq->dev->iotlb ?
			pvlog_user(vq->log, seg[i].addr, seg[i].len) :
			pvlog_popped(vq->log, seg[i].iova, seg[i].len);
	pvdev_vq_log_result(vq, err);
}
EXPORT_SYMBOL_GPL(pvdev_vq_log);

/**
 * pvdev_vq_dirty_at() - say where parts of the ring are that are to be written
 * @vq: the queue, its ring mapped and its mem_lock held
 * @d: which parts; their addresses are filled in
 */
void pvdev_vq_dirty_at(struct pvdev_vq *vq, struct pvdev_dirty *d)
{
	unsigned int i;

	for (i = 0; i < d->n; i++)
		d->addr[i] = vq->map[d->span[i].area].addr + d->span[i].offset;
}

static int pvdev_vq_log_span(struct pvdev_vq *vq, const struct pvring_span *s,
			     u64 addr)
{
	int err;

	/* The owner has said where its driver sees it. */
	if (vq->log_ring && !vq->dev->iotlb && s->area == PVDEV_DEVICE)
		return pvlog_guest(vq->log, vq->log_addr + s->offset, s->len);

	/* A ring that he keeps for himself is no guest memory. */
	err = pvlog_user(vq->log, addr, s->len);
	return err == -ENOENT && !vq->log_ring ? 0 : err;
}

/**
 * pvdev_vq_log_dirty() - note that parts of the ring were written
 * @vq: the queue, its lock held
 * @d: the parts; may be none
 *
 * Context: worker.
 */
void pvdev_vq_log_dirty(struct pvdev_vq *vq, const struct pvdev_dirty *d)
{
	unsigned int i;
	int err = 0;

	if (likely(!d->n))
		return;
	for (i = 0; i < d->n && !err; i++)
		err = pvdev_vq_log_span(vq, &d->span[i], d->addr[i]);
	pvdev_vq_log_result(vq, err);
}

/**
 * pvdev_vq_log_tell() - tell the owner that something was noted
 * @vq: the queue, its lock held
 */
void pvdev_vq_log_tell(struct pvdev_vq *vq)
{
	if (likely(!vq->logged))
		return;
	vq->logged = false;
	if (vq->log && vq->log->event)
		eventfd_signal(vq->log->event);
}

/**
 * pvdev_vq_set_log() - say where a queue notes what it writes
 * @vq: the queue; it may be running
 * @log: there, NULL: nowhere; the queue takes a reference
 * @all: note all of it; otherwise the ring alone, if pvdev_vq_set_log_ring()
 *	says so
 *
 * When it returns all that the driver is shown from then on is noted, there.
 * Chains that are completed and not published yet may have been written
 * unnoted: for these all of guest memory is.
 *
 * Context: &pvdev.control held; a system call of the owner.
 * Return: 0, or -EFAULT where that could not be noted.
 */
int pvdev_vq_set_log(struct pvdev_vq *vq, struct pvlog *log, bool all)
{
	struct pvlog *old;
	int err = 0;

	lockdep_assert_held(&vq->dev->control);

	mutex_lock(&vq->lock);
	if (all && pvring_owes(&vq->ring) &&
	    (!vq->log_all || vq->log->base != log->base))
		err = pvlog_all(log);
	old = vq->log;
	vq->log = log ? pvlog_get(log) : NULL;
	vq->log_all = all;
	mutex_unlock(&vq->lock);
	pvlog_put(old);
	return err;
}

/**
 * pvdev_vq_set_log_ring() - say where a driver sees the device area of a ring
 * @vq: the queue; it may be running
 * @on: note what is written there, whether all is noted or not
 * @gpa: guest physical address of the device area; with an IOTLB not used
 *
 * Context: &pvdev.control held.
 */
void pvdev_vq_set_log_ring(struct pvdev_vq *vq, bool on, u64 gpa)
{
	mutex_lock(&vq->lock);
	vq->log_ring = on;
	vq->log_addr = gpa;
	mutex_unlock(&vq->lock);
}
