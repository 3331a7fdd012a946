// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kicks by event descriptors: signalling one wakes the queue's worker, from
 * whatever context that happens in. What is counted in it is never read.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>

#include "chr.h"

/* Called with the event's lock held, interrupts disabled. */
static int pvchr_kick_wake(wait_queue_entry_t *wait, unsigned int mode,
			   int sync, void *key)
{
	struct pvchr_vq *cvq = container_of(wait, struct pvchr_vq, wait);

	if (key_to_poll(key) & EPOLLIN)
		pvdev_vq_kick(cvq->vq);
	return 0;
}

static void pvchr_kick_found(struct file *file, wait_queue_head_t *head,
			     poll_table *table)
{
	struct pvchr_vq *cvq = container_of(table, struct pvchr_vq, table);

	cvq->head = head;
	add_wait_queue(head, &cvq->wait);
}

/**
 * pvchr_kick_init() - make a queue that is not kicked
 * @cvq: the queue's kicks, zeroed
 * @vq: the queue
 */
void pvchr_kick_init(struct pvchr_vq *cvq, struct pvdev_vq *vq)
{
	cvq->vq = vq;
	init_waitqueue_func_entry(&cvq->wait, pvchr_kick_wake);
	init_poll_funcptr(&cvq->table, pvchr_kick_found);
}

/**
 * pvchr_kick_drop() - no longer be kicked
 * @cvq: the queue's kicks
 *
 * Context: may sleep; &pvdev.control held.
 */
void pvchr_kick_drop(struct pvchr_vq *cvq)
{
	if (!cvq->kick)
		return;

	if (cvq->head)
		remove_wait_queue(cvq->head, &cvq->wait);
	cvq->head = NULL;
	fput(cvq->kick);
	cvq->kick = NULL;
}

/**
 * pvchr_kick_set() - be kicked by an event
 * @cvq: the queue's kicks
 * @fd: the event's descriptor in the calling process; -1: none
 *
 * A kick that came before is not lost.
 *
 * Context: may sleep; &pvdev.control held.
 * Return: 0; -EBADF where there is no such descriptor, -EINVAL where it is not
 * of an event; then nothing has changed.
 */
int pvchr_kick_set(struct pvchr_vq *cvq, int fd)
{
	struct file *kick = NULL;

	if (fd != -1) {
		kick = eventfd_fget(fd);
		if (IS_ERR(kick))
			return PTR_ERR(kick);
	}

	pvchr_kick_drop(cvq);
	cvq->kick = kick;
	if (kick && (vfs_poll(kick, &cvq->table) & EPOLLIN))
		pvdev_vq_kick(cvq->vq);
	return 0;
}
