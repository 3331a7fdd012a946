/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_PVIO_H
#define _UAPI_LINUX_PVIO_H

/*
 * The generic netlink family "pvio", which shows devices and queues and what
 * they count. Documentation/netlink/specs/pvio.yaml describes it.
 */
#define PVIO_FAMILY_NAME	"pvio"
#define PVIO_FAMILY_VERSION	1
#define PVIO_MCGRP_EVENTS	"events"

enum pvio_cmd {
	PVIO_CMD_DEV_GET = 1,
	PVIO_CMD_QUEUE_GET,
	PVIO_CMD_DEV_ADD_NTF,
	PVIO_CMD_DEV_DEL_NTF,
	PVIO_CMD_DEV_CHANGE_NTF,
	PVIO_CMD_QUEUE_BROKEN_NTF,

	__PVIO_CMD_MAX,
	PVIO_CMD_MAX = __PVIO_CMD_MAX - 1,
};

enum pvio_dev_attr {
	PVIO_A_DEV_ID = 1,	/* u32 */
	PVIO_A_DEV_NAME,	/* string */
	PVIO_A_DEV_MODULE,	/* string */
	PVIO_A_DEV_FRONT,	/* string: vdpa or node */
	PVIO_A_DEV_MEMORY,	/* string: va or pa */
	PVIO_A_DEV_QUEUES,	/* u32 */
	PVIO_A_DEV_PID,		/* u32: of the owner, if there is one with a number here */
	PVIO_A_DEV_UID,		/* u32: of the owner */
	PVIO_A_DEV_FEATURES,	/* u64: what the driver accepted */
	PVIO_A_DEV_PAD,

	__PVIO_A_DEV_MAX,
	PVIO_A_DEV_MAX = __PVIO_A_DEV_MAX - 1,
};

enum pvio_queue_state {
	PVIO_QUEUE_STATE_STARTED = 1,
	PVIO_QUEUE_STATE_RUNNING = 2,
	PVIO_QUEUE_STATE_BROKEN = 4,
};

enum pvio_queue_attr {
	PVIO_A_QUEUE_DEV_ID = 1,	/* u32 */
	PVIO_A_QUEUE_DEV_NAME,		/* string */
	PVIO_A_QUEUE_INDEX,		/* u32 */
	PVIO_A_QUEUE_SIZE,		/* u32: entries of the ring, 0 if unknown */
	PVIO_A_QUEUE_STATE,		/* u32: of enum pvio_queue_state */
	PVIO_A_QUEUE_INFLIGHT,		/* u32: chains */
	PVIO_A_QUEUE_WHY,		/* string: while it is broken */
	PVIO_A_QUEUE_STATS,		/* nest of enum pvio_stats_attr */
	PVIO_A_QUEUE_WORKER,		/* u32: the thread that serves it, if there is one */
	PVIO_A_QUEUE_PAD,

	__PVIO_A_QUEUE_MAX,
	PVIO_A_QUEUE_MAX = __PVIO_A_QUEUE_MAX - 1,
};

enum pvio_stats_attr {
	PVIO_A_STATS_CHAINS = 1,	/* u64 */
	PVIO_A_STATS_COMPLETED,		/* u64 */
	PVIO_A_STATS_BYTES_IN,		/* u64 */
	PVIO_A_STATS_BYTES_OUT,		/* u64 */
	PVIO_A_STATS_BATCHES,		/* u64 */
	PVIO_A_STATS_CALLS,		/* u64 */
	PVIO_A_STATS_SUPPRESSED,	/* u64 */
	PVIO_A_STATS_ERRORS,		/* u64 */
	PVIO_A_STATS_UNSUPPORTED,	/* u64 */
	PVIO_A_STATS_BROKEN,		/* u64 */
	PVIO_A_STATS_DEPTH_MAX,		/* u64 */
	PVIO_A_STATS_KICKS,		/* u64 */
	PVIO_A_STATS_LATENCY,		/* u64[]: the first is below 1024 ns, then doubled */
	PVIO_A_STATS_PAD,
	PVIO_A_STATS_POLLED,		/* u64 */

	__PVIO_A_STATS_MAX,
	PVIO_A_STATS_MAX = __PVIO_A_STATS_MAX - 1,
};

#endif
