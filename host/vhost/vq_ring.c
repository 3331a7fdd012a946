// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a backend does with its ring and with guest memory during a turn. Every
 * access happens under mem_lock with page faults disabled: the lock is taken
 * for a new table under the mmap lock, which a page fault would want. What is
 * not present is faulted in without the lock, and the operation repeated.
 */
#include <linux/eventfd.h>
#include <linux/export.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "dev.h"
#include "trace.h"

/* Memory that is gone again that often is being taken away on purpose. */
#define PVDEV_TRIES_MAX	16

/* Returns -ENXIO with &pvring.miss set where what is not mapped can be asked for. */
static int pvdev_vq_missing(struct pvdev_vq *vq, const struct pvmem_table *t,
			    u64 iova, size_t len, u32 perm)
{
	if (!t->misses || iova + len - 1 < iova)
		return -EFAULT;

	vq->ring.miss = (struct pvring_miss) {
		.iova = pvmem_first_missing(t, iova, perm),
		.perm = perm,
	};
	return -ENXIO;
}

static int pvdev_vq_map_area(struct pvdev_vq *vq,
			     const struct pvmem_table *table, u64 iova,
			     size_t size, u32 perm, struct pvmem_map *map)
{
	int err;

	if (!vq->direct || table->misses) {
		err = pvmem_map_area(table, iova, size, perm, map);
		return unlikely(err == -EFAULT) ?
			pvdev_vq_missing(vq, table, iova, size, perm) : err;
	}
	if (!access_ok(u64_to_user_ptr(iova), size))
		return -EFAULT;
	map->addr = iova;
	return 0;
}

static int pvdev_vq_map_areas(struct pvdev_vq *vq,
			      const struct pvmem_table *table,
			      struct pvmem_map *map)
{
	const struct pvring *r = &vq->ring;
	/* In a packed ring chains come back where they came from. */
	const u32 perm[PVDEV_AREAS] = {
		[PVDEV_DESC] = r->format == PVRING_PACKED ?
			       PVMEM_READ | PVMEM_WRITE : PVMEM_READ,
		[PVDEV_DRIVER] = PVMEM_READ,
		[PVDEV_DEVICE] = PVMEM_WRITE,
	};
	const size_t size[PVDEV_AREAS] = {
		[PVDEV_DESC] = pvring_desc_size(r->format, r->num),
		[PVDEV_DRIVER] = pvring_driver_size(r->format, r->num),
		[PVDEV_DEVICE] = pvring_device_size(r->format, r->num),
	};
	unsigned int i;
	int err = 0;

	for (i = 0; i < PVDEV_AREAS && !err; i++)
		err = pvdev_vq_map_area(vq, table, vq->iova[i], size[i],
					perm[i], &map[i]);
	if (err)
		for (i = 0; i < PVDEV_AREAS; i++)
			pvmem_unmap_area(&map[i]);
	return err;
}

/* Allocates beneath mem_lock, but faults no memory in. */
static int pvdev_vq_map(struct pvdev_vq *vq)
{
	int err;

	if (!vq->view)
		return -EFAULT;
	err = pvdev_vq_map_areas(vq, vq->view->table, vq->map);
	if (err)
		return err;

	vq->ring.desc = vq->map[PVDEV_DESC].addr;
	vq->ring.driver = vq->map[PVDEV_DRIVER].addr;
	vq->ring.device = vq->map[PVDEV_DEVICE].addr;
	vq->mapped = true;
	return 0;
}

static const char *pvdev_unmapped_why(const struct pvdev *dev, int err)
{
	if (err == -EXDEV)
		return "its ring is spread over memory that is not one piece in the VMM";
	if (err != -EFAULT)
		return "there is no memory to map its ring";
	return dev->unmapped;
}

/*
 * A queue that asks stands still. One that is being stopped can't: its owner may
 * be just the one who would answer. Returns 0 where it may try, otherwise -ENXIO.
 */
static int pvdev_vq_may_try(struct pvdev_vq *vq)
{
	if (likely(!pvdev_vq_asks(vq)) || !vq->running)
		return 0;

	/* Nothing was looked up: if the answer comes now, there is no question. */
	vq->ring.miss.perm = 0;
	return -ENXIO;
}

static noinline int pvdev_vq_enter_unmapped(struct pvdev_vq *vq)
{
	int err = pvdev_vq_may_try(vq);

	if (!vq->mapped && !err)
		err = pvdev_vq_map(vq);
	if (err && err != -ENXIO) {
		mutex_unlock(&vq->mem_lock);
		pvdev_vq_break(vq, pvdev_unmapped_why(vq->dev, err));
		mutex_lock(&vq->mem_lock);
		err = -EIO;
	}
	return err;
}

