// SPDX-License-Identifier: GPL-2.0-only
/* symbols: vhost_task_create vhost_task_start vhost_task_stop vhost_task_wake */
#include <linux/types.h>
#include <linux/sched/vhost_task.h>

struct vhost_task *pvio_probe(bool (*fn)(void *), void (*killed)(void *));
struct vhost_task *pvio_probe(bool (*fn)(void *), void (*killed)(void *))
{
	return vhost_task_create(fn, killed, NULL, "probe");
}
