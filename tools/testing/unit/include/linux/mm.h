/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _UNIT_LINUX_MM_H
#define _UNIT_LINUX_MM_H

#include <linux/atomic.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#endif