/*
 * Opens guest memory for one operation on the ring. Returns 0, -ENXIO where it
 * has to wait for memory to be mapped, or another negative error when the queue
 * is broken; pvdev_vq_leave() comes after either.
 */
static __always_inline int pvdev_vq_enter(struct pvdev_vq *vq)
{
	int err = 0;

	mutex_lock(&vq->mem_lock);
	if (unlikely(!vq->mapped) || unlikely(pvdev_vq_asks(vq)))
		err = pvdev_vq_enter_unmapped(vq);
	pagefault_disable();
	return err;
}

/*
 * Closes guest memory behind an operation that met memory which is not mapped.
 * The owner is asked for it, under the lock under which he would map it.
 */
static void pvdev_vq_leave_missing(struct pvdev_vq *vq)
{
	bool refused = READ_ONCE(vq->asks) == PVDEV_REFUSED;

	if (vq->running && !vq->broken && !refused)
		pvdev_vq_ask(vq);
	pagefault_enable();
	mutex_unlock(&vq->mem_lock);

	if (refused)
		pvdev_vq_break(vq, "the VMM refuses memory that it names");
	else if (!vq->running)
		pvdev_vq_break(vq, "memory that it needs was unmapped before it was stopped");
}

static noinline bool pvdev_vq_leave_failed(struct pvdev_vq *vq, int ret)
{
	const struct pvring_fault *f = &vq->ring.fault;

	if (ret == -ENXIO) {
		pvdev_vq_leave_missing(vq);
		vq->tries = 0;
		return false;
	}
	pagefault_enable();
	mutex_unlock(&vq->mem_lock);

	if (ret == -EAGAIN) {
		if (++vq->tries < PVDEV_TRIES_MAX &&
		    !pvmem_fault_in(f->addr, f->len, f->write))
			return true;
		pvdev_vq_break(vq, "memory that the VMM mapped is not there");
	} else if (ret == -EINVAL) {
		pvdev_vq_break(vq, vq->ring.error);
	}
	vq->tries = 0;
	return false;
}

/*
 * Closes guest memory again. Returns true when the operation is to be repeated
 * because memory was not present; breaks the queue when the ring is broken.
 */
static __always_inline bool pvdev_vq_leave(struct pvdev_vq *vq, int ret)
{
	if (unlikely(ret < 0))
		return pvdev_vq_leave_failed(vq, ret);

	pagefault_enable();
	mutex_unlock(&vq->mem_lock);
	vq->tries = 0;
	return false;
}

/**
 * pvdev_vq_pop() - take chains into the queue's batch
 * @vq: the queue, its lock held
 * @max: no more than these
 * @view: what the chains' addresses belong to; each chain has one reference,
 *	for pvdev_view_put() when it is completed
 *
 * Context: worker.
 * Return: chains in &pvdev_vq.batch; 0, also while the queue is being drained;
 * negative when the queue is broken, or, with pvdev_vq_asks(), waits for memory to
 * be mapped.
 */
int pvdev_vq_pop(struct pvdev_vq *vq, unsigned int max,
		 struct pvdev_view **view)
{
	int ret;

	lockdep_assert_held(&vq->lock);
	if (unlikely(vq->draining) && !vq->ring.nagain)
		return 0;
	do {
		ret = pvdev_vq_enter(vq);
		if (likely(!ret))
			ret = pvring_pop(&vq->ring, vq->view->table, vq->batch,
					 max);
		if (ret > 0) {
			*view = vq->view;
			refcount_add(ret, &vq->view->ref);
		}
	} while (pvdev_vq_leave(vq, ret));
	if (ret > 0) {
		vq->now = pvstats_clock();
		if (vq->polling)
			pvstats_add(&vq->stats, PVSTATS_POLLED, 1);
		vq->poll_until = 0;
		vq->polling = false;
	}
	return ret;
}
EXPORT_SYMBOL_GPL(pvdev_vq_pop);

/**
 * pvdev_vq_popped() - count the chains of the last pop
 * @vq: the queue, its lock held; what can't be served was given back
 *
 * Context: worker.
 */
