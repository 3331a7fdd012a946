// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls about workers. Each thread is made by the system call that asks for
 * it, and at once: so it is one of the owner's, and whoever can't have it is
 * told. A queue that the owner attached to no worker gets one at its start, by
 * default one of its own; such workers go with the stop.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "chr.h"

static unsigned int pvchr_numbers(const struct pvchr *c)
{
	return c->dev->nvqs + PVCHR_WORKERS_MAX;
}

static struct pvchr_worker *pvchr_worker_find(struct pvchr *c, unsigned int id)
{
	struct pvchr_worker *cw;

	if (id >= pvchr_numbers(c))
		return NULL;
	cw = &c->worker[array_index_nospec(id, pvchr_numbers(c))];
	return cw->w ? cw : NULL;
}

/* There are as many numbers as there can be workers. */
static struct pvchr_worker *pvchr_worker_make(struct pvchr *c, int slot)
{
	struct pvchr_worker *cw = c->worker;
	struct pvworker *w;

	while (cw->w)
		cw++;
	w = slot < 0 ?
		pvdev_worker_start(c->dev, "pvw", cw - c->worker, PVWORKER_OWNER) :
		pvdev_worker_start(c->dev, "pv", slot, PVWORKER_OWNER);
	if (IS_ERR(w))
		return ERR_CAST(w);

	cw->w = w;
	cw->queues = 0;
	cw->slot = slot;
	c->made += slot < 0;
	return cw;
}

/* No queue is attached to it. */
static void pvchr_worker_drop(struct pvchr *c, struct pvchr_worker *cw)
{
	c->made -= cw->slot < 0;
	pvworker_put(cw->w);
	cw->w = NULL;
}

static void pvchr_vq_bind(struct pvchr_vq *cvq, struct pvchr_worker *cw)
{
	if (cvq->worker)
		cvq->worker->queues--;
	if (cw)
		cw->queues++;
	cvq->worker = cw;
}

static struct pvchr_worker *pvchr_worker_default(struct pvchr *c, int slot)
{
	unsigned int i;

	for (i = 0; i < pvchr_numbers(c); i++)
		if (c->worker[i].w && c->worker[i].slot == slot)
			return &c->worker[i];
	return pvchr_worker_make(c, slot);
}

/**
 * pvchr_vq_worker() - the worker for a queue that is about to be started
 * @c: the device
 * @idx: the queue
 * @share: how many workers queues share that were attached to none; 0: they
 *	don't share
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: the worker, which is the device's until pvchr_stopped(); or the error
 * of making a thread.
 */
struct pvworker *pvchr_vq_worker(struct pvchr *c, unsigned int idx,
				 unsigned int share)
{
	struct pvchr_vq *cvq = &c->vq[idx];
	struct pvchr_worker *cw;

	lockdep_assert_held(&c->dev->control);
	if (cvq->worker)
		return cvq->worker->w;

	cw = pvchr_worker_default(c, share ? c->shared++ % share : idx);
	if (IS_ERR(cw))
		return ERR_CAST(cw);
	pvchr_vq_bind(cvq, cw);
	return cw->w;
}
EXPORT_SYMBOL_GPL(pvchr_vq_worker);

/**
 * pvchr_vq_stopped() - let go of the worker that a queue had by default
 * @c: the device
 * @idx: the queue, stopped
 *
 * One that the owner made stays, and so does the queue with it.
 *
 * Context: &pvdev.control held.
 */
void pvchr_vq_stopped(struct pvchr *c, unsigned int idx)
{
	struct pvchr_worker *cw = c->vq[idx].worker;

	lockdep_assert_held(&c->dev->control);
	if (!cw || cw->slot < 0)
		return;
	pvchr_vq_bind(&c->vq[idx], NULL);
	if (!cw->queues)
		pvchr_worker_drop(c, cw);
}
EXPORT_SYMBOL_GPL(pvchr_vq_stopped);

/**
 * pvchr_stopped() - let go of the workers that queues had by default
 * @c: the device, its queues stopped
 *
 * Those that the owner made stay, and so do the queues that are attached to
 * them.
 *
 * Context: &pvdev.control held.
 */
