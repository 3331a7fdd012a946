// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's headers know workers that the owner of a vhost device makes. */
#include <linux/vhost.h>

unsigned int pvio_probe(const struct vhost_vring_worker *w);
unsigned int pvio_probe(const struct vhost_vring_worker *w)
{
	return w->worker_id + VHOST_NEW_WORKER;
}