void pvdev_vq_popped(struct pvdev_vq *vq)
{
	unsigned int n = vq->batch->n;

	if (!n)
		return;
	pvstats_popped(&vq->stats, n);
	pvstats_max(&vq->stats, PVSTATS_DEPTH_MAX, vq->ring.inflight);
	trace_pvio_pop(vq, n);
}
EXPORT_SYMBOL_GPL(pvdev_vq_popped);

/**
 * pvdev_vq_unpop() - give the tail of the last pop back, untouched
 * @vq: the queue, its lock held
 * @from: the first chain to give back
 * @view: from the pop
 *
 * Context: worker.
 */
void pvdev_vq_unpop(struct pvdev_vq *vq, unsigned int from,
		    struct pvdev_view *view)
{
	unsigned int i;

	lockdep_assert_held(&vq->lock);
	pvring_unpop(&vq->ring, vq->batch, from);
	for (i = from; i < vq->batch->n; i++)
		pvdev_view_put(view);
	vq->batch->n = from;
}
EXPORT_SYMBOL_GPL(pvdev_vq_unpop);

/**
 * pvdev_vq_account() - count chains that are being completed
 * @vq: the queue, its lock held
 * @n: how many, of one pop
 * @popped_at: &pvdev_vq.now after that
 * @in: bytes of data written into guest memory
 * @out: bytes of data read from guest memory
 *
 * Context: worker.
 */
void pvdev_vq_account(struct pvdev_vq *vq, unsigned int n, u64 popped_at,
		      u64 in, u64 out)
{
	u64 ns = vq->now - popped_at;

	pvstats_completed(&vq->stats, n, ns, in, out);
	trace_pvio_complete(vq, n, ns, in, out);
}
EXPORT_SYMBOL_GPL(pvdev_vq_account);

static void pvdev_vq_call(struct pvdev_vq *vq)
{
	spin_lock_bh(&vq->call_lock);
	if (vq->event)
		eventfd_signal(vq->event);
	else if (vq->call)
		vq->call(vq->call_arg);
	spin_unlock_bh(&vq->call_lock);
}

/* Notifies the driver, or counts that it didn't want that. */
static void pvdev_vq_notify(struct pvdev_vq *vq, bool wanted)
{
	if (wanted)
		pvdev_vq_call(vq);
	pvstats_add(&vq->stats, wanted ? PVSTATS_CALLS : PVSTATS_SUPPRESSED, 1);
	trace_pvio_notify(vq, wanted);
}

static int pvdev_vq_publish_ring(struct pvdev_vq *vq)
{
	int ret;

	do {
		ret = pvdev_vq_enter(vq);
		if (likely(!ret))
			ret = pvring_publish(&vq->ring);
		if (likely(!ret))
			ret = pvring_notify_needed(&vq->ring);
	} while (pvdev_vq_leave(vq, ret));
	return ret;
}

static noinline int pvdev_vq_publish_logged(struct pvdev_vq *vq)
{
	bool again;
	int ret;

	do {
		struct pvdev_dirty d = { .n = 0 };

		ret = pvdev_vq_enter(vq);
		if (!ret && vq->ring.npending) {
			d.n = pvring_published(&vq->ring, d.span);
			pvdev_vq_dirty_at(vq, &d);
		}
		if (!ret)
			ret = pvring_publish(&vq->ring);
		if (!ret)
			ret = pvring_notify_needed(&vq->ring);
		again = pvdev_vq_leave(vq, ret);
		/* A part may have been written before memory was not there. */
		pvdev_vq_log_dirty(vq, &d);
	} while (again);
	return ret;
}

/**
 * pvdev_vq_publish_some() - show the driver what is completed, and notify it if
 *	it wants that
 * @vq: the queue, its lock held; something is
 *
 * A worker that is being killed shows nothing: its access to the VMM's memory fails
 * for just that, and so do requests, for a driver that may live on.
 *
 * Context: worker.
 */
void pvdev_vq_publish_some(struct pvdev_vq *vq)
{
	int ret;

	lockdep_assert_held(&vq->lock);
	if (vq->broken || fatal_signal_pending(current))
		return;

	ret = unlikely(pvdev_vq_logs_ring(vq)) ? pvdev_vq_publish_logged(vq) :
						 pvdev_vq_publish_ring(vq);
	if (unlikely(vq->logged))
		pvdev_vq_log_tell(vq);
	if (unlikely(ret == -ENXIO)) {
		if (vq->ring.npending)
			return;
		/* It is published; a wish that can't be read is taken for one. */
		ret = 1;
	}

	/* What the driver does about it is worth another wait. */
	vq->poll_until = 0;
	pvdev_vq_notify(vq, ret > 0);
}
EXPORT_SYMBOL_GPL(pvdev_vq_publish_some);

