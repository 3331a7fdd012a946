/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _PVIO_COMPAT_H
#define _PVIO_COMPAT_H

/*
 * Included by force before everything else. A source file is written for the
 * newest kernel; what an older one lacks is made up for here, by what the
 * probes found.
 */
#include <linux/kconfig.h>

#include "probes.h"

/* For what is there or not as a whole. */
#define PVIO_VDPA	__is_defined(PVIO_HAVE_VDPA)

#ifndef PVIO_HAVE_VHOST_TASK
#include "vhost_task.h"
#endif

#ifndef PVIO_HAVE_EVENTFD_SIGNAL_ONCE
#include "eventfd_compat.h"
#endif

#if !defined(PVIO_HAVE_VHOST_WORKERS) || !defined(PVIO_HAVE_VHOST_FEATURES_ARRAY)
#include "vhost_compat.h"
#endif

/* Before anybody includes what it makes up for. */
#ifndef PVIO_HAVE_VIRTIO_BLK_ZONED
#include "virtio_blk_compat.h"
#endif

#endif