void pvchr_stopped(struct pvchr *c)
{
	unsigned int i;

	lockdep_assert_held(&c->dev->control);
	for (i = 0; i < c->dev->nvqs; i++)
		pvchr_vq_stopped(c, i);
	/* Their queues may have been given to others. */
	for (i = 0; i < pvchr_numbers(c); i++)
		if (c->worker[i].w && c->worker[i].slot >= 0)
			pvchr_worker_drop(c, &c->worker[i]);
	c->shared = 0;
}
EXPORT_SYMBOL_GPL(pvchr_stopped);

/**
 * pvchr_worker_reset() - let go of all workers
 * @c: the device, its queues stopped
 *
 * Context: &pvdev.control held.
 */
void pvchr_worker_reset(struct pvchr *c)
{
	unsigned int i;

	for (i = 0; i < c->dev->nvqs; i++)
		pvchr_vq_bind(&c->vq[i], NULL);
	for (i = 0; i < pvchr_numbers(c); i++)
		if (c->worker[i].w)
			pvchr_worker_drop(c, &c->worker[i]);
	c->shared = 0;
}

/**
 * pvchr_new_worker() - VHOST_NEW_WORKER
 * @c: the device
 * @argp: &struct vhost_worker_state: gets the number
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -ENOSPC for one too many, -EFAULT, or the error of making a thread.
 */
long pvchr_new_worker(struct pvchr *c, void __user *argp)
{
	struct vhost_worker_state s;
	struct pvchr_worker *cw;

	if (c->made == PVCHR_WORKERS_MAX)
		return -ENOSPC;
	cw = pvchr_worker_make(c, -1);
	if (IS_ERR(cw))
		return PTR_ERR(cw);

	s.worker_id = cw - c->worker;
	if (copy_to_user(argp, &s, sizeof(s))) {
		/* Nobody would know its number. */
		pvchr_worker_drop(c, cw);
		return -EFAULT;
	}
	return 0;
}

/**
 * pvchr_free_worker() - VHOST_FREE_WORKER
 * @c: the device
 * @argp: &struct vhost_worker_state: has the number
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -ENODEV where there is none of that number, -EBUSY where queues
 * are attached to it, -EFAULT.
 */
long pvchr_free_worker(struct pvchr *c, void __user *argp)
{
	struct vhost_worker_state s;
	struct pvchr_worker *cw;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	cw = pvchr_worker_find(c, s.worker_id);
	if (!cw)
		return -ENODEV;
	if (cw->queues)
		return -EBUSY;

	pvchr_worker_drop(c, cw);
	return 0;
}

/**
 * pvchr_attach_worker() - VHOST_ATTACH_VRING_WORKER
 * @c: the device
 * @cvq: the queue
 * @argp: &struct vhost_vring_worker: has the worker's number
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -ENODEV where there is none of that number, -EOWNERDEAD where its
 * thread is gone, -EFAULT.
 */
long pvchr_attach_worker(struct pvchr *c, struct pvchr_vq *cvq,
			 void __user *argp)
{
	struct vhost_vring_worker v;
	struct pvchr_worker *cw;
	int err = 0;

	if (copy_from_user(&v, argp, sizeof(v)))
		return -EFAULT;
	cw = pvchr_worker_find(c, v.worker_id);
	if (!cw)
		return -ENODEV;

	if (pvdev_vq_started(cvq->vq))
		err = pvdev_vq_set_worker(cvq->vq, cw->w);
	else if (READ_ONCE(cw->w->killed))
		err = -EOWNERDEAD;
	if (!err)
		pvchr_vq_bind(cvq, cw);
	return err;
}

/**
 * pvchr_get_worker() - VHOST_GET_VRING_WORKER
 * @c: the device
 * @cvq: the queue
 * @argp: &struct vhost_vring_worker: gets the worker's number
 *
 * Context: a system call of the owner; &pvdev.control held.
 * Return: 0; -EINVAL where the queue has no worker yet, -EFAULT.
 */
long pvchr_get_worker(struct pvchr *c, struct pvchr_vq *cvq, void __user *argp)
{
	struct vhost_vring_worker v = { .index = cvq->vq->index };

	if (!cvq->worker)
		return -EINVAL;
	v.worker_id = cvq->worker - c->worker;
	return copy_to_user(argp, &v, sizeof(v)) ? -EFAULT : 0;
}