/**
 * pvdev_vq_recover() - take up what a former device had in flight
 * @vq: the queue, its lock held, with &pvring.recover set
 *
 * Context: worker.
 * Return: true if it has; false where the queue is broken, or waits for memory to
 * be mapped.
 */
bool pvdev_vq_recover(struct pvdev_vq *vq)
{
	bool again;
	int ret;

	lockdep_assert_held(&vq->lock);
	do {
		struct pvdev_dirty d = { .n = 0 };

		ret = pvdev_vq_enter(vq);
		if (!ret && pvdev_vq_logs_ring(vq)) {
			d.n = pvring_recover_spans(&vq->ring, d.span);
			pvdev_vq_dirty_at(vq, &d);
		}
		if (!ret)
			ret = pvring_recover(&vq->ring);
		again = pvdev_vq_leave(vq, ret);
		/* A part may have been written before memory was not there. */
		pvdev_vq_log_dirty(vq, &d);
	} while (again);
	pvdev_vq_log_tell(vq);
	/* The driver may have got chains, and the call for them not. */
	if (ret > 0)
		pvdev_vq_notify(vq, true);
	return ret >= 0;
}

/* What a wish about kicks is going to write; once it may have been, it stays. */
static void pvdev_vq_kicks_dirty(struct pvdev_vq *vq, bool enable,
				 struct pvdev_dirty *d)
{
	if (likely(!pvdev_vq_logs_ring(vq)) || d->n)
		return;
	d->n = pvring_kicks_written(&vq->ring, enable, d->span);
	pvdev_vq_dirty_at(vq, d);
}

/**
 * pvdev_vq_refuse_kicks() - tell the driver that kicks are not needed
 * @vq: the queue, its lock held
 *
 * Context: worker.
 */
void pvdev_vq_refuse_kicks(struct pvdev_vq *vq)
{
	struct pvdev_dirty d = { .n = 0 };
	int ret;

	lockdep_assert_held(&vq->lock);
	do {
		ret = pvdev_vq_enter(vq);
		if (likely(!ret)) {
			pvdev_vq_kicks_dirty(vq, false, &d);
			ret = pvring_kicks_disable(&vq->ring);
		}
	} while (pvdev_vq_leave(vq, ret));
	pvdev_vq_log_dirty(vq, &d);
}
EXPORT_SYMBOL_GPL(pvdev_vq_refuse_kicks);

static noinline int pvdev_vq_enable_kicks_logged(struct pvdev_vq *vq)
{
	struct pvdev_dirty d = { .n = 0 };
	int ret;

	do {
		ret = pvdev_vq_enter(vq);
		if (likely(!ret)) {
			pvdev_vq_kicks_dirty(vq, true, &d);
			ret = pvring_kicks_enable(&vq->ring);
		}
	} while (pvdev_vq_leave(vq, ret));
	pvdev_vq_log_dirty(vq, &d);
	return ret;
}

/* With @look the wish is not made where there is a chain already. */
static bool pvdev_vq_enable_kicks(struct pvdev_vq *vq, bool look)
{
	int ret;

	lockdep_assert_held(&vq->lock);
	/* Who is being killed takes no more: see pvdev_vq_publish_some(). */
	if (vq->broken || vq->draining || fatal_signal_pending(current))
		return false;

	if (unlikely(pvdev_vq_logs_ring(vq))) {
		ret = pvdev_vq_enable_kicks_logged(vq);
	} else {
		do {
			ret = pvdev_vq_enter(vq);
			if (look && likely(!ret))
				ret = pvring_more(&vq->ring);
			if (likely(!ret))
				ret = pvring_kicks_enable(&vq->ring);
		} while (pvdev_vq_leave(vq, ret));
	}
	if (unlikely(vq->logged))
		pvdev_vq_log_tell(vq);
	return ret > 0;
}

/**
 * pvdev_vq_want_kick() - ask the driver for a kick
 * @vq: the queue, its lock held; all that was found in it is taken
 *
 * Context: worker.
 * Return: true if there is a chain already, and no kick may come.
 */
bool pvdev_vq_want_kick(struct pvdev_vq *vq)
{
	return pvdev_vq_enable_kicks(vq, false);
}
EXPORT_SYMBOL_GPL(pvdev_vq_want_kick);

/**
 * pvdev_vq_idle() - ask the driver for a kick, when there was time for more
 * @vq: the queue, its lock held; all that was found in it is taken
 *
 * Context: worker.
 * Return: true if there is a chain already, and no kick may come; or where the
 * owner wants the worker to look for more for a while.
 */
bool pvdev_vq_idle(struct pvdev_vq *vq)
{
	lockdep_assert_held(&vq->lock);
	if (vq->broken || vq->draining)
		return false;
	if (vq->poll_us && pvdev_vq_polls(vq))
		return true;
	/* Of a wish that is made too early the driver makes a kick too many. */
	return pvdev_vq_enable_kicks(vq, true);
}
EXPORT_SYMBOL_GPL(pvdev_vq_idle);

/**
 * pvdev_vq_read() - copy a piece of a chain into the kernel
 * @vq: the queue, its lock held
 * @view: what the chain was popped under
 * @to: room for all of @seg
 * @seg: the piece
 *
 * Context: worker.
 * Return: 0; -ESTALE when memory has changed since the pop: pop again;
 * -EFAULT where the memory isn't there.
 */
int pvdev_vq_read(struct pvdev_vq *vq, const struct pvdev_view *view,
		  void *to, const struct pvmem_seg *seg)
{
	unsigned int tries = 0;
	int ret;

	do {
		mutex_lock(&vq->mem_lock);
		pagefault_disable();
		ret = -ESTALE;
		if (likely(vq->view == view))
			ret = pvmem_copy_from(vq->ring.kind, to, seg->addr,
					      seg->len);
		pagefault_enable();
		mutex_unlock(&vq->mem_lock);

		if (ret != -EAGAIN)
			return ret;
	} while (++tries < PVDEV_TRIES_MAX &&
		 !pvmem_fault_in(seg->addr, seg->len, false));
	return -EFAULT;
}
EXPORT_SYMBOL_GPL(pvdev_vq_read);

/* The piece under today's memory, where that isn't the chain's any more. */
static int pvdev_vq_translate_now(struct pvdev_vq *vq, struct pvmem_seg *seg)
{
	const struct pvmem_table *t = vq->view ? vq->view->table : NULL;
	struct pvmem_seg now;
	int ret;

	if (!t)
		return -EFAULT;
	ret = pvmem_translate(t, seg->iova, seg->len, PVMEM_WRITE, &now, 1);
	if (ret == -EFAULT)
		return pvdev_vq_missing(vq, t, seg->iova, seg->len, PVMEM_WRITE);
	if (ret < 0)
		return -EFAULT;
	*seg = now;
	return 0;
}

static int pvdev_vq_write_part(struct pvdev_vq *vq,
			       const struct pvdev_view *view,
			       struct pvmem_seg *seg, const void *from)
{
	int ret = pvdev_vq_may_try(vq);

	if (unlikely(vq->view != view) && !ret)
		ret = pvdev_vq_translate_now(vq, seg);
	return ret ?: pvmem_copy_to(vq->ring.kind, seg->addr, from, seg->len);
}

/**
 * pvdev_vq_write() - copy from the kernel to a piece of a chain
 * @vq: the queue, its lock held
 * @view: what the chain was popped under; memory that the VMM unmapped since
 *	is not written, memory that it mapped elsewhere is written there
 * @seg: the piece
 * @from: as many bytes
 *
 * Context: worker.
 * Return: 0; -EFAULT where the memory isn't there, -ENXIO where it is to be
 * tried again in a later turn, when memory is mapped.
 */
int pvdev_vq_write(struct pvdev_vq *vq, const struct pvdev_view *view,
		   const struct pvmem_seg *seg, const void *from)
{
	struct pvmem_seg part = *seg;
	unsigned int tries = 0;
	int ret;

	do {
		mutex_lock(&vq->mem_lock);
		pagefault_disable();
		ret = pvdev_vq_write_part(vq, view, &part, from);
		if (unlikely(ret == -ENXIO)) {
			pvdev_vq_leave_missing(vq);
			return vq->broken ? -EFAULT : -ENXIO;
		}
		pagefault_enable();
		mutex_unlock(&vq->mem_lock);

		/* What is not there may be its end alone. */
		if (likely(!ret) || ret == -EAGAIN)
			pvdev_vq_log(vq, &part, 1);
		if (ret != -EAGAIN)
			return ret;
	} while (++tries < PVDEV_TRIES_MAX &&
		 !pvmem_fault_in(part.addr, part.len, true));
	return -EFAULT;
}
EXPORT_SYMBOL_GPL(pvdev_vq_write);
